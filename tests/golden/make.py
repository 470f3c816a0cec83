"""Write a repository as the present version does: ``python -m tests.golden.make FOLDER`` makes its bundle.

For a new format: make ``tests/golden/format-N`` with the version that writes it first, and never touch it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TRAIN = """
import ledgit

ledgit.set_experiment("digits")
with ledgit.start_run(run_name="calm-owl", tags={"team": "vision"}) as run:
    ledgit.log_params({"lr": 1e-05, "depth": 3, "big": 10**20, "flag": True, "none": None})
    ledgit.log_params({"text": "ü: \\n'x'", "inf": float("inf")})
    for step in range(5):
        ledgit.log_metric("loss", 1 / (step + 1), step=step)
        ledgit.log_metric("val loss", float("nan") if step == 4 else step * 0.1, step=step)
    ledgit.log_metric("accuracy", 0.985)
    ledgit.log_input(ledgit.data.from_path("data.csv", name="train"), context="training")
    ledgit.log_text("hello\\n", "notes/a b.txt")
    ledgit.log_text("stages: {}\\n", "dvc.yaml")
    ledgit.log_text("x" * 300_000, "large.txt")
    with ledgit.start_run(run_name="inner", nested=True):
        ledgit.log_param("fold", 1)
with ledgit.start_run(run_name="gone"):
    ledgit.log_param("lr", 0.5)
try:
    with ledgit.start_run(run_name="broken"):
        ledgit.log_metric("loss", float("inf"))
        raise RuntimeError("no")
except RuntimeError:
    pass
"""


def make(target: Path) -> None:
    """Write ``repository.bundle`` and ``runs.tar.gz`` into *target*."""
    with tempfile.TemporaryDirectory() as scratch:
        repo = Path(scratch, "repo")
        home = Path(scratch, "home")
        repo.mkdir()
        home.mkdir()
        (home / ".gitconfig").write_text(
            "[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
        )
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "LEDGIT_"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home), "LEDGIT_CACHE": str(home / "cache"), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": "2026-11-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-11-01T00:00:00Z",
        }  # fmt: skip

        def run(*line: str) -> str:
            done = subprocess.run(line, cwd=repo, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{line}: {done.stderr}")
            return done.stdout

        def ledgit(*words: str) -> str:
            return run(sys.executable, "-m", "ledgit", *words)

        (repo / "data.csv").write_text("x,y\n1,2\n")
        (repo / "train.py").write_text(TRAIN)
        run("git", "init", "-q")
        run("git", "config", "ledgit.identity", "name")
        run("git", "add", ".")
        run("git", "commit", "-q", "-m", "first")
        del environment["GIT_AUTHOR_DATE"], environment["GIT_COMMITTER_DATE"]
        (repo / "extra.py").write_text("not committed\n")
        run("python", "train.py")  # by its name: nothing of this machine is to be kept
        ledgit("tag", "calm-owl", "stage=good")
        ledgit("note", "calm-owl", "-m", "the best so far")
        ledgit("rm", "gone")
        ledgit("registry", "register", "calm-owl", "digits", "--path", "notes", "-m", "first")
        ledgit("registry", "promote", "digits@latest", "prod", "-m", "passed")
        ledgit("gc", "--auto")
        run("git", "init", "-q", "--bare", str(Path(scratch, "remote.git")))
        run("git", "remote", "add", "origin", str(Path(scratch, "remote.git")))
        ledgit("push", "--no-artifacts", "--publish", "all")
        ledgit("tag", "inner", "late=yes")  # one run that is not in the ledger yet as it is
        refs = [ref for ref in run("git", "for-each-ref", "--format=%(refname)").split() if "/remotes/" not in ref]
        run("git", "bundle", "create", "-q", str(target / "repository.bundle"), *refs)
        ledgit("export", "calm-owl", str(target / "runs.tar.gz"))


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
