"""Commands: every value reaches the program as it was given, whatever is in it and wherever it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledgit.errors import LedgitError, ParameterError, ProjectError
from ledgit.projects.commands import argv, fill, placeholders, shell
from ledgit.projects.mlproject import EntryPoint, read_project
from ledgit.projects.parameters import Bound, Parameter, bind

SHELLS = [name for name in ("sh", "bash", "dash") if shutil.which(name)]
#: What no value may do is make a file of this name.
PWNED = "pwned"
EVIL = [
    "$(>pwned)",
    "`>pwned`",
    "';>pwned;'",
    '";>pwned;"',
    "\n>pwned\n",
    "x'$(>pwned)'",
    '"$(>pwned)"',
    "')\n>pwned\n(",
    "\\';>pwned;\\'",
    "\nE\n>pwned\n",
    "} ; >pwned; {",
    ")) ;>pwned; ((",
]
values = st.one_of(
    st.sampled_from(["", "-x", "--", "a b", "$HOME", "~", "*", "!", "#", "%1", "a\\", "'", '"', "ü\u202e", *EVIL]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)


def entry(command: str, *names: str) -> EntryPoint:
    return EntryPoint("main", command, {name: Parameter(name) for name in names}, "MLproject", 7)


def run(program: str, line: str, folder: Path | None = None) -> bytes:
    """What *line* writes when *program* runs it."""
    done = subprocess.run([program, "-c", line], stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, check=False)
    assert 0 == done.returncode, (line, done.stderr)
    return done.stdout


EVERYWHERE = (
    """A={a}; B="{a}"; printf '%s\\0' {a} "{a}" '{a}' --x={a} x{a}y "x {a} y"'{a}' \\\n {b} """
    """"$(printf '%s.' {a} "{a}")" "$(printf '%s.' "$(printf '%s-' "<{b}")")" "$A" "$B" """
    """"$((1 + 1))" "${{A:-x}}" # a comment"""
)


@settings(max_examples=60)
@given(values, values)
def test_a_value_arrives_whole_wherever_it_stands(a: str, b: str) -> None:
    """Bare, within quotes of both kinds, in assignments, in commands within commands."""
    point = entry(EVERYWHERE, "a", "b")

    line = fill(point, bind(point, {"a": a, "b": b}, "/"))

    expected = [a, a, a, f"--x={a}", f"x{a}y", f"x {a} y{a}", b, f"{a}.{a}.", f"<{b}-.", a, a, "2", a or "x"]
    for program in SHELLS:
        assert expected == run(program, line).decode().split("\0")[:-1]
    assert argv(point, bind(point, {"a": a, "b": b}, "/")) is None


@settings(max_examples=60)
@given(st.lists(values, min_size=1, max_size=4), values)
def test_what_is_appended_arrives_whole(many: list[str], name: str) -> None:
    """Parameters that are not declared, their names included; a shell and a direct start agree."""
    given_values = {f"{name}{number}": value for number, value in enumerate(many)}
    point = entry("printf '%s\\0'\n")
    direct = entry("/usr/bin/printf '%s\\0' \"a b\" {p}", "p")
    bound = bind(point, given_values, "/")
    both = bind(direct, {**given_values, "p": name}, "/")

    expected = [word for key, value in given_values.items() for word in (f"--{key}", value)]

    for program in SHELLS:
        assert expected == run(program, fill(point, bound)).decode().split("\0")[:-1]
    words = argv(direct, both)
    assert ["/usr/bin/printf", "%s\\0", "a b", name, *expected] == words
    assert shlex.split(fill(direct, both)) == words


