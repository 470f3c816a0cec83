"""Notes of runs that are about to go for good, for whoever comes after a process that was killed meanwhile.

A purge moves refs first and cleans caches afterwards. Between the two the index's file still has
what was purged, and no ref tells. So each process notes before it begins which runs go, and which
objects of the artifact cache may go with them, one file each below ``going/`` in Ledgit's folder, and
removes its note when all is done.
"""

from __future__ import annotations

import os

from ledgit.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.store.folder import Folder

__all__ = ["drop_notes", "note_going", "noted_objects", "notes_left"]

_OBJECT = "md5:"  # stands before the id of an object
_MOST = 64 << 20  # bytes of a note that are read


def note_going(folder: Folder, runs: Iterable[str], objects: Iterable[str] = ()) -> str:
    """Note that *runs* go; durable when this returns. Hold the `SyncLock` or the `LedgerLock` until it is dropped.

    Args:
        folder: Ledgit's folder.
        runs: Their ids.
        objects: What the artifact cache has of them.

    Returns:
        The note's file, for :func:`drop_notes`.

    Raises:
        StorageError: It can't be written.
    """
    place = folder.make(folder.going)
    path = os.path.join(place, os.urandom(8).hex())
    try:
        with open(path + ".tmp", "w", encoding="utf-8") as file:
            file.writelines(f"{run_id}\n" for run_id in runs)
            file.writelines(f"{_OBJECT}{oid}\n" for oid in objects)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".tmp", path)
        fd = os.open(place, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return path


def drop_notes(paths: Iterable[str]) -> None:
    """Remove notes: nothing of their runs is left."""
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def notes_left(folder: Folder) -> list[tuple[str, list[str], list[str]]]:
    """Return the notes there are: (file, ids of runs, ids of objects). Costs a look at a folder that is not there."""
    try:
        names = os.listdir(folder.going)
    except OSError:
        return []
    paths = [os.path.join(folder.going, name) for name in names]
    found = []
    for path in paths:
        words = _read(path)
        objects = [word.removeprefix(_OBJECT) for word in words if word.startswith(_OBJECT)]
        found.append((path, [word for word in words if not word.startswith(_OBJECT)], objects))
    return found


def noted_objects(paths: Iterable[str]) -> set[str]:
    """Return the ids of the objects that the notes *paths* name."""
    return {word.removeprefix(_OBJECT) for path in paths for word in _read(path) if word.startswith(_OBJECT)}


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST).split()
    except OSError:
        return []
