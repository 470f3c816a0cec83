"""Entry points found in the text of files: what is found is run with the real libraries, nothing before that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.projects.commands import argv, fill
from ledgit.projects.detect import detect_entry_points
from ledgit.projects.mlproject import EntryPoint
from ledgit.projects.parameters import bind

GUARD = "\nif __name__ == '__main__':\n    main()\n"
ARGPARSE = """\
import argparse, json
from pathlib import Path

COMPUTED = [1, 2]

def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", type=Path)
    p.add_argument("--alpha", "-a", type=float, default=0.5, help="x")
    p.add_argument("-n", "--n-rounds", default=10, type=int)
    p.add_argument("--rate", default=0.25)
    p.add_argument("--name", default="it's {x}")
    p.add_argument("--opt", choices=["adam", "sgd"], default="adam")
    p.add_argument("--level", choices=[1, 2], type=int, required=True)
    p.add_argument("--dry-run", action="store_true")
    p.add_argument("-v", action="count", default=0)
    p.add_argument("--tags", nargs="*")
    p.add_argument("--maybe")
    p.add_argument("--computed", default=len(COMPUTED))
    p.add_argument("--keep", action="store_false")
    p.add_argument("--both", action=argparse.BooleanOptionalAction)
    p.add_argument("--to", dest="target", default="out")
    p.add_argument("rest", nargs="?", default="r")
    print(json.dumps(vars(p.parse_args()), default=str))
"""
CLICK = """\
import click, json

@click.command()
@click.option("--alpha", "-a", default=0.5)
@click.option("--rounds", "n_rounds", type=int, required=True)
@click.option("--opt", type=click.Choice(["adam", "sgd"]), default="sgd")
@click.option("--shout/--no-shout", default=False)
@click.option("--fast", is_flag=True)
@click.option("--many", multiple=True)
@click.argument("data")
def main(**given):
    print(json.dumps(given))
"""
TYPER = """\
from typing import Annotated
import json, typer

def main(data: str, rounds: int = 3, rate: Annotated[float, typer.Option("--lr")] = 0.1,
         opt: str = typer.Option("adam", help="x"), dry_run: bool = False, other: str = typer.Option(...)):
    print(json.dumps(locals()))

if __name__ == "__main__":
    typer.run(main)
