"""MLproject files written, and added to without touching what a person wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import ProjectError, StorageError
from ledgit.projects.mlproject import EntryPoint, EnvironmentSpec, Project, read_project
from ledgit.projects.parameters import Parameter
from ledgit.projects.skeleton import edit_project, write_project

TRAIN = EntryPoint(
    "train",
    'python train.py --alpha {alpha} "{data}"',
    {
        "alpha": Parameter("alpha", "float", "0.5"),
        "data": Parameter("data", "path"),
        "opt": Parameter("opt", "choice", "a", ["a", "b"]),
        "fast": Parameter("fast", "bool", "False"),
    },
)
TEXT = """\
name: wine

entry_points:
  train:
    parameters:
      alpha: {type: float, default: 0.5}
      data: path
      opt: {type: "choice[a,b]", default: "a"}
      fast: {type: bool, default: false}
    command: "python train.py --alpha {alpha} \\"{data}\\""
"""


def test_a_new_project_is_a_file_that_reads_well(tmp_path: Path) -> None:
    """MLflow reads it, too."""
    project = Project("wine", {"train": TRAIN}, EnvironmentSpec(), str(tmp_path))

    path = write_project(str(tmp_path), project)

    assert TEXT == Path(path).read_text()
    with real_mlflow(tmp_path):
        from mlflow.projects._project_spec import load_project

        theirs = load_project(str(tmp_path))
    assert ("wine", ["alpha", "data", "opt", "fast"]) == (theirs.name, [*theirs.get_entry_point("train").parameters])


def test_a_project_without_entry_points_is_one_that_mlflow_reads(tmp_path: Path) -> None:
    """A bare 'entry_points:' ends MLflow."""
    (tmp_path / "python_env.yaml").touch()
    spec = EnvironmentSpec("python_env", str(tmp_path / "python_env.yaml"))

    path = write_project(str(tmp_path), Project("x", {}, spec, str(tmp_path)))

    assert "name: x\n\npython_env: python_env.yaml\n\nentry_points: {}\n" == Path(path).read_text()
    with pytest.raises(ProjectError, match="is there already"):
        write_project(str(tmp_path), Project("y", {}, spec, str(tmp_path)))


BEFORE = """\
# The wine project.
name:   'wine'   # as in the paper

entry_points:
    # the usual one
    main:
        command: |
            python a.py
            # not a comment

    # what was there before
    other: {command: x}   # short

