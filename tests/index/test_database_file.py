"""The index's file is a cache: whatever happens to it, the answers stay the same."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from tests.index.kit import Runs

from ledgit.query import Query
from ledgit.store.index_database import SCHEMA

FORK = multiprocessing.get_context("fork")


def names(index: Any) -> list[str]:
    return [state.name for state in index.search(Query(filter="metrics.a >= 0", order_by=("metrics.a",))).runs]


@pytest.fixture
def filled(runs: Runs, make: Any) -> Runs:
    """Thirty runs, and their index on disk."""
    for number in range(30):
        runs.add(make(number, metrics={"a": float(number)}, params={"p": number}))
    index = runs.index()
    index.refresh()
    index.close()
    assert runs.file.exists()
    return runs


EXPECTED = [f"run-{number}" for number in range(30)]


def test_a_deleted_index_is_made_anew(filled: Runs) -> None:
    filled.file.unlink()

    assert EXPECTED == names(filled.index())
    assert filled.file.exists()


def test_an_index_deleted_while_it_is_open_still_answers(filled: Runs, make: Any) -> None:
    """`rm` in another terminal: this process goes on with what it has, the next one begins anew."""
    index = filled.index()
    index.refresh()
    filled.file.unlink()
    filled.add(make(30, metrics={"a": 30.0}))
    index.refresh()

    assert [*EXPECTED, "run-30"] == names(index)
    assert [*EXPECTED, "run-30"] == names(filled.index())


def test_a_truncated_index_is_made_anew(filled: Runs) -> None:
    """At every page border and beside them."""
    whole = filled.file.read_bytes()
    for size in sorted({0, 1, 50, 100, 4095, 4096, 8192, len(whole) // 2, len(whole) - 4096, len(whole) - 1}):
        filled.file.write_bytes(whole[:size])

        index = filled.index()
        assert EXPECTED == names(index), size
        assert not index.in_memory, size
        index.close()


def test_garbage_in_the_index_is_made_anew(filled: Runs) -> None:
    """A page of noise anywhere, in the header or in a table, costs a rebuild and nothing else."""
    whole = filled.file.read_bytes()
    noise = bytes(range(256)) * 16
    filled.file.write_bytes(noise)
    assert EXPECTED == names(filled.index())

    for offset in range(0, len(whole), 4096):
        filled.file.write_bytes(whole[:offset] + noise + whole[offset + 4096 :])
        index = filled.index()
        assert EXPECTED == names(index), offset
        index.close()


def test_an_index_of_another_schema_is_made_anew(filled: Runs) -> None:
    """Older and newer ones alike, also when the tables have our names and other columns."""
    for version in (SCHEMA + 1, 999, -1, 0):
        with sqlite3.connect(filled.file) as db:
            db.execute("DROP TABLE run")
            db.execute("CREATE TABLE run (what)")
            db.execute(f"PRAGMA user_version = {version}")
        db.close()

        index = filled.index()
        assert EXPECTED == names(index), version
        index.close()


def test_a_table_that_lost_its_columns_is_made_anew(filled: Runs) -> None:
    """The version says ours, the content doesn't: found out by the first question."""
    with sqlite3.connect(filled.file) as db:
        db.execute("DROP TABLE run")
        db.execute("CREATE TABLE run (n INTEGER PRIMARY KEY, id)")
    db.close()

    assert EXPECTED == names(filled.index())


def test_a_stored_run_that_does_not_decode_is_read_again(filled: Runs) -> None:
    for body in (b"", b"[1]", b'{"a":1}', b"\xff" * 10):
        with sqlite3.connect(filled.file) as db:
            db.execute("UPDATE doc SET body = ? WHERE n = 3", (body,))
        db.close()

        assert EXPECTED == names(filled.index()), body


def test_a_folder_in_the_file_s_place_means_an_index_in_memory(filled: Runs, make: Any) -> None:
    filled.file.unlink()
    filled.file.mkdir()
    index = filled.index()

    assert EXPECTED == names(index)
    assert index.in_memory
    filled.add(make(30, metrics={"a": 30.0}))
    index.refresh()
    assert [*EXPECTED, "run-30"] == names(index)


def test_a_repository_without_runs_gets_no_file(runs: Runs, make: Any) -> None:
    """Reading creates nothing; the first run brings the file."""
    index = runs.index()

    assert [] == index.search(Query()).runs
    assert not os.path.exists(runs.folder.path)
    runs.add(make(1, metrics={"a": 1.0}))
    index.refresh()
    assert ["run-1"] == names(index)
    assert runs.file.exists()


def in_child(work: Any, *args: object) -> Any:
    """Run *work* in a forked child and return what it returned."""
    ours, theirs = FORK.Pipe()

    def run() -> None:
        try:
            theirs.send((True, work(*args)))
        except BaseException as error:
            theirs.send((False, repr(error)))

    child = FORK.Process(target=run)
    child.start()
    good, value = ours.recv()
    child.join()
    assert good, value
    return value


def load_everything() -> None:
    """Import whatever reading may import: afterwards the interpreter's own files may be out of reach."""
    import getpass  # noqa: F401
    import pkgutil
    from importlib import import_module

    import ledgit

    for module in pkgutil.walk_packages(ledgit.__path__, "ledgit."):
        if module.name.split(".")[1] in ("records", "query", "git", "store"):
            import_module(module.name)


def as_reader(path: str) -> tuple[list[str], bool, list[str]]:
    """Open *path* as somebody who may only read it; return names, in memory, what is in Ledgit's folder."""
    load_everything()
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    os.environ["HOME"] = path
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

    repo = Repo(f"{path}/.git", f"{path}/.git", path)  # discover() would object to its owner
    index = Index(repo, Folder.of(repo))
    folder = f"{path}/.git/ledgit"
    return names(index), index.in_memory, sorted(os.listdir(folder)) if os.path.isdir(folder) else []


