"""What projects ask of their environments, read from files; and what conda and docker are told."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import EnvironmentFailed, ProjectError, UsageError
from ledgit.projects.environments import (
    Difference,
    Prepared,
    choose_manager,
    differences,
    direct_packages,
    from_recorded,
    prepare,
)
from ledgit.projects.environments.declared import Wish, read_wish
from ledgit.projects.environments.interpreters import find_interpreter
from ledgit.projects.environments.requirements import Requirements, add_lines, add_requirements, read_lines
from ledgit.projects.environments.tools import Failed, last_lines, run_tool
from ledgit.projects.mlproject import EnvironmentSpec, read_project
from ledgit.records import Environment


def wish_of(folder: Path, **files: str) -> Wish:
    """Write files (``python_env_yaml`` is ``python_env.yaml``) and read what they ask for."""
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / f"{stem}.{ending}").write_text(text)
    project = read_project(str(folder))
    return read_wish(project.environment, project)


def test_python_env_is_read_as_mlflow_writes_it(tmp_path: Path) -> None:
    """A version is taken as it is spelled: to YAML, 3.10 without quotes is the number 3.1."""
    wish = wish_of(
        tmp_path,
        python_env_yaml="python: 3.10\nbuild_dependencies:\n- pip==23.2.1\n- wheel\n"
        "dependencies:\n- -r requirements.txt\n",
        requirements_txt="numpy >= 1.26  # the oldest\nscikit-learn==1.5.0 \\\n  --hash=sha256:00\n\n"
        "# pandas\n-c bound.txt\n",
        bound_txt="scipy<2\n",
    )

    assert "3.10" == wish.python
    assert ["pip==23.2.1", "wheel"] == wish.build.lines
    assert ["numpy >= 1.26", "scikit-learn==1.5.0 --hash=sha256:00"] == wish.requirements.lines
    assert ["scipy<2"] == wish.requirements.constraints


def test_conda_yaml_says_what_only_conda_has(tmp_path: Path) -> None:
    """Python, pip and what is below pip can be had without conda."""
    wish = wish_of(
        tmp_path,
        conda_yaml="name: x\nchannels: [conda-forge]\n"
        "dependencies:\n- python=3.11\n- pip<=24\n- pip:\n  - tinyone==1.0\n",
    )
    assert ("=3.11", [], ["tinyone==1.0"]) == (wish.python, wish.conda, wish.requirements.lines)

    wish = wish_of(tmp_path, conda_yaml="dependencies: [python, cudatoolkit=11.8, 'conda-forge::r-base']\n")
    assert ["cudatoolkit=11.8", "conda-forge::r-base"] == wish.conda
    assert "conda" == choose_manager(read_project(str(tmp_path)).environment)
    project = read_project(str(tmp_path))
    with pytest.raises(EnvironmentFailed, match=r"conda.yaml asks for packages of conda's \(cudatoolkit=11.8, conda-"):
        prepare(project.environment, project, "uv", str(tmp_path / "cache"))


def test_a_project_without_declaration_is_read_by_its_other_files(tmp_path: Path) -> None:
    """requirements.txt before pyproject.toml, but a lock file before both."""
    assert Wish() == wish_of(tmp_path)
    wish = wish_of(
        tmp_path,
        pyproject_toml="[project]\nname='x'\nrequires-python='>=3.11'\ndependencies=['ledgit[pandas]', 'numpy']\n"
        "[build-system]\nrequires=[]\n",
    )
    assert (">=3.11", ["numpy"], ("pandas",), []) == (
        wish.python,
        wish.requirements.lines,
        wish.requirements.own,
        wish.source_folders,
    )
    wish = wish_of(tmp_path, requirements_txt="scipy\n")
    assert ["scipy"] == wish.requirements.lines
    (tmp_path / "src").mkdir()
    wish = wish_of(tmp_path, uv_lock="version = 1\n")
    assert (str(tmp_path / "uv.lock"), ["src"]) == (wish.lock, wish.source_folders)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("python_env_yaml", "python: [3]\n", r"python_env.yaml, line 1: python is a list, expected a version"),
        ("python_env_yaml", "dependencies: numpy\n", r"line 1: dependencies is 'numpy', expected a list"),
        (
            "python_env_yaml",
            "python: '3.11'\npackages: []\n",
            r"line 2: has an unknown key 'packages'; known are name,",
        ),
        ("python_env_yaml", "dependencies:\n- a\n- 7\n", r"line 3: dependencies has 7, expected a requirement"),
        ("python_env_yaml", "dependencies:\n- -r no.txt\n", r"line 2: names 'no.txt', but there is no such file"),
        ("python_env_yaml", "dependencies: [\n", r"python_env.yaml, line 2: is not valid YAML"),
        ("python_env_yaml", "dependencies: [./nowhere]\n", r"line 1: asks for './nowhere', but there is nothing at"),
        ("conda_yaml", "dependencies: [{npm: [x]}]\n", r"conda.yaml, line 1: has 'npm' among the dependencies"),
        ("requirements_txt", "a\n-r requirements.txt\n", r"requirements.txt: names 'requirements.txt', which names it"),
        ("requirements_txt", "a\n\n-r b.txt\n", r"requirements.txt, line 3: names 'b.txt', but there is no such file"),
        ("requirements_txt", "ledgit; nonsense\n", r"requirements.txt, line 1: .* in 'nonsense'"),
        ("pyproject_toml", "[project\n", r"pyproject.toml: is not valid TOML"),
        ("pyproject_toml", "[project]\ndependencies = 'x'\n", r"project.dependencies is no list of texts"),
    ],
)
def test_a_mistake_in_a_file_is_shown_with_its_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    """All of them before anything is made."""
    with pytest.raises(ProjectError, match=said):
        wish_of(tmp_path, **{name: text})


def test_ledgit_among_the_requirements_is_told_from_its_likes(tmp_path: Path) -> None:
    """Extras are collected, markers decide, and a package with a longer name is another one."""
    found = Requirements()
    lines = ["ledgit", "Ledgit[S3, pandas]>=0.1 ; python_version >= '3'", "ledgit[ray]; python_version < '3'"]
    lines += ["ledgit-plugin", "ledgit @ file:///nowhere"]

    add_lines(found, [(0, line) for line in lines[:4]], file="x", folder="/")

    assert (("pandas", "s3"), [">=0.1"], ["ledgit-plugin"]) == (found.own, found.own_versions, found.lines)


LINKS = "-".join(("find", "links"))  # a word that no file of ours has: it would mostly stand before an address


def test_what_lies_on_this_machine_is_found_from_anywhere(tmp_path: Path) -> None:
    """pip takes such paths as relative to where it runs; an environment outlives that folder."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "wheels").mkdir()
    found = Requirements()
    lines = [
        "-e ./pkg[fast]",
        "other @ file:pkg",
        f"--{LINKS} wheels",
        "-i https://h/x",
        "git+https://h/x@v1",
    ]

    add_lines(found, [(0, line) for line in lines], file=str(tmp_path / "r.txt"), folder=str(tmp_path))

    pkg = tmp_path / "pkg"
    expected = [f"{pkg}[fast]", str(pkg), f"--{LINKS} {tmp_path}/wheels", *lines[3:]]
    assert (expected, [str(pkg)] * 2) == (found.lines, found.local)
    assert ["./pkg[fast] is installed as a copy, not editable"] == found.notes


