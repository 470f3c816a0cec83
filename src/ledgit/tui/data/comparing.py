"""Columns of many runs, made ready to be drawn: numbers as they are, texts as positions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from ledgit.compare import direction
from ledgit.tui.data.axes import Kind, Scale, number_text

if TYPE_CHECKING:
    from ledgit.query import Query
    from ledgit.tui.session import Session

__all__ = [
    "ATTRIBUTES",
    "Column",
    "Compared",
    "Found",
    "Offer",
    "Placed",
    "Shades",
    "brightness",
    "find_runs",
    "offered",
    "placed",
    "read_compared",
    "shades_of",
    "spread_is_wide",
    "varies",
]

ATTRIBUTES = ("start", "duration", "status", "experiment", "branch", "user")
"""What every run has, besides what was logged."""

MOST_NAMES = 40
"""A column of more different texts is drawn with the most frequent ones; the others share a place."""

OTHERS = "(others)"


class Column(NamedTuple):
    """A column: ``metrics.loss``, ``params.lr``, ``attributes.start``."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """What names it to the program."""
        return f"{self.kind}.{self.name}"

    @classmethod
    def of(cls, key: str) -> Column:
        """Return the column that *key* names."""
        kind, _, name = key.partition(".")
        return cls(kind, name)


class Offer(NamedTuple):
    """The columns there are, those of most runs first.

    Attributes:
        metrics: Names of metrics; what the machine did (``system/``) last.
        params: Names of params.
    """

    metrics: list[str]
    params: list[str]

    def columns(self) -> list[Column]:
        """Return all of them."""
        return [
            *(Column("metrics", name) for name in self.metrics),
            *(Column("params", name) for name in self.params),
            *(Column("attributes", name) for name in ATTRIBUTES),
        ]


class Compared(NamedTuple):
    """Columns of runs, a place a run in each.

    Attributes:
        ids: Run ids.
        names: Their names.
        starts: When each began, ms.
        values: Numbers or texts by column; None: the run has none.
    """

    ids: list[str]
    names: list[str]
    starts: list[int]
    values: dict[Column, list[Any]]


class Placed(NamedTuple):
    """A column as an axis has it.

    Attributes:
        values: Where each run stands; NaN: nowhere.
        kind: What the axis counts.
        names: Texts at 0, 1, 2 … of a column of texts.
    """

    values: list[float]
    kind: Kind
    names: list[str]


_MOST_AXES = 7
_MOST_PARAMS = 200
_SAMPLE = 200
"""Which columns tell runs apart is seen from so many of the newest."""


class Found(NamedTuple):
    """What a thread found out about the runs."""

    offer: Offer
    runs: Compared
    x: Column
    y: Column
    color: Column | None
    axes: list[Column]


class Shades(NamedTuple):
    """The colour of each run.

    Attributes:
        numbers: A number a run: of a series, or a shade from 0 to 4; empty: all have one colour.
        shaded: They are shades.
        legend: What the numbers mean.
    """

    numbers: list[int]
    shaded: bool
    legend: list[tuple[int, str]]


def offered(session: Session) -> Offer:
    """Return the columns that runs of the repository have. Asks the index: call it in a thread."""
    index = session.repository.index
    metrics = index.keys("metrics")
    ours = [name for name in metrics if not name.startswith("system/")]
    return Offer([*ours, *(name for name in metrics if name.startswith("system/"))], index.keys("params"))


def read_compared(session: Session, query: Query, columns: Sequence[Column]) -> Compared:
    """Return *columns* of the runs that *query* finds. Asks the index: call it in a thread.

    Raises:
        FilterError: The filter doesn't parse.
    """
    from ledgit.query import Key

    wanted = list(dict.fromkeys(columns))
    found = session.repository.index.columns(query, *(Key(column.kind, column.name) for column in wanted))
    ids, names, starts = found[:3]
    same: dict[str, str] = {}  # thousands of runs say the same
    for place in range(3, len(found)):
        found[place] = [same.setdefault(value, value) if isinstance(value, str) else value for value in found[place]]
    if Column("attributes", "experiment") in wanted:
        place = 3 + wanted.index(Column("attributes", "experiment"))
        known = {label: session.repository.experiment_name(label) for label in set(found[place]) if label}
        found[place] = [known.get(label, label) for label in found[place]]
    return Compared(ids, names, starts, dict(zip(wanted, found[3:], strict=True)))


def placed(column: Column, values: Sequence[Any]) -> Placed:
    """Return where runs stand on an axis of *column*: numbers as they are, texts by name."""
    if column.kind == "attributes" and column.name in ("start", "duration"):
        unit = 1 if column.name == "start" else 1000
        kind: Kind = "wall" if column.name == "start" else "elapsed"
        return Placed([nan if value is None else value / unit for value in values], kind, [])
    texts = [value for value in values if isinstance(value, str)]
    if not texts:
        return Placed([nan if value is None else float(value) for value in values], "number", [])
    counts = Counter(_text(value) for value in values if value is not None)
    names = [name for name, _ in counts.most_common(MOST_NAMES)]
    names.sort(key=_number_first)
    if len(counts) > MOST_NAMES:
        names.append(OTHERS)
    places = {name: float(place) for place, name in enumerate(names)}
    others = places.get(OTHERS, nan)
    return Placed([nan if value is None else places.get(_text(value), others) for value in values], "names", names)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _number_first(text: str) -> tuple[bool, float, str]:
    try:
        return False, float(text), text
    except ValueError:
        return True, 0.0, text


def varies(values: Sequence[Any]) -> bool:
    """Whether a column tells runs apart."""
    return len({value for value in values if value is not None}) > 1


def spread_is_wide(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis suits *values*: all positive, over two orders of magnitude."""
    numbers = [value for value in values if isfinite(value)]
    return len(numbers) > 2 and min(numbers) > 0 and max(numbers) / min(numbers) >= 99


