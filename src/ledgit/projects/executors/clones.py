"""A worker's clones: one for each code, without history, made from what an order carries.

::

    <scratch>/<code key>.git          the clone; runs of all trials with this code are recorded in it
    <scratch>/<code key>.git/ledgit   Ledgit's folder in it, with the work folders
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

from ledgit.errors import RemoteError, StorageError
from ledgit.projects.executors.protocol import CodeWanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ledgit.git import Repo
    from ledgit.projects.executors.orders import Code

__all__ = ["clone_for", "in_use", "set_up", "tidy"]

_OLD = 14 * 24 * 3600.0  # s that a clone nobody uses is kept
_FETCHED = "refs/ledgit/code"
_ABSENT = "not our ref"  # what Git says of a commit that nobody may have
_IN_USE, _SETTINGS = "ledgit.in-use", "ledgit.settings"


def clone_for(code: Code, scratch: str) -> Repo:
    """Return the worker's clone of *code*, made if it is not there.

    Several processes may come for it at once; one of them makes it, or each does and one's stays.

    Raises:
        CodeWanted: It is not there, and *code* has neither objects nor an address.
        RemoteError: It can't be fetched from where it is said to be.
        StorageError: It can't be written.
    """
    path = os.path.join(scratch, f"{code.key}.git")
    if not os.path.isdir(path):
        if not code.pack and not code.address:
            raise CodeWanted(code.key)
        try:
            os.makedirs(scratch, exist_ok=True)
            tidy(scratch)
            fresh = os.path.join(scratch, f".new-{code.key}-{os.urandom(4).hex()}.git")
            try:
                _make(code, fresh)
                os.rename(fresh, path)
            except OSError:
                if not os.path.isdir(path):  # else somebody else was sooner
                    raise
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
    with contextlib.suppress(OSError):
        os.utime(os.path.join(path, "HEAD"))
    return _repo(path)


def _repo(path: str) -> Repo:
    from ledgit.git import Repo

    path = os.path.realpath(path)
    return Repo(path, path, None)


def _make(code: Code, path: str) -> None:
    from ledgit.git import Address, fetch, run_git
    from ledgit.git.parcels import make_code_clone, store_code

    make_code_clone(path)
    repo = _repo(path)
    for name, value in (("gc.auto", "0"), ("maintenance.auto", "false")):  # also where a trial runs git
        run_git(repo, "config", "--local", name, value)
    if code.address:
        try:
            found = fetch(repo, Address(code.address), [f"{code.commit}:{_FETCHED}"], depth=1)
        except RemoteError as error:
            if _ABSENT not in error.reason:
                raise
            found = False
        if not found:
            reason = f"it has no commit {code.commit}; push the code, or let it go by value (without the option 'code')"
            raise RemoteError(code.address, reason)
        if code.pack:
            store_code(repo, code.pack, None)
    else:
        store_code(repo, code.pack, code.commit)


def set_up(repo: Repo, settings: Mapping[str, str]) -> None:
    """Let the clone's own configuration say *settings*, which runs that are recorded in it go by.

    Raises:
        GitFailed: It can't be written.
    """
    import fcntl

    from ledgit.git import run_git

    present = repo.config()
    wrong = [name for name, value in settings.items() if present.get(name) != value]
    if not wrong:
        return
    fd = os.open(os.path.join(repo.common_dir, _SETTINGS), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # Git itself does not wait for another process that writes it
        for name in wrong:
            run_git(repo, "config", "--local", name, settings[name])
    finally:
        os.close(fd)
        repo._config = None


@contextlib.contextmanager
def in_use(repo: Repo) -> Iterator[None]:
    """Keep the clone from being tidied away meanwhile."""
    import fcntl

    fd = os.open(os.path.join(repo.common_dir, _IN_USE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def tidy(scratch: str, older: float = _OLD) -> list[str]:
    """Remove clones that were not used for *older* seconds, and that nobody uses now; return their paths."""
    import fcntl

    gone = []
    for name in sorted(os.listdir(scratch)):
        path = os.path.join(scratch, name)
        try:
            if not name.endswith(".git") or time.time() - _used(path) < older:
                continue
            fd = os.open(os.path.join(path, _IN_USE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            trash = os.path.join(scratch, f".gone-{os.urandom(4).hex()}-{name}")
            os.rename(path, trash)
            shutil.rmtree(trash, ignore_errors=True)
            gone.append(path)
        except OSError:
            continue
        finally:
            os.close(fd)
    return gone


def _used(path: str) -> float:
    """Return when a clone was used last; of what a killed process left of one, when that was."""
    try:
        return os.stat(os.path.join(path, "HEAD")).st_mtime
    except FileNotFoundError:
        return os.stat(path).st_mtime
