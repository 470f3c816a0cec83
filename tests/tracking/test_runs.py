"""start_run, end_run and the run they give: MLflow's rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import ledgit
from ledgit.errors import InvalidName, InvalidValue, RunNotFound, RunStateError, UsageError

Script = Callable[..., object]
OnlyRun = Callable[[], ledgit.Run]

SNIPPET = """
import ledgit as mlflow            # also: import ledgit
mlflow.set_experiment("my_experiment")
params = {"learning_rate": 0.1, "epochs": 10}
mlflow.log_param("learning_rate", params["learning_rate"])
mlflow.log_metric("accuracy", 0.95)
mlflow.log_artifact("data.csv")
"""


def test_the_snippet_of_the_issue_works_word_for_word(repo: Path, script: Script, only_run: OnlyRun) -> None:
    """Nothing set up before, no run started, none ended."""
    script(SNIPPET)

    run = only_run()
    assert "my_experiment" == run.experiment
    assert "FINISHED" == run.status
    assert {"learning_rate": 0.1} == run.params
    assert {"accuracy": 0.95} == run.metrics
    assert b"x,y\n1,2\n" == run.read_artifact("data.csv")
    assert run.commit is not None


def test_leaving_the_block_finishes_the_run(repo: Path) -> None:
    """The object shows the run live, and its commit afterwards."""
    with ledgit.start_run(run_name="first try", tags={"team": "a"}, description="a *note*") as run:
        assert "RUNNING" == run.status == run.info.status
        assert run is ledgit.active_run()
        assert isinstance(run, ledgit.Run)

    assert ledgit.active_run() is None
    assert ("FINISHED", "first try") == (run.status, run.name)
    assert {"team": "a", "mlflow.note.content": "a *note*"} == dict(run.tags)
    assert run.commit is not None
    assert run.info.end_time is not None
    assert run.info.end_time >= run.info.start_time


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(2)])
def test_an_exception_that_leaves_the_block_fails_the_run(repo: Path, error: BaseException) -> None:
    """Also what is no Exception; and it goes on its way."""
    with pytest.raises(type(error)), ledgit.start_run() as run:
        raise error

    assert "FAILED" == run.status


def test_a_clean_exit_inside_the_block_is_no_failure(repo: Path) -> None:
    """Scripts that end with ``sys.exit(main())`` are done when main returns 0."""
    with pytest.raises(SystemExit), ledgit.start_run() as run:
        raise SystemExit(0)

    assert "FINISHED" == run.status


def test_a_second_run_needs_nested(repo: Path) -> None:
    """As in MLflow, whose message names the run in the way."""
    with ledgit.start_run() as outer:
        with pytest.raises(RunStateError, match=outer.id[:8]):
            ledgit.start_run()
        with ledgit.start_run(nested=True) as inner:
            assert inner is ledgit.active_run()
            ledgit.log_metric("x", 1)
        assert outer is ledgit.active_run()
        ledgit.log_metric("x", 2)

    assert (outer.id, None) == (inner.parent_run, outer.parent_run)
    assert (1.0, 2.0) == (inner.metrics["x"], outer.metrics["x"])
    assert outer.id == inner.data.tags["mlflow.parentRunId"]
    assert ledgit.get_parent_run(inner.id) == outer
    assert ledgit.get_parent_run(outer.id) is None


def test_a_parent_can_be_named(repo: Path) -> None:
    """For children that are started after their parent ended."""
    with ledgit.start_run() as parent:
        pass
    child = ledgit.start_run(parent_run_id=parent.id)
    with pytest.raises(RunStateError, match="can't be the parent"):
        ledgit.start_run(nested=True, parent_run_id=parent.id)
    ledgit.end_run()

    assert parent.id == child.parent_run
    with pytest.raises(RunNotFound):
        ledgit.start_run(parent_run_id="0" * 32)
    ledgit.delete_run(parent.id)
    with pytest.raises(RunStateError, match="deleted"):
        ledgit.start_run(parent_run_id=parent.id)


def test_a_run_gets_a_readable_name_and_mlflows_id(repo: Path) -> None:
    """32 hex digits, and two words with a number."""
    with ledgit.start_run() as run:
        pass

    assert re.fullmatch("[0-9a-f]{32}", run.id)
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", run.name)
    assert run.name == run.info.run_name == run.data.tags["mlflow.runName"]


def test_resuming_goes_on_with_a_run_that_ended(repo: Path) -> None:
    """Its params still count, its status is RUNNING again, its commit stays."""
    with ledgit.start_run(run_name="a") as first:
        ledgit.log_param("lr", 0.1)
        ledgit.log_metric("loss", 1.0, step=1)
    commit = first.commit
    with ledgit.start_run(run_id=first.id, run_name="b", tags={"again": "yes"}) as second:
        assert "RUNNING" == second.status
        ledgit.log_metric("loss", 0.5, step=2)
        with pytest.raises(ledgit.LedgitError, match=r"already '0\.1'"):
            ledgit.log_param("lr", 0.2)

    assert (first.id, "FINISHED", "b") == (second.id, second.status, second.name)
    assert commit == second.commit != second.head
    assert [1.0, 0.5] == list(second.history("loss").values)
    assert "yes" == second.tags["again"]


def test_a_deleted_run_is_not_resumed(repo: Path) -> None:
    """It would come back by accident."""
    with ledgit.start_run() as run:
        pass
    ledgit.delete_run(run.id)

    with pytest.raises(RunStateError, match="deleted"):
        ledgit.start_run(run_id=run.id)
    with pytest.raises(RunStateError, match="deleted"):
        ledgit.log_metric("x", 1, run_id=run.id)
    ledgit.restore_run(run.id)
    ledgit.log_metric("x", 1, run_id=run.id)
    assert {"x": 1.0} == run.metrics


def test_a_run_that_does_not_exist_is_not_resumed(repo: Path) -> None:
    """Nor is another one started instead."""
    with pytest.raises(RunNotFound):
        ledgit.start_run(run_id="f" * 32)

    assert ledgit.active_run() is None


def test_end_run_takes_a_status(repo: Path) -> None:
    """FINISHED, FAILED, KILLED; without a run it does nothing."""
    ledgit.end_run()
    run = ledgit.start_run()
    with pytest.raises(InvalidValue, match="FINISHED, FAILED or KILLED"):
        ledgit.end_run("DONE")
    ledgit.end_run("KILLED")

    assert "KILLED" == run.status
    assert run == ledgit.last_active_run()


def test_ending_an_outer_run_ends_those_inside(repo: Path) -> None:
    """A forgotten inner run must not swallow what is logged next."""
    with ledgit.start_run() as outer:
        inner = ledgit.start_run(nested=True)

    assert ("FINISHED", "FINISHED") == (inner.status, outer.status)
    assert ledgit.active_run() is None


def test_logging_starts_a_run_and_it_stays_active(repo: Path) -> None:
    """As in MLflow: one run for all of it."""
    assert ledgit.last_active_run() is None
    ledgit.log_param("a", 1)
    run = ledgit.active_run()
    ledgit.log_metric("b", 2)

    assert run is not None
    assert run is ledgit.active_run()
    ledgit.end_run()
    assert {"a": 1} == run.params


def test_a_description_is_given_once(repo: Path) -> None:
    """As an argument or as the tag, not both."""
    with pytest.raises(UsageError, match="twice"):
        ledgit.start_run(description="a", tags={"mlflow.note.content": "b"})


@pytest.mark.parametrize("name", ["lr=0.1 (v2), 50 % ✓", "a/b", "-x", "../x"])
def test_a_runs_name_is_any_text_that_can_be_shown(repo: Path, name: str) -> None:
    """People put formulas into them; control characters could write over a terminal."""
    with ledgit.start_run(run_name=name) as run:
        for wrong in ("", " ", "a\x1b[2J", "a\nb", "a" * 251):
            with pytest.raises(InvalidName):
                run.rename(wrong)
    assert name == run.name == ledgit.get_run(name).name
    run.rename("other (2)")
    ledgit.log_batch(run_id=run.id, tags={"k": "v"})
    ledgit.set_tag("mlflow.runName", "third!", run_id=run.id)

    assert ("third!", {"k": "v"}) == (run.name, dict(run.tags))


def test_mlflows_system_tags_can_name_a_run_and_its_parent(repo: Path) -> None:
    """They are how MLflow's own client passes both."""
    with ledgit.start_run() as parent:
        pass
    with ledgit.start_run(tags={"mlflow.runName": "named", "mlflow.parentRunId": parent.id}) as child:
        pass

    assert ("named", parent.id) == (child.name, child.parent_run)
    assert {} == dict(child.tags)


def test_tags_can_be_edited_through_the_run_itself(repo: Path) -> None:
    """While it is written, and after."""
    with ledgit.start_run() as run:
        run.set_tags({"a": 1, "b": 2})
        run.delete_tag("b")
        run.rename("other")
    run.set_tags({"c": 3})

    assert ({"a": "1", "c": "3"}, "other") == (dict(run.tags), run.name)


def test_outside_of_a_repository_starting_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first line of a script, in one sentence."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))

    with pytest.raises(ledgit.errors.NotARepository, match="git init"):
        ledgit.start_run()
    with pytest.raises(ledgit.errors.NotARepository):
        ledgit.log_metric("a", 1)
