"""Verbs of a repository that talk to another one."""

from __future__ import annotations

import os
import sys

from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.store.sync import Pulled, PullOptions, Pushed, PushOptions

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Sharing"]


class Sharing(Opened):
    """Pull and push. Nothing else but downloads uses the network."""

    def pull(
        self, remote: str | None = None, options: PullOptions | None = None, progress: Progress | None = None
    ) -> Pulled:
        """Fetch the runs of a remote and unite them with those that are here.

        Args:
            remote: Name or address; default: ``ledgit.remote``, ``origin``, or the only one.
            options: How (``ledgit.store.sync.PullOptions``); asks nobody by default.
            progress: Is told (what, done, total or None).

        Raises:
            NoRemote: There is no remote.
            Unreachable, AccessDenied, RemoteError: It can't be used; repeat it later.
            RecordError, NewerFormat: Its ledger was refused; nothing has changed.
            Conflict: It would take away runs that were made here, or more than 10, and nobody agreed; or another
                pull or push worked in this clone for ten minutes.
        """
        from ledgit.store.sync import find_remote
        from ledgit.store.sync.pull import pull

        return pull(self.repo, self.folder, find_remote(self.repo, remote), options, progress)

    def push(
        self, remote: str | None = None, options: PushOptions | None = None, progress: Progress | None = None
    ) -> Pushed:
        """Send the runs that a remote lacks, after taking in what it has.

        Runs that ended a moment ago are included. What may not be published, or what the host
        refuses, stays here with a reason; the others go.

        Args:
            remote: Name or address; default: ``ledgit.remote``, ``origin``, or the only one.
            options: How (``ledgit.store.sync.PushOptions``); asks nobody by default.
            progress: Is told (what, done, total or None).

        Raises:
            NoRemote: There is no remote.
            Unreachable, AccessDenied, RemoteError: It can't be used; repeat it later.
            PushRefused: The host takes no push to this ref at all.
            RecordError, NewerFormat: Its ledger was refused; nothing has changed.
            Conflict: It would take away runs that were made here, or more than 10, and nobody agreed; or another
                pull or push worked in this clone for ten minutes.
        """
        from ledgit.store.sync import find_remote
        from ledgit.store.sync.push import push

        found = find_remote(self.repo, remote)
        # Without this nothing waits: no run has ended in this process, nor a moment ago in another one.
        if "ledgit.store.settle" in sys.modules or _has_files(self.folder.settling):
            from ledgit.store.settle import wait_settled

            wait_settled(self.repo, self.folder)
        return push(self.repo, self.folder, found, options, progress)


def _has_files(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except OSError:
        return False
