"""An index made from nothing with the help of a process that reads the ledger for it."""

from __future__ import annotations

import sqlite3
from select import select
from typing import Any

import pytest
from benchmarks.synthetic import Plan
from benchmarks.synthetic import make as make_synthetic
from tests.index.kit import Runs

from ledgit.errors import RecordError
from ledgit.query import Query
from ledgit.records import encode_tombstone
from ledgit.store import index_ahead, index_source
from ledgit.store.index_ahead import Ahead


def rows(runs: Runs) -> list[Any]:
    """Everything the index's tables say, but for the numbers of its rows."""
    with sqlite3.connect(runs.file) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(run)") if row[1] not in ("n", "code")]
        columns = dict(db.execute("SELECT name, kind || '.' || key || '.' || facet FROM key"))
        wanted = sorted(names, key=lambda name: columns.get(name, name))
        found: list[Any] = [[columns.get(name, name) for name in wanted]]
        found += db.execute(
            f"SELECT {', '.join(f'r.{name}' for name in wanted)}, c.oid, c.patch_id, d.body"
            " FROM run r JOIN doc d USING (n) LEFT JOIN code c ON c.n = r.code ORDER BY r.id"
        )
        found += db.execute("SELECT path, run, sum FROM line JOIN node ON segment = node.n ORDER BY path, run")
        found += db.execute("SELECT * FROM tombstone ORDER BY run")
    return found


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """1,500 runs, edited ones and purged ones among them."""
    return Runs(make_synthetic(tmp_path_factory.mktemp("ahead"), Plan(1_500), jobs=1).path)


@pytest.fixture
def expected(many: Runs, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The index as it is made without help; then help is called for."""
    many.file.unlink(missing_ok=True)
    many.index().refresh()
    found = rows(many)
    many.file.unlink()
    monkeypatch.setattr(Ahead, "is_worth_it", staticmethod(lambda oids: True))
    return found


def heard(monkeypatch: pytest.MonkeyPatch, most: int = 10**9) -> list[int]:
    """Wait for the process each time, and note how many files it told of; it is killed once it told of *most*."""
    told: list[int] = []
    take = Ahead.take

    def patiently(ahead: Ahead) -> Any:
        if sum(told) >= most:
            ahead._process.kill()
            ahead._process.wait()
            return None
        select([ahead._answers], [], [])
        digest = take(ahead)
        if digest is not None:
            told.append(digest[0])
        return digest

    monkeypatch.setattr(Ahead, "take", patiently)
    return told


def test_the_index_is_the_same_whoever_read_the_ledger(
    many: Runs, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edited runs, purged ones and a loose one that the ledger has as well."""
    told = heard(monkeypatch)

    many.index().refresh()

    assert expected == rows(many)
    with sqlite3.connect(many.file) as db:
        assert [(sum(told),)] == db.execute("SELECT count(*) FROM node WHERE tree = 0").fetchall()


def test_who_writes_helps_where_the_helper_has_nothing_ready(
    many: Runs, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins with the first file, the other with the last; no file is told twice where they meet."""
    told = heard(monkeypatch)
    take, turns = Ahead.take, iter(range(10**6))
    monkeypatch.setattr(Ahead, "take", lambda ahead: take(ahead) if next(turns) % 3 else None)
    monkeypatch.setattr(index_ahead, "_BATCH", 50_000)  # here; not there

    many.index().refresh()

    assert expected == rows(many)
    assert 1 < len(told)


def test_what_a_killed_helper_did_not_tell_is_read_all_the_same(
    many: Runs, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = heard(monkeypatch, most=1)

    many.index().refresh()

    assert expected == rows(many)
    assert 1 == len(told)


@pytest.mark.parametrize("python", ["", "/opt/editor/editor", "/no/such/python3"])
def test_where_no_helper_can_be_had_it_is_done_here(
    many: Runs, expected: list[Any], monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    """Python is part of another program, or has gone."""
    monkeypatch.setattr("sys.executable", python)

    many.index().refresh()

    assert expected == rows(many)


@pytest.mark.parametrize(
    ("files", "processors", "load", "worth"),
    [
        (1_000, 2, 1.5, True),
        (999, 2, 0.0, False),
        (1_000, 1, 0.0, False),
        (1_000, 2, 2.0, False),
        (9_000, 4, 3.9, True),
    ],
)
def test_help_is_called_for_where_a_processor_is_to_spare(
    monkeypatch: pytest.MonkeyPatch, files: int, processors: int, load: float, worth: bool
) -> None:
    """On a busy machine two processes would take longer than one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)), raising=False)
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))

    assert worth == Ahead.is_worth_it(["a" * 40] * files)


def test_a_run_in_two_files_is_one(runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether both are seen in one go, by the helper, or one after the other, or it is loose besides."""
    twice, thrice, plain = make(1), make(2), make(3)
    edited = make(2, tags={"a": "b"}, clock=(2, "c" * 16))
    purged = encode_tombstone(make(4).id, make(4).start)
    head = runs.add(thrice)
    files = {
        "2023-11/13.jsonl": runs.line(twice) + runs.line_of(thrice, head),
        "2023-11/14.jsonl": runs.line(make(1, user="eve")) + runs.line(edited) + runs.line(plain) + purged,
    }
    runs.ledger({path: b"".join(sorted(lines.splitlines(keepends=True))) for path, lines in files.items()})

    monkeypatch.setattr(index_ahead, "_BATCH", 1)
    for helped in (True, False):
        runs.file.unlink(missing_ok=True)
        monkeypatch.setattr(Ahead, "is_worth_it", staticmethod(lambda _, helped=helped: helped))
        index = runs.index()
        found = {state.id: state for state in index.search(Query()).runs}
        assert {twice.id, thrice.id, plain.id} == found.keys()
        assert {"a": "b"} == found[thrice.id].tags
        assert 2 == len(found[twice.id].heads)
        assert index.is_purged(make(4).id)


def test_a_file_that_is_not_here_is_told_as_ever(runs: Runs, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The helper ends, and who has to do without it says which."""
    monkeypatch.setattr(Ahead, "is_worth_it", staticmethod(lambda oids: True))
    runs.ledger({"2023-11/14.jsonl": runs.line(make(1))})
    missing = "b" * 40
    monkeypatch.setattr(index_source.Source, "_walk", lambda _self, *args: args[3].append((1, missing)))

    with pytest.raises(RecordError, match=f"object {missing} of the ledger is not in this clone"):
        runs.index().refresh()
