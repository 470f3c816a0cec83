"""Which columns a table of runs has, how wide they are, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from ledgit.records.harmless import clean, width
from ledgit.records.wording import age, duration, number, scalar
from ledgit.tui.data.editing import STAR
from ledgit.tui.widgets.cells import Cell, Column

if TYPE_CHECKING:
    from ledgit.records.state import RunState
    from ledgit.tui.session import Session

__all__ = [
    "ATTRIBUTES",
    "KINDS",
    "Face",
    "cell",
    "columns_of",
    "default_names",
    "delta",
    "is_better",
    "sort_key",
    "title_of",
    "value_of",
]

KINDS = ("metrics", "params", "tags")
ATTRIBUTES = (
    "id", "experiment", "status", "start", "end", "duration", "user", "branch", "commit", "dirty", "parent_run",
)  # fmt: skip
# More than these nobody reads at once; `C` has all.
_MOST = {"metrics": 8, "params": 8}
_WIDEST_NAME, _WIDEST_TEXT, _WIDEST_TITLE = 28, 20, 14
_STATUS = {
    "RUNNING": ("running", "live"),
    "FINISHED": ("finished", "dim"),
    "FAILED": ("failed", "bad"),
    "KILLED": ("killed", "warn"),
    "SCHEDULED": ("scheduled", "dim"),
}


class Face(NamedTuple):
    """What a cell needs to know besides its run.

    Attributes:
        session: Marks, clock, directions.
        baseline: The run that others are compared with.
        directions: Which way metrics are better, as far as the repository says.
        experiments: Names that people see, by label.
    """

    session: Session
    baseline: RunState | None
    directions: Mapping[str, str]
    experiments: Mapping[str, str]


def default_names(states: Sequence[RunState]) -> list[str]:
    """Return the columns that tell *states* apart: experiment, age, varying metrics and params, duration, branch, user.

    The name of a run is always there and not among them.
    """
    names = [] if len({state.experiment for state in states}) < 2 else ["experiment"]
    names.append("start")
    metrics, params = (_telling(states, kind) for kind in ("metrics", "params"))
    names += metrics[:3] + params[:4] + metrics[3:] + params[4:]
    names.append("duration")
    if len({state.code.branch for state in states}) > 1:
        names.append("branch")
    if len({state.user for state in states}) > 1:
        names.append("user")
    return names


def _telling(states: Sequence[RunState], kind: str) -> list[str]:
    """Return the keys of *kind* that differ, those most runs have first."""
    alone = len(states) == 1
    counts: dict[str, int] = {}
    first: dict[str, object] = {}
    differing: set[str] = set()
    for state in states:
        for key, value in getattr(state, kind).items():
            counts[key] = counts.get(key, 0) + 1
            old = first.setdefault(key, value)
            if old is not value and (old != value or type(old) is not type(value)):
                differing.add(key)
    total = len(states)
    keys = [
        key
        for key, count in counts.items()
        if (alone or key in differing or count < total) and not key.startswith("system/")
    ]
    keys.sort(key=lambda key: (-counts[key], key))
    return [f"{kind}.{key}" for key in keys[: _MOST[kind]]]


def title_of(name: str) -> str:
    """Return a column's heading."""
    kind, dot, key = name.partition(".")
    if dot and kind in KINDS:
        return clean(key)
    return {"start": "age", "parent_run": "parent"}.get(name, name)


def sort_key(name: str) -> str | None:
    """Return *name* as ``order_by`` writes it; None for a column that runs can't be sorted by."""
    kind, dot, key = name.partition(".")
    if dot and kind in KINDS:
        return f"{kind}.`{key.replace('`', '``')}`"
    return "status" if name == "state" else name


def columns_of(names: Sequence[str], states: Sequence[RunState], face: Face, *, more: int = 0) -> list[Column]:
    """Return the columns *names*, as wide as *states* need: the run's state and name stay at the left.

    Args:
        names: Names of columns.
        states: Some of the runs.
        face: What cells need to know.
        more: Terminal columns that names have besides: marks of folds.
    """
    titles = [title_of(name) for name in names]
    widest = max((width(clean(state.name)) + _extra(state, face) for state in states), default=8)
    found = [
        Column("state", "", 1, fixed=True),
        Column("name", "name", max(8, min(widest, _WIDEST_NAME) + more), fixed=True),
    ]
    for name, short in zip(names, titles, strict=True):
        head = short if titles.count(short) == 1 else f"{name.partition('.')[0]} {short}"
        right = name == "duration" or _is_number(name, states)
        room = max((width(cell(state, name, face).text) for state in states), default=4)
        limit = _WIDEST_NAME if right else _WIDEST_TEXT
        taken = max(min(room, limit), min(width(head) + 2, _WIDEST_TITLE), 4)
        found.append(Column(name, head, taken, right=right))
    return found


