"""Sessions that go on with a run which is only in the ledger, or has several heads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.faults.kit import Died, Forks, check_objects, leftovers, recover_all
from tests.ledger_runs.kit import Clone, settle

from ledgit.errors import ParamConflict, RunNotFound
from ledgit.store import ActiveRun, Edit, RunStart, edit_run, read_parts, run_ref
from ledgit.store.ledger import LEDGER_REF, compact
from ledgit.store.settle import settle_leftovers


def test_a_compacted_run_is_resumed(clone: Clone) -> None:
    """The new commit stands on the ledger's head and holds both sessions."""
    run_id = clone.add_run()
    clone.compact()
    first = clone.run(run_id).head

    session = clone.resume(run_id)
    session.log_metric("loss", 1.0, 2, timestamp=1002)
    session.add_artifact_bytes("model.txt", b"second")
    assert "RUNNING" == clone.run(run_id).status
    with pytest.raises(ParamConflict):
        session.log_params({"lr": 0.2})
    second = session.finish()

    run = clone.run(run_id)
    assert ((second,), first) == (run.heads, run.commit)
    assert [first] == clone.git("rev-list", "-1", "--parents", str(second)).split()[1:]
    assert [3.0, 2.0, 1.0] == list(run.history("loss").values)
    assert b"second" == run.read_artifact("model.txt")
    clone.compact()
    assert (second,) == clone.run(run_id).heads
    clone.check()


def test_the_log_says_what_a_session_added(clone: Clone) -> None:
    """Params are told by the session that logged them: the first one's commit is the run itself."""
    run_id = clone.add_run()
    session = clone.resume(run_id)
    session.log_params({"lr": clone.run(run_id).params["lr"], "late": "a long one " * 20})
    session.log_metric("loss", 1.0, 2)
    session.finish()

    newest, *_, first = clone.run(run_id).log()

    assert [f"param late={'a long one ' * 5}a ..."] == [text for text in newest.changes if "param" in text]
    assert "loss = 1" in newest.changes
    assert not any("param" in text for text in first.changes)


def test_a_run_without_loose_ref_and_known_heads_is_not_found(clone: Clone) -> None:
    run_id = clone.add_run()
    clone.compact()

    with pytest.raises(RunNotFound):
        ActiveRun.resume(clone.repository.repo, run_id)


def test_compaction_leaves_a_resumed_run_alone(clone: Clone) -> None:
    """Until its journal is gone; what it goes on from may be compacted before that."""
    run_id = clone.add_run()
    session = clone.resume(run_id)
    session.log_metric("loss", 1.0, 2)

    repository = clone.repository
    assert () == compact(repository.repo, repository.folder).runs
    session.finish()
    settle()

    assert (run_id,) == clone.compact()
    assert [3.0, 2.0, 1.0] == list(clone.run(run_id).history("loss").values)


def test_sessions_of_two_clones_are_read_as_one(clone: Clone, other: Clone) -> None:
    """Histories, artifacts, params and statuses of both, before any edit joins the heads."""
    run_id = clone.add_run()
    other.pull(clone)
    for number, here in enumerate((clone, other)):
        session = here.resume(run_id)
        session.log_params({f"late{number}": number})
        session.log_metric("loss", 10.0 + number, 5 + number, timestamp=2000)
        session.log_metric(f"only{number}", float(number), 0)
        session.add_artifact_bytes(f"file{number}.txt", b"%d" % number)
        session.add_artifact_bytes("Model.txt", b"twin")
        session.finish()
    clone.pull(other)
    other.pull(clone)

    for here in (clone, other):
        run = here.run(run_id)
        assert 2 == len(run.heads)
        assert [3.0, 2.0, 10.0, 11.0] == list(run.history("loss").values)
        assert [0.0] == list(run.history("only0").values)
        assert [1.0] == list(run.history("only1").values)
        record = run.record()
        assert {"lr": 0.1, "late0": 0, "late1": 1} == record.params
        assert (11.0, 0.0, 1.0) == (record.metrics["loss"], record.metrics["only0"], record.metrics["only1"])
        names = [artifact.path for artifact in run.artifacts()]
        assert ["Model.txt", "file0.txt", "file1.txt", "model.txt"] == names
        assert [b"twin", b"0", b"1", b"first"] == [run.read_artifact(name) for name in names]
    assert clone.ledger_tree() == other.ledger_tree()


