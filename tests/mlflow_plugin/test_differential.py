"""Random programs give the same answers, and the same error codes, on MLflow's SQLite store and on a repository."""

from __future__ import annotations

import itertools
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from mlflow.tracking import MlflowClient
from tests.conftest import run_git
from tests.mlflow_plugin.calls import Call, calls
from tests.mlflow_plugin.pair import T0, Pair, Side, sides
from tests.mlflow_plugin.registry_calls import registry_calls

from ledgit.mlflow import writing

# SQLAlchemy says so of how MLflow uses it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def fresh() -> Iterator[tuple[Path, Path]]:
    """A folder for pairs, and an SQLite store without anything in it: making its tables takes half a second."""
    folder = Path(tempfile.mkdtemp())
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    empty = folder / "empty.db"
    client = MlflowClient(f"sqlite:///{empty}", f"sqlite:///{empty}")
    client.search_experiments()
    client._tracking_client.store._dispose_engine()
    make_repository(folder)
    yield folder, empty
    shutil.rmtree(folder, ignore_errors=True)


def make_repository(folder: Path) -> None:
    (folder / "empty").mkdir()
    run_git(folder / "empty", "init", "-q")
    run_git(folder / "empty", "config", "user.name", "Ada Lovelace")
    run_git(folder / "empty", "config", "user.email", "ada@example.org")
    run_git(folder / "empty", "commit", "-q", "--allow-empty", "-m", "first")


@contextmanager
def pair_in(folder: Path, empty: Path) -> Iterator[Pair]:
    here = folder / str(next(_numbers))
    repository, database = here / "repo", here / "mlflow.db"
    shutil.copytree(empty.parent / "empty", repository)
    shutil.copy(empty, database)
    pair = sides(database, repository)
    try:
        yield pair
    finally:
        pair.sqlite.store._dispose_engine()
        for one in list(writing.Writers._all.pop(str(repository)).open.values()):
            one.finish()
        shutil.rmtree(here, ignore_errors=True)  # a thread may still take facts for a run


def everything(side: Side) -> Any:
    """Return all that a side has."""
    client = side.client
    runs = [client.get_run(one) for one in side.runs]
    return [
        client.search_experiments(3, order_by=["name"]),
        runs,
        client.search_runs(side.experiments, run_view_type=3, order_by=["attributes.start_time ASC"]),
        [(key, client.get_metric_history(run.info.run_id, key)) for run in runs for key in sorted(run.data.metrics)],
    ]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(program=st.lists(calls(), min_size=3, max_size=30))
def test_any_program_gets_the_answers_of_mlflows_own_store(
    fresh: tuple[Path, Path], plugin: None, program: list[Call]
) -> None:
    """Experiments, runs, values, data sets, searches, in any order, whether right or wrong."""
    with pair_in(*fresh) as pair:
        for name, call in program:
            note(name)
            theirs, ours = pair.ask(call)
            assert ours == theirs, name
        theirs, ours = pair.ask(everything)
        assert ours == theirs


def registered(side: Side) -> Any:
    """Return all models and versions that a side has."""
    return [
        side.client.search_registered_models(order_by=["name"]),
        side.client.search_model_versions(order_by=["name", "version_number"]),
    ]


def give_model(side: Side) -> Any:
    """Log a model, and end its run."""
    run = side.client.create_run("0", T0, run_name="calm").info.run_id
    if "ledgit:" in side.client.tracking_uri:
        side.client.log_text(run, "flavors: {}", "model/MLmodel")
    side.client.set_terminated(run, end_time=T0)
    side.runs.append(run)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(program=st.lists(registry_calls(), min_size=3, max_size=25))
def test_any_program_gets_the_answers_of_mlflows_own_registry(
    fresh: tuple[Path, Path], plugin: None, program: list[Call]
) -> None:
    """Models, versions, tags, aliases, stages, searches, in any order, whether right or wrong."""
    with pair_in(*fresh) as pair:
        pair.ask(give_model)
        for name, call in program:
            note(name)
            theirs, ours = pair.ask(call)
            assert ours == theirs, name
        theirs, ours = pair.ask(registered)
        assert ours == theirs
