"""Scalars: every reader gets back the same value, of the same type, to the last bit."""

from __future__ import annotations

import decimal
import enum
import io
import json
import math
import struct

import numpy as np
import orjson
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ledgit.errors import InvalidValue, RecordError
from ledgit.records import clean_text, dump_scalar, from_json, load_scalar, to_json, to_metric, to_scalar

TRAPS = [
    "yes", "No", "ON", "off", "y", "N", "true", "False", "null", "~", "", " ", "  lead", "trail ", "a: b", "a #b",
    "#a", "-", "- a", "?", "? a", ":", "=", "<<", "&a", "*a", "!tag", "!!int 3", "%TAG", "@a", "`a", "|", ">", "[]",
    "{}", "[a", "{a", "---", "...", "0o7", "012", "0x1F", "0b11", "1_000", "1:30", "190:20:30.15", "2026-11-23",
    "2026-11-23T06:00:00Z", "1e5", "1.5e5", "1E5", ".5", "5.", "+1", "-0", ".nan", ".inf", "nan", "inf", "Infinity",
    "\t", "a\tb", "a\nb", "a\r\nb", "\n", "\\n", "\\", '"', "'", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028",
    "\u2029", "\ufeff", "\ufeffa", "\ufffe", "\uffff", "\U0001f600", "\U0010ffff", "é", "e\u0301", "\xa0",
    "\u200b", "\u202e", "x" * 3000, "a " * 1000,
]  # fmt: skip
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(TRAPS)
floats = st.floats() | st.sampled_from([0.0, -0.0, 1e-05, 1e16, 5e-324, 1.7976931348623157e308, 0.1, 1e22, 123456789.0])
integers = st.integers() | st.sampled_from([2**63, -(2**63), 2**64, 10**100, -1, 0]) | st.integers(-(10**80), 10**80)
scalars = st.none() | st.booleans() | integers | floats | texts


def same(first: object, second: object) -> bool:
    """Say whether both are the same value of the same type, to the bit (a NaN is a NaN)."""
    if type(first) is not type(second):
        return False
    if isinstance(first, float):
        assert isinstance(second, float)
        return (math.isnan(first) and math.isnan(second)) or struct.pack("d", first) == struct.pack("d", second)
    return first == second


def finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@settings(max_examples=400)
@given(scalars)
@example("\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))
def test_our_reader_pyyaml_ruamel_and_json_read_every_scalar_alike(value: str | float | bool | None) -> None:
    text = dump_scalar(value)

    assert "\n" not in text
    assert same(load_scalar(text), value)
    assert same(yaml.load(text, yaml.SafeLoader), value)
    assert same(yaml.load(text, yaml.CSafeLoader), value)
    assert same(YAML(typ="safe", pure=True).load(io.StringIO(text)), value)
    if finite(value):
        assert same(json.loads(text), value)


@given(scalars)
def test_the_json_form_survives_json_and_orjson(value: str | float | bool | None) -> None:
    tagged = to_json(value)

    assert same(from_json(orjson.loads(orjson.dumps(tagged))), value)
    assert same(from_json(json.loads(json.dumps(tagged, allow_nan=False))), value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "1.0e-05"), (1e16, "1.0e+16"), (-1.5e-07, "-1.5e-07"), (0.1, "0.1"), (-0.0, "-0.0"), (2.0, "2.0"),
        (math.nan, ".nan"), (math.inf, ".inf"), (-math.inf, "-.inf"), (10**30, "1" + "0" * 30), (True, "true"),
        (None, "null"), ("yes", '"yes"'),
        ("é\u2028\x85\ufeff", '"é\\u2028\\u0085\\ufeff"'), ('a"\\\n', '"a\\"\\\\\\n"'),
    ],
)  # fmt: skip
def test_the_text_of_a_scalar_is_this_and_stays_this(value: str | float | None, text: str) -> None:
    assert dump_scalar(value) == text


@pytest.mark.parametrize(
    ("value", "tagged"),
    [
        (math.nan, {"~float": "nan"}), (math.inf, {"~float": "inf"}), (-math.inf, {"~float": "-inf"}),
        (2**63, {"~int": "9223372036854775808"}), (2**63 - 1, 2**63 - 1), (-(2**63), -(2**63)), (1e300, 1e300),
    ],
)  # fmt: skip
def test_only_what_json_lines_cannot_hold_is_tagged(value: float, tagged: object) -> None:
    assert same(tagged, to_json(value)) or tagged == to_json(value)
    assert same(from_json(tagged), value)


@pytest.mark.parametrize(
    "value", [[], {}, {"~int": "x"}, {"~int": "1_0"}, {"~int": 1}, {"~float": "1"}, {"~int": "1", "b": 2}, [1],
              {"~int": "9" * 5000}, {"~int": "-"}]
)  # fmt: skip
def test_what_is_no_scalar_in_json_is_refused(value: object) -> None:
    with pytest.raises(RecordError):
        from_json(value)


