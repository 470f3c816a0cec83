"""The compiled SQL answers as a plain reading of the same expression does, run by run."""

from __future__ import annotations

import math
import operator
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.query import FUNCTIONS, Key, after, compile_filter, compile_order, order_sql, parse_filter, parse_order_by

NOW = 1_700_000_000_000
METRICS, PARAMS, TAGS = ["acc", "val loss", "a/b.c"], ["lr", "opt name", "1st"], ["team", "mlflow.user"]
TEXTS = {"id", "name", "status", "user", "experiment", "parent_run", "branch", "run_commit", "code_commit"}
FLAGS = {"deleted", "dirty"}


@dataclass
class Run:
    """What a filter can ask of a run; ranges are (least, greatest) of a metric's history."""

    metrics: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


class Table:
    """The runs as a table with a column for each key, the way an index may keep them."""

    def __init__(self, runs: list[Run]) -> None:
        self.names: dict[tuple[str, ...], str] = {}
        rows = []
        for run in runs:
            row: dict[str, Any] = {}
            for key, value in run.metrics.items():
                low, high = run.ranges[key]
                for part, number in (("last", value), ("min", low), ("max", high)):
                    row[self._name("metrics", key, part)] = number
                if math.isnan(value):
                    row[self._name("metrics", key, "nan")] = 1
            for key, value in run.params.items():
                row[self._name("params", key, "text")] = str(value)
                if isinstance(value, int | float):
                    row[self._name("params", key, "number")] = value
            for key, value in run.tags.items():
                row[self._name("tags", key, "text")] = value
            for key, value in run.attributes.items():
                row[self._name("attributes", key, "any")] = value
            rows.append(row)
        for key in [*TEXTS, "start", "end", *FLAGS]:
            self._name("attributes", key, "any")
        self.db = sqlite3.connect(":memory:")
        for name, function in FUNCTIONS.items():
            self.db.create_function(name, 1, function, deterministic=True)
        columns = list(self.names.values())
        self.db.execute(f"CREATE TABLE run (n INTEGER PRIMARY KEY, {', '.join(columns)})")
        for number, row in enumerate(rows):
            marks = ", ".join("?" * (len(columns) + 1))
            self.db.execute(f"INSERT INTO run VALUES ({marks})", [number, *(row.get(column) for column in columns)])

    def _name(self, *path: str) -> str:
        return self.names.setdefault(path, f"c{len(self.names)}")

    def text(self, key: Key) -> str | None:
        return self.names.get((key.kind, key.name, "any" if key.kind == "attributes" else "text"))

    def number(self, key: Key) -> str | None:
        part = {"metrics": key.part, "params": "number"}.get(key.kind, "any")
        return self.names.get((key.kind, key.name, part))

    def nan(self, key: Key) -> str | None:
        return self.names.get(("metrics", key.name, "nan")) if key.part == "last" else None

    def matching(self, text: str) -> list[int]:
        sql = compile_filter(parse_filter(text), self, NOW)
        return [n for (n,) in self.db.execute(f"SELECT n FROM run WHERE {sql.text} ORDER BY n", sql.bindings)]

    def sorted(self, *order: str) -> list[int]:
        terms = compile_order(parse_order_by(order), self)
        return [n for (n,) in self.db.execute(f"SELECT n FROM run ORDER BY {order_sql(terms)}")]


# -- a reading of conditions that knows no SQL: True, False, or None for unknown --------------

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def like(text: str, pattern: str, fold: bool) -> bool:
    if fold and pattern.isascii():
        lowered = {upper: upper + 32 for upper in range(65, 91)}
        text, pattern = text.translate(lowered), pattern.translate(lowered)
    elif fold:
        text, pattern = text.lower(), pattern.lower()
    regex = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def value_of(run: Run, kind: str, key: str, part: str) -> Any:
    if kind == "metrics":
        if key not in run.metrics:
            return None
        return run.metrics[key] if part == "last" else run.ranges[key][part == "max"]
    if kind == "tags":
        return run.tags.get(key, run.attributes.get("user") if key == "mlflow.user" else None)
    return run.params.get(key) if kind == "params" else run.attributes.get(key)


