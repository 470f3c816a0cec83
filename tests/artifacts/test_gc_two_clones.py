"""Ada sweeps the artifact remote while Ben pushes: whatever the order, every published run keeps its artifacts."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, start_project
from tests.artifacts.sweeping_kit import DAY, Clock, at, marks, names_of, sweep, there

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.artifacts.marks import CANDIDATE, SWEPT
from ledgit.store.artifacts.owed import owed_again

HOUR = 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return start_project(tmp_path)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def ada(host: Path, tmp_path: Path, storage: Path) -> Person:
    person = clone(host, tmp_path / "ada")
    person.run("artifacts", "remote", str(storage))
    return person


@pytest.fixture
def ben(host: Path, tmp_path: Path, storage: Path) -> Person:
    person = clone(host, tmp_path / "ben")
    person.run("artifacts", "remote", str(storage))
    return person


@pytest.fixture
def model(ada: Person, tmp_path: Path) -> Path:
    """A file whose object is on the remote, and that no run needs: the run that brought it was purged."""
    file = make_file(tmp_path / "model.bin")
    ada.log(make_file(tmp_path / "other.bin"), name="stays")
    run = ada.log(file)
    ada.run("push", "--all")
    kept = {path: path.read_bytes() for path in tmp_path.glob("storage/files/md5/??/*")}
    ada.run("rm", run)
    ada.run("gc", "--purge", run, "--yes")
    for path, data in kept.items():  # as if the purge's own sweep had not come to it
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(data)
    return file


def retrievable(host: Path, tmp_path: Path, storage: Path) -> None:
    """A new clone gets every artifact of every run from the remote."""
    new = clone(host, tmp_path / f"new-{len(list(tmp_path.iterdir()))}")
    new.run("artifacts", "remote", str(storage))
    new.run("pull")
    runs = [run["id"] for run in new.json("ls", "--all")]
    assert runs
    new.run("artifacts", "fetch", *runs)


def owed(person: Person) -> set[str]:
    return set(owed_again(Folder.of(Repo.discover(str(person.path)))))


def test_what_no_run_needs_goes_in_two_phases(
    ada: Person, host: Path, storage: Path, model: Path, tmp_path: Path, clock: Clock
) -> None:
    """Announced first; deleted after the grace, and not a day before."""
    (lost,) = there(storage) - names_of(ada, "stays")

    first = sweep(ada)
    assert [lost] == list(first.fresh)
    assert {lost: CANDIDATE} == {oid: mark.state for oid, mark in marks(host).items()}
    clock.later(29 * DAY)
    second = sweep(ada)
    assert ({}, []) == (second.due, second.deleted)
    assert [lost] == list(second.waiting)
    assert lost in there(storage)
    clock.later(1 * DAY)
    third = sweep(ada)

    assert [lost] == third.deleted
    assert names_of(ada, "stays") == there(storage)
    assert {} == marks(host)
    assert ([], {}) == (sweep(ada).deleted, marks(host))
    retrievable(host, tmp_path, storage)


def test_another_clone_sweeps_what_one_has_announced(
    ada: Person, ben: Person, host: Path, storage: Path, model: Path, clock: Clock
) -> None:
    """What is announced stands in the ledger."""
    (lost,) = there(storage) - names_of(ada, "stays")
    sweep(ada)
    clock.later(31 * DAY)

    assert [lost] == sweep(ben).deleted
    assert lost not in there(storage)


def test_a_dry_run_changes_nothing(ada: Person, host: Path, storage: Path, model: Path, clock: Clock) -> None:
    """It says the same."""
    before = there(storage), (host / "refs/ledgit/ledger").read_text()

    found = sweep(ada, act=False)

    assert 1 == len(found.fresh)
    assert before == (there(storage), (host / "refs/ledgit/ledger").read_text())


def test_a_run_that_needs_a_candidate_withdraws_it(
    ada: Person, ben: Person, host: Path, storage: Path, model: Path, tmp_path: Path, clock: Clock
) -> None:
    """By the push that publishes it; nothing is sent, since the object is there."""
    sweep(ada)
    clock.later(20 * DAY)
    ben.log(model)
    pushed = ben.json("push", "--all")

    assert 0 == pushed["artifacts"]["sent"]
    assert {} == marks(host)
    clock.later(20 * DAY)
    assert [] == sweep(ada).deleted
    retrievable(host, tmp_path, storage)


POINTS = ["before push", "pushed", "marked", "looked again", "deleted some", "before tidying"]


@pytest.mark.parametrize("point", POINTS)
def test_a_push_at_any_moment_of_a_sweep(
    ada: Person,
    ben: Person,
    host: Path,
    storage: Path,
    model: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """B finds the object there and skips the upload; A deletes it. Afterwards it is there, or owed and then sent."""
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(model)

    came = at(monkeypatch, point, lambda: ben.run("push", "--all"))
    sweep(ada)
    assert point in came

    (needed,) = names_of(ben, run)
    if needed not in there(storage):
        assert {run} == owed(ben)
        assert "looked at again" in ben.says("artifacts", "status")
    clock.later(2 * HOUR)
    ben.run("push")
    assert set() == owed(ben)
    assert needed in there(storage)
    clock.later(40 * DAY)
    assert [] == sweep(ada).deleted
    retrievable(host, tmp_path, storage)


@pytest.mark.parametrize("point", ["pushed", "marked", "looked again", "deleted some"])
def test_runs_left_in_an_inbox_at_any_moment_of_a_sweep(
    ada: Person,
    ben: Person,
    host: Path,
    storage: Path,
    model: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """An inbox is no fast-forward of the ledger, so nothing but a second look tells the one of the other."""
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(model)
    from ledgit.store.sync import pushing

    def push_into_inbox() -> None:
        attempt = pushing.Push.attempt
        with pytest.MonkeyPatch.context() as patch:
            # The ledger is always lost to somebody else.
            patch.setattr(pushing.Push, "attempt", lambda *args, **options: ("lost", []))
            patch.setattr(pushing, "_wait", lambda _losses: None)
            ben.run("push", "--all")
        assert attempt is pushing.Push.attempt

    came = at(monkeypatch, point, push_into_inbox)
    sweep(ada)
    assert point in came
    clock.later(2 * HOUR)
    ben.run("push")

    (needed,) = names_of(ben, run)
    assert needed in there(storage)
    retrievable(host, tmp_path, storage)


@pytest.mark.parametrize("moment", ["before the sweep", "after its mark"])
def test_a_sweep_between_the_look_and_the_landing_of_a_push(
    ada: Person,
    ben: Person,
    host: Path,
    storage: Path,
    model: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Ben has asked the remote, and has not pushed yet, when Ada sweeps from the first step to the last."""
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(model)
    from ledgit.store.sync import pushing

    attempt, swept = pushing.Push.attempt, []

    def first_ada(self: pushing.Push, *args: object, **options: object) -> object:
        if not swept:
            swept.append(True)
            if moment == "after its mark":
                monkeypatch.setattr(  # killed when it has marked
                    "ledgit.store.artifacts.sweeping._Sweep.delete", lambda _self, _due: []
                )
            sweep(ada)
        return attempt(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing.Push, "attempt", first_ada)
    ben.run("push", "--all")

    (needed,) = names_of(ben, run)
    assert needed in there(storage)
    if moment == "after its mark":
        assert {run} == owed(ben)
        assert [SWEPT] == [mark.state for mark in marks(host).values()]
    clock.later(2 * HOUR)
    ben.run("push")
    assert set() == owed(ben)
    retrievable(host, tmp_path, storage)


