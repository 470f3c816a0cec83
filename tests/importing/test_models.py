"""MLflow's registry and logged models brought along, and the count that proves that nothing was dropped."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.importing.test_mlflow import repository, store, stores  # noqa: F401 - fixtures

from ledgit.cli import main
from ledgit.errors import AccessDenied, RemoteError
from ledgit.importing import bring_mlflow
from ledgit.importing.making import Making
from ledgit.importing.mlflow_sql import SqlSource
from ledgit.repository import Repository, open_repository

RECORDED = Path(__file__).parent / "data" / "mlflow-server.json"


def test_the_registry_comes_along_once(repository: Repository, store: tuple[Path, Any]) -> None:  # noqa: F811
    """Numbers, files, aliases, stages, tags and descriptions; a deleted version's number stays taken."""
    done = bring_mlflow(repository, str(store[0]))

    assert (done.failed, done.missing) == ({}, [])
    assert done.models == ["churn", "empty one"]
    model = repository.registered().models["churn"]
    assert (model.values["description"], model.tags) == ("who leaves", {"team": "crm"})
    assert {one.number: one.version for one in model.versions.values()} == {1: "v1.0.0", 2: "v2.0.0", 4: "v4.0.0"}
    assert {name: one.number for name, one in model.stages.items()} == {"Production": 1, "champion": 2}
    assert model.values["version.v4.0.0.stage"] == "Archived"
    second = model.versions["v2.0.0"]
    assert (second.description, second.tags, second.path) == ("the second", {"k": "v"}, "sub")
    run = repository.run(str(model.versions["v1.0.0"].run))
    assert run.read_artifact("net/a.txt") == b"hello"
    (about,) = (json.loads(run.read_artifact(one.path)) for one in run.artifacts() if "logged_models/" in one.path)
    assert (about["name"], about["params"], about["tags"]["team"]) == ("net", {"p": "1"}, "a")
    elsewhere = repository.run(str(model.versions["v4.0.0"].run))
    assert elsewhere.tags["ledgit.import.artifacts"] == "s3://bucket/x"
    assert "secret" not in str(elsewhere.read_artifact("registered/source.json"))

    again = bring_mlflow(repository, str(store[0]))

    assert (again.versions, len(again.versions_known)) == ([], 3)
    assert len(repository.registered().models["churn"].versions) == 3
    assert repository.register(run, "churn", "net", bump="major").number == 6


def test_sqlalchemy_reads_the_same(stores: dict[str, tuple[Path, Any]]) -> None:  # noqa: F811
    """Any database that it opens has what the SQLite file by itself has."""
    path = stores["sqlite"][0]
    plain, other = SqlSource(str(path)), SqlSource(f"sqlite+pysqlite:///{path}")

    for ask in ("experiments", "runs", "logged", "models", "count", "totals"):
        mine, theirs = getattr(plain, ask)(), getattr(other, ask)()
        if ask == "runs":
            mine, theirs = list(mine), list(theirs)
            for run in theirs:
                run.artifacts = ""
            for run in mine:
                run.artifacts = ""
        assert repr(mine) == repr(theirs), ask
    plain.close()
    other.close()


def test_what_is_missing_afterwards_is_said(
    repository: Repository,  # noqa: F811
    stores: dict[str, tuple[Path, Any]],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second count is of what is in the ledger: a value lost on the way is named, and the exit code is 1."""
    whole = Making.record

    def careless(self: Making, run: Any) -> Any:
        record, contents = whole(self, run)
        record.params.pop("lr", None)
        return record, contents

    monkeypatch.setattr(Making, "record", careless)
    monkeypatch.chdir(repository.path)

    assert main(["import", "mlflow", str(stores["sqlite"][0])]) == 1
    said = capsys.readouterr()
    assert "5 params" in said.out
    assert "4 of 5 params" in said.err


def test_an_import_that_was_killed_goes_on(repo: Path, stores: dict[str, tuple[Path, Any]]) -> None:  # noqa: F811
    """SIGKILL between packs: the next call brings the rest, versions too, and counts all of it."""
    script = (
        "import os, signal, sys\n"
        "from ledgit.importing import bring_mlflow\n"
        "from ledgit.repository import open_repository\n"
        "from ledgit.store import bulk\n"
        "bulk.Bulk.__init__.__defaults__ = (2,)\n"
        "def stop(what, done, total):\n"
        "    if what == sys.argv[2] and done == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "bring_mlflow(open_repository('.'), sys.argv[1], stop)\n"
    )
    path = str(stores["files"][0])
    for place in (("importing", "4"), ("registering", "2")):
        done = subprocess.run([sys.executable, "-c", script, path, *place], cwd=repo, check=False, env=os.environ)
        assert done.returncode == -signal.SIGKILL

    last = bring_mlflow(open_repository(str(repo)), path)

    assert (last.failed, last.missing) == ({}, [])
    assert all(there == here for there, here in last.counts.values())
    assert len(last.versions) + len(last.versions_known) == 3


class _Recorded(BaseHTTPRequestHandler):
    """Answers as a server of MLflow's did."""

    protocol_version = "HTTP/1.0"
    answers: dict[tuple[str, str], list[Any]] = {}
    refuse = False

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.refuse or self.headers.get("Authorization") != "Basic YW5uOnB3":
            self.send_response(401)
            self.end_headers()
            return
        found = self.answers.get((self.command, self.path))
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            content = found[0] if len(found) == 1 else found.pop(0)
            self.wfile.write(base64.b64decode(content) if isinstance(content, str) else json.dumps(content).encode())

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Recorded]]]:
    """A server with recorded answers, and its handler."""

    class Handler(_Recorded):
        answers: dict[tuple[str, str], list[Any]] = {}

    for method, path, _, answer in json.loads(RECORDED.read_text()):
        Handler.answers.setdefault((method, path), []).append(answer)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", Handler
        running.shutdown()


def test_a_server_is_read(repository: Repository, server: tuple[str, type[_Recorded]]) -> None:  # noqa: F811
    """Runs with points and files, the registry, logged models; who may not is told so."""
    with pytest.raises(AccessDenied):
        bring_mlflow(repository, server[0])

    done = bring_mlflow(repository, server[0].replace("http://", "http://ann:pw@"))

    assert (done.failed, done.missing, len(done.imported), len(done.versions)) == ({}, [], 1, 3)
    run = repository.run(done.imported[0])
    assert (run.params, run.metrics) == ({"a": 1}, {"m": 0.5})
    assert {one.path for one in run.artifacts()} >= {"net/MLmodel", "old/MLmodel"}
    assert repository.registered().models["churn"].stages["champion"].number == 2


def test_a_server_leads_nowhere_else(
    repository: Repository,  # noqa: F811
    server: tuple[str, type[_Recorded]],
    tmp_path: Path,
) -> None:
    """A file's name that leaves its folder is refused with its run; what is no JSON is one sentence."""
    address, handler = server
    for (_, path), answers in handler.answers.items():
        if "artifacts/list" in path and "path=" not in path:
            answers[0] = {"files": [{"path": "../../../../escaped", "is_dir": False, "file_size": 1}]}

    done = bring_mlflow(repository, address, login=("ann", "pw"))

    assert "escaped" in next(iter(done.failed.values()))
    assert not list(tmp_path.parent.rglob("escaped"))
    handler.answers = {key: ["bm90IGpzb24="] for key in handler.answers}
    with pytest.raises(RemoteError):
        bring_mlflow(repository, address, login=("ann", "pw"))
