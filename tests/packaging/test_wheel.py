"""What is published: contents of wheel and sdist, and what a plain start imports. ``make dist`` installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from ledgit.cli.table import SUMMARIES

ROOT = Path(__file__).parent.parent.parent
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
CORE = {"dvc", "lark", "orjson", "pygit2", "pyyaml", "shtab", "textual"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both, made from the files as they are: no test of packaging needs the network but for the build's backend."""
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    assert UV is not None
    # What Git knows or would take, as it stands here: anything else may lie about in a work tree.
    line = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        assert not (ROOT / name).is_symlink(), f"{name} is a link: it may lead out of the sdist, which no tool unpacks"
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    # The sdist first and the wheel from it, as whoever installs from source does.
    line = [UV, "build", "--quiet", "--out-dir", str(folder), str(source)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_wheel_has_the_package_and_nothing_else(built: Path) -> None:
    """Types, page, licence; no tests, no benchmarks, no bytecode."""
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        metadata = packed.read(next(name for name in names if name.endswith("METADATA"))).decode()
        entries = packed.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()

    assert {"ledgit"} == {
        name.split("/")[0] for name in names if not {".dist-info", ".data"} & {Path(name.split("/")[0]).suffix}
    }
    manual = {Path(name).name for name in names if ".data/data/share/man/man1/" in name}
    assert {"ledgit.1", "git-ledgit.1", *(f"ledgit-{command}.1" for command in SUMMARIES)} == manual
    assert {"ledgit/py.typed", "ledgit/tui/serving/page/page.js"} <= set(names)
    assert len([name for name in names if name.endswith(".py")]) > 700
    assert not [name for name in names if "test" in Path(name).name or name.endswith((".pyc", ".orig"))]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: Apache-2.0" in metadata
    needed = [
        line.split(" ")[1] for line in metadata.splitlines() if line.startswith("Requires-Dist:") and ";" not in line
    ]
    assert {name.partition(">")[0] for name in needed} == CORE
    assert {"ledgit = ledgit.cli:main", "git-ledgit = ledgit.cli:main"} <= set(entries.splitlines())
    assert wheel.stat().st_size < 3_000_000


def test_the_sdist_can_be_worked_with(built: Path) -> None:
    """Tests with their kept files, docs, hooks, what make needs; no environment, no history."""
    [sdist] = built.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}

    wanted = {"pyproject.toml", "Makefile", "constraints.txt", "LICENSE", "README.md", "CHANGELOG.md", "action.yml"}
    wanted |= {"tests/conftest.py", "tests/golden/format-1/repository.bundle", "docs/index.md", "src/ledgit/py.typed"}
    assert wanted <= names
    assert not [name for name in names if name.startswith((".venv", ".git/", "demo/")) or name.endswith(".pyc")]


def test_the_wheel_starts_without_what_a_start_does_not_need(built: Path, tmp_path: Path) -> None:
    """``import ledgit`` and ``ledgit --version`` load none of the libraries that it depends on."""
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import ledgit; from ledgit.cli import main;"
        "assert ledgit.__file__.startswith(sys.argv[1]), ledgit.__file__;"
        "main(['--version']); "
        "heavy = {'dvc', 'lark', 'pygit2', 'yaml', 'textual', 'shtab', 'numpy', 'pandas', 'asyncio'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ledgit ")
    assert done.stdout.splitlines()[-1] == "[]"
