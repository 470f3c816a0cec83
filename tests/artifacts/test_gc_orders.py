"""Ada's sweep and Ben's push, step by step in many orders: whatever they are, Ben's artifacts are there in the end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts.people import Person, clone, make_file, start_project
from tests.artifacts.sweeping_kit import DAY, Clock, names_of, sweep, there

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.artifacts import sweeping
from ledgit.store.artifacts.owed import owed_again
from ledgit.store.sync import PushOptions, pushing

# Ada: looked; marked; looked again; deleted; done. Ben: fetched; asked and sent; landed; done.
STEPS_OF_ADA, STEPS_OF_BEN = 5, 4
ORDERS = [
    "".join("A" if step in chosen else "B" for step in range(STEPS_OF_ADA + STEPS_OF_BEN))
    for chosen in combinations(range(STEPS_OF_ADA + STEPS_OF_BEN), STEPS_OF_ADA)
]


class Stage:
    """Lets one of several threads at a time go on, to its next gate."""

    def __init__(self) -> None:
        self.turns: dict[str, threading.Semaphore] = {}
        self.arrived: queue.Queue[str] = queue.Queue()
        self.ended: dict[str, BaseException | None] = {}

    def gate(self, name: str) -> None:
        """Wait for the next turn, if this is one of the threads."""
        if threading.current_thread().name == name:
            self.arrived.put(name)
            assert self.turns[name].acquire(timeout=60)

    def play(self, order: str, actors: dict[str, Callable[[], object]]) -> None:
        """Let *actors* go on in this order, and then to their ends."""
        threads = []
        for name, act in actors.items():
            self.turns[name] = threading.Semaphore(0)
            threads.append(threading.Thread(target=self._act, args=(name, act), name=name, daemon=True))
            threads[-1].start()
            assert name == self.arrived.get(timeout=60)
        for name in order:
            self.go_on(name)
        for name in actors:
            while name not in self.ended:
                self.go_on(name)
        for thread in threads:
            thread.join()
        for error in self.ended.values():
            if error is not None:
                raise error

    def go_on(self, name: str) -> None:
        if name not in self.ended:
            self.turns[name].release()
            assert name == self.arrived.get(timeout=60)

    def _act(self, name: str, act: Callable[[], object]) -> None:
        error: BaseException | None = None
        try:
            self.gate(name)
            act()
        except BaseException as raised:
            error = raised
        self.ended[name] = error
        self.arrived.put(name)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def push(person: Person) -> None:
    person.repository.push(options=PushOptions(policy="all"))


def owed(person: Person) -> set[str]:
    return set(owed_again(Folder.of(Repo.discover(str(person.path)))))


@pytest.mark.parametrize("third", range(3))
def test_in_any_order_nothing_is_lost(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, third: int
) -> None:
    """The object is there before; Ada may delete it, Ben needs it."""
    host, storage = start_project(tmp_path), tmp_path / "storage"
    ada, ben = (clone(host, tmp_path / name) for name in ("ada", "ben"))
    for person in (ada, ben):
        person.run("artifacts", "remote", str(storage))
    for number in range(12):
        ada.log(make_file(tmp_path / f"{number}.bin"))
    push(ada)
    stage = Stage()
    watch(stage, monkeypatch)
    deleted = again = 0

    for order in ORDERS[third::9]:
        model = make_file(tmp_path / "model.bin")
        stray(ada, model, storage)
        sweep(ada)
        clock.later(31 * DAY)
        run = ben.log(model)
        (needed,) = names_of(ben, run)
        assert needed in there(storage)
        stage.ended.clear()
        swept: list[Any] = []

        stage.play(order, {"A": lambda swept=swept: swept.append(sweep(ada)), "B": lambda: push(ben)})

        deleted += needed in swept[0].deleted
        again += run in owed(ben)
        assert needed in there(storage) or run in owed(ben), order
        clock.later(2 * 3600)
        push(ben)
        assert needed in there(storage), order
        assert set() == owed(ben), order
        assert {} == sweep(ada).due, order
    assert deleted
    assert again


def watch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the gates where they belong."""
    monkeypatch.setattr(
        sweeping,
        "checkpoint",
        lambda name: stage.gate("A") if name in ("before push", "marked", "looked again", "deleted some") else None,
    )
    send, attempt = pushing.Push.send_artifacts, pushing.Push.attempt

    def gated_send(self: pushing.Push, runs: Any) -> Any:
        stage.gate("B")
        held = send(self, runs)
        stage.gate("B")
        return held

    def gated_attempt(self: pushing.Push, *args: Any, **options: Any) -> Any:
        said = attempt(self, *args, **options)
        stage.gate("B")
        return said

    monkeypatch.setattr(pushing.Push, "send_artifacts", gated_send)
    monkeypatch.setattr(pushing.Push, "attempt", gated_attempt)


def stray(person: Person, file: Path, storage: Path) -> None:
    """Bring the file's object to the remote, as a push does that never lands."""
    from ledgit.artifacts import Cache, open_remote

    place = person.repository.artifact_place()
    assert place is not None
    cache = Cache(str(storage.parent / "elsewhere"))
    oid = cache.put_bytes(file.read_bytes())
    with open_remote(place) as remote:
        assert [oid] == remote.upload(cache, [oid]).done