"""


def detect(folder: Path, **files: str) -> dict[str, EntryPoint]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return detect_entry_points(str(folder), [f"{name}.py" for name in files])


def declared(point: EntryPoint) -> dict[str, tuple[str, str | None]]:
    return {name: (parameter.spelled, parameter.default) for name, parameter in point.parameters.items()}


def answer(point: EntryPoint, folder: Path, **values: object) -> dict[str, object]:
    """What the program says it was given."""
    words = argv(point, bind(point, values, str(folder)))
    assert words is not None, fill(point, bind(point, values, str(folder)))
    done = subprocess.run([sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_argparse_says_types_defaults_and_choices(tmp_path: Path) -> None:
    """What need not be given and has no default that is written out is left to -P."""
    (point,) = detect(tmp_path, train=ARGPARSE + GUARD).values()

    assert {
        "alpha": ("float", "0.5"),
        "n_rounds": ("int", "10"),
        "rate": ("float", "0.25"),
        "name": ("string", "it's {x}"),
        "opt": ("choice[adam,sgd]", "adam"),
        "level": ("choice[1,2]", None),
        "dry-run": ("bool", "False"),
        "target": ("string", "out"),
        "data": ("string", None),
        "rest": ("string", "r"),
    } == declared(point)
    said = answer(
        point, tmp_path, data="a b", level=2, alpha="-1e-3", **{"dry-run": "yes", "maybe": "m", "target": "-x"}
    )
    assert ("a b", 2, -0.001, True, "m", "it's {x}", "-x", "r") == tuple(
        said[key] for key in ("data", "level", "alpha", "dry_run", "maybe", "name", "target", "rest")
    )


def test_click_says_them_too(tmp_path: Path) -> None:
    """Options by their own names, switches by their words."""
    (point,) = detect(tmp_path, train=CLICK + GUARD).values()

    assert {
        "alpha": ("float", "0.5"),
        "n_rounds": ("int", None),
        "opt": ("choice[adam,sgd]", "sgd"),
        "shout": ("bool", "False"),
        "fast": ("bool", "False"),
        "data": ("string", None),
    } == declared(point)
    assert "python train.py --alpha={alpha} --rounds={n_rounds} --opt={opt} {data}" == point.command
    said = answer(point, tmp_path, data="d", n_rounds=4, fast="true")
    assert {"alpha": 0.5, "n_rounds": 4, "opt": "sgd", "shout": False, "fast": True, "many": [], "data": "d"} == said


def test_typer_says_them_by_a_functions_signature(tmp_path: Path) -> None:
    """What has a default is an option, what has none an argument."""
    (point,) = detect(tmp_path, train=TYPER).values()

    assert {
        "rounds": ("int", "3"),
        "rate": ("float", "0.1"),
        "opt": ("string", "adam"),
        "dry-run": ("bool", "False"),
        "other": ("string", None),
        "data": ("string", None),
    } == declared(point)
    said = answer(point, tmp_path, data="d", other="o", rate=0.5, **{"dry-run": True})
    assert {"data": "d", "rounds": 3, "rate": 0.5, "opt": "adam", "dry_run": True, "other": "o"} == said


def test_fire_says_them_by_a_functions_signature(tmp_path: Path) -> None:
    """By name, with underscores."""
    text = "import fire\ndef main(data, n_rounds=3, *, rate=0.1, fast=False): ...\nfire.Fire(main)\n"
    (point,) = detect(tmp_path, train=text).values()

    assert "python train.py --data={data} --n_rounds={n_rounds} --rate={rate}" == point.command
    assert ["string", "int", "float", "bool"] == [parameter.type for parameter in point.parameters.values()]


def test_a_program_with_sub_commands_has_no_parameters(tmp_path: Path) -> None:
    """Which there are depends on the command."""
    argparse_text = "import argparse\np = argparse.ArgumentParser()\ns = p.add_subparsers()\nq = s.add_parser('a')\n"
    argparse_text += "q.add_argument('--x', default=1)\np.parse_args()\n"
    click_text = "import click\n@click.group()\ndef main(): ...\n@main.command()\n@click.option('--a', default=1)\n"

    found = detect(tmp_path, one=argparse_text, two=click_text + "def a(a): ...\n" + GUARD)

    assert [{}, {}] == [point.parameters for point in found.values()]


def test_nothing_is_executed(tmp_path: Path) -> None:
    """Not even a default."""
    text = f"open({str(tmp_path / 'pwned')!r}, 'w')\n" + ARGPARSE + GUARD

    assert detect(tmp_path, train=text)
    assert not (tmp_path / "pwned").exists()


def test_which_files_are_entry_points(tmp_path: Path) -> None:
    """Scripts: Python with a main guard or that reads its arguments, and what says who runs it."""
    files = {
        "train.py": "print(1)" + GUARD,
        "sub/train.py": "print(1)" + GUARD,
        "pkg/run.py": "from . import x" + GUARD,
        "it's {a}.py": "import argparse\nargs = argparse.ArgumentParser().parse_args()\n",
        "library.py": "def main(): ...\n",
        "test_it.py": "print(1)" + GUARD,
        "broken.py": "def (" + GUARD,
        "prepare.sh": "#!/usr/bin/env -S bash -e\n",
        "go": "#!/opt/bin/julia\n",
        "tool": "#!/usr/bin/env python3\n" + GUARD,
        "plain.sh": "echo\n",
        "data.csv": "a,b\n",
        "binary": "#!\xff\xfe",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode("latin-1"))

    found = detect_entry_points(str(tmp_path), [*files, "gone.py", "../out.py"])

    assert {
        "train": "python train.py",
        "sub.train": "python sub/train.py",
        "run": "python -m pkg.run",
        "it's {a}": "python 'it'\"'\"'s {{a}}.py'",
        "prepare": "bash prepare.sh",
        "go": "./go",
        "tool": "python tool",
    } == {name: point.command for name, point in found.items()}


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([*ARGPARSE.splitlines(), *CLICK.splitlines(), *TYPER.splitlines()]), max_size=12),
    st.text(max_size=20),
)
@pytest.mark.filterwarnings("error")
def test_any_text_has_entry_points_or_none(tmp_path: Path, lines: list[str], more: str) -> None:
    """Whatever a person is in the middle of typing."""
    text = "\n".join([*lines, more]) + GUARD
    (tmp_path / "x.py").write_bytes(text.encode("utf-8", "surrogatepass"))

    for point in detect_entry_points(str(tmp_path), ["x.py"]).values():
        given_values = {name: p.choices[0] if p.choices else "1" for name, p in point.parameters.items()}
        assert fill(point, bind(point, given_values, str(tmp_path))).startswith("python x.py")
