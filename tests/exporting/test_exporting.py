"""Runs for other tools: what is exported to MLflow comes back the same, and the plain formats say everything."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledgit.cli import main
from ledgit.errors import RunStateError, UsageError
from ledgit.exporting import write_mlruns, write_parquet
from ledgit.exporting.lines import line_of
from ledgit.importing import bring_mlflow
from ledgit.records import ArtifactRecord, InputRecord, Points, RunInfo, RunRecord
from ledgit.records.environment import Environment
from ledgit.records.run import CodeInfo
from ledgit.repository import Repository, open_repository
from ledgit.store.registry import Registration, register

NEVER = 1_795_000_000_000


def record(number: int, **changes: Any) -> RunRecord:
    """A run with whatever MLflow has no place for, too."""
    run_id = f"{number:032x}"
    info = RunInfo(
        id=run_id, name=f"run {number}", experiment="größe/2" if number % 2 else "plain", status="FAILED",
        start=NEVER, end=NEVER + 5, user="ann", host="box", command=("python", "train.py"), entry_point="train.py",
        source="train.py", parent_run=f"{number - 1:032x}" if number > 1 else None, deleted=number == 3,
        code=CodeInfo(commit="a" * 40, branch="main", dirty=True),
    )  # fmt: skip
    points = {
        "loss": Points.of([(step, NEVER + step, 1 / (step + 1)) for step in range(5)] + [(5, NEVER, math.nan)]),
        "a/b": Points.of([(-3, 0, math.inf)]),
    }
    made = RunRecord(
        info=info,
        params={"lr": 0.1, "text": "8", "flag": True, "none": None, "big": 10**25, "multi": "x: 'y'\n#z", "é": "ü"},
        metrics={name: one.latest()[0] for name, one in points.items()},
        histories=points,
        tags={"team": "vision", "mlflow.note.content": "a note"},
        inputs=[InputRecord("train", "abc", "local", '{"uri": "t.csv"}', "{}", "", "training", {"more": "tag"})],
        environment=Environment(python="3.11.9", packages={"numpy": "2.0"}),
        artifacts=[ArtifactRecord("model/MLmodel", 3, "md5:acbd18db4cc2f85cedef654fccc4a4d8", "git")],
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def repository(repo: Path) -> Repository:
    """A repository with three runs, one deleted, and a model of two versions."""
    found = open_repository(str(repo))
    found.create_experiment("plain", {"goal": "low"})
    with found.bulk() as bulk:
        for number in (1, 2, 3):
            bulk.add(record(number), {"model/MLmodel": b"foo"})
    found.refresh()
    for version in ("v1.0.0", "v1.2.0"):
        state = found.run(f"{1:032x}").state
        made = register(found.repo, found.folder, Registration("churn", state, "model", version=version))
    found.assign(made, "champion")
    found.assign(made, "Production")
    found.edit_model("churn", {"description": "who leaves", "tags.team": "crm", "version.v1.2.0.tags.k": "v"})
    return found


def everything(repository: Repository) -> dict[str, Any]:
    """All of a repository's runs and models, but for the commits they are."""
    runs = {run.id: line_of(run) for run in repository.runs.view("all")}
    for line in runs.values():
        del line["commit"], line["head"]
    models = {
        name: (
            {one.version: (one.number, one.run, one.path, one.digest, one.description, one.tags, one.stages)
             for one in model.versions.values()},
            model.tags,
            model.values.get("description"),
        )
        for name, model in repository.registered().models.items()
    }  # fmt: skip
    experiments = {one.name: (one.deleted, dict(one.tags)) for one in repository.experiments("all")}
    return json.loads(json.dumps([runs, models, experiments.get("plain")]))  # type: ignore[no-any-return]


@pytest.fixture
def other(tmp_path: Path) -> Repository:
    folder = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return open_repository(str(folder))


