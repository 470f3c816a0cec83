"""What had no room in a run's line: read from the run's own files when somebody asks for it.

A line holds 4 KB. Of 100,000 runs with 500 keys each the rest is a gigabyte that hardly anybody asks
for, so after a first pull only the lines are in the index. A row's ``partial`` says which kinds of
columns lack something; once a question names a key that some run may have beyond its line, the
columns of that kind are filled, once. The runs of a page that is shown are completed when they are
shown, and stored whole if they are few.
"""

# ruff: noqa: S608 - identifiers are made here, values are bound

from __future__ import annotations

from contextlib import closing
from itertools import islice
from math import isnan
from typing import TYPE_CHECKING, Any

from ledgit.errors import RecordError
from ledgit.records import dump_flat
from ledgit.store.index_codec import decode_state, encode_state
from ledgit.store.index_lines import RUN, SECTIONS, Joiner, add_values, values_of
from ledgit.store.index_plain import PARTS
from ledgit.store.index_rows import ALL_PARTS, SEVERAL
from ledgit.store.index_table import MAX_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ledgit.git import BatchReader
    from ledgit.records import RunState
    from ledgit.store.index_database import Database
    from ledgit.store.index_source import Progress

__all__ = ["complete_columns", "complete_states", "lacking"]

_CHUNK = 250
_MOST_LINES = 50_000
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
        if kind == "inputs":
            if database.has_partial(kind):
                kinds.add(kind)
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
    _complete_several(database, reader, bits)
    rows = execute(
        f"SELECT n, head, partial FROM {runs.run} WHERE partial > 0 AND partial & {bits} ORDER BY n"
    ).fetchall()
    batches = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
    asked = [
        [(n, head, kind) for n, head, partial in some for kind in wanted if partial & PARTS[kind]] for some in batches
    ]
    parse = Parser()
    reader.work_ahead()
    specs = (f"{head}:{RUN}/{kind}.yaml" for which in asked for _, head, kind in which)
    with closing(reader.read_many(specs)) as blobs:
        for number, (some, which) in enumerate(zip(batches, asked, strict=True)):
            if progress is not None:
                progress("reading runs", number * _CHUNK, len(rows))
            found: dict[int, dict[str, dict[str, Any]]] = {}
            for (n, _, kind), blob in zip(which, islice(blobs, len(which)), strict=True):
                if blob is not None:
                    try:
                        found.setdefault(n, {})[kind] = parse(blob[2], kind)
                    except RecordError:
                        continue
            _fill(database, found)
            marks = ", ".join("?" * len(some))
            done = f"UPDATE {runs.run} SET partial = partial & {~bits & ALL_PARTS} WHERE n IN ({marks})"
            execute(done, [row[0] for row in some])
    if progress is not None:
        progress("reading runs", len(rows), len(rows))


def _complete_several(database: Database, reader: BatchReader, bits: int) -> None:
    """Complete runs with several heads, whole: there are few."""
    runs, joiner = database.runs, Joiner(reader)
    sql = f"SELECT n FROM {runs.run} WHERE partial > 0 AND partial & {SEVERAL} AND partial & {bits}"
    numbers = [n for (n,) in database.db.execute(sql)]
    for start in range(0, len(numbers), _CHUNK):
        some = numbers[start : start + _CHUNK]
        marks = ", ".join("?" * len(some))
        bodies = database.db.execute(f"SELECT body FROM {runs.doc} WHERE n IN ({marks})", some).fetchall()
        states = [decode_state(body) for (body,) in bodies]
        for state in states:
            joiner.complete(state)
        runs.rows.write(states)


