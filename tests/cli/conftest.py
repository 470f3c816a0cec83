"""The command line as its users have it: a process, or ``main`` where only words are looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgit.cli import main


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(repo: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """``cli("ls", "--json")`` runs the command in this process, in the test's repository."""

    def call(*words: str, code: int = 0) -> Ran:
        capsys.readouterr()
        ended = main(list(words))
        out, err = capsys.readouterr()
        assert code == ended, err
        return Ran(ended, out, err)

    return call


@pytest.fixture
def process(repo: Path) -> Cli:
    """``process("ls")`` runs ``python -m ledgit ls`` as a process of its own."""

    def call(*words: str, code: int | None = 0, cwd: Path = repo, env: dict[str, str] | None = None, **kw: Any) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "ledgit", *words],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            timeout=60,
            **{"stdin": subprocess.DEVNULL, **kw},
        )
        assert code is None or code == done.returncode, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def record(cli: Cli) -> Callable[..., str]:
    """``record("-p", "lr=0.1")`` makes a run and returns its id."""

    def call(*words: str) -> str:
        return cli("record", *words).out.strip()

    return call
