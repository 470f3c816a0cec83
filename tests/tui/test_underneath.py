"""What others do to the repository while a screen shows it: replace the ledger, delete it, the index, the runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.tui.conftest import log_runs, look, press, run, ui
from tests.tui.looks import look as look_of

from ledgit.repository import open_repository
from ledgit.store.gc import Selection
from ledgit.tui.screen import LedgitScreen
from ledgit.tui.widgets.dialogs import ProblemDialog

LEDGER = "refs/ledgit/ledger"


def replaced(repo: Path) -> None:
    """Another ledger stands there: none of its runs is one of ours."""
    run_git(repo, "fetch", "-q", str(repo.parent / "other"), f"+{LEDGER}:{LEDGER}")


def deleted(repo: Path) -> None:
    """There is no ledger any more."""
    run_git(repo, "update-ref", "-d", LEDGER)


def purged(repo: Path) -> None:
    """All runs are purged by another process, and the file of the index is gone too."""
    repository = open_repository(repo)
    repository.purge(repository.plan_purge(Selection(runs=tuple(run.id for run in repository.runs))), local=True)
    for path in (repo / ".git" / "ledgit").glob("index.sqlite3*"):
        path.unlink()


def broken(repo: Path) -> None:
    """The ref names a commit that is not here, and the index's file is not a database."""
    lock = repo / ".git" / f"{LEDGER}.lock"
    lock.write_text("1" * 40 + "\n")
    lock.rename(repo / ".git" / LEDGER)
    (repo / ".git" / "ledgit" / "index.sqlite3").write_bytes(b"not a database" * 1000)


#: How a screen is reached from the table of runs, and keys that ask for what is not there any more.
WALKS = {
    "runs": ("", "j enter escape space d escape asterisk escape s B escape slash x escape escape"),
    "run": ("enter", "right_square_bracket " * 8 + "y escape o escape asterisk escape"),
    "diff": ("space j space d", "equals_sign j p escape greater_than_sign l b enter escape y escape"),
    "branches": ("2", "j enter 2 space k space d escape p escape"),
    "compare": ("5", "right_square_bracket " * 3 + "X escape enter escape"),
}
GONE = {
    "runs": "No runs here yet", "run": "not in the repository", "diff": "2 deleted meanwhil", "branches": "0 runs",
    "compare": "0 runs",
}  # fmt: skip
SEEN = {
    replaced: GONE | {"runs": "run-8", "branches": "2 runs", "compare": "2 runs"},
    deleted: GONE,
    purged: GONE,
    broken: dict.fromkeys(["runs", "run", "diff", "branches", "compare"], "is not in this clone"),
}


@pytest.mark.parametrize("happens", [replaced, deleted, purged, broken])
def test_what_happens_underneath_breaks_no_screen(repo: Path, happens: Callable[[Path], None]) -> None:
    """Keys go on working, what is wrong is one panel, and the way back is where it was."""
    log_runs(repo, 3)
    if happens is replaced:
        run_git(repo.parent, "clone", "-q", str(repo), "other")
        log_runs(repo.parent / "other", 2, first=7)
    before = run_git(repo, "rev-parse", LEDGER)

    async def main() -> None:
        async with ui(repo) as pilot:
            for name, (way, keys) in WALKS.items():
                await press(pilot, "1", "M", "g")
                for key in way.split():
                    await press(pilot, key)
                shown = pilot.app.screen
                assert isinstance(shown, LedgitScreen)
                assert name == shown.NAME
                happens(repo)
                await look(pilot)
                assert SEEN[happens][name] in look_of(pilot, styles=False), name
                assert isinstance(pilot.app.screen, ProblemDialog) is (happens is broken), name
                for key in keys.split():
                    await press(pilot, key)
                    if isinstance(pilot.app.screen, ProblemDialog):
                        await press(pilot, "escape")
                assert [] == pilot.app.unexpected, name
                if happens is purged:  # those don't come back
                    log_runs(repo, 3, first=20 + 3 * list(WALKS).index(name))
                else:
                    run_git(repo, "update-ref", LEDGER, before)
                await look(pilot)

    run(main())
