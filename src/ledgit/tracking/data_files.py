"""Files and folders as data sets: by the MD5 of what is in them, or by what DVC says of them.

A folder's digest is that of the list of its files, as DVC makes it (``<md5>.dir``): so a folder has
the same digest whether DVC tracks it or not.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledgit.errors import InvalidValue, LedgitError
from ledgit.tracking import session
from ledgit.tracking.data_dvc import LEGACY, Tracked, find_tracked, list_in_cache, remote_of

if TYPE_CHECKING:
    from ledgit.artifacts.hashing import Hashes

__all__ = ["VERIFY_LIMIT", "Content", "digest_path", "dvc_facts", "read_content"]

#: Bytes that are hashed to see whether the data are still what DVC's pointer says: 0.1 s.
VERIFY_LIMIT = 64 << 20
MD5 = "md5"
_TEXT = frozenset(bytes(range(32, 127)) + b"\n\r\t\f\b")


@dataclass(frozen=True)
class Content:
    """A file or folder by what is in it.

    Attributes:
        digest: 32 hex digits, with ``.dir`` behind for a folder.
        size: Bytes in all; -1 where nothing says, of data that are not here.
        files: How many; -1 likewise.
    """

    digest: str
    size: int
    files: int


def read_content(path: str, name: str = "the data set's path") -> Content:
    """Hash the file at *path*, or all files in the folder.

    A file is hashed once: what it was is remembered in Ledgit's folder by device, inode, size and
    times, as long as the working directory is in a repository. Links to folders inside are not
    followed; what is no regular file is left out.

    Raises:
        InvalidValue: There is nothing, it is neither file nor folder, or it can't be read.
    """
    hashes = _Remembered()
    try:
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return Content(hashes.digest(path, found), found.st_size, 1)
        if not stat.S_ISDIR(found.st_mode):
            raise InvalidValue(name, path, "a regular file or a folder")
        files = list(_files(path))
        listed = [(inner, hashes.digest(file, known)) for inner, file, known in files]
    except FileNotFoundError as error:
        looked = f"a file or folder that exists (looked in {os.getcwd()})"
        raise InvalidValue(name, str(error.filename or path), looked) from None
    except OSError as error:
        raise InvalidValue(name, str(error.filename or path), f"readable: {error.strerror or error}") from None
    finally:
        hashes.keep()
    return Content(_list_digest(listed), sum(known.st_size for _, _, known in files), len(files))


def digest_path(path: str) -> tuple[Content, str, dict[str, Any] | None]:
    """Return what is at *path*, the kind of its digest, and what DVC says of it, if it does.

    Where DVC tracks it, the digest is DVC's: nothing large is read. Whether the data still are what
    the pointer says is looked at by size and number of files, and by the MD5 up to `VERIFY_LIMIT`
    bytes or where it is remembered. Data that are something else are hashed.

    Raises:
        InvalidValue: There is nothing, and DVC knows of nothing.
    """
    tracked = find_tracked(path)
    told = None if tracked is None else _said(tracked)
    if tracked is None or told is None:
        return read_content(path), MD5, None
    content, state, kind = _compared(path, told, tracked.kind)
    return content, kind, dvc_facts(tracked, told.digest, state)


def dvc_facts(tracked: Tracked, md5: str, state: str) -> dict[str, Any]:
    """Return the source of a tracked data set: where DVC gets it from, and whether the work tree has it.

    Args:
        tracked: What DVC's files say.
        md5: The digest they give for it.
        state: ``verified`` (hashed and equal), ``unverified`` (too large to look), ``modified`` (the work
            tree has something else: that is the digest), ``absent`` (the work tree hasn't got it).
    """
    top, commit = _code()
    base = top if top is not None and _below(tracked.output, top) else tracked.root
    name, url = remote_of(tracked)
    path = os.path.join(tracked.output, tracked.inner) if tracked.inner else tracked.output
    facts = {
        "path": os.path.relpath(path, base).replace(os.sep, "/"),
        "pointer": os.path.relpath(tracked.pointer, base).replace(os.sep, "/"),
        "stage": tracked.stage,
        "md5": md5,
        "remote": name,
        "url": url,
        "commit": commit if base == top else "",
        "state": state,
    }
    return {key: value for key, value in facts.items() if value}


def _said(tracked: Tracked) -> Content | None:
    """Return what DVC says is at the path asked for; None where it does not say."""
    if not tracked.inner:
        folder = tracked.md5.endswith(".dir")
        return Content(tracked.md5, tracked.size or -1, (tracked.nfiles or -1) if folder else 1)
    members = list_in_cache(tracked)
    if members is None:
        return None
    below = [(path[len(tracked.inner) + 1 :], md5) for path, md5 in members if path.startswith(tracked.inner + "/")]
    if below:
        return Content(_list_digest(below), -1, len(below))
    return next((Content(md5, -1, 1) for path, md5 in members if path == tracked.inner), None)


def _compared(path: str, told: Content, kind: str) -> tuple[Content, str, str]:
    """Return what to record of *path*, whether it is what was *told*, and the digest's kind."""
    try:
        found = os.stat(path)
        files = list(_files(path)) if stat.S_ISDIR(found.st_mode) else [("", path, found)]
    except FileNotFoundError:
        return told, "absent", kind
    except OSError as error:
        raise InvalidValue("the data set's path", path, f"readable: {error.strerror or error}") from None
    size = sum(known.st_size for _, _, known in files)
    as_told = Content(told.digest, size, len(files))
    # DVC 2 counted the size of texts as they are, so the size tells there too.
    same = told.size in (-1, size) and told.files in (-1, len(files))
    if same and size > VERIFY_LIMIT and not _Remembered().all_known([known for _, _, known in files]):
        return as_told, "unverified", kind
    content = read_content(path)
    if content.digest == told.digest:
        return as_told, "verified", MD5
    if kind == LEGACY and same and _legacy_digest(files) == told.digest:
        return as_told, "verified", kind
    return content, "modified", MD5


def _legacy_digest(files: list[tuple[str, str, os.stat_result]]) -> str:
    """Return the digest DVC 2 would have given."""
    if len(files) == 1 and files[0][0] == "":
        return _digest_unix(files[0][1])
    return _list_digest([(inner, _digest_unix(file)) for inner, file, _ in files])


def _digest_unix(path: str) -> str:
    import hashlib

    with open(path, "rb") as file:
        data = file.read()
    start = data[:512]
    # DVC's own guess: no NUL, and at most 30 % that is neither ASCII nor white space.
    odd = sum(byte not in _TEXT for byte in start)
    text = not start or (b"\0" not in start and odd / len(start) <= 0.3)
    return hashlib.md5(data.replace(b"\r\n", b"\n") if text else data, usedforsecurity=False).hexdigest()


def _files(folder: str) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield the regular files in *folder*: path inside, path, stat."""

    def refuse(error: OSError) -> None:
        raise error

    for here, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        inside = os.path.relpath(here, folder).replace(os.sep, "/")
        for name in sorted(names):
            path = os.path.join(here, name)
            found = os.stat(path)
            if stat.S_ISREG(found.st_mode):
                yield name if inside == "." else f"{inside}/{name}", path, found


def _list_digest(listed: list[tuple[str, str]]) -> str:
    import hashlib

    from ledgit.artifacts.folders import encode_list

    return hashlib.md5(encode_list(listed), usedforsecurity=False).hexdigest() + ".dir"


class _Remembered:
    """Digests of files, hashed once as long as they don't change."""

    def __init__(self) -> None:
        self._hashes: Hashes | None = None
        self._fresh: list[tuple[os.stat_result, str]] = []
        try:
            from ledgit.artifacts.hashing import Hashes
            from ledgit.store.folder import Folder

            folder = Folder.of(session.repo()).path
            if os.path.isdir(folder):
                self._hashes = Hashes(folder)
        except LedgitError:  # not in a repository: hashed every time
            pass

    def digest(self, path: str, found: os.stat_result) -> str:
        """Return the MD5 of the file at *path*."""
        from ledgit.artifacts.hashing import digest_file

        known = self._hashes.known(found) if self._hashes is not None else None
        if known is None:
            known = digest_file(path)
            after = os.stat(path)
            if (after.st_size, after.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
                self._fresh.append((found, known))
        return known

    def all_known(self, found: list[os.stat_result]) -> bool:
        """Whether none of these would have to be read."""
        hashes = self._hashes
        return hashes is not None and all(hashes.known(item) is not None for item in found)

    def keep(self) -> None:
        """Remember what was hashed."""
        if self._hashes is not None:
            if self._fresh:
                self._hashes.note_all(self._fresh)
            self._hashes.close()


def _code() -> tuple[str | None, str]:
    """Return the work tree and the commit that is checked out; "" if there is none."""
    from ledgit.git import try_git

    try:
        repo = session.repo()
    except LedgitError:
        return None, ""
    return repo.work_tree, try_git(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")[1].decode().strip()


def _below(path: str, folder: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), os.path.realpath(folder)]) == os.path.realpath(folder)
