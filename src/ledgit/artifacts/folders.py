"""Folders as one artifact: a list of its files (DVC's ``.dir`` object) and an object for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledgit.artifacts.cache import check_oid
from ledgit.errors import RecordError, UnsafePath
from ledgit.records.names import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Member", "decode_list", "encode_list"]


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
    import json

    try:
        listed = json.loads(data)
    except ValueError as error:
        raise RecordError(where, f"is no JSON: {error}") from None
    if not isinstance(listed, list):
        raise RecordError(where, "is no list of files")
    members: dict[str, str] = {}
    for item in listed:
        path = item.get("relpath") if isinstance(item, dict) else None
        md5 = item.get("md5") if isinstance(item, dict) else None
        if not isinstance(path, str) or not isinstance(md5, str):
            raise RecordError(where, "has an item without a path or a digest")
        problem = path_problem(path)
        if problem is not None or any(part in ("", ".") for part in path.split("/")):
            raise UnsafePath(where, f"the path {path[:100]!r} {problem or 'is not plain'}")
        if path in members:
            raise RecordError(where, f"has {path[:100]!r} twice")
        check_oid(md5)
        members[path] = md5
    for path in members:
        above = path.rpartition("/")[0]
        while above:
            if above in members:
                raise RecordError(where, f"has {above[:100]!r} as a file and as a folder")
            above = above.rpartition("/")[0]
    return [Member(path, members[path]) for path in sorted(members)]
