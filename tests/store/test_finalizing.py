"""Finalizing: a pure function from a journal to a commit."""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Died, Forks, check_objects, leftovers, points, read_run, recover_all, run_refs

from ledgit.errors import InvalidName, ParamConflict, RunNotFound, RunStateError
from ledgit.git import Repo
from ledgit.records import InputRecord
from ledgit.store import ActiveRun, Edit, Folder, RunStart, edit_run

RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def test_the_same_journal_makes_the_same_commit_in_two_clones(repo: Path, git: GitFunction, forks: Forks) -> None:
    """Nothing of the place or the time of finalizing is in it."""
    with pytest.raises(Died):
        forks.run("leave", RUN)
    git(repo.parent, "clone", "-q", str(repo), "other")
    other = repo.parent / "other"
    git(other, "config", "user.name", "Somebody Else")
    shutil.copytree(repo / ".git/ledgit/active", other / ".git/ledgit/active")

    here = forks.run("recover_here")["commits"][RUN]
    there = forks.run("recover_here", cwd=other)["commits"][RUN]

    assert here == there
    assert git(repo, "cat-file", "commit", here) == git(other, "cat-file", "commit", there)


def test_every_kind_of_data_is_in_the_commit(repo: Path, git: GitFunction, opened: Repo) -> None:
    """And plain Git shows it."""
    run = ActiveRun.create(opened, RunStart(experiment="owls", name="tree 1", tags={"first": "tag"}))
    run.log_params({"lr": 0.1, "layers": 3, "flag": True, "text": "0.1", "none": None, "big": 1 << 80})
    for step in range(3):
        run.log_metric("loss", 1.0 / (step + 1), step, timestamp=1000 + step)
    run.log_metric("nan", math.nan)
    run.log_metric("inf", math.inf)
    run.set_tags({"team": "a", "gone": "b"})
    run.delete_tag("gone")
    run.log_input(InputRecord(name="iris", digest="abc", source="data.csv", context="train"))
    run.add_artifact(repo / "data.csv", "data/copy.csv")
    run.set_field("name", "tree 2")
    commit = run.finish()

    assert [] == run.problems
    record = read_run(repo, run.id).record
    assert ("tree 2", "owls", "FINISHED") == (record.info.name, record.info.experiment, record.info.status)
    assert {"lr": 0.1, "layers": 3, "flag": True, "text": "0.1", "none": None, "big": 1 << 80} == record.params
    assert (1 / 3, math.inf) == (record.metrics["loss"], record.metrics["inf"])
    assert math.isnan(record.metrics["nan"])
    assert [(0, 1000, 1.0), (1, 1001, 0.5), (2, 1002, 1 / 3)] == list(record.histories["loss"])
    assert {"first": "tag", "team": "a"} == record.tags
    assert ["iris"] == [item.name for item in record.inputs]
    assert ["data/copy.csv"] == [item.path for item in record.artifacts]
    assert record.environment is not None
    assert git(repo, "rev-parse", "HEAD") == git(repo, "rev-parse", f"{commit}^")
    assert "run: tree 2 (owls)" == git(repo, "log", "-1", "--format=%s", str(commit))
    assert "x,y\n1,2" == git(repo, "show", f"{commit}:.ledgit/run/artifacts/data/copy.csv")
    assert str(run.start // 1000) == git(repo, "log", "-1", "--format=%at", str(commit))
    check_objects(repo)


def test_a_resumed_run_gets_a_commit_on_top(repo: Path, git: GitFunction, opened: Repo) -> None:
    """Its first commit stays what it was; the head holds both sessions."""
    run = ActiveRun.create(opened, RunStart())
    run.log_params({"lr": 0.1})
    run.log_metric("loss", 1.0, 0)
    run.add_artifact_bytes("model.txt", b"first")
    first = run.finish("FAILED")

    again = ActiveRun.resume(opened, run.id)
    with pytest.raises(ParamConflict):
        again.log_params({"lr": 0.2})
    again.log_params({"lr": 0.1, "late": 1})
    again.log_metric("loss", 0.5, 1)
    again.add_artifact_bytes("model.txt", b"second")
    again.add_artifact_bytes("more.txt", b"more")
    second = again.finish()

    head = read_run(repo, run.id)
    assert {run.id: second} == run_refs(repo)
    assert (first,) == head.entry.past
    assert ("FINISHED", {"lr": 0.1, "late": 1}) == (head.record.info.status, head.record.params)
    assert [(0, 1.0), (1, 0.5)] == points(head, "loss")
    assert (b"second", b"more") == (head.files["artifacts/model.txt"], head.files["artifacts/more.txt"])
    assert ["resume", "run"] == [
        line.partition(":")[0] for line in git(repo, "log", "--format=%s", "-2", str(second)).splitlines()
    ]
    assert "first" == git(repo, "show", f"{first}:.ledgit/run/artifacts/model.txt")
    check_objects(repo)


def test_edits_are_commits_and_git_log_is_the_audit_trail(repo: Path, git: GitFunction, opened: Repo) -> None:
    """One a change, dated when it was made, naming what changed."""
    folder = Folder.of(opened)
    run = ActiveRun.create(opened, RunStart(name="tree", tags={"a": "1"}))
    first = run.finish()
    for number, edit in enumerate(
        [
            Edit(set_tags={"a": "2"}),
            Edit(delete_tags=("a",)),
            Edit(name="bush"),
            Edit(experiment="garden"),
            Edit(deleted=True),
            Edit(deleted=False),
        ]
    ):
        edit_run(opened, folder, run.id, edit, when=(2_000_000_000 + number) * 1000)

    head = read_run(repo, run.id)
    log = git(repo, "log", "--format=%s|%at", "-6", head.head).splitlines()
    assert [
        "restore: bush|2000000005",
        "delete: bush|2000000004",
        "move to experiment garden: bush|2000000003",
        "rename tree to bush: bush|2000000002",
        "untag a: tree|2000000001",
        "tag a=2: tree|2000000000",
    ] == log
    assert (first, 6) == (head.entry.past[0], len(head.entry.past))
    assert ("bush", "garden", False, {}) == (
        head.record.info.name,
        head.record.info.experiment,
        head.record.info.deleted,
        head.record.tags,
    )
    assert head.head == edit_run(opened, folder, run.id, Edit(name="bush"))  # no change, no commit
    check_objects(repo)


def test_a_deleted_run_is_not_resumed_until_it_is_restored(opened: Repo) -> None:
    folder = Folder.of(opened)
    run = ActiveRun.create(opened, RunStart())
    run.finish()
    edit_run(opened, folder, run.id, Edit(deleted=True))
    with pytest.raises(RunStateError, match="restore"):
        ActiveRun.resume(opened, run.id)
    edit_run(opened, folder, run.id, Edit(deleted=False))

    assert ActiveRun.resume(opened, run.id).finish()


def test_an_edit_of_a_run_that_is_not_there_says_so(opened: Repo) -> None:
    with pytest.raises(RunNotFound):
        edit_run(opened, Folder.of(opened), RUN, Edit(name="x"))


def test_two_resumed_sessions_one_after_the_other_are_two_commits(repo: Path, opened: Repo) -> None:
    run = ActiveRun.create(opened, RunStart())
    run.log_metric("loss", 0.0, 0)
    commits = [run.finish()]
    for step in (1, 2):
        again = ActiveRun.resume(opened, run.id)
        again.log_metric("loss", float(step), step)
        commits.append(again.finish())

    head = read_run(repo, run.id)
    assert commits == [*head.entry.past, head.head]
    assert [(0, 0.0), (1, 1.0), (2, 2.0)] == points(head, "loss")


def test_a_run_of_the_same_id_is_not_started_twice(repo: Path, opened: Repo) -> None:
    """And the attempt leaves nothing."""
    run = ActiveRun.create(opened, RunStart(run_id=RUN))
    with pytest.raises(RunStateError, match="already active"):
        ActiveRun.create(opened, RunStart(run_id=RUN))
    run.finish()

    assert [] == leftovers(repo)


def test_a_large_artifact_goes_into_the_cache_and_leaves_a_pointer(repo: Path, git: GitFunction, opened: Repo) -> None:
    """The threshold is a setting; what is above it is in no Git object."""
    git(repo, "config", "ledgit.artifactThreshold", "1k")
    run = ActiveRun.create(Repo.discover(str(repo)), RunStart())
    run.add_artifact_bytes("small.bin", b"s" * 1024)
    run.add_artifact_bytes("large.bin", b"l" * 1025)
    run.finish()

    head = read_run(repo, run.id)
    stored = {item.path: (item.stored, item.size) for item in head.record.artifacts}
    assert {"small.bin": ("git", 1024), "large.bin": ("dvc", 1025)} == stored
    assert b"s" * 1024 == head.files["artifacts/small.bin"]
    pointer = head.files["artifacts/large.bin.dvc"].decode()
    digest = next(item.digest for item in head.record.artifacts if item.stored == "dvc").removeprefix("md5:")
    assert digest in pointer
    assert "artifacts/large.bin" not in head.files
    cached = repo / ".git/ledgit/cache/files/md5" / digest[:2] / digest[2:]
    assert b"l" * 1025 == cached.read_bytes()


ODD_FILES = (
    "new\nline.txt",
    "emoji 🦉.txt",
    ".git",
    "dvc.yaml",
    "Case.txt",
    "case.txt",
    "x" * 190 + ".txt",
    "con",
    "a.dvc",
)


@pytest.mark.parametrize("path", ODD_FILES)
def test_artifacts_of_any_name_get_it_back(repo: Path, opened: Repo, path: str) -> None:
    """Names that Git, DVC or a file system would take for something else are stored under others."""
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    run.add_artifact_bytes(f"out/{path}", b"content")
    run.add_artifact_bytes("out/CASE.txt", b"twin")
    run.finish()

    assert [] == run.problems
    head = read_run(repo, run.id)
    found = {item.path: head.files[f"artifacts/{item.tree_path}"] for item in head.record.artifacts}
    assert {f"out/{path}": b"content", "out/CASE.txt": b"twin"} == found
    check_objects(repo)


GOOD_NAMES = ("loss", "val/loss", "a", "a/b", "a.tsv/b", "Loss", "two words", "näme", "x" * 250, "con", ".hidden")
BAD_NAMES = ("", "..", "../x", "a//b", "/a", "a/", "x" * 500, "tab\t", "line\nbreak", "a/../b")


def test_metrics_of_any_allowed_name_live_beside_each_other(repo: Path, opened: Repo) -> None:
    """``a`` beside ``a/b``, names that differ by case, names that are devices somewhere."""
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    for number, name in enumerate(GOOD_NAMES):
        run.log_metric(name, float(number), number)
        run.log_params({name: number})
        run.set_tags({name: str(number)})
    run.finish()

    head = read_run(repo, run.id)
    for number, name in enumerate(GOOD_NAMES):
        assert [(number, float(number))] == points(head, name)
        assert (number, str(number)) == (head.record.params[name], head.record.tags[name])
    check_objects(repo)


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name[:10]))
def test_other_names_are_refused_and_the_run_goes_on(repo: Path, opened: Repo, name: str) -> None:
    """A batch with one of them is refused whole."""
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    run.log_metric("loss", 1.0)
    with pytest.raises(InvalidName):
        run.log_metric(name, 1.0)
    with pytest.raises(InvalidName):
        run.log_batch(metrics=[("other", 1.0, 0, None), (name, 1.0, 0, None)], params={"p": 1})
    with pytest.raises(InvalidName):
        run.log_params({"p": 1, name: 2})
    with pytest.raises(InvalidName):
        run.set_tags({"t": "1", name: "2"})
    run.finish()

    record = read_run(repo, run.id).record
    assert ({"loss": 1.0}, {}, {}) == (record.metrics, record.params, record.tags)


