"""Every module of the store is in the table of its package, once; the tables name no other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DESIGN = ROOT / "docs" / "design"


@pytest.mark.parametrize(
    ("package", "page"),
    [
        ("store", "architecture.md"),
        ("store/artifacts", "artifacts.md"),
        ("store/doctor", "architecture.md"),
        ("store/gc", "architecture.md"),
        ("store/ledger", "ledger.md"),
        ("store/registry", "registry.md"),
        ("store/sync", "ledger.md"),
    ],
)
def test_every_module_is_named_once(package: str, page: str) -> None:
    """A package below is named like a module, with a slash."""
    folder = ROOT / "src" / "ledgit" / package
    there = {path.stem for path in folder.glob("[!_]*.py")}
    there |= {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}

    named = modules(DESIGN / page, f"{package}/")

    assert dict.fromkeys(there, 1) == dict(named)


def modules(page: Path, heading: str) -> Counter[str]:
    """How often each module is named in the first table with modules below *heading*."""
    text = page.read_text(encoding="utf-8").split(f"# {heading}\n", 1)[1]
    table = text.split("| module | face |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    return Counter(name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1]))
