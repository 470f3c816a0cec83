"""Sweeps: all of them, and one of them live with its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import BindingType

from ledgit.errors import LedgitError
from ledgit.tui.data.sweeping import SweepLine, SweepList, line_of, renewed
from ledgit.tui.data.watching import Change
from ledgit.tui.screens.sweepacts import SweepActs
from ledgit.tui.screens.sweeppane import SweepPane
from ledgit.tui.screens.sweepshown import EMPTY, sweeps_table
from ledgit.tui.widgets.grid import Grid
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.projects.sweeps import Trial
    from ledgit.projects.sweeps.following import SweepFollower
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.tui.data.sweeping import Pictured

__all__ = ["SweepScreen", "SweepsScreen"]

#: From so many trials on the pictures of a sweep that goes on are made anew after so many seconds, not each time.
_MANY, _PAUSE = 2_000, 5.0
_AT_ONCE = 8  # sweeps that are counted by one question of a thread


class _Watching(SweepActs):
    """What both screens have: one sweep that is followed, sorted and filtered."""

    def __init__(self) -> None:
        super().__init__()
        self._followers: dict[str, SweepFollower] = {}
        self._order: tuple[str, bool] = ("", False)
        self._filter = ""
        self._watched = ""
        self._drawn = 0.0

    @property
    def pane(self) -> SweepPane:
        """The sweep."""
        return self.query_one(SweepPane)

    def watch_time(self) -> None:
        """Have times of what runs go on."""
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        found = self.pane.found
        if found is not None and found.status.state == "running" and self.app.seen is self:
            self.pane.show_summary()
            self.pane.trials.refresh_rows()
            if _stale(found) and time.monotonic() - self._drawn > _PAUSE:
                self.follow(self._watched)

    def follow(self, run_id: str, *, whole: bool = False) -> None:
        """Show a sweep, or look at it again."""
        self._watched = run_id
        repository, order, text = self.session.repository, self._order, self._filter
        followers = self._followers
        shown, drawn = self.pane.found, self._drawn

        def work() -> Pictured | LedgitError | None:
            from ledgit.projects.sweeps.following import SweepFollower

            try:
                follower = followers.get(run_id)
                if follower is None:
                    while len(followers) > 4:  # each knows its trials
                        followers.pop(next(iter(followers)))
                    follower = followers[run_id] = SweepFollower(repository, run_id)
                follower.look(whole=whole)
            except LedgitError as error:  # a sweep of somebody else's, a run that was purged: others can be looked at
                return error
            status = follower.status
            if status is None:
                return None
            due = len(status.trials) < _MANY or status.state != "running" or time.monotonic() - drawn > _PAUSE
            # Compared with what is on the screen, and not with the look before, whose answer may have become void.
            if shown is not None and shown.status is status and not text and not (due and _stale(shown)):
                return None
            only = _only(repository, run_id, text)
            return renewed(shown, status, order[0], reverse=order[1], only=only, due=due)

        self.ask(work, lambda found: self._shown(run_id, found), group="sweep", what="reading the trials")

    def resort(self) -> None:
        """Show the sweep in another order, or other trials of it."""
        if not self._watched:
            return
        follower = self._followers.get(self._watched)
        if follower is None or follower.status is None:
            return
        status, order, text, run_id = follower.status, self._order, self._filter, self._watched
        repository, shown = self.session.repository, self.pane.found

        def work() -> Pictured:
            only = _only(repository, run_id, text)
            return renewed(shown, status, order[0], reverse=order[1], only=only)

        self.ask(
            work,
            lambda found: self._shown(run_id, found),
            group="sweep",
            what="sorting",
        )

    def _shown(self, run_id: str, found: Pictured | LedgitError | None) -> None:
        if run_id != self._watched:
            return
        if isinstance(found, LedgitError):
            self.pane.show(None, sort=None, marks=())
            self.pane.say(str(found))
        elif found is not None:
            sort = self._order if self._order[0] else None
            before = self.pane.found
            if before is None or found.best is not before.best:
                self._drawn = time.monotonic()
            self.pane.show(found, sort=sort, marks=self.session.marks)
            self.shown(found)

    def shown(self, found: Pictured) -> None:
        """Override: a sweep was shown."""

    # ------------------------------------------------------------------ keys

    def action_sort(self) -> None:
        """Sort the trials by the column under the cursor; again the other way round; the third time as they come."""
        grid = self.pane.trials
        if grid.columns:
            self._sort_by(grid.columns[grid.cursor_column].key)

    def action_reverse(self) -> None:
        """Have the order the other way round."""
        self._order = (self._order[0], not self._order[1])
        self.resort()

    def _sort_by(self, column: str) -> None:
        column = "state" if column == "attempts" else column
        found = self.pane.found
        down = found is not None and column == "value" and found.status.plan.direction == "maximize"
        before = self._order
        if before[0] != column:
            self._order = (column, down)
        else:
            self._order = (column, not down) if before[1] == down else ("", False)
        self.resort()

    def action_filter(self) -> None:
        """Show only the trials that a filter matches, in the language of the runs: params.lr < 0.01."""
        from ledgit.errors import FilterError
        from ledgit.tui.data.asking import Problem

        def check(text: str) -> Problem | None:
            from ledgit.query import parse_filter

            try:
                parse_filter(text)
            except FilterError as error:
                return Problem(error.position, error.reason)
            except LedgitError as error:
                return Problem(0, str(error))
            return None

        def done(text: str) -> None:
            self._filter = text.strip()
            self.resort()

        self.prompt("filter trials", done, value=self._filter, check=check, live=done)

    def clear_filter(self) -> bool:
        """Show all trials again; return whether there was a filter."""
        had, self._filter = bool(self._filter), ""
        if had:
            self.resort()
        return had

    def on_grid_header_pressed(self, event: Grid.HeaderPressed) -> None:
        """Sort by the column that was pressed."""
        if event.grid.id == "trials":
            event.stop()
            self._sort_by(event.column)


def _stale(found: Pictured) -> bool:
    """Whether trials have ended since the pictures were made."""
    return found.pictured != found.status.ended


def _only(repository: Repository, run_id: str, text: str) -> Callable[[Trial], bool] | None:
    """Return which trials a filter matches; asks the index, so in a thread."""
    if not text:
        return None
    from ledgit.query import Query

    ids = {state.id for state in repository.index.search(Query(parent_run=run_id, filter=text)).runs}
    return lambda trial: trial.run in ids


class SweepScreen(_Watching):
    """One sweep.

    Args:
        run_id: Its run, or one of its trials.
    """

    NAME = "sweep"

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self._run_id = run_id

    def body(self) -> ComposeResult:
        """Make the sweep."""
        yield SweepPane()

    def on_mount(self) -> None:
        """Read the sweep."""
        self.pane.trials.focus()
        self.watch_time()
        self.follow(self._run_id)

    def shown(self, found: Pictured) -> None:
        """Say what it is."""
        self.headline = found.status.name
        if self._filter:
            self.headline += f"   {len(found.trials):,} of {len(found.status.trials):,} trials: {self._filter}"

    def changed(self, change: Change) -> None:  # noqa: ARG002
        """Look at it again: a look at what has not changed costs next to nothing."""
        self.follow(self._run_id)

    def action_look_again(self) -> None:
        """Read every trial again."""
        self.session.forget()
        self.follow(self._run_id, whole=True)

    def action_back(self) -> None:
        """Show all trials again, or go back to the sweeps."""
        if not self.clear_filter():
            super().action_back()


class SweepsScreen(_Watching):
    """All sweeps, and below them the one under the cursor as it goes on."""

    NAME = "sweeps"
    DEFAULT_CSS = """
    SweepsScreen #sweeps { height: 8; width: 1fr; }
    SweepsScreen #nothing { display: none; height: 1fr; padding: 1 2; }
    SweepsScreen.-empty #sweeps, SweepsScreen.-empty SweepPane { display: none; }
    SweepsScreen.-empty #nothing { display: block; }
    SweepsScreen.-small SweepPane { display: none; }
    SweepsScreen.-small #sweeps { height: 1fr; }
    SweepsScreen.-narrow #plots, SweepsScreen.-tiny #plots { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self) -> None:
        super().__init__()
        self._list: SweepList | None = None
        self._lines: dict[str, SweepLine] = {}

    def body(self) -> ComposeResult:
        """Make the parts."""
        yield Grid(unicode=self.session.unicode, id="sweeps")
        yield SweepPane()
        yield Lines(id="nothing")

    @property
    def sweeps(self) -> Grid:
        """The table of sweeps."""
        return self.query_one("#sweeps", Grid)

    def on_mount(self) -> None:
        """Read the sweeps."""
        self.sweeps.focus()
        self.watch_time()
        self._list = SweepList(self.session.repository)
        self._read()

    def changed(self, change: Change) -> None:
        """Look again at the list, and at the sweep under the cursor."""
        if change.everything and self._list is not None:
            self._list.forget()
        if change.everything or change.ids:
            self._read()
            if self._watched:
                self.follow(self._watched)

    # ------------------------------------------------------------------ the list

    def _read(self) -> None:
        sweeps = self._list
        assert sweeps is not None

        def work() -> list[tuple[Run, SweepLine | None]]:
            return [(run, sweeps.known(run)) for run in sweeps.runs()]

        self.ask(work, self._take, group="list", what="reading the sweeps")

    def _take(self, found: Sequence[tuple[Run, SweepLine | None]]) -> None:
        self.set_class(not found, "-empty")
        if not found:
            self.query_one("#nothing", Lines).show([Text(EMPTY[0], "head"), *map(Text, EMPTY[1:])])
            self.headline = ""
            return
        lines = {run.id: line or self._lines.get(run.id) or _bare(run) for run, line in found}
        pictured = self.pane.found
        if pictured is not None and pictured.status.run in lines:  # the one that is watched is known best
            lines[pictured.status.run] = line_of(pictured.status)
        self._lines = lines
        self._show_list()
        self._count([run for run, line in found if line is None])

    def _count(self, runs: Sequence[Run]) -> None:
        """Count what was not counted yet, some sweeps at a time, so that the newest ones come first."""
        if not runs:
            return
        sweeps, some, rest = self._list, runs[:_AT_ONCE], runs[_AT_ONCE:]
        assert sweeps is not None

        def taken(lines: Sequence[SweepLine]) -> None:
            for line in lines:
                if line.run in self._lines and (line.run != self._watched or self.pane.found is None):
                    self._lines[line.run] = line
            self._show_list()
            self._count(rest)

        self.ask(lambda: [sweeps.line(run) for run in some], taken, group="list", what="counting trials")

    def _show_list(self) -> None:
        grid = self.sweeps
        lines = list(self._lines.values())
        columns, rows = sweeps_table(lines, self.session)
        grid.show(columns, rows, cursor=grid.cursor_key)
        high = max(self.size.height, 10)
        grid.styles.height = None if self.has_class("-small") else max(min(len(lines) + 1, high // 3), 3)
        running = sum(line.state == "running" for line in lines)
        many = len(lines)
        self.headline = f"{many:,} {'sweep' if many == 1 else 'sweeps'}" + (f", {running:,} running" if running else "")
        key = grid.cursor_key
        if key is not None and key != self._watched:
            self.follow(key)

    def shown(self, found: Pictured) -> None:
        """Bring the sweep's line up to what its trials say."""
        if found.status.run in self._lines:
            line = line_of(found.status)
            if line != self._lines[line.run]:
                self._lines[line.run] = line
                self._show_list()

    # ------------------------------------------------------------------ events

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Show the sweep the cursor came to, once it stays there."""
        if event.grid.id != "sweeps" or event.key is None or event.key == self._watched:
            return
        event.stop()
        key = event.key
        self._filter = ""

        def after() -> None:
            if self.sweeps.cursor_key == key:
                self.follow(key)

        self.set_timer(0.06, after)

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Open the sweep."""
        if event.grid.id == "sweeps":
            event.stop()
            self.app.show_sweep(event.key)

    def action_back(self) -> None:
        """Show all trials again, or go to the list of sweeps."""
        if self.clear_filter():
            return
        if not self.sweeps.has_focus and not self.has_class("-empty"):
            self.sweeps.focus()
        else:
            super().action_back()


def _bare(run: Run) -> SweepLine:
    """Return what a sweep's run alone says of it, until its trials are counted."""
    from ledgit.projects.sweeps.overview import SWEEP

    what = run.tags.get(SWEEP, "")
    return SweepLine(run.id, run.name, "", 0, 0, 0, 0, 0, None, "", "minimize", run.start, what)
