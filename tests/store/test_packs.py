"""Runs leave few packs, whatever Git does to them meanwhile."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Died, Forks, check_objects, leftovers, recover_all, run_refs
from tests.faults.test_gc import looping

from ledgit.git import ObjectSet, Repo, merge_packs
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.export import export_runs, import_runs
from ledgit.store.packs import note_pack, tidy
from ledgit.store.settle import settle_all


def packs(repo: Path) -> list[str]:
    return [path.name for path in (repo / ".git/objects/pack").glob("*.pack")]


@pytest.mark.slow
def test_three_hundred_runs_leave_fewer_than_thirty_packs(repo: Path, git: GitFunction, forks: Forks) -> None:
    made = forks.run("log_small", 300)

    assert 300 == len({item["commit"] for item in made} & set(run_refs(repo).values()))
    assert 30 > len(packs(repo))
    check_objects(repo)
    git(repo, "gc", "-q", "--prune=now")
    assert 300 == len(run_refs(repo))
    check_objects(repo)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["git gc -q", "git repack -q -a -d"])
def test_merging_packs_while_git_repacks_loses_none(repo: Path, forks: Forks, command: str) -> None:
    """Both delete packs that the other reads."""
    with looping(repo, command):
        children = [forks.start("log_small", 60) for _ in range(2)]
        made = [item for child in children for item in child.result()]

    assert [] == [item["problems"] for item in made if item["problems"]]
    assert {item["id"]: item["commit"] for item in made} == run_refs(repo)
    check_objects(repo)
    recover_all(repo)
    forks.run("log_small")  # while a gc is at work nothing is merged: the next run does it
    assert 40 > len(packs(repo))
    check_objects(repo)


def test_a_stopped_process_that_merges_holds_up_no_run(repo: Path) -> None:
    """What it left undone is done by whoever comes next."""
    opened = Repo.discover(str(repo))
    ActiveRun.create(opened, RunStart()).finish()
    with (repo / ".git/ledgit/packs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = time.monotonic()
        for _ in range(16):
            assert ActiveRun.create(opened, RunStart()).finish()
        recover_all(repo)
        assert 60 > time.monotonic() - before  # 16 that wait for it would take longer
        assert 16 < len(packs(repo))

    tidy(opened, Folder.of(opened))

    assert 10 > len(packs(repo))
    assert 17 == len(run_refs(repo))
    check_objects(repo)


def test_edits_and_experiments_leave_few_packs(repo: Path) -> None:
    """At fifty Git starts a gc of its own, in the middle of the user's next commit."""
    repository = open_repository(repo)
    ActiveRun.create(repository.repo, RunStart(name="edited")).finish()
    run = repository.run("edited")
    for number in range(40):
        run.set_tags({"number": number})
        repository.create_experiment(f"experiment {number}")

    assert 16 > len(packs(repo))
    assert 40 == len(repository.run("edited").log()) - 1
    assert 41 == len(repository.experiments())
    check_objects(repo)


def test_imported_runs_leave_few_packs(repo: Path, git: GitFunction, tmp_path: Path) -> None:
    opened = Repo.discover(str(repo))
    runs = [ActiveRun.create(opened, RunStart(snapshot=False)) for _ in range(30)]
    heads = {run.id: [str(run.finish())] for run in runs}
    settle_all()
    export_runs(opened, Folder.of(opened), heads, str(tmp_path / "x"))
    git(tmp_path, "clone", "-q", str(repo), "other")
    other = Repo.discover(str(tmp_path / "other"))
    before = len(packs(tmp_path / "other"))

    import_runs(other, Folder.of(other), str(tmp_path / "x"))

    assert heads.keys() == {run.id for run in open_repository(tmp_path / "other").runs}
    assert {} == run_refs(tmp_path / "other")
    assert before + 1 == len(packs(tmp_path / "other"))
    check_objects(tmp_path / "other")


def test_runs_of_changed_code_leave_few_packs(repo: Path, git: GitFunction) -> None:
    """Each has a pack for the code besides."""
    opened = Repo.discover(str(repo))
    made = {}
    for number in range(30):
        (repo / "train.py").write_text(f"print({number})\n")
        run = ActiveRun.create(opened, RunStart())
        made[run.id] = run.finish()
    settle_all()

    assert made == run_refs(repo)
    assert 18 > len(packs(repo))
    assert [] == leftovers(repo)
    assert "print(0)" == git(repo, "show", f"{next(iter(made.values()))}:train.py")
    check_objects(repo)


def test_a_damaged_pack_does_not_stop_the_merging_of_others(repo: Path) -> None:
    opened, folder = Repo.discover(str(repo)), Folder.of(Repo.discover(str(repo)))
    ActiveRun.create(opened, RunStart()).finish()
    settle_all()
    bad = repo / ".git/objects/pack" / f"pack-{'0' * 40}"
    for extension in (".idx", ".pack"):
        bad.with_suffix(extension).write_bytes(b"")
        bad.with_suffix(extension).touch()
    for _ in range(20):
        note_pack(opened, folder, bad.name)
        ActiveRun.create(opened, RunStart(snapshot=False)).finish()
        settle_all()

    assert 14 > len(packs(repo))
    assert 21 == len(run_refs(repo))


def test_a_large_pack_is_left_as_it_is(repo: Path) -> None:
    opened = Repo.discover(str(repo))
    names = []
    for number in range(3):
        objects = ObjectSet()
        objects.blob(b"%d" % number if number else os.urandom(100_000))
        names.append(Path(objects.write(opened, keep=False).path).name)

    merged = merge_packs(opened, names, largest=50_000)

    assert {f"{names[0]}.pack", f"{merged}.pack"} == set(packs(repo))


def test_the_packs_of_processes_that_were_killed_after_their_runs_are_merged_too(repo: Path, forks: Forks) -> None:
    """Their runs are finished; what they had no time for is done by the next command."""
    for _ in range(40):
        with pytest.raises(Died):
            forks.run("finish_and_die")
    assert 40 == len(run_refs(repo)) == len(packs(repo))

    recover_all(repo)

    assert 40 == len(run_refs(repo))
    assert 12 > len(packs(repo))
    assert [] == leftovers(repo)
    check_objects(repo)
