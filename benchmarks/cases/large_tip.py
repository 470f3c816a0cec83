"""A colleague's first pull into a shallow clone, from a local git daemon."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.case import Case, Subject, Target
from benchmarks.large import SHOWN, repository, time_git, time_ledgit
from benchmarks.measure import Timing
from benchmarks.repository import git


def prepare(folder: Path, _python: str) -> None:
    """A bare remote with code and ledger."""
    remote = folder / "remote.git"
    git(folder, "clone", "-q", "--bare", str(repository(folder, "narrow")), str(remote))
    git(remote, "fetch", "-q", str(repository(folder, "narrow")), "refs/ledgit/ledger:refs/ledgit/ledger")
    git(remote, "repack", "-adq")


@contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """Serve *folder* on a free port of this machine; the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [
        "git",
        "daemon",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--reuseaddr",
        "--export-all",
        f"--base-path={folder}",
    ]
    process = subprocess.Popen([*line, str(folder)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"git://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def ledgit(folder: Path) -> dict[str, Timing]:
    """The table alone; runs come when they are asked for."""
    clone = folder / "clone-ledgit"
    with daemon(folder) as address:
        git(folder, "clone", "-q", "--depth", "1", f"{address}/remote.git", str(clone))
        try:
            return {"first pull": time_ledgit(clone, "pull"), "first list": time_ledgit(clone, "ls", "-n", "20")}
        finally:
            shutil.rmtree(clone)


def git_all(folder: Path) -> dict[str, Timing]:
    """``git fetch`` of the whole ledger, every run with it."""
    clone = folder / "clone-git"
    with daemon(folder) as address:
        git(folder, "clone", "-q", f"{address}/remote.git", str(clone))
        try:
            refspec = "refs/ledgit/ledger:refs/ledgit/ledger"
            return {"first pull": time_git(clone, "fetch", "-q", "--no-auto-maintenance", "origin", refspec)}
        finally:
            shutil.rmtree(clone)


CASE = Case(
    title="The ledger's tip in a shallow clone",
    note=f"{SHOWN}, from a local `git daemon`; beside it, git fetching every run whole.",
    prepare=prepare,
    shared=True,
    rounds=2,
    subjects=[Subject("ledgit", ledgit, "ledgit"), Subject("git fetch of everything", git_all)],
    targets=[Target(f"fresh tip of {SHOWN} ≤ 5 s over a local `git daemon`", "first pull", "ledgit", 5)],
)
