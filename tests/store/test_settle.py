"""A finished run is safe before its commit is on disk: its journal makes the same commit again."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from tests.conftest import run_git

from ledgit.git import Objects, Repo, read_ref
from ledgit.repository import open_repository
from ledgit.store import Folder, recover, run_ref
from ledgit.store.edit import Edit, edit_run
from ledgit.store.gc import Selection
from ledgit.store.settle import settle_leftovers
from ledgit.store.sync import PushOptions

RUN = """
import os, sys
from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart, syncer
if "die" in sys.argv:
    syncer.INTERVAL = 1e6  # however slow the machine is: nothing is settled before
run = ActiveRun.create(Repo.discover(), RunStart(name="settling", experiment="e"))
run.log_params({"rate": 0.5})
run.log_metric("loss", 0.25, 1)
if "file" in sys.argv:
    run.add_artifact_bytes("a.txt", b"content")
print(run.id, run.finish(durable="hasty" not in sys.argv), flush=True)
if "die" in sys.argv:
    os._exit(0)
"""


def log_one(repo: Path, *how: str) -> tuple[str, str]:
    """Log a run in a process of its own; return its id and commit."""
    done = subprocess.run([sys.executable, "-c", RUN, *how], cwd=repo, check=True, capture_output=True, text=True)
    run_id, commit = done.stdout.split()
    return run_id, commit


def waiting(repo: Path) -> list[str]:
    folder = repo / ".git" / "ledgit" / "settling"
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def packs(repo: Path) -> list[Path]:
    return sorted((repo / ".git" / "objects" / "pack").glob("pack-*"))


def cut_pack(repo: Path) -> None:
    for path in packs(repo):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:100])


def cut_ref(repo: Path) -> None:
    for path in (repo / ".git" / "refs" / "ledgit" / "runs").iterdir():
        path.write_bytes(b"")


LOSSES = {
    "pack and index": lambda repo: [path.unlink() for path in packs(repo)],
    "index": lambda repo: [path.unlink() for path in packs(repo) if path.suffix == ".idx"],
    "content of both": cut_pack,
    "ref": lambda repo: [path.unlink() for path in (repo / ".git" / "refs" / "ledgit" / "runs").iterdir()],
    "content of the ref": cut_ref,
    "everything": lambda repo: (
        [path.unlink() for path in packs(repo)],
        [path.unlink() for path in (repo / ".git" / "refs" / "ledgit" / "runs").iterdir()],
    ),
}


def test_a_process_that_ends_leaves_nothing_waiting(repo: Path) -> None:
    run_id, commit = log_one(repo)

    assert waiting(repo) == []
    assert read_ref(Repo.discover(str(repo)), run_ref(run_id)) == commit


def test_a_run_is_listed_once_and_finished_while_its_journal_waits(repo: Path) -> None:
    run_id, commit = log_one(repo, "die")

    assert len(waiting(repo)) == 1
    (run,) = open_repository(repo).runs
    assert (run.id, run.commit, run.status) == (run_id, commit, "FINISHED")
    assert run.metrics == {"loss": 0.25}


def test_a_journal_whose_commit_survived_goes(repo: Path) -> None:
    run_id, commit = log_one(repo, "die")
    opened = Repo.discover(str(repo))

    assert settle_leftovers(opened, Folder.of(opened), older_than=0) == []
    assert waiting(repo) == []
    assert read_ref(opened, run_ref(run_id)) == commit


def test_many_runs_that_nobody_waited_for_settle_together(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync of everything instead of five for each; at exit nothing waits any more."""
    script = RUN.replace("run = ", "for _ in range(20):\n  run = ").replace("\nrun.", "\n  run.")
    script = (
        script.replace("\nprint", "\n  print")
        .replace('\nif "file"', '\n  if "file"')
        .replace("    run.add", "      run.add")
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "hasty", "file"], cwd=repo, check=True, capture_output=True, text=True
    )
    commits = dict(line.split() for line in done.stdout.splitlines())

    assert waiting(repo) == []
    assert len(commits) == 20
    assert commits == {run.id: run.commit for run in open_repository(repo).runs}
    assert not [path for path in packs(repo) if path.suffix == ".keep"]


