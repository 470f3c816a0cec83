"""Workers of MLflow's server and training processes in one repository at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from ledgit.repository import open_repository

POINTS = 60
_BEGIN = """
import sys
from mlflow.entities import Metric, Param, RunTag
from ledgit.mlflow.store import TrackingStore
store = TrackingStore("ledgit:")
who, work = sys.argv[1:]
def step(n):
    return Metric("loss", n / 8, n, n), [Metric(f"of-{who}", n, n, n)]
"""
# A training process holds its run; after half of its points it waits until it is told to go on.
TRAINING = (
    _BEGIN
    + f"""
run = store.create_run("0", "", 0, [RunTag("who", who)], f"run-{{who}}").info.run_id
print(run, flush=True)
for n in range({POINTS}):
    store.log_batch(run, [step(n)[0]], [Param("depth", who)] if n == 0 else [], [])
    if n == {POINTS} // 2 - 1:
        print("half", flush=True)
        sys.stdin.readline()
store.update_run_info(run, 3, None, None)
print("ended", flush=True)
"""
)
# A worker writes into the run of another one, which none of them holds.
WORKER = (
    _BEGIN
    + f"""
for n in range({POINTS}):
    store.log_batch(work, step(n)[1], [], [RunTag(f"tag-{{who}}", str(n))])
    if n == 0:
        print("begun", flush=True)
print(len(store.get_metric_history(work, f"of-{{who}}")), flush=True)
"""
)


@contextmanager
def process(program: str, repo: Path, *words: str, server: bool = False) -> Iterator[subprocess.Popen[str]]:
    environment = dict(os.environ) | ({"_MLFLOW_SERVER_FILE_STORE": "ledgit:"} if server else {})
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, *words],
        cwd=repo,
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def line(of: subprocess.Popen[str]) -> str:
    assert of.stdout is not None
    return of.stdout.readline().strip()


def test_workers_and_training_write_one_repository_at_once(
    client: MlflowClient, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost; runs and their charts are seen by others while they are written, and each is one commit."""
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", "ledgit:")
    shared = client.create_run("0", run_name="shared").info.run_id
    with (
        process(TRAINING, repo, "a", "") as one,
        process(WORKER, repo, "x", shared, server=True) as two,
        process(WORKER, repo, "y", shared, server=True) as three,
    ):
        trained = line(one)
        assert [line(one), line(two), line(three)] == ["half", "begun", "begun"]

        # This is a third worker, which has nothing of theirs in memory.
        seen = client.get_run(trained)
        assert (seen.info.status, seen.data.metrics) == ("RUNNING", {"loss": (POINTS // 2 - 1) / 8})
        assert len(client.get_metric_history(trained, "loss")) == POINTS // 2
        running = client.search_runs(["0"], "attributes.status = 'RUNNING'")
        assert {found.info.run_id for found in running} == {trained, shared}
        assert [found.info.run_id for found in client.search_runs(["0"], "tags.who = 'a'")] == [trained]

        assert one.stdin is not None
        one.stdin.write("on\n")
        one.stdin.flush()
        assert line(one) == "ended"
        assert [line(two), line(three)] == [str(POINTS)] * 2
        assert [started.wait() for started in (one, two, three)] == [0] * 3
    client.set_terminated(shared)  # by this worker, which did not start it in the others' eyes

    assert [point.step for point in client.get_metric_history(trained, "loss")] == list(range(POINTS))
    ended = client.get_run(shared)
    assert ended.info.status == "FINISHED"
    assert ended.data.metrics == {"of-x": POINTS - 1.0, "of-y": POINTS - 1.0}
    assert {key: value for key, value in ended.data.tags.items() if key.startswith("tag-")} == {
        "tag-x": str(POINTS - 1),
        "tag-y": str(POINTS - 1),
    }
    repository = open_repository(str(repo))
    assert all(repository.run(run_id).commit for run_id in (trained, shared))
    assert client.search_runs(["0"], "attributes.status = 'RUNNING'") == []
