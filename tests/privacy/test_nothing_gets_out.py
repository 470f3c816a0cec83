"""One person's day with secrets everywhere: none of them is in anything recorded, rendered or published."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.conftest import run_git

ROOT = Path(__file__).parent.parent.parent

# None of these has the shape of any service's token: nothing but where it stands says that it is a secret.
ANYWHERE = {  # may be in nothing that Ledgit writes, on this machine either
    name: f"canary{name.replace('-', '')}7f3a"
    for name in ("environment", "argument", "option", "address", "stdin", "gitconfig", "header", "remote", "netrc")
}
NOT_OUT = {  # is in this repository already, and may not leave it
    name: f"canary{name.replace('-', '')}9c1e"
    for name in ("ignored", "private-branch", "stash", "unpushed", "exclude", "dvclocal", "reflog")
}

TRAIN = """
import os, sys
import ledgit as mlflow
assert os.environ["MODEL_KEY"]
sys.stdin.read()
with mlflow.start_run():
    mlflow.log_params({"lr": 0.1, "depth": 3})
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_text("fine", "notes/a.txt")
    mlflow.log_text("x" * 300_000, "large.txt")
    mlflow.log_dict({"flavors": {"other": {}}, "model_uuid": "a"}, "model/MLmodel")
"""
TRIAL = "import sys, ledgit\nledgit.log_metric('loss', float(sys.argv[1]))\n"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a shared remote, and canaries wherever people have secrets."""
    home = Path(os.environ["HOME"])
    with (home / ".gitconfig").open("a") as file:
        file.write(f'[credential]\n\thelper = "!echo {ANYWHERE["gitconfig"]}"\n')
        file.write(f'[http "https://example.invalid/"]\n\textraHeader = "Authorization: {ANYWHERE["header"]}"\n')
    (home / ".netrc").write_text(f"machine example.invalid login me password {ANYWHERE['netrc']}\n")
    monkeypatch.setenv("MODEL_KEY", ANYWHERE["environment"])
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    remote, repo = tmp_path / "remote.git", tmp_path / "repo"
    run_git(tmp_path, "init", "-q", "--bare", str(remote))
    run_git(tmp_path, "init", "-q", str(repo))
    (repo / "train.py").write_text(TRAIN)
    (repo / "trial.py").write_text(TRIAL)
    (repo / "MLproject").write_text("name: p\nentry_points:\n  main: {command: 'python trial.py 0.5'}\n")
    (repo / ".gitignore").write_text(".env\n.dvc/config.local\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "first")
    run_git(repo, "remote", "add", "origin", str(remote))
    run_git(repo, "remote", "add", "other", f"https://me:{ANYWHERE['remote']}@example.invalid/x.git")
    run_git(repo, "push", "-q", "origin", "main")
    (repo / ".env").write_text(f"PASSWORD={NOT_OUT['ignored']}\n")
    (repo / "excluded.txt").write_text(NOT_OUT["exclude"])
    (repo / ".git/info/exclude").write_text("excluded.txt\n")
    (repo / ".dvc").mkdir()
    (repo / ".dvc/config.local").write_text(f"['remote \"s\"']\n    password = {NOT_OUT['dvclocal']}\n")
    (repo / "wip.txt").write_text(NOT_OUT["stash"])
    run_git(repo, "stash", "-q", "-u")
    run_git(repo, "switch", "-q", "-c", "private")
    (repo / "plans.txt").write_text(NOT_OUT["private-branch"])
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", f"about {NOT_OUT['private-branch']}")
    run_git(repo, "switch", "-q", "main")
    run_git(repo, "commit", "-q", "--allow-empty", "-m", NOT_OUT["reflog"])
    run_git(repo, "reset", "-q", "--hard", "HEAD~1")
    run_git(repo, "config", "ledgit.artifactRemote", str(tmp_path / "artifacts"))
    run_git(repo, "config", "ledgit.publish", "pushed-code")
    monkeypatch.chdir(repo)
    return repo


@pytest.mark.slow
def test_no_secret_environment_value_or_commit_that_was_kept_back_gets_out(workplace: Path, tmp_path: Path) -> None:
    """Everything is done that records or publishes something; then every object, file and report is searched."""
    said: list[str] = []

    def do(*line: str, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(line, cwd=workplace, input=ANYWHERE["stdin"], capture_output=True, text=True, check=False)
        assert done.returncode in codes, (line, done.stdout, done.stderr)
        said.append(done.stdout + done.stderr)
        return done.stdout

    def ledgit(*words: str, codes: tuple[int, ...] = (0,)) -> str:
        return do(sys.executable, "-m", "ledgit", *words, codes=codes)

    secrets = ["--password", ANYWHERE["argument"], f"--api-key={ANYWHERE['option']}"]
    address = f"--db=postgres://me:{ANYWHERE['address']}@db.invalid/x"
    do(sys.executable, "train.py", *secrets, address)
    ledgit("run", "--name", "tracked", "--", sys.executable, "train.py", *secrets, address)
    ledgit("run", ".", "--env-manager", "local")
    ledgit("sweep", "-P", "n=1,2", "--", sys.executable, "trial.py", "{n}")
    logged = do("git", "for-each-ref", "--format=%(refname:lstrip=3)", "refs/ledgit/runs").split()
    trained = next(run for run in logged if '"large.txt"' in ledgit("show", run, "--json"))
    ledgit("repro", trained, "--env", "local", codes=(0, 1, 2, 4))
    ledgit("registry", "register", trained, "churn", "-m", "good")
    ledgit("registry", "promote", "churn@latest", "prod", "-m", "passed")
    ledgit("note", trained, "-m", "as it was")
    # A run whose code nobody agreed to publish.
    (workplace / "train.py").write_text(f"{TRAIN}# {NOT_OUT['unpushed']}\n")
    do("git", "commit", "-q", "-am", f"not yet {NOT_OUT['unpushed']}")
    do(sys.executable, "train.py")
    ledgit("push", codes=(0, 1, 4))
    for kind in ("--md", "--html", "--json"):
        ledgit("report", "HEAD~1", kind, "-o", str(tmp_path / f"report{kind}"))
    do("git", "switch", "-q", "--detach", "HEAD~1")
    ledgit("project", "share", "--bundle", str(tmp_path / "project.ledgit"), "--version", "v1.0.0")
    ledgit("export", trained, str(tmp_path / "export"))
    ledgit("export", trained, str(tmp_path / "export.tar"))
    ledgit("show", trained)
    ledgit("push", codes=(0, 1, 4))

    here = objects(workplace) + files(workplace / ".git/ledgit") + "".join(said).encode()
    out = objects(tmp_path / "remote.git") + files(tmp_path / "remote.git") + files(tmp_path / "artifacts")
    out += b"".join(path.read_bytes() for path in tmp_path.glob("report--*")) + files(tmp_path / "export")
    out += (tmp_path / "export.tar").read_bytes() + bundled(tmp_path / "project.ledgit", tmp_path / "unbundled")
    mine = objects(workplace) + files(workplace)
    assert not [name for name, canary in NOT_OUT.items() if canary.encode() not in mine], "nothing to be found"
    for wanted in (trained.encode(), b"churn", b"trial.py", b"as it was", b"x" * 300_000, b"***"):
        assert wanted in out
    assert not [name for name, canary in ANYWHERE.items() if canary.encode() in here]
    assert not [name for name, canary in (ANYWHERE | NOT_OUT).items() if canary.encode() in out]


def objects(repository: Path) -> bytes:
    """The content of every object there is, on a ref or not, and the names of all refs."""
    done = subprocess.run(
        ["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repository, capture_output=True, check=True
    )
    return done.stdout + run_git(repository, "for-each-ref").encode()


def files(folder: Path) -> bytes:
    """The content of every file below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def bundled(path: Path, target: Path) -> bytes:
    """All that a project's bundle holds, Git's objects unpacked."""
    found = b""
    with zipfile.ZipFile(path) as packed:
        for name in packed.namelist():
            data = packed.read(name)
            found += data
            if data.startswith(b"# v"):
                inner = target.with_suffix(".bundle")
                inner.write_bytes(data)
                run_git(target.parent, "clone", "-q", "--mirror", str(inner), str(target))
                found += objects(target)
    assert found
    return found
