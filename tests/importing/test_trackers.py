"""Files that TensorBoard's writers, W&B, DVCLive and DVC made, read; and what is torn or meant to harm."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import LedgitError, UsageError
from ledgit.importing import Brought, bring, open_source
from ledgit.importing.dvc import DvcSource
from ledgit.importing.wire import Message, _masked_crc, event_records, leveldb_records
from ledgit.repository import Repository, open_repository

DATA = Path(__file__).parent / "data"
EVENTS = next((DATA / "tensorboard" / "train").glob("events*")).read_bytes()
WANDB = next(DATA.glob("wandb/*/run-*.wandb")).read_bytes()


@pytest.fixture
def repository(repo: Path) -> Repository:
    return open_repository(str(repo))


def brought(repository: Repository, tracker: str, path: Path) -> Brought:
    """Bring runs along twice: the second time nothing is new."""
    done = bring(repository, open_source(tracker, str(path)))
    again = bring(repository, open_source(tracker, str(path)))
    assert (done.failed, done.missing) == ({}, [])
    assert (again.imported, again.known) == ([], done.imported)
    return done


def test_event_files_of_tensorboardx(repository: Repository) -> None:
    """Scalars with steps and times, NaN, texts, pictures, hyperparameters; all else in the files that come along."""
    done = brought(repository, "tensorboard", DATA / "tensorboard")

    run, inner = (repository.run(name) for name in ("train", "train/hp"))
    points = list(run.history("loss/train"))
    assert [(step, when) for step, when, _ in points] == [(n, 1795000000000 + n * 1000) for n in range(5)]
    assert [value for _, _, value in points] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert repr(run.metrics["nan"]) == "nan"
    paths = {one.path for one in run.artifacts()}
    assert run.read_artifact("images/img/2.png").startswith(b"\x89PNG")
    assert run.read_artifact("text/note/text_summary/1.md") == b"hello **you**\n"
    assert any(path.startswith("tensorboard/events") for path in paths)
    assert run.tags["ledgit.import.in_event_files"] == "histograms: h"
    assert inner.params == {"lr": 0.1, "opt": "sgd", "flag": True}
    assert (inner.parent_run, len(done.imported)) == (run.id, 2)


def test_event_files_of_torch(repository: Repository) -> None:
    """Scalars that are tensors; hyperparameters in a folder named after the time belong to the run above."""
    done = brought(repository, "tensorboard", DATA / "torch")

    (run,) = (repository.run(run_id) for run_id in done.imported)
    assert [value for _, _, value in run.history("loss")] == [1, 0.5, 0.25, 0.125]
    assert (run.params, run.metrics["score"]) == ({"lr": 0.25, "opt": "adam", "n": 3}, 0.5)


def test_offline_runs_of_wandb(repository: Repository) -> None:
    """Id, project, name, config, history by step, summary, tags, notes, files."""
    brought(repository, "wandb", DATA / "wandb")

    run = repository.run("tj1u7xxk")
    assert (run.name, run.experiment, run.status) == ("calm-1", "proj", "FINISHED")
    assert run.params == {"lr": 0.1, "net.depth": 3, "s": "x"}
    assert [(step, value) for step, _, value in run.history("val.acc")] == [(n, n / 10) for n in range(5)]
    assert run.metrics["best"] == 0.9
    assert (run.note, run.tags["wandb.group"], "wandb.tag.a" in run.tags) == ("a note", "g", True)
    paths = {one.path for one in run.artifacts()}
    assert {"requirements.txt", "wandb/run-tj1u7xxk.wandb", "wandb/values.json"} <= paths


def test_folders_of_dvclive(repository: Repository) -> None:
    """Params, series with times, values without a series, files."""
    done = brought(repository, "dvc", DATA / "dvclive")

    (run,) = (repository.run(run_id) for run_id in done.imported)
    assert (run.params, run.metrics["best"]) == ({"lr": 0.1, "n.k": 3}, 0.9)
    assert [(step, value) for step, _, value in run.history("train/loss")][:2] == [(0, 1.0), (1, 0.5)]
    assert "dvclive/plots/images/im.png" in {one.path for one in run.artifacts()}


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    """A repository with one experiment, its commit and ref as DVC makes them."""
    folder = tmp_path / "dvcrepo"
    folder.mkdir()
    git(folder, "init", "-q", ".")
    (folder / "params.yaml").write_text("train:\n  lr: 0.1\n  layers: [1, 2]\n")
    (folder / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: x\n    params: [train]\n    metrics:\n    - scores.json:\n        cache: false\n"
        "    plots:\n    - roc.csv\n    - ../../etc/passwd\n"
    )
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "base")
    base = git(folder, "rev-parse", "HEAD")
    (folder / "params.yaml").write_text("train:\n  lr: 0.2\n  layers: [1, 2]\n")
    (folder / "scores.json").write_text('{"acc": 0.4, "by": {"class": 1}, "nan": NaN}')
    (folder / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  train:\n    cmd: x\n    params:\n      params.yaml:\n        train.lr: 0.2\n"
        "    outs:\n    - path: roc.csv\n      md5: 34a73cfd2de0db0d4a0c8ea3bd0b3e4b\n      size: 16\n"
    )
    cached = folder / ".dvc" / "cache" / "files" / "md5" / "34"
    cached.mkdir(parents=True)
    (cached / "a73cfd2de0db0d4a0c8ea3bd0b3e4b").write_text("fpr,tpr\n0,0\n1,1\n")
    git(folder, "add", "params.yaml", "scores.json", "dvc.lock")
    git(folder, "commit", "-qm", "dvc: commit experiment")
    git(folder, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/exp-one", "HEAD")
    git(folder, "reset", "-q", "--hard", base)
    return folder


def test_experiments_of_dvc(repository: Repository, experiments: Path) -> None:
    """Params of dvc.lock and params.yaml, metrics, plots out of the cache; nothing from outside of the repository."""
    done = brought(repository, "dvc", experiments)

    (run,) = (repository.run(run_id) for run_id in done.imported)
    commit = git(experiments, "for-each-ref", "--format=%(objectname)", "refs/exps/")
    assert (run.name, run.code.commit, run.id) == ("exp-one", commit, commit[:32])
    assert run.params == {"train.lr": 0.2, "train.layers": "[1, 2]"}
    assert (run.metrics["acc"], run.metrics["by.class"]) == (0.4, 1)
    assert {one.path for one in run.artifacts()} == {"plots/roc.csv"}


def test_an_experiment_in_the_same_repository_has_its_code(experiments: Path) -> None:
    """The run's commit is a child of DVC's, which so outlives 'dvc exp gc'."""
    repository = open_repository(str(experiments))

    done = bring(repository, DvcSource(str(experiments)))

    run = repository.run(done.imported[0])
    assert git(experiments, "rev-parse", f"{run.head}^") == run.code.commit


def test_a_bomb_of_aliases_is_no_value(repository: Repository, tmp_path: Path) -> None:
    """YAML that would unfold to gigabytes is left out, and the rest of the run is there."""
    folder = tmp_path / "live"
    shutil.copytree(DATA / "dvclive", folder)
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    (folder / "params.yaml").write_text("\n".join(lines))

    done = bring(repository, open_source("dvc", str(folder)))

    (run,) = (repository.run(run_id) for run_id in done.imported)
    assert sum(len(str(value)) for value in run.params.values()) < 100_000
    assert run.metrics["best"] == 0.9


def _record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", _masked_crc(head)) + data + struct.pack("<I", _masked_crc(data))


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def test_names_in_event_files_lead_nowhere(repository: Repository, tmp_path: Path) -> None:
    """A picture's tag is anybody's text: no path comes of it that leaves the artifacts."""
    picture = _field(1, b"../../../.git/hooks/x") + _field(4, _field(4, b"\x89PNG..."))
    event = b"\x09" + struct.pack("<d", 1795000000.0) + _field(5, _field(1, picture))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "events.out.tfevents.1795000000.x").write_bytes(_record(event))

    done = bring(repository, open_source("tensorboard", str(tmp_path / "run")))

    (run,) = (repository.run(run_id) for run_id in done.imported)
    assert "images/git/hooks/x/0.png" in {one.path for one in run.artifacts()}


@pytest.mark.parametrize("read", [lambda data: event_records(io.BytesIO(data)), lambda data: _levels(data)])
def test_what_is_torn_ends_where_it_is_torn(read: Any) -> None:
    """Cut anywhere, a file gives the records before the cut, and no error."""
    whole = EVENTS if read(EVENTS) and list(read(EVENTS)) else WANDB
    records = list(read(whole))
    assert len(records) > 3

    for cut in range(7, len(whole), 37):
        some = list(read(whole[:cut]))
        assert some == records[: len(some)]


def _levels(data: bytes) -> list[bytes]:
    try:
        return list(leveldb_records(io.BytesIO(data), "x"))
    except LedgitError:
        return []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 5000), st.integers(0, 255))
def test_no_bytes_do_harm(data: bytes, place: int, byte: int) -> None:
    """Whatever stands there: records that are whole, or the end; a message, or ValueError."""
    for whole in (EVENTS, WANDB):
        damaged = bytearray(whole)
        damaged[place % len(damaged)] = byte
        assert len(list(event_records(io.BytesIO(bytes(damaged))))) < 100
        assert len(_levels(bytes(damaged))) < 100
    _levels(b":W&B" + data)
    list(event_records(io.BytesIO(data)))
    try:
        Message(data)
    except ValueError:
        pass


def test_a_record_that_says_it_is_huge_takes_no_memory() -> None:
    """A length is only believed as far as the file goes."""
    head = struct.pack("<Q", 1 << 60)
    assert list(event_records(io.BytesIO(head + struct.pack("<I", _masked_crc(head)) + b"x"))) == []


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb", "dvc", "mlflow", "comet"])
def test_what_is_none_of_theirs_is_said(tracker: str, tmp_path: Path) -> None:
    """One sentence."""
    with pytest.raises(UsageError):
        open_source(tracker, str(tmp_path))
