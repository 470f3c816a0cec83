"""Packs of runs become small, and nothing in them changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from tests.background import background_ends
from tests.conftest import GitFunction
from tests.faults.kit import check_objects, leftovers

from ledgit.errors import StorageError
from ledgit.git import Objects, Repo, list_refs
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, Edit, Folder, RunStart
from ledgit.store.ledger import compact
from ledgit.store.packs import SHRUNK, list_pack, shrink, tidy
from ledgit.store.settle import settle_all
from ledgit.store.shrinking import RunPlan


def log_runs(repo: Path, count: int, points: int = 0, seed: int = 1) -> list[str]:
    random = Random(seed)
    opened = Repo.discover(str(repo))
    made = []
    for number in range(count):
        run = ActiveRun.create(opened, RunStart())
        run.log_params({f"param_{key}": random.choice([0.1, 0.5, "relu", True]) for key in range(15)})
        for key in range(8):
            run.log_metric(f"metric_{key}", random.random(), number, int(time.time() * 1000))
        for step in range(points):
            for name in ("loss", "accuracy", "lr"):
                run.log_metric(name, round(random.random(), 6), step, 1_795_000_000_000 + step * 997)
        made.append(run.id)
        run.finish()
    settle_all()
    return made


def every_object(repo: Path) -> dict[str, bytes]:
    """Return all objects as Git reads them."""
    done = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repo, capture_output=True, check=True
    )
    found, data = {}, done.stdout
    while data:
        head, _, rest = data.partition(b"\n")
        oid, kind, size = head.decode().split()
        found[oid] = kind.encode() + rest[: int(size)]
        data = rest[int(size) + 1 :]
    return found


def disk(repo: Path) -> int:
    return sum(file.stat().st_size for file in (repo / ".git/objects/pack").glob("*.pack"))


def deltas(repo: Path, path: str) -> list[bool]:
    """Return for the *path* in every run commit whether it is stored as a delta."""
    opened = Repo.discover(str(repo))
    with Objects(opened) as objects:
        heads = [run.state.heads[0] for run in open_repository(repo).runs]
        oids = [entry.oid for head in heads if (entry := objects.find(head, path)) is not None]
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    done = subprocess.run(
        ["git", "cat-file", "--batch-check=%(deltabase)"], cwd=repo, input=asked, capture_output=True, check=True
    )
    return [line != b"0" * 40 for line in done.stdout.splitlines()]


@pytest.fixture
def folder(repo: Path) -> Folder:
    return Folder.of(Repo.discover(str(repo)))


def test_every_object_stays_what_it_was(repo: Path, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 30, points=20)
    compact(opened, folder)
    before, size = every_object(repo), disk(repo)

    (made,) = shrink(opened, folder)

    assert before == every_object(repo)
    assert 0.6 * size > disk(repo)
    check_objects(repo)
    assert [] == leftovers(repo)
    assert f"{SHRUNK} {made}\n" in Path(folder.path, "packs").read_text()
    assert 30 == len(open_repository(repo).runs)


def test_an_entry_is_a_few_bytes_beside_its_line(repo: Path, git: GitFunction, folder: Folder) -> None:
    """And histories of one run, and trees; also after Git has packed all of it anew."""
    opened = Repo.discover(str(repo))
    log_runs(repo, 20, points=50)
    compact(opened, folder)

    shrink(opened, folder)
    git(repo, "repack", "-adq")

    assert all(deltas(repo, ".ledgit/run/entry.json"))
    assert all(deltas(repo, ".ledgit/run/history/lr.tsv"))
    assert 18 <= sum(deltas(repo, ".ledgit/run"))
    check_objects(repo)


def test_clones_and_pushes_carry_the_deltas_along(repo: Path, git: GitFunction, folder: Folder, tmp_path: Path) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 20)
    compact(opened, folder)
    shrink(opened, folder)
    git(tmp_path, "init", "-q", "--bare", "there")

    git(repo, "push", "-q", str(tmp_path / "there"), "refs/ledgit/ledger:refs/ledgit/ledger")
    git(tmp_path, "clone", "-q", "--bare", "--no-local", "there", "again")
    git(tmp_path / "again", "fetch", "-q", str(tmp_path / "there"), "refs/ledgit/ledger:refs/ledgit/ledger")

    for name in ("there", "again"):
        check_objects(tmp_path / name)
        assert git(repo, "rev-parse", "refs/ledgit/ledger") == git(tmp_path / name, "rev-parse", "refs/ledgit/ledger")


def test_older_versions_of_the_ledgers_files_are_deltas_too(repo: Path, git: GitFunction, folder: Folder) -> None:
    """Each compaction writes the files of its day anew."""
    opened = Repo.discover(str(repo))
    for number in range(6):
        log_runs(repo, 5, seed=number)
        compact(opened, folder)

    shrink(opened, folder)

    assert (1, 6) == _leaves(repo, git)
    check_objects(repo)


def _leaves(repo: Path, git: GitFunction) -> tuple[int, int]:
    """Return how many of the ledger's files are stored whole, and how many versions of them there are."""
    listed = git(repo, "rev-list", "--objects", "refs/ledgit/ledger").splitlines()
    leaves = [line.split()[0] for line in listed if line.endswith(".jsonl")]
    asked = "".join(f"{oid}\n" for oid in leaves).encode()
    return git(repo, "cat-file", "--batch-check=%(deltabase)", stdin=asked).split().count("0" * 40), len(leaves)


