"""The reference pages say what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from docs.generate import pages

from ledgit import errors

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", ["cli.md", "python.md"])
def test_a_generated_page_is_current(name: str) -> None:
    """``make docs`` renews it."""
    path = REFERENCE / name

    assert pages()[path] == path.read_text(encoding="utf-8")


def test_every_command_and_argument_has_help() -> None:
    """The reference has no empty cell."""
    page = pages()[REFERENCE / "cli.md"]

    assert "|  |\n" not in page
    assert "None" not in page


def test_every_public_function_says_what_it_does() -> None:
    """A signature alone is no documentation."""
    page = pages()[REFERENCE / "python.md"]

    assert "```\n\n\n" not in page


def test_every_error_is_on_the_page_of_exit_codes_with_its_code() -> None:
    """A script can look up what happened."""
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.LedgitError):
            row = next((row for row in rows if f"`{name}`" in row), None)

            assert row is not None, name
            assert row.split("|")[1].strip() == str(error.exit_code), name


SOURCE = ROOT / "src" / "ledgit"


def strings() -> set[str]:
    """Every text in the code that is no docstring."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call | ast.Tuple | ast.Compare | ast.Assign | ast.Dict):
                found |= {part.value for part in ast.iter_child_nodes(node) if isinstance(part, ast.Constant)}
    return {text for text in found if isinstance(text, str)}


def test_every_variable_that_is_read_is_documented() -> None:
    """What the environment can change is on the page of settings."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    variables = {text for text in strings() if re.fullmatch(r"(LEDGIT|MLFLOW)_[A-Z_]+", text)}

    assert "LEDGIT_RUN_ID" in variables
    assert set() == {name for name in variables if f"`{name}`" not in page}


def test_every_git_setting_that_is_read_is_documented() -> None:
    """What ``git config`` can change is on the page of settings."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    settings = {
        node.args[0].value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"get", "get_bool", "get_int"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and re.fullmatch(r"ledgit\.[a-zA-Z]+", str(node.args[0].value))
    }

    assert "ledgit.identity" in settings
    assert set() == {name for name in settings if f"`{name}`" not in page}


def test_no_setting_is_documented_that_nothing_reads() -> None:
    """A table of settings that do nothing is worse than none."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    names = set(re.findall(r"`((?:LEDGIT|MLFLOW)_[A-Z_]+|ledgit\.[a-zA-Z]+)`", page))

    assert set() == {name for name in names if name not in code}
