"""The runs that a table shows: what was asked for, the order of all of them, and the few that are seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ledgit.tui.data.columns import Face, cell, columns_of, default_names, sort_key
from ledgit.tui.data.editing import STAR
from ledgit.tui.data.tree import Flat, Grouped, Nested, Order, nest
from ledgit.tui.widgets.cells import Cell, Column

if TYPE_CHECKING:
    from ledgit.query import Query
    from ledgit.records.state import RunState
    from ledgit.store.index_window import Window
    from ledgit.tui.session import Session

__all__ = ["ALL", "Asked", "Loaded", "RunRows", "Scope", "load", "ordered", "read_states"]

#: Runs whose values decide which columns there are and how wide: the first, and some of all the others.
_FIRST, _SPREAD = 60, 40
#: Runs kept decoded: several screens in each direction.
_KEPT = 320
_MOST_GROUPS = 100_000


class Scope(NamedTuple):
    """Which runs are looked at, before any filter.

    Attributes:
        kind: ``all branch starred running experiment ids view``.
        value: The branch, the experiment, the saved view's name.
        ids: Of ``ids``.
    """

    kind: str
    value: str = ""
    ids: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How a side bar calls it."""
        return f"{self.kind}:{self.value}"


ALL = Scope("all")


class Asked(NamedTuple):
    """What a table of runs is asked for.

    Attributes:
        scope: Which runs.
        filter: Of those, in the query language.
        sort: (column, descending); None: newest first.
        group: What they are grouped by; "" for nothing.
        names: Chosen columns; None: those that tell the runs apart.
    """

    scope: Scope = ALL
    filter: str = ""
    sort: tuple[str, bool] | None = None
    group: str = ""
    names: tuple[str, ...] | None = None

    def query(self) -> Query:
        """Return it as the index understands it. A filter's error is at its own place plus one."""
        from ledgit.query import Query

        kind, value, ids = self.scope
        parts = [f"({self.filter})"] if self.filter.strip() else []
        if kind == "starred":
            parts.append(f"tags.`{STAR}` = 'true'")
        elif kind == "running":
            parts.append("status = 'RUNNING'")
        order: tuple[str, ...] = ()
        if self.sort is not None:
            key = sort_key(self.sort[0])
            order = (f"{key} DESC" if self.sort[1] else f"{key}",) if key is not None else ()
        return Query(
            filter=" AND ".join(parts),
            order_by=order,
            branch=value if kind == "branch" else None,
            experiments=(value,) if kind == "experiment" else None,
            ids=ids[:10_000] if kind == "ids" else None,
        )

    @property
    def nests(self) -> bool:
        """Whether runs stand below those they are nested in: not where an order or a filter was asked for."""
        return self.sort is None and not self.filter and not self.group and self.scope.kind != "ids"


class Loaded(NamedTuple):
    """What a thread found.

    Attributes:
        asked: What for.
        window: The order of all runs.
        parents: Which of them is nested in which, as places.
        columns: The columns, ready to be drawn.
        states: The first of the runs, and those that were asked for by id.
        sample: What the columns were made from.
        face: For cells.
        total: Runs that there are in all, deleted ones left out.
        best: The metric whose best value heads of groups tell.
        maximize: Whether more of that is better.
    """

    asked: Asked
    window: Window
    parents: Mapping[int, int]
    columns: list[Column]
    states: dict[str, RunState]
    sample: list[RunState]
    face: Face
    total: int
    best: str | None = None
    maximize: bool = True


