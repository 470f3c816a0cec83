"""The histories that screens draw: kept small, read once, and of active runs only what was appended."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock, RLock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ledgit.records import Points
from ledgit.tui.data.curves import Curve, Drawn, Series, series_of

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.tui.session import Session

__all__ = ["Histories", "Source", "histories", "points", "series"]

MOST_POINTS = 400_000
"""How many points of finished runs are kept: some 10 MB. Beyond it those unused for longest go."""

_MOST_LIVE = 64

_all: WeakKeyDictionary[Session, Histories] = WeakKeyDictionary()
_guard = Lock()


def histories(session: Session) -> Histories:
    """Return what all screens of *session* share."""
    with _guard:
        found = _all.get(session)
        if found is None:
            found = _all[session] = Histories(session.repository)
        return found


def points(session: Session, run: Run, metric: str) -> Points:
    """Return the points of *metric* that are drawn: at most some 1,600, each a real one, peaks among them.

    Empty if the run has no such metric. Call it in a thread: it may read a whole history, once.
    """
    return histories(session).drawn(run, [metric])[metric].points


def series(session: Session, runs: Sequence[Run], metric: str, numbers: Sequence[int] | None = None) -> list[Series]:
    """Return a chart's lines: *metric* of each of *runs* that has it. Call it in a thread.

    Args:
        session: Of the screen.
        runs: The runs, the one on top first.
        metric: The metric.
        numbers: Colour and mark of each run; None: by place.
    """
    found = []
    for place, run in enumerate(runs):
        drawn = histories(session).drawn(run, [metric])[metric]
        if drawn.total:
            found.append(series_of(drawn, run.id, run.name, numbers[place] if numbers else place, run.start))
    return found


class Source:
    """Reads a chart's lines: *metric* of *runs*. Called in threads.

    Args:
        session: Of the screen.
        runs: The runs, the one on top first.
        metric: The metric.
        numbers: Colour and mark of each run; None: by place.
    """

    def __init__(
        self, session: Session, runs: Sequence[Run], metric: str, numbers: Sequence[int] | None = None
    ) -> None:
        self.session, self.runs, self.metric, self.numbers = session, runs, metric, numbers

    def __call__(self) -> list[Series]:
        """Return the lines as they are now."""
        return series(self.session, self.runs, self.metric, self.numbers)

    def zoomed(self, kind: str, low: float, high: float) -> list[Series]:
        """Return the lines with more points from *low* to *high* of the x axis *kind*."""
        found = []
        for place, run in enumerate(self.runs):
            drawn = histories(self.session).zoomed(run, self.metric, kind, low, high)
            if drawn.total:
                number = self.numbers[place] if self.numbers else place
                found.append(series_of(drawn, run.id, run.name, number, run.start))
        return found


class _Live:
    """What is known of a run that is being written."""

    def __init__(self, repository: Repository, run: Run) -> None:
        from ledgit.store.tailing import Tail

        self.tail = Tail(repository.folder, run.id)
        self.curves: dict[str, Curve] = {}
        self.heads = run.heads
        self.lock = Lock()


class Histories:
    """Reduced histories by run and metric. Threads may share it.

    Args:
        repository: Where runs are read.
        most: How many points are kept of runs that have ended.
    """

    def __init__(self, repository: Repository, most: int = MOST_POINTS) -> None:
        self._repository = repository
        self._most = most
        self._kept: OrderedDict[tuple[str, str, tuple[str, ...]], Drawn] = OrderedDict()
        self._size = 0
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._lock = RLock()

    @property
    def size(self) -> int:
        """How many points of ended runs are kept."""
        return self._size

    def drawn(self, run: Run, metrics: Sequence[str]) -> dict[str, Drawn]:
        """Return what is drawn of each of *metrics*; of an active run only what was appended is read.

        Metrics that are asked for together are read together: a journal holds them side by side.
        """
        from ledgit.store.tailing import has_journal

        if has_journal(self._repository.folder, run.id):
            try:
                return self._drawn_live(run, metrics)
            except FileNotFoundError:
                pass  # it was finalized a moment ago
        with self._lock:
            self._live.pop(run.id, None)
        return {metric: self._drawn_ended(run, metric) for metric in metrics}

    def zoomed(self, run: Run, metric: str, kind: str, low: float, high: float) -> Drawn:
        """Return what is drawn of the part from *low* to *high* of the x axis *kind*: more of its points.

        Reads the whole history; nothing of it is kept.
        """
        whole = self._read(run, metric)
        curve = Curve()
        if kind == "step":
            first, last = bisect_left(whole.steps, low), bisect_right(whole.steps, high)
        else:  # times may go back; what is between the first and the last in question is all that is
            shift, unit = (run.start, 1000) if kind == "elapsed" else (0, 1)
            inside = [at for at, time in enumerate(whole.times) if low <= (time - shift) / unit <= high]
            first, last = (inside[0], inside[-1] + 1) if inside else (0, 0)
        first, last = max(first - 1, 0), last + 1  # lines go on to the neighbours outside
        curve.add(Points(whole.steps[first:last], whole.times[first:last], whole.values[first:last]))
        return curve.drawn()

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._live.clear()
            self._size = 0

    def _read(self, run: Run, metric: str) -> Points:
        found = self._repository.history(run, metric)
        return Points() if found is None else found

    def _drawn_ended(self, run: Run, metric: str) -> Drawn:
        key = (run.id, metric, run.heads)
        with self._lock:
            drawn = self._kept.get(key)
            if drawn is not None:
                self._kept.move_to_end(key)
                return drawn
        curve = Curve()
        curve.add(self._read(run, metric))
        drawn = curve.drawn()
        if run.heads:  # else it became a commit since somebody asked for it: the next answer knows which
            with self._lock:
                if key not in self._kept:
                    self._kept[key] = drawn
                    self._size += _weight(drawn)
                while self._size > self._most and len(self._kept) > 1:
                    self._size -= _weight(self._kept.popitem(last=False)[1])
        return drawn

    def _drawn_live(self, run: Run, metrics: Sequence[str]) -> dict[str, Drawn]:
        with self._lock:
            live = self._live.get(run.id)
            if live is None or live.heads != run.heads:
                live = self._live[run.id] = _Live(self._repository, run)
                while len(self._live) > _MOST_LIVE:
                    self._live.popitem(last=False)
            self._live.move_to_end(run.id)
        with live.lock:
            for metric in metrics:
                if metric not in live.curves:
                    live.curves[metric] = curve = Curve()
                    if run.heads:  # resumed: what it had before stands in its commit
                        curve.add(self._committed(run, metric))
            for metric, fresh in live.tail.read(metrics).items():
                live.curves[metric].add(fresh)
            return {metric: live.curves[metric].drawn() for metric in metrics}

    def _committed(self, run: Run, metric: str) -> Points:
        from ledgit.store.reading import committed_history

        repository = self._repository
        found = committed_history(repository.folder, repository.objects, run.state, metric)
        return Points() if found is None else found


def _weight(drawn: Drawn) -> int:
    return 8 + len(drawn.points) + (0 if drawn.means is None else len(drawn.means))
