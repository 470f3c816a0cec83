"""MLflow's stores brought along: all that MLflow itself reads in them is here afterwards, once."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledgit.cli import main
from ledgit.errors import UsageError
from ledgit.importing import Brought, bring_mlflow
from ledgit.repository import Repository, open_repository

SCRIPT = Path(__file__).parent / "stores.py"
KINDS = ("files", "sqlite")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Both of MLflow's stores with the same runs, and what MLflow reads in each."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        path = folder / ("mlruns" if kind == "files" else "mlflow.db")
        uri = f"file://{path}" if kind == "files" else f"sqlite:///{path}"
        env = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, str(SCRIPT), uri, str(folder)],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[kind] = (path, json.loads(done.stdout.partition("JSON")[2]))
    return found


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, stores: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    found: tuple[Path, dict[str, Any]] = stores[request.param]
    return found


@pytest.fixture
def repository(repo: Path) -> Repository:
    return open_repository(str(repo))


def test_all_that_mlflow_reads_is_here(repository: Repository, store: tuple[Path, dict[str, Any]]) -> None:
    """Ids, times, users, statuses, params as text, every point, tags, data sets; deleted ones as deleted."""
    path, expected = store

    done = bring_mlflow(repository, str(path))

    assert done.failed == {}
    assert sorted(done.imported) == sorted(expected)
    assert done.missing == []
    ours = {run.id: run for run in repository.runs.view("all") if run.experiment != "imported models"}
    assert ours.keys() == expected.keys()
    for run_id, theirs in expected.items():
        run = ours[run_id]
        assert run.experiment == theirs["experiment"]
        assert run.name == theirs["name"]
        assert run.start == theirs["start"]
        assert run.user == theirs["user"]
        assert run.deleted == (theirs["stage"] == "deleted" or theirs["experiment"] == "old")
        assert {key: str(value) for key, value in run.params.items()} == theirs["params"]
        assert {key: repr(value) for key, value in run.metrics.items()} == theirs["metrics"]
        if theirs["status"] in ("FINISHED", "FAILED", "KILLED"):
            assert (run.status, run.end) == (theirs["status"], theirs["end"])
        else:
            assert (run.status, run.tags["ledgit.import.status"]) == ("KILLED", theirs["status"])
        for key, points in theirs["history"].items():
            found = [[step, when, repr(value)] for step, when, value in run.history(key).sorted_unique()]
            assert sorted(found) == [list(point) for point in points]
        assert [[one.name, one.digest] for one in run.record().inputs] == theirs["inputs"]
        shown = run.data.tags
        assert {key: shown.get(key) for key in theirs["tags"]} == theirs["tags"]


def test_files_come_along_small_and_large(repository: Repository, store: tuple[Path, dict[str, Any]]) -> None:
    """One in the run's tree, one in the cache; both read back byte for byte."""
    path, expected = store
    bring_mlflow(repository, str(path))
    parent = next(run_id for run_id, one in expected.items() if one["name"] == "parent")
    run = repository.run(parent)

    assert {(one.path, one.stored) for one in run.artifacts()} == {("sub/dir/a.txt", "git"), ("big.bin", "dvc")}
    assert run.read_artifact("sub/dir/a.txt") == b"hello"
    assert run.read_artifact("big.bin") == b"x" * 300_000


def test_experiments_keep_their_tags_and_state(repository: Repository, store: tuple[Path, dict[str, Any]]) -> None:
    """A deleted one is deleted here, and so are its runs."""
    bring_mlflow(repository, str(store[0]))

    assert repository.experiment("exp one").tags["team"] == "vision"
    assert repository.experiment("old").deleted


def test_again_changes_nothing(repository: Repository, store: tuple[Path, dict[str, Any]]) -> None:
    """What is here stays as it is, edits too."""
    path, expected = store
    first = bring_mlflow(repository, str(path))
    edited = repository.run(first.imported[0])
    edited.set_tags({"mine": "1"})
    heads = {run.id: run.head for run in repository.runs.view("all")}

    again = bring_mlflow(repository, str(path))

    assert again.imported == []
    assert sorted(again.known) == sorted(expected)
    assert {run.id: run.head for run in repository.runs.view("all")} == heads


