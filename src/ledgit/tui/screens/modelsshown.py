"""Models and versions as rows of tables and lines of text. Takes values, asks nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.text import Text

from ledgit.records.harmless import clean, clean_lines, size
from ledgit.records.harmless import width as wide_of
from ledgit.records.wording import age, moment, number
from ledgit.tui.data.registered import board_stages, standing
from ledgit.tui.widgets.cells import Cell, Column, FixedRows

if TYPE_CHECKING:
    from ledgit.records.registry_state import Event, ModelVersion, RegisteredModel
    from ledgit.registry.verify import Chain
    from ledgit.run import Run
    from ledgit.tui.data.registered import Inside
    from ledgit.tui.session import Session

__all__ = [
    "EMPTY",
    "board_table",
    "chain_lines",
    "history_lines",
    "inside_lines",
    "model_lines",
    "models_table",
    "shown_number",
    "trust_cell",
    "version_lines",
    "versions_table",
]

#: What is shown where no model is registered yet.
EMPTY = (
    "No model is registered yet. One is a run's model with a name:",
    "",
    "    ledgit.sklearn.log_model(model, name='model')    # in the training",
    "    ledgit registry register RUN churn",
    "    ledgit registry promote churn@latest prod -m 'why'",
    "",
    "Versions and stages are annotated tags, so they travel with 'ledgit push'.",
)
_WIDE_LABEL = 10
_MOST_LINES, _LONGEST = 500, 10_000  # of a description; whoever wrote more is not read here


def shown_number(value: float | None) -> str:
    """Return a metric's value for a cell."""
    return "" if value is None else number(value)


def _age(session: Session, ms: int) -> str:
    now = session.now()
    return age(min(ms, now), now / 1000)


# ---------------------------------------------------------------------- tables


class ModelRows:
    """A row a model, made when it is drawn."""

    def __init__(self, models: Sequence[RegisteredModel], make: Callable[[RegisteredModel], list[Cell]]) -> None:
        self._models, self._make = models, make
        self._places = {model.name: place for place, model in enumerate(models)}

    def __len__(self) -> int:
        return len(self._models)

    def key(self, position: int) -> str:
        """Return a model's name."""
        return self._models[position].name

    def cells(self, position: int) -> list[Cell]:
        """Return a model's cells."""
        return self._make(self._models[position])

    def find(self, key: str) -> int | None:
        """Return where a model is."""
        return self._places.get(key)

    def depth(self, position: int) -> int:  # noqa: ARG002
        """Return 0: nothing is folded."""
        return 0


def models_table(models: Sequence[RegisteredModel], session: Session, width: int) -> tuple[list[Column], ModelRows]:
    """Return columns for a table *width* wide, and a row for each model.

    Stages, the number of versions and the description come in as there is room.
    """
    name = max((wide_of(clean(model.name)) for model in models[:2000]), default=8)
    room = width - 2
    columns = [Column("name", "model", 0, fixed=True), Column("latest", "latest", 8)]
    rest = [
        Column("changed", "changed", 10),
        Column("stages", "stages", 22),
        Column("versions", "versions", 8, right=True),
        Column("about", "", 30),
    ]
    left = room - 10 - max(min(name, 24), 8) - 2
    for column in rest:
        if left >= column.width:
            columns.append(column)
            left -= column.width + 2
        elif column.key in ("stages", "about") and left >= 12:
            columns.append(column._replace(width=left))
            left = -1
        else:
            break
    taken = sum(column.width + 2 for column in columns[1:])
    columns[0] = columns[0]._replace(width=max(min(name, 48, room - taken - 2 if room > taken + 10 else 16), 8))
    keys = [column.key for column in columns]
    order: list[str] = [key for key in ("name", "latest", "stages", "versions", "changed", "about") if key in keys]
    columns.sort(key=lambda column: order.index(str(column.key)))
    return columns, ModelRows(models, lambda model: [_model_cell(key, model, session) for key in order])


def _model_cell(key: str, model: RegisteredModel, session: Session) -> Cell:
    if key == "name":
        ended = model.deprecated is not None
        return Cell(model.name, "dim" if ended else "warn" if model.problems else "head")
    if key == "latest":
        return Cell(model.latest.version, "") if model.latest is not None else Cell(session.glyph("dash"), "dim")
    if key == "stages":
        said = ", ".join(f"{stage} {version.version}" for stage, version in model.stages.items())
        return Cell(said, "good")
    if key == "versions":
        return Cell(f"{len(model.active):,}")
    if key == "changed":
        newest = model.events[-1].time * 1000 if model.events else model.created
        return Cell(_age(session, newest), "dim")
    ended_word = "deprecated" if model.deprecated is not None else ""
    kind = model.kind if model.kind != "model" else ""
    return Cell(": ".join(filter(None, (ended_word, kind, model.description.partition("\n")[0]))), "dim")


