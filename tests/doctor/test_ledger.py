"""The clone's ledger, and the index that is made from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.doctor.kit import Clinic
from tests.ledger.kit import tombstone

from ledgit.git import FILE, Objects, ObjectSet, TreeEntry, build
from ledgit.records.table import Line
from ledgit.store import Index
from ledgit.store.ledger import every_line


def lines_of(clinic: Clinic) -> list[tuple[str, Line]]:
    objects = Objects(clinic.repo)
    return list(every_line(objects, clinic.git("rev-parse", "refs/ledgit/ledger^{tree}")))


def rewrite(clinic: Clinic, files: dict[str, bytes]) -> None:
    """Commit a ledger with these files put over its own, as nobody's Ledgit would."""
    objects = ObjectSet()
    listed = clinic.git("ls-tree", "-r", "refs/ledgit/ledger").splitlines()
    everything: dict[str, bytes | str] = {line.split("\t")[1]: line.split()[2] for line in listed}
    tree = build(objects, {**everything, **files})
    who = ("Eve", "eve@example.org", 1_700_000_000, "+0000")
    new = objects.commit(tree, [clinic.git("rev-parse", "refs/ledgit/ledger")], who, who, "forged")
    objects.write(clinic.repo, keep=False)
    clinic.git("update-ref", "refs/ledgit/ledger", new)


def test_a_line_that_its_commit_does_not_bear_out_is_a_problem(clinic: Clinic) -> None:
    clinic.run()
    clinic.compact()
    ((path, line),) = lines_of(clinic)
    rewrite(clinic, {path: line.raw.replace(b"0.5", b"0.9") + b"\n"})

    (finding,) = clinic.findings()
    assert ("problem", "forged") == (finding.level, finding.key)
    assert "forged or damaged" in finding.what


def test_a_line_in_the_wrong_place_is_a_problem(clinic: Clinic) -> None:
    clinic.run()
    clinic.compact()
    ((_, line),) = lines_of(clinic)
    rewrite(clinic, {"segments/1999-01/01.jsonl": line.raw + b"\n"})

    assert ("problem", "tree") in clinic.found()


def test_a_ledger_of_a_newer_format_is_told_and_left_alone(clinic: Clinic) -> None:
    clinic.run()
    clinic.compact()
    rewrite(clinic, {"format": b"min_reader: 99\nmin_writer: 99\n"})

    (finding, *_) = clinic.findings()
    assert ("problem", "format", "upgrade Ledgit") == (finding.level, finding.key, finding.mend)


def test_a_line_that_cannot_be_read_is_a_hint(clinic: Clinic) -> None:
    run = clinic.run()
    clinic.compact()
    ((path, line),) = lines_of(clinic)
    other = b'{"id":"%s","head":"%s","v":"what"}' % (b"f" * 32, b"e" * 40)
    rewrite(clinic, {path: b"".join(sorted([line.raw + b"\n", other + b"\n"]))})

    keys = clinic.found()
    assert ("hint", "lines") in keys
    assert run


def test_heads_that_only_the_table_names_get_a_commit_that_keeps_them(clinic: Clinic) -> None:
    """Else the next gc would take them."""
    clinic.run()
    clinic.run("elk")
    ledger = clinic.compact()
    tree = clinic.git("rev-parse", f"{ledger}^{{tree}}")
    bare = clinic.git("commit-tree", "-m", "no parents", tree)
    clinic.git("update-ref", "refs/ledgit/ledger", bare)

    assert [("problem", "unlinked")] == clinic.found()
    assert ["made the ledger keep 2 heads that nothing kept"] == clinic.mend()
    assert [] == clinic.findings()
    clinic.git("reflog", "expire", "--expire=now", "--all")
    clinic.git("gc", "-q", "--prune=now")
    assert [] == clinic.findings()
    assert tree == clinic.git("rev-parse", "refs/ledgit/ledger^{tree}")


def test_heads_that_are_not_here_are_a_problem(clinic: Clinic) -> None:
    clinic.run()
    ledger = clinic.compact()
    tree = clinic.git("rev-parse", f"{ledger}^{{tree}}")
    clinic.git("update-ref", "refs/ledgit/ledger", clinic.git("commit-tree", "-m", "no parents", tree))
    clinic.git("gc", "-q", "--prune=now")

    assert ("problem", "missing") in clinic.found()


