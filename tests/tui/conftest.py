"""The real app on a real repository, driven by Textual's Pilot. Tests are plain functions: ``run(async def)``."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

pytest.importorskip("textual")

from textual._context import active_app
from textual.pilot import Pilot

from ledgit.records.history import Points
from ledgit.repository import open_repository
from ledgit.tui.app import LedgitApp
from ledgit.tui.session import Session, UiOptions

T = TypeVar("T")
#: What the screens take for now: 2026-11-23 12:00 UTC.
NOON = 1_795_435_200_000
#: Seconds: screens wait no longer for the cursor to come to rest, or for more letters.
_PAUSE = 0.2


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing moves by itself, and no cursor blinks."""
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    # Textual guesses from the time it takes whether all was handled: 40 ms a key at least, up to 1 s on a busy machine.
    monkeypatch.setattr("textual.pilot.wait_for_idle", _nothing_ready)
    monkeypatch.setattr("textual.app.wait_for_idle", _nothing_ready)


async def _nothing_ready(*_: float) -> None:
    """Wait until no task of the event loop can go on: each waits for a key, a timer or a thread."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    app = active_app.get()
    quiet = 0
    while quiet < 3:
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1
        if quiet == 2 and app.screen_stack:  # what Textual does a hundredth of a second later
            if app._resize_timer is not None:
                app._check_resize()
                quiet = 0
            elif app.screen._update_timer._active.is_set():
                app.screen._on_timer_update()
                quiet = 0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine to its end."""
    return asyncio.run(coroutine)


@asynccontextmanager
async def ui(
    path: str | os.PathLike[str],
    size: tuple[int, int] = (100, 30),
    *,
    now: int = NOON,
    environ: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Pilot[int]]:
    """The app on the repository at *path*, settled; *options* are those of `UiOptions`.

    The clock stands still at *now*, and nobody looks at the repository by himself: `look(pilot)` does. An error that
    nobody foresaw fails the test.
    """
    session = Session(open_repository(path), UiOptions(**{"refresh": 3600.0, **options}), environ or {})
    session.now = lambda: now
    app = LedgitApp(session)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield pilot
        await settled(pilot)
    for error in app.unexpected:
        raise error


async def settled(pilot: Pilot[Any], seconds: float = 60.0) -> None:
    """Wait until no thread of a screen is at work, nothing waits for a moment's rest, and all messages were handled."""
    app = pilot.app
    assert isinstance(app, LedgitApp)
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 2:
        await pilot.pause()
        if app.jobs.open == 0 and not _pauses(app):
            quiet += 1
        else:
            quiet = 0
            await asyncio.sleep(0.004)
        assert time.monotonic() < deadline, f"{app.jobs.open} jobs did not end"


def _pauses(app: LedgitApp) -> bool:
    """Whether something waits for a moment's rest, such as what is shown of the row under the cursor."""
    nodes = [app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))]
    return any(
        timer._repeat == 0 and timer._interval <= _PAUSE and timer._task is not None and not timer._task.done()
        for node in nodes
        for timer in node._timers
    )


async def look(pilot: Pilot[Any]) -> None:
    """Have the app look at the repository, as it does by itself twice a second, and wait for what comes of it."""
    assert isinstance(pilot.app, LedgitApp)
    pilot.app.look_now()
    await settled(pilot)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one by one, and wait for what comes of each."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def type_line(pilot: Pilot[Any], text: str) -> None:
    """Type *text* and wait for what comes of it."""
    await pilot.press(*(_key(char) for char in text))
    await settled(pilot)


def _key(char: str) -> str:
    from textual.keys import _character_to_key

    return _character_to_key(char)


async def until(pilot: Pilot[Any], true: Callable[[], object], seconds: float = 60.0, *, settle: bool = True) -> None:
    """Wait until *true*; for what another process does, or without *settle* what a thread is in the midst of."""
    deadline = time.monotonic() + seconds
    while not true():
        await (settled(pilot) if settle else pilot.pause(0.001))
        assert time.monotonic() < deadline, "it did not become true"


def log_runs(path: str | os.PathLike[str], count: int = 3, *, first: int = 0, experiment: str = "Default") -> list[str]:
    """Log *count* small finished runs, an hour apart, into the repository at *path*; return their ids, oldest first.

    Names are ``run-0`` …; ids are of one digit repeated, so that pictures are the same each time.
    """
    from ledgit.git import run_git
    from ledgit.records.clock import Clocks
    from ledgit.records.record import RunRecord
    from ledgit.records.run import CodeInfo, RunInfo

    repository = open_repository(path)
    head = run_git(repository.repo, "rev-parse", "HEAD").decode().strip()
    ids = []
    with repository.bulk() as bulk:
        for number in range(first, first + count):
            start = NOON - (24 - number) * 3_600_000
            run_id = f"{number + 1:x}" * 32 if number < 15 else f"{number:032x}"
            code = CodeInfo(commit=head, branch="main")
            record = RunRecord(
                RunInfo(run_id, f"run-{number}", experiment, "FINISHED", start, start + 60_000, user="Ada", code=code)
            )
            record.params.update(lr=10.0**-number, model="forest")
            record.clocks = Clocks((1, "c" * 16))
            for step in range(5):
                for name, value in (("accuracy", 0.8 + number / 100 + step / 200), ("loss", 1.0 - number / 10)):
                    record.histories.setdefault(name, Points()).append(step, start + step * 1000, value)
                    record.metrics[name] = value
            bulk.add(record)
            ids.append(run_id)
    return ids