def versions_table(
    versions: Sequence[ModelVersion],
    runs: Mapping[str, Run],
    metrics: Sequence[str],
    checked: Mapping[str, bool],
    session: Session,
) -> tuple[list[Column], FixedRows]:
    """Return the table of a model's versions.

    Args:
        versions: In the order in which they are shown.
        runs: Run id → run, of those that are here.
        metrics: The metrics that have a column.
        checked: Tag object → whether the version was found to be what it says.
        session: For marks and the time.
    """
    stages = max((len(", ".join(one.stages)) for one in versions), default=0)
    columns = [
        Column("version", "version", max([len(one.version) for one in versions] + [7]), fixed=True),
        Column("number", "#", 4, right=True),
    ]
    columns += [Column("stages", "stages", max(min(stages, 24), 6))] if stages else []
    columns += [Column(f"metrics.{name}", name, max(min(len(clean(name)), 14), 7), right=True) for name in metrics]
    columns += [
        Column("when", "when", 10),
        Column("by", "by", max(min(max((len(one.event.author) for one in versions), default=4), 16), 4)),
        Column("run", "run", max([8, *(min(wide_of(clean(run.name)), 20) for run in runs.values())])),
        Column("trust", "signed", 8),
        Column("why", "why", 40),
    ]
    best = {name: _best(versions, runs, name, session) for name in metrics}
    rows = []
    for one in versions:
        run = runs.get(one.run or "")
        cells = [
            Cell(one.version, "head" if one.active else "dim"),
            Cell("" if one.number is None else str(one.number), "dim"),
        ]
        cells += [Cell(", ".join(one.stages), "good")] if stages else []
        for name in metrics:
            value = run.metrics.get(name) if run is not None else None
            cells.append(Cell(shown_number(value), "good" if one.version == best[name] else ""))
        cells += [
            Cell(_age(session, one.created), "dim"),
            Cell(one.event.author, "dim"),
            Cell(run.name) if run is not None else Cell((one.run or "")[:8], "dim"),
            trust_cell(one, checked, session),
            _why(one),
        ]
        rows.append((one.version, cells))
    return columns, FixedRows(rows)


def _best(versions: Sequence[ModelVersion], runs: Mapping[str, Run], name: str, session: Session) -> str | None:
    """Return the version with the best value of a metric; None where nobody knows which way is better."""
    from ledgit.compare import direction

    way = direction(name, session.directions)
    if way is None or len(versions) < 2:
        return None
    sign = -1.0 if way == "maximize" else 1.0
    found = []
    for place, one in enumerate(versions):
        run = runs.get(one.run or "")
        value = run.metrics.get(name) if run is not None else None
        if value is not None and not math.isnan(value):
            found.append((sign * value, place, one.version))
    return min(found)[2] if found else None


def trust_cell(version: ModelVersion, checked: Mapping[str, bool], session: Session) -> Cell:
    """Return whether a version's tag is signed, and what verifying it came to."""
    found = checked.get(version.event.oid)
    if found is None:
        return Cell("signed", "") if version.event.signed else Cell("", "dim")
    word = " signed" if version.event.signed else " true"
    return Cell(session.glyph("check") + word, "good") if found else Cell(session.glyph("failed") + " wrong", "bad")


def _why(version: ModelVersion) -> Cell:
    if version.problem:
        return Cell(f"! {version.problem}", "bad")
    if not version.active:
        return Cell("deregistered", "dim")
    text = version.description or version.event.reason
    return Cell(text.partition("\n")[0], "dim")


def board_table(models: Sequence[RegisteredModel], session: Session) -> tuple[list[Column], ModelRows]:
    """Return the board: a row a model, a column a stage, in each cell which version stands there."""
    stages = board_stages(models)
    name = max((wide_of(clean(model.name)) for model in models[:2000]), default=8)
    columns = [Column("name", "model", max(min(name, 32), 8), fixed=True), Column("latest", "latest", 9)]
    for stage in stages:
        widest = max((len(model.stages[stage].version) for model in models if stage in model.stages), default=6)
        columns.append(Column(f"stage.{stage}", stage, min(max(widest + 12, len(clean(stage))), 24)))

    def cells_of(model: RegisteredModel) -> list[Cell]:
        latest = model.latest
        cells = [Cell(model.name, "head"), Cell(latest.version if latest is not None else "", "dim")]
        for stage in stages:
            version = model.stages.get(stage)
            if version is None:
                cells.append(Cell(session.glyph("dash"), "dim"))
                continue
            event = standing(model, stage)
            since = _age(session, event.time * 1000) if event is not None else ""
            behind = latest is not None and latest.version != version.version
            cells.append(Cell(f"{version.version}  {since}", "" if behind else "good"))
        return cells

    return columns, ModelRows(models, cells_of)


