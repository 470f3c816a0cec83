"""The registry in three calls, by the words of the article that Ledgit began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.conftest import GitFunction

import ledgit as mlflow
from ledgit.errors import LedgitWarning, ModelNotFound, StorageError, UsageError, VersionExists

pytestmark = pytest.mark.frameworks
ROWS = np.array([[0.0], [1.0]])


@pytest.fixture
def model() -> LogisticRegression:
    """One that is there quickly."""
    return LogisticRegression().fit(ROWS, [0, 1])


def test_the_snippet_works_word_for_word(repo: Path, git: GitFunction, model: LogisticRegression) -> None:
    """Logged, registered, listed; the work tree is as it was."""
    mlflow.register.set_default_artifact_root("models")
    mlflow.register.save_model(model, "my_model_v1")
    models = mlflow.register.get_models()

    assert ["my_model_v1"] == [one.name for one in models]
    assert ["my_model_v1@v0.0.1"] == git(repo, "tag", "-l").split()
    assert [0, 1] == mlflow.sklearn.load_model("models:/my_model_v1/1").predict(ROWS).tolist()
    assert mlflow.active_run() is None
    assert "" == git(repo, "status", "--porcelain")
    assert str(repo / "models") == git(repo, "config", "ledgit.artifactRemote")


def test_a_version_more_is_made_each_time_and_says_why(repo: Path, model: LogisticRegression) -> None:
    """By bump or by name; in the active run if there is one."""
    with mlflow.start_run() as run:
        first = mlflow.register.save_model(model, "churn", version="v1.0.0", description="the first")
        second = mlflow.register.save_model(model, "churn", bump="minor", reason="more data", tags={"team": "fraud"})

    assert (run.id, run.id) == (first.run, second.run)
    assert ("v1.0.0", "v1.1.0") == (first.version, second.version)
    (found,) = mlflow.register.get_models("name = 'churn'")
    assert ("the first", "more data") == (
        found.versions["v1.0.0"].description,
        found.versions["v1.1.0"].event.reason,
    )
    with pytest.raises(VersionExists):
        mlflow.register.save_model(model, "churn", version="v1.0.0")
    assert mlflow.active_run() is None


def test_the_same_model_again_is_the_version_that_there_is(repo: Path, git: GitFunction) -> None:
    """Made anew and saved in another run; something else is another version, and so is what is asked for."""

    def made(c: float) -> LogisticRegression:
        return LogisticRegression(C=c).fit(ROWS, [0, 1])

    first = mlflow.register.save_model(made(1.0), "churn", input_example=ROWS)
    again = mlflow.register.save_model(made(1.0), "churn", input_example=ROWS, description="kept")
    with mlflow.start_run():
        inside = mlflow.register.save_model(made(1.0), "churn", input_example=ROWS)

    assert first.version == again.version == inside.version == "v0.0.1"
    assert "kept" == inside.description
    assert ["churn@v0.0.1"] == git(repo, "tag", "-l").split()
    assert "v0.0.2" == mlflow.register.save_model(made(2.0), "churn", input_example=ROWS).version
    assert "v0.0.3" == mlflow.register.save_model(made(1.0), "churn", input_example=ROWS).version
    assert "v0.1.0" == mlflow.register.save_model(made(1.0), "churn", bump="minor").version


def test_an_artifact_root_that_cant_be_used_changes_nothing(repo: Path, git: GitFunction) -> None:
    """It is tried out first."""
    (repo / "file").write_text("no folder")
    mlflow.register.set_default_artifact_root(repo.parent / "good")

    with pytest.raises(StorageError, match="file/below: Not a directory"):
        mlflow.register.set_default_artifact_root("file/below")
    with pytest.raises(UsageError):
        mlflow.register.set_default_artifact_root("")

    assert str(repo.parent / "good") == git(repo, "config", "ledgit.artifactRemote")


def test_a_folder_that_is_in_use_is_not_made_to_be_ignored(repo: Path) -> None:
    """Only one that is made for it is."""
    (repo / "shared").mkdir()
    (repo / "shared/notes.txt").write_text("mine")
    mlflow.register.set_default_artifact_root("shared")

    assert not (repo / "shared/.gitignore").exists()
    mlflow.register.set_default_artifact_root("fresh", commit=True)
    assert "*\n" == (repo / "fresh/.gitignore").read_text()
    assert "fresh" in (repo / ".dvc/config").read_text()


def test_a_model_that_the_disk_refuses_is_said_and_ends_no_training(
    repo: Path, model: LogisticRegression, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with every ``log_`` function; the run knows it, too."""

    def full(*_: object) -> None:
        raise StorageError("an artifact", "No space left on device")

    with mlflow.start_run() as run, monkeypatch.context() as patched:
        patched.setattr("ledgit.store.filelog.move_file", full)
        with pytest.warns(LedgitWarning, match="model my_model was not logged: .*No space left"):
            mlflow.sklearn.log_model(model, "my_model")

    assert "ledgit.model.my_model" not in mlflow.get_run(run.id).tags
    with pytest.raises(ModelNotFound):
        mlflow.sklearn.load_model("my_model")


def test_a_model_that_cant_be_saved_leaves_no_run_behind(repo: Path, git: GitFunction) -> None:
    """Nothing is logged, so there is nothing to keep; the next call begins one."""

    class Odd(LogisticRegression):
        def __getstate__(self) -> Any:
            raise ValueError("odd")

    for save in (mlflow.sklearn.log_model, mlflow.register.save_model):
        with pytest.raises(UsageError, match="can't be written as skops"):
            save(Odd().fit(ROWS, [0, 1]), "m")
        with pytest.raises(UsageError, match="model name"):
            save(LogisticRegression(), "m#")

        assert mlflow.active_run() is None
    assert [] == list(mlflow.open().runs)
    mlflow.sklearn.log_model(LogisticRegression().fit(ROWS, [0, 1]), "m")
    run = mlflow.active_run()
    assert run is not None
    mlflow.end_run()
    assert run.id == mlflow.models.get_model_info(f"runs:/{run.id}/m").run_id


def test_what_is_no_name_of_a_model_is_refused_in_words(repo: Path) -> None:
    """Not as a TypeError, nor by the name of a tag that only Ledgit knows."""
    nothing: Any = None
    with pytest.raises(UsageError, match="the model's URI is None"):
        mlflow.pyfunc.load_model(nothing)
    with pytest.raises(UsageError, match=r"^model name 'churn#' has '#'"):
        mlflow.pyfunc.load_model("churn#")
    with pytest.raises(UsageError, match="what to register is None"):
        mlflow.register_model(nothing, "churn")
    with pytest.raises(UsageError, match="the artifact remote is None"):
        mlflow.register.set_default_artifact_root(nothing)
