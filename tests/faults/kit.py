"""Helpers of the fault tests: children that can be killed, and what a repository looks like."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.conftest import run_git

from ledgit.git import Objects, Repo, list_refs
from ledgit.store import Folder, Head, Recovered, recover
from ledgit.store.chain import read_commit
from ledgit.store.settle import settle_all, settle_leftovers

ROOT = Path(__file__).resolve().parents[2]
RUNS = "refs/ledgit/runs/"
PATIENCE = 30.0  #: seconds that a child may be silent


class Died(Exception):
    """The child ended without a result; the messages it had sent are the argument."""


class Child:
    """One forked process; see ``server.py``."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self.said: list[Any] = []
        self.pid = int(json.loads(self._stream.readline())["pid"])
        try:
            self._handle = os.pidfd_open(self.pid)
        except ProcessLookupError:  # a short life
            self._handle = -1

    def listen(self) -> Iterator[Any]:
        """Yield what the child says until it ends; a result or error ends the iteration."""
        for line in self._stream:
            if not line.endswith(b"\n"):
                return  # killed in the middle of a word
            message = json.loads(line)
            if "said" in message:
                self.said.append(message["said"])
                yield message["said"]
            elif "error" in message:
                raise AssertionError(message["error"])
            else:
                self._result = message["result"]
                self._ended = True
                return

    _ended = False
    _result: Any = None

    def hear(self, wanted: object) -> None:
        """Wait until the child says *wanted*."""
        for said in self.listen():
            if said == wanted:
                return
        raise AssertionError(f"the child ended without saying {wanted!r}; it said {self.said}")

    def result(self) -> Any:
        """Wait for the end and return the task's result; Died if it was killed."""
        try:
            for _ in self.listen():
                pass
        finally:
            self.close()
        if not self._ended:
            raise Died(self.said)
        return self._result

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def say(self, word: str = "go") -> None:
        """Let a child that waits for a word go on."""
        self._connection.sendall(word.encode() + b"\n")

    def close(self) -> None:
        """Close our end of the connection and wait until the process is gone, and its locks with it.

        The connection's end alone says too little: a dying process closes it before its locks.
        """
        self._stream.close()
        self._connection.close()
        if self._handle >= 0:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            assert poll.poll(PATIENCE * 1000), f"process {self.pid} does not end"
            os.close(self._handle)
            self._handle = -1


class Forks:
    """The client of one fork server."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "s")
        env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.faults.server", self._path],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def start(
        self, task: str, *args: object, cwd: str | Path | None = None, env: dict[str, str] | None = None
    ) -> Child:
        """Run a task (``name``, or ``module:name``) in a child that is on its way when this returns."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self._path)
        order = {
            "task": f"tests.faults.{task}" if ":" in task else f"tests.faults.tasks:{task}",
            "args": args,
            "cwd": str(cwd or Path.cwd()),
            "env": {**os.environ, **(env or {})},
        }
        connection.sendall(json.dumps(order).encode() + b"\n")
        return Child(connection)

    def run(self, task: str, *args: object, cwd: str | Path | None = None, env: dict[str, str] | None = None) -> Any:
        """Run a task to its end and return its result."""
        return self.start(task, *args, cwd=cwd, env=env).result()

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def fingerprint(path: Path, git_dir: Path | None = None) -> dict[str, str]:
    """Return every file that belongs to the user (work tree, Git directory) with mode and digest.

    Left out: objects, and what is Ledgit's own (its folder and its refs).
    """
    found: dict[str, str] = {}
    tops = [os.fsencode(path)]
    if git_dir is not None and not git_dir.resolve().is_relative_to(path.resolve()):
        tops.append(os.fsencode(git_dir))
    for top in tops:
        for folder, folders, files in os.walk(top):
            inside = os.path.relpath(folder, top).split(b"/")
            if b".git" in inside or top != tops[0] or (os.path.exists(top + b"/HEAD")):
                folders[:] = [
                    name
                    for name in folders
                    if name not in (b"objects", b"ledgit") or (name == b"objects" and inside[-1] == b"refs")
                ]
            for name in [*files, *(entry for entry in folders if os.path.islink(os.path.join(folder, entry)))]:
                whole = os.path.join(folder, name)
                mode = os.lstat(whole).st_mode
                if os.path.islink(whole):
                    content = os.readlink(whole)
                else:
                    with open(whole, "rb") as file:
                        content = file.read()
                found[os.fsdecode(whole)] = f"{mode:o} {hashlib.sha1(content).hexdigest()}"
    return found