# the end
"""


def test_what_a_person_wrote_stays(tmp_path: Path) -> None:
    """Comments, order, quotes, indentation and blank lines."""
    (tmp_path / "mlproject").write_text(BEFORE)
    (tmp_path / "mlproject").chmod(0o640)

    added = edit_project(str(tmp_path), {"train": EntryPoint("train", "python t.py"), "main": EntryPoint("main", "y")})

    assert ("train",) == added
    new = '    train:\n      command: "python t.py"\n'
    assert BEFORE.replace("# short\n", "# short\n" + new) == (tmp_path / "mlproject").read_text()
    assert 0o640 == (tmp_path / "mlproject").stat().st_mode & 0o777
    assert () == edit_project(str(tmp_path), {"train": EntryPoint("train", "other")})


SHAPES = {
    "entry_points: {}  # none yet\n": 'entry_points:  # none yet\n  a:\n    command: "x"\n',
    "entry_points:\n": 'entry_points:\n  a:\n    command: "x"\n',
    "name: x\n\n\n": 'name: x\n\nentry_points:\n  a:\n    command: "x"\n',
    "": 'entry_points:\n  a:\n    command: "x"\n',
    "entry_points:\n  b:\n    command: |\n      y\n\n      # z\n\n\nname: x\n": (
        'entry_points:\n  b:\n    command: |\n      y\n\n      # z\n  a:\n    command: "x"\n\n\nname: x\n'
    ),
    "entry_points:\n  b: {command: y}\n\n  c: {command: y}": (
        'entry_points:\n  b: {command: y}\n\n  c: {command: y}\n\n  a:\n    command: "x"'
    ),
    "name: x\r\nentry_points:\r\n  b:\r\n    command: y\r\n": (
        'name: x\r\nentry_points:\r\n  b:\r\n    command: y\r\n  a:\r\n    command: "x"\r\n'
    ),
}


@pytest.mark.parametrize("before", SHAPES)
def test_lines_are_added_to_files_of_many_shapes(before: str, tmp_path: Path) -> None:
    """Empty ones, with text blocks at the end, with the line ends of Windows."""
    (tmp_path / "MLproject").write_bytes(before.encode())

    edit_project(str(tmp_path), {"a": EntryPoint("a", "x")})

    assert SHAPES[before] == (tmp_path / "MLproject").read_bytes().decode()


@pytest.mark.parametrize(
    "before",
    [
        "entry_points: {b: {command: x}}\n",
        "{name: x}\n",
        "name: x\n...\n",
    ],
)
def test_a_file_that_lines_cannot_be_added_to_stays_as_it_is(before: str, tmp_path: Path) -> None:
    """The error names what to add by hand."""
    (tmp_path / "MLproject").write_text(before)

    with pytest.raises(ProjectError):
        edit_project(str(tmp_path), {"a": EntryPoint("a", "x")})

    assert before == (tmp_path / "MLproject").read_text()
    assert ["MLproject"] == [path.name for path in tmp_path.iterdir()]


def test_an_environment_is_added_where_none_is_declared(tmp_path: Path) -> None:
    """Below the name; a declared one stays."""
    (tmp_path / "MLproject").write_text("# first\nname: x  # its name\n\nentry_points: {}\n")
    for name in ("python_env.yaml", "conda.yaml"):
        (tmp_path / name).touch()

    edit_project(str(tmp_path), environment=("python_env", "python_env.yaml"))
    edit_project(str(tmp_path), environment=("conda_env", "conda.yaml"))

    expected = "# first\nname: x  # its name\n\npython_env: python_env.yaml\n\nentry_points: {}\n"
    assert expected == (tmp_path / "MLproject").read_text()


def test_a_missing_file_and_a_disk_that_refuses_are_said(tmp_path: Path) -> None:
    """In our own words."""
    with pytest.raises(ProjectError, match="'ledgit project create' writes one"):
        edit_project(str(tmp_path), {})
    with pytest.raises((StorageError, ProjectError)):
        write_project(str(tmp_path / "gone"), Project("x", {}, EnvironmentSpec(), str(tmp_path)))


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
texts = st.one_of(
    names, st.sampled_from(["1", "01", "1e3", "1.50", "-2", "true", "null", "~", "a: b", "{x}", "# c", "yes"])
)
parameters = st.builds(
    Parameter,
    st.just(""),
    st.sampled_from(["string", "float", "int", "path", "uri", "bool"]),
    st.one_of(st.none(), texts, st.floats().map(str), st.integers().map(str)),
)
entries = st.dictionaries(names, st.tuples(texts, st.dictionaries(names, parameters, max_size=3)), max_size=3)


def points(drawn: dict[str, tuple[str, dict[str, Parameter]]]) -> dict[str, EntryPoint]:
    return {
        name: EntryPoint(name, command, {key: Parameter(key, p.type, p.default) for key, p in declared.items()})
        for name, (command, declared) in drawn.items()
    }


@settings(max_examples=80)
@given(names, entries, entries)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    first: dict[str, tuple[str, dict[str, Parameter]]],
    second: dict[str, tuple[str, dict[str, Parameter]]],
) -> None:
    """Whatever the names and defaults are, at first and added later."""
    folder = tmp_path_factory.mktemp("project")
    write_project(str(folder), Project(name, points(first), EnvironmentSpec(), str(folder)))
    assert (name, points(first)) == (read_project(str(folder)).name, read_project(str(folder)).entry_points)

    added = edit_project(str(folder), points(second))

    assert [key for key in second if key not in first] == list(added)
    assert {**points(second), **points(first)} == read_project(str(folder)).entry_points
