"""What a check says, and what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["GROUPS", "HINT", "PROBLEM", "Finding", "Patient", "many", "shown"]

PROBLEM = "problem"  #: something does not work, or may be lost
HINT = "hint"  #: good to know, or leftovers that do no harm

GROUPS = ("git", "settings", "runs", "ledger", "index", "remote", "registry", "environments")
"""What findings are about, in the order they are shown."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        level: ``problem`` or ``hint``.
        group: One of :data:`GROUPS`.
        key: Which check found it; what :func:`~ledgit.store.doctor.mend` goes by.
        what: What is wrong, in a sentence.
        mend: The command, or act, that mends it.
    """

    level: str
    group: str
    key: str
    what: str
    mend: str


class Patient:
    """A repository, and what several checks want to know of it, read once."""

    def __init__(self, repo: Repo, folder: Folder, index: Index) -> None:
        self.repo = repo
        self.folder = folder
        self.index = index

    @cached_property
    def refs(self) -> dict[str, str]:
        """Every ref of Ledgit's, and what it names."""
        from ledgit.git import list_refs

        return list_refs(self.repo, "refs/ledgit/")

    @cached_property
    def objects(self) -> Objects:
        """The repository's objects."""
        from ledgit.git import Objects

        return Objects.of(self.repo)

    @cached_property
    def runs(self) -> int:
        """How many runs there are; 0 where the index can't say."""
        from ledgit.errors import LedgitError
        from ledgit.query import Query

        try:
            return self.index.count(Query(view="all"))
        except LedgitError:
            return 0

    @cached_property
    def settings(self) -> dict[str, list[str]]:
        """Every Git setting that is looked at, with all its values; names as Git tells them."""
        from ledgit.git import try_git

        _, out, _ = try_git(self.repo, "config", "-z", "--get-regexp", r"^(remote|fetch|push|alias)\.")
        found: dict[str, list[str]] = {}
        for item in out.split(b"\0"):
            name, equals, value = item.decode("utf-8", "replace").partition("\n")
            if name:
                found.setdefault(name, []).append(value if equals else "true")
        return found

    @cached_property
    def is_whole(self) -> bool:
        """Whether everything that a ref reaches must be here: no clone of the tip alone, shallow or partial."""
        from ledgit.errors import ConfigError
        from ledgit.store.sync.tip import wanted

        try:
            return not (self.repo.shallow or self.repo.partial or wanted(self.repo))
        except ConfigError:
            return False  # a finding of its own


def many(count: int, what: str) -> str:
    """Return ``1 run`` or ``5 runs``."""
    return f"{count} {what}" if count == 1 else f"{count:,} {what}s"


def shown(items: list[str]) -> str:
    """Return a few of *items* for a sentence."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
