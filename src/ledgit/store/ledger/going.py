"""Notes of runs that are about to go for good, for whoever comes after a process that was killed meanwhile.

A purge moves refs first and cleans caches afterwards. Between the two the index's file still has
what was purged, and no ref tells. So each process notes before it begins which runs go, one file
each below ``going/`` in Ledgit's folder, and removes its note when all is done.
"""

from __future__ import annotations

import os

from ledgit.errors import StorageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.store.folder import Folder

__all__ = ["drop_notes", "note_going", "notes_left"]

_MOST = 64 << 20  # bytes of a note that are read


def note_going(folder: Folder, runs: Iterable[str]) -> str:
    """Note that *runs* go; durable when this returns. Hold the `SyncLock` or the `LedgerLock` until it is dropped.

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


def notes_left(folder: Folder) -> list[tuple[str, list[str]]]:
    """Return the notes there are: (file, ids of runs). Costs a look at a folder that is not there."""
    try:
        names = os.listdir(folder.going)
    except OSError:
        return []
    paths = [os.path.join(folder.going, name) for name in names]
    return [(path, _read(path)) for path in paths]


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MOST).split()
    except OSError:
        return []
