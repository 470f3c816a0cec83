"""Environments of projects, made by the real uv and the real venv and pip from wheels written here."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects.wheels import closed_index, private_tools, write_wheel

from ledgit.errors import EnvironmentFailed, StorageError, UsageError
from ledgit.projects.environments import (
    EnvironmentCache,
    Prepared,
    from_recorded,
    hold,
    list_environments,
    making,
    prepare,
    preparing,
    remove_environments,
)
from ledgit.projects.environments.interpreters import find_interpreter, find_uv
from ledgit.projects.mlproject import read_project
from ledgit.records import Environment


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an index would have: ``tinyone`` 1.0 and 2.0, and ``tinytwo`` that needs it."""
    folder = tmp_path / "wheels"
    write_wheel(folder, "tinyone", "1.0")
    write_wheel(folder, "tinyone", "2.0")
    write_wheel(folder, "tinytwo", "0.3", ("tinyone>=1",))
    private_tools(monkeypatch, folder, tmp_path / "kept")
    return folder


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nobody listens at, nor will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Place:
    """A project and a cache folder, and short ways to ask things of them."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.cache = str(folder / "cache")
        self.said: list[str] = []
        self.project.mkdir()

    def write(self, name: str, text: str) -> None:
        (self.project / name).write_text(text)

    def wants(self, *lines: str, python: str = "") -> None:
        listed = "".join(f"  - {json.dumps(line)}\n" for line in lines)
        self.write("python_env.yaml", f"python: {python}\ndependencies:\n{listed}")

    def prepare(self, manager: str = "uv", offline: bool = False) -> Prepared:
        project = read_project(str(self.project))
        return prepare(project.environment, project, manager, self.cache, offline=offline, progress=self.said.append)

    def left(self) -> list[str]:
        """What of environments lies in the cache, besides locks and what is known about interpreters."""
        envs = Path(self.cache, "envs")
        return sorted(path.name for path in envs.iterdir() if path.suffix not in (".lock", ".json"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def output(prepared: Prepared, code: str, folder: Path) -> str:
    """Run Python code in the environment as a project's command is run."""
    done = subprocess.run(
        prepared.command(["python", "-c", code], str(folder)),
        env=prepared.environ(os.environ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def key_of(folder: Path, manager: str, cache: str) -> str:
    """The name that the environment of the project in *folder* would have."""
    project = read_project(str(folder))
    preparation = preparing._Preparation(project.environment, project, manager, cache, False, None)
    python, _ = find_interpreter("", preparation.store.folder, manager)
    return preparation._key(python, None)


VERSIONS = "import tinyone, tinytwo, sys; print(tinyone.VERSION, tinytwo.VERSION, sys.prefix)"


@pytest.mark.parametrize("manager", ["uv", "virtualenv"])
def test_a_project_runs_with_what_it_declares(
    manager: str, place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files that it names count, the versions that they bind, and nothing of Ledgit's own environment."""
    place.write("requirements.txt", "tinytwo  # needs tinyone\n-c bound.txt\n")
    place.write("bound.txt", "tinyone < 2\n")
    place.wants("-r requirements.txt", python=f"{sys.version_info[0]}.{sys.version_info[1]}")

    prepared = place.prepare(manager)

    assert f"1.0 0.3 {prepared.folder}" == output(prepared, VERSIONS, place.project)
    hidden = "import importlib.util as u; print(u.find_spec('pytest'), u.find_spec('ledgit'))"
    assert "None None" == output(prepared, hidden, place.project)
    assert prepared.folder == prepared.variables["VIRTUAL_ENV"]
    assert (manager, f"{manager} {prepared.key[:16]}") == (prepared.manager, prepared.label)

    # The second time nothing is started, also with no index anywhere.
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", None)
        again = place.prepare(manager)
    assert prepared == again


def test_environments_are_told_apart_by_content_alone(place: Place, wheels: Path, tmp_path: Path) -> None:
    """Comments, blanks, the file's name and the folder don't matter; a version does, and so does the manager."""
    other = tmp_path / "elsewhere"
    other.mkdir()

    def key(folder: Path, manager: str = "uv") -> str:
        return key_of(folder, manager, place.cache)

    place.write("requirements.txt", "tinyone==1.0\n")
    place.wants("-r requirements.txt")
    first = key(place.project)
    (other / "wanted.txt").write_text("# what we need\n\ntinyone==1.0   # exactly\n")
    (other / "python_env.yaml").write_text("dependencies: ['-r wanted.txt']\n")

    assert first == key(other)
    assert first != key(other, "virtualenv")
    (other / "wanted.txt").write_text("tinyone==2.0\n")
    assert first != key(other)


def test_a_requirement_that_is_a_folder_counts_by_its_content(place: Place, wheels: Path) -> None:
    """An editable one is installed as a copy: the work folder it would point to is gone after the run."""
    write_wheel(place.project, "tinylocal", "5.0")
    place.wants("./tinylocal-5.0-py3-none-any.whl")
    first = place.prepare()
    assert "5.0" == output(first, "import tinylocal; print(tinylocal.VERSION)", place.project)
    assert first.key == place.prepare().key

    with (place.project / "tinylocal-5.0-py3-none-any.whl").open("ab") as file:
        file.write(b"\0")

    assert first.key != key_of(place.project, "uv", place.cache)


def test_what_is_kept_serves_when_no_index_answers(
    place: Place, wheels: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A second environment that needs the same packages is made from what the first one fetched."""
    place.wants("tinytwo")
    place.prepare("virtualenv")
    closed_index(monkeypatch, closed_port)
    place.wants("tinytwo", "tinyone==2.0")

    prepared = place.prepare("virtualenv")

    assert f"2.0 0.3 {prepared.folder}" == output(prepared, VERSIONS, place.project)


@pytest.mark.parametrize("manager", ["uv", "virtualenv"])
def test_with_nothing_kept_an_unreachable_index_is_one_sentence(
    manager: str, place: Place, wheels: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of the environment is left behind."""
    closed_index(monkeypatch, closed_port)
    place.wants("tinyone")

    with pytest.raises(EnvironmentFailed, match=r"no package index can be reached.* repeat it when there"):
        place.prepare(manager)

    assert [] == place.left()


def test_a_tool_that_fails_is_quoted_without_passwords(
    place: Place, wheels: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is named, the password in the index's address is not."""
    place.wants("nosuchpackage==7")
    with pytest.raises(EnvironmentFailed) as failed:
        place.prepare()
    assert "nosuchpackage" in str(failed.value)

    closed_index(monkeypatch, closed_port)
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://ada:lovelace1815@127.0.0.1:{closed_port}/simple")
    with pytest.raises(EnvironmentFailed) as failed:
        place.prepare()
    assert "lovelace1815" not in str(failed.value)
    assert str(closed_port) in str(failed.value)
    assert [] == place.left()


def test_ledgit_is_met_by_the_one_that_runs(place: Place, wheels: Path) -> None:
    """Its own packages come along, others beside it don't, and the version asked for is a note."""
    import ledgit

    place.wants("tinyone", "Ledgit >= 99; python_version > '3'")

    prepared = place.prepare()

    code = (
        "import importlib.metadata as m, importlib.util as u, ledgit, os, pygit2, textual;"
        "print(os.path.realpath(ledgit.__file__), m.version('ledgit'), u.find_spec('pytest'))"
    )
    installed = importlib.metadata.version("ledgit")
    assert f"{os.path.realpath(ledgit.__file__)} {installed} None" == output(prepared, code, place.project)
    assert any("ledgit >= 99 is asked for" in note for note in prepared.notes)
    done = subprocess.run(
        ["ledgit", "version"], env=prepared.environ(os.environ), capture_output=True, text=True, check=True
    )
    assert ledgit.__version__ in done.stdout


def test_versions_that_ledgit_can_not_have_install_it_as_a_package(
    place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment with other versions of what Ledgit needs is resolved with Ledgit's requirements among them."""
    from ledgit.projects.environments.own import Own

    write_wheel(wheels, "pyyaml", "1.0")
    write_wheel(wheels, "ledgit", "0.0", ("pyyaml<2",))
    place.wants("pyyaml<2", "ledgit")
    real = making.Own

    def with_other_line(links: str, pins: dict[str, str], missing: list[str], line: str, stamp: list[object]) -> Own:
        return real(links, pins, missing, "ledgit==0.0", stamp)

    monkeypatch.setattr(making, "Own", with_other_line)

    prepared = place.prepare()

    code = "import ledgit, pyyaml; print(ledgit.VERSION, pyyaml.VERSION)"
    assert "0.0 1.0" == output(prepared, code, place.project)


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

    assert ["c" * 32 + ".lock"] == os.listdir(tmp_path / "envs")


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

    assert [("3",), ("2",), ("1",)] == [found.requirements for found in list_environments(cache)]
    with hold(Prepared("uv", "1" * 32, folder=store.path("1" * 32))):
        gone, kept = remove_environments(cache, 4_000_000_000)
        assert ([], ["1" * 32]) == ([one.key for one in gone], [one.key for one in kept])
    gone, kept = remove_environments(cache, 4_000_000_000)
    assert (["1" * 32], []) == ([one.key for one in gone], [one.key for one in kept])
    with pytest.raises(UsageError, match="no environments have a key that begins with 'f'"):
        remove_environments(cache, keys=("f",))
    gone, _ = remove_environments(cache, keys=("22",))
    assert ["2" * 32] == [one.key for one in gone]
    assert ["3" * 32] == [one.key for one in remove_environments(cache)[0]]
    assert [] == list_environments(cache)
    assert [] == os.listdir(tmp_path / "envs")


def test_a_lock_file_of_uv_is_followed(place: Place, wheels: Path) -> None:
    """``uv sync --frozen``, where uv is asked for and the project declares nothing else."""
    uv = find_uv()
    assert uv is not None
    place.write(
        "pyproject.toml",
        "[project]\nname = 'locked'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['tinytwo']\n"
        f"[tool.uv]\nno-index = true\nfind-links = [{str(wheels)!r}]\n",
    )
    subprocess.run(
        [uv, "lock", "--quiet"],
        cwd=place.project,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "UV_NO_CONFIG"},
    )

    assert "local" == place.prepare("").manager
    prepared = place.prepare("uv")

    assert f"2.0 0.3 {prepared.folder}" == output(prepared, VERSIONS, place.project)
    assert not (place.project / ".venv").exists()


def test_a_folder_is_built_aside(place: Place, wheels: Path) -> None:
    """Building leaves files behind, and the work tree is the user's; the copy is gone afterwards, too."""
    package = place.project / "pkg"
    package.mkdir()
    (package / "backend.py").write_text(_BACKEND)
    (package / "pyproject.toml").write_text(
        "[project]\nname = 'built'\nversion = '4.0'\n"
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    place.wants("-e ./pkg")

    prepared = place.prepare()

    assert "4.0" == output(prepared, "import built; print(built.VERSION)", place.project / "pkg")
    assert ["backend.py", "pyproject.toml"] == sorted(os.listdir(package))
    assert ("./pkg is installed as a copy, not editable",) == prepared.notes
    assert "wanted" not in os.listdir(prepared.folder)


# A build backend in a few lines: what it builds from, it litters.
_BACKEND = """
import zipfile

WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    open("litter", "w").close()
    name = "built-4.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.writestr("built.py", "VERSION = '4.0'")
        archive.writestr("built-4.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: built\\nVersion: 4.0\\n")
        archive.writestr("built-4.0.dist-info/WHEEL", WHEEL)
        archive.writestr("built-4.0.dist-info/RECORD", "built.py,,\\nbuilt-4.0.dist-info/METADATA,,\\n"
            "built-4.0.dist-info/WHEEL,,\\nbuilt-4.0.dist-info/RECORD,,\\n")
    return name
"""


def test_a_recorded_environment_is_made_again_exactly(place: Place, wheels: Path) -> None:
    """All that was recorded and nothing else; what Ledgit brings along in the same version is not installed twice."""
    orjson = importlib.metadata.version("orjson")
    recorded = Environment(
        python=".".join(map(str, sys.version_info[:3])),
        # tinytwo needs tinyone, which was not there: so it is not here either.
        packages={"tinytwo": "0.3", "ledgit": "0.0.1", "orjson": orjson},
    )
    project = read_project(str(place.project))

    prepared = prepare(from_recorded(recorded).spec(), project, "", place.cache)

    code = (
        "import importlib.util as u, orjson, sys, tinytwo, ledgit;"
        "print(orjson.__version__, tinytwo.VERSION, u.find_spec('tinyone'), orjson.__file__.startswith(sys.prefix))"
    )
    assert f"{orjson} 0.3 None False" == output(prepared, code, place.project)


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