def test_shrunk_packs_are_merged_four_by_four(repo: Path, git: GitFunction, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    before: dict[str, bytes] = {}
    for number in range(9):
        log_runs(repo, 3, seed=number)
        compact(opened, folder)
        before |= every_object(repo)
        shrink(opened, folder)

    levels = [line.split()[0] for line in Path(folder.path, "packs").read_text().splitlines()]

    assert [f"{SHRUNK}", f"{SHRUNK + 1}", f"{SHRUNK + 1}"] == sorted(levels)
    assert before == every_object(repo)
    assert (3, 9) == _leaves(repo, git), "one of each pack is whole"
    check_objects(repo)


def test_runs_can_be_edited_resumed_and_compacted_again(repo: Path, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    made = log_runs(repo, 6)
    compact(opened, folder)
    shrink(opened, folder)
    repository = open_repository(repo)

    repository.edit(repository.run(made[0]).state, Edit(set_tags={"good": "yes"}))
    settle_all()
    compact(opened, folder)
    shrink(opened, folder)

    assert "yes" == open_repository(repo).run(made[0]).state.tags["good"]
    check_objects(repo)


def test_a_purged_run_is_gone_though_others_were_deltas_of_it(repo: Path, git: GitFunction, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    made = log_runs(repo, 10)
    compact(opened, folder)
    shrink(opened, folder)
    with Objects(opened) as objects:
        head = open_repository(repo).run(made[0]).state.heads[0]
        own = {str(objects.find(head, f".ledgit/run/{name}").oid) for name in ("run.yaml", "entry.json")}  # type: ignore[union-attr]
    from ledgit.store.ledger import purge

    purge(opened, folder, {made[0]: open_repository(repo).run(made[0]).state.start})
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")

    assert not {head, *own} & every_object(repo).keys()
    assert set(made[1:]) == {run.id for run in open_repository(repo).runs}
    check_objects(repo)


def test_a_damaged_pack_does_not_stop_the_others(repo: Path, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 3)
    bad = repo / ".git/objects/pack" / f"pack-{'0' * 40}"
    for extension in (".idx", ".pack"):
        bad.with_suffix(extension).write_bytes(b"")
    list_pack(folder, bad.name)

    assert 1 == len(shrink(opened, folder))
    assert bad.name not in Path(folder.path, "packs").read_text()
    assert [] == shrink(opened, folder)


def test_what_is_being_settled_is_left_alone(repo: Path, folder: Folder) -> None:
    """Its ``.keep`` says so."""
    opened = Repo.discover(str(repo))
    log_runs(repo, 2)
    kept = next((repo / ".git/objects/pack").glob("*.pack"))
    kept.with_suffix(".keep").write_text("")

    shrink(opened, folder)

    assert kept.exists()
    kept.with_suffix(".keep").unlink()
    (made,) = shrink(opened, folder)
    assert not kept.exists() or kept.stem == made


def test_whoever_merges_is_not_waited_for_for_ever(repo: Path, folder: Folder) -> None:
    import fcntl

    opened = Repo.discover(str(repo))
    log_runs(repo, 1)
    with (repo / ".git/ledgit/packs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            shrink(opened, folder, wait=0.05)


def test_what_a_killed_process_had_claimed_is_shrunk_by_the_next(
    repo: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 5)
    tidy(opened, folder)
    listed = Path(folder.path, "packs")
    Path(folder.path, "packs.shrinking").write_text(listed.read_text())
    listed.write_text("")

    assert 1 == len(shrink(opened, folder))

    assert 1 == len(list((repo / ".git/objects/pack").glob("*.pack")))
    assert "" == Path(folder.path, "packs.shrinking").read_text()
    check_objects(repo)


def test_runs_that_end_meanwhile_are_merged_meanwhile(
    repo: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shrinking takes a while, and packs must not pile up."""
    opened = Repo.discover(str(repo))
    log_runs(repo, 5)
    look = RunPlan.look

    def slow(plan: RunPlan, oid: bytes, data: bytes) -> None:
        monkeypatch.setattr(RunPlan, "look", look)
        log_runs(repo, 20)
        assert 14 > len(list((repo / ".git/objects/pack").glob("*.pack")))
        with pytest.raises(BlockingIOError):
            shrink(opened, folder)
        look(plan, oid, data)

    monkeypatch.setattr(RunPlan, "look", slow)

    (made,) = shrink(opened, folder)

    lines = Path(folder.path, "packs").read_text().splitlines()
    assert f"{SHRUNK} {made}" in lines
    assert sorted({line.split()[1] for line in lines}) == sorted(
        path.stem for path in (repo / ".git/objects/pack").glob("*.pack")
    )
    check_objects(repo)


def test_a_full_disk_leaves_all_as_it_was(repo: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 3)
    tidy(opened, folder)
    before = Path(folder.path, "packs").read_text()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk_is:
        disk_is.setattr("ledgit.git.pack._write", full)
        with pytest.raises(StorageError):
            shrink(opened, folder)

    assert sorted(before.splitlines()) == sorted(Path(folder.path, "packs").read_text().splitlines())
    assert 1 == len(shrink(opened, folder))
    check_objects(repo)


def test_nothing_is_done_while_git_packs(repo: Path, folder: Folder) -> None:
    opened = Repo.discover(str(repo))
    log_runs(repo, 2)
    (repo / ".git/gc.pid").write_text(f"{os.getpid()} {os.uname().nodename}")

    assert [] == shrink(opened, folder)


def test_the_background_does_it(repo: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    log_runs(repo, 4)
    monkeypatch.delenv("LEDGIT_AUTO_COMPACT")

    subprocess.run([sys.executable, "-m", "ledgit.store.ledger", str(repo / ".git")], cwd=repo, check=True)

    assert Path(folder.path, "packs").read_text().startswith(f"{SHRUNK} ")
    assert 4 == len(list_refs(Repo.discover(str(repo)), "refs/ledgit/runs/"))
    check_objects(repo)


def test_a_plan_never_makes_a_base_a_delta(repo: Path, folder: Folder) -> None:
    """Chains stay one step long, so that a read never goes through many objects."""
    opened = Repo.discover(str(repo))
    log_runs(repo, 12, points=15)
    compact(opened, folder)

    (made,) = shrink(opened, folder)

    shutil.rmtree(repo / ".git/objects/info", ignore_errors=True)
    done = subprocess.run(
        ["git", "verify-pack", "-v", f".git/objects/pack/{made}.idx"],
        cwd=repo,
        capture_output=True,
        text=True,
        check=True,
    )
    depths = {int(words[5]) for line in done.stdout.splitlines() if len(words := line.split()) == 7}
    assert {1} == depths


def test_objects_that_are_no_runs_are_taken_as_they_are() -> None:
    plan = RunPlan()
    for number, data in enumerate(
        (b"", b"\0binary", b'{"id":"', b'{"id":"a","head":"', b"step\ttimestamp\t", b"x" * 20_000)
    ):
        plan.look(bytes([number]) * 20, data)
        assert plan.delta(bytes([number]) * 20, "blob", data, len(data)) is None
        assert plan.delta(bytes([9, number]) * 10, "tree", data, len(data)) is None


_MANY = """
import os, sys
import ledgit
most = 0
for number in range(1000):
    with ledgit.start_run():
        ledgit.log_param("number", number)
        ledgit.log_metrics({"loss": 1 / (number + 7), "accuracy": 0.5})
    if number % 20 == 0:
        names = os.listdir(".git/objects/pack")
        kept = {name.removesuffix(".keep") for name in names if name.endswith(".keep")}
        packs = [name for name in names if name.endswith(".idx") and name.removesuffix(".idx") not in kept]
        most = max(most, len(packs))
print(most)
"""


@pytest.mark.slow
def test_a_thousand_runs_one_by_one_leave_few_files(
    repo: Path, git: GitFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As out of the box: compacted and packed in the background. Git starts a gc at 50 packs or 6,700 loose objects.

    Packs have as many levels as with 4,000 runs, and one by one these would leave 7,000 objects.
    """
    monkeypatch.delenv("LEDGIT_AUTO_COMPACT")
    before = int(git(repo, "count-objects").split()[0])

    done = subprocess.run([sys.executable, "-c", _MANY], cwd=repo, capture_output=True, text=True, check=True)

    assert 60 > int(done.stdout)  # while a pack is replaced, both are there
    assert before == int(git(repo, "count-objects").split()[0])
    background_ends(repo)  # where it is at work, another one has nothing to do
    subprocess.run([sys.executable, "-m", "ledgit.store.ledger", str(repo / ".git")], cwd=repo, check=True)
    assert 1000 == len(open_repository(repo).runs)
    assert 256 > len(list_refs(Repo.discover(str(repo)), "refs/ledgit/runs/"))
    assert 16 > len(list((repo / ".git/objects/pack").glob("*.pack")))
    git(repo, "repack", "-adq")
    assert 1000 * 2_000 > disk(repo)
    check_objects(repo)
