"""The pane beside the table: one run at a glance, and the chart of the metric under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.containers import Vertical

from ledgit.records.harmless import clean, fit
from ledgit.records.wording import age, duration, number, scalar
from ledgit.tui.data.columns import Face, delta, is_better
from ledgit.tui.widgets.lines import Lines

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ledgit.records.state import RunState
    from ledgit.tui.session import Session

__all__ = ["Inspector", "lines_about"]

_NOTE = "mlflow.note.content"
_MOST = 200


class Inspector(Vertical):
    """One run: what it is, its metrics beside the baseline's, params, tags."""

    DEFAULT_CSS = """
    Inspector { padding: 0 0 0 1; }
    Inspector Lines { height: 1fr; }
    Inspector Chart { height: 11; display: none; }
    Inspector.-pictured Chart { display: block; }
    RunsTable.-below Inspector { layout: horizontal; }
    RunsTable.-below Inspector Chart { width: 1fr; height: 1fr; }
    RunsTable.-below Inspector Lines { width: 1fr; }
    """

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.session = session
        self._shown: object = None

    def compose(self) -> ComposeResult:
        """Make the texts; the chart comes with the first picture."""
        yield Lines(empty="no run here")

    def show(self, state: RunState | None, face: Face) -> None:
        """Show *state*."""
        shown = (state, face.baseline, self.size.width)
        if shown == self._shown:
            return
        self._shown = shown
        lines = self.query_one(Lines)
        lines.show(lines_about(state, face, max(lines.size.width, 20)) if state is not None else [], keep=False)

    def picture(self, series: Sequence[Any], metric: str) -> None:
        """Draw the chart of a metric; without points there is none."""
        self.set_class(bool(series), "-pictured")
        if not self.is_mounted or not (series or self.query("Chart")):
            return
        from ledgit.tui.widgets.chart import Chart

        found = self.query(Chart)
        chart = found.first() if found else Chart()
        if not found:
            self.mount(chart)
        chart.show(series, title=clean(metric))


def lines_about(state: RunState, face: Face, width: int) -> list[Text]:
    """Return what there is to say about a run, line by line."""
    session = face.session
    now = session.now()
    lines: list[Text] = []

    def say(*pieces: tuple[str, str]) -> None:
        lines.append(Text.assemble(*pieces, no_wrap=True, end=""))

    def head(text: str) -> None:
        say(("", ""))
        say((text, "dim"))

    say((clean(state.name) or state.id[:8], "head"), ("  " + state.id[:8], "dim"))
    end = state.end if state.end is not None else now if state.status == "RUNNING" else None
    status = "LOST: no sign of life from where it ran" if state.lost else state.status.lower()
    style = {"RUNNING": "live", "FAILED": "bad", "KILLED": "warn"}.get(state.status, "") if not state.lost else "warn"
    took = duration(None if end is None else max(end - state.start, 0))
    say((status, style), (f"  {age(state.start, now / 1000)}" + (f", {took}" if took else ""), "dim"))
    if state.problem:
        say((f"{session.glyph('unreadable')} {clean(state.problem)}", "warn"))
    if state.deleted:
        say(("deleted; x restores it", "warn"))
    code = state.code
    if code.commit or code.branch:
        dirty = " + uncommitted changes" if code.dirty else ""
        say((clean(code.branch or ""), ""), (f"  {(code.commit or '')[:10]}{dirty}", "dim"))
    experiment = face.experiments.get(state.experiment, state.experiment)
    say((clean(experiment), ""), (f"  {clean(state.user)}" if state.user else "", "dim"))
    note = state.tags.get(_NOTE, "")
    for line in note.splitlines()[:6]:
        say((clean(line), "key"))
    if state.metrics:
        head("metrics")
        _metrics(state, face, width, say)
    if state.params:
        head("params")
        base = face.baseline.params if face.baseline is not None and face.baseline.id != state.id else None
        room = _room(state.params, width)
        for key, value in sorted(state.params.items())[:_MOST]:
            shown = "None" if value is None else scalar(value)
            was = (
                ""
                if base is None or base.get(key, value) == value
                else f"  {session.glyph('left')} {scalar(base[key])}"
            )
            say((fit(clean(key), room).ljust(room + 2), "dim"), (shown, ""), (was, "warn"))
        _more(state.params, say)
    tags = {key: value for key, value in state.tags.items() if not key.startswith(("mlflow.", "ledgit."))}
    if tags:
        head("tags")
        room = _room(tags, width)
        for key, text in sorted(tags.items())[:_MOST]:
            say((fit(clean(key), room).ljust(room + 2), "dim"), (clean(text), ""))
        _more(tags, say)
    return lines


def _room(values: Any, width: int) -> int:
    return min(max(map(len, values)), max(width // 2 - 2, 6))


def _more(values: Any, say: Any) -> None:
    if len(values) > _MOST:
        say((f"and {len(values) - _MOST:,} more", "dim"))


def _metrics(state: RunState, face: Face, width: int, say: Any) -> None:
    base = face.baseline
    room = _room(state.metrics, width)
    for key, value in sorted(state.metrics.items())[:_MOST]:
        pieces = [(fit(clean(key), room).ljust(room + 2), "dim"), (number(value), "")]
        if base is not None and base.id != state.id and key in base.metrics:
            better = is_better(key, value, base.metrics[key], face.directions)
            mark = "" if better is None else face.session.glyph("better" if better else "worse")
            change = delta(value, base.metrics[key]) or face.session.glyph("same")
            pieces.append((f"  {change}{mark}", "dim" if better is None else "good" if better else "bad"))
        elif key in state.ranges:
            low, high = state.ranges[key]
            pieces.append((f"  {number(low)} {face.session.glyph('dash')} {number(high)}", "dim"))
        say(*pieces)
    _more(state.metrics, say)