def load(
    session: Session,
    asked: Asked,
    *,
    around: str | None = None,
    names: Sequence[str] | None = None,
    lasting: bool = True,
) -> Loaded:
    """Ask the index; in a thread.

    Args:
        session: The session.
        asked: What is wanted.
        around: Id of a run that will be seen: its neighbours are decoded too.
        names: Columns to keep although none were chosen, so that they don't jump while runs come in.
        lasting: Whether the question will be asked again: False while a filter is typed.

    Raises:
        FilterError: The filter doesn't parse.
        LedgitError: What the index raises.
    """
    from ledgit.compare import direction
    from ledgit.query import Query

    repository = session.repository
    index = repository.index
    index.spare_memory()
    index.refresh()
    directions = session.directions
    best, maximize = None, True
    if asked.group:
        metrics = index.keys("metrics")
        best = next((key for key in metrics if direction(key, directions) is not None), None)
        if asked.sort is not None and asked.sort[0].startswith("metrics."):
            best = asked.sort[0][8:]
        maximize = best is None or direction(best, directions) != "minimize"
    window = index.window(
        asked.query(), group=asked.group or None, best=best, maximize=maximize, lasting=lasting and not asked.filter
    )
    parents = nest(window, index.nested()) if asked.nests else {}
    count = len(window)
    places = list(range(min(_FIRST, count)))
    if count > _FIRST:
        step = max((count - _FIRST) // _SPREAD, 1)
        places += range(_FIRST, count, step)
    wanted = [window.id(place) for place in places]
    near = window.find(around) if around is not None else None
    if near is not None:
        wanted += [window.id(place) for place in range(max(near - 80, 0), min(near + 80, count))]
    extra = [session.baseline] if session.baseline is not None else []
    states = index.states([*dict.fromkeys([*wanted, *extra])])
    sample = [states[run] for run in wanted[: len(places)] if run in states]
    baseline = states.get(session.baseline) if session.baseline is not None else None
    labels = {state.experiment for state in states.values()}
    experiments = {label: repository.experiment_name(label) for label in labels}
    face = Face(session, baseline, directions, experiments)
    chosen = asked.names if asked.names is not None else names if names is not None else default_names(sample)
    if best is not None and f"metrics.{best}" not in chosen:
        chosen = [f"metrics.{best}", *chosen]
    columns = columns_of(chosen, sample, face, more=8 if parents else 0)
    total = count if asked == Asked() else index.count(Query())
    return Loaded(asked, window, parents, columns, states, sample, face, total, best, maximize)


def ordered(loaded: Loaded, opened: set[str | None]) -> Order:
    """Return in which order rows stand.

    Args:
        loaded: What was found.
        opened: Values of open groups, or ids of runs that show what is nested in them.
    """
    window = loaded.window
    if window.groups:
        return Grouped(window.groups, opened, shown_groups(loaded))
    if loaded.parents:
        places = {place for run in opened if run and (place := window.find(run)) is not None}
        return Nested(len(window), loaded.parents, places)
    return Flat(len(window))


def shown_groups(loaded: Loaded) -> list[int]:
    """Return the groups in the order they are shown in: the best first, or the largest where nothing is best."""
    groups = loaded.window.groups
    best = any(group.best is not None for group in groups)
    ascending = not loaded.maximize

    def rank(number: int) -> tuple[bool, float, int]:
        group = groups[number]
        if not best:
            return group.value is None, float(-group.runs), number
        if group.best is None:
            return True, float(-group.runs), number
        return False, group.best if ascending else -group.best, number

    return sorted(range(len(groups)), key=rank)


def read_states(session: Session, ids: Sequence[str]) -> tuple[dict[str, RunState], dict[str, str]]:
    """Return runs by id, and what their experiments are called; in a thread."""
    states = session.repository.index.states(ids)
    labels = {state.experiment for state in states.values()}
    return states, {label: session.repository.experiment_name(label) for label in labels}


class RunRows:
    """Rows of a table of runs: those that are not decoded yet are asked for when they are drawn.

    Args:
        loaded: What was found.
        order: In which order rows stand.
        need: Called once when rows are drawn that are not here; :meth:`missing` says which are wanted then.
        known: Runs that are decoded already.
    """

    def __init__(
        self, loaded: Loaded, order: Order, need: Callable[[], None], known: Mapping[str, RunState] | None = None
    ) -> None:
        self.loaded, self.order = loaded, order
        self.window = loaded.window
        self.face = loaded.face
        self.names = [column.key for column in loaded.columns]
        self._best = loaded.best if self.window.groups else None
        self._need = need
        self._asked = False
        self._gone: set[str] = set()
        self._states: OrderedDict[str, RunState] = OrderedDict(known or {})
        self._states.update(loaded.states)

    def __len__(self) -> int:
        return len(self.order)

    def key(self, position: int) -> str | None:
        """Return a run's id; None for the head of a group."""
        run = self.order.run(position)
        return None if run is None else self.window.id(run)

    def find(self, key: str) -> int | None:
        """Return in which row a run stands, or what it is folded into."""
        place = self.window.find(key)
        return None if place is None else self.order.place(place)

    def depth(self, position: int) -> int:  # noqa: ARG002 - the name's own cell is indented
        """Return 0."""
        return 0

    def state(self, run_id: str | None) -> RunState | None:
        """Return a run if it is decoded."""
        return self._states.get(run_id) if run_id is not None else None

    def cells(self, position: int) -> Sequence[Cell] | None:
        """Return a row's cells, each made when it is looked at; None while the run is on its way."""
        run = self.order.run(position)
        if run is None:
            return self._head(position)
        run_id = self.window.id(run)
        state = self._states.get(run_id)
        if state is not None:
            return _RunCells(self, state, position)
        if run_id in self._gone:
            return [Cell(self.face.session.glyph("deleted"), "dim"), Cell(f"{run_id[:8]} is gone", "dim")]
        if not self._asked:
            self._asked = True
            self._need()
        return None

    def _head(self, position: int) -> Sequence[Cell]:
        number = self.order.group(position)
        assert number is not None
        group = self.window.groups[number]
        session = self.face.session
        fold = session.glyph("open" if self.order.is_open(position) else "closed")
        value = group.value
        if self.loaded.asked.group == "experiment" and value is not None:
            value = self.face.experiments.get(value, value)
        if self.loaded.asked.group == "commit" and value is not None:
            value = value[:10]
        cells = [
            Cell(fold, "head"),
            Cell(value if value is not None else "none", "head" if value is not None else "dim"),
        ]
        for name in self.names[2:]:
            if self._best is not None and name == f"metrics.{self._best}" and group.best is not None:
                from ledgit.records.wording import number as shown

                cells.append(Cell(shown(group.best), "head"))
            elif len(cells) == 2:
                cells.append(Cell(f"{group.runs:,}", "dim"))
            else:
                cells.append(Cell(""))
        return cells

    # -- coming in ---------------------------------------------------------------------------

    def missing(self, rows: range, around: int) -> list[str]:
        """Return which runs are to be decoded: those of *rows*, and as many as *around* before and after them."""
        self._asked = False
        first, last = max(rows.start - around, 0), min(rows.stop + around, len(self))
        places = (self.order.run(row) for row in range(first, last))
        ids = (self.window.id(place) for place in places if place is not None)
        return [run for run in ids if run not in self._states and run not in self._gone]

    def add(self, ids: Sequence[str], states: Mapping[str, RunState], experiments: Mapping[str, str]) -> None:
        """Take in runs that have come; those of *ids* that have not are gone."""
        self._states.update(states)
        self._gone.update(run for run in ids if run not in states)
        if not experiments.keys() <= self.face.experiments.keys():
            self.face = self.face._replace(experiments={**self.face.experiments, **experiments})
        while len(self._states) > _KEPT:
            self._states.popitem(last=False)

    def forget(self, ids: Sequence[str]) -> None:
        """Have runs read again that have changed."""
        for run in ids:
            self._states.pop(run, None)

    @property
    def known(self) -> Mapping[str, RunState]:
        """Runs that are decoded."""
        return self._states


class _RunCells(Sequence[Cell]):
    """The cells of one run, each made when it is looked at: there may be 10,000 columns."""

    def __init__(self, rows: RunRows, state: RunState, position: int) -> None:
        self._rows, self._state, self._position = rows, state, position

    def __len__(self) -> int:
        return len(self._rows.names)

    def __getitem__(self, number: int) -> Cell:  # type: ignore[override]
        rows = self._rows
        made = cell(self._state, rows.names[number], rows.face)
        return self._folded(made) if number == 1 else made

    def _folded(self, made: Cell) -> Cell:
        order, position = self._rows.order, self._position
        glyph = self._rows.face.session.glyph
        text = made.text
        inside = order.inside(position)
        if inside:
            text = f"{glyph('open' if order.is_open(position) else 'closed')} {text} ({inside})"
        depth = order.depth(position)
        return Cell("  " * min(depth, 6) + text, made.style) if depth or inside else made
