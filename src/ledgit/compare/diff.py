"""What differs between runs: one row a key, one cell a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ledgit.compare.direction import Direction, direction
from ledgit.compare.inputs import InputRow, input_rows, same_data
from ledgit.compare.rows import Row
from ledgit.compare.view import MISSING, ArtifactFacts, Cell, RunView, Value

SECTIONS = ("params", "metrics", "tags", "inputs", "artifacts", "environment", "code")


@dataclass(slots=True)
class MetricRow(Row):
    """A metric across runs, with what changed since the first.

    Attributes:
        direction: Whether more or less is better; None where nothing says.
        deltas: Each run's value minus the first's; None where one of them is no finite number.
        relative: The delta as a part of the first value's size (0.1 is 10 %); None for a first of 0.
    """

    direction: Direction | None = None
    deltas: tuple[float | None, ...] = ()
    relative: tuple[float | None, ...] = ()

    def better(self, place: int) -> bool | None:
        """Whether the run at *place* is better than the first; None if equal or not decided."""
        delta = self.deltas[place]
        if not delta or self.direction is None:
            return None
        return (delta > 0) is (self.direction == "maximize")

    @property
    def best(self) -> int | None:
        """The place of the best run, the earliest of equals; None without a direction."""
        if self.direction is None:
            return None
        sign = 1 if self.direction == "maximize" else -1
        known = [(sign * cell, -place) for place, cell in enumerate(self.cells) if _is_number(cell)]  # type: ignore[operator]
        return -max(known)[1] if known else None

    def to_dict(self) -> dict[str, object]:
        """Return the row for JSON, with direction, deltas and the place of the best run."""
        return {
            **Row.to_dict(self),
            "direction": self.direction,
            "deltas": list(self.deltas),
            "relative": list(self.relative),
            "best": self.best,
        }


@dataclass(slots=True)
class ArtifactRow(Row):
    """An artifact across runs: cells are digests, *sizes* are bytes (None where it is missing)."""

    sizes: tuple[int | None, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the row for JSON, with the sizes."""
        return {**Row.to_dict(self), "sizes": list(self.sizes)}


AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Runs side by side. Rows are sorted by key; the first run is the one compared against."""

    runs: tuple[RunView, ...]
    params: tuple[Row, ...]
    metrics: tuple[MetricRow, ...]
    tags: tuple[Row, ...]
    inputs: tuple[InputRow, ...]
    artifacts: tuple[ArtifactRow, ...]
    environment: tuple[Row, ...]
    code: tuple[Row, ...]

    def __repr__(self) -> str:
        """Fit on a line: a notebook shows the value of a cell, and there are 200 packages in it."""
        counts = [(name, sum(row.differs for row in self.section(name))) for name in SECTIONS]
        differing = ", ".join(f"{count} of {name}" for name, count in counts if count)
        return f"<RunDiff {', '.join(run.name for run in self.runs)}: {differing or 'nothing'} differing>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the rows that differ."""
        from ledgit.compare.htmlview import diff_html

        return diff_html(self, SECTIONS)

    def section(self, name: str) -> Sequence[Row]:
        """Return the rows of one of `SECTIONS`."""
        if name not in SECTIONS:
            raise KeyError(name)
        rows: Sequence[Row] = getattr(self, name)
        return rows

    @property
    def differs(self) -> bool:
        """Whether any row does."""
        return any(row.differs for name in SECTIONS for row in self.section(name))

    def changed(self) -> RunDiff:
        """Return the same comparison with only the rows that differ."""
        return RunDiff(
            self.runs,
            _differing(self.params),
            _differing(self.metrics),
            _differing(self.tags),
            _differing(self.inputs),
            _differing(self.artifacts),
            _differing(self.environment),
            _differing(self.code),
        )

    @property
    def same_data(self) -> bool | None:
        """Whether all runs saw the same data, by digest; None where that can't be told.

        That is where a run recorded none, or where digests were made in different ways.
        """
        return same_data([run.inputs for run in self.runs])

    @property
    def same_code(self) -> bool | None:
        """Whether all runs started from the same files; None where a run's tree is not known."""
        trees = {run.code.get("tree") for run in self.runs}
        return None if None in trees or not trees else len(trees) == 1

    def to_dict(self) -> dict[str, object]:
        """Return the comparison for JSON: ``runs``, then a list of rows for each section."""
        shown: dict[str, object] = {"runs": [{"id": run.id, "name": run.name} for run in self.runs]}
        for name in SECTIONS:
            shown[name] = [row.to_dict() for row in self.section(name)]
        shown["same_code"], shown["same_data"] = self.same_code, self.same_data
        return shown


