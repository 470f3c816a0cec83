"""What the orders of a sweep for other machines have in common: how code goes there, and how runs come back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledgit.projects.executors.orders import Code, TrialOrder
    from ledgit.repository import Repository

__all__ = ["LIMIT", "OPTIONS", "Terms"]

LIMIT = 64 << 20
"""Bytes of large artifacts that come back with a run, unless a sweep says otherwise."""
OPTIONS = ("code", "limit", "push", "scratch")


@dataclass(slots=True)
class Terms:
    """The terms of one sweep's orders.

    Attributes:
        code: Remote that workers fetch the code's commit from; "": it goes by value.
        limit: Bytes of large artifacts that a report carries; others go to the artifact remote.
        push: Remote that workers push runs to; "": they come back with the report.
        scratch: Where on workers clones and work folders are; "": in Ledgit's cache folder there.
    """

    code: str = ""
    limit: int = LIMIT
    push: str = ""
    scratch: str = ""

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Terms:
        """Take what is of all kinds of executors out of *options*.

        Raises:
            ConfigError: A value is impossible.
        """
        from ledgit.store.artifacts.threshold import parse_size

        found: dict[str, Any] = {name: str(options.pop(name)) for name in OPTIONS if name in options}
        if "limit" in found:
            found["limit"] = parse_size(found["limit"], "the executor's option limit")
        return cls(**found)

    def settle(self, repository: Repository) -> Settled:
        """Return these terms for the sweep of *repository*: names of remotes become addresses, without credentials.

        Raises:
            NoRemote: There is no such remote.
            ConfigError: A setting of the repository's has an impossible value.
        """
        from ledgit.git import address
        from ledgit.store.artifacts.setting import place_of
        from ledgit.store.artifacts.threshold import artifact_threshold

        place = place_of(repository.repo)
        return Settled(
            repository,
            self,
            push=address(repository.repo, self.push).shown if self.push else "",
            threshold=artifact_threshold(repository.repo),
            # What is committed the worker finds in the code.
            remote="" if place is None or place.source != "ledgit.artifactRemote" else place.shown,
        )


@dataclass(slots=True)
class Settled:
    """Terms that hold for one repository.

    Attributes:
        repository: The sweep's.
        terms: What was asked for.
        push: Address that workers push to, or "".
        threshold: Bytes from which on an artifact goes through DVC.
        remote: Address of the artifact remote that this clone alone is set to, or "".
    """

    repository: Repository
    terms: Terms
    push: str
    threshold: int
    remote: str
    _code: Code | None = None

    def apply(self, order: TrialOrder) -> TrialOrder:
        """Return *order* under these terms."""
        terms = self.terms
        return replace(
            order,
            code=self._fetched(order.code),
            threshold=self.threshold,
            remote=self.remote or order.remote,
            limit=terms.limit,
            push=self.push or order.push,
            scratch=terms.scratch or order.scratch,
        )

    def _fetched(self, code: Code) -> Code:
        if not self.terms.code:
            return code
        if self._code is None or self._code.key != code.key:
            from ledgit.projects.executors.orders import code_of

            self._code = code_of(self.repository, code.commit, code.tree, self.terms.code)
        return self._code
