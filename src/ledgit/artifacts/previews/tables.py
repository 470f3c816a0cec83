"""Tables: CSV, TSV, JSON lines, tables that log_table wrote, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import json
import struct
from collections.abc import Sequence
from typing import Any

from ledgit.artifacts.previews.source import LIMIT, Preview, Source, shown
from ledgit.artifacts.previews.texts import decode
from ledgit.records.harmless import fit, pad
from ledgit.records.harmless import width as columns_of

__all__ = ["grid", "read"]

_WIDEST = 40
_MOST_COLUMNS = 256
_LARGEST_FOOTER = 16 << 20
_LARGEST_GROUP = 64 << 20
_GAP = "  "
_SEPARATORS = {".csv": ",;\t|", ".tsv": "\t", ".tab": "\t"}


def read(file: Source, width: int, height: int) -> Preview | None:
    """Return the preview of a table; None if it is none."""
    if file.head.startswith(b"PAR1"):
        return _parquet(file, width, height)
    if file.ending in _SEPARATORS:
        return _separated(file, width, height)
    if file.ending in (".jsonl", ".ndjson"):
        return _json_lines(file, width, height)
    if file.ending == ".json" and file.whole and file.head.lstrip()[:1] == b"{":
        return _logged(file, width, height)
    return None


def grid(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], int]:
    """Lay out a table: numbers to the right, columns that have no room left out.

    Returns:
        The lines, and how many columns are shown.
    """
    lines = [[shown(cell, _WIDEST) for cell in row] for row in (titles, *rows)]
    widths: list[int] = []
    used = 0
    for place in range(len(titles)):
        wide = max((columns_of(row[place]) for row in lines if place < len(row)), default=0)
        if used + wide > width and widths:
            break
        widths.append(min(wide, width))
        used += wide + len(_GAP)
    right = [
        bool(rows) and all(_is_number(row[place]) for row in rows if place < len(row) and row[place])
        for place in range(len(widths))
    ]
    laid_out = []
    for row in lines:
        cells = [
            pad(fit(row[place], wide) if place < len(row) else "", wide, right=right[place])
            for place, wide in enumerate(widths)
        ]
        laid_out.append(_GAP.join(cells).rstrip())
    return laid_out, len(widths)


def _preview(
    file: Source, what: str, titles: Sequence[str], rows: Sequence[Sequence[str]], count: str, width: int, height: int
) -> Preview:
    left_out = len(rows) + 1 > height
    lines, columns = grid(titles, rows[: height - 2 if left_out else height - 1], width)
    if left_out:
        lines.append("…")
    many = f"{len(titles)} column{'' if len(titles) == 1 else 's'}"
    if columns < len(titles):
        many += f", {columns} shown"
    return Preview("table", file.title(what, count, many), tuple(lines))


def _separated(file: Source, width: int, height: int) -> Preview | None:
    found = decode(file.head, whole=file.whole)
    if found is None:
        return None
    lines = found[0].splitlines(keepends=True)
    if not file.whole and len(lines) > 1:
        del lines[-1]  # cut in the middle
    if not lines:
        return None
    first = lines[0][:4096]
    separator = max(_SEPARATORS[file.ending], key=first.count)
    rows: list[list[str]] = []
    count = 0
    try:
        for row in csv.reader(lines, delimiter=separator):
            if not row:
                continue
            count += 1
            if len(rows) <= height:
                rows.append([cell[:2000] for cell in row[:_MOST_COLUMNS]])
    except csv.Error:  # a field of more than 128 KiB
        return None
    if not rows:
        return None
    what = {",": "CSV", "\t": "TSV"}.get(separator, f"separated by {separator}")
    return _preview(file, what, rows[0], rows[1:], _rows(file, count - 1), width, height)


def _json_lines(file: Source, width: int, height: int) -> Preview | None:
    found = decode(file.head, whole=file.whole)
    if found is None:
        return None
    lines = [line for line in found[0].split("\n") if line.strip()]
    if not file.whole and len(lines) > 1:
        del lines[-1]
    try:
        rows = [json.loads(line) for line in lines[:height]]
    except (ValueError, RecursionError):
        return None
    if not rows or not all(isinstance(row, dict) for row in rows):
        return None
    titles = list(dict.fromkeys(str(key) for row in rows for key in list(row)[:_MOST_COLUMNS]))[:_MOST_COLUMNS]
    cells = [[_cell(row[title]) if title in row else "" for title in titles] for row in rows]
    return _preview(file, "JSON lines", titles, cells, _rows(file, len(lines)), width, height)


def _logged(file: Source, width: int, height: int) -> Preview | None:
    """Return the preview of ``{"columns": [...], "data": [[...], ...]}``."""
    try:
        table = json.loads(file.head)
    except (ValueError, RecursionError):
        return None
    columns, data = (table.get("columns"), table.get("data")) if isinstance(table, dict) else (None, None)
    if not isinstance(columns, list) or not columns or not isinstance(data, list) or len(table) > 3:
        return None
    if not all(isinstance(row, list) for row in data):
        return None
    titles = [str(column) for column in columns[:_MOST_COLUMNS]]
    rows = [[_cell(cell) for cell in row[:_MOST_COLUMNS]] for row in data[:height]]
    return _preview(file, "table", titles, rows, _rows(file, len(data)), width, height)


def _parquet(file: Source, width: int, height: int) -> Preview | None:
    if file.size is None or file.size < 12 or file.tail(4) != b"PAR1":
        return None
    (footer,) = struct.unpack("<I", file.tail(8)[:4])
    if footer > min(file.size, _LARGEST_FOOTER):
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    try:
        file.file.seek(0)
        table = pq.ParquetFile(file.file)
        facts = table.metadata
        names = table.schema_arrow.names[:_MOST_COLUMNS]
        rows: list[dict[str, Any]] = []
        if facts.num_row_groups and facts.row_group(0).total_byte_size <= _LARGEST_GROUP and names:
            batch = next(table.iter_batches(batch_size=height, row_groups=[0], columns=names, use_threads=False), None)
            rows = batch.to_pylist() if batch is not None else []
        count = f"{facts.num_rows} row{'' if facts.num_rows == 1 else 's'}"
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError, TypeError):
        return None
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    return _preview(file, "Parquet", names, cells, count, width, height)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value[:2000]
    if isinstance(value, dict | list):
        many, what = len(value), "key" if isinstance(value, dict) else "item"
        return f"{'{' if what == 'key' else '['}{many} {what}{'' if many == 1 else 's'}{'}' if what == 'key' else ']'}"
    return str(value)[:2000]


def _rows(file: Source, seen: int) -> str:
    """Return how many rows there are, guessed from the size where only the beginning was read."""
    if file.whole:
        return f"{seen} row{'' if seen == 1 else 's'}"
    if file.size is None:
        return f"more than {seen} rows"
    guess = int(seen * file.size / LIMIT)
    digits = max(len(str(guess)) - 2, 0)
    return f"about {round(guess, -digits)} rows"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
