"""One run, as its screen shows it: what lists know at once, what stands in its record, what is around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledgit.records.values import Values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.git import Link
    from ledgit.records.record import RunRecord
    from ledgit.repository import Run
    from ledgit.tui.session import Session

__all__ = [
    "NOTE",
    "Details",
    "Relative",
    "Ties",
    "read_details",
    "read_outline",
    "read_sparks",
    "read_ties",
    "why_ended",
]

#: The tag that holds the note.
NOTE = "mlflow.note.content"
_MOST_CHILDREN = 50
_SPARKS = 60  # metrics whose history is drawn


class Relative(NamedTuple):
    """A run that another one is nested in, or that is nested in it."""

    id: str
    name: str
    status: str


class Ties(Values):
    """What is around a run.

    Attributes:
        parent: The run it is nested in.
        children: The first runs nested in it, oldest first.
        more: Whether there are more of them.
        link: The commit of the checked-out branch that its code belongs to.
    """

    __slots__ = ("children", "link", "more", "parent")

    def __init__(self, parent: Relative | None, children: Sequence[Relative], more: bool, link: Link | None) -> None:
        self.parent, self.children, self.more, self.link = parent, tuple(children), more, link


class Details(Values):
    """A run whole.

    Attributes:
        run: What lists know of it.
        record: What its commit or journal holds; None where that is not here.
        missing: Why there is no record, as a sentence; else "".
    """

    __slots__ = ("missing", "record", "run")

    def __init__(self, run: Run, record: RunRecord | None, missing: str = "") -> None:
        self.run, self.record, self.missing = run, record, missing

    @property
    def live(self) -> bool:
        """Whether a process goes on writing it."""
        return self.run.status == "RUNNING" and not self.run.lost


def read_outline(session: Session, run_id: str) -> Details:
    """Read of a run what lists know, which is there at once. Called in a thread.

    Raises:
        RunNotFound: There is none of this id, or it was purged.
    """
    from ledgit.errors import RunNotFound
    from ledgit.repository import Run

    repository = session.repository
    repository.index.refresh()
    state = repository.index.get(run_id)
    if state is None:
        raise RunNotFound(run_id)
    return Details(Run(repository, state), None)


def read_details(session: Session, run_id: str, before: Details | None = None) -> Details:
    """Read a run. Called in a thread.

    Of a run that is being written only what was appended is read, once its record has what a start collects: a
    journal may hold millions of points.

    Raises:
        RunNotFound: There is none of this id, or it was purged.
    """
    from ledgit.errors import LedgitError, NotFound

    run = read_outline(session, run_id).run
    if before is not None and before.record is not None:
        if run.active and before.run.active and run.status == before.run.status and _is_collected(before.record):
            return Details(run, before.record)
        if run.heads and run.heads == before.run.heads and run.status == before.run.status != "RUNNING":
            return Details(run, before.record)
    try:
        return Details(run, run.record())
    except (NotFound, LedgitError) as error:
        return Details(run, None, str(error))


def _is_collected(record: RunRecord) -> bool:
    return record.environment is not None and bool(record.info.command) and bool(record.info.code.tree)


def read_ties(session: Session, run: Run) -> Ties:
    """Find out what is around *run*. Called in a thread."""
    from ledgit.errors import LedgitError

    repository = session.repository
    parent = None
    if run.parent_run:
        state = repository.index.get(run.parent_run)
        parent = Relative(run.parent_run, state.name if state else "", state.status if state else "")
    nested = list(repository.runs.children(run.id).sort("start_time").limit(_MOST_CHILDREN + 1))
    children = [Relative(child.id, child.name, child.status) for child in nested[:_MOST_CHILDREN]]
    try:
        link = run.links()
    except LedgitError:  # no commit yet, or a history that can't be read
        link = None
    return Ties(parent, children, len(nested) > _MOST_CHILDREN, link)


def read_sparks(session: Session, run: Run, width: int) -> Mapping[str, str]:
    """Return the histories of the first metrics, drawn small: metric → characters. Called in a thread.

    One that is not here is left out.
    """
    from ledgit.compare import sparkline
    from ledgit.errors import LedgitError
    from ledgit.tui.data.histories import histories

    names = sorted(run.metrics)[:_SPARKS]
    try:
        drawn = histories(session).drawn(run, names)
    except LedgitError:
        return {}
    found = {}
    for name, one in drawn.items():
        if one.total > 1:
            values = list(one.points.values)
            found[name] = sparkline(values, width) if session.unicode else _ascii_line(values, width)
    return found


def _ascii_line(values: Sequence[float], width: int) -> str:
    from ledgit.compare import sparkline

    levels = dict(zip("▁▂▃▄▅▆▇█", "__..--''", strict=True))
    return "".join(levels.get(char, char) for char in sparkline(values, width))


def why_ended(details: Details) -> str:
    """Return why a run did not end well, as far as anybody wrote it down; "" if it did, or nobody did."""
    run = details.run
    if run.problem:
        return f"its entry does not decode: {run.problem}"
    if run.lost:
        return "no sign of life from its host for two minutes"
    if run.status not in ("FAILED", "KILLED"):
        return ""
    code = run.tags.get("ledgit.exit_code", "")
    if code.isdigit() and int(code) > 128:
        import signal

        try:
            return f"ended by {signal.Signals(int(code) - 128).name}"
        except ValueError:
            return f"exit code {code}"
    if code:
        return f"exit code {code}"
    if run.status == "KILLED" and run.active:
        return "its process is gone"
    return "its process was killed" if run.status == "KILLED" else "an exception ended it"
