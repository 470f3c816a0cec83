"""Many small files in one: a run that logs thousands of them needs no file for each copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from ledgit.store.artifacts.overlay import Content
    from ledgit.store.filelog import FileLog

__all__ = ["add_bundle", "bundle_size", "read_copy"]

_WORTH = 16  # files


def add_bundle(
    run: FileLog, folder: str, files: list[tuple[str, str]], threshold: int | None
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Take those of *files* (where it is, path inside *folder*) that are small, if they are many.

    Returns:
        The files that were not taken, and of others (path inside, why they were left out).

    Raises:
        StorageError: The disk refused.
    """
    from ledgit.artifacts import LeftOut, read_small

    if len(files) < _WORTH:
        return files, []
    least = run.threshold if threshold is None else threshold
    large: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    changed: list[str] = []

    def write(stream: BinaryIO) -> list[list[str | int]]:
        members: list[list[str | int]] = []
        offset = 0
        for where, name in files:
            path = f"{folder}/{name}" if folder else name
            try:
                data = read_small(where, path, changed, least)
            except LeftOut as error:
                left_out.append((name, str(error)))
                continue
            if data is None:
                large.append((where, name))
                continue
            stream.write(data)
            members.append([path, offset, len(data)])
            offset += len(data)
        return members

    run.add_bundle(write, threshold)
    for path in changed:
        run.note_problem(f"artifact {path} was written to while it was taken")
    return large, left_out


def bundle_size(directory: str, file: str, known: dict[str, int]) -> int:
    """Return the size of the bundle *file* in *directory*, 0 where it is gone; *known* remembers it."""
    size = known.get(file)
    if size is None:
        try:
            size = os.stat(os.path.join(directory, file)).st_size
        except FileNotFoundError:
            size = 0
        known[file] = size
    return size


def read_copy(directory: str, content: Content) -> bytes | None:
    """Return what the copy of a small file holds; None if it is gone."""
    try:
        with open(os.path.join(directory, content.file), "rb", buffering=0) as file:
            if content.offset is None:
                return file.readall()
            data = os.pread(file.fileno(), content.size, content.offset)
    except FileNotFoundError:
        return None
    return data if len(data) == content.size else None