def brightness(session: Session, column: Column, values: Sequence[float]) -> list[float]:
    """Return *values* turned so that more is better: what is bright is good."""
    less = column.kind == "metrics" and direction(column.name, session.directions) == "minimize"
    return [-value for value in values] if less else list(values)


def find_runs(
    session: Session,
    query: Query,
    wanted: dict[str, Column | None],
    axes: list[Column] | None,
    *,
    parallel: bool = False,
) -> Found:
    """Choose columns where nobody did, by what the newest runs have, and read those that are drawn."""
    offer = offered(session)
    start = Column("attributes", "start")
    aims = [name for name in offer.metrics if direction(name, session.directions) is not None]
    metric = Column("metrics", (aims or offer.metrics)[0]) if offer.metrics else Column("attributes", "duration")
    y = wanted.get("y") or metric
    newest = session.repository.index.search(replace(query, limit=_SAMPLE)).runs
    logged = {name: [run.params.get(name) for run in newest] for name in offer.params[:_MOST_PARAMS]}
    varying = [Column("params", name) for name, values in logged.items() if varies(values)]
    numeric = [column for column in varying if placed(column, logged[column.name]).kind == "number"]
    x = wanted.get("x") or next(iter(numeric or varying), start)
    if axes is None:
        axes = [*varying[: _MOST_AXES - 1], y]
    color = wanted.get("color")
    asked = [start, x, y, *([color] if color else []), *(axes if parallel else [])]
    return Found(offer, read_compared(session, query, asked), x, y, color, axes)


def shades_of(found: Found) -> Shades:
    """Return the colour of each run, and what the colours mean."""
    if found.color is None:
        return Shades([], False, [])
    at = placed(found.color, found.runs.values[found.color])
    if at.kind == "names":
        numbers = [int(value) if isfinite(value) else 7 for value in at.values]
        legend = [(number, name) for number, name in enumerate(at.names[:8])]
        return Shades([min(number, 7) for number in numbers], False, legend)
    ordered = sorted(value for value in at.values if isfinite(value))
    if not ordered:
        return Shades([0] * len(at.values), True, [])
    ends = [ordered[min(len(ordered) * part // 5, len(ordered) - 1)] for part in range(6)]
    numbers = [sum(value >= end for end in ends[1:5]) if isfinite(value) else 0 for value in at.values]
    legend = [
        (
            part,
            f"{found.color.name} {_from(found.color, ends[part])}"
            if part == 0
            else f"from {_from(found.color, ends[part])}",
        )
        for part in range(5)
    ]
    return Shades(numbers, True, legend)


def _from(column: Column, value: Any) -> str:
    if column == Column("attributes", "start"):
        return Scale(0, 1, kind="wall").text(value)
    return number_text(value if isfinite(value) else nan, 3)
