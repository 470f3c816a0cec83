"""The environment of a repetition: the present one, one made anew, and what is said where neither will do."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.repro.stage import Stage, said

from ledgit.errors import EnvironmentFailed
from ledgit.repository import Run

PROGRAM = """\
import os, subprocess
import small
subprocess.run([os.environ["RECORDER"], "-m", "ledgit", "record", "-m", f"value={small.VALUE}"], check=True)
"""


def make_wheel(folder: Path, version: str) -> Path:
    """Write a wheel of the package ``small``, whose value is its version, and one of ``unused``."""
    folder.mkdir(exist_ok=True)
    path = folder / f"small-{version}-py3-none-any.whl"
    info = f"small-{version}.dist-info"
    files = {
        "small.py": f"VALUE = {version}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: small\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
        wheel.writestr(f"{info}/RECORD", record)
    return path


class Venv:
    """A virtual environment with one package in it."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = str(folder / "bin" / "python")
        (self.packages,) = folder.glob("lib/python*/site-packages")

    def install(self, wheel: Path) -> None:
        """Put *wheel* in, in the place of another version, whose bytecode goes too, as pip has it."""
        for old in [*self.packages.glob("small*"), *self.packages.glob("__pycache__/small.*")]:
            subprocess.run(["rm", "-r", str(old)], check=True)
        with zipfile.ZipFile(wheel) as file:
            file.extractall(self.packages)


@pytest.fixture
def venv(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """An environment with the first version, whose wheel alone is on the index."""
    monkeypatch.setenv("RECORDER", sys.executable)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    made = Venv(tmp_path / "venv")
    made.install(make_wheel(tmp_path / "index", "1.0"))
    stage.write("program.py", PROGRAM)
    stage.commit()
    return made


def tracked(stage: Stage, venv: Venv) -> Run:
    """Run the program by ``ledgit run``."""
    stage.ledgit("run", "--", venv.python, "program.py")
    return stage.newest()


def test_another_version_of_a_package_is_named(stage: Stage, venv: Venv, tmp_path: Path) -> None:
    """In the present interpreter, as asked for; no other class is blamed, nor a package that is not imported."""
    run = tracked(stage, venv)
    venv.install(make_wheel(tmp_path / "elsewhere", "2.0"))
    (venv.packages / "unused-1.0.dist-info").mkdir()
    verdict = stage.verdict(run, manager="local")

    assert ("different", ("environment",)) == (verdict.level, verdict.classes), said(verdict)
    assert ["small: 1.0 → 2.0"] == [one.text for one in verdict.reasons]
    assert "does not import: unused" in said(verdict)


def test_an_environment_is_made_anew_where_the_present_one_is_another(stage: Stage, venv: Venv, tmp_path: Path) -> None:
    """Then the run comes out the same, and a second time the environment is there."""
    run = tracked(stage, venv)
    venv.install(make_wheel(tmp_path / "elsewhere", "2.0"))
    cache = str(tmp_path / "cache")
    made = stage.repeat(run, cache=cache)
    again = stage.repeat(run, cache=cache)

    assert ("identical", "identical") == (made.verdict.level, again.verdict.level), said(made.verdict)
    assert made.manager.startswith("uv ")
    assert "an environment made from what was recorded: small 1.0, not 2.0" in made.environment
    assert made.manager == stage.newest().tags["ledgit.project.env"]


def test_an_environment_that_can_not_be_made_says_so(stage: Stage, venv: Venv, tmp_path: Path) -> None:
    """The command line exits with 11 then, and nothing is recorded."""
    run = tracked(stage, venv)
    venv.install(make_wheel(tmp_path / "elsewhere", "2.0"))
    (tmp_path / "index" / "small-1.0-py3-none-any.whl").unlink()

    with pytest.raises(EnvironmentFailed, match="--env-manager local"):
        stage.verdict(run, cache=str(tmp_path / "cache"))
    done = stage.ledgit("repro", run.id, check=False, LEDGIT_CACHE=str(tmp_path / "cache"))
    assert (11, 1) == (done.returncode, len(stage.runs())), done.stderr


def test_a_module_that_was_compiled_before_is_seen_in_use(stage: Stage, venv: Venv, tmp_path: Path) -> None:
    """Python opens only what is in ``__pycache__`` then, which is no package's folder."""
    run = tracked(stage, venv)
    venv.install(make_wheel(tmp_path / "elsewhere", "2.0"))
    subprocess.run([venv.python, "-m", "compileall", "-q", str(venv.packages)], check=True)
    verdict = stage.verdict(run, manager="local")

    assert ("different", ("environment",)) == (verdict.level, verdict.classes), said(verdict)
    assert ["small: 1.0 → 2.0"] == [one.text for one in verdict.reasons]


BACKEND = """
import zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = "small-1.0.dist-info/"
    with zipfile.ZipFile(f"{folder}/small-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write("small.py")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "small.py,,\\n")
    return "small-1.0-py3-none-any.whl"
"""
BUILDS = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BUILDS += '[project]\nname = "small"\nversion = "1.0"\n'


def test_a_package_from_a_commit_is_taken_from_it_again_and_named_if_another_is_here(
    stage: Stage, venv: Venv, tmp_path: Path, git
) -> None:
    """Its version is the same: only where it came from tells them apart; the run's requirements.txt says so, too."""
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "-q")
    commits = []
    for value in (1, 22):  # of other lengths: bytecode of one second and size is taken for the same
        for name, text in (("small.py", f"VALUE = {value}\n"), ("backend.py", BACKEND), ("pyproject.toml", BUILDS)):
            (source / name).write_text(text)
        git(source, "add", ".")
        git(source, "commit", "-q", "-m", str(value))
        commits.append(git(source, "rev-parse", "HEAD"))
    install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", venv.python, "--reinstall"]
    first, second = (f"git+file://{source}@{commit}" for commit in commits)
    subprocess.run([*install, f"small @ {first}"], check=True)
    run = tracked(stage, venv)
    subprocess.run([*install, f"small @ {second}"], check=True)
    other = stage.verdict(run, manager="local")
    made = stage.repeat(run, cache=str(tmp_path / "cache"))

    assert {"small": first} == run.record().environment.origins
    assert f"small @ {first}" in git(stage.path, "show", f"{run.commit}:.ledgit/run/requirements.txt")
    assert ("different", ("environment",)) == (other.level, other.classes), said(other)
    assert [f"small: 1.0 from {first} → 1.0 from {second}"] == [one.text for one in other.reasons]
    assert ("identical", 1) == (made.verdict.level, made.verdict.metrics[0].wanted), said(made.verdict)
    assert f"small 1.0 from {first}, not 1.0 from {second}" in made.environment
