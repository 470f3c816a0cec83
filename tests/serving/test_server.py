"""The command as it is run: signals, several workers, a stage that moves while it serves."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import NAMES, frame

import ledgit as mlflow

Served = Callable[..., tuple[subprocess.Popen[str], int]]
BODY = json.dumps({"dataframe_split": {"columns": NAMES, "data": [[1.5, 0.25]]}})
HEADERS = {"Content-Type": "application/json"}


def ask(port: int, method: str = "POST", path: str = "/invocations", body: str = BODY) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body if method == "POST" else None, HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_request_in_progress_is_answered_before_the_server_goes(repo: Path, served: Served) -> None:
    """SIGTERM: no new connections, what was begun is finished, exit code 0."""
    import ledgit.pyfunc
    from ledgit.models import infer_signature

    started, go = repo / "started", repo / "go"

    def waits(model_input: Any, params: Any = None) -> Any:
        import os
        import time

        open(model_input["started"].iloc[0], "w").close()
        while not os.path.exists(model_input["go"].iloc[0]):
            time.sleep(0.02)
        return [1]

    import pandas as pd

    data = pd.DataFrame([[str(started), str(go)]], columns=["started", "go"])
    with mlflow.start_run():
        ledgit.pyfunc.log_model(name="waits", python_model=waits, signature=infer_signature(data))
    process, port = served("waits")
    body = json.dumps({"dataframe_split": {"columns": ["started", "go"], "data": data.to_numpy().tolist()}})
    found: list[tuple[int, bytes]] = []
    asking = threading.Thread(target=lambda: found.append(ask(port, body=body)))

    asking.start()
    until(started.exists)
    process.send_signal(signal.SIGTERM)
    until(lambda: not _listens(port))
    go.touch()
    asking.join(120)

    assert [(200, b'{"predictions":[1]}')] == found
    assert process.wait(120) in {0, -signal.SIGTERM}


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def test_workers_share_the_port_and_their_counts(model: Any, served: Served) -> None:
    """One's ``/metrics`` tells what all of them did."""
    _, port = served("area", "--workers", "2")
    until(lambda: _answers(port))

    for _ in range(30):
        assert 200 == ask(port)[0]

    counted = ask(port, "GET", "/metrics")[1].decode()
    found = re.search(r'ledgit_requests_total\{status="200"\} (\d+)', counted)
    assert found
    assert 30 <= int(found[1])


def _answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/ping")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_a_stage_that_moves_brings_the_other_model(repo: Path, served: Served) -> None:
    """Without a restart and without a failed request; a version that can't be loaded changes nothing."""
    import ledgit.pyfunc
    from ledgit.models import infer_signature

    def one(model_input: Any) -> Any:
        return [1] * len(model_input)

    def two(model_input: Any) -> Any:
        return [2] * len(model_input)

    for function in (one, two):
        with mlflow.start_run():
            ledgit.pyfunc.log_model(
                name="m", python_model=function, signature=infer_signature(frame(), 1), registered_model_name="m"
            )
    promote = [sys.executable, "-m", "ledgit", "registry", "promote"]
    subprocess.run([*promote, "m@v1", "prod"], cwd=repo, check=False, capture_output=True)
    versions = subprocess.run(["git", "tag", "-l", "m@*"], cwd=repo, capture_output=True, text=True, check=True)
    first, second = versions.stdout.split()
    subprocess.run([*promote, first, "prod"], cwd=repo, check=True, capture_output=True)
    _, port = served("models:/m@prod", "--watch", "0.2")
    assert b'{"predictions":[1]}' == ask(port)[1]

    subprocess.run([*promote, second, "prod"], cwd=repo, check=True, capture_output=True)
    answers = []

    def moved() -> bool:
        status, said = ask(port)
        answers.append(status)
        return said == b'{"predictions":[2]}'

    until(moved)
    assert {200} == set(answers)
    assert b"ledgit_model_reloads 1.0" in ask(port, "GET", "/metrics")[1]


def test_a_port_that_is_taken(model: Any, repo: Path) -> None:
    """Said in one sentence, before anything is served."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "ledgit", "models", "serve", "area", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [["nothing-of-this-name"], ["area", "--workers", "0"], ["area", "--watch", "-1"], ["area", "--pull"]],
)
def test_what_can_not_be_served_is_said_at_once(model: Any, repo: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "ledgit", "models", "serve", *words, "--port", "0"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=False, timeout=120)

    assert done.returncode in {2, 3}
    assert "Traceback" not in done.stderr


def test_mlflow_serves_what_we_serve(model: Any, repo: Path, served: Served, tmp_path: Path) -> None:
    """The same model behind the same requests: MLflow's own server gives the same answers."""
    from ledgit.models.loading import open_model

    folder = tmp_path / "area"
    with open_model("area") as opened:
        import shutil

        shutil.copytree(opened.folder, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        theirs = free.getsockname()[1]
    script = (
        "import sys, uvicorn, mlflow.pyfunc.scoring_server as server, mlflow.pyfunc as pyfunc\n"
        "uvicorn.run(server.init(pyfunc.load_model(sys.argv[1])), port=int(sys.argv[2]), log_level='error')\n"
    )
    import os

    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": f"file://{tmp_path}/mlruns"}
    command = [sys.executable, "-W", "ignore", "-c", script, str(folder), str(theirs)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _, ours = served("area")
            until(lambda: _answers(theirs))
            rows = [[1.5, 0.25], [2.0, 1.0]]
            for body in (
                {"dataframe_split": {"columns": NAMES, "data": rows}},
                {"dataframe_records": [dict(zip(NAMES, row, strict=True)) for row in rows]},
                {"inputs": {"length": [1.5, 2.0], "width": [0.25, 1.0]}},
                {"instances": [dict(zip(NAMES, row, strict=True)) for row in rows]},
            ):
                text = json.dumps(body)
                one, other = ask(ours, body=text), ask(theirs, body=text)
                assert one[0] == other[0] == 200, (one, other)
                assert json.loads(one[1])["predictions"] == pytest.approx(json.loads(other[1])["predictions"])
            for text in ("{", '{"rows": []}', '{"dataframe_split": {"columns": ["length"], "data": [[1]]}}'):
                assert ask(ours, body=text)[0] == ask(theirs, body=text)[0] == 400
        finally:
            process.kill()
