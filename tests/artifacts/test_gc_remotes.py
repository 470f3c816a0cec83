"""Sweeps and purges of artifact remotes on S3 and over SSH: what goes, what stays, and a connection that breaks."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, start_project
from tests.artifacts.servers import BUCKET, S3, S3_USER, SSHD, Sshd, Wire
from tests.artifacts.sweeping_kit import DAY, Clock, at, marks, names_of, there
from tests.artifacts.sweeping_kit import sweep as sweep_there

from ledgit.errors import RemoteError
from ledgit.store.artifacts.marks import CANDIDATE, SWEPT
from ledgit.store.artifacts.sweeping import SweptThere

HOUR = 3600
LOST = 30
"""Objects that no run needs; an S3 client of ours deletes one with a request."""


class Storage:
    """An artifact remote behind a wire that can be cut, looked at without Ledgit."""

    def __init__(self, url: str, wire: Wire, folder: Path | None, s3: S3 | None) -> None:
        self.url, self.wire, self.folder, self.s3 = url, wire, folder, s3

    def oids(self) -> set[str]:
        """Ids of the objects there; nothing else may be there."""
        if self.folder is not None:
            every = [path for path in self.folder.rglob("*") if path.is_file()]
            found = there(self.folder)
        else:
            assert self.s3 is not None
            every = list(self.s3.keys("store/"))
            found = {key.removeprefix("store/files/md5/").replace("/", "") for key in every}
        assert len(every) == len(found)
        return found

    def put(self, data: bytes) -> str:
        """Put an object there that no run needs."""
        oid = hashlib.md5(data, usedforsecurity=False).hexdigest()
        name = f"files/md5/{oid[:2]}/{oid[2:]}"
        if self.folder is not None:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        else:
            assert self.s3 is not None
            self.s3.client().put_object(Bucket=BUCKET, Key=f"store/{name}", Body=data)
        return oid


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3")).run() as server:
        yield server


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd | None]:
    if SSHD is None:
        yield None
        return
    with Sshd(tmp_path_factory.mktemp("sshd")).run() as server:
        yield server


def personal(options: dict[str, str]) -> None:
    """What a person has in their own DVC configuration, outside every repository."""
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "dvc" / "config"
    path.parent.mkdir(parents=True)
    lines = ["['remote \"ledgit\"']", *(f"    {key} = {value}" for key, value in options.items())]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(params=["s3", "ssh"])
def storage(request: pytest.FixtureRequest, s3: S3, sshd: Sshd | None, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "s3":
        with Wire(s3.port).run() as wire:
            personal({"endpointurl": f"http://127.0.0.1:{wire.port}", "region": "us-east-1", **S3_USER})
            yield Storage(f"s3://{BUCKET}/store", wire, None, s3)
        if keys := [{"Key": key} for key in list(s3.keys())]:
            s3.client().delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
        return
    if sshd is None:
        pytest.skip("no sshd here; CI installs openssh-server")
    with Wire(sshd.port).run() as wire:
        sshd.trust(Path(os.environ["HOME"]), wire.port)
        personal({"keyfile": str(sshd.keyfile)})
        folder = tmp_path / "storage"
        yield Storage(sshd.url(folder, wire.port), wire, folder, None)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    return start_project(tmp_path)


@pytest.fixture
def people(host: Path, tmp_path: Path, storage: Storage) -> tuple[Person, Person]:
    """Ada has published a file; Ben has a clone."""
    ada, ben = (clone(host, tmp_path / name) for name in ("ada", "ben"))
    for person in (ada, ben):
        person.run("artifacts", "remote", storage.url)
    ada.log(make_file(tmp_path / "stays.bin"), name="stays")
    ada.run("push", "--all")
    return ada, ben


@pytest.fixture
def lost(people: tuple[Person, Person], storage: Storage) -> set[str]:
    """Objects on the remote that no run needs."""
    return {storage.put(b"nobody needs me %d" % number) for number in range(LOST)}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def sweep(person: Person, *, act: bool = True) -> SweptThere:
    """Most of what is there nobody needs: that it is nobody else's has to be said."""
    return sweep_there(person, act=act, unshared=True)


def retrievable(host: Path, tmp_path: Path, storage: Storage) -> None:
    """A new clone gets every artifact of every run from the remote."""
    new = clone(host, tmp_path / f"new-{len(list(tmp_path.iterdir()))}")
    new.run("artifacts", "remote", storage.url)
    new.run("pull")
    runs = [run["id"] for run in new.json("ls", "--all")]
    assert runs
    new.run("artifacts", "fetch", *runs)