def holds(condition: Any, run: Run) -> bool | None:
    match condition:
        case ("not", item):
            held = holds(item, run)
            return None if held is None else not held
        case ("and", items):
            all_held = [holds(item, run) for item in items]
            return False if False in all_held else None if None in all_held else True
        case ("or", items):
            any_held = [holds(item, run) for item in items]
            return True if True in any_held else None if None in any_held else False
        case ("null", key, negated):
            return (value_of(run, *key) is None) != negated
        case ("nan", key):
            value = value_of(run, *key)
            return isinstance(value, float) and math.isnan(value)
        case ("in", key, values, negated):
            return holds(("not" if negated else "and", *_in_items(key, values, negated)), run)
        case ("between", key, low, high):
            return holds(("and", [("cmp", key, ">=", low), ("cmp", key, "<=", high)]), run)
        case ("like", key, word, pattern):
            value = value_of(run, *key)
            return None if value is None else like(str(value), pattern, word == "ILIKE")
        case ("cmp", (kind, _, _) as key, op, expected):
            value = value_of(run, *key)
            if value is None:
                return None
            if isinstance(expected, str):
                return OPERATORS[op](str(value), expected)
            if kind == "params" and not isinstance(value, int | float):
                return op in ("!=", "<>")
            return OPERATORS[op](value, expected)
    raise AssertionError(condition)


def _in_items(key: Any, values: list[Any], negated: bool) -> list[Any]:
    either = ("or", [("cmp", key, "=", value) for value in values])
    return [either] if negated else [[either]]


# -- the same conditions as text -------------------------------------------------------------


def quoted(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def key_text(key: tuple[str, str, str]) -> str:
    kind, name, part = key
    shown = name if kind == "attributes" else f"{kind}.{name}"
    if kind != "attributes" and not re.fullmatch(r"[\w./]+", name):
        shown = f"{kind}.`{name}`" if len(name) % 2 else f'{kind}."{name}"'
    return shown if part == "last" else f"{part}({shown})"


def text_of(condition: Any) -> str:
    match condition:
        case ("not", item):
            return f"NOT ({text_of(item)})"
        case (("and" | "or") as word, items):
            return f" {word.upper()} ".join(f"({text_of(item)})" for item in items)
        case ("null", key, negated):
            return f"{key_text(key)} IS {'NOT ' if negated else ''}NULL"
        case ("nan", key):
            return f"{key_text(key)} IS NAN"
        case ("in", key, values, negated):
            return f"{key_text(key)} {'NOT ' if negated else ''}IN ({', '.join(map(quoted, values))})"
        case ("between", key, low, high):
            return f"{key_text(key)} BETWEEN {quoted(low)} AND {quoted(high)}"
        case ("like", key, word, pattern):
            return f"{key_text(key)} {word} {quoted(pattern)}"
        case ("cmp", key, op, expected):
            return f"{key_text(key)} {op} {quoted(expected)}"
    raise AssertionError(condition)


words = st.text("aAbBöÖ%_*?[]'\" 1.", max_size=4)
numbers = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.1, 0.5, 1e-300, -2.5, 1e300, math.inf, -math.inf, 2**53 + 1, -(2**63)])
)
metric_values = st.one_of(numbers.map(float), st.just(math.nan))
param_values = st.one_of(words, numbers, st.sampled_from(["adam", "0.1"]))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    metrics = draw(st.dictionaries(st.sampled_from(METRICS), metric_values))
    ranges = {}
    for key, value in metrics.items():
        low = draw(st.sampled_from([-4.0, -0.5, value])) if not math.isnan(value) else 0.0
        ranges[key] = (min(low, value) if not math.isnan(value) else low, value if not math.isnan(value) else 1.0)
    present = st.one_of(st.none(), words)
    attributes = {key: draw(present) for key in ("name", "user", "experiment", "branch", "parent_run")}
    attributes["status"] = draw(st.sampled_from(["FINISHED", "FAILED", "RUNNING"]))
    attributes["start"] = draw(st.one_of(st.none(), st.integers(NOW - 5, NOW + 5)))
    attributes["end"] = draw(st.one_of(st.none(), st.integers(NOW - 5, NOW + 5)))
    attributes["deleted"], attributes["dirty"] = int(draw(st.booleans())), draw(st.sampled_from([None, 0, 1]))
    return Run(
        metrics,
        ranges,
        draw(st.dictionaries(st.sampled_from(PARAMS), param_values)),
        draw(st.dictionaries(st.sampled_from(TAGS), words)),
        attributes,
    )