def test_a_journal_that_its_process_may_still_settle_is_left_alone(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgit.store.recovery.settle_leftovers", partial(settle_leftovers, older_than=600))
    log_one(repo, "die")
    opened = Repo.discover(str(repo))

    recover(opened, Folder.of(opened))

    assert len(waiting(repo)) == 1


@pytest.mark.parametrize("how", [(), ("hasty",), ("hasty", "file")])
@pytest.mark.parametrize("lost", LOSSES)
def test_what_a_power_cut_took_is_made_again_with_the_same_id(repo: Path, lost: str, how: tuple[str, ...]) -> None:
    """Also of a run that nobody waited for, if its journal and files came through."""
    run_id, commit = log_one(repo, "die", *how)
    LOSSES[lost](repo)
    opened = Repo.discover(str(repo))
    folder = Folder.of(opened)
    (directory,) = waiting(repo)

    again = settle_leftovers(opened, folder, older_than=0)
    done = recover(opened, folder)

    assert again == [run_id]
    assert directory.startswith(run_id)
    assert done.commits == {run_id: commit}
    assert done.failed == {}
    assert waiting(repo) == []
    assert run_git(repo, "cat-file", "-t", f"{commit}:.ledgit/run/metrics.yaml") == "blob"
    (run,) = open_repository(repo).runs
    assert (run.id, run.commit, run.status) == (run_id, commit, "FINISHED")
    for path in packs(repo):  # what the power cut left may be damaged; nothing refers to it any more
        if path.suffix == ".pack" and path.stat().st_size == 100:
            path.unlink()
            path.with_suffix(".idx").unlink(missing_ok=True)
    run_git(repo, "fsck", "--strict")


def test_a_command_that_writes_finds_the_first_run_of_a_repository_that_a_power_cut_took(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no active run, and nothing was ever thrown away: only the journal that waits."""
    run_id, commit = log_one(repo, "die")
    LOSSES["everything"](repo)
    assert {"active", "settling"} >= {path.name for path in (repo / ".git/ledgit").iterdir() if path.is_dir()}
    monkeypatch.setattr("ledgit.store.recovery.settle_leftovers", partial(settle_leftovers, older_than=-1))

    assert open_repository(repo).recover().commits == {run_id: commit}


def test_an_edit_that_was_made_before_its_run_settled_outlives_a_power_cut(repo: Path) -> None:
    """The edit is on disk when it returns, the commit it stands on a moment later."""
    run_id, commit = log_one(repo, "die")
    opened = Repo.discover(str(repo))
    folder = Folder.of(opened)
    unsynced = packs(repo)
    edited = edit_run(opened, folder, run_id, Edit(set_tags={"kept": "yes"}))
    for path in unsynced:
        path.unlink()
    Objects.of(opened).close()  # it has them open

    assert settle_leftovers(opened, folder, older_than=-1) == [run_id]
    recover(opened, folder)

    assert read_ref(opened, run_ref(run_id)) == edited
    assert waiting(repo) == []
    (run,) = open_repository(repo).runs
    assert (run.commit, run.tags["kept"]) == (commit, "yes")
    run_git(repo, "fsck", "--strict")


def test_a_run_with_files_is_durable_when_finish_returns(repo: Path) -> None:
    """Its files stand beside the journal unsynced, so it does not wait for them."""
    run_id, commit = log_one(repo, "file", "die")

    assert waiting(repo) == []
    assert read_ref(Repo.discover(str(repo)), run_ref(run_id)) == commit


def test_a_push_waits_for_runs_that_ended_a_moment_ago(repo: Path, tmp_path: Path) -> None:
    """Or 'python train.py; ledgit push' would say that there is nothing to push."""
    run_git(tmp_path, "init", "-q", "--bare", "host.git")
    log = f"{RUN}\nimport time; time.sleep(30)"
    with subprocess.Popen([sys.executable, "-c", log], cwd=repo, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().split()[0]  # it is settled by a thread, within two seconds
        alive = open_repository(repo).push(str(tmp_path / "host.git"), PushOptions(policy="all"))
        process.kill()
    assert [run_id] == alive.sent.new


def test_a_push_takes_runs_whose_process_died_before_they_were_settled(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git(tmp_path, "init", "-q", "--bare", "host.git")
    monkeypatch.setattr("ledgit.store.settle._LEFT", 0.1)
    run_id, _ = log_one(repo, "die")

    done = open_repository(repo).push(str(tmp_path / "host.git"), PushOptions(policy="all"))

    assert [run_id] == done.sent.new
    assert [] == waiting(repo)


def test_a_purge_takes_runs_whose_process_died_before_they_were_settled(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'python train.py; ledgit gc --purge RUN' needs no second try, however the script ended."""
    monkeypatch.setattr("ledgit.store.settle._LEFT", 0.1)
    run_id, _ = log_one(repo, "die")
    repository = open_repository(repo)

    plan = repository.plan_purge(Selection(runs=(run_id,)))
    repository.purge(plan, local=True)

    assert [run_id] == [candidate.run.id for candidate in plan.going]
    assert [] == waiting(repo)
    assert None is read_ref(Repo.discover(str(repo)), run_ref(run_id))
