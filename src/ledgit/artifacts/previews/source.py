"""A file to be looked at: its beginning, its end, its size; and what was found."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ledgit.records.harmless import clean, fit
from ledgit.records.harmless import size as size_words

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LIMIT", "Picture", "Preview", "Source", "shown"]

#: Bytes that are read, or unpacked, of a file of any size.
LIMIT = 1 << 20

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture.

    Attributes:
        format: ``png``, ``jpeg``, ``gif``, ``webp``, ``bmp`` or ``svg``.
        width: Pixels; 0 where nothing says.
        height: Likewise.
        cells: The picture made small, rows of (upper, lower) colours of half blocks; empty where it
            was not drawn.
    """

    format: str
    width: int
    height: int
    cells: tuple[tuple[tuple[Color, Color], ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What is in a file.

    Attributes:
        kind: ``text``, ``table``, ``json``, ``yaml``, ``picture``, ``array``, ``archive``, ``folder``,
            ``binary`` or ``empty``.
        title: Name, what it is, size, on one line.
        lines: Lines without a control character in them, at most as many and as wide as asked for.
        picture: What is known of a picture.
    """

    kind: str
    title: str
    lines: tuple[str, ...]
    picture: Picture | None = None


class Source:
    """A file to be looked at.

    Attributes:
        path: The name it is known by.
        head: Its first bytes, at most `LIMIT`.
        size: Bytes in all; None where that is not known: of a stream longer than `head`, or with
            ``complete=False`` of the beginning of something.
    """

    def __init__(self, path: str, source: bytes | str | os.PathLike[str] | BinaryIO, *, complete: bool = True) -> None:
        self.path = path
        self._opened: BinaryIO | None = None
        if isinstance(source, bytes | bytearray | memoryview):
            self.file: BinaryIO = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            self.file = self._opened = open(source, "rb")  # noqa: SIM115 - closed by __exit__
        else:
            self.file = source
        self.head = self._read(LIMIT)
        self.size = self._measure() if complete else None

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def ending(self) -> str:
        """What follows the last dot of the name, in lower case."""
        return os.path.splitext(self.path)[1].lower()

    @property
    def whole(self) -> bool:
        """Whether `head` is all of it."""
        return self.size == len(self.head)

    def title(self, *facts: str) -> str:
        """Return name, facts, and size."""
        much = f"more than {size_words(len(self.head))}" if self.size is None else size_words(self.size)
        return " · ".join([os.path.basename(self.path) or self.path, *(fact for fact in facts if fact), much])

    def tail(self, count: int) -> bytes:
        """Return the last *count* bytes; b"" of a stream whose end is not known."""
        if self.size is None:
            return b""
        return self.read_at(max(self.size - count, 0), count)

    def read_at(self, place: int, count: int) -> bytes:
        """Return *count* bytes from *place* on, fewer where the file ends; b"" where that is not known."""
        if place + count <= len(self.head) or self.whole:
            return self.head[place : place + count]
        if self.size is None or place >= self.size:
            return b""
        self.file.seek(place)
        return self._read(count)

    def _read(self, count: int) -> bytes:
        pieces = []
        while count > 0:
            piece = self.file.read(count)
            if not piece:
                break
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def _measure(self) -> int | None:
        if len(self.head) < LIMIT:
            return len(self.head)
        try:
            return self.file.seek(0, io.SEEK_END)
        except (OSError, ValueError, AttributeError):  # a pipe, a socket, an archive's member
            return None


def shown(text: str, width: int) -> str:
    """Return *text* as one harmless line of at most *width* columns, cut before it is looked at if it is endless."""
    most = 4 * width + 16  # combining marks take no column
    if len(text) > most:
        text = text[:most]
        return fit(clean(text.replace("\t", "    ")) + " " * width, width - 1).rstrip(" …") + "…"
    return fit(clean(text.replace("\t", "    ")), width)
