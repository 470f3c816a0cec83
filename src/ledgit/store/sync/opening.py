"""The first steps of a pull or push: little to load, so that the connection is under way at once."""

from __future__ import annotations

import os

from ledgit.errors import LedgitError
from ledgit.store.ledger.lock import LedgerLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line, Progress
    from ledgit.store.sync.remote import Remote

__all__ = ["WAITING", "Aside", "SyncLock", "UploadLock", "open_line"]

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


class UploadLock(SyncLock):
    """Lets one process at a time send artifacts that take long, or decide which objects go.

    Who holds it may wait for the `SyncLock`, never the other way round.
    """

    _busy = "another 'ledgit push' sends artifacts from this repository"

    def __init__(self, folder: Folder, progress: Progress | None = None, wait: float = 600.0) -> None:
        super().__init__(folder, progress, wait)
        self._path = os.path.join(folder.path, "upload.lock")


class Aside:
    """A context in which artifacts are sent while other pulls and pushes work in the clone.

    Args:
        lock: The push's; where others can't have it, they wait as for any push.
        folder: Ledgit's folder.
        progress: Is told that another upload is waited for.

    Attributes:
        was_open: Others could work here: what was read before may be wrong afterwards.
        lost: Why *lock* could not be had again; None: it is held. Whoever left must look: it is not raised.

    Raises:
        Conflict: (on entering) another upload took too long.
    """

    def __init__(self, lock: SyncLock, folder: Folder, progress: Progress | None = None) -> None:
        self._lock, self._upload = lock, UploadLock(folder, progress)
        self.was_open = False
        self.lost: LedgitError | None = None

    def __enter__(self) -> Aside:
        self.was_open = self._lock.pause()
        if self.was_open:
            try:
                self._upload.__enter__()
            except BaseException:
                self._resume()
                raise
        return self

    def _resume(self) -> None:
        try:
            self._lock.resume()
        except LedgitError as error:
            self.lost = error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.was_open:
            self._upload.__exit__(kind, error, trace)
            self._resume()


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