def test_lists_show_the_latest_point_of_two_sessions(clone: Clone, other: Clone) -> None:
    """And so what the run shows doesn't change with the edit that joins the heads."""
    run_id = clone.add_run(loss=[(0, 3.0)], acc=[(0, 0.5)])
    other.pull(clone)
    for here, steps in ((clone, (9, 4)), (other, (5, 8))):
        session = here.resume(run_id)
        session.log_metric("loss", 1.0 / steps[0], steps[0])
        session.log_metric("acc", 1.0 / steps[1], steps[1])
        session.finish()
    clone.pull(other)
    other.pull(clone)

    for here in (clone, other):
        run = here.run(run_id)
        assert (2, {"loss": 1 / 9, "acc": 1 / 8}) == (len(run.heads), dict(run.metrics))
        assert run.metrics == run.record().metrics
    clone.run(run_id).set_tags({"joined": "yes"})
    assert {"loss": 1 / 9, "acc": 1 / 8} == dict(clone.run(run_id).metrics)


def test_a_run_with_two_heads_is_resumed_on_both(clone: Clone, other: Clone) -> None:
    run_id = two_heads(clone, other)
    heads = clone.run(run_id).heads

    session = clone.resume(run_id)
    assert {"lr": "0.1", "p0": "0", "p1": "1"} == session.params
    session.log_metric("loss", 0.5, 9)
    commit = session.finish()

    assert [*heads] == clone.git("rev-list", "-1", "--parents", str(commit)).split()[1:]
    run = clone.run(run_id)
    assert (commit,) == run.heads
    assert [3.0, 2.0, 10.0, 11.0, 0.5] == list(run.history("loss").values)
    assert [b"0", b"1", b"first"] == [run.read_artifact(name) for name in ("file0.txt", "file1.txt", "model.txt")]
    files = clone.git("ls-tree", "-r", "--name-only", str(commit), "--", ".ledgit/run/artifacts/").splitlines()
    assert ["file0.txt", "file1.txt", "model.txt"] == [name.rpartition("/")[2] for name in files]
    clone.check()


def test_joining_two_heads_keeps_every_artifact_in_the_tree(clone: Clone, other: Clone) -> None:
    run_id = two_heads(clone, other)

    clone.run(run_id).set_tags({"joined": "yes"})

    run = clone.run(run_id)
    assert 1 == len(run.heads)
    assert [b"0", b"1", b"first"] == [run.read_artifact(name) for name in ("file0.txt", "file1.txt", "model.txt")]
    assert [3.0, 2.0, 10.0, 11.0] == list(run.history("loss").values)
    assert "print('train')" == clone.git("show", f"{run.head}:train.py")
    clone.check()


def two_heads(clone: Clone, other: Clone) -> str:
    """Return a run that both clones went on with, known in both."""
    run_id = clone.add_run()
    other.pull(clone)
    for number, here in enumerate((clone, other)):
        session = here.resume(run_id)
        session.log_params({f"p{number}": number})
        session.log_metric("loss", 10.0 + number, 5 + number, timestamp=2000)
        session.add_artifact_bytes(f"file{number}.txt", b"%d" % number)
        session.finish()
    clone.pull(other)
    other.pull(clone)
    return run_id


def test_an_edit_that_came_while_the_session_ran_is_gone_on_from(clone: Clone) -> None:
    """The loose ref moved: the session's commit stands on the edit, not beside it."""
    run_id = clone.add_run()
    clone.compact()
    session = clone.resume(run_id)
    session.log_metric("loss", 1.0, 2)
    repository = clone.repository
    heads = clone.run(run_id).heads
    edited = edit_run(repository.repo, repository.folder, run_id, Edit(set_tags={"a": "1"}), heads=heads)
    commit = session.finish()

    assert [edited] == clone.git("rev-list", "-1", "--parents", str(commit)).split()[1:]
    assert {"a": "1"} == dict(clone.run(run_id).tags)