def _extra(state: RunState, face: Face) -> int:
    starred = state.tags.get(STAR) == "true"
    is_base = face.baseline is not None and face.baseline.id == state.id
    return 2 * starred + 2 * is_base


def _is_number(name: str, states: Sequence[RunState]) -> bool:
    kind, _, key = name.partition(".")
    if kind == "metrics":
        return True
    if kind != "params":
        return False
    values = [state.params[key] for state in states if key in state.params]
    return bool(values) and all(type(value) in (int, float) for value in values)


def value_of(state: RunState, name: str, experiments: Mapping[str, str]) -> object:
    """Return what a column says about a run, as it was logged; None where it says nothing."""
    kind, dot, key = name.partition(".")
    if dot and kind in KINDS:
        found: object = getattr(state, kind).get(key)
        return found
    if name == "experiment":
        return experiments.get(state.experiment, state.experiment)
    if name == "commit":
        return state.code.commit
    if name in ("branch", "dirty"):
        return getattr(state.code, name)
    if name == "duration":
        return None if state.end is None else (state.end - state.start) / 1000
    if name in ("state", "status"):
        return "LOST" if state.lost else state.status
    return getattr(state, name, None)


def cell(state: RunState, name: str, face: Face) -> Cell:
    """Return what stands in a cell."""
    session = face.session
    kind, dot, key = name.partition(".")
    if dot and kind in KINDS:
        if kind == "metrics":
            return _metric(state, key, face)
        values = state.params if kind == "params" else state.tags
        if key not in values:
            return Cell("")
        logged = values[key]
        return Cell("None" if logged is None else scalar(logged), "warn" if key in state.conflicts else "")
    if name == "state":
        return _mark(state, session)
    if name == "name":
        text = clean(state.name) or state.id[:8]
        if state.tags.get(STAR) == "true":
            text = f"{session.glyph('star')} {text}"
        if face.baseline is not None and face.baseline.id == state.id:
            return Cell(f"{session.glyph('baseline')} {text}", "mark")
        return Cell(text, "dim" if state.deleted else "")
    if name in ("start", "end"):
        return Cell(age(getattr(state, name), session.now() / 1000).removesuffix(" ago"), "dim")
    if name == "duration":
        end = state.end if state.end is not None else session.now() if state.status == "RUNNING" else None
        return Cell(duration(None if end is None else max(end - state.start, 0)), "live" if state.end is None else "")
    value = value_of(state, name, face.experiments)
    if name in ("id", "commit", "parent_run"):
        text = str(value or "")[:8]
        return Cell(text + ("+" if name == "commit" and state.code.dirty else ""), "dim")
    if name == "dirty":
        return Cell("dirty" if value else "", "dim")
    if name == "status":
        return Cell(scalar(value), _STATUS.get(state.status, ("", ""))[1])
    return Cell(scalar(value), "" if name == "experiment" else "dim")


def _mark(state: RunState, session: Session) -> Cell:
    if state.problem:
        return Cell(session.glyph("unreadable"), "warn")
    if state.deleted:
        return Cell(session.glyph("deleted"), "dim")
    if state.lost:
        return Cell(session.glyph("lost"), "warn")
    name, style = _STATUS.get(state.status, ("lost", "warn"))
    return Cell(session.glyph(name), style)


def _metric(state: RunState, key: str, face: Face) -> Cell:
    if key not in state.metrics:
        return Cell("")
    value = state.metrics[key]
    text = number(value)
    base = face.baseline
    if base is None or base.id == state.id or key not in base.metrics:
        return Cell(text, "" if isfinite(value) else "warn")
    change = delta(value, base.metrics[key])
    better = is_better(key, value, base.metrics[key], face.directions)
    if better is None:
        return Cell(f"{text} {change} " if change else f"{text} {face.session.glyph('same')}")
    return Cell(f"{text} {change}{face.session.glyph('better' if better else 'worse')}", "good" if better else "bad")


def delta(value: float, base: float) -> str:
    """Return how much more *value* is than *base*, with its sign; "" where they are the same."""
    if value == base or (value != value and base != base):  # noqa: PLR0124 - NaN is not itself
        return ""
    change = number(value - base, 3)
    return change if change.startswith(("-", "nan")) else f"+{change}"


def is_better(metric: str, value: float, base: float, directions: Mapping[str, str]) -> bool | None:
    """Say whether *value* is better than *base*; None where they are the same, or nothing says what is better."""
    from ledgit.compare import direction

    way = direction(metric, directions)
    if way is None or value == base or value != value or base != base:  # noqa: PLR0124
        return None
    return (value > base) == (way == "maximize")
