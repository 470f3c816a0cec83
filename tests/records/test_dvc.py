"""DVC's own commands read run commits: nothing but the run's tree is needed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgit.records import (
    RUN_FOLDER,
    Points,
    RunInfo,
    RunRecord,
    dvc_pointer,
    encode_entry,
    history_file,
    make_entry,
    run_files,
    stored_path,
)

METRICS = ["loss", "val/acc", "a: b", "température", "yes", "Mixed Case", "x.y", "lr-Adam/weight_decay"]


def record(seed: int) -> RunRecord:
    histories = {
        name: Points.of((step, 1_700_000_000_000 + step, (step + 1) * seed * (place + 1) / 7) for step in range(4))
        for place, name in enumerate(METRICS)
    }
    histories["bad"] = Points.of([(0, 1, math.nan), (1, 2, math.inf * seed)])
    return RunRecord(
        RunInfo(f"{seed:032x}", "owl", status="FINISHED", start=1_700_000_000_000),
        params={"lr": 1e-07 * seed, "opt": "adam", "yes": "no", "deep/key.x": seed, "big": 10**30 + seed},
        metrics={name: points.latest()[0] for name, points in histories.items()},
        histories=histories,
    )


@pytest.fixture
def commit(repo: Path, git: Callable[..., str]) -> Callable[..., str]:
    """Return a function that makes a run commit of a record on top of HEAD, away from the work tree."""

    def make(run: RunRecord, others: dict[str, bytes] | None = None) -> str:
        files = {f"{RUN_FOLDER}/{path}": data for path, data in run_files(run, encode_entry(make_entry(run))).items()}
        lines = []
        for path, data in {**files, **(others or {})}.items():
            lines.append(f"100644 {git(repo, 'hash-object', '-w', '--stdin', stdin=data)}\t{path}")
        env = {**os.environ, "GIT_INDEX_FILE": str(repo.parent / "index")}

        def with_index(*args: str, stdin: bytes = b"") -> str:
            done = subprocess.run(["git", *args], cwd=repo, env=env, input=stdin, capture_output=True, check=True)
            return done.stdout.decode().strip()

        with_index("read-tree", "HEAD")
        with_index("update-index", "--index-info", stdin="\n".join(lines).encode())
        return git(repo, "commit-tree", with_index("write-tree"), "-p", "HEAD", "-m", "run")

    return make


def dvc(repo: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *args],
        cwd=repo,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dvc_json(repo: Path, *args: str) -> Any:
    return json.loads(dvc(repo, *args, "--json"))


@pytest.mark.slow
def test_dvc_compares_metrics_params_and_plots_of_two_runs(repo: Path, commit: Callable[..., str]) -> None:
    """No target, no dvc.yaml at the root, not even ``dvc init`` is needed."""
    first, second = record(1), record(2)
    a, b = commit(first), commit(second)

    metrics = dvc_json(repo, "metrics", "diff", a, b)[".ledgit/run/metrics.yaml"]
    params = dvc_json(repo, "params", "diff", a, b)[".ledgit/run/params.yaml"]
    plots = dvc_json(repo, "plots", "diff", a, b)["data"]

    assert {name: (row["old"], row["new"]) for name, row in metrics.items()} == {
        name: (first.metrics[name], second.metrics[name]) for name in METRICS
    }
    assert {name: (row["old"], row["new"]) for name, row in params.items()} == {
        name: (first.params[name], second.params[name]) for name in ("lr", "deep/key.x", "big")
    }
    for name in METRICS:
        (plot,) = plots[f".ledgit/run/history/{history_file(name)}"]
        points = [float(row[name]) for row in plot["content"]["data"]["values"]]
        assert points == [*first.histories[name].values, *second.histories[name].values]


@pytest.mark.slow
def test_an_artifact_named_dvc_yaml_does_not_break_the_comparison(repo: Path, commit: Callable[..., str]) -> None:
    hostile = {
        f"{RUN_FOLDER}/artifacts/{stored_path(name)}": b"{{{"
        for name in ("dvc.yaml", "dvc.lock", "x.dvc", ".dvcignore")
    }
    a, b = commit(record(1), hostile), commit(record(2), hostile)

    assert "loss" in dvc_json(repo, "metrics", "diff", a, b)[".ledgit/run/metrics.yaml"]


@pytest.mark.slow
def test_dvc_get_follows_the_pointer_of_a_large_artifact(
    repo: Path, commit: Callable[..., str], tmp_path: Path
) -> None:
    content = os.urandom(3000)
    from hashlib import md5

    digest = md5(content, usedforsecurity=False).hexdigest()
    remote = tmp_path / "remote" / "files" / "md5" / digest[:2]
    remote.mkdir(parents=True)
    (remote / digest[2:]).write_bytes(content)
    config = f"['remote \"ledgit\"']\n    url = {tmp_path / 'remote'}\n".encode()
    run = commit(
        record(1),
        {
            ".dvc/config": config,
            f"{RUN_FOLDER}/artifacts/model.bin.dvc": dvc_pointer("model.bin", digest, len(content)),
        },
    )

    dvc(repo, "get", ".", f"{RUN_FOLDER}/artifacts/model.bin", "--rev", run, "-o", str(tmp_path / "got"))

    assert (tmp_path / "got").read_bytes() == content
