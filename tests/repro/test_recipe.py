"""What a run recorded of how it was made, what it lacks, and its command line on another machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ledgit.errors import UsageError
from ledgit.projects.repro.recipe import Recipe, python_script, recipe_of_record
from ledgit.projects.repro.words import refit, with_secrets
from ledgit.records import Environment
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo

CODE = CodeInfo(commit="c" * 40, tree="d" * 40)


def recipe(*command: str, code: CodeInfo = CODE, **more: object) -> Recipe:
    """The recipe of a run with this command."""
    info = RunInfo("a" * 32, "calm-owl", command=command, code=code, **more)
    return recipe_of_record(RunRecord(info, environment=Environment(packages={"x": "1"})), "calm-owl", "E", "e" * 40)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "no command"),
        (("/usr/bin/python3",), "prompt"),
        (("python", "-i", "train.py"), "prompt"),
        (("python", "-qi"), "prompt"),
        (("ipython",), "prompt"),
        (("python", "-u", "-"), "standard input"),
        (("python", "-m", "ipykernel_launcher", "-f", "kernel.json"), "notebook"),
        (("/venv/bin/python", "/venv/bin/ledgit", "record", "--start"), "ledgit record"),
        (("python", "-m", "ledgit", "sweep", "train"), "sweep"),
    ],
)
def test_commands_that_can_not_be_repeated(command: tuple[str, ...], why: str) -> None:
    """And why."""
    found = recipe(*command)

    assert not found.repeatable
    assert why in next(one.text for one in found.lacking if one.fatal)


@pytest.mark.parametrize(
    "command",
    [
        ("python", "train.py", "-i", "x"),
        ("python3.11", "-W", "error", "-u", "train.py"),
        ("python", "-c", "print(1)"),
        ("python", "-Wi", "-m", "pkg.train"),
        ("jupyter", "execute", "notebook.ipynb"),
        ("sh", "-c", "python train.py"),
    ],
)
def test_commands_that_can(command: tuple[str, ...]) -> None:
    """Nothing is missing."""
    assert recipe(*command).repeatable


def test_what_lacks_is_told() -> None:
    """Files that were left out, submodules with changes, no code at all."""
    code = CodeInfo("c" * 40, "d" * 40, left_out=(("big.bin", 9000, "too large"),), submodules={"lib": {"dirty": True}})

    assert ["left out", "submodule"] == [one.what for one in recipe("true", code=code).lacking]
    assert "big.bin is not in the run's snapshot: too large (9,000 bytes)" == recipe("true", code=code).lacking[0].text
    assert not recipe("true", code=CodeInfo()).repeatable
    assert recipe("true", code=CodeInfo(commit="c" * 40)).repeatable


def test_scripts_are_found_behind_options() -> None:
    """As Python reads its own command line."""
    assert ("train.py", 4) == python_script(("python", "-X", "dev", "-u", "train.py", "-m", "x"))
    assert ("-m", 1) == python_script(("python", "-m", "x"))
    assert ("-c", 1) == python_script(("python", "-uc", "x"))
    assert None is python_script(("pythonic", "x"))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("login", "--password", "***"), "password"),
        (("login", "--api-key=***"), "api-key"),
        (("sh", "-c", "TOKEN=*** ./train"), "TOKEN"),
        (("curl", "https://***@host"), "1"),
    ],
)
def test_secrets_have_names(command: tuple[str, ...], name: str) -> None:
    """That of the option or variable, else the word's number; a shell gets the value quoted."""
    found = recipe(*command)

    assert [name] == [one.name for one in found.redacted]
    words = with_secrets(found, {name: "a b"})
    assert words[-1] == command[-1].replace("***", "'a b'" if command[0] == "sh" else "a b")
    with pytest.raises(UsageError, match=f"--set {name}=VALUE"):
        with_secrets(found, {})


def test_a_command_line_is_fitted_to_the_work_folder(tmp_path: Path) -> None:
    """Interpreter, paths into the user's work tree, and those of a work tree that is not on this machine."""
    top, work = "/home/ada/project", "/copy"
    files = {"src/train.py", "data.csv"}

    def fitted(*words: str) -> list[str]:
        return refit(words, top, work, sys.executable, files.__contains__)

    assert [sys.executable, "/copy/src/train.py", "--data=/copy/data.csv"] == fitted(
        "/no/venv/bin/python", "/home/ada/project/src/train.py", "--data=/home/ada/project/data.csv"
    )
    assert [sys.executable, "-u", "/copy/src/train.py"] == fitted("python3", "-u", "/Users/grace/p/src/train.py")
    assert [sys.executable, "-m", "pkg", "/etc/hostname", "--x=/nowhere/y"] == fitted(
        "python", "-m", "pkg", "/etc/hostname", "--x=/nowhere/y"
    )
    assert ["./train.sh", "/home/ada/projects"] == fitted("./train.sh", "/home/ada/projects")
    line = "python /home/ada/project/t.py --out='/home/ada/project/x y' /srv/home/ada/project/z /home/ada/projects"
    assert (
        line.replace("/home/ada/project/t", "/copy/t").replace("'/home/ada/project/x", "'/copy/x")
        == fitted("/bin/bash", "-c", line)[2]
    )
    assert ["dvc", "repro", "--no-run-cache", "train"] == fitted("dvc", "repro", "train")
    assert [sys.executable, "-m", "dvc", "repro", "--no-run-cache"] == fitted("python", "-m", "dvc", "repro")
    ours = str(Path(sys.executable).parent / "ruff")
    assert [sys.executable, ours, "check"] == fitted("/gone/bin/python", "/gone/bin/ruff", "check")
