"""Draw the tables of ``docs/benchmarks.md``: ``python -m benchmarks.plots docs/benchmarks.md docs/images``.

A row is a bar, its length the logarithm of the time (or size): what takes a thousand times as long stands beside what
does not, and both can be seen. SVG by hand: drawing needs nothing but Python, and light and dark pages both show it.
"""

from __future__ import annotations

import math
import os
import re
import sys
from html import escape
from pathlib import Path

__all__ = ["draw", "main", "tables"]

_UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "KB": 1e3, "MB": 1e6, "GB": 1e9, "B": 1.0}
_VALUE = re.compile(r"(-?[\d.,]+) ?(µs|ms|s|min|KB|MB|GB|B)?")
_WIDTH, _ROW, _LABEL, _VALUE_ROOM = 860, 22, 420, 90
_OURS, _THEIRS = "#2f7d6b", "#9aa5b1"

_STYLE = """<style>text{font:13px system-ui,sans-serif;fill:#24292f}.v{font-size:12px}
@media(prefers-color-scheme:dark){text{fill:#d7dce1}}</style>"""

Row = tuple[str, float, str]
"""What was measured, as a number, and as the table has it."""


def tables(text: str) -> dict[str, list[Row]]:
    """Return the tables of a report by their headings: those with a row for each subject."""
    found: dict[str, list[Row]] = {}
    for heading, body in re.findall(r"^### (.+?)\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL):
        rows: list[Row] = []
        for line in body.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith("| target"):
                break
            match = _VALUE.fullmatch(cells[1]) if line.startswith("|") and len(cells) >= 3 else None
            if match is not None and (number := float(match[1].replace(",", ""))) > 0:
                rows.append((cells[0].replace("`", ""), number * _UNITS.get(match[2] or "B", 1.0), cells[1]))
        if len(rows) > 1:
            found[heading] = rows
    return found


def draw(heading: str, rows: list[Row]) -> str:
    """Return a drawing of one table: bars on a logarithmic scale, Ledgit's in a colour of their own."""
    least = min(value for _, value, _ in rows) / 2
    greatest = max(value for _, value, _ in rows)
    room = _WIDTH - _LABEL - _VALUE_ROOM
    span = max(math.log10(greatest / least), 1.0)
    height = 48 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"',
        f' aria-label="{escape(heading)}">',
        _STYLE,
        f'<text x="8" y="20" font-weight="600">{escape(heading)}</text>',
        f'<text class="v" x="{_WIDTH - 8}" y="20" text-anchor="end">logarithmic</text>',
    ]
    for number, (label, value, told) in enumerate(rows):
        top = 34 + _ROW * number
        length = max(room * math.log10(value / least) / span, 2.0)
        colour = _OURS if "ledgit" in label.lower() else _THEIRS
        shown = label if len(label) <= 58 else f"{label[:57]}…"
        parts += [
            f'<text x="{_LABEL - 8}" y="{top + 14}" text-anchor="end">{escape(shown)}</text>',
            f'<rect x="{_LABEL}" y="{top + 3}" width="{length:.1f}" height="{_ROW - 7}" rx="2" fill="{colour}"/>',
            f'<text class="v" x="{_LABEL + length + 6:.1f}" y="{top + 14}">{escape(told)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def file_name(heading: str) -> str:
    """Return what the drawing of a table is called."""
    return f"bench-{re.sub('[^a-z0-9]+', '-', heading.lower()).strip('-')}.svg"


def with_pictures(text: str, found: dict[str, list[Row]], folder: str) -> str:
    """Return the report with the drawing of each table before it; *folder* as the page names it."""
    text = re.sub(r"^!\[[^]]*\]\([^)]*bench-[a-z0-9-]+\.svg\)\n\n", "", text, flags=re.MULTILINE)
    for heading in found:
        begin, middle, rest = text.partition(f"### {heading}\n")
        prose, table, after = rest.partition("\n| ")
        text = f"{begin}{middle}{prose}\n![{heading}]({folder}/{file_name(heading)})\n{table}{after}"
    return text


def main(report: str, folder: str) -> int:
    """Draw every table of *report* into *folder*, and take away drawings of tables that are gone."""
    page, target = Path(report), Path(folder)
    text = page.read_text(encoding="utf-8")
    found = tables(text)
    page.write_text(with_pictures(text, found, os.path.relpath(target, page.parent)), encoding="utf-8")
    target.mkdir(parents=True, exist_ok=True)
    wanted = {file_name(heading): draw(heading, rows) for heading, rows in found.items()}
    for path in target.glob("bench-*.svg"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (target / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} drawings in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
