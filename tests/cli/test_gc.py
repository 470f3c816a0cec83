"""``ledgit gc``: what it shows, asks and does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Record = Callable[..., str]
Git = Callable[..., str]


@pytest.fixture
def shared(repo: Path, tmp_path: Path, git: Git) -> Path:
    """The repository has a remote with its branch."""
    host = tmp_path / "host.git"
    git(tmp_path, "init", "-q", "--bare", str(host))
    git(repo, "remote", "add", "origin", str(host))
    git(repo, "push", "-q", "origin", "main")
    return host


def names(cli: Cli) -> set[str]:
    return {run["id"] for run in cli("ls", "--json").json}


def state(repo: Path, git: Git) -> str:
    return git(repo, "for-each-ref") + git(repo, "count-objects", "-v")


def test_without_options_it_shows_what_could_go_and_changes_nothing(
    cli: Cli, repo: Path, record: Record, git: Git
) -> None:
    gone, kept = record("-m", "accuracy=0.1", "--name", "poor-owl"), record("-m", "accuracy=0.9")
    cli("rm", gone)
    git(repo, "branch", "fix", cli("rev", kept).out.strip())
    cli("rm", kept)
    before = state(repo, git)

    shown = cli("gc").out
    data = cli("gc", "--json").json

    assert before == state(repo, git)
    assert "2 runs deleted" in shown
    assert f"poor-owl ({gone[:8]})" in shown
    assert f"({kept[:8]}) is kept alive by branch fix" in shown
    assert "ledgit gc --purge --deleted" in shown
    assert [gone] == [item["id"] for item in data["deleted"]["going"]]
    assert [{"kind": "branch", "name": "fix"}] == data["deleted"]["held"][0]["held_by"]


def test_a_leaked_secret_goes_in_one_command(cli: Cli, repo: Path, shared: Path, record: Record, git: Git) -> None:
    """The remote's ledger, this clone's, the index, and after git gc the disk; the run's id stays taken."""
    leaked, kept = record("-p", "token=sesame-1234"), record("-p", "lr=0.1")
    cli("export", leaked, str(repo.parent / "copy"))
    cli("push", "--all")
    commit = cli("rev", leaked).out.strip()

    said = cli("gc", "--purge", leaked, "--yes").out

    assert "these runs go for good, here and on origin" in said
    assert "purged 1 run here" in said
    assert "1 run purged on origin" in said
    assert "must be revoked" in said
    assert {kept} == names(cli)
    for path in (repo, shared):
        git(path, "gc", "-q", "--prune=now")
        assert "missing" in git(path, "cat-file", "--batch-check", stdin=f"{commit}\n".encode())
    assert "sesame" not in "".join(
        path.read_bytes().decode("latin-1") for path in (repo / ".git" / "ledgit").rglob("*") if path.is_file()
    )
    assert "purged" in cli("import", str(repo.parent / "copy"), code=4).err
    assert "purged already" in cli("gc", "--purge", leaked[:8], code=4).err
    assert "no purge is owed" in cli("gc", "--purge").out


def test_nobody_is_there_to_be_asked(cli: Cli, repo: Path, record: Record, git: Git) -> None:
    run_id = record("-m", "accuracy=0.1")
    before = state(repo, git)

    assert "--yes" in cli("gc", "--purge", run_id, code=2).err
    assert "--yes" in cli("gc", "--delete", run_id, code=2).err
    assert "1 run would go" in cli("gc", "--purge", "--dry-run", run_id).out
    assert "needs a choice" in cli("gc", "--delete", code=2).err
    assert before == state(repo, git)


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 0), ("n", 4, 1), ("", 4, 1)])
def test_on_a_terminal_it_asks(cli: Cli, repo: Path, record: Record, answer: str, code: int, left: int) -> None:
    run_id = record("-m", "accuracy=0.1")
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "ledgit", "gc", "--purge", run_id]
    with subprocess.Popen(command, cwd=repo, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        os.write(leader, f"{answer}\n".encode())
        said = b""
        try:
            while chunk := os.read(leader, 4096):
                said += chunk
        except OSError:
            pass  # the other end was closed
    os.close(leader)

    assert code == process.returncode, said
    assert b"Purge 1 run? [y/N]" in said
    assert left == len(names(cli))


def test_a_run_that_is_held_is_refused_with_the_list(cli: Cli, repo: Path, record: Record, git: Git) -> None:
    run_id = record("-m", "accuracy=0.1")
    git(repo, "branch", "fix", cli("rev", run_id).out.strip())
    before = state(repo, git)

    refused = cli("gc", "--purge", run_id, "--yes", code=4).err
    alive = cli("gc", run_id).out

    assert "branch fix" in refused
    assert "branch fix" in alive
    assert before == state(repo, git)


def test_a_remote_that_is_away_is_completed_later(cli: Cli, repo: Path, shared: Path, record: Record, git: Git) -> None:
    run_id = record("-p", "token=sesame-1234")
    cli("push", "--all")
    shared.rename(shared.with_name("away.git"))

    first = cli("gc", "--purge", run_id, "--yes", code=9)
    owed = cli("gc").out
    shared.with_name("away.git").rename(shared)
    second = cli("gc", "--purge").out

    assert "purged 1 run here" in first.out
    assert "not on origin yet" in first.err
    assert "1 run purged, but still in the history of origin" in owed
    assert "1 run purged on origin" in second
    assert "still in the history" not in cli("gc").out


def test_rules_choose_what_is_deleted(cli: Cli, record: Record) -> None:
    runs = [record("-m", f"accuracy=0.{n}") for n in range(1, 4)]

    done = cli("gc", "--delete", "--keep", "best 1 by metrics.accuracy", "--yes", "--json").json
    again = cli("gc", "--delete", "--keep", "best 1 by metrics.accuracy", "--yes").out

    assert set(runs[:2]) == set(done["deleted"])
    assert {runs[2]} == names(cli)
    assert "no run was left to delete" in again


def test_caches_are_made_again(cli: Cli, repo: Path, record: Record) -> None:
    run_id = record("-m", "accuracy=0.1")
    cli("ls")

    cli("gc", "--caches", "--dry-run")
    there = (repo / ".git" / "ledgit" / "index.sqlite3").exists()
    said = cli("gc", "--caches").out

    assert there
    assert "removed index" in said
    assert not (repo / ".git" / "ledgit" / "index.sqlite3").exists()
    assert {run_id} == names(cli)


def test_auto_compacts_when_it_is_time(cli: Cli, repo: Path, record: Record, git: Git, monkeypatch: Any) -> None:
    from ledgit.store.ledger import due
    from ledgit.store.settle import settle_all

    monkeypatch.setattr(due, "DUE", 2)
    runs = {record("-m", "accuracy=0.1") for _ in range(2)}
    settle_all()
    monkeypatch.delenv("LEDGIT_AUTO_COMPACT")

    cli("gc", "--auto")

    assert "" == git(repo, "for-each-ref", "refs/ledgit/runs")
    assert runs == names(cli)
