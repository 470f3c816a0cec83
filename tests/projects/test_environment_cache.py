"""The cache of environments: made once, by one process, never taken for whole when they are not."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledgit.errors import EnvironmentFailed, StorageError, UsageError
from ledgit.projects.environments import EnvironmentCache, Prepared, hold, list_environments, remove_environments

# Writes its process id all at once, and stays.
_TOOL = (
    "import os, sys, time; path = sys.argv[1];"
    "open(path + '.new', 'w').write(str(os.getpid())); os.rename(path + '.new', path); time.sleep(1000)"
)


def _make_slowly(folder: str, lock: int, cache: str, started: str) -> dict[str, object]:
    os.makedirs(folder)
    subprocess.run(
        [sys.executable, "-c", _TOOL, started],
        pass_fds=(lock,),
        check=True,
    )
    return {}


def _maker(cache: str, started: str) -> None:
    EnvironmentCache(cache).make("a" * 32, lambda folder, lock: _make_slowly(folder, lock, cache, started))


def test_one_process_makes_and_the_others_wait(tmp_path: Path) -> None:
    """Three that begin at once: one makes it, all get it."""
    context = multiprocessing.get_context("fork")
    counted = tmp_path / "counted"
    both = context.Barrier(3)
    answers = context.Queue()

    def one() -> None:
        def maker(folder: str, lock: int) -> dict[str, object]:
            with counted.open("a") as file:
                file.write("made\n")
            os.makedirs(folder)
            return {"python": sys.executable, "manager": "uv", "made": 1}

        both.wait()
        answers.put(EnvironmentCache(str(tmp_path)).make("b" * 32, maker)["manager"])

    processes = [context.Process(target=one) for _ in range(3)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    assert (["uv"] * 3, "made\n") == (found, counted.read_text())


def test_one_that_was_killed_in_the_middle_is_made_again(tmp_path: Path) -> None:
    """And not before the tool that it had started is gone, too: that still writes into it."""
    cache, started = str(tmp_path), str(tmp_path / "started")
    process = multiprocessing.get_context("fork").Process(target=_maker, args=(cache, started))
    process.start()
    while not os.path.exists(started):
        time.sleep(0.01)
    tool = int(Path(started).read_text())
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    store = EnvironmentCache(cache)

    assert store.ready("a" * 32) is None
    assert [("", False)] == [(found.manager, found.made > 0) for found in list_environments(cache)]
    told: list[str] = []

    def waiting() -> None:
        told.append("waiting")
        os.kill(tool, signal.SIGKILL)

    def maker(folder: str, lock: int) -> dict[str, object]:
        assert not os.path.exists(folder)
        os.makedirs(folder)
        return {"python": sys.executable}

    assert {"python": sys.executable} == store.make("a" * 32, maker, waiting)
    assert (["waiting"], {"python": sys.executable}) == (told, store.ready("a" * 32))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), StorageError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (EnvironmentFailed("uv", "it can't"), EnvironmentFailed),
    ],
)
def test_whatever_goes_wrong_leaves_nothing_half_made(
    raised: BaseException, expected: type[BaseException], tmp_path: Path
) -> None:
    """A full disk, Ctrl-C, a tool that fails; also where a folder was made read-only in between."""

    def maker(folder: str, lock: int) -> dict[str, object]:
        inner = Path(folder, "lib", "package")
        inner.mkdir(parents=True)
        (inner / "half.py").write_text("")
        inner.chmod(0o500)
        raise raised

    with pytest.raises(expected):
        EnvironmentCache(str(tmp_path)).make("c" * 32, maker)

    assert [] == os.listdir(tmp_path / "envs")


def test_an_environment_whose_interpreter_is_gone_is_made_again(tmp_path: Path) -> None:
    """It links to one of the machine, which an upgrade removes."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    store = EnvironmentCache(str(tmp_path))
    made: list[str] = []

    def maker(folder: str, lock: int) -> dict[str, object]:
        os.makedirs(folder)
        made.append(folder)
        return {"python": str(python)}

    store.get("d" * 32, maker)
    store.get("d" * 32, maker)
    assert 1 == len(made)

    python.unlink()
    assert store.ready("d" * 32) is None
    store.get("d" * 32, maker)
    assert 2 == len(made)