def test_what_killed_processes_began_is_swept_when_it_is_old(repo: Path, opened: Repo) -> None:
    """Folders without a first record, copies of the index, folders of a snapshot's new objects."""
    import os

    ActiveRun.create(opened, RunStart()).finish()
    ours = repo / ".git/ledgit"
    unborn, copy, objects = ours / "active/.new-x-1", ours / "index-abc", ours / "index-abc.objects"
    for folder in (unborn, objects):
        folder.mkdir()
        (folder / "lock").touch()
    copy.touch()
    recover_all(repo)
    assert all(path.exists() for path in (unborn, copy, objects))  # they may be somebody's at work

    for path in (unborn, copy, objects):
        os.utime(path, (1, 1))
    recover_all(repo)

    assert not any(path.exists() for path in (unborn, copy, objects))
    assert [] == os.listdir(ours / "trash")


def test_what_a_thread_logs_while_the_run_ends_is_in_the_run_or_refused(opened: Repo, repo: Path) -> None:
    """The call that returned was kept: nothing is written behind the back of who reads the journal."""
    for _ in range(8):
        run = ActiveRun.create(opened, RunStart(snapshot=False))
        kept: list[int] = []
        going = threading.Event()

        def log(run: ActiveRun = run, kept: list[int] = kept, going: threading.Event = going) -> None:
            with contextlib.suppress(RunStateError):
                while True:
                    run.log_metric("m", 1.0, len(kept))
                    kept.append(len(kept))
                    going.set()

        thread = threading.Thread(target=log)
        thread.start()
        going.wait()
        run.finish()
        thread.join()

        assert kept == [step for step, _ in points(read_run(repo, run.id), "m")]


