"""Sweeps of an artifact remote, with a clock that tests move."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.artifacts.people import Person

from ledgit.git import Objects, Repo
from ledgit.store import Folder
from ledgit.store.artifacts import sweeping
from ledgit.store.artifacts.marks import Mark, read_marks
from ledgit.store.artifacts.setting import place_of
from ledgit.store.artifacts.sweeping import SweepOptions, SweptThere, sweep_remote
from ledgit.store.sync import find_remote

DAY = 24 * 3600


class Clock:
    """What ``now_ms`` says; moves only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ns = time.time_ns()
        monkeypatch.setattr("ledgit.store.journal.time_ns", lambda: self.ns)

    def later(self, seconds: float) -> None:
        self.ns += int(seconds * 1_000_000_000)


def sweep(person: Person, *, act: bool = True, unshared: bool = False) -> SweptThere:
    """``ledgit artifacts gc --remote --sweep`` in *person*'s clone."""
    repo = Repo.discover(str(person.path))
    place = place_of(repo)
    assert place is not None
    options = SweepOptions(act=act, unshared=unshared)
    return sweep_remote(repo, Folder.of(repo), find_remote(repo), place, options)


def at(monkeypatch: pytest.MonkeyPatch, point: str, act: Callable[[], object]) -> list[str]:
    """Have *act* happen once, when a sweep comes to *point*; return the points that it came to."""
    seen: list[str] = []

    def checkpoint(name: str) -> None:
        first = name == point and name not in seen
        seen.append(name)
        if first:
            act()

    monkeypatch.setattr(sweeping, "checkpoint", checkpoint)
    return seen


def marks(host: Path) -> dict[str, Mark]:
    """What the ledger on *host* says of objects."""
    objects = Objects(Repo.discover(str(host)))
    tip = Path(host, "refs/ledgit/ledger").read_text().strip()
    return read_marks(objects, objects.commit(tip).tree)


def there(storage: Path) -> set[str]:
    """Ids of the objects on the remote."""
    return {path.parent.name + path.name for path in (storage / "files" / "md5").glob("??/*")}


def names_of(person: Person, run: str) -> set[str]:
    """Ids of the objects that a run needs."""
    from ledgit.store.artifacts.naming import objects_of

    repo = Repo.discover(str(person.path))
    state = person.repository.run(run).state
    return set(objects_of(repo, Folder.of(repo), {state.id: state.heads}))
