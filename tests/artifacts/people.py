"""Two people with a clone each: what they type, and what they have."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import run_git

from ledgit.artifacts import Cache
from ledgit.cli import main
from ledgit.git import Repo
from ledgit.repository import Repository
from ledgit.store import ActiveRun, RunStart

LARGE = 300 * 1024  # bytes: beyond the threshold


class Ran(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: bytes
    err: bytes


class Person:
    """Somebody with a clone at *path*."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def repository(self) -> Repository:
        return Repository(Repo.discover(str(self.path)))

    @property
    def cache(self) -> Path:
        return self.path / ".git" / "ledgit" / "cache"

    def objects(self) -> set[str]:
        """Ids of the objects in the clone's cache."""
        folder = self.cache / "files" / "md5"
        return {path.parent.name + path.name for path in folder.glob("*/*") if not path.name.endswith(".tmp")}

    def git(self, *args: str) -> str:
        return run_git(self.path, *args)

    def log(
        self, *files: Path, name: str | None = None, metric: float = 0.9, texts: dict[str, str] | None = None
    ) -> str:
        """Log a run with these files or folders and return its id."""
        run = ActiveRun.create(Repo.discover(str(self.path)), RunStart(name=name))
        run.log_metric("accuracy", metric)
        for file in files:
            if file.is_dir():
                run.add_folder(str(file), file.name)
            else:
                run.add_artifact(str(file), file.name)
        for path, text in (texts or {}).items():
            run.add_artifact_bytes(path, text.encode())
        assert run.finish() is not None, run.problems
        return run.id

    def process(self, *words: str, code: int | None = 0) -> Ran:
        """Type ``ledgit …``, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "ledgit", *words],
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        assert code is None or code == ran.code, ran
        return ran

    def run(self, *words: str, code: int = 0) -> Ran:
        """Type ``ledgit …``; in this process, which has loaded what takes seconds to load."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with (
            contextlib.chdir(self.path),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            open(os.devnull) as nothing,
        ):
            stdin, sys.stdin = sys.stdin, nothing
            try:
                ended = main(list(words))
            finally:
                sys.stdin = stdin
        ran = Ran(ended, *(stream.buffer.getvalue() for stream in (out, err)))  # type: ignore[attr-defined]
        assert code == ran.code, ran
        return ran

    def says(self, *words: str, code: int = 0) -> str:
        """Type ``ledgit …`` and return all it said."""
        ran = self.run(*words, code=code)
        return (ran.out + ran.err).decode()

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).out)

    def dvc(self, *words: str, cwd: Path | None = None) -> None:
        """Type ``dvc …``."""
        env = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        command = [sys.executable, "-m", "dvc", *words]
        done = subprocess.run(command, cwd=cwd or self.path, capture_output=True, env=env, check=False, timeout=120)
        assert 0 == done.returncode, done.stderr.decode() + done.stdout.decode()


def make_file(path: Path, size: int = LARGE) -> Path:
    """A file that nobody has had before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    return path


def make_folder(path: Path, files: int = 120) -> Path:
    """A folder of too many files to be kept one by one."""
    for number in range(files):
        make_file(path / f"{number % 3}" / f"{number}.bin", 50)
    return path


def same(folder: Path, other: Path) -> bool:
    """Whether two folders have the same files, with the same content."""
    one, two = ({p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()} for top in (folder, other))
    return one == two


def start_project(path: Path, files: dict[str, str] | None = None) -> Path:
    """A host with one commit of code on main."""
    host = path / "host.git"
    host.mkdir(parents=True)
    run_git(host, "init", "-q", "--bare")
    seed = path / "seed"
    seed.mkdir()
    run_git(seed, "init", "-q")
    for name, text in {"train.py": "print('train')\n", **(files or {})}.items():
        target = seed / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    run_git(seed, "add", "-f", ".")
    run_git(seed, "commit", "-q", "-m", "first")
    run_git(seed, "push", "-q", str(host), "HEAD:refs/heads/main")
    return host


def clone(host: Path, path: Path) -> Person:
    run_git(host.parent, "clone", "-q", "-b", "main", str(host), str(path))
    return Person(path)


def relist(person: Person, run: str, change: Callable[[bytes], bytes], name: str = "artifacts.yaml") -> str:
    """Give a loose run another artifacts.yaml, or *name*, as no Ledgit would write it; return its blob."""
    path = f".ledgit/run/{name}"
    ref = f"refs/ledgit/runs/{run}"
    head = person.git("rev-parse", ref)
    folder = person.path / ".git"
    shown = subprocess.run(["git", "show", f"{head}:{path}"], cwd=person.path, capture_output=True, check=False)
    scratch = folder / "relisted.yaml"
    scratch.write_bytes(change(shown.stdout))
    blob = person.git("hash-object", "-w", "--no-filters", str(scratch))
    env = {**os.environ, "GIT_INDEX_FILE": str(folder / "relisting")}

    def git(*words: str, given: bytes = b"") -> str:
        done = subprocess.run(["git", *words], cwd=person.path, env=env, input=given, capture_output=True, check=True)
        return done.stdout.decode().strip()

    git("read-tree", head)
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    raw = subprocess.run(["git", "cat-file", "commit", head], cwd=person.path, capture_output=True, check=True).stdout
    lines = raw.partition(b"\n")[2]
    commit = git(
        "hash-object", "-t", "commit", "-w", "--stdin", given=b"tree " + git("write-tree").encode() + b"\n" + lines
    )
    person.git("update-ref", ref, commit)
    return blob


def swap_list(person: Person, run: str, listed: bytes) -> str:
    """Have a loose run's only folder name another list, which is in the cache; return its id."""
    (old,) = (oid for oid in person.objects() if oid.endswith(".dir"))
    new = Cache(str(person.cache)).put_bytes(listed, folder=True)
    relist(person, run, lambda data: data.replace(old.encode(), new.encode()))
    return new