def test_environments_are_listed_and_removed(tmp_path: Path) -> None:
    """By age or by key; never one that something runs in."""
    cache = str(tmp_path)
    store = EnvironmentCache(cache)
    for digit, age in (("1", 5_000_000), ("2", 3_000_000), ("3", 0)):

        def maker(folder: str, lock: int, digit: str = digit) -> dict[str, object]:
            os.makedirs(folder)
            return {"python": sys.executable, "manager": "uv", "version": "3.11.7", "requirements": [digit], "made": 1}

        store.make(digit * 32, maker)
        used = time.time() - age
        os.utime(os.path.join(store.path(digit * 32), "ledgit.used"), (used, used))
    (tmp_path / "envs" / "own-abc").mkdir()
    (tmp_path / "wheels" / "cpython").mkdir(parents=True)
    for name, age in (("old.whl", 5_000_000), ("new.whl", 10)):
        (tmp_path / "wheels" / "cpython" / name).touch()
        os.utime(tmp_path / "wheels" / "cpython" / name, (time.time() - age, time.time() - age))

    assert [("3",), ("2",), ("1",)] == [found.requirements for found in list_environments(cache)]
    with hold(Prepared("uv", "1" * 32, folder=store.path("1" * 32))):
        gone, kept = remove_environments(cache, 4_000_000_000)
        assert ([], ["1" * 32]) == ([one.key for one in gone], [one.key for one in kept])
    gone, kept = remove_environments(cache, 4_000_000_000)
    assert (["1" * 32], []) == ([one.key for one in gone], [one.key for one in kept])
    assert ["new.whl"] == os.listdir(tmp_path / "wheels" / "cpython")
    with pytest.raises(UsageError, match="no environments have a key that begins with 'f'"):
        remove_environments(cache, keys=("f",))
    gone, _ = remove_environments(cache, keys=("22",))
    assert ["2" * 32] == [one.key for one in gone]
    assert ["3" * 32] == [one.key for one in remove_environments(cache)[0]]
    assert [] == list_environments(cache)
    assert [] == os.listdir(tmp_path / "envs")
    assert [] == os.listdir(tmp_path / "wheels" / "cpython")


def test_what_a_process_prepared_stays_while_it_lives(tmp_path: Path) -> None:
    """Also if somebody else cleans up; the process itself may remove it."""
    cache, key = str(tmp_path), "e" * 32

    def maker(folder: str, lock: int) -> dict[str, object]:
        os.makedirs(folder)
        return {"python": sys.executable}

    EnvironmentCache(cache).get(key, maker)
    code = (
        "import sys; from ledgit.projects.environments import remove_environments as remove;"
        "gone, kept = remove(sys.argv[1]); print(len(gone), len(kept))"
    )
    other = subprocess.run([sys.executable, "-c", code, cache], capture_output=True, text=True, check=True)

    assert "0 1\n" == other.stdout
    assert [key] == [one.key for one in remove_environments(cache)[0]]


def test_doctor_names_and_removes_environments_whose_interpreter_is_gone(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves alone those that work, and one that something still runs in."""
    from ledgit.cli import main

    cache = tmp_path / "cache"
    monkeypatch.setenv("LEDGIT_CACHE", str(cache))
    interpreter = tmp_path / "python3"
    interpreter.write_text("#!/bin/sh\n")
    interpreter.chmod(0o755)

    def maker(target: Path):
        def make(folder: str, lock: int) -> dict[str, object]:
            os.makedirs(f"{folder}/bin")
            os.symlink(target, f"{folder}/bin/python")
            return {"python": f"{folder}/bin/python", "manager": "uv", "version": "3.9.1", "made": 1}

        return make

    store = EnvironmentCache(str(cache))
    for key, target in (("a" * 32, interpreter), ("b" * 32, interpreter), ("c" * 32, Path(sys.executable))):
        store.make(key, maker(target))
    assert 0 == main(["doctor"])
    assert "environment" not in capsys.readouterr().out
    interpreter.unlink()
    busy = store.hold("b" * 32)
    assert busy is not None

    assert 0 == main(["doctor"])
    said = capsys.readouterr().out
    assert f"environments aaaaaaaaaaaa, bbbbbbbbbbbb stand on {interpreter}, which is gone" in " ".join(said.split())
    assert 0 == main(["project", "envs"])
    assert 2 == capsys.readouterr().out.count("interpreter gone")
    assert 0 == main(["doctor", "--mend"])
    said = capsys.readouterr().out
    assert "removed the environment aaaaaaaaaaaa" in said
    assert "bbbbbbbbbbbb stays: something runs in it" in said
    assert ["b" * 32, "c" * 32] == sorted(one.key for one in list_environments(str(cache)))
    busy.release()
    assert 0 == main(["doctor", "--mend"])
    assert ["c" * 32] == [one.key for one in list_environments(str(cache))]
