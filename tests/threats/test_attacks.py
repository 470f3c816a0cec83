"""Attacks tried on the real commands; which attacker each belongs to, and all other tests: docs/design/threats.md."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git

import ledgit
from ledgit.cli import main

ROOT = Path(__file__).parent.parent.parent
Change = tuple[str, str, str]  # mode, path, content or id


def log_run(repo: Path, name: str = "odd") -> tuple[str, str]:
    """Log a small run, and return its ref and commit."""
    with ledgit.start_run(run_name=name) as run:
        ledgit.log_text("fine", "out/a.txt")
    ref = f"refs/ledgit/runs/{run.info.run_id}"
    return ref, run_git(repo, "rev-parse", ref)


def forge(repo: Path, ref: str, commit: str, change: Change) -> None:
    """Put something into a run's tree that no Git command would, and let its ref say so."""
    mode, path, content = change
    oid = content if mode == "160000" else run_git(repo, "hash-object", "-w", "--stdin", stdin=content.encode())
    tree = with_entry(repo, run_git(repo, "rev-parse", f"{commit}^{{tree}}"), path.split("/"), mode, oid)
    raw = re.sub(r"^tree \w+", f"tree {tree}", run_git(repo, "cat-file", "commit", commit)) + "\n"
    forged = run_git(repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())
    run_git(repo, "update-ref", ref, forged)


def with_entry(repo: Path, tree: str | None, path: list[str], mode: str, oid: str) -> str:
    """Return a tree with an entry more, whatever it is called."""
    lines = run_git(repo, "ls-tree", tree).splitlines() if tree else []
    entries = {line.partition("\t")[2]: (line.split()[0].lstrip("0"), line.split()[2]) for line in lines}
    if len(path) > 1:
        below = entries.get(path[0], ("", None))[1]
        mode, oid = "40000", with_entry(repo, below, path[1:], mode, oid)
    entries[path[0]] = (mode, oid)
    ordered = sorted(entries.items(), key=lambda item: item[0] + ("/" if item[1][0] == "40000" else ""))
    raw = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for name, (mode, oid) in ordered)
    return run_git(repo, "hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)


@pytest.mark.parametrize(
    "change",
    [
        ("120000", ".ledgit/run/artifacts/link", "/etc/passwd"),
        ("100644", ".ledgit/run/artifacts/..", "EVIL"),
        ("100644", ".ledgit/run/artifacts/.git/config", "EVIL"),
        ("160000", ".ledgit/run/artifacts/sub", "a" * 40),
        ("100644", ".git/config", "EVIL"),
        ("100644", "../stolen", "EVIL"),
        ("100644", ".ledgit/run/artifacts/big.bin.dvc", "outs:\n- {md5: ../../../etc/passwd, path: ../x, size: 1}\n"),
    ],
    ids=lambda change: str(change[1]),
)
def test_nothing_in_a_runs_tree_is_written_outside_or_into_git(
    repo: Path, change: Change, capfd: pytest.CaptureFixture[str]
) -> None:
    """Links, submodules, ``..`` and ``.git`` in the tree of a stranger's run, by all that write files of it."""
    forge(repo, *log_run(repo), change)
    config, around = (repo / ".git/config").read_bytes(), sorted(os.listdir(repo.parent))

    for words in (["artifacts", "get", "odd"], ["apply", "odd", "--force"], ["export", "odd", "out"], ["show", "odd"]):
        assert main(words) in (0, 1, 3, 4, 6)

    assert "Traceback" not in capfd.readouterr().err
    assert config == (repo / ".git/config").read_bytes()
    assert around == sorted(os.listdir(repo.parent))
    written = [path for path in repo.rglob("*") if ".git" not in path.relative_to(repo).parts[:1]]
    assert not [path for path in written if path.is_symlink()]
    assert not [path for path in written if path.is_file() and b"EVIL" in path.read_bytes()]


def test_no_link_that_a_repository_brought_along_leads_an_artifact_out(repo: Path, tmp_path: Path) -> None:
    """A committed link to the keys of the one who cloned, and a run whose artifact has its name."""
    keys = tmp_path / "ssh"
    keys.mkdir()
    (repo / "out").symlink_to(keys)
    log_run(repo, "keys")

    code = main(["artifacts", "get", "keys", "out/a.txt"]) or main(["artifacts", "get", "keys"])

    assert code in (0, 6)
    assert [] == list(keys.iterdir())


def test_a_repository_that_came_as_an_archive_runs_nothing(repo: Path, tmp_path: Path) -> None:
    """Its hooks, its monitor of files, its pager, diff driver, SSH command: none is started by Ledgit."""
    trap = tmp_path / "trap"
    trap.mkdir()
    log_run(repo, "calm")
    run_git(tmp_path, "init", "-q", "--bare", "remote.git")
    run_git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    run_git(repo, "config", "ledgit.publish", "all")
    for hook in (
        "reference-transaction",
        "post-commit",
        "pre-push",
        "post-checkout",
        "post-index-change",
        "pre-auto-gc",
    ):
        path = repo / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {trap}/{hook}\n")
        path.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "core.editor", "gpg.program"):
        run_git(repo, "config", key, f"touch {trap}/{key}; false")

    (repo / "train.py").write_text("changed\n")
    log_run(repo, "second")
    for words in (["ls"], ["show", "calm"], ["diff", "calm", "second"], ["push"], ["pull"], ["tag", "calm", "a=b"],
                  ["log", "calm"], ["report", "HEAD"], ["doctor"], ["gc", "--auto"]):  # fmt: skip
        assert main(words) in (0, 1), words

    assert [] == sorted(os.listdir(trap))