NAMES = st.lists(st.from_regex(r"[a-z]{1,6}(==[0-9]{1,2})?", fullmatch=True), max_size=6)


@given(before=NAMES, inner=NAMES, after=NAMES)
def test_a_file_that_is_named_is_as_good_as_its_lines(
    before: list[str], inner: list[str], after: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever it stands, whatever blanks and comments are around."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "sub").mkdir()
    (folder / "sub" / "inner.txt").write_text("".join(f"  {line}   # why\n\n" for line in inner))
    (folder / "outer.txt").write_text("\n".join([*before, "--requirement=sub/inner.txt", *after]))
    found = Requirements()

    add_requirements(found, str(folder / "outer.txt"), folder=str(folder))

    assert [*before, *inner, *after] == found.lines


def test_lines_keep_their_numbers_over_continuations() -> None:
    """An error shows the line that a person looks for."""
    text = "a \\\n  ==1\n# b \\\nc#d\n\n  e # \\\nf\\"

    assert [(1, "a ==1"), (4, "c#d"), (6, "e")] == read_lines(text)


def test_the_nearest_patch_version_serves_and_is_said(tmp_path: Path) -> None:
    """The one that runs comes first, others of the machine after it, and none is a clear word."""
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    version = ".".join(map(str, sys.version_info[:3]))

    found, notes = find_interpreter(minor, str(tmp_path), "uv")
    assert (version, ()) == (found.version, notes)
    assert found == find_interpreter(f"={version}", str(tmp_path), "uv")[0]
    assert found == find_interpreter(f">={minor},<4", str(tmp_path), "uv")[0]
    found, notes = find_interpreter(f"{minor}.99", str(tmp_path), "uv")
    assert found.minor == minor
    assert f"Python {minor}.99 is asked for and not on this machine; {found.version} is used instead" in notes

    with pytest.raises(
        EnvironmentFailed, match=r"Python 3.0 is not on this machine \(there is .*\d.*\); 'uv python inst"
    ):
        find_interpreter("3.0", str(tmp_path), "uv")
    with pytest.raises(EnvironmentFailed, match=r"python is 'new', expected a version such as '3.11'"):
        find_interpreter("new", str(tmp_path), "uv")


def test_managers_fit_what_is_declared() -> None:
    """Unknown ones, and such as can't, are named with what to do."""
    docker = EnvironmentSpec("docker_env", "", {"image": "x"})
    assert ("local", "docker", "uv") == (
        choose_manager(EnvironmentSpec()),
        choose_manager(docker),
        choose_manager(EnvironmentSpec(), "uv"),
    )
    assert choose_manager(EnvironmentSpec("python_env", "x")) in ("uv", "virtualenv")
    for spec, manager, said in [
        (
            EnvironmentSpec(),
            "poetry",
            "no environment manager 'poetry'; there are local, virtualenv, uv, conda, docker",
        ),
        (docker, "uv", "declares a docker_env, which uv can't make"),
        (EnvironmentSpec(), "docker", "declares no docker_env"),
    ]:
        with pytest.raises(UsageError, match=said):
            choose_manager(spec, manager)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, alone on PATH with the system's, where a test puts programs that play a tool."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("SAID", str(tmp_path / "said"))
    return folder


def play(folder: Path, name: str, script: str) -> None:
    """Put a program into *folder* that notes its words, one call a line."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> "$SAID"\n{script}\n')
    path.chmod(0o755)


def test_a_missing_tool_is_named(tmp_path: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to use instead."""
    monkeypatch.setenv("PATH", str(stand_in))
    (tmp_path / "python_env.yaml").write_text("dependencies: []\n")
    project = read_project(str(tmp_path))
    cache = str(tmp_path / "cache")
    docker = EnvironmentSpec("docker_env", "", {"image": "x"})

    with pytest.raises(EnvironmentFailed, match=r"no conda, mamba or micromamba here; install one.* uv can make"):
        prepare(project.environment, project, "conda", cache)
    with pytest.raises(EnvironmentFailed, match=r"no docker and no podman here; install one, or use --env-manager loc"):
        prepare(docker, project, "", cache)
    play(stand_in, "docker", "exit 1")
    with pytest.raises(EnvironmentFailed, match=r"docker is installed, but no container engine answers; start it"):
        prepare(docker, project, "", cache)


def test_docker_is_told_all_it_needs_and_no_value(tmp_path: Path, stand_in: Path) -> None:
    """The image is pulled if it is not here; variables go by name, so that no process list shows what they hold."""
    play(
        stand_in,
        "docker",
        f'case "$1" in version) echo 25;; pull) touch {tmp_path}/pulled;;'
        f" image) test -e {tmp_path}/pulled && echo sha256:0123456789abcdef0123;; esac",
    )
    (tmp_path / "MLproject").write_text(
        "docker_env:\n  image: lab/train:1\n  volumes: ['./data:/data', '/abs:/abs:ro', 'named:/n']\n"
        "  environment: [['MODE', 'quick'], 'TOKEN']\n"
    )
    project = read_project(str(tmp_path))

    prepared = prepare(project.environment, project, "", str(tmp_path / "cache"))

    assert "docker 0123456789abcdef" == prepared.label
    assert {"MODE": "quick", "TOKEN": "t", "PATH": "/bin"} == prepared.environ({"TOKEN": "t", "PATH": "/bin"})
    program = str(stand_in / "docker")
    assert [
        *[program, "run", "--rm", "--init", "--name", "ledgit-1"],
        *["--volume", "/work folder:/mlflow/projects/code", "--volume", f"{tmp_path}/data:/data"],
        *["--volume", "/abs:/abs:ro", "--volume", "named:/n", "--volume", "/git:/git"],
        *["--workdir", "/mlflow/projects/code", "--env", "TOKEN", "--env", "MODE", "--env", "LEDGIT_RUN_ID"],
        *["lab/train:1", "python", "train.py", "a b; $(c)"],
    ] == prepared.command(
        ["python", "train.py", "a b; $(c)"],
        "/work folder",
        names=["LEDGIT_RUN_ID", "TOKEN"],
        name="ledgit-1",
        volumes=["/git:/git"],
    )
    assert [program, "kill", "ledgit-1"] == prepared.stop_command("ledgit-1")
    assert ["pull --quiet lab/train:1"] == [
        line for line in (tmp_path / "said").read_text().splitlines() if line.startswith("pull")
    ]


def test_an_image_can_be_built_with_the_project_in_it(tmp_path: Path, stand_in: Path) -> None:
    """As MLflow's ``--build-image`` does; nothing is mounted over it then."""
    play(
        stand_in,
        "docker",
        f'case "$1 $5" in "build "*) cat > {tmp_path}/recipe; touch {tmp_path}/made;;'
        f" *ledgit-*) test -e {tmp_path}/made && echo sha256:77;; *) echo sha256:66;; esac",
    )
    folder = tmp_path / "My project"
    folder.mkdir()
    (folder / "MLproject").write_text("name: My project\ndocker_env: {image: base}\n")
    project = read_project(str(folder))

    prepared = prepare(project.environment, project, "docker", str(tmp_path / "cache"), build_image=True)

    assert (
        "FROM base\nCOPY . /mlflow/projects/code/\nWORKDIR /mlflow/projects/code\n" == (tmp_path / "recipe").read_text()
    )
    assert "sha256:77" == prepared.key
    command = prepared.command(["true"], "/w")
    assert "--volume" not in command
    assert command[-2].startswith("ledgit-my-project:")


@pytest.mark.parametrize(
    ("program", "made", "run"),
    [
        ("micromamba", "create --yes --prefix {} --file {}.yaml", ["run", "--prefix"]),
        ("mamba", "env create --quiet --prefix {} --file {}.yaml", ["run", "--prefix"]),
        ("conda", "env create --quiet --prefix {} --file {}.yaml", ["run", "--no-capture-output", "--prefix"]),
    ],
)
def test_conda_and_its_likes_make_what_the_file_says(
    program: str, made: str, run: list[str], tmp_path: Path, stand_in: Path
) -> None:
    """Once; a run then starts through them, so that the environment is activated."""
    play(
        stand_in,
        program,
        'while [ "$1" != --prefix ]; do shift; done; mkdir -p "$2/bin" "$2/lib"; cp "$4" "$SAID.yaml";'
        f' ln -s {sys.executable} "$2/bin/python"',
    )
    (tmp_path / "conda.yaml").write_text("channels: [c]\ndependencies: [python=3.11, r-base, pip, {pip: [-r r.txt]}]\n")
    (tmp_path / "r.txt").write_text("tinyone\n")
    project = read_project(str(tmp_path))

    prepared = prepare(project.environment, project, "", str(tmp_path / "cache"))
    again = prepare(project.environment, project, "conda", str(tmp_path / "cache"))

    assert prepared == again
    assert [made.format(prepared.folder, prepared.folder)] == (tmp_path / "said").read_text().splitlines()
    assert (str(stand_in / program), *run, prepared.folder) == prepared.prefix
    assert [*prepared.prefix, "python", "x"] == prepared.command(["python", "x"], "/w")
    assert (
        "channels:\n- c\ndependencies:\n- r-base\n- python=3.11\n- pip\n- pip:\n  - tinyone\n"
        == (tmp_path / "said.yaml").read_text()
    )
    assert [] == list((tmp_path / "cache" / "envs").glob("*.yaml"))


def test_a_recorded_environment_is_asked_for_exactly() -> None:
    """But for what no index has; Ledgit is the one that repeats the run."""
    recorded = Environment(
        python="3.11.4",
        packages={
            "Foo_Bar": "1.0",
            "ledgit": "0.0.9",
            "mine": "1.2",
            "torch": "2.1.0+cpu",
            "from-commit": "0.2.dev3+g1a2b3c4d",
            "odd": "unknown version",
        },
    )

    wanted = from_recorded(recorded, {"mine": ("1.2", "it is installed editable, from a folder")})

    assert ("3.11.4", ("foo-bar==1.0", "ledgit", "torch==2.1.0+cpu")) == (wanted.python, wanted.requirements)
    assert [
        "from-commit 0.2.dev3+g1a2b3c4d: it was built from a commit",
        "mine 1.2: it is installed editable, from a folder",
        "odd unknown version: its version was not recorded",
    ] == [str(one) for one in wanted.lacking]
    spec = wanted.spec()
    wish = read_wish(spec, read_project("/"))
    assert (True, ["foo-bar==1.0", "torch==2.1.0+cpu"], ()) == (
        wish.complete,
        wish.requirements.lines,
        wish.requirements.own,
    )
    assert choose_manager(spec) in ("uv", "virtualenv")


def test_packages_from_no_index_are_known_by_what_pip_noted(tmp_path: Path) -> None:
    """Addresses are not repeated: they may hold what is nobody's business."""
    for name, said in {
        "a_b-1.0": '{"url": "file:///x", "dir_info": {"editable": true}}',
        "c-2": '{"url": "https://u:p@h/x", "vcs_info": {"vcs": "git", "commit_id": "00"}}',
        "d-3": '{"url": "file:///d.whl", "archive_info": {}}',
        "e-4": "nonsense",
    }.items():
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "direct_url.json").write_text(said)
    (tmp_path / "f-5.dist-info").mkdir()

    assert {
        "a-b": ("1.0", "it is installed editable, from a folder"),
        "c": ("2", "it was installed from git"),
        "d": ("3", "it was installed from a file"),
    } == direct_packages([str(tmp_path), str(tmp_path / "none")])


