"""Versions of projects in the registry: read by its commands and by GTO, verified, promoted, kept apart from models."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git

import ledgit
from ledgit.cli import main
from ledgit.errors import InvalidName
from ledgit.records.registry import RegistryMessage, decode_message, encode_message
from ledgit.registry import Registry


@pytest.fixture
def project(repo: Path) -> Path:
    """A small project without data in the folder ``wine``, with one version that nobody else has."""
    ledgit.project.create("wine", "wine")
    (repo / "wine" / "fit.py").write_text("print(1)\n")
    ledgit.project.add_files(["wine/fit.py"], project_name="wine")
    ledgit.project.share("wine", bundle=repo.parent / "b")
    return repo


def out(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    ended = main(list(words))
    printed = capsys.readouterr()
    assert code == ended, printed
    return printed.out


def test_the_registrys_commands_read_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """List, show, promote, which, history and verify."""
    (listed,) = json.loads(out(capsys, "registry", "ls", "--json"))
    assert ("wine", "project", "v1.0.0") == (listed["name"], listed["kind"], listed["latest"])
    out(capsys, "registry", "promote", "wine@v1.0.0", "prod", "-m", "tried")
    shown = json.loads(out(capsys, "registry", "show", "wine#prod", "--json"))
    tree = run_git(project, "rev-parse", "HEAD:wine")
    assert ("project", None, "wine", f"tree:{tree}") == tuple(shown[key] for key in ("kind", "run", "path", "digest"))
    assert run_git(project, "rev-parse", "HEAD") == run_git(project, "rev-parse", "wine@v1.0.0^{commit}^")
    assert "wine@v1.0.0\n" == out(capsys, "registry", "which", "wine", "prod")
    assert 2 == len(json.loads(out(capsys, "registry", "history", "wine", "--json")))
    found = json.loads(out(capsys, "registry", "verify", "wine#prod", "--json"))
    steps = (found[0] if isinstance(found, list) else found)["steps"]
    assert {"tag", "registration", "code", "files", "promotion"} <= {step["step"] for step in steps}
    out(capsys, "registry", "check")


def test_gto_reads_it(project: Path) -> None:
    """As any artifact of its own."""
    Registry(ledgit.open()).promote("wine@v1.0.0", "prod")
    gto = Path(sys.executable).parent / "gto"

    shown = subprocess.run([gto, "show", "wine", "--json"], cwd=project, capture_output=True, text=True, check=True)

    (version,) = json.loads(shown.stdout)
    staged = version["stages"]["prod"] if isinstance(version["stages"], dict) else version["stages"]
    assert ("v1.0.0", True) == (version["version"], version["is_active"])
    assert "prod" in json.dumps(staged)


def test_files_that_are_damaged_or_others_are_found_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bit of an object, and a tag that speaks of another folder."""
    registry = Registry(ledgit.open())
    commit = run_git(project, "rev-parse", "HEAD")
    registry.register_project("other", commit, "wine")
    blob = run_git(project, "rev-parse", "HEAD:wine/fit.py")
    path = project / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-3] + b"abc")

    text = out(capsys, "registry", "verify", "wine@v1.0.0", code=6)

    assert "missing or damaged" in text


def test_a_name_is_a_projects_or_a_models(project: Path) -> None:
    """Whoever promotes it must know what it is."""
    with ledgit.start_run() as run:
        ledgit.log_text("weights", "model/weights.txt")
    registry = Registry(ledgit.open())
    registry.register(run.info.run_id, "churn", path="model")
    commit = run_git(project, "rev-parse", "HEAD")

    with pytest.raises(InvalidName, match="'churn' is that of a registered model"):
        registry.register_project("churn", commit)
    with pytest.raises(InvalidName, match="'wine' is that of a registered project"):
        registry.register(run.info.run_id, "wine", path="model")
    with pytest.raises(InvalidName, match="only in case"):
        registry.register_project("Wine", commit)
    assert ["model", "project"] == [model.kind for model in registry.models()]


def test_a_push_leaves_the_version_to_share_and_sends_its_promotions(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A version without its branch and data would be of no use to anybody."""
    run_git(tmp_path, "init", "-q", "--bare", "remote.git")
    run_git(project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    out(capsys, "registry", "promote", "wine@v1.0.0", "prod")

    assert "wine#prod#1 goes after 'ledgit project share wine'" in out(capsys, "push")
    assert "" == run_git(tmp_path / "remote.git", "tag")
    ledgit.project.share("wine")
    out(capsys, "push")

    assert "wine#prod#1\nwine@v1.0.0" == run_git(tmp_path / "remote.git", "tag")
    shutil.rmtree(project.parent / "other", ignore_errors=True)
    run_git(project.parent, "clone", "-q", "--no-tags", str(tmp_path / "remote.git"), "other")
    assert 0 == main(["-C", str(project.parent / "other"), "pull"])
    assert "wine#prod#1\nwine@v1.0.0" == run_git(project.parent / "other", "tag")


def test_the_message_says_what_it_is_and_reads_back() -> None:
    """A model's says nothing of it, as before; an unknown kind is kept."""
    assert b"kind" not in encode_message(RegistryMessage("s", "churn", "v1.0.0", 1))
    message = RegistryMessage("s", "wine", "v1.0.0", 1, path="wine", digest="tree:1", kind="project")

    assert message == decode_message(encode_message(message))
    assert "dataset" == getattr(decode_message(b'ledgit: 1\nkind: "dataset"\n'), "kind", None)
