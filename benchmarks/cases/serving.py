"""A model behind HTTP: one row a request, over a connection that stays."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.measure import Timing, middle, run_process

REQUESTS = 2_000
COLUMNS = ["length", "width", "height", "weight"]
BODY = json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [[5.1, 3.5, 1.4, 0.2]]}})
SAVE = f"""
import numpy, pandas, ledgit.sklearn
from ledgit.models import infer_signature
from sklearn.linear_model import LogisticRegression
random = numpy.random.default_rng(0)
data = pandas.DataFrame(random.normal(size=(200, 4)), columns={COLUMNS})
model = LogisticRegression().fit(data, (data.sum(axis=1) > 0).astype(int))
ledgit.sklearn.save_model(model, "model", signature=infer_signature(data, model.predict(data)))
"""
BARE = """
import sys, pandas, uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
import ledgit.sklearn
model = ledgit.sklearn.load_model(sys.argv[1], trust=True)
app = FastAPI()
class Split(BaseModel):
    columns: list[str]
    data: list[list[float]]
class Body(BaseModel):
    dataframe_split: Split
@app.post("/invocations")
async def invocations(body: Body):
    rows = pandas.DataFrame(body.dataframe_split.data, columns=body.dataframe_split.columns)
    return {"predictions": model.predict(rows).tolist()}
@app.get("/ping")
async def ping():
    return None
uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def prepare(folder: Path, python: str) -> None:
    """Train a small model and save it."""
    run_process([python, "-c", SAVE], folder, dict(os.environ))


def _asked(command: Sequence[str], port: int) -> dict[str, Timing]:
    """Start a server, ask it, stop it; the median of a request, with the server's own CPU time."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")  # MLflow starts uvicorn by name
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        try:
            connection = _connected(server, port)
            for _ in range(200):
                _request(connection)
            timings = []
            for _ in range(REQUESTS):
                begun = time.perf_counter()
                _request(connection)
                timings.append(Timing(time.perf_counter() - begun))
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
    return {"one row": middle(timings)}


def _connected(server: subprocess.Popen[bytes], port: int) -> http.client.HTTPConnection:
    deadline = time.monotonic() + 120
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/ping")
            connection.getresponse().read()
            return connection
        except OSError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)


def _request(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/invocations", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    assert answer.status == 200, said


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ledgit(folder: Path) -> dict[str, Timing]:
    """``ledgit models serve``: the input checked against the signature, everything counted."""
    port = _port()
    words = ["models", "serve", str(folder / "model"), "--port", str(port), "--trust"]
    return _asked([sys.executable, "-m", "ledgit", *words], port)


def bare(folder: Path) -> dict[str, Timing]:
    """FastAPI's own way to an endpoint that calls the same model."""
    port = _port()
    return _asked([sys.executable, "-c", BARE, str(folder / "model"), str(port)], port)


def mlflow(folder: Path) -> dict[str, Timing]:
    """``mlflow models serve`` with the same files and the same versions of everything else."""
    port = _port()
    words = ["models", "serve", "-m", str(folder / "model"), "-p", str(port), "--env-manager", "local"]
    return _asked([sys.executable, "-m", "mlflow", *words], port)


CASE = Case(
    title="Serving a model",
    note="Logistic regression on four columns; a row a request, one connection, one worker; as the client sees it.",
    rounds=3,
    prepare=prepare,
    shared=True,
    subjects=[
        Subject("ledgit models serve", ledgit, "ledgit"),
        Subject("bare FastAPI", bare, "ledgit"),
        Subject("mlflow models serve", mlflow, "ledgit"),
    ],
    targets=[
        Target(
            "requests a second ≥ 0.9 times those of a bare FastAPI endpoint",
            "one row",
            "ledgit models serve",
            1 / 0.9,
            "bare FastAPI",
            rate=True,
        ),
        Target(
            "requests a second ≥ twice those of mlflow models serve",
            "one row",
            "ledgit models serve",
            0.5,
            "mlflow models serve",
            rate=True,
        ),
    ],
)
