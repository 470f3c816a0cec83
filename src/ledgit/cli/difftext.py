"""A comparison of runs as text and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ledgit.cli import render, text
from ledgit.compare import SECTIONS, ArtifactRow, InputRow, MetricRow, Missing, Row, RunDiff, sparkline
from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.compare import Cell
    from ledgit.repository import Run
    from ledgit.store.checkout import FileChange

SPARK = 12
ABSENT = "–"
_NOTE_TAG = "mlflow.note.content"
_IDS = ("commit", "lock_hash")


class DiffText:
    """Lays out a `RunDiff`: two runs as old → new with the change, more as a column each."""

    def __init__(
        self, diff: RunDiff, runs: Sequence[Run], files: Sequence[FileChange], style: text.Style, limit: int | None
    ) -> None:
        self.diff, self.runs, self.files, self.style, self.limit = diff, runs, files, style, limit
        self.pair = len(runs) == 2

    def lines(self, why: str = "") -> list[str]:
        """Return the comparison as lines; *why* says how the first run was chosen."""
        style = self.style
        names = [f"{style.bold(text.clean(run.name))} {style.yellow(run.id[:8])}" for run in self.runs]
        lines = [" → ".join(names) if self.pair else " · ".join(names)]
        if why:
            lines.append(style.dim(text.clean(f"(compared with {why})")))
        for name in SECTIONS:
            body = self._section(name)
            if body:
                lines += ["", style.bold(self._title(name)), *("  " + line for line in body)]
        if len(lines) == 1 + bool(why) and not self.files:
            lines.append("nothing differs")
        if not self.diff.inputs and self.diff.same_data:
            lines += ["", style.bold(self._title("inputs"))]
        return lines

    def markdown(self) -> str:
        """Return the comparison as Markdown: a heading and a table for each section."""
        names = [f"{render.markdown(run.name)} ({run.id[:8]})" for run in self.runs]
        parts = ["## " + (" → ".join(names) if self.pair else " · ".join(names)) + "\n"]
        for name in SECTIONS:
            rows = self._rows(self.diff.section(name))
            if rows:
                parts.append(f"### {self._title(name)}\n\n" + render.markdown_table(self._titles(name), rows))
        if self.files:
            rows = [[_path(change), *_counts(change)] for change in self.files]
            parts.append(
                "### files\n\n" + render.markdown_table(["file", "added", "removed"], rows, [False, True, True])
            )
        if len(parts) == 1:
            parts.append("nothing differs\n")
        return "\n".join(parts)

    def _title(self, name: str) -> str:
        if name == "inputs":
            said = {True: "the same", False: "different", None: "it can't be told whether they are the same"}
            return f"data ({said[self.diff.same_data]})"
        if name == "code" and self.diff.same_code:
            return "code (the same files)"
        return name

    def _titles(self, name: str) -> list[str]:
        titles = ["", *(run.name for run in self.runs)]
        return [*titles, "change"] if name in ("metrics", "inputs") and self.pair else titles

    def _section(self, name: str) -> list[str]:
        rows = self._rows(self.diff.section(name))
        if name == "code":
            return self._table(name, rows) + self._diffstat()
        return self._table(name, rows) if rows else []

    def _table(self, name: str, rows: list[list[str]]) -> list[str]:
        if not rows:
            return []
        if self.pair:
            # One arrow between the two values, as a column of its own.
            rows = [[row[0], row[1], render.Painted("→", self.style.dim), *row[2:]] for row in rows]
            columns = [render.Column("", least=10), render.Column("", least=8), render.Column("")]
            columns += [render.Column("", least=8) for _ in rows[0][3:]]
        else:
            columns = [render.Column(text.clean(title), least=8) for title in self._titles(name)]
        limit = None if self.limit is None else self.limit - 2
        return render.table(columns, rows, style=self.style, limit=limit, header=not self.pair)[0]

    def _rows(self, rows: Sequence[Row]) -> list[list[str]]:
        # Trees and patch ids say no more than the files below, to people.
        return [self._row(row) for row in rows if row.key not in ("tree", "patch_id")]

    def _row(self, row: Row) -> list[str]:
        key = "note" if row.key == _NOTE_TAG else text.clean(row.key.removeprefix("packages."))
        if isinstance(row, MetricRow):
            return [key, *self._metric(row)]
        if isinstance(row, InputRow):
            return [key, *self._input(row)]
        if isinstance(row, ArtifactRow):
            cells = [
                ABSENT if size is None else f"{str(cell).rpartition(':')[2][:8]} ({text.size(size)})"
                for cell, size in zip(row.cells, row.sizes, strict=True)
            ]
            return [key, *cells]
        short = 12 if row.key in _IDS else 60
        return [key, *(_cell(cell, short) for cell in _apart(row.cells))]

    def _metric(self, row: MetricRow) -> list[str]:
        numbers = [cell for cell in row.cells if not isinstance(cell, Missing)]
        shown = iter(text.apart([float(number) for number in numbers]))  # type: ignore[arg-type]
        cells = []
        for place, cell in enumerate(row.cells):
            if isinstance(cell, Missing):
                cells.append(ABSENT)
                continue
            spark = self._spark(place, row.key)
            value = f"{spark} {next(shown)}" if spark else next(shown)
            best = not self.pair and row.differs and row.best == place
            cells.append(render.Painted(value, self.style.green) if best else value)
        return [*cells, self._change(row)] if self.pair else cells

    def _input(self, row: InputRow) -> list[str]:
        cells = []
        for fact in row.facts:
            if fact is None:
                cells.append(ABSENT)
                continue
            name = [text.fit(text.clean(fact.name), 30)] if row.renamed else []
            much = "" if fact.rows is None else f"{fact.rows} row{'' if fact.rows == 1 else 's'}"
            much = much or ("" if fact.size is None else text.size(fact.size))
            cells.append(
                " ".join([*name, text.clean(fact.digest)[:8] or "no digest", f"({much})" if much else ""]).strip()
            )
        return [*cells, _verdict(row)] if self.pair else cells

    def _spark(self, place: int, key: str) -> str:
        try:
            values = self.runs[place].history(key).values
        except LedgitError:
            return ""
        return sparkline(values, SPARK) if len(values) > 1 else ""

    def _change(self, row: MetricRow) -> str:
        delta, part, better = row.deltas[-1], row.relative[-1], row.better(len(row.cells) - 1)
        if not delta:
            return ""
        shown = f"{delta:+.4g}" + (f" ({part:+.1%})" if part is not None and abs(part) < 10 else "")
        if better is None:
            return shown
        paint = self.style.green if better else self.style.red
        return render.Painted(f"{shown} {'better' if better else 'worse'}", paint)

    def _diffstat(self) -> list[str]:
        if not self.files:
            return []
        rows = []
        for change in self.files:
            added, removed = _counts(change)
            plus = render.Painted("+" + added, self.style.green) if added else "binary"
            rows.append([_path(change), plus, render.Painted("-" + removed, self.style.red) if removed else ""])
        columns = [render.Column("", least=16), render.Column("", right=True), render.Column("", right=True)]
        limit = None if self.limit is None else self.limit - 2
        return render.table(columns, rows, style=self.style, limit=limit, header=False)[0]


def _verdict(row: InputRow) -> str:
    """Return why two can't be compared; "" where they can."""
    if row.verdict != "unknown":
        return "the same" if row.verdict == "same" else ""
    kinds = [text.clean(fact.kind) or "unknown" for fact in row.facts if fact is not None]
    if len(kinds) < 2:
        return "not recorded"
    return f"digests by {kinds[0]} and {kinds[-1]}" if kinds[0] != kinds[-1] else "not recorded by digest"


def _path(change: FileChange) -> str:
    path = text.clean(change.path)
    return f"{text.clean(change.old_path)} → {path}" if change.old_path else path


def _counts(change: FileChange) -> list[str]:
    return ["" if count is None else str(count) for count in (change.added, change.removed)]


def _apart(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Return float cells as texts that differ where the numbers do."""
    if all(isinstance(cell, float) for cell in cells):
        return text.apart([float(cell) for cell in cells])  # type: ignore[arg-type]
    return cells


def _cell(cell: Cell, limit: int) -> str:
    if isinstance(cell, Missing):
        return ABSENT
    shown = "None" if cell is None else text.scalar(cell, 12)
    return shown[:12] if limit == 12 else text.fit(shown, limit)
