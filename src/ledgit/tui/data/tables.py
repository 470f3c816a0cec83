"""A small table as a file: CSV, JSON or Markdown, by the name's ending."""

from __future__ import annotations

from collections.abc import Sequence

from ledgit.records.harmless import clean
from ledgit.tui.data.saving import ending, save_text

__all__ = ["ENDINGS", "table_text", "write_table"]

ENDINGS = ("csv", "json", "md")


def table_text(titles: Sequence[str], rows: Sequence[Sequence[object]], kind: str) -> str:
    """Return a table as ``csv``, ``json`` (an array of objects) or ``md``."""
    if kind == "json":
        import json

        found = [dict(zip(titles, row, strict=True)) for row in rows]
        return json.dumps(found, indent=2, ensure_ascii=False, default=str) + "\n"
    if kind == "csv":
        import csv
        import io

        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
        return out.getvalue()
    lines = ["| " + " | ".join(map(_escaped, titles)) + " |", "|" + " --- |" * len(titles)]
    lines += ["| " + " | ".join(_escaped(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _escaped(value: object) -> str:
    said = clean("" if value is None else str(value))
    for char in "\\|<>[]`*_":
        said = said.replace(char, "\\" + char)
    return said


def write_table(path: str, titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a table into a file that must not be there yet; return its path.

    Raises:
        UsageError: The file is there already, or its name has none of the endings.
        StorageError: It can't be written.
    """
    return save_text(path, [table_text(titles, rows, ending(path))], ENDINGS)