def test_differences_name_the_interpreter_first() -> None:
    """Names are compared as indexes compare them; what was not recorded does not differ."""
    recorded = Environment(
        python="3.11.4", implementation="cpython", packages={"Foo.Bar": "1", "gone": "2", "same": "3"}
    )
    present = Environment(
        python="3.12.1", implementation="CPython", packages={"foo-bar": "1.1", "new": "4", "same": "3"}
    )

    assert [
        Difference("python", "3.11.4", "3.12.1", "interpreter"),
        Difference("foo-bar", "1", "1.1"),
        Difference("gone", "2", ""),
        Difference("new", "", "4"),
    ] == differences(recorded, present)
    assert [] == differences(Environment(), Environment(python="3.12.1"))


def test_a_tool_is_quoted_by_what_it_ended_with() -> None:
    """Not by its downloads; and never with a password or token."""
    said = "Collecting a\n  Downloading a.whl\nERROR: https://ada:pw123@host/x says 403\n"
    said += "ERROR: token=abc no\n[notice] new\n"

    shown = last_lines(said)

    assert ":\n  ERROR: https://***@host/x says 403\n  ERROR: token=*** no" == shown
    assert "" == last_lines("")
    assert 11 == last_lines("\n".join(f"error: {number}" for number in range(40))).count("\n") + 1


