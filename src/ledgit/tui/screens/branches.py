"""Commits as a graph with the runs at each, and branches with the best of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from ledgit.records.harmless import clean
from ledgit.tui.data.asking import Choice
from ledgit.tui.data.branching import (
    BranchView,
    Runs,
    best_of,
    distances,
    find_commit,
    read_runs,
    read_tips,
    runs_at,
)
from ledgit.tui.screen import Change, LedgitScreen
from ledgit.tui.screens.branchrows import CommitRows, Sized, TipRows
from ledgit.tui.widgets.grid import Column, Grid

if TYPE_CHECKING:
    from textual.app import ComposeResult


__all__ = ["BranchesScreen"]

#: Commits below the screen at which more are read.
_AHEAD = 100
_PAGE = 1_000
#: Columns that the first line of a message needs.
_SUBJECT = 22
#: Branches whose distance is counted at once: a git command each.
_AT_ONCE = 40


class BranchesScreen(LedgitScreen):
    """The code's history, and how good the runs of each commit are."""

    NAME = "branches"
    DEFAULT_CSS = """
    BranchesScreen #tips { display: none; width: 42; border-left: solid $panel; }
    BranchesScreen #commits { width: 1fr; }
    BranchesScreen.-wide #tips, BranchesScreen.-normal #tips { display: block; }
    BranchesScreen.-normal #tips { width: 34; }
    BranchesScreen.-over #tips { display: block; width: 1fr; border-left: none; }
    BranchesScreen.-over #commits { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pick", "mark", id="branches.pick"),
        Binding("d", "diff", "diff", id="branches.diff"),
        Binding("m", "metric", "metric", id="branches.metric"),
        Binding("slash", "search", "search", id="branches.search"),
        Binding("n", "next(1)", "Next match", show=False, id="branches.next"),
        Binding("N", "next(-1)", "Match before", show=False, id="branches.previous"),
        Binding("p", "code", "Code of both", show=False, id="branches.code"),
        Binding("o", "browse", "web page", id="branches.browse"),
        Binding("M", "clear", "Clear marks", show=False, id="branches.clear"),
        Binding("y", "copy", "Copy", show=False, id="branches.copy"),
        Binding("right_square_bracket", "measured(1)", "Next commit with runs", show=False, id="branches.next_runs"),
        Binding("left_square_bracket", "measured(-1)", "Commit with runs before", show=False, id="branches.prev_runs"),
        Binding("tab", "part", "branches", id="branches.part", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.view: BranchView | None = None
        self.runs: Runs | None = None
        self.metric = ""
        self.far: dict[str, tuple[int, int] | None] = {}
        self.picked: dict[str, str] = {}
        self.order: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
        self.needle = ""
        self._steps: list[int] = []  # of the search: +1 or -1; the first is being looked for
        self._reading = False

    # ------------------------------------------------------------------ what is on it

    def body(self) -> ComposeResult:
        """Make the commits, and the branches beside them."""
        unicode = self.session.unicode
        with Horizontal():
            yield Sized(unicode=unicode, id="commits", empty="Reading commits …" if unicode else "Reading commits ...")
            yield Sized(unicode=unicode, id="tips")

    def on_mount(self) -> None:
        """Begin."""
        self.commits.focus()
        self.commits.cursor_column = 1
        self.load()

    def on_unmount(self) -> None:
        """Stop Git."""
        if self.view is not None:
            self.view.graph.close()

    def on_sized_resized(self, _: Sized.Resized) -> None:
        """Make columns that fit."""
        self.draw()

    @property
    def commits(self) -> Grid:
        """The commits."""
        return self.query_one("#commits", Grid)

    @property
    def tips(self) -> Grid:
        """The branches and tags."""
        return self.query_one("#tips", Grid)

    # ------------------------------------------------------------------ reading

    def load(self) -> None:
        """Read branches and the first commits, in a thread."""
        session = self.session
        self.ask(lambda: read_tips(session), self._read, group="branches", what="reading branches")

    def _read(self, view: BranchView) -> None:
        old = self.view
        if old is not None and old.tips == view.tips and (old.branch, old.head) == (view.branch, view.head):
            view.graph.close()  # nothing moved: what was read stays
            self._count()
            return
        if old is not None:
            old.graph.close()
            self.far = {}
        self.view = view
        self.picked = {oid: name for oid, name in self.picked.items() if oid in view.named or oid in view.graph.places}
        self.draw()
        if old is None and view.head:
            place = view.graph.places.get(view.head)
            self.commits.move(place or 0, 1)
        self._count()
        self._measure()

    def _count(self) -> None:
        session, view, metric = self.session, self.view, self.metric
        if view is not None:
            self.ask(
                lambda: read_runs(session, view, metric), self._counted, group="branches.runs", what="finding runs"
            )

    def _counted(self, runs: Runs) -> None:
        self.runs = runs
        self.draw()

    def _measure(self) -> None:
        """Find out how far branches are apart from the one that is checked out, some at a time."""
        view, session = self.view, self.session
        if view is None or not view.head:
            return
        rest = [tip for tip in view.tips if tip.oid not in self.far][:_AT_ONCE]
        if not rest:
            return

        def told(found: dict[str, tuple[int, int] | None]) -> None:
            self.far.update(found)
            self.tips.refresh_rows()
            if len(self.far) < 5 * _AT_ONCE:
                self._measure()

        self.ask(lambda: distances(session, view.head, rest), told, group="branches.far")

    def draw(self) -> None:
        """Show what was read."""
        view = self.view
        if view is None:
            return
        room = self.commits.size.width or self.app.size.width
        graph = min(max((len(row.graph) for row in view.graph.rows[:2_000]), default=1), 16 if room >= 80 else 8)
        title = clean(self.runs.metric) if self.runs is not None and self.runs.metric else "value"
        named = ["graph", "subject", "runs", "value", "change", "age", "author", "commit"]
        sizes = [graph, 0, 4, 8, 9, 6, 14, 8]
        order = list(range(8))
        for place in (6, 7, 5, 4, 2, 3):  # what goes first where the message would have no room
            sizes[1] = room - sum(sizes[one] + 2 for one in order if one != 1) - 5
            if sizes[1] >= _SUBJECT:
                break
            order.remove(place)
        sizes[1] = max(sizes[1], 8)
        titles = ["", "commit", "runs", title, "change", "age", "author", "id"]
        columns = [
            Column(named[place], titles[place], sizes[place], right=place in (2, 3), fixed=place == 0)
            for place in order
        ]
        self.order = tuple(order)
        cursor = self.commits.cursor_key
        self.commits.empty = "No commits yet: git commit makes the first."
        self.commits.show(columns, CommitRows(self, view), cursor=cursor, marked=self.picked)
        width = max(self.tips.size.width - 25, 10)
        heads = [Column("name", "branches and tags", width, fixed=True), Column("far", "ahead", 8)]
        best = Column("best", "best", 8, right=True)
        marks = {f"{tip.kind}:{tip.name}" for tip in view.tips if tip.oid in self.picked}
        self.tips.show([*heads, best], TipRows(self, view, view.tips), cursor=self.tips.cursor_key, marked=marks)
        self._say()

    def _say(self) -> None:
        view, runs = self.view, self.runs
        if view is None:
            return
        count, more = len(view.graph.rows), "" if view.graph.ended else "+"
        said = [f"{count:,}{more} commit{'' if count == 1 and not more else 's'}"]
        if runs is not None:
            said.append(f"{sum(one.runs for one in runs.at.values()):,} runs")
            if runs.metric:
                said.append(f"best {clean(runs.metric)}")
        if self.picked:
            said.append(f"marked: {', '.join(clean(name) for name in self.picked.values())}")
        self.headline = f" {self.session.glyph('dot')} ".join(said)

    def changed(self, change: Change) -> None:
        """Read again what moved: branches, commits, runs."""
        if change.everything or self.view is None:
            self.load()
        elif change.ids:
            self._count()

    # ------------------------------------------------------------------ more commits

    def on_grid_moved(self, event: Grid.Moved) -> None:
        """Read on when the end comes near."""
        if event.grid is self.commits:
            self._read_on(event.row)
        elif self.view is not None:  # the graph follows
            tip = self.view.tips[event.row] if event.row < len(self.view.tips) else None
            place = self.view.graph.places.get(tip.oid) if tip is not None else None
            if place is not None:
                self.commits.move(place)

    def _read_on(self, row: int) -> None:
        view = self.view
        if view is None or self._reading or row < len(view.graph.rows) - _AHEAD:
            return
        if view.graph.ended:
            if view.graph.problem and row >= len(view.graph.rows) - 1:
                self.tell(view.graph.problem, good=False)
            return
        self._reading = True

        def told(_: int) -> None:
            self._reading = False
            if self.view is view:
                rows = self.commits.rows
                if isinstance(rows, CommitRows):
                    rows.grow()
                self.commits.refresh_rows()
                self._say()

        self.ask(lambda: view.graph.read(_PAGE), told, what="reading commits")

    # ------------------------------------------------------------------ keys

    @property
    def here(self) -> tuple[str, str]:
        """The commit that the cursor is on, and what it is called."""
        view = self.view
        if view is None:
            return "", ""
        if self.focused is self.tips:
            place = self.tips.cursor_row
            return (view.tips[place].oid, view.tips[place].name) if place < len(view.tips) else ("", "")
        oid = self.commits.cursor_key or ""
        names = view.named.get(oid)
        return oid, names[0].name if names else oid[:8]

    def action_part(self) -> None:
        """Go from the commits to the branches and back."""
        narrow = self.has_class("-narrow") or self.has_class("-tiny")
        to_tips = self.focused is not self.tips
        self.set_class(narrow and to_tips, "-over")
        self.call_after_refresh((self.tips if to_tips else self.commits).focus)
        self.call_after_refresh(self.draw)

    def action_back(self) -> None:
        """Leave the branches, clear the search."""
        if self.has_class("-over"):
            self.action_part()
        elif self.needle:
            self.needle = ""
            self._say()
        else:
            super().action_back()

    def action_pick(self) -> None:
        """Mark this commit or branch, or take its mark away; d compares two."""
        oid, name = self.here
        if not oid:
            return
        if oid in self.picked:
            del self.picked[oid]
        else:
            self.picked[oid] = name
            for first in list(self.picked)[:-2]:  # of two there is a difference
                del self.picked[first]
        self.draw()

    def action_clear(self) -> None:
        """Take all marks away."""
        self.picked.clear()
        self.draw()

    def _both(self) -> tuple[tuple[str, str], tuple[str, str]] | None:
        """Return which two commits are compared: those marked, else this with the marked or the checked-out one."""
        marked, here, view = list(self.picked.items()), self.here, self.view
        if len(marked) == 2:
            return marked[0], marked[1]
        if view is None or not here[0]:
            return None
        other = marked[0] if marked else (view.head, view.branch or view.head[:8])
        if other[0] == here[0]:
            row = view.graph.rows[view.graph.places[here[0]]] if here[0] in view.graph.places else None
            if row is None or not row.commit.parents:
                return None
            other = (row.commit.parents[0], row.commit.parents[0][:8])
        return other, here

    def action_diff(self) -> None:
        """Compare the best runs of two commits or branches; where one has none, their code."""
        both = self._both()
        if both is None:
            self.tell("Mark two commits or branches with space first.", good=False)
            return
        (one, one_name), (other, other_name) = both
        bests = [best_of(self.runs, oid) for oid in (one, other)]
        first, second = bests
        if first is not None and second is not None and first.run != second.run:
            self.app.open_diff([first.run, second.run])
            return
        if first is not None and second is not None:
            self.tell("The best run of both is the same one; this is what differs in their code.")
        self.app.open_code_diff(one, other, f"{one_name} {self.session.glyph('right')} {other_name}")

    def action_code(self) -> None:
        """Show what differs in the code of two commits or branches."""
        both = self._both()
        if both is not None:
            (one, one_name), (other, other_name) = both
            self.app.open_code_diff(one, other, f"{one_name} {self.session.glyph('right')} {other_name}")

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Show the runs of a commit, or of a branch."""
        view = self.view
        if view is None:
            return
        if event.grid is self.tips:
            tip = view.tips[self.tips.cursor_row]
            self.app.show_runs(branch=tip.name)
            return
        here = self.runs.at.get(event.key) if self.runs is not None else None
        if here is None:
            self.tell("No run was made from this commit; ] goes to the next one that has some.")
            return
        session = self.session
        self.ask(lambda: runs_at(session, here), lambda ids: self.app.show_runs(ids=ids), what="finding runs")

    def action_measured(self, by: int) -> None:
        """Go to the next commit that has runs, or the one before."""
        view, runs = self.view, self.runs
        if view is None or runs is None:
            return
        places = sorted(view.graph.places[oid] for oid in runs.at if oid in view.graph.places)
        row = self.commits.cursor_row
        ahead = [place for place in places if place > row] if by > 0 else [place for place in places if place < row]
        if ahead:
            self.draw()  # with all that was read
            self.commits.move(ahead[0] if by > 0 else ahead[-1])

    def action_metric(self) -> None:
        """Choose the metric that commits are compared by."""
        runs = self.runs
        if runs is None or not runs.metrics:
            self.tell("No run here has a metric yet.", good=False)
            return
        self.choose("Metric", [Choice(name, clean(name)) for name in runs.metrics], self._chosen)

    def _chosen(self, metric: str) -> None:
        self.metric = metric
        self._count()

    def action_search(self) -> None:
        """Search in messages, names and ids of commits; n and N go on."""
        self.prompt("search", self._search, value=self.needle)

    def _search(self, text: str) -> None:
        self.needle = text
        if text:
            self.action_next(1)

    def action_next(self, by: int) -> None:
        """Go to the next match of the search, or the one before."""
        if self.view is not None and self.needle:
            self._steps.append(by)
            if len(self._steps) == 1:  # else it is its turn when those before have been found
                self._step()

    def _step(self) -> None:
        view, needle, row, by = self.view, self.needle, self.commits.cursor_row, self._steps[0]
        assert view is not None

        def find() -> int | Exception | None:
            try:
                return find_commit(view, needle, row, by)
            except Exception as error:
                return error

        def told(place: int | Exception | None) -> None:
            if isinstance(place, int):
                self.draw()
                self.commits.move(place)
                del self._steps[0]
            else:
                self._steps.clear()
                if place is None:
                    self.tell(f"No more commit says {self.needle!r}.")
                else:
                    self.problem(place)
            if self._steps and self.needle:
                self._step()
            else:
                self._steps.clear()

        self.ask(find, told, what="searching")

    def action_browse(self) -> None:
        """Open this commit's page on the web, or show its address."""
        from ledgit.tui.hosts import commit_page, has_browser

        oid, _ = self.here
        session = self.session

        def told(page: object) -> None:
            address = str(getattr(page, "address", ""))
            if not address:
                self.tell(str(getattr(page, "why", "")), good=False)
            elif has_browser(session.environ):
                self.app.open_url(address)
                self.tell(f"Opened {address}")
            else:
                self.copy(address, f"the address {address}")

        if oid:
            self.ask(lambda: commit_page(session.repository.repo, oid, session.branch), told)

    def action_copy(self) -> None:
        """Copy this commit's id."""
        oid, _ = self.here
        if oid:
            self.copy(oid, f"the commit id {oid[:8]}")
