"""Folders as one artifact: a list of its files (DVC's ``.dir`` object) and an object for each of them."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING, NamedTuple

from ledgit.artifacts.cache import check_oid
from ledgit.artifacts.hashing import in_threads, new_digest
from ledgit.artifacts.links import Bounds
from ledgit.errors import RecordError, UnsafePath
from ledgit.records.names import path_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.artifacts.cache import Cache
    from ledgit.artifacts.hashing import Hashes

__all__ = [
    "LeftOut",
    "Member",
    "Scan",
    "Taken",
    "decode_list",
    "encode_list",
    "read_small",
    "scan_folder",
    "take_folder",
]

_SELDOM = ("\0", "\\", "//", "/.", "/\n", "\n/", "\n.", "\n\n", ":/")
_HEX = b"0123456789abcdef"
_SMALL = 1 << 20
"""Bytes up to which a file is read in one piece."""
_MANY = 2_000  # files from which on the disk is asked to begin before all are there
_AT_ONCE = 64  # small files that a thread takes before it looks for more
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Member(NamedTuple):
    """A file of a folder: its path inside, ``/`` between parts, and its content's MD5."""

    path: str
    md5: str


def encode_list(members: Iterable[tuple[str, str]]) -> bytes:
    """Return the list of a folder's files, (path, MD5) each, as DVC 3 writes it, to the byte.

    Bytes of a name that are no UTF-8 stand as surrogate escapes.
    """
    import json

    listed = [{"md5": md5, "relpath": path} for path, md5 in sorted(members)]
    return json.dumps(listed, sort_keys=True).encode()


def decode_list(data: bytes, where: str = "a folder's list") -> list[Member]:
    """Return the files that a folder's list names, by path.

    Raises:
        UnsafePath: A path that would leave the folder, or an object id that is none.
        RecordError: It is no list, or two of its files can't stand in one folder.
    """
    listed = _parsed(data, where)
    if not isinstance(listed, list):
        raise RecordError(where, "is no list of files")
    try:
        pairs = [(item["relpath"], item["md5"]) for item in listed]
    except (TypeError, KeyError):
        pairs = [(None, None)]
    if any(type(path) is not str or type(md5) is not str for path, md5 in pairs):
        raise RecordError(where, "has an item without a path or a digest")
    members: dict[str, str] = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        twice = next(path for path, _ in pairs if path in seen or seen.add(path))  # type: ignore[func-returns-value]
        raise RecordError(where, f"has {twice[:100]!r} twice")
    if not _are_plain(members):
        for path in members:
            problem = path_problem(path)
            if problem is not None or any(part in ("", ".") for part in path.split("/")):
                raise UnsafePath(where, f"the path {path[:100]!r} {problem or 'is not plain'}")
    if not _are_digests(members.values()):
        for md5 in members.values():
            check_oid(md5)
    folders: set[str] = set()
    for path in members:
        above = path.rpartition("/")[0]
        while above and above not in folders:
            if above in members:
                raise RecordError(where, f"has {above[:100]!r} as a file and as a folder")
            folders.add(above)
            above = above.rpartition("/")[0]
    paths = sorted(members)
    return list(map(Member, paths, map(members.__getitem__, paths)))


def _parsed(data: bytes, where: str) -> object:
    import orjson

    try:
        return orjson.loads(data)
    except ValueError:  # half characters, say, which are bytes of names that are no UTF-8
        import json

        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RecordError(where, f"is no JSON: {error}") from None


def _are_plain(paths: Iterable[str]) -> bool:
    """Whether there is surely nothing odd about any of *paths*: a million are looked at in a tenth of the time."""
    text = "\n" + "\n".join(paths) + "\n"
    if text.isascii() and not any(map(text.__contains__, _SELDOM)):
        return True
    import re

    return re.search(r"[/\n]\.{0,2}[/\n]|[\0\\\ud800-\udfff]|\n[A-Za-z]:/", text) is None


