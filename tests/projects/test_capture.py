"""What programs parsed: noted beside real argparse, click, typer and Hydra programs, none of which notices."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.projects.capture import SITE, captured, capturing_environment


def run(folder: Path, program: str, *arguments: str, name: str = "train.py", **variables: str) -> str:
    """Run *program* with its parser watched, and return what it wrote; what was parsed is in ``args``."""
    (folder / name).write_text(program)
    environ = capturing_environment({**os.environ, **variables}, str(folder / "args"))
    command = [sys.executable, name, *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


ARGPARSE = """\
import argparse, enum, pathlib, sys
class Color(enum.Enum):
    RED = 1
p = argparse.ArgumentParser()
p.add_argument("data", type=pathlib.Path)
p.add_argument("--lr", type=float, default=0.5)
p.add_argument("--layers", nargs="*", type=int, default=[1, 2])
p.add_argument("--fast", action="store_true")
p.add_argument("--api-key", default="s3cr3t")
p.add_argument("--color", default=Color.RED)
p.add_argument("--none")
p.set_defaults(func=print, thing=object())
known, rest = p.parse_known_args()
q = argparse.ArgumentParser()
q.add_argument("--seed", type=int)
print(known.lr, q.parse_args(rest), argparse.ArgumentParser().parse_args([]))
"""


def test_what_argparse_parsed_is_known(tmp_path: Path) -> None:
    """Defaults too; functions and objects are no values, and secrets are hidden by their names."""
    said = run(tmp_path, ARGPARSE, "a/b.csv", "--lr", "1e-3", "--layers", "3", "4", "--seed", "7")

    assert "0.001 Namespace(seed=7) Namespace()\n" == said
    assert {
        "data": "a/b.csv",
        "lr": 0.001,
        "layers": "[3, 4]",
        "fast": False,
        "api_key": "***",
        "color": "RED",
        "none": None,
    } == captured(str(tmp_path / "args"))


def test_sub_commands_are_parsed_once(tmp_path: Path) -> None:
    """By parsers within parsers."""
    program = (
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', type=int, default=1)\n"
        "s = p.add_subparsers(dest='command')\ns.add_parser('fit').add_argument('--y', type=float)\np.parse_args()\n"
    )

    run(tmp_path, program, "fit", "--y", "2")

    assert {"x": 1, "command": "fit", "y": 2.0} == captured(str(tmp_path / "args"))
    assert 1 == len((tmp_path / "args").read_bytes().splitlines())


def test_what_click_and_typer_parsed_is_known(tmp_path: Path) -> None:
    """Of a group, its own and its command's."""
    click = (
        "import click\n@click.group()\n@click.option('--seed', default=1)\ndef main(seed): ...\n"
        "@main.command()\n@click.option('--lr', type=float)\n@click.argument('data')\ndef fit(lr, data): print(lr)\n"
        "main()\n"
    )
    typer = "import typer\ndef main(data: str, rounds: int = 3, fast: bool = False): print(rounds)\ntyper.run(main)\n"

    assert "0.1\n" == run(tmp_path, click, "--seed", "5", "fit", "--lr", "0.1", "d", name="fit.py")
    assert "4\n" == run(tmp_path, typer, "--rounds", "4", "e", name="other.py")

    found = captured(str(tmp_path / "args"))
    assert {"seed": 5, "lr": 0.1, "data": "d", "other.data": "e", "rounds": 4, "fast": False} == found


HYDRA = """\
import hydra
@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    print(cfg.opt.lr)
main()
"""


@pytest.fixture
def hydra_app(tmp_path: Path) -> Path:
    (tmp_path / "conf").mkdir()
    config = "opt:\n  lr: 0.1\n  betas: [0.9, 0.99]\nname: ${opt.lr}-x\npassword: hunter2\nseed: 1\n"
    (tmp_path / "conf" / "config.yaml").write_text(config)
    return tmp_path


def test_what_hydra_composed_is_known(hydra_app: Path) -> None:
    """Flat, resolved, with the overrides of the command line; the program finds its configuration as ever."""
    assert "0.2\n" == run(hydra_app, HYDRA, "opt.lr=0.2", "+more=true")

    expected = {"opt.lr": 0.2, "opt.betas": "[0.9, 0.99]", "name": "0.2-x", "password": "***", "seed": 1, "more": True}
    assert expected == captured(str(hydra_app / "args"))


def test_the_jobs_of_a_hydra_sweep_are_joined(hydra_app: Path) -> None:
    """As the command line has them; what is the same in all is itself."""
    run(hydra_app, HYDRA, "-m", "opt.lr=0.2,0.3", "seed=4")

    found = captured(str(hydra_app / "args"))

    assert ("0.2,0.3", 4) == (found["opt.lr"], found["seed"])


