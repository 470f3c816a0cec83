"""The ledger's history: one line that carries every head, in an order Git walks quickly."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.ledger.kit import DAY, START, entry_of, make_commit, run_id, tombstone

from ledgit.errors import NotFound, RecordError
from ledgit.git import Objects, ObjectSet, Repo
from ledgit.records.table import Line
from ledgit.store.ledger import add_lines, commit_ledger, owed, root_of

WHO = ("Ada", "ada@example.org")
NOW = START // 1000 + 10_000_000


def heads_of(fresh: ObjectSet, count: int, step: int = 1000) -> dict[str, Line]:
    """Run commits whose dates rise while their ids don't."""
    return dict(make_commit(fresh, entry_of(run_id(number), START + number * step)) for number in range(count))


def dates(repo: Path, *revs: str) -> list[int]:
    return [int(line) for line in run_git(repo, "log", "--no-walk=unsorted", "--format=%ct", *revs).splitlines()]


def test_heads_are_parents_in_order_of_date_and_id(repo: Path, opened: Repo) -> None:
    """Random order made a plain rev-list quadratic."""
    fresh = ObjectSet()
    objects = Objects(opened)
    made = heads_of(fresh, 40, step=500)  # two a second
    tree = add_lines(objects, fresh, None, made.values()).tree
    shuffled = list(made)
    random.Random(1).shuffle(shuffled)

    tip = commit_ledger(objects, fresh, tree, None, shuffled, who=WHO, when=NOW)
    again = commit_ledger(objects, fresh, tree, None, reversed(list(made)), who=WHO, when=NOW)
    fresh.write(opened, keep=False)

    assert tip == again
    parents = run_git(repo, "rev-parse", f"{tip}^@").split()
    assert set(made) == set(parents)
    assert sorted(parents, key=lambda head: (START // 1000 + list(made).index(head) // 2, head)) == parents
    assert "40 runs" == run_git(repo, "log", "-1", "--format=%s", tip)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_many_heads_go_through_carriers(repo: Path, opened: Repo, count: int) -> None:
    """A commit is as wide in a graph as it has parents."""
    fresh = ObjectSet()
    objects = Objects(opened)
    made = heads_of(fresh, count)
    tree = add_lines(objects, fresh, None, made.values()).tree

    tip = commit_ledger(objects, fresh, tree, None, made, who=WHO, when=NOW)
    fresh.write(opened, keep=False)

    everything = run_git(repo, "rev-list", "--parents", tip).splitlines()
    assert 100 >= max(len(line.split()) - 1 for line in everything)
    assert set(made) <= {line.split()[0] for line in everything}
    carriers = [] if count <= 100 else run_git(repo, "rev-parse", f"{tip}^@").split()
    assert 1 + count + len(carriers) == len(everything)
    for carrier in carriers:
        below = run_git(repo, "rev-parse", f"{carrier}^@").split()
        assert dates(repo, carrier) == [max(dates(repo, *below))]
        assert "" == run_git(repo, "ls-tree", carrier)
    assert carriers == sorted(carriers, key=lambda carrier: dates(repo, carrier)[0])
    run_git(repo, "fsck", "--strict", "--no-dangling")


def test_ten_thousand_heads_take_two_levels(repo: Path, opened: Repo) -> None:
    """And are walked at once."""
    fresh = ObjectSet()
    objects = Objects(opened)
    made = heads_of(fresh, 10_050)
    tree = fresh.tree([])

    tip = commit_ledger(objects, fresh, tree, None, made, who=WHO, when=NOW)
    fresh.write(opened, keep=False)

    started = os.times().children_user
    count = int(run_git(repo, "rev-list", "--count", tip))
    assert 10.0 > os.times().children_user - started
    assert 1 + 10_050 + 101 + 2 == count
    assert 2 == len(run_git(repo, "rev-parse", f"{tip}^@").split())


def test_carriers_are_the_same_whoever_makes_them(opened: Repo) -> None:
    """Two machines that take in the same runs carry them in the same commits."""
    fresh = ObjectSet()
    objects = Objects(opened)
    made = heads_of(fresh, 150)
    tree = fresh.tree([])

    one = commit_ledger(objects, fresh, tree, None, made, who=WHO, when=NOW)
    two = commit_ledger(objects, fresh, tree, None, made, who=("Bob", "bob@example.org"), when=NOW + 5)
    fresh.write(opened, keep=False)

    assert one != two
    assert objects.commit(one).parents == objects.commit(two).parents


def test_a_commit_is_never_older_than_its_parents(repo: Path, opened: Repo) -> None:
    """Clocks go wrong, and a walk by date would miss what is dated later."""
    fresh = ObjectSet()
    objects = Objects(opened)
    late, line = make_commit(fresh, entry_of("a" * 32, START + 400 * DAY))
    tree = add_lines(objects, fresh, None, [line]).tree

    first = commit_ledger(objects, fresh, tree, None, [late], who=WHO, when=5)
    second = commit_ledger(objects, fresh, tree, first, [], who=WHO, when=6)
    fresh.write(opened, keep=False)

    assert 3 * [START // 1000 + 400 * 86_400] == dates(repo, late, first, second)


def test_every_commit_names_the_root_and_a_root_names_none(repo: Path, opened: Repo) -> None:
    fresh = ObjectSet()
    objects = Objects(opened)
    tree = fresh.tree([])
    root = commit_ledger(objects, fresh, tree, None, [], who=WHO, when=1)
    tip = root
    for number in range(5):
        tip = commit_ledger(objects, fresh, tree, tip, [], who=WHO, when=number, subject=f"turn {number}")
    fresh.write(opened, keep=False)

    assert [root, root] == [root_of(objects, root), root_of(objects, tip)]
    assert f"Ledgit-Root: {root}" == run_git(repo, "log", "-1", "--format=%(trailers)", tip).strip()
    assert "" == run_git(repo, "log", "-1", "--format=%b", root)
    assert [f"turn {n}" for n in (4, 3, 2, 1, 0)] == run_git(repo, "log", "-5", "--format=%s", tip).splitlines()


def test_a_head_that_is_not_here_can_not_be_linked(opened: Repo) -> None:
    fresh = ObjectSet()
    objects = Objects(opened)

    with pytest.raises(NotFound):
        commit_ledger(objects, fresh, fresh.tree([]), None, ["1" * 40], who=WHO, when=1)
    with pytest.raises(RecordError):
        commit_ledger(objects, fresh, fresh.tree([]), None, [fresh.blob(b"x")], who=WHO, when=1)


def test_a_purge_is_owed_until_the_next_root(opened: Repo) -> None:
    """Tombstones of the tip that the root's table lacks; no walk."""
    fresh = ObjectSet()
    objects = Objects(opened)
    made = heads_of(fresh, 300, step=DAY // 50)
    table = add_lines(objects, fresh, None, [*made.values(), tombstone("a" * 32)]).tree
    root = commit_ledger(objects, fresh, table, None, made, who=WHO, when=NOW)
    fresh.write(opened, keep=False)
    assert set() == owed(objects, root)

    ids = [line.id for line in made.values()][7:100:30]
    stones = [tombstone(line.id, line.start or 0) for line in made.values() if line.id in ids]
    fresh = ObjectSet()
    after = add_lines(objects, fresh, table, stones).tree
    tip = commit_ledger(objects, fresh, after, root, [], who=WHO, when=NOW)
    more = add_lines(objects, fresh, after, [tombstone("c" * 32)]).tree
    newer = commit_ledger(objects, fresh, more, tip, [], who=WHO, when=NOW)
    fresh.write(opened, keep=False)

    assert set(ids) == owed(objects, tip)
    assert {*ids, "c" * 32} == owed(objects, newer)

    fresh = ObjectSet()
    kept = [line.head for line in made.values() if line.id not in ids]
    rerooted = commit_ledger(objects, fresh, more, None, kept, who=WHO, when=NOW)
    last = commit_ledger(objects, fresh, more, rerooted, [], who=WHO, when=NOW)
    fresh.write(opened, keep=False)
    assert [set(), set()] == [owed(objects, rerooted), owed(objects, last)]


def test_a_root_that_is_not_here_can_not_be_asked(opened: Repo) -> None:
    """As in a clone that has the tip alone."""
    fresh = ObjectSet()
    objects = Objects(opened)
    tree = fresh.tree([])
    tip = commit_ledger(objects, fresh, tree, None, [], who=WHO, when=1)
    cut = commit_ledger(objects, fresh, tree, tip, [], who=WHO, when=1, root="1" * 40)
    odd = commit_ledger(objects, fresh, tree, tip, [], who=WHO, when=1, root=fresh.blob(b"x"))
    fresh.write(opened, keep=False)

    with pytest.raises(NotFound):
        owed(objects, cut)
    with pytest.raises(RecordError, match="as its root"):
        owed(objects, odd)