PIECES = ["{a}", "{a}", "{a}", '"', "'", "$(", ")", "`", "\\", "#", " ", "\n", "<<E\n", "\nE\n", "<<<", "${{x}}", "$'"]
PIECES += ['${{x:-"y"}}', "$((1+", "))", "case ", "esac", " in ", "a)", ";;", "true", "printf %s ", "eval ", "sh -c "]
PIECES += [
    "bash -c ",
    "(",
    ";",
    "|",
    "&&",
    "=",
    "x",
    "2",
    ">o",
    "<i",
    "-c ",
    "awk ",
    "{{",
    "}}",
    "if ",
    "; then ",
    "fi",
]


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=9),
    st.sampled_from(["", 'sh -c "true ', "`true "]),
    st.sampled_from(EVIL),
)
def test_no_value_runs_whatever_the_template(tmp_path: Path, parts: list[str], start: str, value: str) -> None:
    """What is not understood is refused: a template may be as broken as it likes."""
    template = start + "".join(parts)
    assume(not re.search(r"-c[^;\n]*\s\{a\}", template))  # a program that is a parameter as a whole
    point = entry(template, "a")
    try:
        line = fill(point, Bound({"a": value}, {"a": value}))
    except LedgitError:
        return

    for program in SHELLS:
        subprocess.run([program, "-c", line], stdin=subprocess.DEVNULL, capture_output=True, cwd=tmp_path, check=False)

    assert not (tmp_path / PWNED).exists(), line


def test_mlflow_would_let_a_quoted_place_run_a_command(tmp_path: Path) -> None:
    """Why quotes around a place are looked at: MLflow's line runs what is in the value, ours hands it over."""
    from tests.models.real_mlflow import real_mlflow

    with real_mlflow(tmp_path):
        from mlflow.projects._project_spec import EntryPoint as Theirs

        theirs = Theirs("main", {"a": "string"}, "printf '%s\\0' \"{a}\"").compute_command({"a": "$(>pwned)"}, None)
    point = entry("printf '%s\\0' \"{a}\"", "a")

    assert b"$(>pwned)\0" == run("sh", fill(point, bind(point, {"a": "$(>pwned)"}, "/")), tmp_path)
    assert not (tmp_path / PWNED).exists()
    run("sh", theirs, tmp_path)
    assert (tmp_path / PWNED).exists()


@pytest.mark.parametrize(
    ("command", "given_values"),
    [
        ("python train.py {a}", {"a": "0.5"}),
        ("python train.py --a={a} -v", {"a": "a b"}),
        ("python train.py --a {a}", {"a": "it's", "more": "x;y", "n": "1"}),
        ("python x.py '{{}}' ${{HOME}} {a}", {"a": "1"}),
        ("awk '{{print $1}}' {a}", {"a": "f"}),
        ('python -c "print({a})"', {"a": "0.5"}),
        ("cat <<E\n{a}\nE", {"a": "x"}),
    ],
)
def test_the_line_is_mlflows_where_that_is_safe(command: str, given_values: dict[str, str], tmp_path: Path) -> None:
    """What an existing project's history has as command stays the same."""
    from tests.models.real_mlflow import real_mlflow

    with real_mlflow(tmp_path):
        from mlflow.projects._project_spec import EntryPoint as Theirs

        theirs = Theirs("main", {"a": "string"}, command).compute_command(given_values, None)
    point = entry(command, "a")

    assert theirs == fill(point, bind(point, given_values, "/"))


REAL_SHAPES = [
    "show --a {a} \\\n     --b {b} \\\n",
    "show {a}\n",
    "show   {a}   --b   {b}",
    "show main.steps='{a}'",
    "show main.steps=\\'{a}\\' $(echo {b})",
    "show \"--a={a}\" '--b={b}'",
    "show {a} | cat; show {b}",
    "show {a} &&\n  show {b}",
    'X={a} && show $X "${{X}}" ${{UNSET:-none}}',
    "[[ {a} == x ]] && show yes || show no",
    "for i in {a} {b}; do show $i; done",
    "show <<< {a} {b}",
    "show {a} # comment\n",
]


def test_what_a_program_gets_is_what_mlflow_gives_it(tmp_path: Path) -> None:
    """The shapes that MLproject files have in the wild, with values that MLflow hands over whole, too."""
    from tests.models.real_mlflow import real_mlflow

    with real_mlflow(tmp_path):
        from mlflow.projects._project_spec import EntryPoint as Theirs
    show = 'show() { printf "[%s]" "$@"; echo; }\n'
    given_values = {"a": "data_split,train/x.csv", "b": "0.5"}
    for command in REAL_SHAPES:
        # To a line of its own MLflow would append a command.
        extra = {} if "#" in command or "done" in command else {"more": "1 2"}
        template = command if command.endswith("\\\n") else command.rstrip()
        theirs = Theirs("main", {"a": "string", "b": "string"}, template)
        point = entry(command, "a", "b")

        ours = fill(point, bind(point, {**given_values, **extra}, "/"))

        wanted = theirs.compute_command({**given_values, **extra}, None)
        assert run("bash", show + wanted) == run("bash", show + ours), command


