"""``ledgit ui --mlflow``: MLflow's own server on the repository, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import ledgit
from ledgit.cli import main
from ledgit.errors import UsageError
from ledgit.mlflow.webui import serve_mlflow

# The part of the command below its look for the UI's files: mlflow-skinny has the server without them.
PROGRAM = """
import os, sys
from ledgit.mlflow.webui import serve_mlflow
say = lambda line: print(line, flush=True)
sys.exit(serve_mlflow(sys.argv[1], say, environment=dict(os.environ), port=0))
"""


def ask(address: str, path: str, **words: object) -> dict[str, object]:
    body = json.dumps(words).encode()
    request = urllib.request.Request(address + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def refuses(address: str) -> bool:
    """Whether nobody listens there any more, within some seconds."""
    for _ in range(100):
        try:
            urllib.request.urlopen(address + "health", timeout=5).close()
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_mlflows_server_shows_the_repository_and_ends_with_us(repo: Path, number: signal.Signals) -> None:
    """Runs of the repository are what MLflow's UI asks for; not even SIGKILL leaves a worker behind."""
    with ledgit.start_run(run_name="shown") as run:
        ledgit.log_metric("loss", 0.25)
    # What stands where the user stands is none of the server's.
    (repo / "mlflow.py").write_text("raise SystemExit('the wrong one')\n")
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, str(repo)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        address = ""
        for line in process.stdout:
            if found := re.match(r"Open (http://127\.0\.0\.1:\d+/)$", line):
                address = found[1]
                break
        try:
            found = ask(address, "ajax-api/2.0/mlflow/runs/search", experiment_ids=["0"])
            process.send_signal(number)
            printed = process.stdout.read()  # ends when the last process that could print has ended
        finally:
            process.kill()

    (shown,) = found["runs"]
    assert (shown["info"]["run_id"], shown["data"]["metrics"][0]["value"]) == (run.info.run_id, 0.25)
    assert process.wait() == (0 if number == signal.SIGINT else -number)
    assert "Traceback" not in printed
    assert refuses(address)


def test_a_server_that_cannot_start_is_a_failure(
    repo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MLflow says is followed by a sentence that says who ended."""
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").write_text("")
    (tmp_path / "mlflow" / "__main__.py").write_text("raise SystemExit('no such store')\n")
    said: list[str] = []
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    environment = dict(os.environ) | {"PYTHONPATH": path}

    code = serve_mlflow(str(repo), said.append, environment=environment, port=0)

    assert code == 1
    assert said == ["MLflow's server ended by itself, with the exit code 1; it says why above"]
    assert "no such store" in capfd.readouterr().err


def test_without_mlflow_it_says_what_to_install(
    repo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither without MLflow nor with mlflow-skinny is there a UI; the exit code is that of a missing library."""
    monkeypatch.setitem(sys.modules, "mlflow", None)

    assert main(["ui", "--mlflow"]) == 8
    assert "pip install 'ledgit[mlflow]' mlflow" in capsys.readouterr().err


def test_with_mlflow_skinny_it_says_that_it_has_no_ui(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package without the UI's files is the small one."""
    (tmp_path / "mlflow" / "server").mkdir(parents=True)
    (tmp_path / "mlflow" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)

    assert main(["ui", "--mlflow"]) == 8
    error = capsys.readouterr().err
    assert "mlflow-skinny" in error
    assert "'pip install mlflow'" in error


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--serve"], "--serve"),
        (["--read-only"], "--read-only"),
        (["--run", "calm-owl-417", "--idle", "2h"], "--run, --idle"),
        (["metrics.loss < 1"], "FILTER"),
    ],
)
def test_what_only_our_own_ui_knows_is_refused(
    repo: Path, words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that would do nothing is not taken silently."""
    assert main(["ui", "--mlflow", *words]) == 2
    assert f"knows no {named};" in capsys.readouterr().err


def test_it_listens_where_nobody_else_does_and_others_only_when_asked_for(repo: Path) -> None:
    """A taken port, and an address that others reach, are told before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"can't serve at port {number} of 127.0.0.1: .*take another --port"):
            serve_mlflow(str(repo), print, environment={}, port=number)
    with pytest.raises(UsageError, match="say --insecure"):
        serve_mlflow(str(repo), print, environment={}, host="0.0.0.0")