# ---------------------------------------------------------------------- lines


def folded(value: str, room: int) -> list[str]:
    """Return *value* as harmless lines that are *room* wide at most."""
    found: list[str] = []
    for line in clean_lines(value)[:_MOST_LINES]:
        found += wrap(line[:_LONGEST], max(room, 20), break_on_hyphens=False) or [""]
    return found


def _fact(label: str, value: str, style: str = "", room: int = 0) -> list[Text]:
    """Return a label and what belongs to it, on as many lines as the value has or, folded to *room*, needs."""
    lines = []
    for place, line in enumerate(folded(value, room - _WIDE_LABEL - 1) if room else clean_lines(value)):
        text = Text(no_wrap=True)
        text.append(("" if place else label).ljust(_WIDE_LABEL) + " ", "dim")
        text.append(line, style)
        lines.append(text)
    return lines


def version_lines(
    version: ModelVersion, model: RegisteredModel, run: Run | None, session: Session, room: int = 0
) -> list[Text]:
    """Return everything that is said of a version; long texts are folded to *room*."""
    event = version.event
    title = Text(no_wrap=True)
    title.append(f"{clean(version.model)} {version.version}", "head")
    if version.number is not None:
        title.append(f"   version {version.number}", "dim")
    if not version.active:
        title.append("   deregistered", "warn")
    if model.values.get(f"version.{version.version}.stage") == "Archived":
        title.append("   archived", "warn")
    lines = [title]
    if version.problem:
        lines += _fact("problem", version.problem, "bad", room)
    if version.description:
        lines += _fact("about", version.description, "", room)
    for stage in version.stages:
        since = standing(model, stage)
        said = Text(no_wrap=True)
        said.append("at".ljust(_WIDE_LABEL) + " ", "dim")
        said.append(clean(stage), "good")
        if since is not None:
            said.append(f"   since {moment(since.time * 1000)[:16].replace('T', ' ')}, by {clean(since.author)}", "dim")
            said.append(f": {clean(since.reason)}" if since.reason else "")
        lines.append(said)
    signed = ", signed" if event.signed else ""
    when = moment(version.created)[:16].replace("T", " ")
    lines += _fact("made", f"{when} UTC by {event.author} <{event.email}>{signed}")
    lines += _fact("why", event.reason, "", room) if event.reason else []
    if version.kind == "project":
        lines += _fact("folder", version.path or "the whole tree")
    elif version.run:
        words = f"{run.name}   {run.experiment}   {run.id[:8]}" if run is not None else f"{version.run[:8]}, not here"
        lines += _fact("run", words, "" if run is not None else "dim")
        lines += _fact("model", version.path or "all artifacts of the run")
    if run is not None and run.metrics:
        names = sorted(run.metrics, key=lambda name: (name not in session.directions, name.startswith("system/"), name))
        shown = [f"{clean(name)} {number(run.metrics[name])}" for name in names[:6]]
        more = f"   and {len(names) - 6} more" if len(names) > 6 else ""
        lines += _fact("metrics", "   ".join(shown) + more)
    lines += _fact("commit", version.commit[:12], "dim")
    lines += _fact("digest", version.digest[:19] + session.glyph("more"), "dim") if version.digest else []
    for key, value in sorted(version.tags.items()):
        lines += _fact("tag", f"{clean(key)} = {clean(value)}")
    if version.deregistered is not None:
        lines += _fact("ended", _ended(version.deregistered), "warn")
    if event.text:
        lines += _fact("message", event.text, "dim", room)
    return lines


def _ended(event: Event) -> str:
    why = f": {event.reason}" if event.reason else ""
    return f"{moment(event.time * 1000)[:16].replace('T', ' ')} UTC by {event.author}{why}"


def model_lines(model: RegisteredModel, session: Session, room: int = 0) -> list[Text]:
    """Return everything that is said of a model: where its stages stand, since when, by whom and why."""
    lines = [Text(clean(model.name), "head", no_wrap=True)]
    lines += _fact("about", model.description, "", room) if model.description else []
    if model.deprecated is not None:
        lines += _fact("deprecated", _ended(model.deprecated), "warn")
    many = len(model.active)
    gone = len(model.versions) - many
    lines += _fact("versions", f"{many:,}" + (f", and {gone:,} deregistered" if gone else ""))
    lines += [line for key, value in sorted(model.tags.items()) for line in _fact("tag", f"{key} = {value}")]
    for problem in model.problems:
        lines += _fact("problem", problem, "bad", room)
    if model.stages:
        lines.append(Text())
        wide = max(len(clean(stage)) for stage in model.stages)
        for stage, version in model.stages.items():
            line = Text(no_wrap=True)
            line.append(clean(stage).ljust(wide) + "  ", "good")
            line.append(version.version.ljust(9) + " ", "head")
            event = standing(model, stage)
            if event is not None:
                line.append(f"{_age(session, event.time * 1000):<11} {clean(event.author)}", "dim")
                line.append(f"   {clean(event.reason)}" if event.reason else "")
            lines.append(line)
    return lines