@pytest.mark.parametrize("point", ["pack", "ref", "keep", "active-ref", "journal"])
@pytest.mark.parametrize("heads", [1, 2])
def test_a_finalizer_that_dies_is_repeated_to_the_same_commit(
    clone: Clone, other: Clone, forks: Forks, point: str, heads: int
) -> None:
    """Of a resumed run that is only in the ledger, with one head or two; the next command makes it whole."""
    run_id = two_heads(clone, other) if heads == 2 else clone.add_run()
    clone.compact()
    parents = clone.run(run_id).heads
    with pytest.raises(Died):
        forks.run("tasks_resume:leave_resumed", run_id, cwd=clone.path)
    copied = clone.path.parent / "copy"
    shutil.copytree(clone.path, copied, symlinks=True)
    expected = forks.run("recover_here", cwd=copied)["commits"][run_id]

    with pytest.raises(Died):
        forks.run("die_while_finalizing", point, "kill", run_id, cwd=clone.path)
    recover_all(clone.path)
    for keep in (clone.path / ".git/objects/pack").glob("*.keep"):
        os.utime(keep, (1, 1))  # a younger one may be in use
    recover_all(clone.path)

    assert ({run_id: expected}, []) == (clone.loose(), leftovers(clone.path))
    assert [*parents] == clone.git("rev-list", "-1", "--parents", expected).split()[1:]
    clone.compact()
    run = clone.run(run_id)
    assert ((expected,), {"again": "yes"}, b"late") == (run.heads, dict(run.tags), run.read_artifact("late.txt"))
    assert 2 * heads == len(
        {line for line in clone.git("log", "--format=%b", expected).splitlines() if "Session" in line}
    )
    check_objects(clone.path)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_repeat_after_the_commit_was_compacted_loses_and_doubles_nothing(
    clone: Clone, forks: Forks, fresh: bool, tmp_path: Path
) -> None:
    """Compaction leaves such runs alone; one that looked a moment too early may have taken the ref."""
    run_id = "0123456789abcdef0123456789abcdef"
    if fresh:
        with pytest.raises(Died):
            forks.run("leave", run_id, cwd=clone.path)
    else:
        run_id = clone.add_run()
        clone.compact()
        with pytest.raises(Died):
            forks.run("tasks_resume:leave_resumed", run_id, cwd=clone.path)
    with pytest.raises(Died):
        forks.run("die_while_finalizing", "keep", "kill", run_id, cwd=clone.path)
    journal = clone.path / ".git/ledgit/active" / run_id
    kept = tmp_path / "journal"
    shutil.move(journal, kept)  # where compaction doesn't see it
    assert (run_id,) == clone.compact()
    shutil.move(kept, journal)
    [line] = lines_of(clone, run_id)

    recover_all(clone.path)

    assert not journal.exists()
    [head] = clone.run(run_id).heads
    assert head in line
    clone.compact()
    assert ({}, [line]) == (clone.loose(), lines_of(clone, run_id))
    assert [] == leftovers(clone.path)
    check_objects(clone.path)


def lines_of(clone: Clone, run_id: str) -> list[str]:
    return clone.git("grep", "-h", run_id, LEDGER_REF, "--", "segments").splitlines()


def test_a_journal_that_waits_for_its_commit_to_settle_is_done_when_the_ledger_has_it(
    clone: Clone, tmp_path: Path
) -> None:
    """No loose ref doesn't mean that a power cut took the commit."""
    session = ActiveRun.create(clone.repository.repo, RunStart(name="owl"))
    session.log_metric("loss", 0.5, 9)
    journal = Path(session.directory)
    kept = tmp_path / "journal"
    session._writer.sync()
    shutil.copytree(journal, kept)
    session.finish()
    clone.compact()
    state = read_parts(str(kept)).first("start")
    assert state is not None
    waiting = clone.path / ".git/ledgit/settling" / f"{session.id}-{state['session']}-"
    waiting.parent.mkdir(exist_ok=True)
    shutil.copytree(kept, waiting)
    unknown = waiting.parent / f"{'f' * 32}-0123-"
    shutil.copytree(kept, unknown)
    repository = clone.repository

    torn = settle_leftovers(repository.repo, repository.folder, older_than=-1)

    assert (["f" * 32], False, False) == (torn, waiting.exists(), unknown.exists())
    assert (session.commit,) == clone.run(session.id).heads


def test_a_resumed_run_shows_the_latest_value_in_lists(clone: Clone) -> None:
    """Which is the committed one as long as the session logs lower steps."""
    run_id = clone.add_run(loss=[(0, 3.0), (9, 2.0)], nan=[(0, float("nan"))])
    clone.compact()
    session = clone.resume(run_id)

    session.log_metric("loss", 7.0, 5)
    session.log_metric("new", 1.0, 0)
    run = clone.run(run_id)
    assert ("RUNNING", 2.0, 1.0) == (run.status, run.metrics["loss"], run.metrics["new"])
    assert (2.0, 7.0) == run.ranges["loss"]
    assert [run_id] == [found.id for found in clone.repository.runs.filter("metrics.loss = 2")]
    session.log_metric("loss", 6.0, 9, timestamp=2_000_000_000_000)
    session.log_metric("nan", 0.0, 0)
    assert (6.0, 0.0) == (clone.run(run_id).metrics["loss"], clone.run(run_id).metrics["nan"])

    session.finish()
    run = clone.run(run_id)
    assert (6.0, 0.0, 1.0) == (run.metrics["loss"], run.metrics["nan"], run.metrics["new"])


def test_a_journal_of_a_run_that_was_purged_meanwhile_can_be_ended(clone: Clone, forks: Forks) -> None:
    """What it went on from is gone, so it goes on from nothing; it must not stay for ever."""
    run_id = clone.add_run()
    with pytest.raises(Died):
        forks.run("tasks_resume:leave_resumed", run_id, cwd=clone.path)
    clone.git("update-ref", "-d", run_ref(run_id))
    clone.git("gc", "-q", "--prune=now")

    commit = recover_all(clone.path).commits[run_id]

    assert {run_id: commit} == clone.loose()
    assert [0.5] == list(clone.run(run_id).history("loss").values)