def test_an_interrupted_import_goes_on(
    repository: Repository, store: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after some packs: what is stored is whole, the next call brings the rest, none twice."""
    path, expected = store
    from ledgit.store import bulk

    monkeypatch.setattr(bulk.Bulk.__init__, "__defaults__", (2,))

    def stop(_what: str, done: int, _total: int | None) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_mlflow(repository, str(path), stop)
    some = len(list(repository.runs.view("all")))
    assert 0 < some < len(expected)

    done = bring_mlflow(repository, str(path))

    assert len(done.known) == some
    assert {run.id for run in repository.runs.view("all") if run.experiment != "imported models"} == set(expected)


def test_a_store_that_was_moved_has_its_files_beside_it(
    repository: Repository, stores: dict[str, Any], tmp_path: Path
) -> None:
    """An mlruns folder copied from another machine: its own addresses lead nowhere."""
    moved = tmp_path / "from-elsewhere"
    shutil.copytree(stores["files"][0], moved / "mlruns")
    for meta in moved.rglob("meta.yaml"):
        meta.write_text(meta.read_text().replace(str(stores["files"][0]), "/nowhere/mlruns"))

    done = bring_mlflow(repository, str(moved))

    assert done.files == 4
    assert list(done.elsewhere.values()) == ["s3://bucket/x"]


def test_artifacts_elsewhere_are_named_without_a_password(
    repository: Repository, stores: dict[str, Any], tmp_path: Path
) -> None:
    """They stay where they are, and the run says where."""
    database = tmp_path / "copy.db"
    shutil.copy(stores["sqlite"][0], database)
    with sqlite3.connect(database) as db:
        db.execute("UPDATE runs SET artifact_uri = 'https://me:secret@host.example/a/' || run_uuid || '?token=x'")
    db.close()

    done = bring_mlflow(repository, str(database))

    run = repository.run(done.imported[0])
    assert run.tags["ledgit.import.artifacts"] == f"https://host.example/a/{run.id}"
    assert set(done.imported) <= done.elsewhere.keys()
    assert "secret" not in str(done.elsewhere)


def test_a_hostile_folder_gives_nothing_away(repository: Repository, stores: dict[str, Any], tmp_path: Path) -> None:
    """A link out is not followed; names that can't be are changed and said; torn lines are left out."""
    store = tmp_path / "mlruns"
    shutil.copytree(stores["files"][0], store)
    parent = next(path.parent for path in store.rglob("meta.yaml") if "run_name: parent" in path.read_text())
    (tmp_path / "secret").write_text("secret")
    (parent / "artifacts/link.txt").symlink_to(tmp_path / "secret")
    (parent / "params/odd*name").write_text("1")
    (parent / "metrics/torn").write_text("1 0.5 0\n2 0.")
    (parent / "metrics/torn2").write_text("garbage\n")

    done = bring_mlflow(repository, str(store))

    run = repository.run(parent.name)
    assert "link.txt" not in {one.path for one in run.artifacts()}
    assert [old for _, old, _ in done.changed] == ["odd*name"]
    assert any(name.startswith("odd_name-") for name in run.params)
    assert run.metrics["torn"] == 0.0


@pytest.mark.parametrize("name", ["nothing", "empty", "text.db", "databricks://prod"])
def test_what_is_no_store_is_said(repository: Repository, tmp_path: Path, name: str) -> None:
    """One sentence, and nothing is written."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("no database" * 100)

    with pytest.raises(UsageError):
        bring_mlflow(repository, name if "://" in name else str(tmp_path / name))

    assert list(repository.runs.view("all")) == []


def test_a_broken_run_is_named_and_the_others_come(
    repository: Repository, stores: dict[str, Any], tmp_path: Path
) -> None:
    """An empty meta.yaml, as a full disk leaves it; a file that nobody may read."""
    store = tmp_path / "mlruns"
    shutil.copytree(stores["files"][0], store)
    meta = next(path for path in store.rglob("meta.yaml") if "run_id" in path.read_text())
    meta.write_text("")

    done = bring_mlflow(repository, str(store))

    assert list(done.failed) == [meta.parent.name]
    assert "meta.yaml" in done.failed[meta.parent.name]
    assert len(done.imported) == len(stores["files"][1]) - 1


@pytest.mark.parametrize("where", ["uri", "link", "folder"])
def test_no_folder_of_ones_own_can_be_asked_for(
    repository: Repository, stores: dict[str, Any], tmp_path: Path, where: str
) -> None:
    """A store that somebody sent names a private folder as a run's artifacts, or links to it."""
    private, store = tmp_path / "private", tmp_path / "mlruns"
    private.mkdir()
    (private / "key").write_text("secret")
    shutil.copytree(stores["files"][0], store)
    run = next(path.parent for path in store.rglob("meta.yaml") if "run_name: parent" in path.read_text())
    shutil.rmtree(run / "artifacts")
    meta = (run / "meta.yaml").read_text().splitlines()
    address = f"file://{private}" if where == "uri" else f"{private}/../private"
    (run / "meta.yaml").write_text(
        "\n".join(f"artifact_uri: {address}" if line.startswith("artifact_uri") else line for line in meta)
    )
    if where == "link":
        (run / "artifacts").symlink_to(private)

    bring_mlflow(repository, str(store))

    assert repository.run(run.name).artifacts() == []


def test_the_command_counts(repo: Path, store: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """In words and as JSON."""
    path, expected = store
    given = str(path) if path.is_dir() else f"sqlite:///{path}"

    assert main(["import", "mlflow", given, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["found"] == len(expected) == len(shown["imported"])
    assert shown["points"] == sum(len(rows) for one in expected.values() for rows in one["history"].values())
    assert main(["import", "mlflow", given]) == 0
    assert f"{len(expected)} were here already" in capsys.readouterr().out
    assert main(["import", "mlflow", "nowhere"]) == 2
    assert isinstance(Brought().to_dict(), dict)
