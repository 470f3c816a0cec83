"""Pictures: format and size from their headers, and drawn small where Pillow is installed.

A header is read before Pillow sees the file, and Pillow is told which one format it is: a small
file that claims to be huge is not decoded.
"""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

from ledgit.artifacts.previews.source import Picture, Preview, Source, shown

__all__ = ["MOST_PIXELS", "draw", "measure", "open_picture", "read"]

#: Pixels of the largest picture that is drawn.
MOST_PIXELS = 25_000_000
#: Pixels of its longer side when it was made small.
MOST_ACROSS = 1024
_LARGEST = 64 << 20
_SVG_TAG = re.compile(rb"<svg\s[^>]{0,4000}")
_SVG_SIZE = re.compile(rb"\s(width|height|viewBox)\s*=\s*[\"']([^\"']{1,60})[\"']")
_NUMBER = re.compile(r"\d{1,7}(?:\.\d{1,9})?")
#: JPEG's frame headers: all of 0xC0 to 0xCF but tables, arithmetic conditioning, and an extension.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read(file: Source, width: int, height: int) -> Preview | None:
    """Return the preview of a picture; None if it is none."""
    found = measure(file.head)
    if found is None:
        return None
    kind, wide, high = found
    name = {"jpeg": "JPEG", "webp": "WebP"}.get(kind, kind.upper())
    title = file.title(name, f"{wide} × {high}" if wide and high else "")
    if kind == "svg":
        text = file.head.decode("utf-8", "replace").split("\n")
        return Preview("picture", title, tuple(shown(line, width) for line in text[:height]), Picture(kind, wide, high))
    drawn = draw(file.file, found, width, height, file.size) if file.size is not None else None
    if drawn is None:
        return Preview("picture", title, (), Picture(kind, wide, high))
    cells, lines = drawn
    return Preview("picture", title, lines, Picture(kind, wide, high, cells))


def measure(head: bytes) -> tuple[str, int, int] | None:
    """Return format, width and height of the picture that begins with *head*; 0 where it does not say."""
    size = (0, 0)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        if head[12:16] == b"IHDR" and len(head) >= 24:
            size = struct.unpack_from(">II", head, 16)
        return "png", *size
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg", *_jpeg(head)
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif", *(struct.unpack_from("<HH", head, 6) if len(head) >= 10 else size)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp", *_webp(head)
    if (
        head[:2] == b"BM"
        and len(head) >= 26
        and struct.unpack_from("<I", head, 14)[0] in (12, 40, 52, 56, 64, 108, 124)
    ):
        if head[14] == 12:
            return "bmp", *struct.unpack_from("<HH", head, 18)
        wide, high = struct.unpack_from("<ii", head, 18)
        return "bmp", abs(wide), abs(high)
    if _is_svg(head[:8192]):
        return "svg", *_svg(head)
    return None


def open_picture(file: BinaryIO, found: tuple[str, int, int], size: int | None) -> Any:
    """Return the first picture in *file* as Pillow has it, in RGB on white, at most `MOST_ACROSS` pixels wide or high.

    None where it can't be decoded.

    Args:
        file: Open for reading.
        found: What `measure` said.
        size: Bytes in all.
    """
    kind, wide, high = found
    if not wide or not high or wide * high > MOST_PIXELS or size is None or size > _LARGEST:
        return None
    try:
        import PIL.Image
    except ImportError:
        return None
    try:
        file.seek(0)
        with PIL.Image.open(file, formats=[kind.upper()]) as picture:
            if picture.size[0] * picture.size[1] > MOST_PIXELS:
                return None
            picture.draft("RGB", (MOST_ACROSS, MOST_ACROSS))
            picture.thumbnail((MOST_ACROSS, MOST_ACROSS))
            if picture.mode in ("I", "I;16", "F"):
                return picture.convert("L").convert("RGB")
            colored = picture.convert("RGBA")
        white = PIL.Image.new("RGBA", colored.size, (255, 255, 255, 255))
        return PIL.Image.alpha_composite(white, colored).convert("RGB")
    except Exception:
        # Decoders raise what they like on damaged files: struct.error, SyntaxError, KeyError …
        return None


