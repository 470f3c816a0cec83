"""A repository with a program in it that is run, changed and repeated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import run_git

import ledgit
from ledgit.projects.repro import Reproduction, ReproOptions, Verdict, reproduce
from ledgit.repository import Run


class Stage:
    """The repository at *path*; every call starts real processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str | bytes) -> Path:
        """Write a file of the work tree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self, message: str = "change") -> str:
        """Commit everything and return the commit."""
        run_git(self.path, "add", "-A")
        run_git(self.path, "commit", "-q", "-m", message)
        return run_git(self.path, "rev-parse", "HEAD")

    def python(self, *words: str, folder: str = "", python: str = sys.executable, **more: str) -> Run:
        """Run Python in the repository and return the newest run."""
        self.start(python, *words, folder=folder, **more)
        return self.newest()

    def start(self, *words: str, folder: str = "", check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        where = self.path / folder
        return subprocess.run(
            words, cwd=where, check=check, capture_output=True, text=True, env={**os.environ, **more}, timeout=120
        )

    def ledgit(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a ledgit command."""
        return self.start(sys.executable, "-m", "ledgit", *words, check=check, **more)

    def json(self, *words: str, **more: str) -> Any:
        """Run a ledgit command and return the JSON it printed."""
        return json.loads(self.ledgit(*words, "--json", check=False, **more).stdout)

    def runs(self) -> list[Run]:
        """Return all runs, newest first."""
        return ledgit.open(self.path).runs[:]

    def newest(self) -> Run:
        """Return the newest run."""
        return self.runs()[0]

    def repeat(self, run: Run, **options: Any) -> Reproduction:
        """Repeat *run* in this process."""
        repository = ledgit.open(self.path)
        return reproduce(repository, repository.run(run.id), ReproOptions(show=False, **options))

    def verdict(self, run: Run, **options: Any) -> Verdict:
        """Repeat *run* and return the verdict."""
        return self.repeat(run, **options).verdict


def said(verdict: Verdict) -> str:
    """Return all that a verdict says, for messages of failed tests and searching."""
    notes = [note if isinstance(note, str) else f"{note.kind}: {note.text}" for note in verdict.notes]
    return "\n".join([verdict.tag, *(f"{one.kind}: {one.text}" for one in verdict.reasons), *notes])
