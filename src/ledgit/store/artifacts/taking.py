"""A folder that a run logs: file by file where it is small, else straight into the cache."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

from ledgit.errors import InvalidName, LedgitError, StorageError
from ledgit.records.names import check_artifact_path
from ledgit.store.artifacts.bundle import add_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgit.artifacts import Cache
    from ledgit.store.filelog import FileLog

    Progress = Callable[[str, int, int | None], None]

__all__ = ["MOST_FILES", "take"]

MOST_FILES = 100
"""Files of a folder that is taken file by file."""
_MOST_THRESHOLDS = 4
_MOST_TOLD = 20
_FEW = 3  # links that are named
_TICK = 10_000_000  # ns by which a file's time may be off


def take(run: FileLog, source: str, path: str, threshold: int | None, progress: Progress | None) -> list[str]:
    """Take the folder *source* as *path*; see :meth:`~ledgit.store.filelog.FileLog.add_folder`."""
    from ledgit.artifacts import scan_folder

    least = run.threshold if threshold is None else threshold
    try:
        scan = scan_folder(source, follow=run.repo.config().get_bool("ledgit.followLinks", False))
    except OSError as error:
        raise StorageError(f"artifact {source}", error.strerror or str(error)) from error
    told = [_links(source, scan.leaving)] if scan.leaving else []
    told += [_told(path, name, reason) for name, reason in scan.left_out]
    groups: dict[str, list[tuple[str, str]]] = {}
    if path:
        groups[path] = scan.files
    else:  # of the root, each folder is one of its own
        for where, name in scan.files:
            top, _, rest = name.partition("/")
            groups.setdefault(top if rest else "", []).append((where, rest or top))
    for group, files in groups.items():
        if group and not _is_small(files, least):
            told += _take_large(run, group, files, progress)
        else:
            large, more = add_bundle(run, group, files, threshold)
            told += [_told(group, name, reason) for name, reason in more]
            told += _one_by_one(run, group, large, threshold)
    if len(told) > _MOST_TOLD:
        told[_MOST_TOLD:] = [f"{len(told) - _MOST_TOLD} more files of {source} were left out"]
    for text in told:
        run.note_problem(text)
    return told


def _is_small(files: list[tuple[str, str]], threshold: int) -> bool:
    if len(files) > MOST_FILES:
        return False
    total = 0
    for where, _ in files:
        try:
            total += os.stat(where).st_size
        except OSError:
            continue  # it is gone: whoever takes it says so
    return total <= threshold * _MOST_THRESHOLDS


def _take_large(run: FileLog, path: str, files: list[tuple[str, str]], progress: Progress | None) -> list[str]:
    from ledgit.artifacts import Cache, take_folder
    from ledgit.store.artifacts.hasher import hashes_of

    fresh: list[tuple[str, int]] = []
    cache = Cache(run.folder.cache)
    with _alone() as alone:
        try:
            taken = take_folder(cache, hashes_of(run.folder), files, progress, fresh)
        except StorageError:
            if alone():
                _drop(run, cache, fresh)
            raise
    told = [_told(path, name, reason) for name, reason in taken.left_out]
    told += [f"{path}/{name} was written to while it was taken" for name in taken.changed]
    if taken.nfiles:
        run.note_tree(path, taken.oid, taken.size, taken.nfiles)
    return told


_guard = Lock()
_takes = 0  # that go on
_began = 0  # in all


@contextmanager
def _alone() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether no other thread took a folder since this began."""
    global _takes, _began  # noqa: PLW0603 - threads of one process
    with _guard:
        first, mine = _takes == 0, _began + 1
        _takes, _began = _takes + 1, mine
    try:
        yield lambda: first and _began == mine
    finally:
        with _guard:
            _takes -= 1


def _drop(run: FileLog, cache: Cache, fresh: list[tuple[str, int]]) -> None:
    """Remove what a folder that had no room brought into the cache, where surely nobody has found it there since.

    Else a sweep does it. Whoever logs the same content has a journal, or a part of this one; whoever else finds
    it there sets its time.
    """
    from time import time_ns

    from ledgit.store.artifacts.removing import journals, remove_object, stamp
    from ledgit.store.journal import part_names

    own = os.path.basename(run.directory)
    if set(journals(run.folder)) - {own} or len(part_names(run.directory)) > 1:
        return
    try:
        skew = stamp(cache) - time_ns()  # of the file system's clock
    except StorageError:
        return
    for oid, came in fresh:
        with suppress(OSError, LedgitError):
            info = os.stat(cache.location(oid))
            if info.st_mtime_ns <= came + skew + _TICK:
                remove_object(cache, oid, info.st_mtime, None, lambda _: None)


def _one_by_one(run: FileLog, path: str, files: list[tuple[str, str]], threshold: int | None) -> list[str]:
    told = []
    for where, name in files:
        full = f"{path}/{name}" if path else name
        try:
            run.add_artifact(where, check_artifact_path(full), threshold)
        except StorageError as error:
            if _is_full(error):
                raise
            told.append(_told(path, name, error.reason))
        except InvalidName as error:
            told.append(_told(path, name, error.reason))
        except LedgitError:
            told.append(_told(path, name, "is gone"))
    return told


def _is_full(error: StorageError) -> bool:
    import errno

    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _links(source: str, leaving: list[str]) -> str:
    """Say which links were not followed; where they lead is nobody's affair who reads the run."""
    names = ", ".join(_shown(name) for name in leaving[:_FEW]) + (", …" if len(leaving) > _FEW else "")
    count, folder = len(leaving), os.path.basename(os.path.abspath(source))
    several = f"{count:,} links in {_shown(folder)} lead out of it and were"
    return (
        f"{several if count > 1 else f'1 link in {_shown(folder)} leads out of it and was'} left out ({names});"
        " log what they lead to, or 'git config ledgit.followLinks true'"
    )


def _told(folder: str, name: str, reason: str) -> str:
    shown = f"{folder}/{name}" if folder else name
    reason = reason.removeprefix("it ")
    return f"artifact {_shown(shown)} was left out: it {reason}"


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