def test_a_ledger_that_is_not_whole_is_a_problem_and_no_traceback(clinic: Clinic) -> None:
    objects = ObjectSet()
    tree = objects.tree([TreeEntry("format", FILE, "ab" * 20)])
    who = ("Eve", "eve@example.org", 1_700_000_000, "+0000")
    oid = objects.commit(tree, [], who, who, "half")
    objects.write(clinic.repo, keep=False)
    clinic.git("update-ref", "refs/ledgit/ledger", oid)

    assert "problem" in {level for level, _ in clinic.found()}


def test_a_purge_that_is_owed_is_a_problem(clinic: Clinic) -> None:
    """The tombstone is there, and the data is still in history."""
    run = clinic.run()
    clinic.compact()
    ((_, line),) = lines_of(clinic)
    clinic.add_lines(tombstone(run, line.start or 0))

    (finding,) = clinic.findings()
    assert ("problem", "owed", "ledgit gc --purge") == (finding.level, finding.key, finding.mend)
    clinic.git("update-ref", "refs/ledgit/remotes/origin/ledger", "refs/ledgit/ledger")
    assert ["this clone", "origin"] == [one.what.split("ledger of ")[1].split(" still")[0] for one in clinic.findings()]


CORRUPTIONS = {
    "a value": "UPDATE run SET name = 'other'",
    "a state": "UPDATE doc SET body = replace(body, 'FINISHED', 'FAILED')",
    "a missing run": "DELETE FROM run WHERE name = 'owl'",
    "a run too many": "INSERT INTO run SELECT max(n) + 1, 'ffff', name, experiment, status, user, parent_run,"
    " run_commit, head, code_commit, tree, branch, started, ended, deleted, dirty, code",
}


@pytest.mark.parametrize("how", CORRUPTIONS)
def test_an_index_that_says_something_else_than_the_repository_is_built_again(clinic: Clinic, how: str) -> None:
    clinic.run()
    clinic.run("elk")
    clinic.compact()
    clinic.run("fox")
    assert [] == clinic.findings()
    with closing(sqlite3.connect(Path(clinic.folder.path) / "index.sqlite3")) as db, db:
        statement = CORRUPTIONS[how]
        if how == "a run too many":
            columns = [row[1] for row in db.execute("PRAGMA table_info(run)")]
            values = ", ".join({"n": "n + 100", "id": "'ffff'"}.get(name, name) for name in columns)
            (number,) = db.execute("SELECT n FROM run WHERE name = 'owl'").fetchone()
            db.execute(f"INSERT INTO run ({', '.join(columns)}) SELECT {values} FROM run WHERE n = ?", (number,))
            db.execute("INSERT INTO doc SELECT n + 100, body FROM doc WHERE n = ?", (number,))
        else:
            db.execute(statement.replace("body, ", "cast(body AS TEXT), "))

    assert [("problem", "index")] == clinic.found()
    clinic.mend()
    assert [] == clinic.findings()


def test_an_index_with_more_of_a_wide_run_than_its_line_is_right(clinic: Clinic) -> None:
    """What was read for a list is kept in the index; one made anew has what lines have."""
    run = clinic.run(**{f"param_{number}": "x" * 20 for number in range(300)})
    clinic.compact()
    with closing(Index(clinic.repo, clinic.folder)) as index:
        state = index.get(run)  # made from nothing, so of its line alone
        assert state is not None
        assert 301 == len(state.params)

    assert [] == clinic.findings()
    with closing(sqlite3.connect(Path(clinic.folder.path) / "index.sqlite3")) as db, db:
        db.execute("UPDATE doc SET body = CAST(replace(CAST(body AS TEXT), 'x', 'y') AS BLOB)")
    assert [("problem", "index")] == clinic.found()


def test_checking_the_index_leaves_nothing_behind(clinic: Clinic) -> None:
    clinic.run()
    clinic.findings()

    assert [] == list((Path(clinic.folder.path) / "scratch").iterdir())


def test_a_damaged_object_is_a_finding_and_no_traceback(clinic: Clinic) -> None:
    clinic.run()
    clinic.compact()
    run_git(clinic.path, "repack", "-adq")
    for pack in (clinic.path / ".git" / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        data[100:-100] = bytes(len(data) - 200)
        pack.write_bytes(data)

    assert "problem" in {level for level, _ in clinic.found()}
