"""Notebooks, in a real kernel: the cell magic, the recorded cells, restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit.errors import UsageError
from ledgit.tracking.notebook import _parse

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def kernel(repo: Path) -> Iterator[Any]:
    """A Jupyter kernel that works in the repository."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(repo))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


class Kernel:
    """Executes cells, as a notebook does."""

    def __init__(self, manager: Any, client: Any) -> None:
        self.manager, self.client = manager, client

    def run(self, cell: str, *, fails: bool = False) -> str:
        """Execute *cell* and return what it printed."""
        printed: list[str] = []

        def hook(message: Any) -> None:
            content = message["content"]
            printed.append(content.get("text") or "".join(content.get("traceback", ())))

        reply = self.client.execute_interactive(cell, timeout=60, output_hook=hook)
        text = "".join(printed)
        assert fails or reply["content"]["status"] == "ok", text
        return text


def test_a_cell_is_a_run_and_its_source_is_kept(repo: Path, kernel: Kernel) -> None:
    """``%%ledgit --name NAME --experiment X``; the cells come as an artifact."""
    kernel.run("%load_ext ledgit")
    kernel.run("import ledgit\nvalue = 3")
    kernel.run("%%ledgit --name 'first try' --experiment demo --tag team=a\nledgit.log_metric('m', value)\nother = 4")
    assert "4" in kernel.run("print(other)")

    (run,) = ledgit.open(repo).runs
    assert ("first try", "demo", "FINISHED") == (run.name, run.experiment, run.status)
    assert ({"m": 3.0}, {"team": "a"}) == (dict(run.metrics), dict(run.tags))
    cells = run.read_artifact("notebook/cells.py").decode()
    assert "# %% In [3]\n%%ledgit --name 'first try'" in cells
    assert "log_metric('m', value)" in cells
    assert "value = 3" not in cells


def test_a_cell_that_fails_fails_its_run(repo: Path, kernel: Kernel) -> None:
    """And shows its error once; the notebook goes on."""
    kernel.run("%load_ext ledgit\nimport ledgit")
    shown = kernel.run("%%ledgit\nledgit.log_metric('m', 1)\nraise ValueError('broken')", fails=True)
    kernel.run("%%ledgit\nledgit.log_metric('m', 2)")

    assert "broken" in shown
    assert ["FINISHED", "FAILED"] == [run.status for run in ledgit.open(repo).runs]


def test_all_cells_since_the_run_began_are_kept(repo: Path, kernel: Kernel) -> None:
    """Runs in notebooks are mostly started in one cell and ended in another."""
    kernel.run("before = 0")
    kernel.run("import ledgit\nrun = ledgit.start_run()")
    kernel.run("ledgit.log_metric('m', 1)")
    kernel.run("ledgit.end_run()")

    (run,) = ledgit.open(repo).runs
    cells = run.read_artifact("notebook/cells.py").decode()
    assert ["In [2]", "In [3]", "In [4]"] == [line[5:] for line in cells.splitlines() if line.startswith("# %% ")]
    assert "FINISHED" == run.status


@pytest.mark.parametrize("now", [False, True])
def test_a_restarted_kernel_ends_its_run_killed(repo: Path, kernel: Kernel, now: bool) -> None:
    """Whether it was asked to go or shot; and the run's lock is free."""
    kernel.run("import ledgit\nledgit.start_run()\nledgit.log_metric('m', 1)")
    kernel.manager.restart_kernel(now=now)
    kernel.client.wait_for_ready(timeout=60)

    repository = ledgit.open(repo)
    (run,) = repository.runs
    assert ("KILLED", {"m": 1.0}) == (run.status, dict(run.metrics))
    repository.recover()
    (run,) = repository.runs
    assert ("KILLED", False) == (run.status, run.active)


@pytest.mark.parametrize("line", ["a b", "--unknown", "--experiment", "-t"])
def test_a_magic_line_that_is_off_says_how_it_goes(line: str) -> None:
    """One line of usage."""
    with pytest.raises(UsageError, match="%%ledgit"):
        _parse(line)


def test_the_magic_line_takes_options_anywhere() -> None:
    """With ``=`` or a space."""
    assert {"name": "a b", "experiment": "x", "tags": {"k": "v=w", "e": ""}, "nested": True} == _parse(
        "--nested -e x 'a b' --tag=k=v=w -t e"
    )