def _are_digests(md5s: Iterable[str]) -> bool:
    """Whether each of *md5s* is surely a file's digest."""
    found = list(md5s)
    return set(map(len, found)) <= {32} and not "".join(found).encode("utf-8", "replace").translate(None, _HEX)


class Scan(NamedTuple):
    """What is below a folder.

    Attributes:
        files: (where it is, its path inside the folder) of each regular file, by path.
        left_out: (path inside, why: the end of a sentence) of what can't be an artifact.
        leaving: Paths inside of links that lead out of the folder; they were not followed.
    """

    files: list[tuple[str, str]]
    left_out: list[tuple[str, str]]
    leaving: list[str]


class Taken(NamedTuple):
    """A folder that is in the cache.

    Attributes:
        oid: Its list's id.
        size: Bytes of all its files.
        nfiles: How many there are.
        left_out: (path inside, why: the end of a sentence) of files that could not be taken.
        changed: Paths of files that were written to each time they were read: what was kept may be
            of two versions.
    """

    oid: str
    size: int
    nfiles: int
    left_out: list[tuple[str, str]]
    changed: list[str]


def scan_folder(folder: str, *, follow: bool = False) -> Scan:
    """Return the files below *folder*.

    Links to what is inside the folder are followed; one that comes back to a folder it is in is
    not. Links that lead out are not, unless *follow*: what else is on the machine was not meant. But
    those of a snapshot in a Hugging Face cache are, to the blobs of that very model or data set: they
    are how its files are kept. Pipes, sockets and devices are left out, nothing is opened.

    Raises:
        OSError: *folder* itself can't be read.
    """
    found = Scan([], [], [])
    top = os.path.realpath(folder)
    _scan(folder, "", (top,), Bounds(top, follow=follow), found)
    found.files.sort(key=lambda file: file[1])
    return found


def _scan(here: str, inside: str, above: tuple[str, ...], bounds: Bounds, found: Scan) -> None:
    with os.scandir(here) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = f"{inside}{entry.name}"
        problem = path_problem(path)
        real = ""
        if problem is None and entry.is_symlink():
            real = os.path.realpath(entry.path)
            if not os.path.exists(real):
                problem = "is a link to nothing"
            elif not bounds.have(entry.path, real):
                found.leaving.append(path)
                continue
        if problem is not None:
            found.left_out.append((path, problem))
        elif entry.is_dir():
            real = real or os.path.join(above[-1], entry.name)
            if real in above:
                continue  # a loop: what it leads to is logged already
            try:
                _scan(entry.path, path + "/", (*above, real), bounds, found)
            except OSError as error:
                found.left_out.append((path, f"can't be read: {error.strerror or error}"))
        elif entry.is_file():
            found.files.append((entry.path, path))
        else:
            found.left_out.append((path, "is no regular file"))


