"""Runs that somebody else purged: a clone that hears of it keeps nothing of their large artifacts."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, start_project
from tests.artifacts.sweeping_kit import names_of

from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


@pytest.fixture
def bob(tmp_path: Path, ada: Person) -> Person:
    """He gets artifacts from the same place."""
    person = clone(tmp_path / "host.git", tmp_path / "bob")
    for one in (ada, person):
        one.run("artifacts", "remote", str(tmp_path / "storage"))
    return person


def share(ada: Person, bob: Person, *runs: str) -> None:
    """Bob has the runs, and all their artifacts."""
    ada.run("push", "--all")
    bob.run("pull")
    for run in runs:
        bob.run("artifacts", "fetch", run)


@pytest.mark.parametrize("command", ["pull", "push"])
def test_what_was_fetched_of_a_purged_run_goes_with_it(ada: Person, bob: Person, tmp_path: Path, command: str) -> None:
    """Files, files of folders and damaged copies, at once; what another run here needs stays, and nothing is owed."""
    from ledgit.artifacts import Cache

    shared = make_file(tmp_path / "shared.bin")
    secret = ada.log(make_file(tmp_path / "secret.bin"), shared, make_folder(tmp_path / "plots"))
    kept = ada.log(shared)
    share(ada, bob, secret, kept)
    assert 123 == len(bob.objects())
    (lone,) = {oid for oid in bob.objects() if Cache(str(bob.cache)).size(oid) > 300_000} - names_of(bob, kept)
    Cache(str(bob.cache)).quarantine(lone)
    ada.run("gc", "--purge", secret, "--yes")

    if command == "push":
        bob.log(make_file(tmp_path / "more.bin", 10))
    bob.run(command, *(["--all"] if command == "push" else []))

    assert names_of(bob, kept) == bob.objects()
    assert [] == [path for path in bob.cache.rglob("*") if path.is_file() and lone in path.name]
    assert [] == bob.json("gc")["artifacts_owed"]
    bob.run("verify", kept)


@pytest.mark.parametrize("point", ["noted", "adopted", "aside"])
def test_a_pull_that_is_killed_is_completed_by_the_next_command(
    ada: Person, bob: Person, tmp_path: Path, point: str
) -> None:
    """Before it nothing has gone; after it nothing stays."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    kept = ada.log(make_file(tmp_path / "kept.bin"))
    share(ada, bob, secret, kept)
    ada.run("gc", "--purge", secret, "--yes")
    script = textwrap.dedent("""
        import os, signal, sys
        from ledgit.cli import main
        from ledgit.store.artifacts import dropping
        from ledgit.store.sync import line
        die = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
        point = sys.argv[1]
        if point == "noted":
            line.Line.adopt = die
        elif point == "adopted":
            dropping.drop_objects = die
        else:
            dropping.checkpoint = lambda name: die() if name == point else None
        main(["pull"])
    """)
    command = [sys.executable, "-c", script, point]
    killed = subprocess.run(command, cwd=bob.path, capture_output=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr
    if point == "noted":
        assert names_of(bob, kept) < bob.objects()

    bob.run("pull")

    assert names_of(bob, kept) == bob.objects()
    assert [] == list((bob.path / ".git" / "ledgit" / "going").iterdir())
    assert [] == bob.json("gc")["artifacts_owed"]


def test_where_nobody_can_judge_it_stays_and_is_owed(ada: Person, bob: Person, tmp_path: Path) -> None:
    """A folder of another run, whose list is not here, may have the file: the pull goes on, and gc tells."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    ada.log(make_folder(tmp_path / "plots"))
    share(ada, bob, secret)
    before = bob.objects()
    ada.run("gc", "--purge", secret, "--yes")

    bob.run("pull")

    assert before == bob.objects()
    assert sorted(before) == sorted(bob.json("gc")["artifacts_owed"])
    bob.run("gc", "--purge")
    assert not before & bob.objects()


def test_what_a_run_that_is_being_written_uses_stays(ada: Person, bob: Person, tmp_path: Path) -> None:
    """Its journal names the object."""
    model = make_file(tmp_path / "model.bin")
    secret = ada.log(model)
    share(ada, bob, secret)
    run = ActiveRun.create(Repo.discover(str(bob.path)), RunStart())
    run.add_artifact(str(model), "model.bin")
    ada.run("gc", "--purge", secret, "--yes")

    bob.run("pull")
    assert run.finish() is not None

    assert names_of(bob, run.id) == bob.objects()
    bob.run("verify", run.id)


def test_a_purge_that_is_not_agreed_to_takes_nothing(ada: Person, bob: Person, tmp_path: Path) -> None:
    """Bob's own runs go only if he agrees; their artifacts as well."""
    own = bob.log(make_file(tmp_path / "own.bin"))
    bob.run("push", "--all")
    ada.run("pull")
    ada.run("gc", "--purge", own, "--yes")
    before = bob.objects()

    bob.run("pull", code=4)
    assert before == bob.objects()
    bob.run("pull", "--accept-purges")

    assert set() == bob.objects()


@pytest.fixture
def eve(tmp_path: Path, bob: Person) -> Person:
    """She has the list of runs alone."""
    person = clone(tmp_path / "host.git", tmp_path / "eve")
    person.git("config", "ledgit.fetch", "tip")
    person.run("artifacts", "remote", str(tmp_path / "storage"))
    return person


@pytest.mark.parametrize("command", ["pull", "push"])
def test_a_clone_of_the_tip_alone_drops_what_it_has_fetched(
    ada: Person, eve: Person, tmp_path: Path, command: str
) -> None:
    """Though most runs are not here, and lists of other folders are not; what is here and needed stays."""
    shared = make_file(tmp_path / "shared.bin")
    secret = ada.log(make_file(tmp_path / "secret.bin"), shared, make_folder(tmp_path / "plots"))
    kept = ada.log(shared)
    ada.log(make_file(tmp_path / "other.bin"), make_folder(tmp_path / "more"))
    ada.run("push", "--all")
    eve.run("pull")
    own = eve.log(make_file(tmp_path / "own.bin"))
    for run in (secret, kept):
        eve.run("artifacts", "fetch", run)
    assert 124 == len(eve.objects())
    ada.run("gc", "--purge", secret, "--yes")

    eve.run(command, *(["--all"] if command == "push" else []))

    assert names_of(eve, kept) | names_of(eve, own) == eve.objects()
    assert [] == eve.json("gc")["artifacts_owed"]
    eve.run("verify", kept)


def test_a_clone_of_the_tip_alone_comes_back_to_what_was_in_use(ada: Person, eve: Person, tmp_path: Path) -> None:
    """Nobody can purge there, so the next pull of a purge takes with it what the one before had to leave."""
    model = make_file(tmp_path / "model.bin")
    first, second = ada.log(model), ada.log(make_file(tmp_path / "other.bin"))
    ada.run("push", "--all")
    eve.run("pull")
    for run in (first, second):
        eve.run("artifacts", "fetch", run)
    before = eve.objects()
    run = ActiveRun.create(Repo.discover(str(eve.path)), RunStart())
    ada.run("gc", "--purge", first, "--yes")
    eve.run("pull")
    assert before == eve.objects()
    assert 1 == len(eve.json("gc")["artifacts_owed"])
    assert run.finish() is not None

    ada.run("gc", "--purge", second, "--yes")
    eve.run("pull")

    assert set() == eve.objects()
    assert [] == eve.json("gc")["artifacts_owed"]
