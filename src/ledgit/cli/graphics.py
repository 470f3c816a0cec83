"""Pictures on a terminal: kitty's protocol, iTerm2's, sixel, coloured half blocks, or dots.

Which one is told from the environment: asking the terminal would need its answer, and some never
give one. What is sent are pixels that were decoded and written anew here, never the file itself
where Pillow is installed; without it, PNG files that fit go as they are.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from ledgit.artifacts import Preview

__all__ = ["BLOCKS", "DOTS", "ITERM2", "KITTY", "SIXEL", "blocks", "picture_text", "protocol"]

KITTY, ITERM2, SIXEL, BLOCKS, DOTS = "kitty", "iterm2", "sixel", "blocks", "dots"
_CHUNK = 4096
_LARGEST_RAW = 4 << 20
#: Pixels of a character where the terminal does not say: most are a little larger.
_CELL = (8, 16)
_KITTY = {"xterm-kitty", "xterm-ghostty"}
_SIXEL = {"foot", "foot-extra", "mlterm", "yaft-256color", "contour", "xterm-sixel"}
_PROGRAMS = {
    "kitty": KITTY,
    "ghostty": KITTY,
    "WezTerm": ITERM2,
    "iTerm.app": ITERM2,
    "mintty": SIXEL,
    "contour": SIXEL,
}


def protocol(environ: Mapping[str, str] | None = None, *, terminal: bool = True, color: bool = True) -> str:
    """Return how a picture can be shown.

    Args:
        environ: The environment; the process's own if None. ``LEDGIT_GRAPHICS`` (``kitty``, ``iterm2``,
            ``sixel``, ``blocks``, ``dots``) decides alone. Inside tmux and screen, which pass no
            pictures on, there are blocks.
        terminal: Whether the output is a terminal.
        color: Whether it is to have colours.
    """
    environ = os.environ if environ is None else environ
    if not terminal or not color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return DOTS
    asked = environ.get("LEDGIT_GRAPHICS", "")
    if asked in (KITTY, ITERM2, SIXEL, BLOCKS, DOTS):
        return asked
    term = environ.get("TERM", "")
    if not environ.get("TMUX") and not environ.get("STY") and not term.startswith(("tmux", "screen")):
        if environ.get("KITTY_WINDOW_ID") or term in _KITTY:
            return KITTY
        if environ.get("TERM_PROGRAM") in _PROGRAMS:
            return _PROGRAMS[environ["TERM_PROGRAM"]]
        if environ.get("LC_TERMINAL") == "iTerm2":
            return ITERM2
        if term in _SIXEL:
            return SIXEL
    many = environ.get("COLORTERM") in ("truecolor", "24bit") or "256color" in term
    return BLOCKS if many else DOTS


def picture_text(found: Preview, file: BinaryIO, how: str, columns: int, lines: int) -> str:
    """Return what shows the picture *found*, with a line end behind it; '' where nothing can.

    Args:
        found: Its preview.
        file: Its content, open for reading.
        how: What :func:`protocol` said.
        columns: Room there is.
        lines: Likewise.
    """
    if found.picture is None:
        return ""
    if how == BLOCKS:
        return blocks(found, true_color=os.environ.get("COLORTERM") in ("truecolor", "24bit"))
    if how == DOTS or found.picture.format == "svg":
        return "".join(line + "\n" for line in found.lines)
    picture = _decoded(found, file)
    if how == SIXEL:
        return _sixel(picture, columns, lines) if picture is not None else ""
    data = _png(picture) if picture is not None else _raw(found, file)
    if data is None:
        return ""
    high = found.picture.width * lines * 2 < found.picture.height * columns
    small = found.picture.width <= columns * _CELL[0] and found.picture.height <= lines * _CELL[1]
    return _kitty(data, columns, lines, high, small) if how == KITTY else _iterm2(data, columns, lines, high, small)


def blocks(found: Preview, *, true_color: bool) -> str:
    """Return the picture in half blocks: the upper colour as the letter's, the lower as the ground's."""
    if found.picture is None:
        return ""
    code = _true if true_color else _of_256
    text = []
    for row in found.picture.cells:
        last, line = "", ""
        for upper, lower in row:
            colors = f"\x1b[38;{code(upper)};48;{code(lower)}m"
            line += f"{colors if colors != last else ''}▀"
            last = colors
        text.append(line + "\x1b[0m\n")
    return "".join(text)


def _true(color: tuple[int, int, int]) -> str:
    return "2;{};{};{}".format(*color)


def _of_256(color: tuple[int, int, int]) -> str:
    """Return the nearest of the 6 × 6 × 6 colours, or of the 24 greys."""
    red, green, blue = color
    if max(color) - min(color) < 12:
        level = round((sum(color) / 3 - 8) / 10)
        return f"5;{16 if level < 0 else 231 if level > 23 else 232 + level}"
    steps = [0 if value < 48 else 1 if value < 115 else (value - 35) // 40 for value in (red, green, blue)]
    return f"5;{16 + 36 * steps[0] + 6 * steps[1] + steps[2]}"


def _decoded(found: Preview, file: BinaryIO) -> Any:
    from ledgit.artifacts.previews.pictures import open_picture

    assert found.picture is not None
    facts = (found.picture.format, found.picture.width, found.picture.height)
    try:
        return open_picture(file, facts, file.seek(0, os.SEEK_END))
    except (OSError, ValueError):
        return None


def _png(picture: Any) -> bytes:
    from io import BytesIO

    stream = BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()


def _raw(found: Preview, file: BinaryIO) -> bytes | None:
    """Return a PNG file as it is, where Pillow isn't there to decode it."""
    from ledgit.artifacts.previews.pictures import MOST_PIXELS

    picture = found.picture
    if "PIL" in sys.modules or picture is None or picture.format != "png" or found.lines:
        return None
    if not 0 < picture.width * picture.height <= MOST_PIXELS:
        return None
    file.seek(0)
    data = file.read(_LARGEST_RAW + 1)
    return data if len(data) <= _LARGEST_RAW else None