@pytest.mark.parametrize(
    "command",
    [
        "cat <<E\n{a}\nE",
        "x `echo {a}`",
        "x # {a}",
        'x "\\{a}"',
        "x $'{a}'",
        "x ${{y:-{a}}}",
        "x $((1 + {a}))",
        'python -c "print({a})"',
        "env X=1 bash -eo pipefail -c 'run \"{a}\"'",
        'bash -c -o pipefail "run {a}"',
        "sh -ex -c x{a}",
        'bash 2>&1 >out -c <in "run {a}"',
        'bash &>out -c "run {a}"',
        'node --eval "f({a})"',
        "perl -ne 'print {a}' file",
        "eval run {a}",
        "awk '{{print {a}}}'",
        'echo "$(case x in y) echo;; esac; echo {a})"',
    ],
)
def test_where_nothing_can_be_quoted_only_plain_values_stand(command: str) -> None:
    """A number or a file's name is safe anywhere; anything else is refused with the reason."""
    point = entry(command, "a")

    assert "run-1/x.csv" in fill(point, bind(point, {"a": "run-1/x.csv"}, "/"))
    with pytest.raises(ParameterError, match=r"can't stand .* only letters, digits") as caught:
        fill(point, bind(point, {"a": "a b"}, "/"))
    assert ("main", "a") == (caught.value.entry_point, caught.value.parameter)


def test_an_interpreters_own_options_are_no_programs() -> None:
    """The -c behind a script is the script's; a parameter that is all of a program is one on purpose."""
    point = entry('python train.py -c "{a}"', "a")

    program = entry("sh -c {a}", "a")
    script = entry('bash -e "{a}"', "a")

    assert 'bash -e ""\'a b\'""' == fill(script, bind(script, {"a": "a b"}, "/"))

    assert "sh -c 'a b'" == fill(program, bind(program, {"a": "a b"}, "/"))
    assert 'python train.py -c ""\'a b\'""' == fill(point, bind(point, {"a": "a b"}, "/"))


def test_a_value_is_no_file_descriptor_assignment_or_keyword(tmp_path: Path) -> None:
    """2>out and A=1 mean something to a shell when they are not quoted."""
    redirected = entry("printf '%s\\0' {a}>out", "a")
    assigned = entry("X=1 {a} || printf '%s\\0' not-found", "a")

    run("sh", fill(redirected, bind(redirected, {"a": "2"}, "/")), tmp_path)

    assert b"2\0" == (tmp_path / "out").read_bytes()
    assert b"not-found\0" == run("sh", fill(assigned, bind(assigned, {"a": "A=1"}, "/")), tmp_path)


WRONG = {
    "run {b}": "has {b}, which is no parameter (it has a); write {{b}} for braces that the shell shall see",
    "run ${HOME}": "which is no parameter (it has a); write ${{HOME}} for the shell's variable",
    "run ${a}": "${a} is neither a parameter nor a variable: write {a} or ${{a}}",
    "awk '{print $1}'": "has {print $1}, which is no parameter",
    "run {a": "has a single '{'; write '{{' for one that the shell shall see",
    "run a}": "has a single '}'",
    "run {}": "has {}, which is no parameter",
    "run {a:>10}": "has {a:>10}; values are put in as they are: write {a}",
    "run {a!r}": "values are put in as they are: write {a}",
    "run {a.real}": "has {a.real}, which is no parameter",
}


