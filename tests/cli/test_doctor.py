"""``ledgit init`` and ``ledgit doctor``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgit.store.settle import settle_all

Cli = Callable[..., Any]
Record = Callable[..., str]
Git = Callable[..., str]


def found(cli: Cli, code: int = 0) -> list[tuple[str, str]]:
    return [(item["level"], item["mend"]) for item in cli("doctor", "--json", code=code).json["findings"]]


def killed_run(repo: Path) -> str:
    """Start a run in another process and kill that; return the run's id."""
    code = "import ledgit\nrun = ledgit.start_run(run_name='killed')\nprint(run.info.run_id, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as training:
        assert training.stdout is not None
        run_id = training.stdout.readline().strip()
        training.kill()
        training.wait(timeout=30)
    return run_id


def test_init_says_what_it_did_once(cli: Cli, repo: Path, git: Git) -> None:
    first = cli("init").out
    attributes = (repo / ".git" / "info" / "attributes").read_text()

    assert len(first.splitlines()) == 2
    assert cli("init").out == "everything is prepared already\n"
    assert ".ledgit/run/history/** -diff -delta\n.ledgit/run/artifacts/** -text -filter\n" in attributes
    assert git(repo, "config", "--get-all", "log.excludeDecoration") == "refs/ledgit/*"
    assert git(repo, "status", "--porcelain") == ""


