"""A host refused a push: find the runs it does not like, so that the others can go."""

from __future__ import annotations

from ledgit.errors import PushRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ledgit.git import PushResult
    from ledgit.store.sync.remote import Remote

__all__ = ["Refusals"]

#: Refused pushes after which a push stops looking for further runs that are refused.
BUDGET = 40
# Said of the ref, whatever is in it: there is nothing to look for.
_ABOUT_THE_REF = (
    "deny updating a hidden ref",
    "funny refname",
    "protected branch",
    "you are not allowed to",
    "branch is currently checked out",
    "shallow update not allowed",
    "unpacker error",
    "invalid ref",
)


class Refusals:
    """What a host has refused so far in one push, and what to try next.

    The runs are halved until those that are refused stand alone: with *n* runs of which *k* are
    refused that takes about k log n pushes, and never more than `BUDGET` that are refused.

    Attributes:
        held: Runs that are refused: id → what the host said.
        untried: Ids of runs that were only refused together with others when the budget was spent.
        taking: Whether inboxes are taken in.
        deleting: Whether inboxes that were taken in are deleted.
    """

    def __init__(self, remote: Remote) -> None:
        self.remote = remote
        self.held: dict[str, str] = {}
        self.untried: set[str] = set()
        self.taking = self.deleting = True
        self._groups: list[list[str]] = []  # to be tried next, the first first; an empty one probes
        self._accepts = False  # the host has let something in
        self._count = 0

    def group(self) -> list[str] | None:
        """Return the ids of the runs to try alone; None: all there are; none: an empty ledger commit."""
        return self._groups[0] if self._groups else None

    def landed(self) -> bool:
        """Note that the last push arrived; return whether there is more to try."""
        self._accepts = True
        if self._groups:
            self._groups.pop(0)
        return bool(self._groups)

    def refused(self, going: Sequence[str], inboxes: Collection[str], results: Sequence[PushResult]) -> None:
        """Note that the last push was refused.

        Args:
            going: Ids of the runs that were in it.
            inboxes: Names of the inboxes that were taken in and to be deleted.
            results: What was said of the ledger, then of each inbox.

        Raises:
            PushRefused: It is not about runs: this host lets nothing in.
        """
        ledger, *others = results
        said = next((result for result in results if result.status == "refused"), ledger)
        if ledger.status != "refused" and any(result.status == "refused" for result in others):
            self.deleting = False
            return
        self._count += 1
        if inboxes and self.taking:
            self.taking = False  # perhaps it is what others left there
            return
        reason = said.explain()
        if not going or any(text in reason.lower() for text in _ABOUT_THE_REF):
            raise self._error(reason)
        group = self._groups.pop(0) if self._groups else list(going)
        if len(group) > 1:
            if self._count >= BUDGET:
                self.untried.update(group)
                return
            middle = len(group) // 2
            self._groups[:0] = [group[:middle], group[middle:]]
        elif self._accepts:
            run_id = group[0]
            do = f"'ledgit push --retry' when that was mended, or 'ledgit gc --purge {run_id[:8]}' to drop the run"
            self.held[run_id] = f"{self.remote.shown} refused it: {reason}; {do}"
        else:
            self._groups[:0] = [[], group]  # is it this run, or does it refuse everything?

    def _error(self, reason: str) -> PushRefused:
        ref = self.remote.ledger_ref
        hint = ""
        if not ref.startswith("refs/heads/") and "unpack" not in reason:  # a full disk, a quota: no matter which ref
            hint = "; if it takes branches only, 'git config ledgit.ledgerRef refs/heads/ledgit' uses one"
        return PushRefused(self.remote.url.shown, f"every push to {ref} is refused ({reason}){hint}")
