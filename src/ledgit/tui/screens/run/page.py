"""The screen of one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical

from ledgit.errors import LedgitError, RunNotFound
from ledgit.records.wording import duration
from ledgit.tui.data.details import Details, read_details, read_outline
from ledgit.tui.data.editing import STAR
from ledgit.tui.screens.run.acts import RunActs
from ledgit.tui.screens.run.base import Tab
from ledgit.tui.screens.run.charts import ChartsTab
from ledgit.tui.screens.run.code import CodeTab
from ledgit.tui.screens.run.files import FilesTab
from ledgit.tui.screens.run.output import OutputTab
from ledgit.tui.screens.run.overview import OverviewTab
from ledgit.tui.screens.run.plain import EnvironmentTab, HistoryTab, ReproduceTab
from ledgit.tui.widgets.tabline import TabLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.tui.screen import Change

__all__ = ["TABS", "RunScreen"]

TABS: tuple[type[Tab], ...] = (
    OverviewTab,
    ChartsTab,
    OutputTab,
    FilesTab,
    CodeTab,
    EnvironmentTab,
    HistoryTab,
    ReproduceTab,
)

_KINDS = {tab.KEY: tab for tab in TABS}


class RunScreen(RunActs):
    """A run: what it is, what it logged, its code, what became of it. A live one moves; one that ended stays.

    Args:
        run_id: The run.
        tab: Which tab is seen first; "" for the overview.
    """

    NAME = "run"
    DEFAULT_CSS = """
    RunScreen #tabs { margin-bottom: 1; }
    RunScreen #tab { height: 1fr; width: 1fr; padding: 0 1; }
    RunScreen.-small #tabs { margin-bottom: 0; }
    RunScreen.-small #tab { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "tab(1)", "tabs", id="run.next_tab", key_display="[ ]"),
        Binding("left_square_bracket", "tab(-1)", "Previous tab", show=False, id="run.previous_tab"),
    ]

    def __init__(self, run_id: str, tab: str = "") -> None:
        super().__init__()
        self.run_id = run_id
        self.details: Details | None = None
        self.gone = ""
        self._first = tab if tab in _KINDS else TABS[0].KEY
        self._made: dict[str, Tab] = {}
        self._reading = False
        self._again = False

    def body(self) -> ComposeResult:
        """Make the line of tabs, and room for one."""
        yield TabLine([(tab.KEY, tab.TITLE) for tab in TABS], id="tabs")
        yield Vertical(id="tab")

    def on_mount(self) -> None:
        """Read the run."""
        tabs = self.query_one("#tabs", TabLine)
        tabs.current = self._first
        self._see(self._first)
        session = self.session

        def outline() -> Details | None:
            try:
                return read_outline(session, self.run_id)
            except LedgitError:
                return None  # reading all of it says what is wrong

        self.ask(outline, self._outlined)
        self.set_interval(1.0, self._tick)

    def _outlined(self, found: Details | None) -> None:
        """Show what is known at once: the record of a run with thousands of histories takes seconds."""
        if found is not None and self.details is None:
            self.details = found
            self._head()
            tab = self.current
            if isinstance(tab, OverviewTab | ChartsTab) and tab.is_mounted:
                tab.show(found)
            self.refresh_bindings()
        self._read()

    # ------------------------------------------------------------------ reading

    def changed(self, change: Change) -> None:
        """Read the run again if it is among what changed."""
        if change.everything or self.run_id in change.ids:
            self._read()

    def _read(self) -> None:
        """Read the run; while it is being read, once more afterwards: a slow answer is better than none."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        before, session = self.details, self.session

        def work() -> Details | Exception:
            try:
                return read_details(session, self.run_id, before)
            except Exception as error:
                return error

        self.ask(work, self._arrived, what="reading the run")

    def _arrived(self, found: Details | Exception) -> None:
        self._reading = False
        if self._again:
            self._again = False
            self._read()
        if isinstance(found, RunNotFound):
            self.gone = "this run is not in the repository any more: it was purged"
            self._head()
            tab = self.current
            if self.details is None:
                self.problem(found)
            elif isinstance(tab, OverviewTab):
                tab.show(self.details)
            return
        if isinstance(found, Exception):
            self.problem(found)
            return
        self.gone, self.details = "", found
        self._head()
        tab = self.current
        if tab is not None:
            tab.show(found)
        self.refresh_bindings()

    def _head(self) -> None:
        """Say above everything which run this is, and how it is."""
        details = self.details
        if details is None:
            self.headline = self.gone or self.run_id[:8]
            return
        run, session = details.run, self.session
        mark = session.glyph("lost" if run.lost else run.status.lower() if run.status else "unreadable")
        took = duration((run.end or session.now()) - run.start)
        words = [f"{mark} {run.name}", "lost" if run.lost else run.status.lower(), took]
        if run.deleted:
            words.append("deleted")
        if self.gone:
            words.append("purged")
        self.headline = f" {session.glyph('dot')} ".join(words)
        marks = [
            session.glyph(name)
            for name, on in (
                ("marked", run.id in session.marks),
                ("baseline", run.id == session.baseline),
                ("star", run.tags.get(STAR) == "true"),
            )
            if on
        ]
        self.query_one("#tabs", TabLine).set_note(" ".join(marks))

    def _tick(self) -> None:
        if self.details is not None and self.details.live and self.app.seen is self:
            self._head()

    # ------------------------------------------------------------------ tabs

    @property
    def current(self) -> Tab | None:
        """The tab that is seen."""
        return self._made.get(self.query_one("#tabs", TabLine).current)

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        """Show a tab."""
        event.stop()
        self._see(event.key)

    def _see(self, key: str) -> None:
        for other, one in self._made.items():
            if other != key and one.display:
                one.display = False
                one.hidden()
        tab = self._made.get(key)
        if tab is None:
            tab = self._made[key] = _KINDS[key]()
            self.query_one("#tab").mount(tab)
            tab.display = True
            return
        tab.display = True
        self.came(tab)

    def came(self, tab: Tab) -> None:
        """Show a tab that is there now, once it has its size."""
        self.call_after_refresh(self._shown, tab)

    def _shown(self, tab: Tab) -> None:
        if tab is not self.current or not tab.is_mounted:
            return
        details = self.details
        if details is not None and (details.record or details.missing or isinstance(tab, OverviewTab | ChartsTab)):
            tab.show(details)
        main = tab.main()
        if main is not None and (self.focused is None or self.focused not in tab.walk_children()):
            main.focus()

    def action_tab(self, by: int) -> None:
        """Go to the next or the previous tab."""
        self.query_one("#tabs", TabLine).step(by)

    def go_to(self, key: str) -> None:
        """Show a tab."""
        self.query_one("#tabs", TabLine).choose(key)

    # ------------------------------------------------------------------ marks

    def run_at_cursor(self) -> str | None:
        """Return this run."""
        return self.run_id

    def runs_shown(self) -> Sequence[str]:
        """Return this run."""
        return [self.run_id]

    def other_run(self) -> str | None:
        """Return what it is compared with: the baseline, or the run it is nested in."""
        return self.session.baseline or (self.details.run.parent_run if self.details is not None else None)

    def marks_changed(self) -> None:
        """Show its marks."""
        self._head()

    def step_down(self) -> None:
        """There is only one run here."""

    def read_again(self) -> None:
        """Read the run: it was edited here."""
        self._read()
