"""Two to eight runs side by side: what differs, with the chart or the whole value of what the cursor is on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.widgets import Static

from ledgit.compare import MetricRow
from ledgit.records.harmless import clean
from ledgit.tui.data.asking import Choice
from ledgit.tui.data.differences import MOST_RUNS, Differences, DiffLine, code_of, read_differences
from ledgit.tui.data.difffiles import FORMATS, diff_file, diff_text
from ledgit.tui.data.histories import series
from ledgit.tui.screen import Change, LedgitScreen
from ledgit.tui.screens.diffrows import DiffRows, diff_columns, plain
from ledgit.tui.screens.terminal import page_changes
from ledgit.tui.widgets.chart import Chart, Series
from ledgit.tui.widgets.grid import Grid

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from ledgit.run import Run

__all__ = ["DiffScreen"]

#: Seconds the cursor rests before the chart of a metric is read.
_REST = 0.06


_STYLES = {"good": "$text-success", "bad": "$text-error", "warn": "$text-warning", "dim": "$text-muted"}


class DiffScreen(LedgitScreen):
    """What differs between runs; the first is the one the others are compared with."""

    NAME = "diff"
    DEFAULT_CSS = """
    DiffScreen #verdict { height: auto; max-height: 3; padding: 0 1; color: $text; }
    DiffScreen #split { layout: vertical; height: 1fr; }
    DiffScreen #lines { height: 1fr; }
    DiffScreen #pane { height: 9; border-top: solid $panel; }
    DiffScreen #chart { height: 1fr; display: none; }
    DiffScreen #samples { height: auto; max-height: 4; padding: 0 1; display: none; }
    DiffScreen #whole { height: 1fr; padding: 0 1; }
    DiffScreen.-wide #split { layout: horizontal; }
    DiffScreen.-wide #lines { width: 1fr; height: 1fr; }
    DiffScreen.-wide #pane { width: 40%; max-width: 76; height: 1fr; border-top: none; border-left: solid $panel; }
    DiffScreen.-low #pane { display: none; }
    DiffScreen.-small #verdict { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("equals_sign", "equal", "equal rows", id="diff.equal"),
        Binding("slash", "filter", "filter", id="diff.filter"),
        Binding("p", "code", "code", id="diff.code"),
        Binding("D", "pager", "git diff", id="diff.pager"),
        Binding("left_square_bracket", "section(-1)", "Previous section", show=False, id="diff.previous_section"),
        Binding("right_square_bracket", "section(1)", "Next section", show=False, id="diff.next_section"),
        Binding("less_than_sign", "baseline(-1)", "Baseline to the left", show=False, id="diff.baseline_left"),
        Binding("greater_than_sign", "baseline(1)", "baseline", key_display="< >", id="diff.baseline_right"),
        Binding("b", "make_baseline", "Make this run the baseline", show=False, id="diff.baseline"),
        Binding("percent_sign", "percent", "Percent", show=False, id="diff.percent"),
        Binding("y", "copy", "copy", id="diff.copy"),
        Binding("w", "export", "export", id="diff.export"),
        Binding("c", "compare", "Charts of these runs", show=False, id="diff.compare"),
        Binding("tab", "app.focus_next", "Next part", show=False, id="diff.next_part"),
        Binding("shift+tab", "app.focus_previous", "Part before", show=False, id="diff.previous_part"),
    ]

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        wanted = list(dict.fromkeys(run_ids))
        self.ids = wanted[:MOST_RUNS]
        self._left_out = len(wanted) - len(self.ids)
        self.differences: Differences | None = None
        self.equal = False
        self.percent = False
        self.text = ""
        self._charted = ""

    # ------------------------------------------------------------------ what is on it

    def body(self) -> ComposeResult:
        """Make the verdict, the table, and the pane below or beside it."""
        unicode = self.session.unicode
        yield Static(id="verdict", markup=False)
        with Container(id="split"):
            yield Grid(unicode=unicode, id="lines", empty="Comparing …" if unicode else "Comparing ...")
            with Container(id="pane"):
                yield Static(id="samples", markup=False)
                yield Chart(id="chart")
                with VerticalScroll(id="whole", can_focus=False):
                    yield Static(id="value", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.grid.focus()
        self.grid.cursor_column = 2
        self.load()
        if self._left_out:
            self.tell(f"Only the first {MOST_RUNS} runs are compared; {self._left_out} are left out.", good=False)

    def on_resize(self, event: events.Resize | None = None) -> None:
        """Leave the pane away where there is no room, and give the columns theirs."""
        super().on_resize()
        self.set_class(self.app.size.height < 18, "-low")
        if self.differences is not None and event is not None:
            self.call_after_refresh(self.draw)

    @property
    def grid(self) -> Grid:
        """The table."""
        return self.query_one("#lines", Grid)

    @property
    def chart(self) -> Chart:
        """The chart in the pane."""
        return self.query_one("#chart", Chart)

    @property
    def line(self) -> DiffLine | None:
        """What the cursor is on."""
        rows = self.grid.rows
        place = self.grid.cursor_row
        return rows.lines[place] if isinstance(rows, DiffRows) and 0 <= place < len(rows) else None

    @property
    def place(self) -> int | None:
        """The place of the run whose column the cursor is in."""
        place = self.grid.cursor_column - 1
        return place if self.differences is not None and 0 <= place < len(self.differences.runs) else None

    # ------------------------------------------------------------------ reading

    def load(self) -> None:
        """Read the runs, in a thread."""
        session, ids, before = self.session, tuple(self.ids), self.differences
        count = len(ids)
        self.ask(
            lambda: read_differences(session, ids, before), self._read, group="diff", what=f"comparing {count} runs"
        )

    def _read(self, differences: Differences) -> None:
        self.differences = differences
        self.ids = [run.id for run in differences.runs] or self.ids
        self.headline = f"{len(differences.runs)} runs"
        self._charted = ""
        self.draw()

    def draw(self) -> None:
        """Show what was read, as filters and toggles say."""
        differences = self.differences
        if differences is None:
            return
        unicode = self.session.unicode
        lines = differences.shown(equal=self.equal, text=self.text)
        rows = DiffRows(differences, lines, percent=self.percent, unicode=unicode)
        first = not len(self.grid.rows)
        key = self.grid.cursor_key
        self.grid.empty = self._nothing(differences)
        self.grid.show(diff_columns(rows, self.grid.size.width or self.app.size.width, self._mark), rows, cursor=key)
        if first:
            start = next((place for place, line in enumerate(lines) if line.section == "metrics" and line.key), 1)
            self.grid.move(start, 2)
        self._say_verdict(differences)
        self.show_pane()

    def _nothing(self, differences: Differences) -> str:
        if not differences.runs:
            return "These runs are gone: they were purged. Press escape to go back."
        if self.text:
            return f"Nothing here says {clean(self.text)!r}. Press / and delete it to see all."
        return "Nothing differs. Press = to see what is the same."

    def _mark(self, place: int) -> str:
        return self.session.colors(place)[1]  # as in the chart; the baseline stands first

    def _say_verdict(self, differences: Differences) -> None:
        said = Text()
        variables = self.app.theme_variables
        dot = plain(" · ", unicode=self.session.unicode)
        for number, (text, style) in enumerate(differences.verdict()):
            said.append(dot if number else "", _rich(variables, "$text-muted"))
            said.append(clean(text), _rich(variables, _STYLES.get(style, "$text")))
        if self.text:
            said.append(f"{dot}filter: {clean(self.text)}", _rich(variables, "$text-warning"))
        self.query_one("#verdict", Static).update(said)

    def changed(self, change: Change) -> None:
        """Compare again when one of the runs grew, ended or was edited."""
        if change.everything or change.ids & set(self.ids):
            self.load()

    # ------------------------------------------------------------------ the pane

    def on_grid_moved(self, _: Grid.Moved) -> None:
        """Show what the cursor is on."""
        self.show_pane()

    def show_pane(self) -> None:
        """Show the chart of a metric, or all of a value."""
        line, differences = self.line, self.differences
        if line is None or differences is None:
            self.query_one("#value", Static).update("")
            return
        metric = line.row.key if isinstance(line.row, MetricRow) else ""
        self.chart.display = bool(metric)
        self._say_samples(differences, metric)
        self.query_one("#whole").display = not metric
        if not metric:
            self._charted = ""
            self.query_one("#value", Static).update(self._whole(differences, line))
        elif metric != self._charted:
            self._charted = metric
            self.set_timer(_REST, lambda: self._ask_chart(metric))

    def _say_samples(self, differences: Differences, metric: str) -> None:
        """Say above the chart what repeats tell of a metric."""
        repeats, samples = differences.repeats, self.query_one("#samples", Static)
        samples.display = repeats is not None and metric in repeats.metrics
        if repeats is not None and samples.display:
            word, style = repeats.word(metric)
            variables, unicode = self.app.theme_variables, self.session.unicode
            said = Text(plain(word, unicode=unicode), _rich(variables, _STYLES.get(style, "$text")))
            said.append(f"\n{plain(repeats.sentence(metric), unicode=unicode)}", _rich(variables, "$text-muted"))
            samples.update(said)

    def _ask_chart(self, metric: str) -> None:
        differences = self.differences
        if metric != self._charted or differences is None:  # the cursor went on
            return
        session, runs = self.session, differences.runs

        def read() -> list[Series]:
            return series(session, [run for run in runs if metric in run.metrics], metric,
                          [place for place, run in enumerate(runs) if metric in run.metrics])  # fmt: skip

        def show(found: list[Series]) -> None:
            if metric == self._charted:
                self.chart.source = read
                self.chart.show(found, title=clean(metric))

        self.ask(read, show, group="diff.chart", what="reading histories")

    def _whole(self, differences: Differences, line: DiffLine) -> Text:
        """Return all of what a line says, wrapped: one paragraph for each run."""
        said = Text(overflow="fold")
        if not line.key:
            return said
        variables = self.app.theme_variables
        said.append(f"{clean(line.title)}\n", "bold")
        for place, (run, value) in enumerate(zip(differences.runs, differences.values(line), strict=False)):
            said.append(f"{self._mark(place)} ", _rich(variables, "$text-accent"))
            said.append(f"{clean(run.name)}  ", _rich(variables, "$text-muted"))
            said.append(f"{clean(value)}\n")
        return said

    # ------------------------------------------------------------------ keys

    def action_equal(self) -> None:
        """Show rows in which all runs are the same, or hide them."""
        self.equal = not self.equal
        self.draw()

    def action_percent(self) -> None:
        """Say changes as a part of the baseline's value, or absolutely."""
        self.percent = not self.percent
        self.draw()

    def action_filter(self) -> None:
        """Show only rows that have these words in their name or a value."""
        self.prompt("filter", self._filtered, value=self.text, live=self._filtered)

    def _filtered(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.draw()

    def action_back(self) -> None:
        """Clear the filter, then go back to the screen before."""
        if self.grid.cancel_range():
            return
        if self.text:
            self._filtered("")
        else:
            super().action_back()

    def action_section(self, by: int) -> None:
        """Go to the next section, or the one before."""
        rows = self.grid.rows
        if not isinstance(rows, DiffRows):
            return
        heads = rows.heads()
        here = self.grid.cursor_row
        before = [head for head in heads if head < here - 1] or heads[-1:]
        after = [head for head in heads if head > here] or heads[:1]
        aim = (after[0] if by > 0 else before[-1]) if heads else 0
        self.grid.move(min(aim + 1, len(rows) - 1))
        self.grid.scroll_to(y=aim, animate=False)

    def action_baseline(self, by: int) -> None:
        """Compare with the next run instead, or the one before."""
        if len(self.ids) > 1:
            self.ids = [*self.ids[by:], *self.ids[:by]]
            self.load()

    def action_make_baseline(self) -> None:
        """Compare with the run of this column instead, here and in the table of runs."""
        place, differences = self.place, self.differences
        if place is None or differences is None:
            self.tell("Move to the column of a run first.", good=False)
            return
        run_id = differences.runs[place].id  # as it is seen: another order may be on its way, or a run be left out
        self.session.baseline = run_id
        self.ids = [run_id, *(other for other in self.ids if other != run_id)]
        self.grid.move(column=1)
        self.load()

    def on_grid_opened(self, _: Grid.Opened) -> None:
        """Open the run of the column; of a file the difference in it."""
        line, differences = self.line, self.differences
        if differences is None:
            return
        place = self.place
        if line is not None and line.key.startswith("file/"):
            self._open_code(place or len(differences.runs) - 1, line.title)
            return
        if place is None:
            place = len(differences.runs) - 1 if self.grid.cursor_column else 0
        self.app.open_run(differences.runs[place].id)

    def _sides(self) -> tuple[Run, Run] | None:
        differences = self.differences
        if differences is None or len(differences.runs) < 2:
            return None
        return differences.runs[0], differences.runs[self.place or len(differences.runs) - 1]

    def action_code(self) -> None:
        """Show what differs in the code of the baseline and the run of this column."""
        sides = self._sides()
        if sides is not None and self.differences is not None:
            self._open_code(self.differences.runs.index(sides[1]), "")

    def _open_code(self, place: int, path: str) -> None:
        from ledgit.tui.screens.codediff import CodeDiffScreen

        assert self.differences is not None
        one, other = self.differences.runs[0], self.differences.runs[place]
        old, new = code_of(one), code_of(other)
        if not old or not new or one.id == other.id:
            self.tell("The code of one of these runs was not recorded.", good=False)
            return
        arrow = self.session.glyph("right")
        self.app.push_screen(CodeDiffScreen(old, new, f"{one.name} {arrow} {other.name}", path))

    def action_pager(self) -> None:
        """Hand git diff of both runs' code to your pager."""
        sides = self._sides()
        old, new = (code_of(sides[0]), code_of(sides[1])) if sides else (None, None)
        if not old or not new:
            self.tell("The code of one of these runs was not recorded.", good=False)
            return
        page_changes(self, old, new)

    def action_compare(self) -> None:
        """Show these runs as a scatter of two columns."""
        self.app.open_compare(self.ids)

    def action_copy(self) -> None:
        """Copy the comparison, a value or the runs' ids."""
        line = self.line
        items = [
            Choice("md", "this comparison as Markdown", "what is shown"),
            Choice("json", "this comparison as JSON", "as ledgit diff --json"),
            Choice("ids", "the ids of these runs"),
            Choice("command", "the command that shows it", "ledgit diff …"),
        ]
        if line is not None and line.key:
            items.insert(0, Choice("value", f"the values of {clean(line.title)}", "all of them, uncut"))
        self.choose("Copy", items, self._copy)

    def _copy(self, key: str) -> None:
        differences, line = self.differences, self.line
        if differences is None:
            return
        if key == "value" and line is not None:
            self.copy("\n".join(differences.values(line)), "the values")
        elif key == "ids":
            self.copy("\n".join(self.ids), "the ids")
        elif key == "command":
            self.copy("ledgit diff " + " ".join(run_id[:12] for run_id in self.ids), "the command")
        else:
            lines = differences.shown(equal=self.equal, text=self.text)
            self.copy(diff_text(differences, lines, key), f"the comparison as {FORMATS[key]}")

    def action_export(self) -> None:
        """Write the comparison into a file: .md, .json or .csv."""
        if not self.may_save():
            return
        self.prompt("write to", self._export, value="diff.md")

    def _export(self, path: str) -> None:
        differences = self.differences
        if differences is None or not path.strip():
            return
        lines = differences.shown(equal=self.equal, text=self.text)
        self.ask(lambda: diff_file(differences, lines, path.strip()), lambda where: self.tell(f"Wrote {where}."))


def _rich(variables: dict[str, str], name: str) -> str:
    """Return the theme's colour *name* for Rich; "" for those that only Textual understands."""
    value = variables.get(name.removeprefix("$"), "")
    return value if value.startswith("#") and len(value) == 7 else ""
