"""The most memory that a command takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import LIST, SHOWN, copy, repository
from benchmarks.measure import Timing
from benchmarks.repository import git


def prepare(folder: Path, _python: str) -> None:
    """A clone with a remote, and the wide repository."""
    path = copy(folder, "narrow", folder / "clone")
    git(folder, "init", "-q", "--bare", "-b", "main", "remote.git")
    git(path, "config", "ledgit.publish", "all")
    git(path, "remote", "add", "origin", f"file://{folder}/remote.git")
    git(path, "push", "-q", "origin", "--all")
    repository(folder, "wide")


_COMMAND = """
import os, resource, sys
from ledgit.cli import main
try:
    code = main(sys.argv[2:])
finally:
    with open(sys.argv[1], "w") as file:
        file.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.exit(code)
"""


def peak(path: Path, *arguments: str) -> Timing:
    """The peak of a command of Ledgit's, in bytes, without the git processes it starts.

    A process begins with what its parent has, so the parent must stay small: nothing is captured.
    Packs that the process maps into memory count as far as they were read, as the system counts them.
    """
    out = path / ".git" / "peak"
    line = [sys.executable, "-c", _COMMAND, str(out), *arguments]
    subprocess.run(line, cwd=path, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return Timing(int(out.read_text()) * (1 if sys.platform == "darwin" else 1024))


def narrow(folder: Path) -> dict[str, Timing]:
    """15 params, 20 metrics, 10 tags."""
    path = folder / "clone"
    found = {
        "ls": peak(path, *LIST),
        "ls --json": peak(path, "ls", "--json"),
        "ls --csv": peak(path, "ls", "--csv"),
    }
    (path / ".git" / "ledgit" / "index.sqlite3").unlink()
    found["ls, index made anew"] = peak(path, *LIST)
    found["push of everything"] = peak(path, "push")
    found["pull"] = peak(path, "pull")
    return found


def wide(folder: Path) -> dict[str, Timing]:
    """300 params, 200 metrics, 10 tags."""
    path = repository(folder, "wide")
    (path / ".git" / "ledgit" / "index.sqlite3").unlink()
    return {
        "ls, index made anew": peak(path, "ls", "-n", "20"),
        "ls": peak(path, "ls", "-n", "20"),
        "ls of a param beyond the lines": peak(path, "ls", "params.lr > 0.05", "-n", "20"),
    }


MEASURES = {
    "narrow": ("ls", "ls --json", "ls --csv", "ls, index made anew", "push of everything", "pull"),
    "wide": ("ls", "ls, index made anew", "ls of a param beyond the lines"),
}

CASE = Case(
    title="Memory",
    note=f"Peak of the resident memory, {SHOWN}, without the git processes that a command starts.",
    prepare=prepare,
    shared=True,
    rounds=1,
    unit="B",
    subjects=[Subject("narrow", narrow, "ledgit"), Subject("wide", wide, "ledgit")],
    targets=[
        Target(f"memory of `{measure}`, {SHOWN}, {subject} ≤ 300 MB", measure, subject, 300e6)
        for subject, measures in MEASURES.items()
        for measure in measures
    ],
)
