"""MLproject files: read as MLflow reads them, and what it would trip over named with its line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import EntryPointNotFound, ProjectError
from ledgit.projects.mlproject import EntryPoint, EnvironmentSpec, read_project
from ledgit.projects.parameters import Parameter

WINE = """\
name: wine
python_env: env/python.yaml
entry_points:
  main:
    parameters:
      data_file: path
      alpha: {type: float, default: 0.5}
      rounds: {default: 10}
      where: uri
      plain: string
    command: "python train.py {data_file} --alpha {alpha} {rounds}"
  validate:
    command: >
      python
      validate.py
"""


def project(folder: Path, text: str, name: str = "MLproject") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_project_has_a_name_entry_points_and_an_environment(tmp_path: Path) -> None:
    """The example of MLflow's documentation, and its shapes of parameters."""
    project(tmp_path, WINE)
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "python.yaml").touch()

    found = read_project(str(tmp_path))

    assert "wine" == found.name
    assert EnvironmentSpec("python_env", str(tmp_path / "env" / "python.yaml")) == found.environment
    assert EntryPoint("validate", "python validate.py\n") == found.entry_points["validate"]
    main = found.entry_point("main")
    assert {
        "data_file": Parameter("data_file", "path"),
        "alpha": Parameter("alpha", "float", "0.5"),
        "rounds": Parameter("rounds", "string", "10", declared=False),
        "where": Parameter("where", "uri"),
        "plain": Parameter("plain", "string"),
    } == main.parameters
    assert (str(tmp_path / "MLproject"), 11) == (main.file, main.line)


ODD = """\
entry_points:
  main:
    command: x {a} {b} {c} {d} {e} {f} {g}
    parameters:
      a: {default: true}
      b: {default: 1e-3}
      c: {default: 010}
      d: {default: ''}
      e: {type: float, default: .5}
      f: {default: 2026-11-23}
      g: {default: [1, a]}
      h: {type: float, default: null}
"""
ANCHORS = """\
entry_points:
  a: &a
    parameters: &p {x: {type: float, default: 1}}
    command: run {x}
  b:
    <<: *a
    command: walk {x}
  c:
    parameters: {<<: *p, y: string}
    command: fly {x} {y}
"""
MLFLOW_READS = {
    "documented": (WINE, {"env/python.yaml": ""}),
    "empty": ("{}\n", {}),
    "name only": ("name: a b\n", {}),
    "conda": ("conda_env: c.yaml\nname: x\n", {"c.yaml": "", "python_env.yaml": ""}),
    "found python": ("name: x\n", {"python_env.yaml": "", "conda.yaml": ""}),
    "found conda": ("name: x\n", {"conda.yaml": ""}),
    "empty environment": ("name: x\npython_env:\n", {"conda.yaml": ""}),
    "docker": (
        "docker_env:\n  image: img:1\n  volumes: ['/a:/b']\n  environment: [['A', 'b'], HOME]\nname: x\n",
        {"python_env.yaml": ""},
    ),
    "odd defaults": (ODD, {}),
    "anchors": (ANCHORS, {}),
    "unknown keys": (
        "zzz: 1\nentry_points:\n  m:\n    command: c\n    qqq: 2\n    parameters: {a: {type: tensor, default: 3}}\n",
        {},
    ),
}


@pytest.mark.parametrize("case", MLFLOW_READS)
def test_mlflow_reads_the_same(case: str, tmp_path: Path) -> None:
    """Names, commands, types and defaults, and which environment counts."""
    text, files = MLFLOW_READS[case]
    project(tmp_path, text)
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with real_mlflow(tmp_path):
        from mlflow.projects._project_spec import load_project

        theirs = load_project(str(tmp_path))

    ours = read_project(str(tmp_path))

    assert (theirs.name or tmp_path.name) == ours.name
    assert [
        (entry.name, entry.command, [(p.name, p.default and str(p.default)) for p in entry.parameters.values()])
        for entry in theirs._entry_points.values()
    ] == [
        (entry.name, entry.command, [(p.name, p.default) for p in entry.parameters.values()])
        for entry in ours.entry_points.values()
    ]
    kind = theirs.env_type if theirs.env_config_path or theirs.docker_env else ""
    assert (kind, theirs.env_config_path or "") == (ours.environment.kind, ours.environment.path)
    assert (theirs.docker_env or {}) == ours.environment.mapping