def test_no_value_reaches_the_shell_as_code(repo: Path, tmp_path: Path) -> None:
    """Parameters in all the quotes there are, undeclared ones, and names of projects and runs."""
    trap = tmp_path / "trap"
    (repo / "MLproject").write_text(
        'name: "$(touch TRAP)"\nentry_points:\n  main:\n    parameters:\n      a: {type: string, default: x}\n'
        '    command: "echo {a} \'{a}\' \\"{a}\\" | tee out.txt >/dev/null; true"\n'.replace("TRAP", str(trap))
    )
    for value in (
        f"$(touch {trap})",
        f"`touch {trap}`",
        f"'; touch {trap}; '",
        f'"; touch {trap}; "',
        f"\ntouch {trap}\n",
    ):
        words = ["run", ".", "--in-place", "--env-manager", "local", "--name", value.strip(), "-P", f"a={value}"]
        assert main([*words, "-P", f"other={value}"]) in (0, 1, 2)
        assert not trap.exists(), value
    assert f"touch {trap}" in (repo / "out.txt").read_text()


def test_odd_names_of_refs_are_no_options(repo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Branches and tags that Git's own commands would not make, but a remote can have."""
    for name in ("-x", "--output=stolen", "--upload-pack=touch%20stolen", "$(touch${IFS}stolen)", "a;b|c"):
        run_git(repo, "update-ref", f"refs/heads/{name}", "HEAD")
        run_git(repo, "update-ref", f"refs/tags/{name}", "HEAD")
    run_git(repo, "symbolic-ref", "HEAD", "refs/heads/--output=stolen")
    log_run(repo, "-r")
    for words in (["ls"], ["ls", "--branch=--output=stolen"], ["show", "--", "-r"], ["check", "--", "--output=stolen"],
                  ["report", "--", "--output=stolen...HEAD"], ["blame", "a", "--", "--output=stolen"], ["doctor"],
                  ["branch", "--", "-r", "--force"], ["push", "--remote=--upload-pack=touch stolen"],
                  ["run", "ext::sh -c touch% stolen"], ["run", "ssh://-oProxyCommand=touch%20stolen/x"]):  # fmt: skip
        main(words)

    assert "Traceback" not in capfd.readouterr().err
    assert not list(tmp_path.rglob("stolen*"))
    assert not list(repo.glob("*stolen*"))


def test_a_bare_repository_within_a_clone_is_refused_where_git_refuses_it(repo: Path, tmp_path: Path) -> None:
    """What looks like a repository's own folder may be a committed one, with a configuration of its author's."""
    inner = repo / "inner"
    run_git(tmp_path, "init", "-q", "--bare", str(inner))
    run_git(repo, "config", "--global", "safe.bareRepository", "explicit")
    done = subprocess.run(
        [sys.executable, "-m", "ledgit", "ls"],
        cwd=inner, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 5 == done.returncode
    assert "safe.bareRepository" in done.stderr
    shutil.rmtree(inner)


def test_where_artifacts_go_is_said_and_is_the_persons_to_decide(
    repo: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A branch's configuration may name another place: a setting of one's own goes before it."""
    run_git(tmp_path, "init", "-q", "--bare", "remote.git")
    run_git(repo, "remote", "add", "origin", str(tmp_path / "remote.git"))
    run_git(repo, "config", "ledgit.publish", "all")
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit/config.yaml").write_text(f"artifacts: {{remote: {tmp_path / 'theirs'}}}\n")
    run_git(repo, "config", "ledgit.artifactRemote", str(tmp_path / "ours"))
    with ledgit.start_run():
        ledgit.log_text("x" * 300_000, "large.txt")

    assert 0 == main(["push"])

    assert f"artifacts to {tmp_path / 'ours'}" in capfd.readouterr().out
    assert not (tmp_path / "theirs").exists()


def test_the_pieces_for_ci_give_a_pull_request_no_rights() -> None:
    """No job of a stranger's code runs with the base's secrets, and none is told to keep a token."""
    pieces = {path: path.read_text() for path in (ROOT / "action.yml", ROOT / "docs/ci/gitlab.yml")}
    pieces[ROOT / "docs/how-to/ci.md"] = "".join(
        re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/how-to/ci.md").read_text(), re.DOTALL)
    )

    for path, text in pieces.items():
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        assert not [line for line in lines if re.search("pull_request_target|write-all", line)], path
