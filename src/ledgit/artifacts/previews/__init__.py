"""What is in a file, in a few harmless lines: text, tables, JSON, pictures, arrays, archives, anything.

Pure: nothing is printed and nothing is trusted. At most 1 MiB is read of a file, from its beginning
and its end, or as much unpacked; what a header claims is checked before it is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.artifacts.previews import archives, arrays, binary, pictures, tables, texts
from ledgit.artifacts.previews.source import Picture, Preview, Source
from ledgit.records.harmless import clean, fit

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import BinaryIO

__all__ = ["Picture", "Preview", "preview", "preview_folder"]


def preview(path: str, source: bytes | str | os.PathLike[str] | BinaryIO, width: int = 80, height: int = 24) -> Preview:
    """Return what is in a file, whatever it is.

    Args:
        path: The name it is known by; its ending says what text means (``.csv``, ``.json`` …).
        source: The content: bytes, the path of a file, or a file open for reading.
        width: Columns there are; at least 20 are used.
        height: Lines there are; at least 3 are used.

    Raises:
        OSError: It can't be read.
    """
    with Source(path, source) as file:
        found = _look(file, max(width, 20), max(height, 3))
    room, lines = max(width, 20), max(height, 3)
    return Preview(
        found.kind, clean(found.title), tuple(fit(clean(line), room) for line in found.lines[:lines]), found.picture
    )


def preview_folder(path: str, members: Iterable[tuple[str, int | None]], width: int = 80, height: int = 24) -> Preview:
    """Return what is in a folder.

    Args:
        path: Its name.
        members: Path inside and size (None if it is not known) of each file.
        width: As in :func:`preview`.
        height: Likewise.
    """
    found = archives.listing(path, "folder", list(members), max(height, 3))
    room = max(width, 20)
    return Preview(found.kind, clean(found.title), tuple(fit(clean(line), room) for line in found.lines), None)


def _look(file: Source, width: int, height: int) -> Preview:
    """Return the preview by the first reader that knows the content."""
    if not file.head:
        return Preview("empty", file.title("empty"), ())
    return (
        pictures.read(file, width, height)
        or arrays.read(file, width, height)
        or archives.read(file, width, height, _look)
        or tables.read(file, width, height)
        or texts.read(file, width, height)
        or binary.read(file, width, height)
    )
