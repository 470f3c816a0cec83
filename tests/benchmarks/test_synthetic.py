"""Synthetic repositories: what is measured on them must be what Ledgit itself would have made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.synthetic import Made, Plan, make, one_ref_each
from benchmarks.synthetic.make import LEAF
from tests.conftest import GitFunction

from ledgit.git import Objects, Repo, list_refs
from ledgit.records import decode_entry, union_entries, with_head
from ledgit.store.folder import Folder
from ledgit.store.index import Index

PLAN = Plan(runs=400, spread="day", loose=5, histories=2, points=10)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """400 runs on one day."""
    return make(tmp_path_factory.mktemp("synthetic"), PLAN)


def leaves(path: Path, git: GitFunction) -> Iterator[tuple[str, list[bytes]]]:
    for name in git(path, "ls-tree", "-r", "--name-only", "refs/ledgit/ledger", "segments/").splitlines():
        text = git(path, "show", f"refs/ledgit/ledger:{name}")
        yield name, [line.encode() for line in text.splitlines()]


def test_git_finds_nothing_wrong(made: Made, git: GitFunction) -> None:
    """Objects are strict ones, and the work tree is that of main."""
    git(made.path, "fsck", "--strict", "--no-dangling")

    assert "" == git(made.path, "status", "--porcelain")
    assert "230" == git(made.path, "rev-list", "--count", "--branches")


def test_leaves_obey_the_law_of_the_ledgers_tree(made: Made, git: GitFunction) -> None:
    """At most 64 runs, split by digits only where there are more, lines sorted, every line one that counts."""
    listed = 0
    parts: dict[str, int] = {}
    for name, lines in leaves(made.path, git):
        entries = [decode_entry(line) for line in lines]
        keys = [(entry.id, entry.head) for entry in entries]
        runs = {entry.id for entry in entries}
        listed += len(runs)
        digits = "".join(name.removesuffix(".jsonl").split("/")[3:])
        parts[digits[:-1]] = parts.get(digits[:-1], 0) + len(runs)

        assert keys == sorted(keys)
        assert len(runs) <= LEAF
        assert all(entry.id.startswith(digits) for entry in entries)
        for run in runs:
            own = [entry for entry in entries if entry.id == run]
            assert len(own) == len(union_entries(own))
    assert listed == PLAN.runs - PLAN.loose
    assert all(count > LEAF for digits, count in parts.items() if digits)


def test_lines_are_those_of_the_commits(made: Made, git: GitFunction) -> None:
    """Each line is its commit's entry.json with the head in it, and each head is reached by the ledger."""
    objects = Objects(Repo.discover(str(made.path)))
    reached = set(git(made.path, "rev-list", "refs/ledgit/ledger").split())
    for _, lines in leaves(made.path, git):
        for entry in map(decode_entry, lines):
            if not entry.purged:
                own = objects.files(entry.head, ".ledgit/run")["entry.json"]

                assert entry.raw + b"\n" == with_head(own, entry.head)
                assert entry.head in reached


def test_the_fates_of_runs_are_as_planned(made: Made) -> None:
    """5 % edited, 2 % with two heads, 1 % purged."""
    repo = Repo.discover(str(made.path))
    index = Index(repo, Folder.of(repo))
    fates = [slot.fate for slot in PLAN.slots()]
    states = {slot.id: index.get(slot.id) for slot in PLAN.slots()}

    assert [fates.count(fate) for fate in ("edited", "two heads", "purged")] == [20, 8, 4]
    for slot in PLAN.slots():
        state = states[slot.id]
        in_ledger = slot.number < PLAN.runs - PLAN.loose
        if slot.fate == "purged":
            assert state is None
        else:
            assert state is not None
            assert len(state.heads) == (2 if slot.fate == "two heads" and in_ledger else 1)
            assert (state.commit != state.heads[0]) == (slot.fate in ("edited", "two heads"))
            assert not state.problem
    assert made.runs == PLAN.runs - PLAN.loose - 4
    assert PLAN.loose == len(list_refs(repo, "refs/ledgit/runs/"))


def test_the_newest_runs_have_histories(made: Made, git: GitFunction) -> None:
    """As many as were asked for, five metrics each."""
    newest = PLAN.slots()[-1].id
    names = git(made.path, "ls-tree", "--name-only", f"refs/ledgit/runs/{newest}:.ledgit/run/history").split()

    assert 5 == len(names)


def test_the_same_plan_makes_the_same_ledger(tmp_path: Path) -> None:
    """However many processes make it."""
    plan = Plan(runs=6_000, loose=0)

    one, two = make(tmp_path / "one", plan, jobs=1), make(tmp_path / "two", plan, jobs=2)

    assert one.ledger == two.ledger
    assert one.runs == 5_940


def test_the_other_way_is_a_ref_for_each_head(tmp_path: Path, git: GitFunction) -> None:
    """To compare with."""
    made = make(tmp_path, Plan(runs=50))

    one_ref_each(made)

    assert len(made.heads) == int(git(tmp_path, "rev-list", "--count", "--no-walk", "--glob=refs/experiments/*"))
    assert "" == git(tmp_path, "for-each-ref", "refs/ledgit/")