@pytest.mark.parametrize("name", ["MLproject", "mlproject", "MLPROJECT"])
def test_the_files_name_is_read_in_any_letter_case(name: str, tmp_path: Path) -> None:
    """As in MLflow."""
    assert "x" == read_project(str(project(tmp_path, "name: x\n", name))).name


def test_the_usual_spelling_counts_before_others(tmp_path: Path) -> None:
    """MLflow takes whichever the file system names first."""
    project(tmp_path, "name: other\n", "mlproject")
    project(tmp_path, "name: usual\n")

    assert "usual" == read_project(str(tmp_path)).name


def test_a_folder_without_a_file_is_a_project_named_like_it(tmp_path: Path) -> None:
    """Its scripts can be run, and its environment is found."""
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / "conda.yaml").touch()

    found = read_project(str(folder))

    assert ("digits", {}, "") == (found.name, found.entry_points, found.file)
    assert EnvironmentSpec("conda_env", str(folder / "conda.yaml")) == found.environment


WRONG = {
    "name: [a": (1, "is not valid YAML"),
    "name: x\nentry_points:\n  main:\n    command: python: x\n": (
        4,
        "mapping values are not allowed here\n      command",
    ),
    "name: x\n\tentry_points: 1\n": (2, "cannot start any token"),
    "name: x\nname: y\n": (2, "has the key 'name' twice"),
    "entry_points:\n  a: {command: x}\n  b: {command: x}\n  a: {command: y}\n": (4, "has the key 'a' twice"),
    "- a\n": (1, "is a list, expected a mapping"),
    "just words\n": (1, "is 'just words', expected a mapping"),
    "name: x\nentry_point:\n  main: {command: x}\n": (2, "unknown key 'entry_point'; did you mean 'entry_points'?"),
    "name: x\npythonenv: y\n": (2, "did you mean 'python_env'?"),
    "entry_points:\n  main:\n    cmd: x\n": (2, "entry point 'main' has no command"),
    "entry_points:\n  main:\n    comand: x\n": (3, "did you mean 'command'?"),
    "entry_points:\n  main:\n    parameter: {a: float}\n    command: x\n": (3, "did you mean 'parameters'?"),
    "entry_points:\n  main: python x\n": (2, "is 'python x', expected a mapping with 'command'"),
    "entry_points:\n  main:\n": (2, "is empty, expected a mapping"),
    "entry_points: [a]\n": (1, "entry_points is a list, expected a mapping"),
    "entry_points:\n  m:\n    command: [a, b]\n": (3, "is a list, expected text"),
    "entry_points:\n  m:\n    command: x\n    parameters:\n      a: 0.5\n": (5, "is 0.5, expected a type or a mapping"),
    "entry_points:\n  m:\n    command: x\n    parameters:\n      a: flaot\n": (
        5,
        "mean float? Types are string",
    ),
    "entry_points:\n  m:\n    command: x\n    parameters:\n      a: {defualt: 1}\n": (5, "did you mean 'default'?"),
    "entry_points:\n  m:\n    command: x\n    parameters: [a]\n": (4, "is a list, expected a mapping"),
    "python_env: e.yaml\nname: x\nconda_env: c.yaml\n": (3, "declares python_env and conda_env"),
    "name: x\npython_env: e.yaml\n": (2, "python_env is 'e.yaml', but there is no such file"),
    "docker_env:\n  volumes: []\n": (2, "docker_env names no image"),
    "docker_env:\n  image: x\n  volumes: /a:/b\n": (3, "expected a list such as"),
    "docker_env:\n  image: x\n  environment: [[a, b, c]]\n": (3, "has 3 parts"),
    "name: !!python/object/apply:os.system ['touch pwned']\n": (1, "has a value with the tag"),
    "a: &a [1, 2]\nb: !!set {x}\n": (2, "has a value with the tag"),
    "name: x\n---\nname: y\n": (2, "found another document"),
    "a: !!int ''\n": (1, "has a value that YAML can't read"),
    "[" * 40 + "]" * 40: (None, "is nested deeper than 32 levels"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_said_with_its_line(text: str, tmp_path: Path) -> None:
    """MLflow's answer to most of these is an AttributeError, or none."""
    line, reason = WRONG[text]

    with pytest.raises(ProjectError) as caught:
        read_project(str(project(tmp_path, text)))

    assert (str(tmp_path / "MLproject"), line) == (caught.value.file, caught.value.line)
    assert reason in caught.value.reason


def test_a_file_of_nested_anchors_is_refused_before_it_grows(tmp_path: Path) -> None:
    """Nine levels of nine each would be half a billion values."""
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]

    with pytest.raises(ProjectError, match="holds too much"):
        read_project(str(project(tmp_path, "\n".join(levels))))


def test_an_anchor_within_itself_is_refused(tmp_path: Path) -> None:
    """A value that holds itself has no end."""
    with pytest.raises(ProjectError, match=r"holds too much|valid YAML"):
        read_project(str(project(tmp_path, "name: &a [*a]\n")))


def test_bytes_that_are_no_text_are_said_with_their_line(tmp_path: Path) -> None:
    """A file saved in another encoding."""
    (tmp_path / "MLproject").write_bytes(b"name: x\n# caf\xe9\n")

    with pytest.raises(ProjectError, match=r"line 2: is not UTF-8"):
        read_project(str(tmp_path))


def test_what_means_nothing_is_passed_over_with_a_note(tmp_path: Path) -> None:
    """MLflow passes over it without a word."""
    text, _ = MLFLOW_READS["unknown keys"]

    assert (
        "line 1: unknown key 'zzz', passed over",
        "line 5: entry point 'm': unknown key 'qqq', passed over",
        "line 6: the type of parameter 'a' of entry point 'm' is 'tensor', read as string",
    ) == read_project(str(project(tmp_path, text))).notes


def test_our_own_types_are_read(tmp_path: Path) -> None:
    """Whole numbers, yes and no, and a choice; also as others spell them."""
    text = (
        "entry_points:\n  m:\n    command: x\n    parameters:\n      a: int\n      b: boolean\n"
        "      c: choice[adam, sgd]\n      d: {type: 'choice[1,2]', default: 1}\n"
    )

    found = read_project(str(project(tmp_path, text))).entry_point("m").parameters

    assert ["int", "bool", "choice[adam,sgd]", "choice[1,2]"] == [parameter.spelled for parameter in found.values()]


def test_a_script_is_an_entry_point_without_being_declared(tmp_path: Path) -> None:
    """By its path below the folder; what its name has of a shell's characters is quoted."""
    (tmp_path / "sub").mkdir()
    for name in ("train.py", "sub/pre pare.sh", "plot.R", "{a}.py", "-x.py", "go", "plain"):
        (tmp_path / name).write_text("#!/bin/sh\n" if name != "plain" else "text\n")
    (tmp_path / "go").chmod(0o755)
    (tmp_path / "plain").chmod(0o755)
    found = read_project(str(tmp_path))

    commands = {
        name: found.entry_point(name).command
        for name in ("train.py", "sub/pre pare.sh", "plot.R", "{a}.py", "-x.py", "go", "./train.py")
    }

    assert {
        "train.py": "python train.py",
        "sub/pre pare.sh": "bash 'sub/pre pare.sh'",
        "plot.R": "Rscript plot.R",
        "{a}.py": "python '{{a}}.py'",
        "-x.py": "python ./-x.py",
        "go": "./go",
        "./train.py": "python train.py",
    } == commands


@pytest.mark.parametrize("name", ["validat", "../out.py", "/bin/sh", "link.py", "gone.py", "plain.txt", ""])
def test_an_unknown_entry_point_names_what_there_is(name: str, tmp_path: Path) -> None:
    """Declared ones first; nothing outside of the folder is one, through a link neither."""
    folder = project(tmp_path / "p", "name: wine\nentry_points:\n  main: {command: x}\n  validate: {command: y}\n")
    (tmp_path / "out.py").touch()
    (folder / "link.py").symlink_to(tmp_path / "out.py")
    (folder / "train.py").touch()
    (folder / "plain.txt").touch()

    with pytest.raises(EntryPointNotFound) as caught:
        read_project(str(folder)).entry_point(name)

    assert ("main", "validate") == caught.value.known[:2]
    assert "train.py" in str(caught.value)


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?\n \tx1.\x00\x07é\ud800", max_size=60)


@settings(max_examples=150)
@given(yaml_like)
def test_any_text_is_read_or_refused_in_words(tmp_path: Path, text: str) -> None:
    """Whatever a repository holds, there is no other error."""
    (tmp_path / "MLproject").write_bytes(text.encode("utf-8", "surrogatepass"))

    with contextlib.suppress(ProjectError):
        read_project(str(tmp_path))
