"""One run that two clones imported with different starts: it would stand on two days of a ledger."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.gc.kit import tombstones
from tests.sync.kit import DAY, LEDGER, START, Clone, lines_of, make_clone

from ledgit.git import Objects, ObjectSet
from ledgit.records.table import parse_line
from ledgit.repository import open_repository
from ledgit.store.index_places import known_places
from ledgit.store.ledger import add_lines, every_line, tree
from ledgit.store.ledger.purging import purge
from ledgit.store.ledger.tree import _ids_in, on_other_days

RUN = "0123456789abcdef" * 2


@pytest.mark.parametrize("known", [False, True])
def test_a_run_that_is_there_with_another_start_stays_here(
    ada: Clone, ben: Clone, host: Path, tmp_path: Path, known: bool
) -> None:
    """Others go, and who comes anew can pull what is there."""
    ada.log("imported", run_id=RUN, start=START)
    ada.push()
    ben.log("imported", run_id=RUN, start=START + 3 * DAY)
    other = ben.log("other")
    ben.compact()  # an import's runs are there at once
    if known:
        ben.pull()

    first, second = ben.push(), ben.push()
    new = make_clone(str(host), tmp_path / "new")
    new.pull()

    assert [other] == first.sent.new
    assert [] == second.sent.new
    for done in (first, second):
        assert "2026-09-21" in done.left[RUN]
    assert {RUN, other} == lines_of(host) == new.listed()
    assert 1 == len(new.heads(RUN))


def test_a_purge_takes_a_run_on_all_its_days(ada: Clone, ben: Clone) -> None:
    """It came from a Ledgit that pushed such lines."""
    heads = []
    for days in (0, 3):
        ada.log("imported", run_id=RUN, start=START + days * DAY)
        heads.append(ada.refs()[f"refs/ledgit/runs/{RUN}"])
        ada.compact()
    assert sorted(heads) == sorted(ada.heads(RUN))

    purge(ada.repo, ada.folder, {RUN: START})

    ada.push()
    ben.pull()
    assert [] == ada.heads(RUN) == ben.heads(RUN)
    assert {RUN} == tombstones(ben.path)
    assert {RUN} == tombstones(ada.path)
    carried = run_git(ada.path, "rev-list", LEDGER).split()
    assert not set(heads) & set(carried)


@pytest.mark.parametrize("later", [False, True])
def test_what_the_index_has_read_is_not_read_again(ada: Clone, later: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With files that came since it was asked last, and without."""
    runs = [ada.log(start=START + at % 5 * DAY) for at in range(40)]
    ada.compact()
    assert 40 == len(open_repository(ada.path).runs)
    if later:
        runs += [ada.log(start=START + at % 2 * DAY) for at in range(3)]
        ada.compact()
    objects, asked = Objects(ada.repo), dict.fromkeys(runs, "2026-09/22")
    expected = on_other_days(objects, ada.tree, asked)
    read: list[bytes] = []
    monkeypatch.setattr(tree, "_ids_in", lambda data, runs: read.append(data) or _ids_in(data, runs))

    places = known_places(ada.folder, asked)
    found = on_other_days(objects, ada.tree, asked, places=places)

    assert {run: sorted(line.raw for line in lines) for run, lines in expected.items()} == {
        run: sorted(line.raw for line in lines) for run, lines in found.items()
    }
    assert 30 < len(found) < len(runs)
    assert (2 if later else 0) == len(read)


@pytest.mark.parametrize("what", ["missing", "damaged", "older"])
def test_an_index_that_can_t_be_read_knows_nothing(ada: Clone, what: str) -> None:
    run = ada.log(start=START)
    ada.compact()
    path = ada.path / ".git/ledgit/index.sqlite3"
    assert 1 == len(open_repository(ada.path).runs)
    assert {"2026-09/21"} == known_places(ada.folder, [run]).days[run]
    if what == "missing":
        path.unlink()
    elif what == "damaged":
        path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 1")

    found = known_places(ada.folder, [run])

    assert ({}, set()) == (found.days, found.read)


@pytest.mark.parametrize("asked", [3, 40])
def test_lines_on_other_days_are_found_in_split_days_too(repo: Path, asked: int) -> None:
    objects, fresh = Objects(Clone(repo).repo), ObjectSet()
    ids = [os.urandom(16).hex() for _ in range(400)]
    lines = [
        parse_line(
            b'{"id":"%b","head":"%b","start":%d}' % (run_id.encode(), os.urandom(20).hex().encode(), START + day)
        )
        for at, run_id in enumerate(ids)
        for day in ((0, DAY) if at < asked - 1 else (at % 2 * DAY,))
    ]
    table = add_lines(objects, fresh, None, lines).tree
    assert any(path.count("/") > 2 for path, _ in every_line(objects, table, fresh))

    found = on_other_days(objects, table, dict.fromkeys(ids[:asked], "2026-09/21"), fresh)

    expected = {line.raw for line in lines if line.id in ids[:asked] and line.day != "2026-09/21"}
    assert expected == {line.raw for several in found.values() for line in several}
    assert {} == on_other_days(objects, table, {"f" * 32: "2026-09/21"}, fresh)