@given(st.text(max_size=40) | st.text('"\\u0d8fn.-+e1_ ', max_size=12))
def test_a_text_is_read_as_yaml_reads_it_or_not_at_all(text: str) -> None:
    try:
        value = load_scalar(text)
    except RecordError:
        return
    assert same(value, yaml.load(text, yaml.SafeLoader))


@given(st.text(st.characters(categories=["Cs", "Lu"]), min_size=1))
def test_a_lone_surrogate_is_refused_in_files_and_spelled_out_when_logged(text: str) -> None:
    logged = to_scalar(text)
    assert isinstance(logged, str)

    assert logged == clean_text(text)
    assert load_scalar(dump_scalar(logged)) == logged
    if logged != text:
        with pytest.raises(InvalidValue, match="UTF-8"):
            dump_scalar(text)


def test_bytes_of_a_file_name_that_are_no_utf8_are_spelled_out() -> None:
    assert to_scalar("caf\udce9.csv") == "caf\\udce9.csv"


class Colour(enum.Enum):
    RED = 1


class Size(enum.IntEnum):
    BIG = 3


class Word(str):
    __slots__ = ()


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("logged", "value"),
    [
        (np.float32(0.1), 0.1), (np.float16(0.1), 0.1), (np.float64(0.1), 0.1), (np.float32(1e-30), 1e-30),
        (np.float32("nan"), math.nan), (np.float32("-inf"), -math.inf), (np.float32(3.4028235e38), 3.4028235e38),
        (np.int8(-3), -3), (np.uint64(2**64 - 1), 2**64 - 1), (np.bool_(True), True), (np.str_("a"), "a"),
        (np.array(0.1, dtype=np.float32), 0.1), (np.array(5), 5), (np.array([1, 2]), "[1 2]"),
        (np.float16(65504), 65500.0),
        (np.longdouble(0.5), 0.5), (np.datetime64("2026-11-23"), "2026-11-23"), (Size.BIG, 3),
        (Colour.RED, "Colour.RED"),
        (Word("x"), "x"), ([1, "a"], "[1, 'a']"), ({"a": 1}, "{'a': 1}"), (decimal.Decimal("0.10"), "0.10"),
        (1 + 2j, "(1+2j)"), (b"x", "b'x'"), (None, None), (True, True),
    ],
)  # fmt: skip
def test_params_keep_their_type_and_others_become_text(logged: object, value: object) -> None:
    assert same(to_scalar(logged), value)


@settings(max_examples=200)
@given(st.floats(width=32))
def test_a_float32_is_logged_by_its_shortest_text(number: float) -> None:
    value = to_scalar(np.float32(number))

    assert isinstance(value, float)
    assert np.float32(value).tobytes() == np.float32(number).tobytes() or math.isnan(number)
    assert len(repr(value)) <= len(repr(float(np.format_float_scientific(np.float32(number))))) or math.isnan(number)


@pytest.mark.parametrize("logged", [pytest.param(10**5000, id="5001 digits"), Broken()])
def test_a_value_without_a_usable_text_is_refused(logged: object) -> None:
    with pytest.raises(InvalidValue):
        to_scalar(logged)


@pytest.mark.parametrize(
    ("logged", "value"),
    [
        (1, 1.0), (True, 1.0), ("0.5", 0.5), (" 1e-3 ", 0.001), ("nan", math.nan),
        (np.float32(0.1), 0.10000000149011612),
        (np.array(2), 2.0), (np.array([[2.5]]), 2.5), (np.bool_(False), 0.0), (decimal.Decimal("0.25"), 0.25),
        (np.str_("3"), 3.0), (Size.BIG, 3.0), (np.float64("inf"), math.inf),
    ],
)  # fmt: skip
def test_metrics_are_floats_of_numbers_bools_texts_and_arrays_of_one(logged: object, value: float) -> None:
    assert same(to_metric(logged), value)


@pytest.mark.parametrize(
    "logged",
    [
        None,
        "fast",
        "",
        [],
        {},
        np.array([1, 2]),
        1j,
        pytest.param(10**400, id="10**400"),
        b"1",
        object(),
        "1,5",
        np.array([]),
        Broken,
    ],
)
def test_what_is_no_number_is_refused_as_a_metric(logged: object) -> None:
    with pytest.raises(InvalidValue, match="a number"):
        to_metric(logged)


def test_torch_tensors_of_one_element_are_numbers() -> None:
    torch = pytest.importorskip("torch")

    assert to_scalar(torch.tensor(0.1)) == 0.1
    assert to_scalar(torch.tensor(3)) == 3
    assert to_metric(torch.tensor([0.5], requires_grad=True)) == 0.5
    assert to_scalar(torch.tensor(0.1, dtype=torch.float16)) == 0.1
    with pytest.raises(InvalidValue):
        to_metric(torch.zeros(2))
