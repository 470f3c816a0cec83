"""Values for entry points: defaults, types, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.errors import LedgitError, ParameterError, UsageError
from ledgit.projects.mlproject import EntryPoint
from ledgit.projects.parameters import Parameter, bind, parse_type, read_parameters


def entry(*parameters: Parameter) -> EntryPoint:
    return EntryPoint("main", "train", {parameter.name: parameter for parameter in parameters})


def test_defaults_hold_until_a_value_is_given() -> None:
    """Declared ones go to the command as text; the run's params have their type."""
    point = entry(Parameter("alpha", "float", "0.5"), Parameter("l1", "float", "1"), Parameter("note", "string", "1e3"))

    bound = bind(point, {"alpha": "5e-2"}, "/")

    assert {"alpha": "5e-2", "l1": "1", "note": "1e3"} == bound.values
    assert {"alpha": 0.05, "l1": 1.0, "note": "1e3"} == bound.typed


def test_a_default_is_taken_as_it_stands() -> None:
    """MLflow checks none, and programs have words for nothing."""
    point = entry(Parameter("a", "int", "None"), Parameter("b", "float", "auto"), Parameter("c", "bool", "maybe"))

    assert {"a": "None", "b": "auto", "c": "maybe"} == bind(point, {"b": "auto"}, "/").typed


def test_what_is_not_declared_is_kept_apart() -> None:
    """MLflow appends it to the command; what is spelled as a number is one."""
    bound = bind(entry(), {"lr": "0.1", "n": 3, "id": "007", "e": "1e-3", "flag": True, "none": None}, "/")

    assert {"lr": "0.1", "n": "3", "id": "007", "e": "1e-3", "flag": "True"} == bound.extra
    assert {"lr": 0.1, "n": 3, "id": "007", "e": 0.001, "flag": True} == bound.typed


WRONG = [
    (Parameter("a", "float"), {}, "has no value and no default; give -P a=NUMBER"),
    (Parameter("a", "choice", None, ["x", "y"]), {}, "give -P a=x|y"),
    (Parameter("a", "float"), {"a": "abc"}, "is 'abc', expected a number"),
    (Parameter("a", "float"), {"a": ""}, "is '', expected a number"),
    (Parameter("a", "int"), {"a": "1.5"}, "is '1.5', expected a whole number"),
    (Parameter("a", "bool"), {"a": "maybe"}, "is 'maybe', expected true or false"),
    (Parameter("a", "choice", None, ["x", "y"]), {"a": "z"}, "is 'z', expected one of x, y"),
    (Parameter("a", "uri"), {"a": "data.csv"}, "is 'data.csv', expected an address with a scheme"),
    (Parameter("a", "path"), {"a": "gone.csv"}, "is 'gone.csv', but there is no such file or folder in"),
    (Parameter("a", "path"), {"a": ""}, "is '', expected a path"),
    (Parameter("a", "int", "None"), {"a": "many"}, "is 'many', expected a whole number"),
    (Parameter("alpha", "float", "1"), {"alhpa": "2"}, "is not declared; did you mean 'alpha'? It has alpha"),
    (Parameter("rate", "float", "1"), {"rtae": "2"}, "is not declared; did you mean 'rate'? It has rate"),
    (Parameter("batch_size", "int", "1"), {"Batch-Size": "2"}, "did you mean 'batch_size'?"),
    (Parameter("a", "string"), {"a": "x\0y"}, "has a NUL character"),
    (Parameter("a", "string"), {"a": "\ud800"}, "has text that is not valid Unicode"),
    (Parameter("a", "string", ""), {"": "x"}, "is no name that a parameter can have"),
]


@pytest.mark.parametrize(("parameter", "values", "reason"), WRONG)
def test_a_wrong_value_is_refused_with_what_would_do(
    parameter: Parameter, values: dict[str, object], reason: str, tmp_path: Path
) -> None:
    """Entry point and parameter are named, too."""
    with pytest.raises(ParameterError) as caught:
        bind(entry(parameter), values, str(tmp_path))

    assert reason in caught.value.reason
    assert "of entry point 'main'" in str(caught.value)


def test_what_a_program_may_log_otherwise_is_told(tmp_path: Path) -> None:
    """It gets a path absolute, and a switch by whatever word; the same number is the same in any spelling."""
    (tmp_path / "p").touch()
    kinds = ["float", "int", "string", "bool"]
    point = entry(
        Parameter("p", "path"), Parameter("b", "bool", "yes"), *(Parameter(kind, kind, "1") for kind in kinds)
    )

    bound = bind(point, {"p": "p", "x": "1", "bool": "TRUE"}, str(tmp_path))

    assert {"p", "b"} == bound.unsure


def test_all_values_that_are_missing_are_named_at_once() -> None:
    """Instead of one after another."""
    point = entry(Parameter("a", "float"), Parameter("b", "string", "x"), Parameter("c", "bool"), Parameter("d"))

    with pytest.raises(ParameterError, match=r"'a' .* give -P a=NUMBER -P c=true\|false$"):
        bind(point, {"d": "1"}, "/")


