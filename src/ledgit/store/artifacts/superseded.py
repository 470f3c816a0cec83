"""What a session took into the cache and its run does not name in the end: it was logged over before the session ended.

No commit knows of it, so a purge of the run would leave it behind. Finalizing notes it, one file a run below
``superseded/`` in Ledgit's folder, on disk before the commit is and before the journal goes, which was the
only one to know. Sweeps don't heed the note: nothing needs what it names.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ledgit.errors import StorageError
from ledgit.records.shapes import is_run_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from ledgit.store.folder import Folder

__all__ = ["drop_superseded", "forget_superseded", "note_superseded", "superseded_objects"]

_MOST = 64 << 20  # bytes of a note that are read
_OLD = 24 * 3600  # seconds after which nobody writes a note any more
_HEX = frozenset("0123456789abcdef")


def note_superseded(folder: Folder, run_id: str, oids: Collection[str]) -> None:
    """Note objects of a session of *run_id*, beside those of its earlier sessions; on disk when this returns.

    Only for whoever finalizes the run, and so holds its lock.

    Raises:
        StorageError: It can't be written.
    """
    new = set(oids)
    if not new:
        return
    known = superseded_objects(folder, [run_id])
    path = os.path.join(folder.superseded, run_id)
    fresh = not os.path.isdir(folder.superseded)
    scratch = os.path.join(folder.superseded, f"{os.urandom(6).hex()}.tmp")
    try:
        if new <= known:
            _sync(path)  # whoever noted it may have died before it was on disk
            _sync(folder.superseded)
            return
        folder.make(folder.superseded)
        try:
            with open(scratch, "x", encoding="ascii") as file:
                file.writelines(f"{oid}\n" for oid in sorted(known | new))
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)
        _sync(folder.superseded)
        if fresh:
            _sync(folder.path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


def superseded_objects(folder: Folder, runs: Iterable[str]) -> set[str]:
    """Return what was noted of *runs* (ids). What can't be read is no object's id."""
    if not os.path.isdir(folder.superseded):
        return set()
    return {oid for run_id in runs for oid in _read(os.path.join(folder.superseded, run_id))}


def forget_superseded(folder: Folder, runs: Iterable[str]) -> None:
    """Forget what was noted of *runs* (ids): they are gone, and whoever removes their objects has noted those."""
    if not os.path.isdir(folder.superseded):
        return
    for run_id in runs:
        if is_run_id(run_id):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder.superseded, run_id))


def drop_superseded(folder: Folder, is_here: Callable[[str], bool]) -> None:
    """Drop the notes of runs of which nothing is here any more, and half-made ones. Hold the `SyncLock`.

    A session that ends just now has its objects here, and a later one notes what it has itself.
    """
    from time import time

    try:
        names = os.listdir(folder.superseded)
    except OSError:
        return
    for name in names:
        path = os.path.join(folder.superseded, name)
        with contextlib.suppress(OSError):
            left = name.endswith(".tmp") and time() - os.stat(path).st_mtime > _OLD
            if left or (is_run_id(name) and not any(map(is_here, _read(path)))):
                os.unlink(path)


def _read(path: str) -> set[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return {word for word in file.read(_MOST).split() if _is_oid(word)}
    except OSError:
        return set()


def _is_oid(text: str) -> bool:
    digits = text.removesuffix(".dir")
    return len(digits) == 32 and _HEX.issuperset(digits)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
