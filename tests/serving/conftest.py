"""A model with a signature, and servers of it: the application in this process, or the command as it is run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ledgit as mlflow
from ledgit.models.serving import ServeSettings, create_app

NAMES = ["length", "width"]


def frame(rows: int = 4) -> Any:
    """Data that the models here take."""
    import pandas as pd

    return pd.DataFrame([[number + 0.5, number % 3 + 0.25] for number in range(rows)], columns=NAMES)


@pytest.fixture
def model(repo: Path) -> Any:
    """A regression of two columns of doubles, logged by the name ``area``."""
    from sklearn.linear_model import LinearRegression

    import ledgit.sklearn
    from ledgit.models import infer_signature

    data = frame(20)
    fitted = LinearRegression().fit(data, data["length"] * 2 + data["width"])
    with mlflow.start_run():
        ledgit.sklearn.log_model(
            fitted, "area", signature=infer_signature(data, fitted.predict(data)), input_example=data.head(1)
        )
    return fitted


@pytest.fixture
def client() -> Iterator[Callable[..., Any]]:
    """``client(uri, **settings)`` asks the application in this process."""
    with contextlib.ExitStack() as stack:

        def ask(uri: str, **settings: Any) -> Any:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the client's own plans for its next version
                from starlette.testclient import TestClient
            app = create_app(ServeSettings(uri, **settings))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield ask


@pytest.fixture
def served(repo: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """``served("area", "--workers", "2")`` runs the command on a free port and returns its process and port."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-m", "ledgit", "models", "serve", *words, "--port", "0"]
        process = subprocess.Popen(
            command, cwd=repo, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
        running.append(process)
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"at http://127\.0\.0\.1:(\d+)", line):
                return process, int(found[1])
        raise AssertionError("".join(said))

    yield start
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        assert process.stderr is not None
        process.stderr.close()
