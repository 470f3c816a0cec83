"""search_runs, get_run, delete and restore; experiments by name and id."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit import ViewType
from ledgit.errors import (
    ExperimentExists,
    ExperimentNotFound,
    FilterError,
    InvalidName,
    InvalidValue,
    LedgitWarning,
    RunStateError,
    UsageError,
)


@pytest.fixture
def three(repo: Path) -> list[ledgit.ActiveRun]:
    """Three runs of one experiment, the last without what the others have."""
    ledgit.set_experiment("search")
    runs = []
    for number, accuracy in enumerate([0.8, 0.9, None]):
        with ledgit.start_run(run_name=f"run {number}") as run:
            if accuracy is not None:
                ledgit.log_param("model", f"tree{number}")
                ledgit.log_metric("acc", accuracy)
                ledgit.set_tag("team", "a" if number else "b")
        runs.append(run)
    return runs


def found(*args: Any, **kwargs: Any) -> list[str]:
    return [run.name for run in ledgit.search_runs(*args, output_format="list", **kwargs)]


def test_runs_are_found_by_filter_newest_first(three: list[ledgit.ActiveRun]) -> None:
    """MLflow's grammar, and its default order."""
    assert ["run 2", "run 1", "run 0"] == found()
    assert ["run 1"] == found(filter_string="metrics.acc > 0.85 AND params.model LIKE 'tree%'")
    assert ["run 0"] == found(filter_string="tags.team = 'b'")
    assert ["run 2"] == found(filter_string="params.model IS NULL")
    assert ["run 1", "run 0"] == found(filter_string="metrics.acc > 0.1")
    assert ["run 0", "run 1", "run 2"] == found(order_by=["metrics.acc ASC"])
    assert ["run 1", "run 0", "run 2"] == found(order_by=["metrics.acc DESC"])
    assert ["run 2", "run 1"] == found(max_results=2)
    with pytest.raises(FilterError):
        found(filter_string="metrics.acc >")


def test_the_frame_has_mlflows_columns(three: list[ledgit.ActiveRun]) -> None:
    """A row a run; what a run lacks is NaN for metrics and None for the rest."""
    frame = ledgit.search_runs(order_by=["start_time ASC"])

    fixed = ["run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time"]
    assert fixed == list(frame.columns[:6])
    assert {"metrics.acc", "params.model", "tags.team", "tags.mlflow.runName"} <= set(frame.columns)
    assert [run.id for run in three] == list(frame["run_id"])
    assert [0.8, 0.9] == list(frame["metrics.acc"][:2])
    assert math.isnan(frame["metrics.acc"][2])
    # pandas 3 has a type for text, whose None shows as NaN; MLflow's frame does the same.
    assert [False, False, True] == list(frame["params.model"].isna()) == list(frame["tags.team"].isna())
    assert "UTC" == str(frame["start_time"].dt.tz)
    assert {"FINISHED"} == set(frame["status"])


def test_a_search_that_finds_nothing_is_an_empty_frame(repo: Path) -> None:
    """Not an error, in a repository without a run."""
    frame = ledgit.search_runs()

    assert frame.empty
    assert [] == ledgit.search_runs(output_format="list")
    assert [] == ledgit.search_runs(["nothing"], output_format="list")


def test_experiments_bound_the_search(three: list[ledgit.ActiveRun]) -> None:
    """The current one by default; by id, by name, or all of them."""
    search = ledgit.get_experiment_by_name("search")
    assert search is not None
    other = ledgit.create_experiment("other")
    with ledgit.start_run(experiment_id=other, run_name="elsewhere"):
        pass

    assert 3 == len(found())
    assert ["elsewhere"] == found([other]) == found(experiment_names=["other"])
    assert 4 == len(found([search.id, other]))
    assert 4 == len(found(search_all_experiments=True))
    with pytest.warns(LedgitWarning, match="nothing"):
        assert ["elsewhere"] == found(experiment_names=["other", "nothing"])
    with pytest.raises(UsageError, match="not both"):
        found(["0"], experiment_names=["other"])
    with pytest.raises(InvalidValue, match="output_format"):
        ledgit.search_runs(output_format="json")


