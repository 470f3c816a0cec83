"""Runs as notebooks show them: small tables of HTML, with nothing in them that a run could make markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from ledgit.records.harmless import clean
from ledgit.records.wording import age, duration, scalar

if TYPE_CHECKING:
    from typing import Protocol

    from ledgit.compare.diff import RunDiff
    from ledgit.records import CodeRef

    class Run(Protocol):
        """What is shown of a run; ``ledgit.Run`` has it."""

        @property
        def id(self) -> str: ...
        @property
        def name(self) -> str: ...
        @property
        def status(self) -> str: ...
        @property
        def experiment(self) -> str: ...
        @property
        def start(self) -> int: ...
        @property
        def duration(self) -> int | None: ...
        @property
        def code(self) -> CodeRef: ...
        @property
        def params(self) -> Mapping[str, object]: ...
        @property
        def metrics(self) -> Mapping[str, float]: ...
        @property
        def tags(self) -> Mapping[str, str]: ...


__all__ = ["diff_html", "run_html", "runs_html"]

#: Rows and columns of values that a table shows; the rest is counted.
ROWS, COLUMNS = 50, 12


def run_html(run: Run, now: float, curves: Mapping[str, str]) -> str:
    """Return one run: what it is, params and metrics; *curves* are drawn beside the metrics."""
    facts = [run.status, run.experiment, age(run.start, now), duration(run.duration), run.code.branch or ""]
    head = f"<p><b>{_text(run.name)}</b> <code>{run.id[:8]}</code> {_text(' · '.join(filter(None, facts)))}</p>"
    parts = [head]
    for title, values in (("param", run.params), ("metric", run.metrics), ("tag", run.tags)):
        shown = {key: value for key, value in values.items() if not key.startswith(("mlflow.", "ledgit."))}
        if shown:
            rows = [[key, scalar(value), *([curves.get(key, "")] if curves and title == "metric" else [])]
                    for key, value in sorted(shown.items())]  # fmt: skip
            parts.append(_table([title, "", *([""] if len(rows[0]) > 2 else [])], rows))
    return "".join(parts)


def runs_html(runs: Sequence[Run], total: int, now: float) -> str:
    """Return a table of *runs*, with the params and metrics that tell them apart; *total* are there."""
    if not runs:
        return "<p>no runs</p>"
    columns = [
        (kind, key)
        for kind in ("params", "metrics")
        for key in sorted({key for run in runs for key in getattr(run, kind)})
        if kind == "metrics" or len({str(run.params.get(key)) for run in runs}) > 1 or len(runs) == 1
    ]
    shown = columns[:COLUMNS]
    rows = [
        [run.name, run.status, age(run.start, now)]
        + [scalar(getattr(run, kind)[key]) if key in getattr(run, kind) else "" for kind, key in shown]
        for run in runs
    ]
    left_out = [f"{total - len(runs)} more runs" if total > len(runs) else "",
                f"{len(columns) - len(shown)} more columns" if len(columns) > len(shown) else ""]  # fmt: skip
    more = ", ".join(filter(None, left_out))
    return _table(["run", "status", "start", *(key for _, key in shown)], rows) + (f"<p>{more}</p>" if more else "")


def diff_html(diff: RunDiff, sections: Iterable[str]) -> str:
    """Return what differs between runs, a table for all sections."""
    from ledgit.compare.view import Missing

    rows = [
        [name, row.key, *("" if isinstance(cell, Missing) else scalar(cell) for cell in row.cells)]
        for name in sections
        for row in diff.section(name)
        if row.differs
    ]
    if not rows:
        return "<p>nothing differs</p>"
    more = f"<p>{len(rows) - ROWS} more rows</p>" if len(rows) > ROWS else ""
    return _table(["", "", *(run.name for run in diff.runs)], rows[:ROWS]) + more


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: str) -> str:
    """Return *value* harmless: no markup, no control characters, and no end of what a browser reads left to right."""
    return escape(clean(value if len(value) <= 200 else value[:199] + "…"))
