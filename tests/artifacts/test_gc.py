"""``ledgit artifacts gc`` in one clone: what the cache can do without, and what it can't."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, relist, start_project, swap_list
from tests.artifacts.sweeping_kit import DAY, names_of, there

from ledgit.git import Repo
from ledgit.store import ActiveRun, Folder, RunStart
from ledgit.store.artifacts import tidying
from ledgit.store.artifacts.tidying import TidyOptions, tidy_cache


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


@pytest.fixture
def storage(tmp_path: Path, ada: Person) -> Path:
    folder = tmp_path / "storage"
    ada.run("artifacts", "remote", str(folder))
    return folder


def age(person: Person, days: float = 31) -> None:
    """As if everything in the cache had been put there so long ago."""
    when = time.time() - days * DAY
    for path in (person.cache / "files").rglob("*"):
        if path.is_file():
            os.utime(path, (when, when))


def stray(person: Person, path: Path) -> str:
    """An object that no run needs: its run is purged, and only the run."""
    from ledgit.artifacts import Cache

    content = make_file(path).read_bytes()
    return Cache(str(person.cache)).put_bytes(content)


def test_what_no_run_needs_goes_once_it_is_old(ada: Person, tmp_path: Path) -> None:
    """Dry run by default; what runs need stays, however old."""
    ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots"), name="owl")
    kept = ada.objects()
    lost = stray(ada, tmp_path / "stray.bin")

    young = ada.json("artifacts", "gc", "--sweep")
    assert ({}, 1, []) == (young["unneeded"], young["young"], young["removed"])
    age(ada)
    dry = ada.says("artifacts", "gc")
    assert "no run here needs 1 object (300.0 KiB)" in dry
    assert "--sweep removes" in dry
    assert {*kept, lost} == ada.objects()
    said = ada.says("artifacts", "gc", "--sweep")

    assert "removed 1 object (300.0 KiB)" in said
    assert kept == ada.objects()
    assert "there is nothing that could go" in ada.says("artifacts", "gc")
    assert [] == list((ada.cache / "going").glob("*"))


def test_what_a_run_logs_that_is_being_written_stays(ada: Person, tmp_path: Path) -> None:
    """Its journal says so before any commit does, folders included."""
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    run.add_folder(str(make_folder(tmp_path / "plots")), "plots")
    before = ada.objects()
    assert len(before) == 121
    age(ada)

    ada.run("artifacts", "gc", "--sweep", "--grace", "0d")
    assert before == ada.objects()
    assert run.finish() is not None
    ada.run("artifacts", "gc", "--sweep", "--grace", "0d")

    assert before == ada.objects()


def test_young_objects_stay_while_a_run_is_written_whatever_the_grace(ada: Person, tmp_path: Path) -> None:
    """They may be on their way into its journal."""
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    lost = stray(ada, tmp_path / "stray.bin")

    ada.run("artifacts", "gc", "--sweep", "--grace", "0d")
    assert lost in ada.objects()
    run.finish()
    ada.run("artifacts", "gc", "--sweep", "--grace", "0d")
    assert lost not in ada.objects()


@pytest.mark.parametrize("point", ["found", "aside"])
def test_an_object_that_is_logged_again_at_that_moment_stays(
    ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Found to be old and needless, then used: before it is moved aside, or in between."""
    from ledgit.artifacts import Cache

    lost = stray(ada, tmp_path / "stray.bin")
    age(ada)
    seen: list[str] = []

    def checkpoint(name: str) -> None:
        if name == point and not seen:
            seen.append(name)
            Cache(str(ada.cache)).put(str(tmp_path / "stray.bin"), lost, link=False)

    monkeypatch.setattr(tidying, "checkpoint", checkpoint)
    repo = Repo.discover(str(ada.path))
    done = tidy_cache(repo, Folder.of(repo), TidyOptions(act=True))

    assert [point] == seen
    assert lost in ada.objects()
    assert (1 if point == "found" else 0) == done.used