def test_what_no_run_needs_goes_in_two_phases(
    people: tuple[Person, Person], host: Path, storage: Storage, lost: set[str], tmp_path: Path, clock: Clock
) -> None:
    """One announces it, the other deletes it after the grace; what runs need stays, a folder's files included."""
    ada, ben = people
    run = ada.log(make_folder(tmp_path / "plots"))
    ada.run("push", "--all")
    needed = names_of(ada, "stays") | names_of(ada, run)
    assert 122 == len(needed)
    assert needed | lost == storage.oids()

    dry = sweep(ada, act=False)
    assert lost == set(dry.fresh)
    assert len(needed | lost) == dry.objects
    assert lost == set(sweep(ada).fresh)
    assert dict.fromkeys(lost, CANDIDATE) == {oid: mark.state for oid, mark in marks(host).items()}
    clock.later(29 * DAY)
    early = sweep(ada)
    assert ({}, []) == (early.due, early.deleted)
    assert needed | lost == storage.oids()
    clock.later(1 * DAY)
    swept = sweep(ben)

    assert (lost, {}) == (set(swept.deleted), swept.failed)
    assert needed == storage.oids()
    assert {} == marks(host)
    retrievable(host, tmp_path, storage)


@pytest.mark.parametrize("point", ["marked", "looked again", "deleted some"])
def test_a_push_at_any_moment_of_a_sweep(
    people: tuple[Person, Person],
    host: Path,
    storage: Storage,
    lost: set[str],
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    """Ben's run needs an object that Ada deletes: it is there afterwards, or Ben's next push sends it."""
    ada, ben = people
    file = make_file(tmp_path / "model.bin")
    again = storage.put(file.read_bytes())
    sweep(ada)
    clock.later(31 * DAY)
    run = ben.log(file)

    came = at(monkeypatch, point, lambda: ben.run("push", "--all"))
    swept = sweep(ada)
    assert point in came
    assert lost <= set(swept.deleted) <= lost | {again}
    clock.later(2 * HOUR)
    ben.run("push")

    assert {again} == names_of(ben, run)
    assert names_of(ada, "stays") | {again} == storage.oids()
    clock.later(40 * DAY)
    assert [] == sweep(ada).deleted
    retrievable(host, tmp_path, storage)


def test_a_connection_that_breaks_while_objects_go(
    people: tuple[Person, Person],
    host: Path,
    storage: Storage,
    lost: set[str],
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said, the marks stay, and the next sweep after their hour deletes the rest."""
    ada, ben = people
    sweep(ada)
    clock.later(31 * DAY)

    at(monkeypatch, "looked again", lambda: storage.wire.cut_after(3000))
    with contextlib.suppress(RemoteError):
        swept = sweep(ada)
        assert swept.failed
        assert lost == set(swept.deleted) | set(swept.failed)
    left = storage.oids() & lost
    assert left
    storage.wire.mend()
    assert left <= {oid for oid, mark in marks(host).items() if mark.state == SWEPT}
    retrievable(host, tmp_path, storage)
    clock.later(2 * HOUR)
    sweep(ben)
    clock.later(DAY)
    sweep(ben)

    assert names_of(ada, "stays") == storage.oids()
    assert {} == marks(host)


def test_a_purged_runs_objects_go_at_once(
    people: tuple[Person, Person], host: Path, storage: Storage, tmp_path: Path
) -> None:
    """And no object that another run needs."""
    ada, _ = people
    file = tmp_path / "stays.bin"
    kept = storage.oids()
    run = ada.log(file, make_file(tmp_path / "secret.bin"))
    ada.run("push", "--all")
    assert 1 == len(storage.oids() - kept)

    ada.run("rm", run)
    ada.run("gc", "--purge", run, "--yes")

    assert kept == storage.oids()
    retrievable(host, tmp_path, storage)


def test_a_purge_without_a_connection_is_owed(people: tuple[Person, Person], storage: Storage, tmp_path: Path) -> None:
    """The runs go, the objects stay noted, and the same command goes on once somebody answers."""
    ada, _ = people
    kept = storage.oids()
    run = ada.log(make_file(tmp_path / "secret.bin"))
    ada.run("push", "--all")
    ada.run("rm", run)
    storage.wire.cut_after(0)
    storage.wire.reset()
    process = ada.process("gc", "--purge", run, "--yes", code=None)
    assert kept < storage.oids(), process
    storage.wire.mend()

    ada.run("gc", "--purge", "--yes")

    assert kept == storage.oids()
