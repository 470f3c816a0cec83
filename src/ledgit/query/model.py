"""What to look for: one frozen value, built at the edge and handed down."""

from __future__ import annotations

from dataclasses import dataclass

from ledgit.errors import InvalidValue

__all__ = ["VIEWS", "Query"]

VIEWS = ("active", "deleted", "all")
_MAX_PAGE = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which runs, in which order, and how many of them.

    All conditions must hold. The default asks for every run that is not deleted, newest first.

    Attributes:
        filter: A filter in MLflow's grammar and more (``docs/reference``); empty matches all.
            A filter that names ``deleted`` is asked of deleted runs too, whatever *view* says.
        order_by: Keys as ``"metrics.acc DESC"`` or ``"-metrics.acc"``. In either direction runs
            whose value is NaN come after numbers and runs without the key last; ties go by
            start, newest first, then by id.
        limit: At most so many runs; ``None`` for no limit.
        offset: Leave out so many runs first; not together with *page_token*.
        page_token: ``Page.next_token`` of the page before this one. It is bound to the other
            fields and stays right when runs are added or removed in between.
        experiments: Names of experiments; ``None`` for any, an empty tuple for none.
        view: ``"active"``, ``"deleted"`` or ``"all"``; a run counts as deleted also while its
            experiment is.
        branch: Runs whose code belongs to this branch, by its commit or, after that was replaced, by
            tree, declared code paths or patch-id; and those that were started on a branch of this name.
        since: Runs started at this time or later, milliseconds since the epoch.
        user: Runs of this user, exactly.
        ids: Run ids; ``None`` for any.
        parent_run: Children of the run with this id.
    """

    filter: str = ""
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0
    page_token: str = ""
    experiments: tuple[str, ...] | None = None
    view: str = "active"
    branch: str | None = None
    since: int | None = None
    user: str | None = None
    ids: tuple[str, ...] | None = None
    parent_run: str | None = None

    def __post_init__(self) -> None:
        for name in ("order_by", "experiments", "ids"):
            value = getattr(self, name)
            if isinstance(value, str):
                value = (value,)
            if value is not None:
                object.__setattr__(self, name, tuple(value))
        if self.view not in VIEWS:
            raise InvalidValue("view", self.view, "one of active, deleted, all")
        if self.limit is not None and not 0 <= self.limit <= _MAX_PAGE:
            raise InvalidValue("limit", self.limit, "a number of runs, 0 or more")
        if not 0 <= self.offset <= _MAX_PAGE:
            raise InvalidValue("offset", self.offset, "a number of runs, 0 or more")
        if self.offset and self.page_token:
            raise InvalidValue("offset", self.offset, "0 when there is a page token")
