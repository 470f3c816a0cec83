"""An upload that takes long keeps nobody from pulling and pushing, and nothing gets lost or comes back by that."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, start_project
from tests.artifacts.sweeping_kit import names_of, there

from ledgit.errors import Conflict
from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.sync.opening import Aside, SyncLock, UploadLock

PUSH = textwrap.dedent("""
    import os, signal, sys, time
    from ledgit.artifacts.remote import ObjectRemote
    from ledgit.cli import main
    from ledgit.store.artifacts import uploading
    from ledgit.store.sync import opening
    point, place = sys.argv[1:]
    uploading._LONG_BYTES = 0

    def stop():
        open(place + "/there", "x").close()
        while not os.path.exists(place + "/go"):
            time.sleep(0.01)

    upload, enter = ObjectRemote.upload, opening.UploadLock.__enter__

    def slowly(self, cache, oids, progress=None):
        ObjectRemote.upload = upload
        stop()
        return upload(self, cache, oids, progress)

    def later(self):
        opening.UploadLock.__enter__ = enter
        stop()
        return enter(self)

    if point == "sending":
        ObjectRemote.upload = slowly
    else:
        opening.UploadLock.__enter__ = later
    sys.exit(main(["push", "--all"]))
""")


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


@pytest.fixture
def storage(tmp_path: Path, ada: Person) -> Path:
    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    return tmp_path / "storage"


class Pushing:
    """A push of Ada's, in a process of its own, that waits at some point until it is told to go on."""

    def __init__(self, person: Person, place: Path, point: str = "sending") -> None:
        self._place = place
        command = [sys.executable, "-c", PUSH, point, str(place)]
        self._process = subprocess.Popen(command, cwd=person.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for((place / "there").exists, self._process)

    def end(self) -> str:
        """Let it go on, and return what it said."""
        (self._place / "go").touch()
        said, _ = self._process.communicate(timeout=200)
        assert 0 == self._process.returncode, said
        return said.decode()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate(timeout=100)


def wait_for(condition: object, process: subprocess.Popen[bytes] | None = None) -> None:
    assert callable(condition)
    for _ in range(12_000):
        if condition():
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_others_pull_and_push_meanwhile(ada: Person, storage: Path, tmp_path: Path) -> None:
    """What they bring is part of what is pushed at last, and nobody's run is lost."""
    bob = clone(tmp_path / "host.git", tmp_path / "bob")
    theirs = bob.log(name="theirs")
    heavy = ada.log(make_file(tmp_path / "model.bin"))
    pushing = Pushing(ada, tmp_path)
    bob.run("push", "--all")

    assert [theirs] == ada.json("pull")["new"]
    light = ada.log(name="light")
    pushed = ada.json("push", "--all", "--runs", light)
    assert [light] == pushed["new"]
    assert set() == there(storage)
    pushing.end()

    assert ada.objects() == there(storage)
    assert {heavy, light, theirs} == set(bob.json("pull")["new"]) | {theirs}
    assert {"runs": 0, "objects": 0, "bytes": 0} == ada.json("push")["artifacts"]["only_here"]


def test_a_push_that_is_killed_while_it_sends_is_repeated(ada: Person, storage: Path, tmp_path: Path) -> None:
    """Its locks go with it."""
    run = ada.log(make_file(tmp_path / "model.bin"))
    Pushing(ada, tmp_path).kill()

    assert [run] == ada.json("push", "--all")["new"]

    assert ada.objects() == there(storage)


@pytest.mark.parametrize("point", ["sending", "waiting"])
def test_what_is_purged_meanwhile_does_not_stay_on_the_remote(
    ada: Person, storage: Path, tmp_path: Path, point: str
) -> None:
    """A purge waits for the upload before it looks; an upload that begins after it leaves the run out."""
    secret = ada.log(make_file(tmp_path / "secret.bin"))
    gone = names_of(ada, secret)
    kept = ada.log(make_file(tmp_path / "kept.bin"))
    pushing = Pushing(ada, tmp_path, point)
    purge = subprocess.Popen(
        [sys.executable, "-m", "ledgit", "gc", "--purge", secret, "--yes"],
        cwd=ada.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if point == "waiting":  # nobody sends yet: it comes to its end
        purge.communicate(timeout=200)
        assert not gone & ada.objects()
    else:
        stones = ada.path / ".git" / "ledgit" / "artifacts-purged.json"
        wait_for(stones.exists, purge)

    pushing.end()

    purge.communicate(timeout=200)
    ada.run("gc", "--purge")
    assert not gone & (ada.objects() | there(storage))
    ada.run("push", "--all")
    assert names_of(ada, kept) == ada.objects() == there(storage)


def test_who_loses_the_clone_to_others_pushes_nothing(ada: Person) -> None:
    """The context ends without the lock and says so; it can be had again when the others are done."""
    folder = Folder.of(Repo.discover(str(ada.path)))
    mine = SyncLock(folder, wait=0.0)
    taken, done = threading.Event(), threading.Event()

    def other() -> None:
        with SyncLock(folder, wait=10.0):
            taken.set()
            done.wait()

    thread = threading.Thread(target=other)
    with mine:
        with Aside(mine, folder) as aside:
            thread.start()
            taken.wait()
        assert isinstance(aside.lost, Conflict)
        assert aside.was_open
        done.set()
        thread.join()
        again = Aside(mine, folder)
        with again:
            assert not again.was_open
    with SyncLock(folder, wait=0.0), Aside(mine, folder) as nested:
        assert not nested.was_open


def test_a_lock_that_was_taken_twice_is_not_let_go(ada: Person) -> None:
    """Whoever took it first doesn't know that others could work."""
    folder = Folder.of(Repo.discover(str(ada.path)))
    with SyncLock(folder), SyncLock(folder) as inner:
        assert not inner.pause()
        with Aside(SyncLock(folder), folder) as aside:
            assert not aside.was_open
            with pytest.raises(Conflict):
                in_another_thread(lambda: SyncLock(folder, wait=0.0).__enter__())


def test_one_upload_at_a_time(ada: Person) -> None:
    """The second waits without keeping others from working."""
    folder = Folder.of(Repo.discover(str(ada.path)))
    mine = SyncLock(folder)
    with mine, Aside(mine, folder):
        with pytest.raises(Conflict, match="sends artifacts"):
            in_another_thread(lambda: UploadLock(folder, wait=0.0).__enter__())
        in_another_thread(lambda: enter_and_leave(SyncLock(folder, wait=0.0)))


def enter_and_leave(lock: SyncLock) -> None:
    with lock:
        pass


def in_another_thread(act: object) -> None:
    """Do it there, and raise here what it raised."""
    from concurrent.futures import ThreadPoolExecutor

    assert callable(act)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(act).result()
