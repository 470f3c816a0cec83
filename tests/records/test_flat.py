"""Flat YAML: one key a line, read alike by everybody, also after a person's edit."""

from __future__ import annotations

import contextlib
import io
import json
import math
import subprocess
import sys

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ledgit.errors import InvalidValue, RecordError
from ledgit.records import dump_flat, flat, load_flat

WORDS = ["yes", "No", "on", "true", "null", "~", "1", "1.5", "a b", "a: b", "a/b", "é", "x" * 250, "é" * 250, "y", "=",
         "<<", "-a", ".a", "a.", "a-", "_", "a:b", "a:", "#", '"',
          "a\nb", "", " ", "2026-11-23", "?", "\U0001f600"]  # fmt: skip
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(WORDS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
    | st.sampled_from(WORDS)
)


def exact(values: dict[str, object]) -> str:
    """Return a text that differs if a type or a bit does, whatever the order."""
    return repr(sorted((key, type(value).__name__, repr(value)) for key, value in values.items()))


@settings(max_examples=300)
@given(st.dictionaries(keys, scalars, max_size=8))
@example({})
@example(dict.fromkeys(WORDS, "x"))
def test_every_reader_gets_the_same_keys_and_values(values: dict[str, object]) -> None:
    data = dump_flat(values)  # type: ignore[arg-type]

    assert exact(load_flat(data)) == exact(values)
    assert exact(yaml.load(data, yaml.SafeLoader)) == exact(values)
    assert exact(yaml.load(data, yaml.CSafeLoader)) == exact(values)
    assert exact(dict(YAML(typ="safe", pure=True).load(io.BytesIO(data)))) == exact(values)


@given(st.dictionaries(keys, scalars.filter(lambda v: not isinstance(v, float) or math.isfinite(v)), min_size=1))
def test_each_line_has_a_json_value(values: dict[str, object]) -> None:
    lines = dump_flat(values).decode().removesuffix("\n").split("\n")  # type: ignore[arg-type]

    assert len(lines) == len(values)
    for key, line in zip(sorted(values), lines, strict=True):
        assert exact({"": values[key]}) in {
            exact({"": json.loads(line[at + 2 :])})
            for at in range(len(line))
            if line[at : at + 2] == ": " and is_json(line[at + 2 :])
        }


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_the_file_is_this_and_stays_this() -> None:
    values = {"lr": 1e-05, "yes": "no", "layers/0.size": 3, "a b": None, "opt": "adam", "big": 10**20}

    assert dump_flat(values) == (
        b'"a b": null\nbig: 100000000000000000000\nlayers/0.size: 3\nlr: 1.0e-05\nopt: "adam"\n"yes": "no"\n'
    )
    assert dump_flat({}) == b"{}\n"


