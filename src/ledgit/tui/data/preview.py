"""What a file looks like, without opening what could run code or fill the memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from ledgit.records.values import Values
from ledgit.tui.data.output import OutputLog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.repository import Run

__all__ = ["LANGUAGES", "Preview", "preview"]

_LOOKED_AT = 8 << 10  # bytes that tell text from other files
_PARSED = 2 << 20  # bytes of a JSON or CSV file that is understood
_INDEXED = 256 << 20  # bytes of a text that are shown
_COLORED = 200 << 10  # bytes of a text with colours
_ROWS, _COLUMNS = 5_000, 200
_HEX = 1024
_PIXELS = 40_000_000
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
#: Languages of files by the endings of their names, for colours.
LANGUAGES = {
    ".py": "python", ".json": "json", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".md": "markdown",
    ".sh": "bash", ".sql": "sql", ".html": "html", ".xml": "xml", ".svg": "xml", ".ini": "ini", ".cfg": "ini",
    ".js": "javascript", ".r": "r", ".jl": "julia", ".ipynb": "json", ".css": "css", ".rst": "rst",
}  # fmt: skip


class Preview(Values):
    """What is shown of a file.

    Attributes:
        kind: ``text table image binary empty missing folder``.
        about: One line on what it is.
        log: The lines of a text that is shown as it is.
        lines: Lines that were made of it; of ``missing``, why.
        language: For colours; "" for none.
        table: Head and rows.
        pixels: Of an image, rows of (red, green, blue).
    """

    __slots__ = ("about", "kind", "language", "lines", "log", "pixels", "table")

    def __init__(
        self,
        kind: str,
        about: str = "",
        *,
        log: OutputLog | None = None,
        lines: Sequence[str] = (),
        language: str = "",
        table: tuple[list[str], list[list[str]]] | None = None,
        pixels: Sequence[Sequence[tuple[int, int, int]]] = (),
    ) -> None:
        self.kind, self.about, self.log, self.lines, self.language = kind, about, log, tuple(lines), language
        self.table, self.pixels = table, pixels


def preview(run: Run, path: str, room: tuple[int, int] = (60, 20)) -> Preview:
    """Return what the artifact *path* of *run* looks like. Called in a thread; nothing is fetched.

    Args:
        run: The run.
        path: One of its files.
        room: Columns and lines that an image may take; each line is two pixels high.

    Raises:
        ArtifactNotFound: The run has no such file any more.
        ArtifactDamaged: Its content is not what was logged.
    """
    from ledgit.errors import ArtifactsMissing, NotFound
    from ledgit.records.harmless import size

    try:
        file = run.open_artifact(path, fetch=False)
    except ArtifactsMissing as missing:
        return Preview("missing", "not in this clone", lines=[str(missing)])
    except NotFound as absent:
        return Preview("missing", "not here", lines=[str(absent)])
    keep = False
    try:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        about = size(length)
        if not length:
            return Preview("empty", "empty file")
        head = file.read(_LOOKED_AT)
        ending = os.path.splitext(path.lower())[1]
        if ending in _IMAGES:
            return _image(file, about, room) or _binary(head, about)
        if b"\0" in head or not _is_text(head):
            return _binary(head, about)
        made = _understood(file, ending, length, about)
        if made is not None:
            return made
        log = OutputLog(file, ended=True)
        while log.size < min(length, _INDEXED) and log.read_on():
            pass
        keep = True
        more = f", the first {size(log.size)} of it" if log.size < length else ""
        name = os.path.basename(path)
        language = "yaml" if name in ("MLmodel", "conda.yaml") else LANGUAGES.get(ending, "")
        about = f"{len(log):,} line{'' if len(log) == 1 else 's'}, {about}{more}"
        return Preview("text", about, log=log, language=language if length <= _COLORED else "")
    finally:
        if not keep:
            file.close()


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character that is cut
    return sum(byte < 9 or 13 < byte < 27 for byte in head) * 20 < len(head)


def _understood(file: BinaryIO, ending: str, length: int, about: str) -> Preview | None:
    """Return a small file of a format that has a better look than its text."""
    if ending not in (".json", ".csv", ".tsv") or (ending == ".json" and length > _PARSED):
        return None
    file.seek(0)
    text = file.read(_PARSED).decode("utf-8", "replace")
    if ending == ".json":
        return _json(text, about)
    return _delimited(text, "\t" if ending == ".tsv" else "", about, whole=length <= _PARSED)


def _json(text: str, about: str) -> Preview | None:
    import json

    try:
        value = json.loads(text)
        table = _as_table(value)
        if table is not None:
            return Preview("table", f"{_count(table)}, {about}", table=table)
        lines = json.dumps(value, indent=2, ensure_ascii=False).split("\n")
    except (ValueError, RecursionError):
        return None
    return Preview("text", f"JSON, {about}", lines=lines, language="json" if len(text) <= _COLORED else "")


def _as_table(value: Any) -> tuple[list[str], list[list[str]]] | None:
    """Return JSON that is a table as one: MLflow's ``columns`` and ``data``, a list of records, names with values."""
    if isinstance(value, dict) and set(value) >= {"columns", "data"} and isinstance(value["data"], list):
        columns, rows = value["columns"], value["data"]
        if isinstance(columns, list) and all(isinstance(row, list) for row in rows):
            return [str(name) for name in columns[:_COLUMNS]], [
                [_cell(cell) for cell in row[:_COLUMNS]] for row in rows[:_ROWS]
            ]
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = list(dict.fromkeys(str(key) for row in value[:_ROWS] for key in row))[:_COLUMNS]
        return names, [[_cell(row.get(name, "")) for name in names] for row in value[:_ROWS]]
    if isinstance(value, dict) and value and not any(isinstance(one, dict | list) for one in value.values()):
        return ["name", "value"], [[str(name), _cell(one)] for name, one in list(value.items())[:_ROWS]]
    return None


