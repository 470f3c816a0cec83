"""A repository with runs on main and on a branch, as reviews meet it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.review.hosts import Host

import ledgit
from ledgit.records import Scalar
from ledgit.repository import Repository, open_repository
from ledgit.run import Run

Train = Callable[..., Run]


@pytest.fixture
def train(repo: Path) -> Train:
    """``train(0.9, seed=1, lr=0.1)``: a finished run of the code that is checked out."""

    def run(accuracy: float | None, *, steps: int = 0, experiment: str = "Default", **params: Scalar) -> Run:
        ledgit.set_experiment(experiment)
        with ledgit.start_run() as active:
            ledgit.log_params(params)
            if accuracy is not None:
                for step in range(steps):
                    ledgit.log_metric("accuracy", accuracy - 0.1 * (steps - step), step=step)
                ledgit.log_metric("accuracy", accuracy, step=steps)
            run_id = active.info.run_id
        return open_repository(str(repo)).run(run_id)

    return run


@pytest.fixture
def repository(repo: Path) -> Repository:
    """The repository of the test."""
    return open_repository(str(repo))


@pytest.fixture
def host() -> Iterator[Host]:
    """A host that takes comments, on loopback."""
    server = Host()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def commit(path: Path, name: str, text: str, message: str) -> str:
    """Write *text* into the file *name*, commit it, and return the commit."""
    (path / name).write_text(text)
    run_git(path, "add", name)
    run_git(path, "commit", "-q", "-m", message)
    return run_git(path, "rev-parse", "HEAD")
