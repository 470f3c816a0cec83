"""Environments of projects, made by the real uv and the real venv and pip from wheels written here."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects.wheels import closed_index, private_tools, serving, write_wheel

from ledgit.errors import EnvironmentFailed
from ledgit.projects.environments import (
    Prepared,
    from_recorded,
    making,
    prepare,
    preparing,
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


def test_what_uv_fetched_from_an_index_serves_when_it_is_gone(
    place: Place, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word about the index: uv has all of it, but has to be told to look nowhere else."""
    with serving(wheels) as address:
        for name in ("UV_NO_INDEX", "UV_FIND_LINKS"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        place.wants("tinytwo")
        place.prepare("uv")
    place.wants("tinytwo==0.3")

    prepared = place.prepare("uv")

    assert prepared.folder in output(prepared, VERSIONS, place.project)


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
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://ada:lovelace1815@127.0.0.1:{closed_port}/wheels")
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


def test_a_lock_file_of_uv_is_followed(place: Place, wheels: Path) -> None:
    """``uv sync --frozen``, where uv is asked for and the project declares nothing else."""
    uv = find_uv()
    assert uv is not None
    place.write(
        "pyproject.toml",
        "[project]\nname = 'locked'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['tinytwo']\n"
        f"[tool.uv]\nno-index = true\n{'-'.join(('find', 'links'))} = [{str(wheels)!r}]\n",
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
