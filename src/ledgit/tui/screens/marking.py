"""Marks on screens whose rows stand for runs: the same keys do the same as in the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from ledgit.tui.screen import LedgitScreen

__all__ = ["MarkingScreen"]

_MOST_COMPARED = 8


class MarkingScreen(LedgitScreen):
    """A screen whose rows are runs, or come from runs. Marks are the session's, so they hold on every screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="marks.mark"),
        Binding("a", "mark_all", "Mark all shown", show=False, id="marks.all"),
        Binding("M", "clear_marks", "Clear marks", show=False, id="marks.clear"),
        Binding("d", "diff", "diff", id="marks.diff"),
        Binding("c", "compare", "Compare", show=False, id="marks.compare"),
        Binding("b", "baseline", "Baseline", show=False, id="marks.baseline"),
    ]

    # ------------------------------------------------------------------ what a subclass says

    def run_at_cursor(self) -> str | None:
        """Return the run of the row under the cursor; None: there is none."""
        raise NotImplementedError

    def runs_shown(self) -> Sequence[str]:
        """Return the runs of all rows, in their order."""
        raise NotImplementedError

    def marks_changed(self) -> None:
        """Draw marks again."""
        raise NotImplementedError

    def step_down(self) -> None:
        """Go to the next row, after one was marked."""
        raise NotImplementedError

    def other_run(self) -> str | None:
        """Return the run that the one under the cursor is compared with if none is marked: the baseline, if any."""
        return self.session.baseline

    # ------------------------------------------------------------------ what the keys do

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        run = self.run_at_cursor()
        if run is None:
            self.tell("There is no run on this line.", good=False)
            return
        marks = self.session.marks
        if run in marks:
            del marks[run]
        else:
            marks[run] = None
        self.marks_changed()
        self.step_down()

    def mark_range(self, runs: Sequence[str]) -> None:
        """Mark *runs*, or take the marks of all of them away if all have one."""
        marks = self.session.marks
        if all(run in marks for run in runs):
            for run in runs:
                marks.pop(run, None)
        else:
            marks.update(dict.fromkeys(runs))
        self.marks_changed()

    def action_mark_all(self) -> None:
        """Mark all runs that are shown; again takes their marks away."""
        self.mark_range(self.runs_shown())

    def action_clear_marks(self) -> None:
        """Take all marks away, on every screen."""
        self.session.marks.clear()
        self.marks_changed()

    def action_diff(self) -> None:
        """Show what differs between the marked runs; with none marked, between this one and the one it follows."""
        runs = self._chosen()
        if len(runs) < 2:
            self.tell("Mark two runs with space, then d shows what differs.", good=False)
        elif len(runs) > _MOST_COMPARED:
            self.tell(f"{len(runs):,} runs are marked; a diff has room for {_MOST_COMPARED}.", good=False)
        else:
            self.app.open_diff(runs)

    def action_compare(self) -> None:
        """Compare the marked runs, or all that are shown, as a scatter of two columns."""
        runs = list(self.session.marks) or list(self.runs_shown())
        if runs:
            self.app.open_compare(runs)

    def action_baseline(self) -> None:
        """Make the run under the cursor the one that others are compared with; again takes that back."""
        run = self.run_at_cursor()
        if run is None:
            return
        session = self.session
        session.baseline = None if session.baseline == run else run
        self.tell("This run is the baseline." if session.baseline else "There is no baseline any more.")
        self.marks_changed()

    def _chosen(self) -> list[str]:
        """Return the runs that a diff is about, the baseline first."""
        marks = list(self.session.marks)
        here = self.run_at_cursor()
        if len(marks) < 2:
            first = marks[0] if marks and marks[0] != here else self.other_run()
            if first is None or here is None or first == here:
                return marks
            return [first, here]
        baseline = self.session.baseline
        return (
            marks
            if baseline is None or baseline not in marks
            else [baseline, *(one for one in marks if one != baseline)]
        )