@pytest.mark.parametrize(("declared", "given_name"), [("lambda_l1", "lambda_l2"), ("x_min", "x_max"), ("a", "b")])
def test_a_name_of_its_own_is_no_misspelling(declared: str, given_name: str) -> None:
    """Two parameters of a kind differ in a number or a word."""
    assert {given_name: "1"} == bind(entry(Parameter(declared, "float", "0")), {given_name: "1"}, "/").extra


@pytest.mark.parametrize("text", ["true", "Yes", "ON", "1", "False", "no", "off", "0"])
def test_yes_and_no_have_many_spellings(text: str) -> None:
    """The command gets the one that was given."""
    bound = bind(entry(Parameter("a", "bool")), {"a": text}, "/")

    assert text == bound.values["a"]
    assert (text.lower() in ("true", "yes", "on", "1")) is bound.typed["a"]


def test_a_given_path_becomes_absolute_and_a_default_stays_the_projects(tmp_path: Path) -> None:
    """One is relative to where the person is, the other to the copy of the project that the command runs in."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.csv").touch()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "b.csv").touch()
    point = entry(Parameter("a", "path"), Parameter("b", "path", "b.csv"))

    bound = bind(point, {"a": "a.csv"}, str(tmp_path / "here"), str(tmp_path / "project"))

    assert {"a": str(tmp_path / "here" / "a.csv"), "b": "b.csv"} == bound.values
    assert {"a": "a.csv", "b": "b.csv"} == bound.typed
    with pytest.raises(ParameterError, match="no such file or folder in the project"):
        bind(point, {"a": "a.csv"}, str(tmp_path / "here"), str(tmp_path / "here"))


def test_a_path_may_be_an_address_that_is_fetched_first(tmp_path: Path) -> None:
    """A file: address is a path at once."""
    (tmp_path / "a b.csv").touch()
    point = entry(Parameter("a", "path"), Parameter("b", "path"))

    bound = bind(point, {"a": "runs:/1234/data", "b": f"file://{tmp_path}/a%20b.csv"}, "/")

    assert {"a": "runs:/1234/data"} == bound.downloads
    assert str(tmp_path / "a b.csv") == bound.values["b"]
    fetched = bound.replaced("a", "/cache/data")
    assert ({}, "/cache/data", "runs:/1234/data") == (fetched.downloads, fetched.values["a"], fetched.typed["a"])


@given(st.text(max_size=30))
def test_text_is_kept_as_it_was_given(text: str) -> None:
    """Or refused, if no program could be given it."""
    try:
        bound = bind(entry(Parameter("a")), {"a": text, "other": text}, "/")
    except ParameterError:
        assert "\0" in text or not text.isprintable()
        return

    assert (text, text, text) == (bound.values["a"], bound.typed["a"], bound.extra["other"])
    assert text == bound.typed["other"] or not isinstance(bound.typed["other"], str)


def test_words_and_files_give_parameters(tmp_path: Path) -> None:
    """A word counts before a file, a later file before an earlier; a value is the text that stands there."""
    (tmp_path / "a.yaml").write_text("lr: 1e-3\nn: 010\nflag: yes\nname: 'a: b'\nover: 1\n")
    (tmp_path / "b.json").write_text('{"over": 2, "n": 11}')

    found = read_parameters(["over=3", f"@{tmp_path / 'a.yaml'}", "x=", f"@{tmp_path / 'b.json'}", "eq=a=b"])

    assert {"lr": "1e-3", "n": "11", "flag": "yes", "name": "a: b", "over": "3", "x": "", "eq": "a=b"} == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["alpha"], "-P 'alpha' is not of the form name=value or @FILE"),
        (["=1"], "is not of the form"),
        (["a=1", "a=2"], "gives 'a' twice: '1' and '2'"),
        (["@gone.yaml"], "gone.yaml: can't be read: No such file"),
        (["@list.yaml"], "list.yaml, line 1: is a list, expected a mapping of parameters"),
        (["@deep.yaml"], "deep.yaml, line 2: parameter 'b' is a mapping, expected a number or text"),
        (["@null.yaml"], "null.yaml, line 1: parameter 'a' is empty"),
        (["@bad.yaml"], "bad.yaml, line 1: is not valid YAML"),
    ],
)
def test_words_that_give_nothing_are_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file and the line, where it is one."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"list": "[1]", "deep": "a: 1\nb: {c: 1}", "null": "a:", "bad": "a: b: c"}.items():
        Path(f"{name}.yaml").write_text(text)

    with pytest.raises(UsageError) as caught:
        read_parameters(words)

    assert said in str(caught.value)


@given(st.text(alphabet="choice[],abfloatin \n", max_size=20))
def test_a_type_is_one_of_few(text: str) -> None:
    """A choice has at least one value, and none that is empty."""
    found = parse_type(text)

    assert found is None or (found[0] == "choice") == bool(found[1])
    assert found is None or all(found[1])


def test_errors_survive_the_way_between_processes() -> None:
    """A worker's refusal is the coordinator's."""
    import pickle

    with pytest.raises(LedgitError) as caught:
        bind(entry(Parameter("a", "int")), {"a": "x"}, "/")

    assert str(caught.value) == str(pickle.loads(pickle.dumps(caught.value)))
