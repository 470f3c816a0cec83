"""What the README and the guides tell a reader to type works."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.blocks import blocks, run_page

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TRIED = [page for page in PAGES if any(b.language in {"python", "sh"} and not b.skipped for b in blocks(page))]

SNIPPET = """\
import ledgit as mlflow            # also: import ledgit
mlflow.set_experiment("my_experiment")
params = {"learning_rate": 0.1, "epochs": 10}
mlflow.log_param("learning_rate", params["learning_rate"])
mlflow.log_metric("accuracy", 0.95)
mlflow.log_artifact("data.csv")
"""


@pytest.mark.parametrize("page", TRIED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_can_be_followed_from_top_to_bottom(page: Path, readers_folder: Path) -> None:
    """Every block of Python and shell on it runs, in order, in a repository with a script and some data."""
    assert run_page(page, readers_folder) > 0


def test_the_readme_begins_with_the_promised_snippet() -> None:
    """Six lines in any Git repository, word for word."""
    first = next(block for block in blocks(ROOT / "README.md") if block.language == "python")

    assert first.text == SNIPPET


def test_the_main_pages_have_examples() -> None:
    """A page without any would pass by having nothing to fail."""
    names = {page.relative_to(ROOT).as_posix() for page in TRIED}

    assert {"README.md", "docs/tutorial.md"} <= names
