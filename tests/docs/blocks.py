"""The code blocks of a Markdown page, and how a reader would try them.

- ```` ```python ```` is run by Python; with ``file=NAME`` after the word it is written to that file instead.
- ```` ```sh ```` is run by a shell, line by line as typed; ``RUN``, ``RUN_A`` and ``RUN_B`` stand for the
  newest run, the one before it and the newest again. Where it changes the folder, what follows is done there.
- Other languages (``text``, ``yaml``, ``console`` …) are to be read, and so is a block below a
  ``<!-- not run: reason -->``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"(<!-- not run: [^>]+ -->\n)?^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"\bRUN(_[AB])?\b")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it starts, its language, what follows the language, its text."""

    line: int
    language: str
    info: str
    text: str
    skipped: bool


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of *page* in order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(line, found[2], found[3].strip(), found[4], found[1] is not None)


def run_page(page: Path, folder: Path) -> int:
    """Do in *folder* what *page* says, in order; return how many blocks were run or written."""
    done = 0
    for block in blocks(page):
        if block.skipped or block.language not in {"python", "sh"}:
            continue
        done += 1
        if block.info.startswith("file="):
            (folder / block.info.removeprefix("file=")).write_text(block.text)
        elif block.language == "python":
            _run(page, block, folder, [sys.executable, "-c", block.text])
        else:
            folder = Path(_run(page, block, folder, ["sh", "-e", "-c", _with_runs(block.text) + AND_WHERE]))
    return done


def _run(page: Path, block: Block, folder: Path, command: list[str]) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page.name}:{block.line} failed:\n{block.text}\n{done.stdout}"
    return done.stdout.rpartition("\0")[2]


# Looked up when the shell comes to it, so that a block can make the run that it then shows.
PICK = "import json, sys; print(json.load(sys.stdin)[-1 if sys.argv[1:] else 0]['id'])"
LOOK_UP = f'newest() {{ ledgit ls --json --limit 2 | python -c "{PICK}" $1; }}\n'
# The last thing a block says is where it ended.
AND_WHERE = "\nprintf '\\0%s' \"$PWD\"\n"


def _with_runs(text: str) -> str:
    names = {"RUN": "$(newest)", "RUN_A": "$(newest before)", "RUN_B": "$(newest)"}
    return LOOK_UP + PLACEHOLDER.sub(lambda found: names[found[0]], text)


def _environment() -> dict[str, str]:
    """``ledgit`` and ``python`` are those of the interpreter that runs the tests."""
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "MPLBACKEND": "agg"}
