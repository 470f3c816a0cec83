"""A comparison of runs as text to take along: Markdown, JSON, CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledgit.tui.data.saving import ending, save_text

if TYPE_CHECKING:
    from ledgit.tui.data.differences import Differences, DiffLine

__all__ = ["FORMATS", "diff_file", "diff_text"]

FORMATS = {"md": "Markdown", "json": "JSON", "csv": "CSV"}


def diff_text(differences: Differences, lines: Sequence[DiffLine], kind: str) -> str:
    """Return the comparison as text of one of :data:`FORMATS`.

    Args:
        differences: All of it; JSON has it as ``ledgit diff --json`` has.
        lines: What is shown of it, with the heads.
        kind: The format.
    """
    if kind == "json":
        return _json(differences)
    return _csv(differences, lines) if kind == "csv" else _markdown(differences, lines)


def diff_file(differences: Differences, lines: Sequence[DiffLine], path: str) -> str:
    """Write it into a file that must not be there yet, in the format its name says; return its path.

    Raises:
        UsageError: The file is there already, or its name says no format.
        StorageError: It can't be written.
    """
    return save_text(path, [diff_text(differences, lines, ending(path))], FORMATS)


def _json(differences: Differences) -> str:
    import json
    import math

    def safe(value: object) -> object:
        if isinstance(value, dict):
            return {key: safe(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [safe(item) for item in value]
        return str(value) if isinstance(value, float) and not math.isfinite(value) else value

    document = safe({**differences.diff.changed().to_dict(), "files": [dict(files) for files in differences.files]})
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table(differences: Differences, lines: Sequence[DiffLine]) -> list[list[str]]:
    return [[line.title, *(piece.text for piece in differences.pieces(line))] for line in lines]


def _titles(differences: Differences) -> list[str]:
    names = [f"{run.name} ({run.id[:8]})" for run in differences.runs]
    return ["", *names, *([differences.last] if differences.last else [])]


def _markdown(differences: Differences, lines: Sequence[DiffLine]) -> str:
    from ledgit.review.escaping import md as markdown

    titles = [markdown(title) for title in _titles(differences)]
    parts = [f"## {' → '.join(titles[1 : 1 + len(differences.runs)])}", "", _sentence(differences), ""]
    for line in lines:
        if not line.key:
            parts += ["", f"### {markdown(line.title)}", "", f"| {' | '.join(titles)} |", "|" + " --- |" * len(titles)]
        else:
            cells = _table(differences, [line])[0]
            cells += [""] * (len(titles) - len(cells))
            parts.append(f"| {' | '.join(markdown(cell) for cell in cells)} |")
    return "\n".join(parts) + "\n"


def _sentence(differences: Differences) -> str:
    return " · ".join(piece.text for piece in differences.verdict())


def _csv(differences: Differences, lines: Sequence[DiffLine]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["section", "key", *(run.id for run in differences.runs)])
    for line in lines:
        if line.key:
            writer.writerow([line.section, line.title, *differences.values(line)])
    return text.getvalue()
