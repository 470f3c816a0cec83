"""From the lines of one run to its state, the long way: joined, completed, or with what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, RecordError
from ledgit.records import RunState, decode_entry, history_files, is_run_id, is_time, join, load_flat, with_head
from ledgit.store.index_lean import run_of

if TYPE_CHECKING:
    from ledgit.git import BatchReader
    from ledgit.records import Entry, Points

__all__ = ["RUN", "Joiner", "Lines", "add_values", "id_of", "section_of", "split_lines", "values_of"]

RUN = ".ledgit/run"
"""Where a run commit has the run's files."""

SECTIONS = ("params", "metrics", "tags", "inputs")

Lines = dict[str, list[bytes]]  # run id → its lines in one segment
Found = tuple[bytes | None, str]
"""A line (None: it can't be read) and, of a loose run, the head it must belong to, else nothing."""


def split_lines(data: bytes) -> Lines:
    """Return the lines of a segment by run."""
    lines: Lines = {}
    for line in data.split(b"\n"):
        if line:
            lines.setdefault(run_of(line) or id_of(line), []).append(line)
    return lines


def id_of(line: bytes) -> str:
    """Return the id of the run a line is about; of one that does not say, an id of its own."""
    from orjson import JSONDecodeError, loads

    end = line.find(b'"', 7, 300)
    if line.startswith(b'{"id":"') and end > 0:
        text = line[7:end].decode("ascii", "replace")
        if is_run_id(text):
            return text
    try:
        data = loads(line)
    except JSONDecodeError:
        data = None
    if isinstance(data, dict) and is_run_id(data.get("id")):
        return str(data["id"])
    from hashlib import sha256

    return f"unreadable-{sha256(line).hexdigest()[:16]}"


def section_of(reader: BatchReader, head: str, section: str) -> dict[Any, Any]:
    """Return the whole of a section of the commit *head*, as :func:`values_of` does; nothing if it is not here.

    Raises:
        RecordError: The file does not decode.
    """
    found = reader.read(f"{head}:{RUN}/{section}.yaml")
    return {} if found is None else values_of(found[2], section)


def values_of(data: bytes, section: str) -> dict[Any, Any]:
    """Return what the file of a *section* holds, as states have it; of ``inputs`` the data sets as keys.

    Raises:
        RecordError: It does not decode.
    """
    if section == "inputs":
        from ledgit.records import decode_inputs, input_refs

        return dict.fromkeys(input_refs(decode_inputs(data)))
    values = load_flat(data, f"{section}.yaml")
    if section == "metrics":
        return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}
    if section == "tags":
        return {key: "" if value is None else str(value) for key, value in values.items()}
    return dict(values)


def add_values(state: RunState, section: str, values: dict[Any, Any]) -> None:
    """Add to *state* what :func:`values_of` returned and it doesn't have."""
    if section == "inputs":
        state.inputs = tuple(sorted({*state.inputs, *values}))
        return
    known = getattr(state, section)
    for key, value in values.items():
        known.setdefault(key, value)


