"""Whether Git's own housekeeping is at work in a repository."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git.repo import Repo

__all__ = ["gc_is_running", "repack_is_running"]

_GC_LIMIT = 12 * 3600.0  # as Git: an older gc.pid was left by a killed gc


def gc_is_running(repo: Repo) -> bool:
    """Whether a ``git gc`` or ``git maintenance`` seems to be at work.

    Packs must not be taken from under it. Nor may a ref go whose commits another ref took over a
    moment ago: Git reads refs one after the other, and can have read the one too early and look
    for the other too late. One that begins after this was asked sees what was written before.
    """
    return _runs(os.path.join(repo.common_dir, "gc.pid")) or _runs(os.path.join(repo.objects_dir, "maintenance.lock"))


def repack_is_running(repo: Repo) -> bool:
    """Whether a ``git repack`` or ``git prune`` that somebody started by hand seems to be at work here.

    They leave no lock file, so the kernel is asked which processes there are: 2 ms for 200. Those of other
    containers can't be seen. Ask it *after* the refs were written that replace others: a repack that read
    them too early is still there, or has ended while the others still stood.
    """
    places = [repo.common_dir, *([repo.work_tree] if repo.work_tree else [])]
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return _is_listed()
    return any(_is_repack(f"/proc/{name}", places) for name in processes)


def _is_repack(process: str, places: list[str]) -> bool:
    try:
        # Without a file object: that asks the kernel three times more, for each of hundreds of processes.
        fd = os.open(f"{process}/cmdline", os.O_RDONLY)
        try:
            words = os.read(fd, 4096)
        finally:
            os.close(fd)
        if b"git" not in words or not _repacks(words.split(b"\0")):
            return False
        # It works at the top of the work tree, or where --git-dir was given.
        there = os.path.realpath(f"{process}/cwd")
        if any(there == place or there.startswith(place + os.sep) for place in map(os.path.realpath, places)):
            return True
        with open(f"{process}/environ", "rb", buffering=0) as file:
            words += file.read(1 << 16)
        return os.fsencode(_repo_name(places[0])) in words or _is_linked(there, os.path.realpath(places[0]))
    except OSError:
        return False  # it has ended, or is somebody else's


def _is_linked(folder: str, common_dir: str) -> bool:
    """Whether *folder* is a linked work tree of the repository: those of others are none of our business."""
    try:
        with open(os.path.join(folder, ".git"), "rb", buffering=0) as file:
            words = file.read(4096)
    except OSError:
        return False  # a folder, or nothing
    if not words.startswith(b"gitdir:"):
        return False
    leads = os.path.realpath(os.path.join(folder, os.fsdecode(words[7:].strip())))
    return leads == common_dir or leads.startswith(common_dir + os.sep)


def _repo_name(common_dir: str) -> str:
    """Return what a process that works on the repository from elsewhere has among its words."""
    path = os.path.realpath(common_dir)
    return os.path.dirname(path) if os.path.basename(path) == ".git" else path


def _repacks(words: list[bytes]) -> bool:
    if os.path.basename(words[0]).partition(b"-")[0] != b"git":
        return False
    return b"repack" in words or b"prune" in words or (b"pack-objects" in words and b"--reflog" in words)


def _is_listed() -> bool:
    """As above where there is no /proc; in whose folder a process works can't be told there."""
    import subprocess

    try:
        listed = subprocess.run(["ps", "-axo", "command="], capture_output=True, check=False, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return any(_repacks(line.split()) for line in listed.splitlines() if line.strip())


def _runs(lock: str) -> bool:
    """Whether the process that wrote the file *lock* may live."""
    try:
        with open(lock, "rb") as file:
            if time.time() - os.fstat(file.fileno()).st_mtime >= _GC_LIMIT:
                return False
            words = file.read(300).decode("utf-8", "replace").split()
    except OSError:
        return False
    if len(words) == 2 and words[0].isascii() and words[0].isdigit() and words[1] == os.uname().nodename:
        try:
            os.kill(int(words[0]), 0)
        except (ProcessLookupError, OverflowError):
            return False  # as Git has it
        except OSError:
            pass
    return True
