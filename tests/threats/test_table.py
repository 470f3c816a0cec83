"""The table of threats names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs/design/threats.md"
ATTACKERS = (
    "repository",
    "model or artifact",
    "project",
    "pull request",
    "remote",
    "credentials",
    "colleague",
    "web page",
)


def test_every_row_names_tests_that_exist() -> None:
    """And each attack that is tried here has its row."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [
        line for line in text.splitlines() if line.startswith("|") and not re.match(r"\|[ -]*(\||he tries|what)", line)
    ]
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text))
    tried = functions_of("tests/threats/test_attacks.py")

    assert not [row for row in rows if "`tests/" not in row.rpartition("| ")[2]]
    assert not [f"{path}::{name}" for path, name in sorted(named) if name not in functions_of(path)]
    assert not tried - {name for _, name in named}
    headings = " ".join(line for line in text.splitlines() if line.startswith("## ")).lower()
    assert not [attacker for attacker in ATTACKERS if attacker not in headings]
    assert len(rows) > 40


def functions_of(path: str) -> set[str]:
    """The names of the tests in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