@pytest.mark.parametrize(
    ("edited", "values"),
    [
        ("lr: 0.1  # lowered\n", {"lr": 0.1}),
        ("# a note\nlr: 1\n\nopt: 'adam'\n", {"lr": 1, "opt": "adam"}),
        ("opt: adam w\r\nn: 3\r\n", {"opt": "adam w", "n": 3}),
        ("note: |\n  two\n  lines\n", {"note": "two\nlines\n"}),
        ("day: 2026-11-23\n", {"day": "2026-11-23"}),
        ("{lr: 0.1, n: 2}\n", {"lr": 0.1, "n": 2}),
        ("1: a\n", {"1": "a"}),
        ("a:\n", {"a": None}),
        ("'a': \"b\"", {"a": "b"}),
        ("a: 1e5\n", {"a": "1e5"}),
        ("a: 0x1F\n", {"a": 31}),
        ("yes: 1\n", {"yes": 1}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("", {}),
        ("# nothing\n", {}),
        ('a: "caf\\u00e9 \\u2028"\n', {"a": "café \u2028"}),
    ],
)
def test_what_a_person_edited_is_read_too(edited: str, values: dict[str, object]) -> None:
    assert exact(load_flat(edited.encode())) == exact(values)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1]\n", "nested"),
        ("a:\n  b: 1\n", "nested"),
        ("- a\n", "not a mapping"),
        ("just text\n", "not a mapping"),
        ("a: 1\na: 2\n", "twice"),
        ("a: 1\n'a': 2\n", "twice"),
        ("a: &x 1\nb: *x\n", "alias"),
        ("a: !!python/object:os.system ls\n", "type"),
        ("a: !!binary aGk=\n", "type"),
        ("a: !!int x\n", "can't read"),
        ("a: 1\n--- \nb: 2\n", "document"),
        ("a: 'b\n", "line 2"),
        ("? [a]\n: 1\n", "no text"),
        ("a: " + "[" * 100_000, "deeper"),
        ("<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n", "not valid YAML"),
        ('a: "\\ud800"\n', "Unicode"),
        ("a: \x07\n", "not valid YAML"),
    ],
)
def test_what_is_no_flat_mapping_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(RecordError, match=reason) as caught:
        load_flat(text.encode(), "params.yaml")

    assert caught.value.where == "params.yaml"


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(RecordError, match="UTF-8 at byte 3"):
        load_flat(b"a: \xff\n")


def test_a_value_that_is_no_scalar_is_not_written() -> None:
    with pytest.raises(InvalidValue):
        dump_flat({"a": [1]})  # type: ignore[dict-item]


pieces = st.lists(
    st.sampled_from([*'ab:"\\ \n#-{}[]&*!?|>%@`\'.,0123456789e+_~<=', "\r", "\t", "\x85", "\u2028", "\ufeff", "é",
                     "true", "null", ": ", "\\u12", "\\ud83d", "\\ude00", ".nan", "yes", "0o1"]), max_size=25
).map("".join)  # fmt: skip


@settings(max_examples=1500)
@given(pieces)
def test_the_fast_reader_reads_as_yaml_does_or_leaves_it(text: str) -> None:
    assert_alike_or_left(text)


@pytest.mark.parametrize(
    "line",
    [
        "yes: 1", "a: 1_0", "a: 012", "a: 1.5E5", "a: -.5", "a: 1e5", "a: １", "a: 1 # one", "a: x", "a: 'x'", " a: 1",
        "a:  1", "a: 1 ", "1: 2", "a: .NaN", "a: True", "a: ~", "a : 1", '"a" : 1', "a: 1\r", 'a: "\x85"', "- a: 1",
        'a: "b" # c', 'a: "\\/"', 'a: "\\u00E9"', 'a: "\\ud83d\\ude00"', "a.: 1\na.: 2", "", "a: ", "a: 0x1",
        "a: +1", "a: 1:30", '"a: b', "a: -0", "a: 1.0e+5",
    ],
)  # fmt: skip
def test_spellings_of_other_writers_are_read_as_yaml_does_or_left_to_it(line: str) -> None:
    assert_alike_or_left(line)


def assert_alike_or_left(text: str) -> None:
    try:
        values = flat._load_lines(text)
    except (flat.NotOurs, ValueError, RecordError, IndexError):
        return
    assert exact(values) == exact(yaml.load(text, yaml.SafeLoader))


@settings(max_examples=500)
@given(st.binary(max_size=60) | pieces.map(str.encode) | st.text().map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_hostile_bytes_are_read_or_refused_but_never_crash(data: bytes) -> None:
    with contextlib.suppress(RecordError):
        load_flat(data)


def test_our_own_files_are_read_without_yaml() -> None:
    code = (
        "import sys; from ledgit.records.flat import dump_flat, load_flat;"
        "load_flat(dump_flat({'a b': 'x', 'n': 1, 'f': 1e-9,"
        "'inf': float('inf'), 'big': 10**40, 't': '\\n', 'z': None}));"
        "sys.exit('yaml' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
