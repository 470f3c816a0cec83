"""What a session logged and logged over: no commit names it, and a purge of the run takes it all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, start_project
from tests.artifacts.sweeping_kit import names_of

from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.artifacts.superseded import superseded_objects


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


def log_over(person: Person, place: Path, run: ActiveRun | None = None) -> str:
    """A run that logs a file, a folder and a file into the folder, and then logs over all of them."""
    run = run or ActiveRun.create(Repo.discover(str(person.path)), RunStart())
    for _ in range(2):
        run.add_artifact(str(make_file(place / "model.bin")), "model.bin")
        run.add_folder(str(make_folder(place / "plots")), "plots")
        run.add_artifact(str(make_file(place / "more.bin")), "plots/more.bin")
    assert run.finish() is not None, run.problems
    return run.id


def noted(person: Person, *runs: str) -> set[str]:
    return superseded_objects(Folder.of(Repo.discover(str(person.path))), runs)


def test_a_purge_takes_what_was_logged_over(ada: Person, tmp_path: Path) -> None:
    """Files, folders' lists and their files; of a session that was resumed, too. What others need stays."""
    secret = log_over(ada, tmp_path / "one")
    log_over(ada, tmp_path / "two", ActiveRun.resume(Repo.discover(str(ada.path)), secret))
    kept = ada.log(tmp_path / "two" / "plots", tmp_path / "two" / "model.bin")
    assert names_of(ada, secret) < ada.objects()

    ada.run("gc", "--purge", secret, "--yes")

    assert names_of(ada, kept) == ada.objects()
    assert set() == noted(ada, secret)
    assert [] == list((ada.path / ".git" / "ledgit" / "superseded").iterdir())


def test_a_run_that_logs_nothing_over_leaves_no_note(ada: Person, tmp_path: Path) -> None:
    """Neither does the same content, logged twice."""
    model = make_file(tmp_path / "model.bin")
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    run.add_folder(str(make_folder(tmp_path / "plots")), "plots")
    for _ in range(2):
        run.add_artifact(str(model), "model.bin")
    assert run.finish() is not None

    assert not (ada.path / ".git" / "ledgit" / "superseded").exists()


def test_sweeps_need_no_such_object(ada: Person, tmp_path: Path) -> None:
    """The grace over, it goes as what no run needs, and the note of it with it."""
    run = log_over(ada, tmp_path)
    assert noted(ada, run)
    folder = ada.path / ".git" / "ledgit" / "superseded"
    for name, hours in (("left.tmp", 25), ("young.tmp", 1)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - hours * 3600,) * 2)

    ada.run("artifacts", "gc", "--sweep", "--grace", "0d")

    assert names_of(ada, run) == ada.objects()
    assert set() == noted(ada, run)
    assert ["young.tmp"] == [path.name for path in folder.iterdir()]


def test_a_clone_that_hears_of_the_purge_drops_it_too(ada: Person, tmp_path: Path) -> None:
    """A run that was resumed elsewhere has such objects there."""
    bob = clone(tmp_path / "host.git", tmp_path / "bob")
    for one in (ada, bob):
        one.run("artifacts", "remote", str(tmp_path / "storage"))
    run = ada.log(make_file(tmp_path / "first.bin"))
    ada.run("push", "--all")
    bob.run("pull")
    state = bob.repository.run(run).state
    log_over(bob, tmp_path / "bobs", ActiveRun.resume(Repo.discover(str(bob.path)), run, state.heads))
    bob.run("push", "--all")
    ada.run("pull")
    assert noted(bob, run)
    ada.run("gc", "--purge", run, "--yes")

    bob.run("pull", "--accept-purges")

    assert set() == bob.objects()
    assert set() == noted(bob, run)


KILLED = textwrap.dedent("""
    import os, signal, sys, time
    from ledgit.git import Repo
    from ledgit.store import ActiveRun, RunStart, finalizing
    from ledgit.store.artifacts import hasher
    die = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
    point = sys.argv[1]
    run = ActiveRun.create(Repo.discover("."), RunStart())
    for data in (b"a" * 300_000, b"b" * 300_000):
        run.add_artifact_bytes("model.bin", data)
        while hasher._thread is not None:
            time.sleep(0.01)
    print(run.id, flush=True)
    finalizing.checkpoint = lambda name: die() if name == point else None
    run.finish()
""")


@pytest.mark.parametrize("point", ["artifacts", "pack", "ref", "keep", "active-ref", "journal"])
def test_an_end_that_is_killed_loses_no_note(ada: Person, tmp_path: Path, point: str) -> None:
    """Wherever: as soon as the journal is gone the note is there, and a purge takes the object."""
    command = [sys.executable, "-c", KILLED, point]
    killed = subprocess.run(command, cwd=ada.path, capture_output=True, text=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr
    run = killed.stdout.strip()

    ada.run("tag", run, "seen=yes")
    assert 2 == len(ada.objects())
    assert 1 == len(noted(ada, run))
    ada.run("gc", "--purge", run, "--yes")

    assert set() == ada.objects()


def test_a_copy_that_a_killed_thread_had_put_away_is_noted(ada: Person) -> None:
    """The process died after the cache had it and before the journal said so."""
    script = textwrap.dedent("""
        import os, signal, threading
        from ledgit.git import Repo
        from ledgit.store import ActiveRun, RunStart
        put = threading.Event()
        ActiveRun.note_hashed = lambda *args: (put.set(), threading.Event().wait())
        run = ActiveRun.create(Repo.discover("."), RunStart())
        for data in (b"a" * 300_000, b"b" * 300_000):
            run.add_artifact_bytes("model.bin", data)
            put.wait()
        print(run.id, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    killed = subprocess.run(
        [sys.executable, "-c", script], cwd=ada.path, capture_output=True, text=True, check=False, timeout=100
    )
    assert -signal.SIGKILL == killed.returncode, killed.stderr
    run = killed.stdout.strip()
    assert 1 == len(ada.objects())

    ada.run("tag", run, "seen=yes")
    assert 2 == len(ada.objects())
    ada.run("gc", "--purge", run, "--yes")

    assert set() == ada.objects()


@pytest.mark.parametrize("point", ["noted", "forgotten", "purged"])
def test_a_purge_that_is_killed_is_completed(ada: Person, tmp_path: Path, point: str) -> None:
    """What it died at is noted with the run's other objects, before the note of the session goes."""
    run = log_over(ada, tmp_path)
    script = textwrap.dedent("""
        import os, signal, sys
        from ledgit.cli import main
        from ledgit.store import gc
        from ledgit.store.artifacts import purging
        from ledgit.store.ledger import purging as here
        die = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
        point, run = sys.argv[1:]
        if point == "noted":
            gc.sweep = die
        elif point == "purged":
            purging.purge_objects = die
        else:
            here.checkpoint = lambda name: die() if name == point else None
        main(["gc", "--purge", run, "--yes"])
    """)
    command = [sys.executable, "-c", script, point, run]
    killed = subprocess.run(command, cwd=ada.path, capture_output=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr

    ada.run("gc", "--purge")
    if point == "noted":
        assert names_of(ada, run) == ada.objects()
        ada.run("gc", "--purge", run, "--yes")

    assert set() == ada.objects()
