"""Words for a terminal: harmless whatever they say, and as wide as there is room for."""

from __future__ import annotations

__all__ = ["clean", "clean_lines", "fit", "pad", "size", "width"]

# What is not printable but harmless: no-break space, and the joiners inside emoji and Indic words.
_HARMLESS = "\u00a0\u200c\u200d"


def clean(text: str) -> str:
    r"""Return *text* with everything that could steer a terminal spelled out, on one line.

    Control and escape characters, line breaks, direction overrides and bytes that were no UTF-8
    become ``\x1b``, ``\n``, ``\u202e``, ``\xff``; what prints stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _HARMLESS else _escaped(char) for char in text)


def clean_lines(text: str) -> list[str]:
    """Return the lines of *text*, each made harmless; a tab counts as four spaces."""
    return [clean(line.replace("\t", "    ").rstrip("\r")) for line in text.split("\n")]


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def width(text: str) -> int:
    """Return how many terminal columns *text* takes."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1 for char in text
    )


def fit(text: str, limit: int) -> str:
    """Cut *text* to *limit* columns, ending in ``…`` where something was cut."""
    if width(text) <= limit:
        return text
    if limit < 1:
        return ""
    kept, used = "", 0
    for char in text:
        used += width(char)
        if used > limit - 1:
            break
        kept += char
    return kept + "…"


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Fill *text* with spaces up to *columns*; on its left if *right*-aligned."""
    gap = " " * max(columns - width(text), 0)
    return gap + text if right else text + gap


def size(count: int) -> str:
    """Format a number of bytes."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"