class Parser:
    """Parses the files of many runs, which mostly have the same params: a line is parsed once."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, Any]] = {}

    def __call__(self, data: bytes, kind: str) -> dict[str, Any]:
        """Return what the file of a section holds, as :func:`values_of` does.

        Raises:
            RecordError: It does not decode.
        """
        if kind != "params":  # hardly two metrics are alike, and all tags are text
            return values_of(data, kind)
        lines = data.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        known = self._known
        try:
            found = dict([known[line] for line in lines])
        except KeyError:
            found = values_of(data, kind)
            if len(found) == len(lines):
                if len(known) > _MOST_LINES:
                    known.clear()
                # Only what we write ourselves means the same in every file.
                known.update(
                    (line, item)
                    for line, item in zip(lines, found.items(), strict=True)
                    if line not in known and dump_flat(dict([item])) == line + b"\n"
                )
            return found
        return found if len(found) == len(lines) else values_of(data, kind)


def _fill(database: Database, found: dict[int, dict[str, dict[str, Any]]]) -> None:
    runs = database.runs
    narrow: list[tuple[int, int, Any]] = []
    wide: dict[tuple[str, ...], list[list[Any]]] = {}
    for n, sections in found.items():
        names, values = _cells(database, sections)
        if "inputs" in sections:
            names, values = (*names, "inputs"), [*values, runs.input_sets.number(tuple(sections["inputs"]))]
        is_narrow = len(runs.columns) >= MAX_COLUMNS and any(name[0] == "#" for name in names)
        if is_narrow:
            cells = [(name, value) for name, value in zip(names, values, strict=True) if value is not None]
            narrow += [(int(name[1:]), n, value) for name, value in cells if name[0] == "#"]
            names = tuple(name for name, _ in cells if name[0] != "#")
            values = [value for name, value in cells if name[0] != "#"]
        wide.setdefault(names, []).append([*values, n])
    runs.input_sets.store()
    for columns, lines in wide.items():
        if columns:
            places = ", ".join(f"{name} = ?" for name in columns)
            database.db.executemany(f"UPDATE {runs.run} SET {places} WHERE n = ?", lines)
    database.db.executemany(f"INSERT OR REPLACE INTO {runs.more} VALUES (?, ?, ?)", narrow)


def _cells(database: Database, sections: dict[str, dict[str, Any]]) -> tuple[tuple[str, ...], list[Any]]:
    """Return columns and values. Runs with the same keys get the same columns, so that a statement serves many."""
    runs = database.runs
    metrics, params, tags = (sections.get(kind, {}) for kind in ("metrics", "params", "tags"))
    if not any(map(isnan, metrics.values())):
        cells = runs.rows.cells(metrics, params, tags)
        if cells is not None:
            return cells
    found: dict[str, Any] = {}
    for key, value in metrics.items():
        nan = isnan(value)
        found[runs.column(("metrics", key, "nan" if nan else "last"))] = 1 if nan else value
    for key, text, number in zip(params, *runs.rows.values.texts_and_numbers(params), strict=True):
        found[runs.column(("params", key, "text"))] = text
        if number is not None:
            found[runs.column(("params", key, "number"))] = number
    for key, value in tags.items():
        found[runs.column(("tags", key, "text"))] = value
    return tuple(found), list(found.values())


def complete_states(database: Database, reader: BatchReader, runs: Sequence[tuple[int, RunState, bytes]]) -> None:
    """Complete runs, given with their row numbers and stored lines, and store them whole if they are few."""
    wanted = [
        (n, state, kind, head)
        for n, state, _ in runs
        for head in state.heads
        for kind in SECTIONS
        if kind in state.left
    ]
    missing = set()
    blobs = reader.read_many(f"{head}:{RUN}/{kind}.yaml" for _, _, kind, head in wanted)
    for (n, state, kind, _), blob in zip(wanted, blobs, strict=True):
        if blob is None:
            missing.add(n)  # it may be fetched later
            continue
        try:
            add_values(state, kind, values_of(blob[2], kind))
        except RecordError as error:
            state.problem = state.problem or str(error)
    if len(runs) <= _STORED:
        rows = [(encode_state(state), n, line) for n, state, line in runs if n not in missing]
        sql = f"UPDATE {database.runs.doc} SET body = ? WHERE n = ? AND body = ?"  # if it is that run still
        database.try_to_write(lambda: database.db.executemany(sql, rows))
