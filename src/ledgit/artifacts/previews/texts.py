"""Text: its first and last lines; JSON and YAML as an outline that fits."""

from __future__ import annotations

import json

from ledgit.artifacts.previews.outline import outline
from ledgit.artifacts.previews.source import Preview, Source, shown
from ledgit.errors import LedgitError
from ledgit.records.harmless import size as size_words

__all__ = ["decode", "read"]

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_TAIL = 1 << 16
_LARGEST_YAML = 1 << 18
_NOT_TEXT = frozenset(range(32)) - {7, 8, 9, 10, 12, 13, 27}


def decode(data: bytes, *, whole: bool = True) -> tuple[str, str] | None:
    """Return *data* as text and the name of its encoding; None if it is no text.

    Args:
        data: The beginning of a file.
        whole: Whether that is all of it; else a character may be cut at its end.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), name.upper().removesuffix("-LE").removesuffix("-BE")
    sample = data[:8192]
    # A text has no NULs, and few other controls; colours (ESC) and progress bars (BS, CR) are text.
    if b"\0" in data or sum(byte in _NOT_TEXT for byte in sample) > len(sample) // 50:
        return None
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        if not whole and error.start >= len(data) - 3:
            return data[: error.start].decode("utf-8"), ""
    odd = sum(byte >= 0x80 for byte in sample)
    return (data.decode("latin-1"), "Latin-1") if odd * 4 <= len(sample) else None


def read(file: Source, width: int, height: int) -> Preview | None:
    """Return the preview of a text; None if it is none."""
    found = decode(file.head, whole=file.whole)
    if found is None:
        return None
    text, encoding = found
    if file.whole and file.ending in (".json", ".geojson", ".ipynb"):
        try:
            lines = outline(json.loads(text), width, height)
            return Preview("json", file.title("JSON", encoding), tuple(lines))
        except (ValueError, RecursionError):
            pass
    if file.ending in (".yaml", ".yml") and len(file.head) <= _LARGEST_YAML and text.count("\n") > height:
        from ledgit.records.documents import load_document

        try:
            lines = outline(load_document(file.head, file.path), width, height)
            return Preview("yaml", file.title("YAML", encoding), tuple(lines))
        except (LedgitError, RecursionError):
            pass
    return _text(file, text, encoding, width, height)


def _text(file: Source, text: str, encoding: str, width: int, height: int) -> Preview:
    lines = text.split("\n")
    if file.whole:
        if not lines[-1]:
            del lines[-1]
        count = f"{len(lines)} line{'' if len(lines) == 1 else 's'}"
        if len(lines) <= height:
            return Preview("text", file.title("text", encoding, count), tuple(_line(line, width) for line in lines))
        end, between = lines, f"{len(lines) - height + 1} lines"
    else:
        count = ""
        # What the end is in is known of UTF-8 and Latin-1; a line is cut at its beginning.
        known = decode(file.tail(_TAIL), whole=True) if not encoding.startswith("UTF") else None
        end = known[0].removesuffix("\n").split("\n")[1:] if known is not None else []
        between = "the rest" if file.size is None else f"most of {size_words(file.size)}"
    last = min(height // 3, len(end))
    first = [_line(line, width) for line in lines[: height - 1 - last]]
    middle = shown(f"… {between} …" if last else f"… {between}", width)
    rest = [_line(line, width) for line in end[len(end) - last :]]
    return Preview("text", file.title("text", encoding, count), (*first, middle, *rest))


def _line(line: str, width: int) -> str:
    # What a terminal would show of a progress bar is what follows its last return.
    line = line.rstrip("\r")
    return shown(line.rpartition("\r")[2] if "\r" in line else line, width)
