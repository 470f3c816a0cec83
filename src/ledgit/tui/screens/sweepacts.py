"""What the keys of a sweep do: stop it, copy how to go on, open, mark and export its trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from ledgit.tui.data.asking import Choice
from ledgit.tui.data.editing import Edit
from ledgit.tui.data.sweeping import resume_command, shown
from ledgit.tui.screens.marking import MarkingScreen
from ledgit.tui.widgets.grid import Grid
from ledgit.tui.widgets.parallel import Parallel
from ledgit.tui.widgets.scatter import Scatter

if TYPE_CHECKING:
    from ledgit.tui.screens.sweeppane import SweepPane

__all__ = ["SweepActs"]

_WORDS = (
    ("finish", "let the trials that run come to their end", "nothing is lost; it may take as long as a trial does"),
    ("stop", "ask the trials that run to end", "they are tried again when the sweep goes on"),
    ("kill", "kill the trials that run", "for those that do not end when asked"),
)
_PATIENCE = 3.0  # seconds that are waited for the coordinator's end before the screen goes on


class SweepActs(MarkingScreen):
    """The keys that both screens of sweeps have."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="sweep.filter"),
        Binding("s", "sort", "sort", id="sweep.sort"),
        Binding("S", "reverse", "Reverse the order", show=False, id="sweep.reverse"),
        Binding("left_square_bracket", "tab(-1)", "Picture before", show=False, id="sweep.tab_before"),
        Binding("right_square_bracket", "tab(1)", "picture", id="sweep.tab_next"),
        Binding("p", "param", "Parameter of the scatter", show=False, id="sweep.param"),
        Binding("X", "stop", "stop", id="sweep.stop"),
        Binding("y", "copy", "copy", id="sweep.copy"),
        Binding("w", "export", "Export", show=False, id="sweep.export"),
        Binding("o", "open_sweep", "The sweep's own run", show=False, id="sweep.open"),
    ]

    @property
    def pane(self) -> SweepPane:
        """The sweep."""
        raise NotImplementedError

    # ------------------------------------------------------------------ marks

    def run_at_cursor(self) -> str | None:
        """Return the run of the trial under the cursor."""
        trial = self.pane.trial()
        return trial.run or None if trial is not None else None

    def runs_shown(self) -> Sequence[str]:
        """Return the runs of the trials in the table."""
        found = self.pane.found
        return [] if found is None else [trial.run for trial in found.trials if trial.run]

    def marks_changed(self) -> None:
        """Draw marks again."""
        self.pane.show_marks(self.session.marks)

    def step_down(self) -> None:
        """Go to the next trial, in the table."""
        if self.pane.trials.has_focus:
            self.pane.trials.action_down()

    def other_run(self) -> str | None:
        """Return the baseline, else the best trial's run."""
        found = self.pane.found
        best = found.status.best if found is not None else None
        return self.session.baseline or (best.run if best is not None else None)

    def on_grid_ranged(self, event: Grid.Ranged) -> None:
        """Mark the runs of a range of trials."""
        if event.grid.id == "trials":
            event.stop()
            trials = [self.pane.by_key(key) for key in event.keys]
            self.mark_range([trial.run for trial in trials if trial is not None and trial.run])

    # ------------------------------------------------------------------ opening

    def on_grid_opened(self, event: Grid.Opened) -> None:
        """Open a trial's run."""
        if event.grid.id == "trials":
            event.stop()
            self._open(event.key)

    def on_scatter_opened(self, event: Scatter.Opened) -> None:
        """Open the run of a dot."""
        event.stop()
        self._open(event.key)

    def on_parallel_opened(self, event: Parallel.Opened) -> None:
        """Open the run of a line."""
        event.stop()
        self._open(event.key)

    def _open(self, key: str) -> None:
        trial = self.pane.by_key(key)
        if trial is not None and trial.run:
            self.app.open_run(trial.run)

    def action_open_sweep(self) -> None:
        """Open the run of the sweep itself, which has its plan and its code."""
        if self.pane.found is not None:
            self.app.open_run(self.pane.found.status.run)

    # ------------------------------------------------------------------ pictures

    def action_tab(self, step: int) -> None:
        """Show another picture: the best so far, parallel coordinates, a scatter, what matters."""
        self.pane.tabs.step(step)

    def action_param(self) -> None:
        """Choose the parameter that the scatter shows against the value."""
        found = self.pane.found
        if found is None or not found.names:
            return
        shares = {trend.name: f"{trend.share:.0%} of the value" for trend in found.trends}
        items = [Choice(name, name, shares.get(name, "")) for name in found.names]

        def chosen(name: str) -> None:
            self.pane.param = name
            self.pane.tabs.choose("scatter")
            self.pane.draw(self.session.marks)

        self.choose("Scatter of the value against", items, chosen)

    # ------------------------------------------------------------------ acts

    def action_stop(self) -> None:
        """Stop the sweep: let its trials end, ask them to, or kill them. It can go on later."""
        found = self.pane.found
        if found is None:
            return
        status, session = found.status, self.session
        if session.read_only:
            self.tell(f"Nothing can be changed: {session.read_only}.", good=False)
            return
        if status.state not in ("running", "interrupted"):
            self.tell("It has ended; y copies the command that goes on with it.", good=False)
            return

        def chosen(word: str) -> None:
            running = status.count("running")
            said = f"{running:,} {'trial runs' if running == 1 else 'trials run'} now. " if running else ""
            said += "What has ended counts; " + resume_command(status) + " goes on."
            self.confirm(f"Stop {status.name}: {_word(word)}?", said, lambda: stop(word))

        def stop(word: str) -> None:
            def do() -> None:
                from ledgit.projects.sweeps import stop as stop_sweep

                stop_sweep(session.repository, status.run, word, wait=_PATIENCE)

            self.write(Edit(f"asked {status.name} to {word}", do, None))

        self.choose(f"Stop {status.name}", [Choice(*word) for word in _WORDS], chosen)

    def action_copy(self) -> None:
        """Copy the command that goes on with the sweep, the best trial's command or params, a trial's run or line."""
        from ledgit.projects.sweeps.table import best_command

        found = self.pane.found
        if found is None:
            return
        status, trial = found.status, self.pane.trial()
        texts = [("command that goes on with it", resume_command(status))]
        command = best_command(status)
        texts += [("command of the best trial", command)] if command else []
        if trial is not None:
            params = " ".join(f"{name}={shown(value)}" for name, value in trial.params.items())
            texts += [(f"run of trial {trial.number}", trial.run), (f"params of trial {trial.number}", params)]
        texts += [
            ("id of the sweep's run", status.run),
            ("command that shows it", f"ledgit sweep status {status.run[:8]}"),
        ]
        items = [Choice(str(place), what, text) for place, (what, text) in enumerate(texts)]
        self.choose("Copy", items, lambda key: self.copy(texts[int(key)][1], f"the {texts[int(key)][0]}"))

    def action_export(self) -> None:
        """Write the trials of the table to a file: CSV, JSON or Markdown, by its ending."""
        found = self.pane.found
        if found is None or not self.may_save():
            return
        names = list(found.names)
        metric = found.status.plan.metric or "value"
        titles = ["trial", "state", metric, *names, "milliseconds", "run"]
        trials = found.trials

        def done(path: str) -> None:
            from ledgit.tui.data.tables import write_table

            rows = [
                [one.number, one.state, one.value, *(one.params.get(name) for name in names), one.milliseconds, one.run]
                for one in trials
            ]
            self.ask(
                lambda: write_table(path, titles, rows),
                lambda where: self.tell(f"Wrote {len(rows):,} trials to {where}."),
                what="writing",
            )

        self.prompt("write the trials to", done, value=f"{found.status.name}.csv")


def _word(key: str) -> str:
    return next(text for word, text, _ in _WORDS if word == key)