def test_what_went_to_mlflow_comes_back_the_same(repository: Repository, other: Repository, tmp_path: Path) -> None:
    """Runs with types, points, files and environment; models with versions, numbers, stages and tags."""
    done = write_mlruns(repository, list(repository.runs.view("all")), str(tmp_path / "out" / "mlruns"))
    again = write_mlruns(repository, list(repository.runs.view("all")), str(tmp_path / "out" / "mlruns"))
    assert (len(done.written), done.missing, done.versions) == (3, [], 2)
    assert (again.written, len(again.known), again.models) == ([], 3, 0)

    came = bring_mlflow(other, str(tmp_path / "out"))

    assert (came.failed, came.missing) == ({}, [])
    assert everything(other) == everything(repository)


def test_a_run_is_there_whole_or_not_at_all(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off in the middle, the next export does the rest."""
    runs = list(repository.runs.view("all"))
    whole = os.rename

    def broken(source: str, target: str) -> None:
        if target.endswith(runs[1].id):
            raise KeyboardInterrupt
        whole(source, target)

    monkeypatch.setattr(os, "rename", broken)
    with pytest.raises(KeyboardInterrupt):
        write_mlruns(repository, runs, str(tmp_path / "mlruns"))
    monkeypatch.undo()

    done = write_mlruns(repository, runs, str(tmp_path / "mlruns"))

    assert (len(done.known), len(done.written)) == (1, 2)
    assert not (tmp_path / "mlruns" / ".ledgit-unfinished").exists()


def test_another_folder_is_left_alone(repository: Repository, tmp_path: Path) -> None:
    """Where there is something else nothing is written."""
    (tmp_path / "mine").write_text("x")

    with pytest.raises(UsageError):
        write_mlruns(repository, [], str(tmp_path))

    assert [one.name for one in tmp_path.iterdir() if one.name == ".ledgit-unfinished"] == []


def test_json_lines_say_everything(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object a run, by the filters that 'ls' has; to a file or standard output."""
    monkeypatch.chdir(repository.path)

    assert main(["export", "jsonl", str(tmp_path / "runs.jsonl"), "--all"]) == 0
    assert main(["export", "jsonl", "-", "--experiment", "plain", "--no-history"]) == 0

    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    one = next(line for line in lines if line["name"] == "run 1")
    assert (len(lines), one["schema"]) == (3, 1)
    assert one["params"] == {**record(1).params, "big": 10**25}
    assert one["metrics"] == {"a/b": {"~float": "inf"}, "loss": {"~float": "nan"}}
    assert one["history"]["loss"][0] == [0, NEVER, 1.0]
    assert (one["inputs"][0]["context"], one["artifacts"][0]["path"]) == ("training", "model/MLmodel")
    assert one["environment"]["packages"] == {"numpy": "2.0"}
    shown = capsys.readouterr().out.splitlines()
    (plain,) = [json.loads(line) for line in shown if line.startswith("{")]
    assert (plain["name"], "history" in plain) == ("run 2", False)


def test_parquet_has_types(repository: Repository, tmp_path: Path) -> None:
    """A column is a number where all of it is; else text. Every point and file is a row."""
    from pyarrow import parquet

    assert write_parquet(list(repository.runs.view("all")), str(tmp_path)) == 3

    runs, points, files = (parquet.read_table(tmp_path / f"{name}.parquet") for name in ("runs", "points", "artifacts"))
    kinds = {name: str(runs.schema.field(name).type) for name in runs.column_names}
    assert (kinds["params.lr"], kinds["params.flag"], kinds["params.text"]) == ("double", "bool", "string")
    assert (kinds["params.big"], kinds["metrics.loss"], kinds["start"]) == ("string", "double", "timestamp[ms, tz=UTC]")
    assert runs["params.big"].to_pylist() == [str(10**25)] * 3
    assert (points.num_rows, files.num_rows) == (21, 3)


def test_an_active_run_is_refused(repository: Repository, tmp_path: Path) -> None:
    """It has no end yet; a list leaves it out and says so."""
    from ledgit.store import RunStart

    running = repository.start_run(RunStart(name="now"))
    try:
        repository.refresh()
        with pytest.raises(RunStateError):
            write_mlruns(repository, [repository.run("now")], str(tmp_path / "mlruns"))
    finally:
        running.finish()