def history_lines(model: RegisteredModel, session: Session) -> list[Text]:
    """Return what was done to a model, newest first: the audit trail that its tags are."""
    lines = []
    for event in sorted(model.events, key=lambda one: (one.time, one.tag), reverse=True):
        line = Text(no_wrap=True)
        line.append(moment(event.time * 1000)[:16].replace("T", " ") + "  ", "dim")
        style = {"assign": "good", "register": "head", "unassign": "warn"}.get(event.action, "warn")
        line.append(clean(event.words(within=True)), style)
        line.append(f"   {clean(event.author)}", "dim")
        if event.signed:
            line.append("   signed", "dim")
        lines.append(line)
        if event.reason:
            lines += [Text(f"                  {clean(part)}", no_wrap=True) for part in clean_lines(event.reason)]
        if event.problem:
            lines.append(
                Text(f"                  {session.glyph('warning')} {clean(event.problem)}", "bad", no_wrap=True)
            )
    return lines or [Text("nothing was done yet", "dim")]


def inside_lines(inside: Inside, *, files: bool) -> list[Text]:
    """Return the flavors and the signature of a version, or its files."""
    lines = [Text(clean(inside.problem), "warn", no_wrap=True)] if inside.problem else []
    if files:
        total = sum(amount for _, amount in inside.files)
        wide = max((len(size(amount)) for _, amount in inside.files), default=0)
        for path, amount in inside.files:
            line = Text(no_wrap=True)
            line.append(size(amount).rjust(wide) + "  ", "dim")
            line.append(clean(path))
            lines.append(line)
        if inside.left:
            lines.append(Text(f"and {inside.left:,} more files", "dim"))
        if inside.files:
            lines.append(Text(f"{len(inside.files) + inside.left:,} files, {size(total)}", "dim"))
        return lines or [Text("it has no files", "dim")]
    for name, version in inside.flavors.items():
        lines += _fact("flavor", f"{clean(name)} {clean(version)}".rstrip(), "head")
    for title, specs in (("inputs", inside.inputs), ("outputs", inside.outputs), ("params", inside.params)):
        if not specs:
            continue
        lines += [Text(), Text(title, "head")]
        wide = min(max(len(clean(name)) for name, _ in specs), 40)
        for name, kind in specs[:1000]:
            line = Text(no_wrap=True)
            line.append("  " + clean(name).ljust(wide) + "  ")
            line.append(clean(kind), "dim")
            lines.append(line)
    if inside.flavors and not (inside.inputs or inside.outputs or inside.params):
        lines += [Text(), Text("It has no signature: log it with signature=, or with an input example.", "dim")]
    return lines or [Text("it has no MLmodel file", "dim")]


def chain_lines(chain: Chain, session: Session, room: int = 0) -> list[Text]:
    """Return what verifying a version found, step by step."""
    version = chain.version
    verdict = Text(no_wrap=True)
    verdict.append(f"{clean(version.model)} {version.version} ", "head")
    good = chain.genuine
    verdict.append("is what it says" if good else "is NOT what it says", "good" if good else "bad")
    lines = [verdict]
    marks = {
        "ok": (session.glyph("check"), "good"),
        "wrong": (session.glyph("failed"), "bad"),
        "unsure": (session.glyph("dash"), "warn"),
    }
    wide = min(max(len(step.name) for step in chain.steps), 12)
    for step in chain.steps:
        mark, style = marks[step.state]
        # A step with a long name has its text one line lower, so that the others keep their room.
        long = len(step.name) > wide
        first, *more = folded(step.text, room - wide - 4) or [""]
        line = Text(no_wrap=True)
        line.append(f"{mark} ", style)
        line.append(step.name.ljust(wide) + "  ", "dim")
        lines.append(line)
        pad = " " * (wide + 4)
        if long:
            lines.append(Text(pad + first, no_wrap=True))
        else:
            line.append(first)
        lines += [Text(pad + part, no_wrap=True) for part in more]
        lines += [
            Text(pad + part, "bad", no_wrap=True) for one in step.findings for part in folded(one, room - wide - 4)
        ]
        lines += [Text(pad + part, "dim", no_wrap=True) for one in step.notes for part in folded(one, room - wide - 4)]
    return lines