def diff_runs(runs: Sequence[RunView], directions: Mapping[str, str] | None = None) -> RunDiff:
    """Line up *runs*, the first being the one compared against.

    Params are the same when their texts are (MLflow's rule: ``0.1`` equals ``'0.1'``), metrics when
    equal as numbers (NaN equals NaN), artifacts when their digests are, inputs as `compare_inputs` says.

    Args:
        runs: At least one; one alone gives rows that never differ.
        directions: Metric names or patterns to ``maximize`` or ``minimize``, from the repository's
            configuration; the rest is guessed from the name, see `direction`.
    """
    runs = tuple(runs)
    return RunDiff(
        runs,
        params=_rows([run.params for run in runs]),
        metrics=tuple(_metric_rows([run.metrics for run in runs], directions)),
        tags=_rows([run.tags for run in runs]),
        inputs=input_rows([run.inputs for run in runs]),
        artifacts=tuple(_artifact_rows([run.artifacts for run in runs])),
        environment=_rows([run.environment for run in runs]),
        code=_rows([run.code for run in runs], keep_order=True),
    )


def _differing(rows: tuple[AnyRow, ...]) -> tuple[AnyRow, ...]:
    return tuple(row for row in rows if row.differs)


def _keys(sides: Iterable[Mapping[str, object]], *, keep_order: bool = False) -> list[str]:
    keys = dict.fromkeys(key for side in sides for key in side)
    return list(keys) if keep_order else sorted(keys)


def _rows(sides: Sequence[Mapping[str, Value]], *, keep_order: bool = False) -> tuple[Row, ...]:
    rows = []
    for key in _keys(sides, keep_order=keep_order):
        cells = tuple([side.get(key, MISSING) for side in sides])
        first = cells[0]
        # Most cells are equal and of one type; only the rest pay for the texts.
        differs = any(
            cell is not first
            and not (type(cell) is type(first) and cell == first)
            and _text_of(cell) != _text_of(first)
            for cell in cells
        )
        rows.append(Row(key, cells, differs))
    return tuple(rows)


def _text_of(cell: Cell) -> object:
    return cell if cell is MISSING else str(cell)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool) and not math.isnan(cell)


def _metric_rows(sides: Sequence[Mapping[str, float]], directions: Mapping[str, str] | None) -> Iterable[MetricRow]:
    for key in _keys(sides):
        cells = tuple([side.get(key, MISSING) for side in sides])
        first = cells[0]
        differs = any(cell is not first and cell != first and not (_is_nan(cell) and _is_nan(first)) for cell in cells)
        changes = [_change(first, cell) for cell in cells]
        yield MetricRow(
            key,
            cells,
            differs,
            direction(key, directions),
            tuple([delta for delta, _ in changes]),
            tuple([relative for _, relative in changes]),
        )


def _is_nan(cell: Cell) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _change(first: Cell, cell: Cell) -> tuple[float | None, float | None]:
    if not isinstance(first, int | float) or not isinstance(cell, int | float):
        return None, None
    delta = cell - first
    if not math.isfinite(delta):
        return None, None
    return delta, delta / abs(first) if first else None


def _artifact_rows(sides: Sequence[Mapping[str, ArtifactFacts]]) -> Iterable[ArtifactRow]:
    for key in _keys(sides):
        facts = [side.get(key) for side in sides]
        cells = tuple([MISSING if fact is None else fact.digest for fact in facts])
        sizes = tuple([None if fact is None else fact.size for fact in facts])
        yield ArtifactRow(key, cells, any(cell != cells[0] for cell in cells), sizes)