def test_what_a_killed_gc_moved_aside_comes_back_if_it_is_needed(
    ada: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next gc puts it back, and looks again."""
    file = tmp_path / "stray.bin"
    lost = stray(ada, file)
    age(ada)
    repo = Repo.discover(str(ada.path))

    def die(name: str) -> None:
        if name == "aside":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tidying, "checkpoint", die)
        with pytest.raises(KeyboardInterrupt):
            tidy_cache(repo, Folder.of(repo), TidyOptions(act=True))
    assert lost not in ada.objects()
    tidy_cache(repo, Folder.of(repo), TidyOptions(act=True, grace=400 * DAY * 1000))

    assert lost in ada.objects()


def test_with_pushed_the_cache_keeps_only_what_the_remote_has_not(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Looked at again there, with its size; runs that are here alone keep everything."""
    pushed = ada.log(make_file(tmp_path / "model.bin"), make_file(tmp_path / "big.bin"))
    ada.run("push", "--all")
    own = ada.log(make_file(tmp_path / "own.bin"))
    age(ada)
    cut, whole = sorted(names_of(ada, pushed))
    with open(storage / "files" / "md5" / cut[:2] / cut[2:], "r+b") as file:
        os.chmod(file.name, 0o644)
        file.truncate(100)

    dry = ada.json("artifacts", "gc", "--pushed")
    assert [whole] == list(dry["pushed"])
    ada.run("artifacts", "gc", "--pushed", "--sweep")

    assert {cut} | names_of(ada, own) == ada.objects()
    assert whole in there(storage)
    ada.run("artifacts", "fetch", pushed)
    assert whole in ada.objects()


def test_nothing_goes_where_the_list_of_a_folder_is_damaged(ada: Person, tmp_path: Path) -> None:
    """Nobody knows what is in it: its files would look needless."""
    ada.log(make_folder(tmp_path / "plots"))
    (listed,) = (ada.cache / "files").rglob("*.dir")
    listed.chmod(0o644)
    listed.write_bytes(b"[]")
    age(ada)

    said = ada.says("artifacts", "gc", "--sweep", code=3)

    assert "nobody knows which artifacts are still needed" in said
    assert 120 == len(ada.objects())


def test_nothing_goes_where_a_list_does_not_decode(ada: Person, storage: Path, tmp_path: Path) -> None:
    """It is here, and fetching it again would not help: what is said is true, and names the run."""
    run = ada.log(make_folder(tmp_path / "plots"), name="calm-owl")
    listed = swap_list(ada, run, b"[" * 100_000)
    age(ada)

    said = ada.says("artifacts", "gc", "--sweep", code=4)

    assert f"nothing was deleted: the list of a folder (md5:{listed}) of run {run[:8]} does not decode" in said
    assert "ledgit verify" in said
    assert "not in this clone" not in said
    assert 122 == len(ada.objects())
    relist(ada, run, lambda _: b"artifacts: dvc\n")
    said = ada.says("artifacts", "gc", "--sweep", code=4)
    assert f".ledgit/run/artifacts.yaml of run {run[:8]} can't be read" in said
    assert 122 == len(ada.objects())


def test_a_list_of_artifacts_spelled_otherwise_keeps_its_objects(ada: Person, tmp_path: Path) -> None:
    """YAML has other ways to write the same word; whoever reads the run takes it for the same."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    kept = ada.objects()
    relist(ada, run, lambda data: data.replace(b'"dvc"', b'"\\x64vc"'))
    age(ada)

    ada.run("artifacts", "gc", "--sweep")

    assert kept == ada.objects() == names_of(ada, run)


def test_an_old_commit_of_an_edited_run_keeps_its_objects(ada: Person, tmp_path: Path) -> None:
    """Also when the newest one names others: the history of a run stays whole."""
    model = make_file(tmp_path / "model.bin")
    run = ada.log(model)
    before = ada.objects()
    make_file(model)
    repository = ada.repository
    resumed = ActiveRun.resume(repository.repo, run, repository.run(run).heads)
    resumed.add_artifact(str(model), "model.bin")
    assert resumed.finish() is not None
    age(ada)

    ada.run("artifacts", "gc", "--sweep")

    assert before < ada.objects()
    assert 2 == len(ada.objects())


# ---------------------------------------------------------------------- purge


def test_a_purge_takes_large_artifacts_along(ada: Person, storage: Path, tmp_path: Path) -> None:
    """At once, here and on the remote, files of folders too; what another run needs stays. The plan says so first."""
    shared = make_file(tmp_path / "shared.bin")
    secret = ada.log(make_file(tmp_path / "secret.bin"), shared, make_folder(tmp_path / "plots"), name="secret")
    kept = ada.log(shared, name="kept")
    ada.run("push", "--all")
    assert 123 == len(there(storage))

    said = ada.says("gc", "--purge", secret, "--yes")

    assert "with them go 122 objects (" in said
    assert f"deleted large artifacts: 122 objects in this clone's cache, 122 objects on {storage}" in said
    assert "1 object of them stay" in said
    assert names_of(ada, kept) == ada.objects() == there(storage)
    assert "no purge is owed" in ada.says("gc", "--purge")


def test_what_a_purge_could_not_delete_is_owed(ada: Person, storage: Path, tmp_path: Path) -> None:
    """The artifact remote is away: the run goes, and the next purge completes it."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    ada.run("push", "--all")
    storage.rename(tmp_path / "away")
    storage.write_text("in the way")

    said = ada.says("gc", "--purge", secret, "--yes")
    assert "still owed: 1 object of purged runs" in said
    assert set() == ada.objects()
    assert "1 object of purged runs may still be there" in ada.says("gc")
    storage.unlink()
    (tmp_path / "away").rename(storage)
    done = ada.json("gc", "--purge")

    assert 1 == len(done["artifacts"]["there"])
    assert set() == there(storage)
    assert "nothing that could go" in ada.says("gc") or "purged runs may" not in ada.says("gc")


def test_a_purge_here_alone_owes_the_remote(ada: Person, storage: Path, tmp_path: Path) -> None:
    """As with the ledger."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    ada.run("push", "--all")

    assert "still owed" in ada.says("gc", "--purge", secret, "--local", "--yes")
    assert (set(), 1) == (ada.objects(), len(there(storage)))
    ada.run("gc", "--purge")

    assert set() == there(storage)


def test_a_purge_without_any_remote_cleans_the_cache(ada: Person, tmp_path: Path) -> None:
    """Damaged copies that were set aside go as well."""
    from ledgit.artifacts import Cache

    secret = ada.log(make_file(tmp_path / "secret.bin"))
    (oid,) = ada.objects()
    Cache(str(ada.cache)).quarantine(oid)
    Cache(str(ada.cache)).put(str(tmp_path / "secret.bin"), oid, link=False)

    said = ada.says("gc", "--purge", secret, "--yes")

    assert "deleted large artifacts: 1 object in this clone's cache" in said
    content = (tmp_path / "secret.bin").read_bytes()
    assert not [path for path in ada.cache.rglob("*") if path.is_file() and path.read_bytes() == content]


def test_what_a_run_that_is_being_written_shares_with_a_purged_one_stays(ada: Person, tmp_path: Path) -> None:
    """Its journal names the object."""
    model = make_file(tmp_path / "model.bin")
    secret = ada.log(model)
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    run.add_artifact(str(model), "model.bin")
    ada.run("gc", "--purge", secret, "--yes")
    assert run.finish() is not None

    assert names_of(ada, run.id) == ada.objects()
    ada.run("verify", run.id)


@pytest.mark.parametrize("point", ["noted", "purged", "marked", "deleted"])
def test_a_purge_that_is_killed_is_completed(ada: Person, storage: Path, tmp_path: Path, point: str) -> None:
    """Whatever it died at: artifacts of a run that is still there stay, those of a purged one go."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    kept = ada.log(make_file(tmp_path / "kept.bin"))
    ada.run("push", "--all")
    script = textwrap.dedent("""
        import os, signal, sys
        from ledgit.cli import main
        from ledgit.store import gc
        from ledgit.store.artifacts import purging, sweeping
        die = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
        point, run = sys.argv[1:]
        if point == "noted":
            import ledgit.store.gc
            ledgit.store.gc.sweep = die
        elif point == "purged":
            purging.purge_objects = die
        else:
            wanted = {"marked": "marked", "deleted": "deleted some"}[point]
            sweeping.checkpoint = lambda name: die() if name == wanted else None
        main(["gc", "--purge", run, "--yes"])
    """)
    command = [sys.executable, "-c", script, point, secret]
    killed = subprocess.run(command, cwd=ada.path, capture_output=True, check=False, timeout=100)
    assert -signal.SIGKILL == killed.returncode, killed.stderr

    ada.run("gc", "--purge")
    if point == "noted":  # nothing had been purged, so nothing may have gone
        assert names_of(ada, secret) <= ada.objects() & there(storage)
        ada.run("gc", "--purge", secret, "--yes")

    assert names_of(ada, kept) == ada.objects() == there(storage)
    assert "may still be there" not in ada.says("gc")


def test_a_purge_that_is_refused_owes_nothing(ada: Person, storage: Path, tmp_path: Path) -> None:
    """A clone with the list of runs alone can't purge, and keeps no note of it."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    ada.run("push", "--all")
    ada.git("config", "ledgit.fetch", "tip")

    assert "full clone" in ada.says("gc", "--purge", run, "--yes", code=3)

    assert [] == ada.json("gc")["artifacts_owed"]
    assert names_of(ada, run) == ada.objects() == there(storage)


def test_a_clone_of_the_tip_alone_tidies_its_cache(ada: Person, storage: Path, tmp_path: Path) -> None:
    """What neither its own runs nor those that were fetched need can be had from the remote again."""
    ada.log(make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots"))
    fetched = ada.log(make_file(tmp_path / "fetched.bin"))
    ada.run("push", "--all")
    eve = clone(tmp_path / "host.git", tmp_path / "eve")
    eve.git("config", "ledgit.fetch", "tip")
    eve.run("artifacts", "remote", str(storage))
    eve.run("pull")
    own = eve.log(make_file(tmp_path / "own.bin"))
    eve.run("artifacts", "fetch", fetched)
    lost = stray(eve, tmp_path / "stray.bin")
    assert lost in eve.objects()
    age(eve)

    eve.run("artifacts", "gc", "--sweep")

    assert names_of(eve, own) | names_of(eve, fetched) == eve.objects()