def draw(
    file: BinaryIO, found: tuple[str, int, int], width: int, height: int, size: int | None
) -> tuple[tuple[tuple[tuple[Any, Any], ...], ...], tuple[str, ...]] | None:
    """Return a picture made small, as half blocks (colours) and in Braille (none); None where it can't be drawn."""
    picture = open_picture(file, found, size)
    if picture is None:
        return None
    wide, high = _scaled(picture.size, width, height * 2)
    small = picture.resize((wide, high + high % 2))
    pixels = [tuple(map(int, pixel)) for pixel in _pixels(small)]
    cells = tuple(
        tuple((pixels[row * wide + place], pixels[(row + 1) * wide + place]) for place in range(wide))
        for row in range(0, small.size[1], 2)
    )
    return cells, _braille(picture, width, height)


def _braille(picture: Any, width: int, height: int) -> tuple[str, ...]:
    """Return a picture in dots, two by four a character; what is rarer, dark or light, is drawn."""
    wide, high = _scaled(picture.size, width * 2, height * 4)
    from PIL import ImageFilter, ImageOps

    gray = picture.convert("L")
    levels = gray.histogram()
    light = sum(level * count for level, count in enumerate(levels)) > 127 * sum(levels)
    # Thin lines of a plot would fade into the ground: they are made as wide as a dot before.
    across = min(picture.size[0] // wide, 9) // 2 * 2 + 1
    if across > 1:
        gray = gray.filter(ImageFilter.MinFilter(across) if light else ImageFilter.MaxFilter(across))
    gray = ImageOps.autocontrast(gray.resize((wide, high)))
    dots = [bool(dot) is not light for dot in _pixels(gray.convert("1"))]
    order = (
        (0, 0, 0x01),
        (0, 1, 0x02),
        (0, 2, 0x04),
        (1, 0, 0x08),
        (1, 1, 0x10),
        (1, 2, 0x20),
        (0, 3, 0x40),
        (1, 3, 0x80),
    )
    lines = []
    for top in range(0, high, 4):
        line = ""
        for left in range(0, wide, 2):
            bits = 0
            for across, down, bit in order:
                x, y = left + across, top + down
                if x < wide and y < high and dots[y * wide + x]:
                    bits |= bit
            line += chr(0x2800 + bits)
        lines.append(line.rstrip("\u2800"))
    return tuple(lines)


def _pixels(picture: Any) -> list[Any]:
    flat = getattr(picture, "get_flattened_data", None) or picture.getdata  # Pillow renamed it
    return list(flat())


def _scaled(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return *size* made to fit, never made larger."""
    factor = min(width / size[0], height / size[1], 1.0)
    return max(int(size[0] * factor), 1), max(int(size[1] * factor), 1)


def _jpeg(head: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 <= len(head):
        if head[place] != 0xFF:
            return 0, 0
        marker = head[place + 1]
        if marker in _FRAMES:
            high, wide = struct.unpack_from(">HH", head, place + 5)
            return wide, high
        if marker == 0xFF:  # filling
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without content
            place += 2
        else:
            place += 2 + max(struct.unpack_from(">H", head, place + 2)[0], 2)
    return 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    if len(head) < 30:
        return 0, 0
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        wide, high = struct.unpack_from("<HH", head, 26)
        return wide & 0x3FFF, high & 0x3FFF
    return 0, 0


def _is_svg(head: bytes) -> bool:
    """Whether the first element is ``<svg>``, behind a declaration and comments."""
    rest = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!")):
        _, end, rest = rest.partition(b"-->" if rest.startswith(b"<!--") else b">")
        rest = rest.lstrip()
        if not end:
            return False
    return rest.startswith((b"<svg ", b"<svg>", b"<svg\n", b"<svg\r", b"<svg\t"))


def _svg(head: bytes) -> tuple[int, int]:
    tag = _SVG_TAG.search(head[:65_536])
    said = {key.decode(): value.decode("latin-1") for key, value in _SVG_SIZE.findall(tag.group())} if tag else {}
    box = _NUMBER.findall(said.get("viewBox", ""))
    sizes = []
    for key, place in (("width", 2), ("height", 3)):
        number = _NUMBER.match(said.get(key, "")) if not said.get(key, "").endswith("%") else None
        sizes.append(round(float(number.group() if number else box[place] if len(box) == 4 else 0)))
    return sizes[0], sizes[1]
