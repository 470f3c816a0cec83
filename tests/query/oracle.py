"""A plain reading of filters and orders over RunState objects, which knows no SQL.

Conditions are tuples, so that a test can write each as text in all the spellings the grammar has.
"""

from __future__ import annotations

import datetime as dt
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from ledgit.records import RunState

Condition = tuple[Any, ...]
Key = tuple[str, str, str]  # kind, name, part

DATASETS = ["name", "digest", "context"]
METRICS, PARAMS, TAGS = ["acc", "val loss", "a/b.c"], ["lr", "opt name", "1st"], ["team", "mlflow.user"]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "<>": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_ORDERED = ("<", "<=", ">", ">=")
_SPELLINGS = {
    "id": ["id", "run_id", "attributes.run_id"],
    "name": ["name", "run_name", "`run name`", "run.name"],
    "status": ["status", "attributes.status", "attr.STATUS"],
    "start": ["start", "start_time", "created", "attributes.start_time"],
    "end": ["end", "end_time"],
    "user": ["user", "user_id"],
    "experiment": ["experiment", "experiment_name"],
    "parent_run": ["parent_run", "parent_run_id"],
    "branch": ["branch", "code.branch", 'tags."mlflow.source.git.branch"'],
    "code_commit": ["code.commit"],
    "tree": ["tree", "code.tree"],
    "dirty": ["dirty", "code.dirty"],
}
IDS = {"id": 32, "parent_run": 32, "head": 40, "tree": 40, "code_commit": 40}


@dataclass
class World:
    """What a filter can ask beside the runs themselves.

    Attributes:
        now: What ages count from, ms.
        commits: Revision → the commits that it contains.
        trees: Revision → the trees of those.
        parents: Run id → id of the run it is nested in.
    """

    now: int
    commits: Mapping[str, set[str]] = field(default_factory=dict)
    trees: Mapping[str, set[str]] = field(default_factory=dict)
    parents: Mapping[str, str | None] = field(default_factory=dict)


# -- values ------------------------------------------------------------------------------------


def value_of(run: RunState, key: Key, world: World) -> Any:
    """The value of *key*, None where the run lacks it."""
    kind, name, part = key
    if kind == "metrics":
        if name not in run.metrics:
            return None
        last = run.metrics[name]
        if part == "last":
            return last
        end = run.ranges.get(name, (last, last))[part == "max"]
        return None if math.isnan(end) else end
    if kind == "tags":
        return run.tags.get(name, (run.user or None) if name == "mlflow.user" else None)
    if kind == "params":
        return run.params.get(name)
    code = run.code
    found: dict[str, Any] = {
        "age": world.now - run.start,
        "duration": None if run.end is None else run.end - run.start,
        "user": run.user or None,
        "branch": code.branch,
        "code_commit": code.commit,
        "tree": code.tree,
        "dirty": code.dirty,
        "head": run.head,
        "artifact_uri": f"runs:/{run.id}",
    }
    return found[name] if name in found else getattr(run, name)


def number(value: Any) -> int | float | None:
    """The number that a param is compared as."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value, re.ASCII):
            return None
        value = int(value) if re.fullmatch(r"[+-]?\d+", value, re.ASCII) else float(value)
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def like(text: str, pattern: str, fold: bool) -> bool:
    """SQL's LIKE; ILIKE with an ASCII pattern folds ASCII letters only."""
    if fold and pattern.isascii():
        lowered = {upper: upper + 32 for upper in range(65, 91)}
        text, pattern = text.translate(lowered), pattern.translate(lowered)
    elif fold:
        text, pattern = text.lower(), pattern.lower()
    regex = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, text, re.DOTALL) is not None


# -- the reading: True, False, or None for what nobody knows ---------------------------------------