def test_init_makes_fetching_skip_runs_where_there_are_very_many(
    cli: Cli, record: Record, repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain fetch would tell the remote of runs before it tells of code; what somebody chose stays.

    And what runs leave over becomes files, as many as start the next gc, where Git doesn't pack it of itself.
    """
    from ledgit.git import git_version
    from ledgit.store import setup

    record()
    cli("init")
    monkeypatch.setattr(setup, "MANY_RUNS", 1)
    assert found(cli) == [("hint", "ledgit init")]

    cruft = "gc.cruftPacks: true, so that 'git gc' does not write what many runs left over as files"
    assert cli("init", "--json").json["done"] == [
        "fetch.negotiationAlgorithm: skipping, so that a fetch of code does not tell of runs",
        *([cruft] if (2, 38) <= tuple(git_version()[:2]) < (2, 41) else []),
    ]
    assert found(cli) == []
    for key, value in (("fetch.negotiationAlgorithm", "consecutive"), ("gc.cruftPacks", "false")):
        git(repo, "config", key, value)
        assert cli("init", "--json").json == {"done": [], "recovered": [], "artifact_remote": None}
        assert git(repo, "config", key) == value


def test_init_keeps_what_is_there(cli: Cli, repo: Path, git: Git) -> None:
    path = repo / ".git" / "info" / "attributes"
    path.parent.mkdir(exist_ok=True)
    path.write_text("*.bin filter=mine")
    git(repo, "config", "log.excludeDecoration", "refs/other/*")
    cli("init")

    assert path.read_text().startswith("*.bin filter=mine\n")
    assert git(repo, "config", "--get-all", "log.excludeDecoration").split() == ["refs/other/*", "refs/ledgit/*"]


def test_init_keeps_runs_out_of_git_logs_decorations(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    record("--name", "owl")
    # Newer Gits leave them out unless told otherwise, older ones and `--decorate-refs` users don't.
    words = ["-c", "log.initialDecorationSet=all", "log", "--decorate=full", "-1", cli("rev", "owl").out.strip()]
    before = git(repo, *words)
    cli("init")
    after = git(repo, *words)

    assert "refs/ledgit/runs" in before
    assert "refs/ledgit" not in after


def test_init_writes_a_configuration_to_edit_on_request(cli: Cli, repo: Path) -> None:
    cli("init", "--config")
    path = repo / ".ledgit" / "config.yaml"
    path.write_text(path.read_text() + "# edited\n")
    cli("init", "--config")

    assert path.read_text().endswith("# edited\n")


def test_a_prepared_repository_is_well(cli: Cli, record: Record) -> None:
    record()

    assert found(cli) == [("hint", "ledgit init")]
    cli("init")
    assert found(cli) == []
    assert cli("doctor").out == "all is well\n"


def test_a_killed_run_is_found_and_mended(cli: Cli, repo: Path) -> None:
    cli("init")
    run_id = killed_run(repo)

    assert found(cli, code=1) == [("problem", "ledgit doctor --mend")]
    assert f"finalized run {run_id[:8]}" in cli("doctor", "--mend").out
    assert found(cli) == []
    (run,) = cli("ls", "--json").json
    assert (run["id"], run["status"]) == (run_id, "KILLED")


def test_a_command_that_writes_finalizes_killed_runs_and_says_so(cli: Cli, record: Record, repo: Path) -> None:
    other = record("--name", "owl")
    run_id = killed_run(repo)
    shown = cli("ls", "--json").json
    ran = cli("tag", other, "a=b")

    assert {run["name"]: (run["status"], run["commit"] is None) for run in shown} == {
        "killed": ("KILLED", True),
        "owl": ("FINISHED", False),
    }
    assert run_id[:8] in ran.err
    assert all(run["commit"] for run in cli("ls", "--json").json)


def test_run_files_on_a_branch_are_found(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    cli("init")
    record("--name", "owl")
    git(repo, "branch", "by-hand", cli("rev", "owl").out.strip())

    ((level, mend),) = found(cli, code=1)
    assert level == "problem"
    for command in mend.split(" && "):
        git(
            repo,
            *command.removeprefix("git ").split(),
            *(["-m", "remove run files"] if command.endswith("commit") else []),
        )
    assert found(cli) == []


def test_a_broken_index_is_built_again(cli: Cli, record: Record, repo: Path) -> None:
    record("--name", "owl")
    cli("init")
    for path in (repo / ".git" / "ledgit").glob("index.sqlite3*"):
        path.write_bytes(b"this is no database, it is a disk that failed" * 100)

    assert [run["name"] for run in cli("ls", "--json").json] == ["owl"]
    assert found(cli) == []


def test_a_missing_user_is_a_hint(cli: Cli, repo: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("init")
    git(repo, "config", "--global", "--unset", "user.name")

    ((level, mend),) = found(cli)
    assert level == "hint"
    assert "git config --global user.name" in mend


def test_a_leftover_without_a_start_is_shown(cli: Cli, repo: Path) -> None:
    cli("init")
    (repo / ".git" / "ledgit" / "active" / ("ab" * 16)).mkdir(parents=True)

    ((level, mend),) = found(cli, code=1)
    assert level == "problem"
    assert "rm -r" in mend


@pytest.mark.parametrize("kind", ["sha256", "reftable", "extension"])
def test_a_format_that_cannot_be_used_is_told_in_one_sentence(
    cli: Cli, process: Cli, repo: Path, git: Git, kind: str
) -> None:
    """Not in a traceback; what Git calls it is in the sentence."""
    if kind == "sha256":
        git(repo, "init", "-q", "--object-format=sha256", "other")
    else:
        git(repo, "init", "-q", "other")
        name = "refStorage" if kind == "reftable" else "unheardOf"
        git(repo / "other", "config", f"extensions.{name}", kind)
        git(repo / "other", "config", "core.repositoryFormatVersion", "1")

    for command in ("doctor", "init", "ls"):
        ran = process(command, code=5, cwd=repo / "other")
        assert 1 == len(ran.err.strip().splitlines()), ran.err
        assert {"sha256": "SHA-1", "reftable": "reftable", "extension": "unheardof"}[kind] in ran.err
        assert "Traceback" not in ran.err


def test_problems_come_first_and_groups_together(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    run_id = record("--name", "owl")
    settle_all()
    git(repo, "remote", "add", "origin", "https://example.org/runs.git")
    git(repo, "config", "remote.origin.mirror", "true")
    git(repo, "config", "ledgit.publish", "never")
    git(repo, "update-ref", f"refs/ledgit/active/{run_id}", "HEAD")

    out = cli("doctor", code=1).out
    found = cli("doctor", "--json", code=1).json["findings"]

    headings = [line for line in out.splitlines() if line.startswith(("problem", "hint"))]
    assert ["problem: settings", "hint: git", "hint: runs"] == headings
    assert [("problem", "settings"), ("problem", "settings"), ("hint", "git"), ("hint", "runs")] == [
        (item["level"], item["group"]) for item in found
    ]
    assert all(set(item) == {"level", "group", "key", "what", "mend"} for item in found)


def test_hints_alone_are_no_failure(cli: Cli, record: Record) -> None:
    record()

    assert "hint: git" in cli("doctor").out


def test_the_remote_is_asked_on_request(cli: Cli, repo: Path, git: Git, tmp_path: Path) -> None:
    cli("init")
    assert "no remote" in cli("doctor", "--remote", code=9).err
    git(tmp_path, "init", "-q", "--bare", "there.git")
    git(repo, "remote", "add", "there", str(tmp_path / "there.git"))

    assert "all is well\n" == cli("doctor", "--remote").out
    assert "all is well\n" == cli("doctor", "--remote", "there").out
    git(repo, "remote", "set-url", "there", str(tmp_path / "nowhere.git"))
    assert [("problem", "ledgit doctor --remote, when it can be reached")] == [
        (item["level"], item["mend"]) for item in cli("doctor", "--remote", "--json", code=1).json["findings"]
    ]
    assert "all is well\n" == cli("doctor").out


def test_runs_follow_a_rewrite_on_request(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    record("--name", "owl")
    cli("init")
    assert "filter-repo" in cli("doctor", "--rewritten", code=2).err
    old = git(repo, "rev-parse", "HEAD")
    git(repo, "commit", "-q", "--amend", "-m", "other words")
    (repo / "map").write_text(f"{old} {git(repo, 'rev-parse', 'HEAD')}\n")

    assert "runs that point to the new commits now: 1" in cli("doctor", "--rewritten", "map").out
    (run,) = cli("ls", "--json").json
    assert run["code"]["commit"] == git(repo, "rev-parse", "HEAD")
    assert "no run points to a commit that was rewritten" in cli("doctor", "--rewritten", "map").out