class Joiner:
    """Makes states of lines; what had no room in a line is read by *reader* from the run's own files."""

    def __init__(self, reader: BatchReader) -> None:
        self.reader = reader

    def join(self, run: str, lines: Iterable[Found], *, whole: bool = True) -> RunState | None:
        """Return the state of *run*; None if there are no lines. Unless *whole*, values beyond the lines stay away."""
        entries: list[Entry] = []
        problems: list[str] = []
        heads: list[str] = []
        shown: RunState | None = None
        for line, head in lines:
            try:
                if line is None:
                    raise RecordError(head[:12], "is not a run commit, or not in this clone")
                entry = decode_entry(with_head(line, head) if head else line, head[:12] or "the ledger")
                if entry.id != run:
                    raise RecordError(head[:12], f"is the commit of another run, {entry.id[:8]}")
                if head and entry.head != head:
                    raise RecordError(head[:12], "has a line that names another commit as its own")
                entries.append(entry)
            except RecordError as error:
                problems.append(str(error))
                heads += [head] if head else []
                shown = shown or _as_far_as_readable(run, line)
        if not entries:
            if not problems:
                return None
            state = shown or RunState(run)
            state.heads, state.problem = tuple(heads), problems[0]
            return state
        state = join(entries)
        state.problem = problems[0] if problems else ""
        if len(state.heads) > 1:
            self._take_latest(state, [entry for entry in entries if entry.head in state.heads])
        if state.left:
            self.complete(state, SECTIONS if whole else ())
        return state

    def _take_latest(self, state: RunState, heads: list[Entry]) -> None:
        """Show the latest value of metrics that several sessions logged on different machines.

        Lines have no steps, so by the clock alone the session with the greater one would win. Where a
        history is not in this clone, it does.
        """
        for key in state.metrics:
            clocks = {entry.state.get(f"metrics.{key}") for entry in heads if key in entry.metrics} - {None}
            if len(clocks) > 1 and len({repr(entry.metrics.get(key)) for entry in heads}) > 1:
                points = self._points(state, key)
                if points is not None:
                    state.metrics[key] = points.latest()[0]

    def _points(self, state: RunState, key: str) -> Points | None:
        """Return the points of a metric in all heads; None if some are not here, or don't decode."""
        from ledgit.records import Points, decode_history

        file = history_files(state.metrics)[key]
        points = Points()
        for head in state.heads:
            found = self.reader.read(f"{head}:{RUN}/history/{file}")
            try:
                some = self._logged_once(head, key) if found is None else decode_history(found[2])[1]
            except RecordError:
                return None
            if some is None:
                return None
            points.extend(some)
        return points if len(points) else None

    def _logged_once(self, head: str, key: str) -> Points | None:
        """Return the only point of a metric that has just one."""
        from ledgit.records.record import once_points

        once, metrics = (self.reader.read(f"{head}:{RUN}/{name}") for name in ("once.tsv", "metrics.yaml"))
        return None if once is None or metrics is None else once_points(once[2], metrics[2], key)

    def complete(self, state: RunState, sections: Iterable[str] = SECTIONS) -> None:
        """Add what had no room in the line, from the run's own files where they are here."""
        try:
            for head in state.heads:
                for section in sections:
                    if section in state.left:
                        add_values(state, section, section_of(self.reader, head, section))
                if "text" in state.left or "subtrees" in state.left:
                    self._complete_facts(state, head)
        except LedgitError as error:
            state.problem = state.problem or str(error)

    def _complete_facts(self, state: RunState, head: str) -> None:
        from ledgit.records import decode_run

        found = self.reader.read(f"{head}:{RUN}/run.yaml")
        if found is None:
            return
        info = decode_run(found[2])
        for name in ("name", "experiment", "user"):
            value = getattr(state, name)
            if value.endswith("…") and getattr(info, name).startswith(value[:-1]):
                setattr(state, name, getattr(info, name))
        if "subtrees" in state.left and not state.code.subtrees:
            state.code = replace(state.code, subtrees=info.code.subtrees)

    def range(self, state: RunState, key: str) -> tuple[float, float]:
        """Return (least, greatest) of a metric; from its history if the line had no room for it."""
        value = state.metrics[key]
        if key in state.ranges or not state.left.get("ranges"):
            return state.ranges.get(key, (value, value))
        from ledgit.records import decode_history

        file = history_files(state.metrics).get(key)
        ends = [value]
        for head in state.heads:
            found = self.reader.read(f"{head}:{RUN}/history/{file}")
            if found is None:
                continue
            try:
                ends += decode_history(found[2])[1].minmax()
            except (RecordError, ValueError):
                continue
        numbers = [end for end in ends if not isnan(end)] or ends
        return min(numbers), max(numbers)


def _as_far_as_readable(run: str, line: bytes | None) -> RunState | None:
    """Return what a line that can't be read whole says all the same, so that people see whose run it is."""
    from orjson import JSONDecodeError, loads

    try:
        data = loads(line or b"")
    except JSONDecodeError:
        return None
    if not isinstance(data, dict) or data.get("id") != run:
        return None
    texts = {key: data[key] for key in ("name", "experiment", "user") if type(data.get(key)) is str}
    times = {key: data[key] for key in ("start", "end") if is_time(data.get(key))}
    return RunState(run, **texts, **times)