def holds(condition: Condition, run: RunState, world: World) -> bool | None:
    """Whether *condition* is true of *run*."""

    def ask(*item: Any) -> bool | None:
        return holds(item, run, world)

    match condition:
        case ("not", item):
            held = ask(*item)
            return None if held is None else not held
        case ("and", items):
            found = [ask(*item) for item in items]
            return False if False in found else None if None in found else True
        case ("or", items):
            found = [ask(*item) for item in items]
            return True if True in found else None if None in found else False
        case ("some", item):
            known = [text for text in used(run, item_key(item)) if text]
            return any(holds_of_text(item, text) for text in known) if known else None
        case ("null", ("datasets", _, _) as key):
            return not any(used(run, key))
        case ("null", key):
            return value_of(run, key, world) is None
        case ("nan", (_, name, part)):
            return part == "last" and math.isnan(run.metrics.get(name, 0.0))
        case ("in", key, values):
            return ask("or", [("cmp", key, "=", value) for value in values])
        case ("between", key, low, high):
            return ask("and", [("cmp", key, ">=", low), ("cmp", key, "<=", high)])
        case ("like", key, fold, pattern):
            value = value_of(run, key, world)
            return None if value is None else like(str(value), pattern, fold)
        case ("day", key, op, day):
            value = value_of(run, key, world)
            return None if value is None else OPERATORS[op](value // 86_400_000, day)
        case ("short", key, digits):
            value = value_of(run, key, world)
            return None if value is None else value.startswith(digits.lower())
        case ("commit", digits):
            found = [one and one.startswith(digits.lower()) for one in (run.commit, run.code.commit)]
            return True if True in found else None if None in found else False
        case ("code", revs):
            if run.code.commit is None and run.code.tree is None:
                return None
            return any(run.code.commit in world.commits[rev] or run.code.tree in world.trees[rev] for rev in revs)
        case ("ancestor", digits):
            above, seen = world.parents.get(run.id), set()
            while above is not None and above not in seen:
                if above.startswith(digits.lower()):
                    return True
                seen.add(above)
                above = world.parents.get(above)
            return False
        case ("cmp", (kind, _, _) as key, op, expected):
            value = value_of(run, key, world)
            if value is None:
                return None
            if isinstance(expected, bool) and kind == "params":
                return OPERATORS[op](str(value).lower() if str(value) in ("True", "true", "False", "false") else value,
                                     str(expected).lower())  # fmt: skip
            if isinstance(expected, str):
                return OPERATORS[op](str(value), expected)
            if kind == "params":
                known = number(value)
                return op in ("!=", "<>") if known is None or math.isnan(known) else OPERATORS[op](known, expected)
            return OPERATORS[op](value, expected)
    raise AssertionError(condition)


def used(run: RunState, key: Key) -> list[str]:
    """The names, digests or contexts of the run's data sets."""
    return [one[DATASETS.index(key[1])] for one in run.inputs]


def item_key(item: Condition) -> Key:
    """The key that a condition about a data set is about."""
    return item_key(item[1]) if item[0] == "not" else item[1]


def holds_of_text(item: Condition, text: str) -> bool:
    """Whether a condition about a data set is true of one whose name, digest or context is *text*."""
    match item:
        case ("not", inner):
            return not holds_of_text(inner, text)
        case ("in", _, values):
            return text in values
        case ("like", _, fold, pattern):
            return like(text, pattern, fold)
        case ("cmp", _, op, expected):
            return OPERATORS[op](text, expected)
    raise AssertionError(item)


def asks_deleted(condition: Condition) -> bool:
    """Whether *condition* itself says something about deleted runs."""
    return "'deleted'" in repr(condition)


def placed(run: RunState, order: Sequence[tuple[Key, bool]], world: World) -> list[tuple[Any, ...]]:
    """The sort key of *run*: numbers, then NaN or text, then runs without; ties newest first, then by id."""
    places: list[tuple[Any, ...]] = []
    for key, down in order:
        value = value_of(run, key, world)
        as_number = number(value) if key[0] == "params" else value
        if value is None or (key[0] == "attributes" and key[1] == "name" and value is None):
            places.append((3,))
        elif key[0] == "params":
            known = as_number is not None and not math.isnan(as_number)
            places.append((0, -as_number if down else as_number) if known else (1,))
            places.append((0, _Reverse(str(value)) if down else str(value)))
        elif isinstance(value, str):
            places.append((0, _Reverse(value) if down else value))
        else:
            places.append((1,) if math.isnan(value) else (0, -value if down else value))
    return [*places, (-run.start,), (run.id,)]


@dataclass
class _Reverse:
    text: str

    def __lt__(self, other: _Reverse) -> bool:
        return self.text.encode() > other.text.encode()


# -- as text, in all spellings -----------------------------------------------------------------


def text_of(condition: Condition, draw: Callable[[Sequence[str]], str]) -> str:
    """*condition* in the filter's grammar; *draw* picks one of several spellings."""

    def word(text: str) -> str:
        return draw([text, text.lower(), text.title()])

    def negated(text: str, item: Condition) -> str:
        return text_of((*item[:-1], item[-1]), draw).replace(f" {text} ", f" {word('NOT')} {text} ", 1)

    match condition:
        case ("not", (("in" | "between" | "like") as kind, key, *rest)) if draw(["before", "inside"]) == "inside":
            return _written(kind, key, rest, draw, word, word("NOT") + " ")
        case ("not", ("null", key)) if draw(["before", "inside"]) == "inside":
            return f"{key_text(key, draw)} {word('IS')} {word('NOT')} {word('NULL')}"
        case ("not", ("code", revs)) if draw(["before", "inside"]) == "inside":
            return _code(revs, draw, word, word("NOT") + " ")
        case ("not", item):
            return f"{word('NOT')} ({text_of(item, draw)})"
        case ("some", ("not", (kind, key, *rest))):
            return _written(kind, key, rest, draw, word, word("NOT") + " ")
        case ("some", item):
            return text_of(item, draw)
        case (("and" | "or") as joined, items):
            return f" {word(joined.upper())} ".join(f"({text_of(item, draw)})" for item in items)
        case ("null", key):
            return f"{key_text(key, draw)} {word('IS')} {word('NULL')}"
        case ("nan", key):
            return f"{key_text(key, draw)} {word('IS')} {word('NAN')}"
        case (("in" | "between" | "like") as kind, key, *rest):
            return _written(kind, key, rest, draw, word, "")
        case ("day", key, op, day):
            date = (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()
            return f"{key_text(key, draw)} {op} {draw([date, quoted(date, draw)])}"
        case ("short", key, digits):
            return f"{key_text(key, draw)} = {quoted(digits, draw)}"
        case (("commit" | "ancestor") as kind, digits):
            return f"{kind} = {quoted(digits, draw)}"
        case ("code", revs):
            return _code(revs, draw, word, "")
        case ("cmp", (_, name, _) as key, op, expected):
            span = name in ("age", "duration")
            shown = draw([f"{expected}ms", f"{expected / 1000!r}s"]) if span else quoted(expected, draw)
            return f"{key_text(key, draw)} {op} {shown}"
    raise AssertionError(condition)


def _written(kind: str, key: Key, rest: list[Any], draw: Any, word: Any, no: str) -> str:
    shown = key_text(key, draw)
    if kind == "in":
        return f"{shown} {no}{word('IN')} ({', '.join(quoted(value, draw) for value in rest[0])})"
    if kind == "between":
        return f"{shown} {no}{word('BETWEEN')} {quoted(rest[0], draw)} {word('AND')} {quoted(rest[1], draw)}"
    return f"{shown} {no}{word('ILIKE' if rest[0] else 'LIKE')} {quoted(rest[1], draw)}"


def _code(revs: Sequence[str], draw: Any, word: Any, no: str) -> str:
    if len(revs) == 1 and draw(["bare", "list"]) == "bare":
        return f"{word('CODE')} {no}{word('IN')} {draw([revs[0], quoted(revs[0], draw)])}"
    return f"code {no}in ({', '.join(quoted(rev, draw) for rev in revs)})"


def quoted(value: Any, draw: Callable[[Sequence[str]], str]) -> str:
    """A value as the grammar writes it."""
    if isinstance(value, str):
        mark = draw(["'", '"'])
        return mark + value.replace(mark, mark * 2) + mark
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def key_text(key: Key, draw: Callable[[Sequence[str]], str]) -> str:
    """A key as the grammar writes it."""
    kind, name, part = key
    if kind == "attributes":
        return draw(_SPELLINGS.get(name, [name]))
    prefix = draw([kind, kind[:-1], kind.title()])
    plain = [f"{prefix}.{name}"] if re.fullmatch(r"[\w./]+", name) else []
    shown = draw([*plain, f"{prefix}.`{name}`", f'{prefix}."{name}"'])
    return draw([shown, f"last({shown})"]) if kind == "metrics" and part == "last" else (
        shown if part == "last" else f"{part}({shown})"
    )  # fmt: skip


# -- strategies ----------------------------------------------------------------------------------

words = st.text("aAbBöÖ%_*?[]'\"` 1.", max_size=4)
numbers = st.one_of(
    st.integers(-3, 3), st.sampled_from([0.1, 0.5, 1e-300, -2.5, 1e300, math.inf, -math.inf, 2**53 + 1, -(2**63)])
)
metric_keys = st.tuples(
    st.just("metrics"), st.sampled_from([*METRICS, "nobody"]), st.sampled_from(["last", "last", "min", "max"])
)
param_keys = st.tuples(st.just("params"), st.sampled_from([*PARAMS, "nobody"]), st.just("last"))
tag_keys = st.tuples(st.just("tags"), st.sampled_from([*TAGS, "nobody"]), st.just("last"))


def attributes(*names: str) -> st.SearchStrategy[Key]:
    """Keys of attributes."""
    return st.tuples(st.just("attributes"), st.sampled_from(names), st.just("last"))


def conditions(world: World, runs: Sequence[RunState]) -> st.SearchStrategy[Condition]:
    """Conditions of every kind the grammar has, about what *runs* hold."""
    texts = param_keys | tag_keys | attributes("name", "user", "experiment", "branch")
    counted = metric_keys | param_keys
    own = st.sampled_from(runs)
    known = st.sampled_from(sorted(world.commits))
    days = st.sampled_from(sorted({run.start // 86_400_000 for run in runs}))
    millis = own.map(lambda run: run.start)
    least = st.integers(4, 40)
    equal = st.sampled_from(["=", "==", "!=", "<>"])
    any_op = st.sampled_from(list(OPERATORS))
    ids = st.sampled_from(sorted(IDS))

    def beginning(item: tuple[RunState, str, int, bool]) -> Condition:
        run, name, length, upper = item
        value = value_of(run, ("attributes", name, "last"), world) or "ab" * 20
        digits = value[: min(length, len(value))]
        return "short", ("attributes", name, "last"), digits.upper() if upper and len(digits) < len(value) else digits

    def some_commit(item: tuple[RunState, bool, int]) -> Condition:
        run, of_code, length = item
        return "commit", ((run.code.commit if of_code else run.commit) or "cd" * 20)[:length]

    simple = st.one_of(
        st.tuples(st.just("cmp"), counted, any_op, numbers),
        st.tuples(st.just("cmp"), texts, equal, words),
        st.tuples(st.just("cmp"), param_keys, st.sampled_from(["=", "!="]), st.booleans()),
        st.tuples(st.just("cmp"), attributes("start", "end"), any_op, millis),
        st.tuples(
            st.just("cmp"),
            attributes("age", "duration"),
            st.sampled_from(_ORDERED),
            millis.map(lambda start: world.now - start + 500),
        ),
        st.tuples(st.just("cmp"), attributes("dirty", "deleted"), st.sampled_from(["=", "!="]), st.booleans()),
        st.tuples(
            st.just("cmp"), attributes("status"), equal, st.sampled_from(["FINISHED", "FAILED", "KILLED", "RUNNING"])
        ),
        st.tuples(st.just("cmp"), attributes("artifact_uri"), equal, own.map(lambda run: f"runs:/{run.id}")),
        st.tuples(st.just("like"), texts, st.booleans(), words),
        st.tuples(st.just("in"), counted, st.lists(numbers, min_size=1, max_size=4)),
        st.tuples(st.just("in"), texts, st.lists(words, min_size=1, max_size=4)),
        st.tuples(st.just("in"), param_keys, st.lists(words | numbers, min_size=1, max_size=4)),
        st.tuples(st.just("in"), attributes("id"), st.lists(own.map(lambda run: run.id), min_size=1, max_size=3)),
        st.tuples(st.just("between"), counted, numbers, numbers),
        st.tuples(st.just("between"), attributes("start"), millis, millis),
        st.tuples(st.just("day"), attributes("start", "end"), any_op, days),
        st.tuples(st.just("null"), counted | texts | attributes("end", "duration", "age", "parent_run", "tree")),
        st.tuples(st.just("nan"), metric_keys),
        st.tuples(own, ids, least, st.booleans()).map(beginning),
        st.tuples(own, st.booleans(), st.integers(4, 40)).map(some_commit),
        st.tuples(st.just("code"), st.lists(known, min_size=1, max_size=2)),
        st.tuples(st.just("ancestor"), own.map(lambda run: run.id) | own.map(lambda run: run.id[:8].upper())),
    )
    of_data = st.tuples(st.just("datasets"), st.sampled_from(DATASETS), st.just("last"))
    data = words | st.sampled_from(["train.csv", "test.csv", "1a2b", "train", "TRAIN"])
    many = st.tuples(st.just("in"), of_data, st.lists(data, min_size=1, max_size=3))
    alike = st.tuples(st.just("like"), of_data, st.booleans(), data | st.sampled_from(["t%", "%.csv", "%"]))
    about_data = st.one_of(
        st.tuples(st.just("cmp"), of_data, equal, data), many, alike, st.tuples(st.just("not"), many | alike)
    )
    simple = st.one_of(
        simple,
        st.tuples(st.just("some"), about_data),
        st.tuples(st.just("some"), about_data),
        st.tuples(st.just("null"), of_data),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner),
            st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=4)),
        ),
        max_leaves=6,
    )


def orders() -> st.SearchStrategy[list[tuple[Key, bool]]]:
    """Several keys to sort by, each with whether it is descending."""
    keys = metric_keys | param_keys | tag_keys | attributes("name", "start", "end", "duration", "status", "id")
    return st.lists(st.tuples(keys, st.booleans()), max_size=3)