def test_a_push_of_other_runs_settles_what_is_due_too(
    ada: Person,
    ben: Person,
    host: Path,
    storage: Path,
    model: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ada's sweep was killed, so her mark stands for hours; she deletes nothing any more after one."""
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(model)
    (needed,) = names_of(ben, run)
    with monkeypatch.context() as killed:
        killed.setattr("ledgit.store.artifacts.sweeping._Sweep.delete", lambda _self, _due: [])
        sweep(ada)
    ben.run("push", "--all")
    assert {run} == owed(ben)
    (storage / "files" / "md5" / needed[:2] / needed[2:]).unlink()  # at the last moment

    clock.later(2 * HOUR)
    other = ben.log(make_file(tmp_path / "other.bin"), model)
    ben.run("push", "--all")

    assert [SWEPT] == [mark.state for mark in marks(host).values()]
    assert {other} == owed(ben), "it has met the mark now"
    assert needed in there(storage)
    clock.later(2 * HOUR)
    ben.run("push")
    assert set() == owed(ben)
    retrievable(host, tmp_path, storage)


@pytest.mark.parametrize("point", POINTS)
def test_a_sweep_that_is_killed_at_any_moment(
    ada: Person, ben: Person, host: Path, storage: Path, model: Path, tmp_path: Path, clock: Clock, point: str
) -> None:
    """Somebody else's sweep completes it, and a push in between loses nothing."""
    (lost,) = there(storage) - names_of(ada, "stays")
    sweep(ada)
    clock.later(31 * DAY)
    script = textwrap.dedent("""
        import os, signal, sys
        from ledgit.store import journal
        from ledgit.store.artifacts import sweeping
        journal.time_ns = lambda: int(sys.argv[2])
        def checkpoint(name):
            if name == sys.argv[1]:
                os.kill(os.getpid(), signal.SIGKILL)
        sweeping.checkpoint = checkpoint
        from ledgit.git import Repo
        from ledgit.store import Folder
        from ledgit.store.artifacts.setting import place_of
        from ledgit.store.sync import find_remote
        repo = Repo.discover()
        sweeping.sweep_remote(
            repo, Folder.of(repo), find_remote(repo), place_of(repo), sweeping.SweepOptions(act=True)
        )
    """)
    command = [sys.executable, "-c", script, point, str(clock.ns)]
    killed = subprocess.run(command, cwd=ada.path, capture_output=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr

    run = ben.log(model)
    ben.run("push", "--all")
    retrievable(host, tmp_path, storage)
    clock.later(2 * HOUR)
    ben.run("push")
    sweep(ada)
    clock.later(DAY)
    sweep(ada)

    assert {lost} == names_of(ben, run)
    assert {} == marks(host)
    assert set() == owed(ben)
    retrievable(host, tmp_path, storage)


def test_time_that_is_over_is_over(
    ada: Person, storage: Path, model: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is deleted after the time that the mark names, however long it took to get there."""
    sweep(ada)
    clock.later(31 * DAY)
    at(monkeypatch, "looked again", lambda: clock.later(HOUR))
    done = sweep(ada)

    assert ([], 1) == (done.deleted, len(done.late))
    clock.later(DAY)
    monkeypatch.undo()
    monkeypatch.setattr("ledgit.store.journal.time_ns", lambda: clock.ns)
    assert 1 == len(sweep(ada).deleted)


@pytest.mark.parametrize("moment", ["noted", "sent", "landed"])
def test_a_push_that_is_killed_while_somebody_deletes(
    ada: Person,
    ben: Person,
    host: Path,
    storage: Path,
    model: Path,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Ben's push dies at this moment, with Ada's mark on what he needs; she deletes it afterwards."""
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(model)
    script = textwrap.dedent("""
        import os, signal, sys
        from ledgit.store import journal
        journal.time_ns = lambda: int(sys.argv[2])
        from ledgit.cli import main
        from ledgit.store.artifacts import uploading
        from ledgit.store.sync import pushing
        def dies_after(function):
            def killed(*args, **options):
                function(*args, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return killed
        if sys.argv[1] == "noted":
            uploading.look_again = dies_after(uploading.look_again)
        elif sys.argv[1] == "sent":
            pushing.Push.send_artifacts = dies_after(pushing.Push.send_artifacts)
        else:
            pushing.Push.attempt = dies_after(pushing.Push.attempt)
        main(["push", "--all"])
    """)

    def push_and_die() -> None:
        command = [sys.executable, "-c", script, moment, str(clock.ns)]
        killed = subprocess.run(command, cwd=ben.path, capture_output=True, check=False, timeout=100)
        assert -signal.SIGKILL == killed.returncode, killed.stderr

    came = at(monkeypatch, "looked again", push_and_die)
    sweep(ada)
    assert "deleted some" in came

    (needed,) = names_of(ben, run)
    assert needed not in there(storage)
    assert {run} == owed(ben)
    ben.run("push")
    clock.later(2 * HOUR)
    ben.run("push")
    assert set() == owed(ben)
    assert needed in there(storage)
    retrievable(host, tmp_path, storage)


def test_people_are_told_what_is_going_on(
    ada: Person, ben: Person, storage: Path, model: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each step, on both sides."""
    dry = ada.says("artifacts", "gc", "--remote")
    assert "no run needs 1 object (300.0 KiB): not announced yet" in dry
    assert "nothing was changed; --sweep does it" in dry
    assert "announced in the ledger" in ada.says("artifacts", "gc", "--remote", "--sweep")
    assert "1 object may go from" in ada.says("artifacts", "gc", "--remote", "--sweep")
    clock.later(31 * DAY)
    assert 1 == len(ada.json("artifacts", "gc", "--remote")["due"])

    told: list[str] = []
    ben.log(model)
    at(monkeypatch, "looked again", lambda: told.append(ben.says("push", "--all")))
    swept = ada.says("artifacts", "gc", "--remote", "--sweep")

    assert "deleted 1 object (300.0 KiB)" in swept
    assert "somebody was deleting artifacts of 1 run" in told[0]
    assert "looks again" not in ben.says("pull")
    clock.later(2 * HOUR)
    assert "'ledgit push' looks again at the artifacts of 1 run" in ben.says("pull")
    assert "sent artifacts to" in ben.says("push")
    assert "looks again" not in ben.says("pull")
    assert "runs need all of it" in ada.says("artifacts", "gc", "--remote", "--sweep")