def _kitty(data: bytes, columns: int, lines: int, high: bool, small: bool) -> str:
    text = b64encode(data).decode()
    pieces = [text[place : place + _CHUNK] for place in range(0, len(text), _CHUNK)]
    # One of the two sizes is enough; the other follows. A small picture is not blown up.
    room = "" if small else f",r={lines}" if high else f",c={columns}"
    shown = []
    for place, piece in enumerate(pieces):
        first = f"a=T,f=100,q=2{room}," if place == 0 else ""
        shown.append(f"\x1b_G{first}m={int(place + 1 < len(pieces))};{piece}\x1b\\")
    return "".join(shown) + "\n"


def _iterm2(data: bytes, columns: int, lines: int, high: bool, small: bool) -> str:
    room = "" if small else f"height={lines};" if high else f"width={columns};"
    return f"\x1b]1337;File=inline=1;size={len(data)};{room}preserveAspectRatio=1:{b64encode(data).decode()}\a\n"


def _sixel(picture: Any, columns: int, lines: int) -> str:
    """Return a picture in sixels: bands of six rows, a pass for each of 64 colours."""
    picture.thumbnail((columns * _CELL[0], lines * _CELL[1]))
    reduced = picture.quantize(64)
    wide, high = reduced.size
    palette = reduced.getpalette()
    pixels = reduced.tobytes()
    used = sorted(set(pixels))
    text = [f'\x1bP0;1q"1;1;{wide};{high}']
    text += [
        f"#{color};2;{';'.join(str(round(part * 100 / 255)) for part in palette[color * 3 : color * 3 + 3])}"
        for color in used
    ]
    for top in range(0, high, 6):
        rows = [pixels[row * wide : (row + 1) * wide] for row in range(top, min(top + 6, high))]
        passes = []
        for color in sorted(set(b"".join(rows))):
            bits = [0] * wide
            for bit, row in enumerate(rows):
                place = row.find(color)
                while place >= 0:
                    bits[place] |= 1 << bit
                    place = row.find(color, place + 1)
            passes.append(f"#{color}{_runs(bits)}")
        text.append("$".join(passes) + "-")
    return "".join(text) + "\x1b\\\n"


def _runs(bits: list[int]) -> str:
    """Return sixels with runs of equal ones counted."""
    from itertools import groupby

    parts = []
    for value, same in groupby(bits):
        count, sixel = len(list(same)), chr(63 + value)
        parts.append(f"!{count}{sixel}" if count > 3 else sixel * count)
    return "".join(parts)