@pytest.mark.parametrize("state", ["fresh", "stale", "none"])
def test_a_read_only_repository_is_listed_and_left_alone(filled: Runs, make: Any, state: str) -> None:
    """With an index that is up to date, one that is behind, and none."""
    expected = list(EXPECTED)
    if state == "stale":
        filled.add(make(30, metrics={"a": 30.0}))
        expected.append("run-30")
    elif state == "none":
        shutil.rmtree(filled.folder.path)
    else:
        time.sleep(0.06)
        filled.index().refresh()  # the refs are old enough now for their stamp to be kept
    copy = Path(tempfile.mkdtemp(prefix="ledgit-read-only-", dir="/tmp" if os.path.isdir("/tmp") else None))
    try:
        place = copy / "repo"
        subprocess.run(["cp", "-a", str(filled.path), str(place)], check=True)
        for folder, _, files in os.walk(copy):
            os.chmod(folder, 0o555)
            for name in files:
                os.chmod(os.path.join(folder, name), 0o444)

        found, in_memory, left = in_child(as_reader, str(place))

        assert expected == found
        assert [] == left if state == "none" else left == ["index.sqlite3"]
        assert (state != "fresh") == in_memory
    finally:
        for folder, _, _ in os.walk(copy):
            os.chmod(folder, stat.S_IRWXU)
        shutil.rmtree(copy)


def refresh_and_list(runs: Runs, gate: Any) -> list[str]:
    gate.wait()
    index = runs.index()
    index.refresh()
    return names(index)


@pytest.mark.parametrize("state", ["none", "stale", "damaged"])
def test_processes_that_refresh_at_once_agree(filled: Runs, make: Any, state: str) -> None:
    """Six processes find the same work to do at the same moment, and nobody fails."""
    if state == "none":
        filled.file.unlink()
    elif state == "damaged":
        filled.file.write_bytes(b"no database" * 1000)
    for number in range(30, 90):
        filled.add(make(number, metrics={"a": float(number), f"new_{number}": 1.0}))
    gate = FORK.Barrier(6)
    with_results = FORK.Queue()

    def work() -> None:
        try:
            with_results.put(refresh_and_list(filled, gate))
        except BaseException as error:
            with_results.put(repr(error))

    children = [FORK.Process(target=work) for _ in range(6)]
    for child in children:
        child.start()
    results = [with_results.get(timeout=60) for _ in children]
    for child in children:
        child.join()

    assert [[f"run-{number}" for number in range(90)]] * 6 == results
    assert results[0] == names(filled.index())


def test_processes_that_add_runs_and_refresh_see_their_own(filled: Runs, make: Any) -> None:
    """No process overwrites what another has just brought in."""

    def work(first: int) -> list[str]:
        index = filled.index()
        missing = []
        for number in range(first, first + 15):
            filled.add(make(number, metrics={"a": float(number), f"k{number}": 1.0}))
            index.refresh()
            if index.get(make(number).id) is None or f"run-{number}" not in names(index):
                missing.append(f"run-{number}")
        return missing

    results = FORK.Queue()
    children = [FORK.Process(target=lambda first=first: results.put(work(first))) for first in (100, 200, 300)]
    for child in children:
        child.start()
    missing = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()

    assert [[], [], []] == missing
    assert 75 == len(names(filled.index()))


def test_a_refresh_killed_at_any_moment_leaves_a_good_index(filled: Runs, make: Any) -> None:
    """SIGKILL in the middle of writing; the next reader has it right."""
    for number in range(30, 150):
        filled.add(make(number, metrics={"a": float(number)}))
    whole = filled.file.read_bytes()
    expected = [f"run-{number}" for number in range(150)]

    def work() -> None:
        filled.index().refresh()

    for delay in range(1, 24, 2):
        filled.file.write_bytes(whole)
        Path(f"{filled.file}-journal").unlink(missing_ok=True)
        child = FORK.Process(target=work)
        child.start()
        child.join(delay / 1000)
        child.kill()
        child.join()

        index = filled.index()
        assert expected == names(index), delay
        index.close()


def test_a_forked_child_has_an_index_of_its_own(filled: Runs, make: Any) -> None:
    """Training forks workers; neither side disturbs the other's connection."""
    index = filled.index()
    index.refresh()

    def child() -> list[str]:
        filled.add(make(30, metrics={"a": 30.0}))
        index.refresh()
        return names(index)

    seen = in_child(child)

    assert [*EXPECTED, "run-30"] == seen
    index.refresh()
    assert seen == names(index)


def test_threads_share_one_index(filled: Runs) -> None:
    from concurrent.futures import ThreadPoolExecutor

    index = filled.index()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: names(index), range(40)))

    assert [EXPECTED] * 40 == found


def test_an_index_locked_by_another_process_is_done_without(
    filled: Runs, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process holds the lock for ever; the command still answers, from memory."""
    import ledgit.store.index_database

    monkeypatch.setattr(ledgit.store.index_database, "PATIENCE", 0.05)
    filled.add(make(30, metrics={"a": 30.0}))
    holder = sqlite3.connect(filled.file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    index = filled.index()

    assert [*EXPECTED, "run-30"] == names(index)
    assert index.in_memory
    holder.close()


def test_a_full_disk_means_an_index_in_memory(filled: Runs, make: Any) -> None:
    """The limit on file size stands for the full disk: the write fails in the middle."""
    filled.file.unlink()

    def work() -> tuple[list[str], bool]:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        index = filled.index()
        return names(index), index.in_memory

    assert (EXPECTED, True) == in_child(work)
    assert EXPECTED == names(filled.index())
