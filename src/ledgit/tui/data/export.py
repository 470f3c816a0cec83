"""A table of runs as text: CSV, JSON or Markdown, of any number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ledgit.records.harmless import clean
from ledgit.tui.data.columns import Face, value_of
from ledgit.tui.data.saving import save_text

if TYPE_CHECKING:
    from ledgit.records.state import RunState
    from ledgit.tui.session import Session

__all__ = ["FORMATS", "export_file", "export_text"]

FORMATS = {"csv": "CSV", "json": "JSON", "md": "Markdown"}
_CHUNK = 250


def export_text(session: Session, ids: Sequence[str], names: Sequence[str], kind: str, face: Face) -> str:
    """Return runs as text; in a thread.

    Args:
        session: The session.
        ids: The runs, in order; those that are gone are left out.
        names: The columns, besides id and name.
        kind: One of :data:`FORMATS`.
        face: For names of experiments.
    """
    return "".join(_pieces(session, ids, names, kind, face))


def export_file(session: Session, ids: Sequence[str], names: Sequence[str], kind: str, face: Face, path: str) -> str:
    """Write runs into a file that must not be there yet; return its path.

    Raises:
        UsageError: The file is there already.
        StorageError: It can't be written.
    """
    return save_text(path, _pieces(session, ids, names, kind, face))


def _pieces(session: Session, ids: Sequence[str], names: Sequence[str], kind: str, face: Face) -> Iterator[str]:
    columns = list(dict.fromkeys(["id", "name", *(name for name in names if name not in ("state", "name"))]))
    rows = _rows(session, ids, columns, face)
    if kind == "json":
        yield from _json(rows, columns)
    elif kind == "csv":
        yield from _csv(rows, columns)
    else:
        yield from _markdown(rows, columns)


def _rows(session: Session, ids: Sequence[str], columns: Sequence[str], face: Face) -> Iterator[list[object]]:
    experiments = dict(face.experiments)
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        states = session.repository.index.states(some)
        for run in some:
            state = states.get(run)
            if state is not None:
                label = state.experiment
                if label not in experiments:
                    experiments[label] = session.repository.experiment_name(label)
                yield [_plain(state, name, experiments) for name in columns]


def _plain(state: RunState, name: str, experiments: dict[str, str]) -> object:
    value = value_of(state, name, experiments)
    if name in ("start", "end") and isinstance(value, int):
        from ledgit.records.wording import moment

        return moment(value)
    return value


def _json(rows: Iterator[list[object]], columns: Sequence[str]) -> Iterator[str]:
    import json
    from math import isfinite

    def safe(value: object) -> object:
        return str(value) if isinstance(value, float) and not isfinite(value) else value

    yield "["
    between = "\n  "
    for row in rows:
        item = {name: safe(value) for name, value in zip(columns, row, strict=True) if value is not None}
        yield between + json.dumps(item, ensure_ascii=False)
        between = ",\n  "
    yield "\n]\n"


def _csv(rows: Iterator[list[object]], columns: Sequence[str]) -> Iterator[str]:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if value is None else value for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _markdown(rows: Iterator[list[object]], columns: Sequence[str]) -> Iterator[str]:
    yield "| " + " | ".join(map(_escaped, columns)) + " |\n"
    yield "|" + " --- |" * len(columns) + "\n"
    for row in rows:
        yield "| " + " | ".join(_escaped("" if value is None else value) for value in row) + " |\n"


def _escaped(value: object) -> str:
    """Return a value as a cell of Markdown: neither markup nor HTML."""
    text = clean(str(value))
    return "".join(f"\\{char}" if char in "\\`*_[]<>|~&" else char for char in text)
