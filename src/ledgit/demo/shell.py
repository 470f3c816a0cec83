"""Run commands as a user in the scratch repository would, and show them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence

from ledgit.errors import LedgitError


class Shell:
    """Commands started in *folder*, whose command lines and output go to *write*.

    ``python`` is the interpreter that runs the demonstration and ``ledgit`` the package it is
    part of, wherever they are installed; ``git`` is the one on the path.
    """

    def __init__(self, folder: str, write: Callable[[str], object]) -> None:
        self._folder = folder
        self._write = write
        self._environment = _clean_environment()

    def say(self, text: str = "") -> None:
        """Show *text* as a paragraph of its own."""
        self._write(f"\n{text}\n" if text else "\n")

    def show(self, *command: str) -> str:
        """Show *command* as it would be typed, run it, show and return what it printed."""
        self._write(f"\n$ {shlex.join(command)}\n")
        output = self.quiet(*command)
        self._write(output)
        return output

    def quiet(self, *command: str) -> str:
        """Run *command* and return what it printed, without showing anything.

        Raises:
            LedgitError: It failed; the message ends with what it said.
        """
        done = subprocess.run(
            _resolve(command),
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode("utf-8", errors="replace")
        if done.returncode != 0:
            message = f"the demo's command '{shlex.join(command)}' failed (exit {done.returncode}):\n{output.rstrip()}"
            raise LedgitError(message)
        return output


def _resolve(command: Sequence[str]) -> list[str]:
    name, *arguments = command
    if name == "python":
        return [sys.executable, *arguments]
    if name == "ledgit":
        return [sys.executable, "-m", "ledgit", *arguments]
    return [name, *arguments]


def _clean_environment() -> dict[str, str]:
    """This process's environment without what would lead the commands to another repository or run."""
    names = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=False)
    local = set(names.stdout.split())
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in local and not name.startswith(("LEDGIT_", "MLFLOW_"))
    }
    kept["GIT_PAGER"] = kept["PAGER"] = "cat"
    kept.setdefault("COLUMNS", "120")
    return kept