metric_keys = st.tuples(
    st.just("metrics"), st.sampled_from([*METRICS, "nobody"]), st.sampled_from(["last", "min", "max"])
)
param_keys = st.tuples(st.just("params"), st.sampled_from([*PARAMS, "nobody"]), st.just("last"))
tag_keys = st.tuples(st.just("tags"), st.sampled_from([*TAGS, "nobody"]), st.just("last"))
word_keys = st.tuples(st.just("attributes"), st.sampled_from(["name", "user", "experiment", "branch"]), st.just("last"))
time_keys = st.tuples(st.just("attributes"), st.sampled_from(["start", "end"]), st.just("last"))
number_keys = metric_keys | param_keys | time_keys
text_keys = param_keys | tag_keys | word_keys
conditions = st.one_of(
    st.tuples(st.just("cmp"), number_keys, st.sampled_from(list(OPERATORS)), numbers),
    st.tuples(st.just("cmp"), text_keys, st.sampled_from(["=", "==", "!=", "<>"]), words),
    st.tuples(st.just("like"), text_keys, st.sampled_from(["LIKE", "ILIKE"]), words),
    st.tuples(st.just("in"), number_keys, st.lists(numbers, min_size=1, max_size=4), st.booleans()),
    st.tuples(st.just("in"), text_keys, st.lists(words, min_size=1, max_size=4), st.booleans()),
    st.tuples(st.just("in"), param_keys, st.lists(words | numbers, min_size=1, max_size=4), st.booleans()),
    st.tuples(st.just("between"), number_keys, numbers, numbers),
    st.tuples(st.just("null"), number_keys | text_keys, st.booleans()),
    st.tuples(st.just("nan"), metric_keys),
)
expressions = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(st.lists(runs(), max_size=8), expressions)
def test_sql_matches_the_runs_that_a_plain_reading_matches(table: list[Run], condition: Any) -> None:
    """Whatever is asked, compiled and read by SQLite, is true of the same runs."""
    text = text_of(condition)

    expected = [n for n, run in enumerate(table) if holds(condition, run)]
    assert expected == Table(table).matching(text), text


def place(run: Run, number: int, kind: str, key: str, part: str, down: bool) -> tuple[Any, ...]:
    """Sort key: values in the asked direction, then NaN or text, then runs without the key."""
    value = value_of(run, kind, key, part)
    rank, sign = (0, -1 if down else 1)
    if value is None:
        return (3,)
    if isinstance(value, str):
        return (2, Reverse(value)) if down else (2, value)
    return (1,) if math.isnan(value) else (rank, sign * value)


@dataclass
class Reverse:
    text: str

    def __lt__(self, other: Reverse) -> bool:
        return self.text > other.text


@settings(max_examples=80)
@given(st.lists(runs(), max_size=8), st.lists(st.tuples(number_keys | text_keys, st.booleans()), max_size=3))
def test_runs_are_sorted_with_nan_after_numbers_and_the_lacking_last(table: list[Run], order: Any) -> None:
    """In both directions; what ties goes by start, newest first, then by id."""
    for number, run in enumerate(table):
        run.attributes["id"] = f"{number:032x}"
    items = [f"{key_text(key)} {'DESC' if down else 'asc'}" for key, down in order]

    def sort_key(number: int) -> list[tuple[Any, ...]]:
        run = table[number]
        start = run.attributes["start"]
        keys = [*order, (("attributes", "start", "last"), True)] if start is not None else list(order)
        places = [place(run, number, *key, down) for key, down in keys]
        return [*places, (3,) if start is None else (0,), (number,)]

    expected = sorted(range(len(table)), key=sort_key)
    assert expected == Table(table).sorted(*items)


@settings(max_examples=60)
@given(st.lists(runs(), max_size=8), st.lists(st.tuples(number_keys | text_keys, st.booleans()), max_size=3))
def test_what_comes_after_a_run_is_the_rest_of_the_list(table: list[Run], order: Any) -> None:
    """A page token is a place in the order, so no run is shown twice or left out."""
    for number, run in enumerate(table):
        run.attributes["id"] = f"{number:032x}"
    view = Table(table)
    terms = compile_order(parse_order_by([f"{key_text(key)} {'desc' if down else ''}" for key, down in order]), view)
    ordering = order_sql(terms)
    listed = view.db.execute(f"SELECT n, {', '.join(t.sql for t in terms)} FROM run ORDER BY {ordering}").fetchall()

    for index, (_, *values) in enumerate(listed):
        sql = after(terms, values)
        rest = view.db.execute(f"SELECT n FROM run WHERE {sql.text} ORDER BY {ordering}", sql.bindings).fetchall()
        assert [n for n, *_ in listed[index + 1 :]] == [n for (n,) in rest]


