"""Started by the hook pre-push: waits for Git's push to end, then shares the runs. ``python -m``, in the background."""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["main", "take_report"]

#: Seconds after which a push is left alone: it may be a large one on a slow line.
_LONGEST = 3_600.0
_REPORT = "pre-push.log"


def main(words: list[str]) -> None:
    """Share a repository's runs after a process has ended: *words* are Git directory, work tree, pid, remote."""
    from ledgit.errors import LedgitError
    from ledgit.git import Repo
    from ledgit.sharing import Sharing
    from ledgit.store.sync import PushOptions

    _, where, parent, remote = words
    os.chdir(where)
    repo = Repo.discover(where)
    _wait_for(int(parent))
    try:
        Sharing(repo).push(remote or None, PushOptions(policy="pushed-code"))
        said = ""
    except LedgitError as error:
        said = str(error)
    _report(repo, said)


def _wait_for(process: int) -> None:
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass  # it is somebody else's by now, or runs with other rights
        time.sleep(0.05)


def _report(repo: Repo, said: str) -> None:
    path = os.path.join(repo.common_dir, "ledgit", _REPORT)
    try:
        if said:
            with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(said.partition("\n")[0] + "\n")
        elif os.path.lexists(path):
            os.unlink(path)
    except OSError:
        pass


def take_report(repo: Repo) -> str:
    """Return what the last push in the background had to say, and forget it."""
    path = os.path.join(repo.common_dir, "ledgit", _REPORT)
    try:
        with open(path, encoding="utf-8") as file:
            said = file.read(2_000).strip()
        os.unlink(path)
    except OSError:
        return ""
    return said


if __name__ == "__main__":
    main(sys.argv[1:])
