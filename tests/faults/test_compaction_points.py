"""Compaction that is killed, or meets everything else that moves runs, loses nothing."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.faults.kit import Died, Forks, check_objects, leftovers, recover_all, run_refs
from tests.faults.test_finalizing_points import release_old_keeps
from tests.ledger.kit import DAY, make_runs, run_id

from ledgit.git import Objects, ObjectSet, Repo
from ledgit.records import join
from ledgit.records.line_reader import decode_entry
from ledgit.records.table import Line
from ledgit.store import Folder, read_experiments
from ledgit.store.chain import read_commit
from ledgit.store.ledger import add_lines, check_heads, check_tree, compact, every_line, local_ledger

IDS = [run_id(number) for number in range(120)]
POINTS = ("pack", "ledger", "noted", "loose", "0", "1", "60", "119")


def table(path: Path) -> dict[str, list[Line]]:
    """The ledger's lines by run; they must be true, reachable, and the tree a function of them."""
    repo = Repo.discover(str(path))
    objects = Objects(repo)
    tip = local_ledger(repo)
    if tip is None:
        return {}
    tree = objects.commit(tip).tree
    check_tree(objects, tree)
    lines = [line for _, line in every_line(objects, tree)]
    check_heads(objects, lines)
    assert {line.head for line in lines} <= set(run_git(path, "rev-list", tip).split())
    fresh = ObjectSet()
    rebuilt = fresh.get(add_lines(objects, fresh, None, lines).tree)
    segments = objects.find(tree, "segments")
    assert rebuilt is not None
    assert segments is None or bytes.fromhex(segments.oid) in rebuilt[1]
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.id, []).append(line)
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_a_compaction_that_dies_is_repeated(repo: Path, forks: Forks, point: str, packed: bool) -> None:
    """Between any two steps every run is loose, or in the ledger, or both."""
    opened = Repo.discover(str(repo))
    made = make_runs(opened, IDS, step=DAY // 40)
    if packed:
        run_git(repo, "pack-refs", "--all")

    with pytest.raises(Died):
        forks.run("tasks_ledger:die_while_compacting", point, cwd=repo)

    seen = set(run_refs(repo)) | set(table(repo))
    assert set(IDS) == seen
    time.sleep(1.0)  # as old as a ref's lock must be before it counts as left behind
    done = forks.run("tasks_ledger:compact_here", cwd=repo)
    release_old_keeps(repo)
    assert {} == done["left"] == run_refs(repo)
    assert {one: [line] for one, line in made.items()} == table(repo)
    assert [] == [left for left in leftovers(repo) if not left.endswith("ledger.lock")]
    check_objects(repo)
    run_git(repo, "gc", "--prune=now", "-q")
    assert {one: [line] for one, line in made.items()} == table(repo)


def test_logging_editing_and_compacting_at_once(repo: Path, forks: Forks) -> None:
    """Every run and every tag that was acknowledged is there at the end."""
    opened = Repo.discover(str(repo))
    old = list(make_whole_runs(repo, forks))
    loggers = [forks.start("tasks_ledger:log_runs", 12, cwd=repo) for _ in range(2)]
    editors = [forks.start("tasks_ledger:edit_often", old, 20, seed, cwd=repo) for seed in range(2)]
    compactor = forks.start("tasks_ledger:compact_often", 6.0, cwd=repo)
    for child in (*loggers, *editors, compactor):
        child.result()
    expected = {one for child in loggers for one in child.said} | set(old)
    tags: dict[str, set[str]] = {}
    for child in editors:
        for run, tag in child.said:
            tags.setdefault(run, set()).add(tag)

    assert expected == set(run_refs(repo)) | set(table(repo))
    compact(opened, Folder.of(opened))
    found = table(repo)

    assert compactor.said, "it never came to compact"
    assert compactor.said[-1] > 0
    assert expected == set(found)
    for run, wanted in tags.items():
        state = join(decode_entry(line.raw) for line in found[run])
        assert wanted <= set(state.tags)
    assert {"e0": 5, "e1": 5} == {label: len(record.tags) for label, record in read_experiments(opened).items()}
    check_objects(repo)


def make_whole_runs(repo: Path, forks: Forks) -> list[str]:
    """Real runs, half of them in the ledger."""
    found = []
    for _ in range(2):
        child = forks.start("tasks_ledger:log_runs", 3, cwd=repo)
        child.result()
        found += child.said
        forks.run("tasks_ledger:compact_here", cwd=repo)
    return found


def test_kills_at_random_moments_lose_no_run_that_was_acknowledged(repo: Path, forks: Forks) -> None:
    dice = random.Random(7)
    opened = Repo.discover(str(repo))
    acknowledged: set[str] = set()
    for _ in range(12):
        logger = forks.start("tasks_ledger:log_runs", 4, cwd=repo)
        compactor = forks.start("tasks_ledger:compact_often", 10.0, cwd=repo)
        logger.result()
        acknowledged.update(logger.said)
        time.sleep(dice.random() * 0.06)
        compactor.kill()
        with pytest.raises(Died):
            compactor.result()
    recover_all(repo)
    time.sleep(1.0)
    done = compact(opened, Folder.of(opened))

    assert {} == done.left
    assert [] == [left for left in leftovers(repo) if left.endswith(".lock") and not left.endswith("ledger.lock")]
    assert acknowledged == set(table(repo))
    assert {} == run_refs(repo)
    objects = Objects(opened)
    for one, (line,) in table(repo).items():
        assert one == read_commit(objects, line.head).entry.id
    check_objects(repo)
