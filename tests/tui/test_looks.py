"""What the main screens look like, in sizes, themes and marks; each was looked at (renew: LEDGIT_RENEW_LOOKS=1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.tui.conftest import log_runs, press, run, ui
from tests.tui.looks import look, same_look
from tests.tui.modelkit import register
from tests.tui.sweepkit import make_sweep

WIDE, SMALL, NARROW = (100, 30), (80, 24), (56, 14)
LINUX = {"environ": {"TERM": "linux", "LANG": "C"}}
#: Name → size, options of the UI, and the keys from the table of runs.
LOOKS: dict[str, tuple[tuple[int, int], dict[str, Any], str]] = {
    "runs-dark": (WIDE, {"theme": "ledgit-dark"}, ""),
    "runs-light": (SMALL, {"theme": "ledgit-light"}, "space j"),
    "runs-ascii": (SMALL, {"ascii": True}, "b j"),
    "runs-narrow": (NARROW, {"theme": "ledgit-dark"}, ""),
    "runs-tiny": ((10, 3), {"theme": "ledgit-dark"}, ""),
    "diff-dark": (WIDE, {"theme": "ledgit-dark"}, "space j space d"),
    "diff-ascii": (SMALL, {"ascii": True}, "space j space d"),
    "compare-ascii": (SMALL, {"ascii": True}, "5"),
    "note-ascii": (SMALL, {"ascii": True}, "e"),
    "compare-light": (WIDE, {"theme": "ledgit-light"}, "5"),
    "models-none": (SMALL, {"theme": "ledgit-dark"}, "3"),
    "sweeps-none": (SMALL, {"theme": "ledgit-contrast"}, "4"),
    "help-dark": (WIDE, {"theme": "ledgit-dark"}, "question_mark"),
    "welcome-narrow": (NARROW, {"theme": "ledgit-dark"}, ""),
    "welcome-linux": (SMALL, LINUX, ""),
    "welcome-compare": (SMALL, {"theme": "ledgit-dark"}, "5"),
    "run-dark": (WIDE, {"theme": "ledgit-dark"}, "enter"),
    "run-charts-linux": (SMALL, LINUX, "enter right_square_bracket"),
    "palette-linux": (SMALL, LINUX, "colon"),
}
#: Of a repository with branches, a model and a sweep.
FULL_LOOKS: dict[str, tuple[tuple[int, int], dict[str, Any], str]] = {
    "branches-dark": (WIDE, {"theme": "ledgit-dark"}, "2 j"),
    "branches-linux": (SMALL, LINUX, "2 j"),
    "models-light": (WIDE, {"theme": "ledgit-light"}, "3"),
    "models-linux": (SMALL, LINUX, "3"),
    "sweeps-dark": (WIDE, {"theme": "ledgit-dark"}, "4"),
    "sweep-linux": (SMALL, LINUX, "4 enter"),
}
_MADE: dict[str, Path] = {}


@pytest.fixture
def shown(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, request: Any) -> Path:
    """A repository that is the same each time, ids of commits too; nobody changes it, so one does for all looks."""
    name = request.node.callspec.params["name"]
    kind = "full" if name in FULL_LOOKS else "none" if name.startswith("welcome") else "few"
    if kind not in _MADE:
        path = tmp_path_factory.mktemp("looks") / "repo"
        path.mkdir()
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_DATE", "2026-11-22T08:00:00+00:00")
        run_git(path, "init", "-q")
        (path / "train.py").write_text("print('train')\n")
        run_git(path, "add", ".")
        run_git(path, "commit", "-q", "-m", "first")
        if kind != "none":
            log_runs(path, 4)
        if kind == "full":
            _fill(path)
        _MADE[kind] = path
    return _MADE[kind]


def _fill(path: Path) -> None:
    run_git(path, "switch", "-q", "-c", "wider")
    run_git(path, "commit", "-q", "--allow-empty", "-m", "Twice the width")
    log_runs(path, 3, first=16)
    run_git(path, "switch", "-q", "main")
    run_git(path, "commit", "-q", "--allow-empty", "-m", "More data")
    run_git(path, "merge", "-q", "--no-ff", "-m", "Take the wider net in", "wider")
    register(path)
    make_sweep(path, 14, planned=20)


@pytest.mark.parametrize("name", [*LOOKS, *FULL_LOOKS])
def test_a_screen_looks_as_it_did(shown: Path, name: str) -> None:
    size, options, keys = (LOOKS | FULL_LOOKS)[name]

    async def work() -> None:
        async with ui(shown, size=size, **options) as pilot:
            for key in keys.split():
                await press(pilot, key)
            same_look(name, pilot)
            if not pilot.app.session.unicode:  # type: ignore[attr-defined]
                assert look(pilot, styles=False).isascii()

    run(work())


def test_without_colour_only_grey_is_drawn(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    log_runs(repo, 4)

    async def work() -> None:
        async with ui(repo, size=SMALL) as pilot:
            await press(pilot, "space", "j", "b")
            same_look("runs-no-color", pilot)

    run(work())