def test_deleted_runs_are_left_out_and_come_back(three: list[ledgit.ActiveRun]) -> None:
    """Deleting marks; nothing is removed."""
    ledgit.delete_run(three[0].id)

    assert ["run 2", "run 1"] == found()
    assert ["run 0"] == found(run_view_type=ViewType.DELETED_ONLY)
    assert 3 == len(found(run_view_type=ViewType.ALL))
    assert "deleted" == ledgit.get_run(three[0].id).info.lifecycle_stage
    ledgit.restore_run(three[0].id)
    assert 3 == len(found())
    with pytest.raises(InvalidValue, match="ViewType"):
        found(run_view_type=9)


def test_a_running_run_is_found_but_not_deleted(repo: Path) -> None:
    """It is RUNNING in every list, at once."""
    with ledgit.start_run() as run:
        ledgit.log_metric("m", 1)
        (listed,) = ledgit.search_runs(filter_string="metrics.m = 1", output_format="list")
        assert ("RUNNING", run.id) == (listed.status, listed.id)
        with pytest.raises(RunStateError):
            ledgit.delete_run(run.id)


def test_set_experiment_is_where_runs_go_from_now_on(repo: Path) -> None:
    """By name, created when missing, or by id, which must exist."""
    first = ledgit.set_experiment("first one")
    assert ("first one", "active") == (first.name, first.lifecycle_stage)
    assert first == ledgit.get_experiment_by_name("first one") == ledgit.get_experiment(first.experiment_id)
    assert "first one" in [experiment.name for experiment in ledgit.search_experiments()]
    with ledgit.start_run() as run:
        assert ("first one", first.id) == (run.experiment, run.info.experiment_id)
    ledgit.set_experiment(experiment_id="0")
    with ledgit.start_run() as run:
        pass

    assert ("Default", "0") == (run.experiment, run.info.experiment_id)
    for wrong in ((None, None), ("a", "0")):
        with pytest.raises(UsageError):
            ledgit.set_experiment(*wrong)
    with pytest.raises(ExperimentNotFound):
        ledgit.set_experiment(experiment_id="77")
    for name in ("", "a\nb", "x" * 501):
        with pytest.raises(InvalidName):
            ledgit.set_experiment(name)


def test_setting_an_experiment_writes_nothing(repo: Path, git: Any) -> None:
    """It begins with its first run."""
    ledgit.set_experiment("thought of")

    assert "" == git(repo, "for-each-ref", "refs/ledgit")


def test_an_experiment_without_a_run_can_be_tagged_renamed_and_deleted(repo: Path) -> None:
    """Then it is written down."""
    number = ledgit.set_experiment("thought of").id
    ledgit.set_experiment_tag("k", "v")
    ledgit.rename_experiment(number, "thought over")
    assert {"k": "v"} == dict(ledgit.get_experiment(number).tags)
    assert "thought over" == ledgit.get_experiment(number).name
    other = ledgit.set_experiment("other").id
    ledgit.delete_experiment(other)

    with pytest.raises(ExperimentExists, match="deleted"):
        ledgit.create_experiment("other")
    with pytest.raises(RunStateError):
        ledgit.start_run()


def test_a_deleted_experiment_takes_no_runs(repo: Path) -> None:
    """Its runs are deleted with it, and restored with it."""
    experiment = ledgit.set_experiment("old")
    with ledgit.start_run() as run:
        pass
    ledgit.delete_experiment(experiment.id)

    assert [] == found([experiment.id])
    assert "deleted" == ledgit.get_experiment(experiment.id).lifecycle_stage
    assert "runs:/" == experiment.artifact_location
    for attempt in (
        lambda: ledgit.set_experiment("old"),
        ledgit.start_run,
        lambda: ledgit.start_run(experiment_id=experiment.id),
    ):
        with pytest.raises(RunStateError, match="restore_experiment"):
            attempt()
    with pytest.raises(ExperimentExists, match="deleted"):
        ledgit.create_experiment("old")
    ledgit.restore_experiment(experiment.id)
    assert [run.name] == found([experiment.id])
    assert ledgit.start_run() is not None