def test_a_run_killed_at_its_start_whose_code_is_gone_is_no_broken_commit(
    opened: Repo, repo: Path, git: GitFunction, forks: Forks
) -> None:
    """It was killed before its code had a ref; then the commit was amended and pruned."""
    with pytest.raises(Died):
        forks.run("leave", RUN)
    git(repo, "update-ref", "-d", f"refs/ledgit/active/{RUN}")
    gone = git(repo, "rev-parse", "HEAD")
    git(repo, "commit", "-q", "--amend", "-m", "another")
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "gc", "-q", "--prune=now")

    head = recover_all(repo).commits[RUN]

    check_objects(repo)
    assert "" == git(repo, "log", "-1", "--format=%P", head)
    said = git(repo, "log", "-1", "--format=%B", head)
    assert f"Problem: the commit that was checked out, {gone[:12]}, is gone" in said
    code = read_run(repo, RUN).record.info.code
    assert code is not None
    assert gone == code.commit


def test_a_file_that_a_power_cut_took_or_cut_short_is_named_in_the_run(
    opened: Repo, repo: Path, git: GitFunction
) -> None:
    run = ActiveRun.create(opened, RunStart(snapshot=False))
    for name in ("whole", "short", "lost"):
        run.add_artifact_bytes(name, b"1234")
    with run.open_artifact("growing") as file:
        file.write(b"1")
    staged = {name: Path(place) for name, place in run.artifact_files().items()}
    staged["short"].write_bytes(b"12")
    staged["lost"].unlink()

    commit = run.finish()

    said = [line for line in git(repo, "log", "-1", "--format=%B", str(commit)).splitlines() if "Problem" in line]
    assert ["Problem: artifact lost is lost", "Problem: of artifact short only 2 of 4 bytes are left"] == said
    assert ["growing", "short", "whole"] == [item.path for item in read_run(repo, run.id).record.artifacts]
