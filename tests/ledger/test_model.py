"""Clones that log, edit, delete, purge, compact and unite in any order end with one tree."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from tests.conftest import run_git
from tests.faults.kit import check_objects
from tests.ledger.kit import DAY, START, entry_of, make_commit, run_id, tombstone

from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, list_refs, update_refs
from ledgit.records.table import Line, union_lines
from ledgit.store import Folder
from ledgit.store.ledger import (
    LedgerLock,
    add_lines,
    check_heads,
    check_tree,
    commit_ledger,
    compact,
    every_line,
    local_ledger,
    owed,
    set_local,
    tree,
    union_trees,
)

RUNS = "refs/ledgit/runs/"
WHO = ("Ada", "ada@example.org")
CLONES = 3

KINDS = ["edit"] * 8 + ["pull"] * 4 + ["new", "compact", "compact", "compact", "purge"]
moves = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.integers(0, 99)),
    min_size=8,
    max_size=30,
)


@dataclass
class Clone:
    """One clone, which has its own refs; objects are everybody's, as after any fetch."""

    repo: Repo
    folder: Folder

    @property
    def loose(self) -> dict[str, str]:
        return {name.removeprefix(RUNS): head for name, head in list_refs(self.repo, RUNS).items()}


@dataclass
class World:
    """All clones, and what an oracle knows: every line that was ever written."""

    top: Path
    clones: list[Clone]
    written: dict[str, list[Line]] = field(default_factory=dict)  # run → lines
    seen: Counter[str] = field(default_factory=Counter)
    counter: int = 0

    def table(self, clone: Clone) -> list[Line]:
        tip = local_ledger(clone.repo)
        if tip is None:
            return []
        with Objects(clone.repo) as objects:
            return [line for _, line in every_line(objects, objects.commit(tip).tree)]

    def known(self, clone: Clone) -> dict[str, list[Line]]:
        """Run → the lines this clone would show: the ledger's and the loose one."""
        found: dict[str, list[Line]] = {}
        for line in self.table(clone):
            found.setdefault(line.id, []).append(line)
        for run, head in clone.loose.items():
            found.setdefault(run, []).extend(line for line in self.written[run] if line.head == head)
        return {run: union_lines(lines) for run, lines in found.items()}

    def write(self, clone: Clone, run: str, start: int, heads: list[Line], name: str) -> None:
        """Commit a run, or an edit on top of all its heads, as a loose ref."""
        self.counter += 1
        fresh = ObjectSet()
        past = list(dict.fromkeys(oid for line in heads for oid in [*line.past, line.head]))
        entry = entry_of(run, start, past, f"{name} {self.counter}")
        head, line = make_commit(fresh, entry, [one.head for one in heads], START // 1000 + self.counter)
        fresh.write(clone.repo, keep=False, durable=False)
        update_refs(clone.repo, [RefUpdate(RUNS + run, head, clone.loose.get(run))], durable=False)
        self.written.setdefault(run, []).append(line)

    def move(self, kind: str, which: int, pick: int) -> None:
        clone = self.clones[which]
        if kind == "new":
            self.counter += 1
            run = run_id(self.counter) if pick % 3 else f"{run_id(0)[:31]}{self.counter % 16:x}"
            if run not in self.written:
                self.write(clone, run, START + pick % 3 * DAY, [], "new")
            return
        if kind == "compact":
            compact(clone.repo, clone.folder)
            return
        if kind == "pull":
            self.pull(clone, self.clones[(which + 1 + pick % 2) % CLONES])
            return
        known = self.known(clone)
        living = sorted(run for run, lines in known.items() if not lines[0].purged)
        if not living:
            return
        run = living[pick % len(living)]
        lines = known[run]
        if kind == "purge":
            self.purge(clone, tombstone(run, lines[0].start or 0))
        else:
            self.write(clone, run, lines[0].start or 0, lines, kind)
            self.seen["edit of several heads"] += len(lines) > 1

    def purge(self, clone: Clone, stone: Line) -> None:
        """Put a tombstone into the clone's ledger."""
        self.written[stone.id].append(stone)
        objects, fresh = Objects(clone.repo), ObjectSet()
        tip = local_ledger(clone.repo)
        base = objects.commit(tip).tree if tip else None
        table = add_lines(objects, fresh, base, [stone]).tree
        new = commit_ledger(objects, fresh, table, tip, [], who=WHO, when=START // 1000 + self.counter)
        landed = set_local(clone.repo, clone.folder, objects, fresh, new, tip)
        assert stone.id not in clone.loose
        self.seen["loose run purged"] += bool(landed.purged)

    def pull(self, clone: Clone, other: Clone) -> None:
        """Stand on the other's tip, with what it lacks on top."""
        theirs, mine = local_ledger(other.repo), local_ledger(clone.repo)
        if theirs is None or theirs == mine:
            return
        objects, fresh = Objects(clone.repo), ObjectSet()
        base = objects.commit(theirs).tree
        check_tree(objects, base, objects.commit(mine).tree if mine else None)
        with LedgerLock(clone.folder):
            united = union_trees(objects, fresh, base, objects.commit(mine).tree if mine else None)
            new = theirs
            if united.tree != base:
                heads = [line.head for line in united.added if not line.purged]
                new = commit_ledger(objects, fresh, united.tree, theirs, heads, who=WHO, when=START // 1000)
            set_local(clone.repo, clone.folder, objects, fresh, new, mine)

    def end(self) -> None:
        """All compact and pull until nobody has news."""
        for clone in self.clones:
            compact(clone.repo, clone.folder)
        for _ in range(2):
            for which in range(CLONES):
                self.pull(self.clones[which], self.clones[(which + 1) % CLONES])
                self.pull(self.clones[which], self.clones[(which + 2) % CLONES])

    def check(self) -> None:
        """What DESIGN's invariants say of the end."""
        expected = {line for lines in self.written.values() for line in union_lines(lines)}
        trees = set()
        for clone in self.clones:
            tip = local_ledger(clone.repo)
            assert {} == clone.loose
            if tip is None:
                assert not expected
                continue
            with Objects(clone.repo) as objects:
                table = objects.commit(tip).tree
                lines = [line for _, line in every_line(objects, table)]
                assert expected == set(lines)
                assert len(expected) == len(lines)
                check_tree(objects, table)
                check_heads(objects, lines)
                fresh = ObjectSet()
                assert table == add_lines(objects, fresh, None, lines).tree
                trees.add(table)
                reached = set(run_git(Path(clone.repo.common_dir), "rev-list", tip).split())
                for line in lines:
                    assert {line.head, *line.past} - {""} <= reached  # heads, and the audit trail
                first = run_git(Path(clone.repo.common_dir), "rev-list", "--first-parent", tip).split()
                purged = {line.id for line in lines if line.purged}
                root = {line.id for _, line in every_line(objects, objects.commit(first[-1]).tree) if line.purged}
                assert purged - root == owed(objects, tip)
                self.watch(lines)
        assert len(trees) <= 1

    def watch(self, lines: list[Line]) -> None:
        count = Counter(line.id for line in lines)
        self.seen["several heads"] += max(count.values(), default=0) > 1
        self.seen["tombstone"] += any(line.purged for line in lines)
        self.seen["edited"] += any(line.past for line in lines)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository to copy: quicker than git init."""
    path = tmp_path_factory.mktemp("template") / "clone"
    path.mkdir()
    run_git(path, "init", "-q", "--bare")
    run_git(path, "config", "user.name", "Ada")
    run_git(path, "config", "user.email", "ada@example.org")
    return path


def make_world(top: Path, template: Path) -> World:
    clones = []
    for number in range(CLONES):
        path = top / f"clone{number}"
        shutil.copytree(template, path)
        if number:
            shutil.rmtree(path / "objects")
            os.symlink(top / "clone0" / "objects", path / "objects")
        repo = Repo.discover(str(path))
        clones.append(Clone(repo, Folder.of(repo)))
    world = World(top, clones)
    for move in [("new", 0, 1), ("new", 0, 2), ("compact", 0, 0), ("pull", 1, 1), ("pull", 2, 0)]:
        world.move(*move)  # two runs that everybody has
    assert 3 == len({local_ledger(clone.repo) for clone in clones}) + 2
    return world


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 64])
def test_every_order_ends_with_one_tree(
    tmp_path_factory: pytest.TempPathFactory, template: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Equal trees, equal to an oracle's, equal to one made from nothing; every head reachable."""
    from ledgit.store.ledger import check as checking

    monkeypatch.setattr(tree, "LEAF_RUNS", limit)
    monkeypatch.setattr(checking, "LEAF_RUNS", limit)
    seen: Counter[str] = Counter()
    examples = int(os.environ.get("MODEL_EXAMPLES", "25"))

    @settings(max_examples=examples)
    @given(moves, st.randoms(use_true_random=True))
    def check(moves: list[tuple[str, int, int]], dice: random.Random) -> None:
        top = tmp_path_factory.mktemp("world")
        world = make_world(top, template)
        for move in moves:
            world.move(*move)
        dice.shuffle(world.clones)
        world.end()
        world.check()
        for kind, count in world.seen.items():
            event(f"{kind}: {bool(count)}")
            seen[kind] += bool(count)
        if dice.random() < 0.1:
            check_objects(top / "clone0")
        shutil.rmtree(top)

    check()
    for kind in ("several heads", "tombstone", "edited"):
        assert seen[kind] >= examples // 12, seen
