"""The files in examples/ run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
EXAMPLES = Path(__file__).parent.parent.parent / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_an_example_runs_and_leaves_runs_behind(script: Path, repo: Path) -> None:
    """Each works as it is in a fresh repository."""
    here = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, str(script)] if script.suffix == ".py" else ["sh", str(script)]

    done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    refs = subprocess.run(["git", "for-each-ref", "refs/ledgit/runs"], cwd=repo, capture_output=True, check=True)
    assert refs.stdout


def test_the_notebook_runs_and_shows_runs_as_tables(repo: Path) -> None:
    """A run, a set of runs and a comparison have views in HTML, in which no name is markup."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    notebook.cells[2].source = notebook.cells[2].source.replace('"depth-', '"<script>depth-')

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(repo)}}).execute()

    *_, table, _, one, difference = [
        "".join(output["data"].get("text/html", "") for output in cell.get("outputs", ()) if "data" in output)
        for cell in notebook.cells
    ]
    assert table.count("<tr>") == 4
    assert "&lt;script&gt;depth-3" in table
    assert "<script" not in table + one + difference
    assert any(block in one for block in "▁▂▃▄▅▆▇█")
    assert "<td>depth</td>" in difference


def test_the_guide_on_data_parallel_training_has_the_example() -> None:
    """Word for word, so that what is read is what is run."""
    guide = (EXAMPLES.parent / "docs" / "how-to" / "data-parallel.md").read_text(encoding="utf-8")

    assert (EXAMPLES / "data_parallel.py").read_text(encoding="utf-8") in guide


def test_every_example_is_on_the_list() -> None:
    """The folder's README names each of them."""
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert len(SCRIPTS) >= 5
    assert [] == [script.name for script in [*SCRIPTS, *EXAMPLES.glob("*.ipynb")] if f"({script.name})" not in listed]
