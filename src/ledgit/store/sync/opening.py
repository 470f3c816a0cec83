"""The first steps of a pull or push: little to load, so that the connection is under way at once."""

from __future__ import annotations

import os

from ledgit.store.ledger.lock import LedgerLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.remote import Remote

__all__ = ["SyncLock", "open_line"]


class SyncLock(LedgerLock):
    """Lets one pull or push at a time work in a clone; the others wait.

    Not the `LedgerLock` itself: that one is wanted for milliseconds by whoever ends a run, while a
    transfer may take minutes.
    """

    def __init__(self, folder: Folder, wait: float = 600.0) -> None:
        super().__init__(folder, wait)
        self._path = os.path.join(folder.path, "sync.lock")


def open_line(repo: Repo, folder: Folder, remote: Remote, *, prompt: bool = False) -> Line:
    """Return how this clone reaches *remote*'s ledger: whole, or the tip alone.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote has another address than before, and can't be used.
    """
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.moved import settle_address
    from ledgit.store.sync.tip import wanted

    if wanted(repo, remote):
        from ledgit.store.sync.tip_line import TipLine

        line: Line = TipLine(repo, folder, remote, prompt=prompt)
    else:
        line = Line(repo, folder, remote, prompt=prompt)
    settle_address(line)
    return line
