"""The first steps of a pull or push: little to load, so that the connection is under way at once."""

from __future__ import annotations

import os

from ledgit.store.ledger.lock import LedgerLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["WAITING", "SyncLock", "open_line"]

#: What progress callbacks are told while another push or pull works in the clone; with it the seconds so far.
WAITING = "waiting for another ledgit push or pull in this repository, seconds:"
_PATIENCE = 1.0  # seconds after which they are


class SyncLock(LedgerLock):
    """Lets one pull or push at a time work in a clone; the others wait.

    Not the `LedgerLock` itself: that one is wanted for milliseconds by whoever ends a run, while a
    transfer may take minutes, and a question to the user for ever.

    Args:
        folder: Ledgit's folder of the clone.
        progress: Is told after a second that another one is waited for.
        wait: Seconds to wait for it.
    """

    _busy = "another 'ledgit push' or 'ledgit pull' works in this repository, or waits for an answer"

    def __init__(self, folder: Folder, progress: Progress | None = None, wait: float = 600.0) -> None:
        super().__init__(folder, wait)
        self._path = os.path.join(folder.path, "sync.lock")
        self._progress = progress

    def _waits(self, seconds: float) -> None:
        if self._progress is not None and seconds >= _PATIENCE:
            self._progress(WAITING, int(seconds), None)


def open_line(repo: Repo, folder: Folder, remote: Remote, *, prompt: bool = False) -> Line:
    """Return how this clone reaches *remote*'s ledger: whole, or the tip alone.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote has another address than before, and can't be used.
    """
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.moved import settle_address

    if _has_files(folder.going):
        from ledgit.store.ledger.purging import finish_going

        finish_going(repo, folder)
    from ledgit.store.sync.tip import wanted

    if wanted(repo, remote):
        from ledgit.store.sync.tip_line import TipLine

        line: Line = TipLine(repo, folder, remote, prompt=prompt)
    else:
        line = Line(repo, folder, remote, prompt=prompt)
    settle_address(line)
    return line


def _has_files(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except OSError:
        return False