def work_tree_as_git_sees_it(path: Path) -> dict[str, tuple[str, str]]:
    """Return path → (mode, blob) of the work tree, by ``git add -A`` on a copy of the index.

    The objects go into a folder of their own: they must not be what the run's commit lives on.
    """
    index = Path(run_git(path, "rev-parse", "--path-format=absolute", "--git-path", "index"))
    objects = run_git(path, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    top = run_git(path, "rev-parse", "--show-toplevel")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "index")
        if index.exists():
            shutil.copy2(index, scratch)  # with its time, which decides what Git looks at again
        env = {
            **os.environ,
            "GIT_INDEX_FILE": str(scratch),
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        subprocess.run(["git", "add", "-A"], cwd=top, env=env, check=True, capture_output=True)
        done = subprocess.run(["git", "write-tree"], cwd=top, env=env, check=True, capture_output=True)
        tree = done.stdout.decode().strip()
        done = subprocess.run(["git", "ls-tree", "-rz", tree], cwd=top, env=env, check=True, capture_output=True)
    return _listed(done.stdout.decode(errors="surrogateescape"))


def tree_files(path: Path, tree: str) -> dict[str, tuple[str, str]]:
    """Return path → (mode, id) of a tree or commit, the run's own files left out."""
    return _listed(run_git(path, "ls-tree", "-rz", "--full-tree", tree))


def _listed(lines: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in lines.split("\0"):
        if line:
            facts, _, name = line.partition("\t")
            mode, _, oid = facts.split(" ")
            if not name.startswith(".ledgit/run/"):
                found[name] = (mode, oid)
    return found


def run_refs(path: Path) -> dict[str, str]:
    """Return run id → head of the finalized runs."""
    refs = list_refs(Repo.discover(str(path)), RUNS)
    return {name.removeprefix(RUNS): head for name, head in refs.items()}


def read_run(path: Path, run_id: str) -> Head:
    """Read a finalized run from its commit."""
    repo = Repo.discover(str(path))
    with Objects(repo) as objects:
        return read_commit(objects, run_refs(path)[run_id])


def recover_all(path: Path, force: tuple[str, ...] = ()) -> Recovered:
    """Finalize what dead processes left in *path*, however recently they died."""
    repo = Repo.discover(str(path))
    settle_all()
    settle_leftovers(repo, Folder.of(repo), older_than=-1)
    done = recover(repo, Folder.of(repo), force=force)
    settle_all()
    assert {} == done.failed
    return done


def check_objects(path: Path) -> None:
    """``git fsck --strict`` has nothing to say but of dangling objects."""
    done = subprocess.run(
        ["git", "fsck", "--strict", "--no-dangling", "--no-progress"], cwd=path, capture_output=True, check=False
    )
    lines = (done.stdout.decode() + done.stderr.decode()).splitlines()
    said = [line for line in lines if not line.startswith("notice: ")]  # of a branch without a commit
    assert (done.returncode, said) == (0, [])


def points(head: Head, key: str) -> list[tuple[int, float]]:
    """Return (step, value) of a metric's history."""
    return [(step, value) for step, _, value in head.record.histories[key]]


def leftovers(path: Path) -> list[str]:
    """Return what a clean end leaves nothing of: locks, keeps, temporary files, journals."""
    settle_all()
    common = Path(run_git(path, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    kept = ("packs.lock", "shrinking.lock", "refs.lock", "ledger.lock")
    found = [str(file) for file in common.rglob("*.lock") if file.name not in kept]
    found += [str(file) for file in (common / "objects").rglob("*.keep")]
    found += [str(file) for file in (common / "objects").rglob("tmp_*")]
    for name in ("active", "settling", "trash", "scratch"):
        folder = common / "ledgit" / name
        if folder.is_dir():
            found += [str(file) for file in folder.iterdir()]
    active = list_refs(Repo.discover(str(path)), "refs/ledgit/active/")
    return found + list(active)
