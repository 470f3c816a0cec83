"""What the cells of a comparison say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ledgit.compare import MISSING, ArtifactRow, InputRow, MetricRow, Missing, Row
from ledgit.records.harmless import clean, size
from ledgit.records.wording import apart, scalar

__all__ = ["DASH", "Piece", "cells_of", "counted", "much"]

DASH = "–"


class Piece(NamedTuple):
    """What one cell says, and whether that is ``good`` or ``bad`` news, ``dim``, or plain."""

    text: str
    style: str = ""


def cells_of(row: Row, *, pair: bool, percent: bool) -> list[Piece]:
    """Return a row's cells: one for each run, and of two runs (*pair*) one for what changed.

    Args:
        row: Any row of a comparison.
        pair: Whether there are two runs.
        percent: Say by how much of the baseline's value a metric changed, where there is no room for both.
    """
    if isinstance(row, MetricRow):
        return _metric(row, pair=pair, percent=percent)
    if isinstance(row, InputRow):
        cells = [Piece(_input(row, place)) for place in range(len(row.facts))]
        said = {"same": "the same", "different": "different", "unknown": "can't be told"}[row.verdict]
        return [*cells, Piece(said, "dim" if row.verdict == "same" else "warn")] if pair else cells
    if isinstance(row, ArtifactRow):
        cells = [Piece(_artifact(row, place)) for place in range(len(row.cells))]
        change = _grown(row.sizes) if row.differs else ""
        return [*cells, Piece(change, "dim")] if pair else cells
    texts = _apart(row.cells)
    short = 12 if row.key in ("commit", "lock_hash") else None
    cells = [
        Piece(DASH, "dim") if cell is MISSING else Piece(text[:short])
        for cell, text in zip(row.cells, texts, strict=True)
    ]
    if pair:
        return [*cells, Piece(_change(row), "dim")]
    return cells[:1] + [
        cell if _same(row.cells[0], value) else Piece(cell.text, "warn")
        for cell, value in zip(cells[1:], row.cells[1:], strict=True)
    ]


def counted(counts: tuple[int | None, int | None]) -> str:
    """Return how many lines were added and removed; None stands for a binary file."""
    added, removed = counts
    return "binary" if added is None or removed is None else f"+{added} -{removed}"


def _same(one: object, other: object) -> bool:
    return (type(one) is type(other) and one == other) or str(one) == str(other)


def _apart(cells: Sequence[object]) -> list[str]:
    if cells and all(isinstance(cell, float) for cell in cells):
        return apart([float(cell) for cell in cells])  # type: ignore[arg-type]
    return ["" if cell is MISSING else "None" if cell is None else scalar(cell) for cell in cells]


def _metric(row: MetricRow, *, pair: bool, percent: bool) -> list[Piece]:
    numbers = [cell for cell in row.cells if not isinstance(cell, Missing)]
    shown = iter(apart([float(number) for number in numbers]) if numbers else ())  # type: ignore[arg-type]
    texts = [DASH if isinstance(cell, Missing) else next(shown) for cell in row.cells]
    pieces = [Piece(texts[0], "dim" if texts[0] == DASH else "")]
    for place in range(1, len(texts)):
        if pair:
            pieces.append(Piece(texts[place], "dim" if texts[place] == DASH else ""))
            continue
        change, style = _changed(row, place, percent=percent, short=True)
        pieces.append(Piece(f"{texts[place]} {change}".rstrip(), style or ("dim" if texts[place] == DASH else "")))
    if pair:
        pieces.append(Piece(*_changed(row, 1, percent=percent)))
    return pieces


def _changed(row: MetricRow, place: int, *, percent: bool, short: bool = False) -> tuple[str, str]:
    """Return by how much a metric changed, with a mark that says whether it is better, and a style."""
    delta, part, verdict = row.deltas[place], row.relative[place], row.better(place)
    if delta is None:
        return ("", "")
    if not delta:
        return ("", "dim") if short else ("=", "dim")
    mark = {True: "▲", False: "▼", None: ""}[verdict]
    style = {True: "good", False: "bad", None: "dim"}[verdict]
    relative = f"{part:+.1%}" if part is not None and abs(part) < 10 else ""
    if short:
        return mark + ((relative if percent else "") or f"{delta:+.3g}"), style
    word = {True: "▲ better", False: "▼ worse", None: ""}[verdict]
    return f"{word:<8} {delta:+.3g}  {relative}".strip(), style


def _input(row: InputRow, place: int) -> str:
    fact = row.facts[place]
    if fact is None:
        return DASH
    amount = much(fact)
    name = f"{clean(fact.name)} " if row.renamed else ""
    return f"{name}{clean(fact.digest)[:8] or 'no digest'}{f' ({amount})' if amount else ''}"


def much(fact: object) -> str:
    """Return how much data a data set is."""
    rows, bytes_of = getattr(fact, "rows", None), getattr(fact, "size", None)
    if rows is not None:
        return f"{rows:,} row{'' if rows == 1 else 's'}"
    return "" if bytes_of is None else size(bytes_of)


def _artifact(row: ArtifactRow, place: int) -> str:
    cell, bytes_of = row.cells[place], row.sizes[place]
    return DASH if bytes_of is None else f"{str(cell).rpartition(':')[2][:8]} {size(bytes_of)}"


def _grown(sizes: Sequence[int | None]) -> str:
    first, last = sizes[0], sizes[-1]
    if first is None:
        return "added"
    if last is None:
        return "removed"
    return f"{'+' if last >= first else '-'}{size(abs(last - first))}" if last != first else "other content"


def _change(row: Row) -> str:
    first, last = row.cells[0], row.cells[-1]
    if not row.differs:
        return ""
    if first is MISSING:
        return "added"
    if last is MISSING:
        return "removed"
    numbers = [cell for cell in (first, last) if isinstance(cell, int | float) and not isinstance(cell, bool)]
    if len(numbers) == 2 and numbers[0] and numbers[1] / numbers[0] > 0:
        factor = numbers[1] / numbers[0]
        if factor >= 1.95 or factor <= 0.52:
            return f"× {factor:.3g}" if factor >= 1 else f"÷ {1 / factor:.3g}"
    return ""