def test_a_tool_that_takes_long_is_said_and_ended_with_its_children(tmp_path: Path) -> None:
    """What interrupts Ledgit must not leave a compiler running."""
    script = f"sleep 1000 & echo $! > {tmp_path}/child; wait"

    def interrupt(doing: str) -> None:
        raise KeyboardInterrupt(doing)

    with pytest.raises(KeyboardInterrupt, match="making it"):
        run_tool("uv", ["sh", "-c", script], "make it", progress=interrupt, doing="making it")

    child = int((tmp_path / "child").read_text())
    while _lives(child):  # it was sent SIGKILL, and is gone in a moment; the test's time limit is the assertion
        os.sched_yield()


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_errors_and_environments_survive_the_way_to_a_worker() -> None:
    """Trials run in other processes."""
    prepared = Prepared("uv", "0" * 32, "/p", ("/b",), {"A": "1"}, ("x",), notes=["n"], folder="/f")
    assert prepared == pickle.loads(pickle.dumps(prepared))
    failed = pickle.loads(pickle.dumps(Failed("uv", "it can't", "output")))
    assert ("uv", "it can't", "output") == (failed.manager, failed.reason, failed.output)


def test_variables_that_mislead_an_interpreter_are_taken_out() -> None:
    """Folders come first, and what the user has there stays behind them."""
    prepared = Prepared("uv", path=("/e/bin",), variables={"VIRTUAL_ENV": "/e"}, python_path=("/p/src",), folder="/e")
    base = {"PATH": "/bin", "PYTHONHOME": "/x", "PYTHONPATH": "/mine"}

    expected = {"PATH": "/e/bin:/bin", "PYTHONPATH": "/p/src:/mine", "VIRTUAL_ENV": "/e"}
    assert expected == prepared.environ(base)
    assert base == Prepared("local").environ(base)
    assert os.environ.get("VIRTUAL_ENV") != "/e"