def test_hydras_files_are_read_where_the_program_could_not_be_watched(hydra_app: Path) -> None:
    """An isolated interpreter; of the files only those since the start count."""
    (hydra_app / "train.py").write_text(HYDRA)
    for rate in ("0.2", "0.3"):
        folder = f"hydra.run.dir=outputs/{rate}"
        command = [sys.executable, "-I", "train.py", f"opt.lr={rate}", folder]
        environ = capturing_environment(os.environ, str(hydra_app / "args"))
        subprocess.run(command, cwd=hydra_app, env=environ, check=True, capture_output=True)
    old = hydra_app / "outputs" / "0.2" / ".hydra" / "config.yaml"
    os.utime(old, (1000, 1000))

    assert {} == captured(str(hydra_app / "args"))
    found = captured(str(hydra_app / "args"), str(hydra_app), since=2000)
    assert (0.3, "${opt.lr}-x", "***") == (found["opt.lr"], found["name"], found["password"])


def test_the_environments_own_sitecustomize_runs(tmp_path: Path) -> None:
    """It is found as without ours, its errors included; the path looks as without it."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys, argparse\nsys.own = __file__\n")
    program = (
        "import sys\nprint(sys.own, [p for p in sys.path if 'capture_site' in p])\n"
        "import argparse, sitecustomize\np = argparse.ArgumentParser()\np.add_argument('--a')\np.parse_args()\n"
        "print(sitecustomize.__file__)\n"
    )

    said = run(tmp_path, program, "--a", "1", PYTHONPATH=str(own))

    assert f"{own / 'sitecustomize.py'} []\n{own / 'sitecustomize.py'}\n" == said
    assert {"a": "1"} == captured(str(tmp_path / "args"))
    (own / "sitecustomize.py").write_text("import not_there\n")
    environ = capturing_environment({**os.environ, "PYTHONPATH": str(own)}, str(tmp_path / "args"))
    done = subprocess.run([sys.executable, "-c", ""], env=environ, capture_output=True, text=True, check=True)
    assert "not_there" in done.stderr


def test_nothing_is_imported_that_the_program_does_not_import(tmp_path: Path) -> None:
    """And a program without a parser leaves no trace."""
    program = "import sys\nprint(sorted(set(sys.modules) & {'argparse', 'json', 'click', 'hydra', 'ledgit', 're'}))\n"

    assert "[]\n" == run(tmp_path, program)
    assert {} == captured(str(tmp_path / "args"))
    assert not (tmp_path / "args").exists()


def test_a_program_never_fails_by_it(tmp_path: Path) -> None:
    """Not with a file that can't be written, with values that can't be read, nor when it looks at its own parser."""
    program = (
        "import argparse, inspect\nclass Bad:\n    def __str__(self): raise ValueError\n    __repr__ = __str__\n"
        "p = argparse.ArgumentParser()\np.add_argument('--a', default=Bad())\np.parse_args()\n"
        "print(inspect.getsource(argparse).count('class ArgumentParser'))\n"
        "print(argparse.__spec__.loader.get_source('argparse')[:1])\n"
    )
    (tmp_path / "args").mkdir()

    assert "1\n#\n" == run(tmp_path, program)
    assert {} == captured(str(tmp_path / "args"))


def test_tools_that_a_command_calls_are_not_its_program(tmp_path: Path) -> None:
    """dvc repro parses arguments, too."""
    program = "import argparse\np = argparse.ArgumentParser()\np.add_argument('--a')\np.parse_args()\n"

    run(tmp_path, program, "--a", "1", name="dvc")

    assert {} == captured(str(tmp_path / "args"))


def test_it_costs_a_program_less_than_five_milliseconds(tmp_path: Path) -> None:
    """CPU time of interpreters that start and parse, with and without; the least of several."""
    (tmp_path / "t.py").write_text("import argparse, json\np = argparse.ArgumentParser()\np.parse_args()\n")
    plain = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    plain.pop("PYTHONDONTWRITEBYTECODE", None)
    watched = capturing_environment(plain, str(tmp_path / "args"))

    def cost(environ: dict[str, str]) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "t.py"], cwd=tmp_path, env=environ, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    costs = [(cost(plain), cost(watched)) for _ in range(16)]

    assert min(watching for _, watching in costs) - min(without for without, _ in costs) < 0.005


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
lines = st.builds(
    lambda kind, program, pid, values: {"kind": kind, "program": program, "pid": pid, "values": values},
    st.sampled_from(["argparse", "hydra", "click"]),
    st.sampled_from(["/x/train.py", "eval.py", ""]),
    st.integers(1, 3),
    st.dictionaries(st.text(max_size=6), json_values, max_size=3) | json_values,
)


@settings(max_examples=60)
@given(st.lists(lines, max_size=5), st.binary(max_size=20))
def test_any_file_is_read_as_params(tmp_path: Path, noted: list[object], torn: bytes) -> None:
    """Whatever a program wrote into it: names and scalars, or nothing."""
    data = b"".join(json.dumps(line).encode() + b"\n" for line in noted) + torn
    (tmp_path / "args").write_bytes(data)

    for name, value in captured(str(tmp_path / "args")).items():
        assert name
        assert value is None or isinstance(value, (str, int, float))


def test_the_folder_holds_one_module() -> None:
    """Whatever else were in it could be imported by the program."""
    assert ["sitecustomize.py"] == [name for name in os.listdir(SITE) if name != "__pycache__"]