@pytest.mark.parametrize("command", WRONG)
def test_a_brace_that_is_no_parameter_is_refused_with_what_to_write(command: str) -> None:
    """MLflow says KeyError."""
    point = entry(command, "a")

    with pytest.raises(ProjectError) as caught:
        fill(point, Bound({"a": "1"}, {"a": 1}))

    assert WRONG[command] in caught.value.reason
    assert ("MLproject", 7) == (caught.value.file, caught.value.line)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("run # note", "in a comment"),
        ("run &", "with '&'"),
        ("if true; then run; fi;", "with ';'"),
        ("cat <<E\nx\nE", "behind a here-document"),
        ('run "x', "within quotes"),
        ("(run)", "with ')'"),
        ("run >", "with '>'"),
        ("for x in 1; do run; done", "with 'done'"),
    ],
)
def test_nothing_is_appended_where_it_would_be_lost(command: str, said: str) -> None:
    """It would be another command, or none."""
    with pytest.raises(ProjectError, match=r"ends .*, so --x 1 can't be appended") as caught:
        fill(entry(command), Bound(extra={"x": "1"}))

    assert said in caught.value.reason
    assert command == fill(entry(command), Bound())


@pytest.mark.parametrize(("value", "expected"), [("true", "train --fast"), ("no", "train")])
def test_a_switch_without_a_place_is_there_or_not(value: str, expected: str) -> None:
    """A bool that the command has a place for goes there as it was given; one that is on by default is no switch."""
    point = EntryPoint("m", "train", {"fast": Parameter("fast", "bool", "false")})
    placed = EntryPoint("m", "train --fast={fast}", {"fast": Parameter("fast", "bool", "false")})

    on = EntryPoint("m", "train", {"slow": Parameter("slow", "bool", "True")})

    assert "train" == fill(on, bind(on, {"slow": value}, "/"))
    assert expected == fill(point, bind(point, {"fast": value}, "/"))
    assert f"train --fast={value}" == fill(placed, bind(placed, {"fast": value}, "/"))


@pytest.mark.parametrize(
    "command",
    [
        "cd x && y",
        "cd x",
        "A=1 x",
        "x > y",
        "x *",
        "x ~",
        "x $Y",
        "x `y`",
        "x # y",
        "x\ny",
        "x \\y",
        "{a} x",
        "x {{1,2}}",
        "time x",
        "!",
        "'x",
    ],
)
def test_what_only_a_shell_understands_is_given_to_one(command: str) -> None:
    """Directories, assignments, patterns, variables, several commands."""
    assert argv(entry(command, "a"), Bound({"a": "x"})) is None


def test_words_and_quotes_need_no_shell() -> None:
    """One process less."""
    point = entry("python  -m \"a b\" 'c $d' {a} --x={a} '{a}'\n", "a")

    assert ["python", "-m", "a b", "c $d", "1 2", "--x=1 2", "1 2"] == argv(point, Bound({"a": "1 2"}))


def test_places_are_named_once_in_order() -> None:
    """Which of the parameters the command has."""
    assert ["b", "a"] == placeholders(entry("x {b} {a} {{c}} {b}", "a", "b", "c"))


def test_bash_runs_a_line_where_there_is_one() -> None:
    """As in MLflow: templates say [[ and source."""
    assert "yes\n" == subprocess.check_output(shell("[ 1 = 1 ] && echo yes"), text=True)
    assert "-c" == shell("x")[1]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "script"])
def test_what_is_not_declared_goes_to_a_program_of_hydras_as_it_takes_it(tmp_path: Path, declared: bool) -> None:
    """Hydra refuses options that it does not know; its overrides are words."""
    (tmp_path / "train.py").write_text("import hydra\n\n@hydra.main(version_base=None)\ndef main(cfg): ...\n")
    (tmp_path / "plain.py").write_text("import argparse\n")
    if declared:
        lines = "entry_points:\n  train.py: {command: python train.py}\n  plain.py: {command: python plain.py}\n"
        (tmp_path / "MLproject").write_text(f"name: demo\n{lines}")
    project = read_project(str(tmp_path))
    bound = Bound(extra={"optimizer.lr": "0.1", "name": "a b"})

    assert (argv(project.entry_point("train.py"), bound) or [])[-2:] == ["optimizer.lr=0.1", "name=a b"]
    assert (argv(project.entry_point("plain.py"), bound) or [])[-4:] == ["--optimizer.lr", "0.1", "--name", "a b"]
