"""An object leaves the cache: moved aside, looked at again, and put back if somebody has used it meanwhile."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ledgit.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgit.artifacts import Cache
    from ledgit.store.folder import Folder

__all__ = ["journals", "latest_time", "names_in", "put_back", "remove_object", "stamp"]

_LATELY = 3_600_000_000_000  # ns: what is younger may belong to a run whose journal doesn't name it yet


def remove_object(
    cache: Cache, oid: str, time: float, latest: int | None, checkpoint: Callable[[str], None]
) -> bool | None:
    """Remove an object, unless somebody uses it just now.

    Args:
        cache: Where it is.
        oid: Its id.
        time: Its mtime in seconds, as it was before anybody was asked who needs it.
        latest: From :func:`latest_time`.
        checkpoint: Is told when it has been moved aside.

    Returns:
        False if somebody has used it; None if it was gone.

    Raises:
        StorageError: The disk refused.
    """
    place = cache.location(oid)
    aside = os.path.join(_aside(cache), f"{oid}-{os.urandom(4).hex()}")
    try:
        before = os.stat(place)
        if before.st_mtime != time or (latest is not None and before.st_mtime_ns > latest):
            return False
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        os.rename(place, aside)
        checkpoint("aside")
        if os.stat(aside).st_mtime_ns != before.st_mtime_ns:
            _restore(aside, place)
            return False
        os.unlink(aside)
    except FileNotFoundError:
        return None  # somebody else was quicker
    except OSError as error:
        raise StorageError(place, error.strerror or str(error)) from error
    return True


def latest_time(cache: Cache, folder: Folder) -> int | None:
    """Return the time (ns) after which nothing goes that was put here, while runs are being written."""
    return stamp(cache) - _LATELY if any(journals(folder)) else None


def stamp(cache: Cache) -> int:
    """Return the file system's time in ns, which need not be this machine's."""
    path = os.path.join(cache.path, f"{os.urandom(6).hex()}.tmp")
    try:
        with open(path, "xb"):
            stamp = os.stat(path).st_mtime_ns
        os.unlink(path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return stamp


def put_back(cache: Cache) -> None:
    """Put back what a killed process had moved aside: it goes again, if nobody needs it."""
    folder = _aside(cache)
    for name in names_in(folder):
        oid = name.rpartition("-")[0]
        with contextlib.suppress(OSError):
            _restore(os.path.join(folder, name), cache.location(oid))


def _aside(cache: Cache) -> str:
    return os.path.join(cache.path, "going")


def _restore(aside: str, place: str) -> None:
    try:
        os.link(aside, place)
    except FileExistsError:
        pass  # it was put there once more
    except OSError:
        if not os.path.lexists(place):
            os.rename(aside, place)  # a file system without links
            return
    os.unlink(aside)


def journals(folder: Folder) -> Iterator[str]:
    """Yield the names of the journals of runs that are being written, or wait to be finalized."""
    for parent in (folder.active, folder.settling):
        yield from names_in(parent)


def names_in(path: str) -> list[str]:
    """Return the names in a folder, in order; none if there is no such folder."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []
