"""The artifacts' part of a push: what goes before its runs do, and what is looked after when they have landed."""

from __future__ import annotations

from ledgit.store.journal import now_ms
from ledgit.store.sync.held import ARTIFACTS, Held
from ledgit.store.sync.opening import Aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.store.artifacts.heeding import Heed
    from ledgit.store.artifacts.uploading import Sending
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.opening import SyncLock

__all__ = ["Cargo"]


class Cargo:
    """What one push does about artifacts.

    Args:
        line: Where it goes to.
        lock: What the push holds; others get it while something is sent that takes long. None: they don't.
        progress: Is told what goes on.
    """

    def __init__(self, line: Line, lock: SyncLock | None, progress: Progress | None) -> None:
        self.line, self.lock, self.progress = line, lock, progress
        self._sending: Sending | None = None
        self._heed: Heed | None = None
        self._aside: Aside | None = None
        self._landed: tuple[str | None, dict[str, tuple[str, ...]]] | None = None

    @property
    def sending(self) -> Sending:
        """What sends them."""
        if self._sending is None:
            from ledgit.store.artifacts.uploading import Sending

            repo, folder = self.line.repo, self.line.folder
            aside = self._leave if self.lock is not None else None
            self._sending = Sending(repo, folder, self.progress, swept=self.heed.swept, aside=aside)
        return self._sending

    @property
    def heed(self) -> Heed:
        """What somebody who sweeps the artifact remote has announced."""
        if self._heed is None:
            from ledgit.store.artifacts.heeding import Heed

            self._heed = Heed(self.line.repo, self.line.folder)
        return self._heed

    def _leave(self) -> Aside:
        if self._aside is not None and self._aside.lost is not None:
            raise self._aside.lost
        assert self.lock is not None
        self._aside = Aside(self.lock, self.line.folder, self.progress)
        return self._aside

    def was_left(self) -> bool:
        """Say whether others could work in the clone since this was asked last.

        Raises:
            Conflict: They still do: the push has to end.
        """
        aside, self._aside = self._aside, None
        if aside is not None and aside.lost is not None:
            raise aside.lost
        return aside is not None and aside.was_open

    def send(self, runs: Mapping[str, tuple[str, ...]]) -> dict[str, Held]:
        """Send what *runs* (id → heads) need, before a ledger names them; return those that must stay."""
        now, name = now_ms(), self.line.remote.name
        stay = self.sending.before(runs)
        return {run_id: Held(runs[run_id], why, ARTIFACTS, now, name) for run_id, why in stay.items()}

    def plan(self, tip: str | None, runs: Mapping[str, tuple[str, ...]]) -> None:
        """Find out what a push of *runs* (id → heads) onto the ledger *tip* would send."""
        from ledgit.store.artifacts.catchup import plan_all

        plan_all(self.sending, self.line.remote.url.shown, tip, self.line.objects, runs)

    def landed(self, tip: str | None, boxed: Mapping[str, tuple[str, ...]]) -> None:
        """Note that the remote's ledger is *tip* now, and which runs (id → heads) went into an inbox."""
        self._landed = tip, dict(boxed)

    def look_after(self) -> None:
        """See to the artifacts of what has landed. Not under the `SyncLock`: others may work in the clone meanwhile."""
        if self._landed is None:
            return
        from ledgit.store.artifacts.catchup import catch_up

        tip, boxed = self._landed
        self.sending.aside = None
        try:
            catch_up(self.sending, self.line.remote.url.shown, tip, self.line.objects, boxed)
        finally:
            self.line.objects.rest()
