"""Two people, one remote: what push and pull say of the registry's tags."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun


@pytest.fixture
def two(repo: Path, tmp_path: Path, git: GitFunction) -> tuple[Path, Path]:
    """Two clones of one bare repository; the first is where the test works."""
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(tmp_path / "host.git"))
    git(repo, "remote", "add", "origin", str(tmp_path / "host.git"))
    git(repo, "fetch", "-q", "origin")
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(tmp_path / "host.git"), str(other))
    for clone in (repo, other):
        git(clone, "config", "ledgit.publish", "all")
    git(other, "config", "user.name", "Bob")
    return repo, other


def test_tags_travel_with_their_runs(two: tuple[Path, Path], make_run: MakeRun, cli: Cli) -> None:
    """And both sides say which."""
    _, other = two
    run = make_run()
    cli("registry", "register", run, "churn")
    cli("registry", "promote", "churn@1", "prod", "-m", "passed the trial")

    planned = cli("push", "--dry-run")
    pushed = cli("push")
    again = cli("push", "--json").json
    os.chdir(other)
    pulled = cli("pull")
    nothing = cli("pull", "--tags", "--json").json

    assert "would push 2 registry tags: churn@v0.0.1, churn#prod#1" in planned.out
    assert "pushed 2 registry tags: churn@v0.0.1, churn#prod#1" in pushed.out
    assert again["tags"] in (None, {"sent": [], "held": {}, "moved": {}, "notes": []})
    assert "pulled 2 registry tags: " in pulled.out
    assert [] == nothing["tags"]
    assert "churn@v0.0.1\n" == cli("registry", "which", "churn", "prod").out
    assert "is what it says" in cli("registry", "verify", "churn#prod").out


def test_a_version_that_somebody_else_took_stays_and_is_moved(
    two: tuple[Path, Path], make_run: MakeRun, cli: Cli
) -> None:
    """The sentence has the command; after it the push goes."""
    first, second = two
    os.chdir(second)
    mine = make_run(weights="bob's")
    cli("registry", "register", mine, "churn", "--version", "v1.0.0")
    os.chdir(first)
    cli("registry", "register", make_run(), "churn", "--version", "v1.0.0")
    cli("push")
    os.chdir(second)

    refused = cli("push")
    command = refused.out.partition("'ledgit registry move ")[2].partition("'")[0].split()
    moved = cli("registry", "move", *command)
    pushed = cli("push")
    cli("pull")
    versions = cli("registry", "ls", "churn", "--json").json

    assert "held back 1 registry tag:" in refused.out
    assert "by somebody else" in refused.out
    assert command[0] == "churn@v1.0.0"
    assert f"churn@{command[1]}\n" == moved.out
    assert f"pushed 1 registry tag: churn@{command[1]}" in pushed.out
    assert {("v1.0.0", 1), (command[1], 2)} == {(one["version"], one["number"]) for one in versions}
