"""Steps of making tags, written down first, so that what they made gets onto the disk beside what comes next.

A step makes a pack and up to three refs: seven syncs. Instead it is written to one file, which is synced, and
then made without waiting. Once a second, and when the process ends, what was made is synced and the file
emptied. After a power cut the next command that writes makes the steps again that the disk has not kept; one
that others have overtaken stays undone, as if it had come too late.
"""

from __future__ import annotations

import atexit
import os
import threading
from binascii import a2b_base64, b2a_base64
from contextlib import suppress
from zlib import compress, crc32, decompress

import orjson

from ledgit.errors import Conflict, LedgitError
from ledgit.store import syncer
from ledgit.store.folder import boot_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ledgit.git import ObjectSet, RefUpdate, Repo
    from ledgit.store.folder import Folder

    Step = dict[str, Any]

__all__ = ["STEPS", "note_step", "settle_tags", "tell_of_step"]

STEPS = "tagging"
"""The file in Ledgit's folder; empty when nothing waits."""
_MOST_STEP = 256 << 10  # bytes; what takes more (a checkpoint of large trees) is synced where it belongs
_MOST = 1 << 20  # bytes that wait


def note_step(repo: Repo, folder: Folder, fresh: ObjectSet, updates: Sequence[RefUpdate]) -> str:
    """Write down what is about to be made, durably; the caller has the registry's lock.

    Returns:
        A word for :func:`tell_of_step`; "" if the caller has to sync: it can't be told here whether the machine
        started anew, or it is too much.
    """
    boot = boot_id()
    if not boot:
        return ""
    step = {
        "step": os.urandom(6).hex(),
        "boot": boot,
        "host": os.uname().nodename,
        "objects": [[kind, b2a_base64(compress(data, 1), newline=False).decode()] for kind, data in fresh.items()],
        "refs": [[update.name, update.new, update.old, update.durable] for update in updates],
    }
    line = _line(step)
    if len(line) > _MOST_STEP:
        return ""
    path = os.path.join(folder.path, STEPS)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _sync_folder(folder.path)
    except OSError:
        return ""
    try:
        if os.fstat(fd).st_size > _MOST:
            return ""
        if os.write(fd, line) != len(line):
            return ""  # the disk is full: what is torn counts for nothing
        os.fdatasync(fd)
    except OSError:
        return ""
    finally:
        os.close(fd)
    _settler.add(repo, folder)
    return str(step["step"])


def tell_of_step(folder: Folder, word: str, pack: str | None) -> None:
    """Note which pack (``pack-<hex>``) a step wrote, or, with None, that it was not made after all."""
    with suppress(OSError):
        fd = os.open(os.path.join(folder.path, STEPS), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            os.write(fd, _line({"of": word, "pack": pack}))
        finally:
            os.close(fd)


def settle_tags(repo: Repo, folder: Folder, wait: float = 0.0) -> bool:
    """Make durable what steps have made, and make those again that a power cut took; return whether nothing waits.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        wait: Seconds to wait for whoever makes tags.

    Raises:
        StorageError: The disk refused; all of it waits on.
    """
    from ledgit.store.registry.locking import RegistryLock

    path = os.path.join(folder.path, STEPS)
    try:
        if not os.stat(path).st_size:
            return True
        with RegistryLock(folder, wait):
            steps = _read(path)
            boot, host = boot_id(), os.uname().nodename
            if any(step["host"] != host and step["boot"] != boot for step in steps):
                return False  # another machine's, which shares the folder: only there it is known what was lost
            for step in steps:
                if step["boot"] == boot:
                    _sync(repo, step)
                else:
                    _make_again(repo, folder, step)
            os.truncate(path, 0)
    except FileNotFoundError:
        return True
    except Conflict:
        return False
    return True


def _sync(repo: Repo, step: Step) -> None:
    """Sync the pack and the refs of a step; what Git packed anew meanwhile, Git has synced."""
    from ledgit.git import Pack, sync_ref

    if "pack" not in step:
        return  # its process was killed before there was any
    Pack(os.path.join(repo.objects_dir, "pack", step["pack"]), keep=False).sync()
    for name, new, _, durable in step["refs"]:
        if new is None:
            with suppress(FileNotFoundError):
                _sync_folder(os.path.dirname(os.path.join(repo.common_dir, name)))
        elif durable:
            sync_ref(repo, name)


def _make_again(repo: Repo, folder: Folder, step: Step) -> None:
    """Make what the disk has not kept of a step, all of it, or nothing where others have been quicker."""
    from ledgit.git import RefUpdate, read_ref, update_refs
    from ledgit.store.packs import list_pack

    fresh = _objects(step)
    pack = fresh.write(repo, keep=True, durable=True)  # anew where it was torn
    missing = []
    for name, new, old, _ in step["refs"]:
        now = read_ref(repo, name)
        if now != new:
            missing.append(RefUpdate(name, new, now))
            if old not in (RefUpdate.ANY, now):
                missing.clear()
                break
    with suppress(LedgitError):  # somebody was quicker, or a ref stands in the way
        update_refs(repo, missing)
    pack.release()
    list_pack(folder, os.path.basename(pack.path))


def _objects(step: Step) -> ObjectSet:
    from ledgit.git import ObjectSet

    found = ObjectSet()
    for kind, data in step["objects"]:
        found.add(kind, decompress(a2b_base64(data)))
    return found


def _line(value: Mapping[str, object]) -> bytes:
    data = orjson.dumps(value)
    # The line break before it ends what a killed process, or a full disk, may have left torn.
    return b"\n%08x %s\n" % (crc32(data), data)


def _read(path: str) -> list[Step]:
    """Return the steps in a file that were not cancelled; what is torn is left out."""
    steps: dict[str, Step] = {}
    with open(path, "rb") as file:
        for line in file:
            if line[:8] == b"%08x" % crc32(line[9:-1]) and line.endswith(b"\n"):
                step = orjson.loads(line[9:-1])
                if "of" not in step:
                    steps[step["step"]] = step
                elif step["pack"] is None:
                    steps.pop(step["of"], None)
                elif step["of"] in steps:
                    steps[step["of"]]["pack"] = step["pack"]
    return list(steps.values())


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class _Settler:
    """What the sync thread calls once a second."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[Repo, Folder]] = {}
        self.guard = threading.Lock()

    def add(self, repo: Repo, folder: Folder) -> None:
        with self.guard:
            self.waiting[folder.path] = (repo, folder)
        syncer.register(self)

    def tick(self) -> None:
        with self.guard:
            items, self.waiting = self.waiting, {}
        for key, (repo, folder) in items.items():
            settled = False
            with suppress(Exception):  # one that got out would end the sync thread; the file tells the next command
                settled = settle_tags(repo, folder)
            if not settled:
                with self.guard:
                    self.waiting[key] = (repo, folder)
        with self.guard:
            if not self.waiting:
                syncer.unregister(self)


_settler = _Settler()


def _after_fork() -> None:
    _settler.waiting = {}
    _settler.guard = threading.Lock()


atexit.register(_settler.tick)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