def test_experiments_are_created_renamed_and_tagged(repo: Path) -> None:
    """Ids stay; runs follow their experiment's new name."""
    number = ledgit.create_experiment("a", artifact_location="ignored", tags={"k": 1})
    with pytest.raises(ExperimentExists):
        ledgit.create_experiment("a")
    ledgit.set_experiment("a")
    with ledgit.start_run() as run:
        ledgit.set_experiment_tag("k", 2)
        ledgit.set_experiment_tags({"l": "x", "m": "y"})
        ledgit.delete_experiment_tag("m")
    with pytest.raises(InvalidValue, match="'m'"):
        ledgit.delete_experiment_tag("m")
    ledgit.rename_experiment(number, "b")

    experiment = ledgit.get_experiment(number)
    assert ("b", {"k": "2", "l": "x"}) == (experiment.name, dict(experiment.tags))
    assert ledgit.get_experiment_by_name("a") is None
    assert ("b", number) == (run.experiment, run.info.experiment_id)
    assert number == ledgit.set_experiment("b").id
    with ledgit.start_run() as again:
        pass
    assert "b" == again.experiment
    with pytest.raises(ExperimentExists):
        ledgit.rename_experiment("0", "b")


def names(*args: Any, **kwargs: Any) -> list[str]:
    return [experiment.name for experiment in ledgit.search_experiments(*args, **kwargs)]


def test_experiments_are_searched_by_name_tag_and_time(repo: Path) -> None:
    """MLflow's little grammar: conditions joined by AND."""
    for name, team in (("vision 1", "a"), ("Vision 2", "b"), ("text", "a")):
        ledgit.create_experiment(name, tags={"team": team, "two words": "x"})
    ledgit.delete_experiment(ledgit.create_experiment("gone"))

    assert ["Default", "Vision 2", "text", "vision 1"] == names(order_by=["name"])
    assert ["vision 1", "text"] == names(order_by=["name DESC"], filter_string="tags.team = 'a'")
    assert ["vision 1"] == names(filter_string="name LIKE 'vision%'")
    assert {"vision 1", "Vision 2"} == set(names(filter_string="name ILIKE 'vision__'"))
    assert ["Vision 2"] == names(filter_string="tags.`two words` = 'x' AND tag.team != \"a\"")
    assert "text" in names(filter_string="creation_time > 0 and last_update_time >= 1")
    assert ["gone"] == names(ViewType.DELETED_ONLY)
    assert 5 == len(names(ViewType.ALL))
    assert 1 == len(names(max_results=1))


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name =",
        "nme = 'a'",
        "name = a",
        "name > 'a'",
        "creation_time = 'x'",
        "name = 1",
        "name = 'a' OR name = 'b'",
        "name = 'a' AND",
        "creation_time LIKE 1",
        "tags.a = 1 AND AND",
    ],
)
def test_a_wrong_experiment_filter_says_where(repo: Path, text: str) -> None:
    """The error points into the text."""
    with pytest.raises(FilterError) as caught:
        names(filter_string=text)

    assert 0 <= caught.value.position <= len(text)


def test_a_wrong_experiment_order_says_what_there_is(repo: Path) -> None:
    """The columns are few."""
    with pytest.raises(FilterError, match="creation_time"):
        names(order_by=["size DESC"])


def test_a_set_of_runs_tells_what_was_asked(repo: Path) -> None:
    """And nothing of what was not."""
    runs = ledgit.open(repo).runs

    assert "<RunSet of all runs>" == repr(runs)
    assert "<RunSet filter='metrics.a > 1' limit=3>" == repr(runs.filter("metrics.a > 1").limit(3))
