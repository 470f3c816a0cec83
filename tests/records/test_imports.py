"""What importing the records costs: nothing that a listing does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ledgit.records

HEAVY = [
    "yaml",
    "orjson",
    "json",
    "datetime",
    "hashlib",
    "typing",
    "array",
    "struct",
    "unicodedata",
    "pygit2",
    "dvc",
    "numpy",
]


@pytest.mark.parametrize("module", ["entry", "clock", "scalars", "flat", "basics"])
def test_the_modules_that_listing_runs_needs_import_nothing_heavy(module: str) -> None:
    code = f"import sys; before = set(sys.modules); import ledgit.records.{module}; print(*(set(sys.modules) - before))"

    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, check=True, text=True, env=python_path()
    )

    assert not set(loaded.stdout.split()) & set(HEAVY)


def python_path() -> dict[str, str]:
    from pathlib import Path

    return {"PYTHONPATH": str(Path(ledgit.records.__file__).parents[2])}


def test_importing_the_package_imports_none_of_its_modules() -> None:
    code = (
        "import sys, ledgit; before = set(sys.modules); import ledgit.records; "
        "print(*(name for name in set(sys.modules) - before if name.startswith('ledgit.records.')))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert loaded.stdout.split() == []


def test_every_name_of_the_face_is_there_and_known_to_type_checkers() -> None:
    import ast
    from pathlib import Path

    tree = ast.parse(Path(ledgit.records.__file__).read_text(encoding="utf-8"))
    typed = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert set(ledgit.records.__all__) == typed - {"annotations", "import_module", "Any"}
    for name in ledgit.records.__all__:
        assert getattr(ledgit.records, name) is not None


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_like_it"):
        ledgit.records.nothing_like_it  # noqa: B018