def take_folder(
    cache: Cache,
    hashes: Hashes,
    files: Iterable[tuple[str, str]],
    progress: Callable[[str, int, int | None], None] | None = None,
    fresh: list[tuple[str, int]] | None = None,
) -> Taken:
    """Take *files* into the cache, and their list.

    Small files are read, hashed and written in one go, large ones copied; by several threads.
    One that can't be read, or is gone, is left out and the others are taken.

    Args:
        cache: Where to. Nothing is durable before it is synced.
        hashes: What was hashed before: a large file that is known is not read again.
        files: (where it is, its path inside the folder) of each.
        progress: Is told (what, files done, files in all).
        fresh: Gets the objects that were not there before, and when each came (ns since the epoch), also where
            this fails.

    Raises:
        StorageError: The cache refused (the disk is full); objects that are whole stay, nothing names them.
    """
    fresh = [] if fresh is None else fresh
    listed = list(files)
    members: dict[str, tuple[str, int]] = {}
    left_out: list[tuple[str, str]] = []
    changed: list[str] = []
    large: list[tuple[str, str]] = []

    def take_small(some: list[tuple[str, str]]) -> None:
        for source, path in some:
            try:
                taken = _take_small(cache, source, path, changed, fresh)
            except LeftOut as error:
                left_out.append((path, str(error)))
                continue
            if taken is None:
                large.append((source, path))
            else:
                members[path] = taken
        if progress is not None:
            progress("files", len(members), len(listed))

    def take(item: tuple[str, str]) -> None:
        source, path = item
        try:
            members[path] = _take_large(cache, hashes, source, path, changed, fresh)
        except LeftOut as error:
            left_out.append((path, str(error)))
        if progress is not None:
            progress("files", len(members), len(listed))

    if progress is not None:
        progress("files", 0, len(listed))
    # Nearly all of it is the kernel's work, on as many files at a time as there are processors.
    pieces = [listed[at : at + _AT_ONCE] for at in range(0, len(listed), _AT_ONCE)]
    half = len(pieces) // 2 if len(listed) >= _MANY else 0
    in_threads(take_small, pieces[:half])
    with cache.syncing() if half else contextlib.nullcontext():
        in_threads(take_small, pieces[half:])
    if large:
        in_threads(take, large)
    oid = cache.put_bytes(encode_list((path, md5) for path, (md5, _) in members.items()), folder=True)
    return Taken(oid, sum(size for _, size in members.values()), len(members), sorted(left_out), sorted(changed))


class LeftOut(Exception):
    """A file that is left out; the reason ends a sentence."""


def _opened(source: str) -> tuple[int, os.stat_result]:
    """Open a regular file. Never waits for a pipe's other end, nor takes a terminal."""
    try:
        fd = os.open(source, _READING)
    except OSError as error:
        raise LeftOut(
            "is gone" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror}"
        ) from None
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode):
        os.close(fd)
        raise LeftOut("is no regular file")
    return fd, info


def _take_small(
    cache: Cache, source: str, path: str, changed: list[str], fresh: list[tuple[str, int]]
) -> tuple[str, int] | None:
    """Take a file that is read at once; return its MD5 and size, or None if it is too large for that."""
    data = read_small(source, path, changed)
    if data is None:
        return None
    oid = new_digest(data).hexdigest()
    if cache.put_known(data, oid):
        fresh.append((oid, time.time_ns()))
    return oid, len(data)


def read_small(source: str, path: str, changed: list[str], most: int = _SMALL) -> bytes | None:
    """Return what a regular file holds, or None if that is more than *most* bytes.

    One that is written to meanwhile is read once more; *path* is added to *changed* if it still is then.

    Raises:
        LeftOut: It is no regular file, is gone, or can't be read.
    """
    for again in (False, True):
        fd, info = _opened(source)
        size = info.st_size
        try:
            if size > most:
                return None
            data = os.read(fd, size + 1)
            if len(data) != size:  # it grows, or this file system has no more to give at once
                data = _rest(fd, data, size + 1)
            after = os.fstat(fd)
        except OSError as error:
            raise LeftOut(f"can't be read: {error.strerror}") from None
        finally:
            os.close(fd)
        if len(data) == size and _same(info, after):
            break
        if again:
            changed.append(path)
    return data


def _rest(fd: int, data: bytes, most: int) -> bytes:
    while more := os.read(fd, most):
        data += more
    return data


def _take_large(
    cache: Cache, hashes: Hashes, source: str, path: str, changed: list[str], fresh: list[tuple[str, int]]
) -> tuple[str, int]:
    for again in (False, True):
        read = time.time_ns()
        fd, info = _opened(source)
        try:
            known = hashes.known(info)
            if known is not None and cache.has(known) and cache.size(known) == info.st_size:
                cache.use(known)
                return known, info.st_size
            oid, size, new = cache.take(fd)
            if new:
                fresh.append((oid, time.time_ns()))
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if size == info.st_size and _same(info, after):
            hashes.note(info, oid, read)
            break
        if again:
            changed.append(path)
    return oid, size


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return before.st_mtime_ns == after.st_mtime_ns and before.st_size == after.st_size
