"""What had no room in a run's line: read from the run's own files when somebody asks for it.

A line holds 4 KB. Of 100,000 runs with 500 keys each the rest is a gigabyte that hardly anybody asks
for, so after a first pull only the lines are in the index. A row's ``partial`` says which kinds of
columns lack something; once a question names a key that some run may have beyond its line, the
columns of that kind are filled, once. The runs of a page that is shown are completed when they are
shown, and stored whole if they are few.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.errors import RecordError
from ledgit.store.index_codec import encode_state
from ledgit.store.index_lines import RUN, SECTIONS, values_of
from ledgit.store.index_rows import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.git import BatchReader
    from ledgit.records import RunState
    from ledgit.store.index_database import Database
    from ledgit.store.index_source import Progress

__all__ = ["complete_columns", "complete_states", "lacking"]

_CHUNK = 500
_STORED = 500
"""States completed for a page that are stored whole; of more, that would make the index too large."""


def lacking(database: Database, keys: Iterable[tuple[str, str]]) -> set[str]:
    """Return the kinds of columns to be completed before a question may name *keys* (kind, key).

    A key that every run has in its line needs nothing; that is found out once and remembered.
    """
    runs, execute = database.runs, database.db.execute
    kinds: set[str] = set()
    if execute(f"SELECT 1 FROM {runs.run} WHERE partial > 0 LIMIT 1").fetchone() is None:
        return kinds
    for kind, key in sorted(set(keys)):
        bit = PARTS.get(kind)
        if bit is None or kind in kinds:
            continue
        known = execute("SELECT 1 FROM whole WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        if known is not None:
            continue
        facets = ("last", "nan") if kind == "metrics" else ("text",)
        names = [name for facet in facets if (name := runs.columns.get((kind, key, facet)))]
        narrow = [name for name in names if name[0] != "#"]
        empty = "".join(f" AND {name} IS NULL" for name in narrow)
        if (
            narrow != names
            or execute(f"SELECT 1 FROM {runs.run} WHERE partial > 0 AND partial & {bit}{empty} LIMIT 1").fetchone()
        ):
            kinds.add(kind)
        else:
            _remember(database, kind, key)
    return kinds


def _remember(database: Database, kind: str, key: str) -> None:
    sql = "INSERT OR REPLACE INTO whole VALUES (?, ?)"
    database.try_to_write(lambda: database.db.execute(sql, (kind, key)))


def complete_columns(
    database: Database, reader: BatchReader, kinds: Iterable[str], progress: Progress | None = None
) -> None:
    """Fill the columns of *kinds* for all runs whose line had no room for them; within a transaction.

    What is not in this clone stays as the line has it.
    """
    runs, execute = database.runs, database.db.execute
    wanted = [kind for kind in SECTIONS if kind in set(kinds)]
    bits = sum(PARTS[kind] for kind in wanted)
    rows = execute(
        f"SELECT n, head, partial FROM {runs.run} WHERE partial > 0 AND partial & {bits} ORDER BY n"
    ).fetchall()
    for start in range(0, len(rows), _CHUNK):
        if progress is not None:
            progress("reading runs", start, len(rows))
        some = rows[start : start + _CHUNK]
        asked = [(n, head, kind) for n, head, partial in some for kind in wanted if partial & PARTS[kind]]
        blobs = reader.read_many(f"{head}:{RUN}/{kind}.yaml" for _, head, kind in asked)
        found: dict[int, dict[str, dict[str, Any]]] = {}
        for (n, _, kind), blob in zip(asked, blobs, strict=True):
            if blob is not None:
                try:
                    found.setdefault(n, {})[kind] = values_of(blob[2], kind)
                except RecordError:
                    continue
        _fill(database, found)
        marks = ", ".join("?" * len(some))
        execute(f"UPDATE {runs.run} SET partial = partial & {~bits & 7} WHERE n IN ({marks})", [row[0] for row in some])
    if progress is not None:
        progress("reading runs", len(rows), len(rows))


def _fill(database: Database, found: dict[int, dict[str, dict[str, Any]]]) -> None:
    runs = database.runs
    narrow: list[tuple[int, int, Any]] = []
    wide: dict[tuple[str, ...], list[list[Any]]] = {}
    for n, sections in found.items():
        names: list[str] = []
        values: list[Any] = []
        for kind, section in sections.items():
            for name, value in _cells(database, kind, section):
                if name[0] == "#":
                    narrow.append((int(name[1:]), n, value))
                else:
                    names.append(name)
                    values.append(value)
        wide.setdefault(tuple(names), []).append([*values, n])
    for columns, lines in wide.items():
        if columns:
            places = ", ".join(f"{name} = ?" for name in columns)
            database.db.executemany(f"UPDATE {runs.run} SET {places} WHERE n = ?", lines)
    database.db.executemany(f"INSERT OR REPLACE INTO {runs.more} VALUES (?, ?, ?)", narrow)


def _cells(database: Database, kind: str, section: dict[str, Any]) -> list[tuple[str, Any]]:
    column = database.runs.column
    if kind == "metrics":
        return [
            (column((kind, key, "nan")), 1) if isnan(value) else (column((kind, key, "last")), value)
            for key, value in section.items()
        ]
    cells: list[tuple[str, Any]] = [(column((kind, key, "text")), str(value)) for key, value in section.items()]
    if kind == "params":
        numbers = database.runs.rows.numbers_of(section)
        cells += [
            (column((kind, key, "number")), number)
            for key, number in zip(section, numbers, strict=True)
            if number is not None
        ]
    return cells


def complete_states(database: Database, reader: BatchReader, runs: Sequence[tuple[int, RunState, bytes]]) -> None:
    """Complete runs, given with their row numbers and stored lines, and store them whole if they are few."""
    wanted = [(n, state, kind, state.heads[0]) for n, state, _ in runs for kind in SECTIONS if kind in state.left]
    missing = set()
    blobs = reader.read_many(f"{head}:{RUN}/{kind}.yaml" for _, _, kind, head in wanted)
    for (n, state, kind, _), blob in zip(wanted, blobs, strict=True):
        if blob is None:
            missing.add(n)  # it may be fetched later
            continue
        try:
            for key, value in values_of(blob[2], kind).items():
                getattr(state, kind).setdefault(key, value)
        except RecordError as error:
            state.problem = state.problem or str(error)
    if len(runs) <= _STORED:
        rows = [(encode_state(state), n, line) for n, state, line in runs if n not in missing]
        sql = f"UPDATE {database.runs.doc} SET body = ? WHERE n = ? AND body = ?"  # if it is that run still
        database.try_to_write(lambda: database.db.executemany(sql, rows))