DAY = 86_400_000
MIDNIGHT = 1_699_920_000_000  # 2023-11-14T00:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("start = '2023-11-14'", [1, 2]),
        ("start != '2023-11-14'", [0, 3]),
        ("start_time < 2023-11-14", [0]),
        ("created <= '2023-11-14'", [0, 1, 2]),
        ("attributes.start_time > '2023-11-14'", [3]),
        ("run.start >= '2023-11-14T00:00:00Z'", [1, 2, 3]),
        ("start = '2023-11-14T01:00+01:00'", [1]),
        ("start > '2023-11-14 00:00:00.000'", [2, 3]),
        ("start BETWEEN '2023-11-13' AND '2023-11-14'", [0, 1, 2]),
        ("start NOT BETWEEN '2023-11-14' AND '2023-11-14'", [0, 3]),
        (f"start = {MIDNIGHT}", [1]),
        (f"start_time >= {MIDNIGHT + DAY}.0", [3]),
    ],
)
def test_a_date_is_the_day_and_a_number_milliseconds(text: str, expected: list[int]) -> None:
    times = [MIDNIGHT - 1, MIDNIGHT, MIDNIGHT + DAY - 1, MIDNIGHT + DAY]

    assert expected == Table([Run(attributes={"start": time}) for time in times]).matching(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("age < 1h", [0]), ("age >= 90min", [2, 3]), ("age <= 7d", [0, 1, 2]), ("age > 1w", [3]), ("age < 0.5H", [0])],
)
def test_age_counts_back_from_now(text: str, expected: list[int]) -> None:
    ages = [0, 3_600_000, 7 * DAY, 8 * DAY]

    assert expected == Table([Run(attributes={"start": NOW - age}) for age in ages]).matching(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("duration > 1min", [2]),
        ("duration <= 60s", [0, 1]),
        ("duration BETWEEN 1s AND 2min", [1, 2]),
        ("duration IN (500ms, 90s)", [0, 2]),
        ("duration IS NULL", [3]),
        ("NOT duration > 1h", [0, 1, 2]),
    ],
)
def test_duration_is_what_a_run_took(text: str, expected: list[int]) -> None:
    """One that is still running has none."""
    ends = [NOW + 500, NOW + 60_000, NOW + 90_000, None]
    table = Table([Run(attributes={"start": NOW} | ({} if end is None else {"end": end})) for end in ends])

    assert expected == table.matching(text)
    assert [2, 1, 0, 3] == table.sorted("duration DESC")
    assert [0, 1, 2, 3] == table.sorted("duration")


def test_shortened_ids_match_what_begins_with_them() -> None:
    """Ids are shown with 8 digits, and that is what people paste."""
    run, code = "ab12" + "0" * 36, "cd34" + "f" * 36
    table = Table([Run(attributes={"id": "aaaa1111" + "0" * 24, "run_commit": run, "code_commit": code}), Run()])

    for text in (
        "id = 'aaaa1111'",
        "commit = 'ab12'",
        "commit='CD34FF'",
        "code.commit in ('cd34', 'x')",
        "commit like 'cd%'",
    ):
        assert [0] == table.matching(text), text
    for text in ("commit = 'ab13'", "commit = 'ab'", "code.commit = 'ab12'", "commit != 'cd34'"):
        assert [] == table.matching(text), text


def test_status_and_flags_are_read_without_regard_to_case() -> None:
    table = Table([Run(attributes={"status": "FINISHED", "deleted": 1, "dirty": 0}), Run(attributes={"deleted": 0})])

    for text in ("status = 'finished'", "deleted = TRUE", "deleted = 1", "deleted != false", "dirty = 'false'"):
        assert [0] == table.matching(text), text


def test_params_compare_their_text_with_text_and_their_number_with_numbers() -> None:
    """MLflow's rule for text, and what everybody expects for numbers."""
    table = Table(
        [Run(params={"lr": 0.1}), Run(params={"lr": "0.10"}), Run(params={"lr": True}), Run(params={"lr": 1e-05})]
    )

    assert [0] == table.matching("params.lr = '0.1'")
    assert [0] == table.matching("params.lr > 0.01 and params.lr < 1")
    assert [2] == table.matching("params.lr = true")
    assert [3] == table.matching("params.lr = '1e-05'")