def _cell(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return str(value)[:1000]


def _delimited(text: str, delimiter: str, about: str, *, whole: bool) -> Preview | None:
    import csv
    from io import StringIO
    from itertools import islice

    if not whole:
        text = text[: text.rfind("\n") + 1]  # the last line is cut
    if not delimiter:
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t|", key=first.count)
    try:
        rows = list(islice(csv.reader(StringIO(text, newline=""), delimiter=delimiter), _ROWS + 1))
    except csv.Error:
        return None
    rows = [[cell[:1000] for cell in row[:_COLUMNS]] for row in rows if row]
    if not rows:
        return None
    wide = max(map(len, rows))
    rows = [row + [""] * (wide - len(row)) for row in rows]
    table = rows[0], rows[1:]
    shown = "first " if not whole or len(rows) > _ROWS else ""
    return Preview("table", f"{shown}{_count(table)}, {about}", table=table)


def _count(table: tuple[list[str], list[list[str]]]) -> str:
    return f"{len(table[1]):,} rows of {len(table[0]):,}"


def _image(file: BinaryIO, about: str, room: tuple[int, int]) -> Preview | None:
    """Return an image small enough for *room*; its size alone where it can't be drawn."""
    try:
        import PIL.Image
    except ImportError:
        return Preview("image", f"image, {about} (pictures are drawn where pillow is installed)")
    import warnings

    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with PIL.Image.open(file) as image:
                wide, high = image.size
                about = f"{image.format} image, {wide} × {high}, {about}"
                if wide * high > _PIXELS:
                    return Preview("image", f"{about}: too large to be drawn")
                image.draft("RGB", (room[0] * 2, room[1] * 4))
                scale = min(room[0] / wide, room[1] * 2 / high, 1.0)
                size = max(round(wide * scale), 1), max(round(high * scale), 1)
                small = image.convert("RGBA").resize(size)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, PIL.Image.DecompressionBombError):
        return None
    ground = PIL.Image.new("RGBA", small.size, (255, 255, 255, 255))
    ground.alpha_composite(small)
    data = ground.convert("RGB").tobytes()
    pixels = [
        [(data[at], data[at + 1], data[at + 2]) for at in range(row, row + 3 * size[0], 3)]
        for row in range(0, len(data), 3 * size[0])
    ]
    return Preview("image", about, pixels=pixels)


def _binary(head: bytes, about: str) -> Preview:
    what = "binary file"
    if head.startswith(b"\x93NUMPY"):
        end = head.find(b"}")
        what = f"NumPy array {head[10 : end + 1].decode('latin-1').strip()}" if end > 0 else "NumPy array"
    elif head.startswith(b"\x80") and len(head) > 1 and head[1] in (2, 3, 4, 5):
        what = "pickle (not opened: that would run what is in it)"
    elif head.startswith(b"PK\x03\x04"):
        what = "zip archive"
    lines = []
    for at in range(0, min(len(head), _HEX), 16):
        part = head[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {shown}")
    return Preview("binary", f"{what}, {about}", lines=lines)
