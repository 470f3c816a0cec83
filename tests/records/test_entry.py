"""Entries: one line of at most 4,096 bytes that says the same for ever."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import fields, replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.errors import NewerFormat, RecordError
from ledgit.records import CodeRef, Entry, decode_entry, encode_entry, encode_tombstone, with_head
from ledgit.records.table import claims

RUN = "0123456789abcdef0123456789abcdef"
HEAD = "c" * 40

clocks = st.tuples(st.integers(0, 2**53), st.text("0123456789abcdef", max_size=32))
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | words
oids = st.text("0123456789abcdef", min_size=40, max_size=40)
times = st.integers(-62_135_596_800_000, 253_402_300_799_999)


@st.composite
def entries(draw: st.DrawFn, values: st.SearchStrategy[object] = scalars, size: int = 5) -> Entry:
    params = draw(st.dictionaries(words, values, max_size=size))
    metrics = draw(st.dictionaries(words, st.floats(), max_size=size))
    tags = draw(st.dictionaries(words, words, max_size=size))
    present = [*(f"params.{key}" for key in params), *(f"metrics.{key}" for key in metrics), "name", "tags.gone",
               *(f"tags.{key}" for key in tags)]  # fmt: skip
    return Entry(
        id=draw(st.sampled_from([RUN, "imported_run-7"])),
        start=draw(times),
        name=draw(words),
        experiment=draw(words.filter(bool)),
        status=draw(st.sampled_from(["RUNNING", "FINISHED", "FAILED", "KILLED", "SCHEDULED"])),
        end=draw(st.none() | times),
        user=draw(words),
        parent_run=draw(st.none() | st.just("f" * 32)),
        deleted=draw(st.booleans()),
        code=CodeRef(
            draw(st.none() | oids), draw(st.none() | oids), draw(st.none() | words.filter(bool)), draw(st.booleans())
        ),
        params=params,  # type: ignore[arg-type]
        metrics=metrics,
        ranges={key: (draw(st.floats()), draw(st.floats())) for key in list(metrics)[:2]},
        tags=tags,
        inputs=tuple(sorted(draw(st.sets(st.tuples(words, words, words), max_size=3)))),
        clock=draw(clocks),
        state=dict.fromkeys(draw(st.lists(st.sampled_from(present), unique=True)), draw(clocks)),
        past=tuple(draw(st.lists(oids, max_size=4))),
    )  # fmt: skip


def plain(entry: Entry) -> str:
    """Return all an entry says, but for the bytes it came from, with keys in order."""
    shown = {}
    for one in fields(entry):
        value = getattr(entry, one.name)
        shown[one.name] = sorted(value.items()) if isinstance(value, dict) else value
    return repr({**shown, "raw": b""})


@settings(max_examples=60)
@given(entries())
def test_an_entry_comes_back_from_its_line(entry: Entry) -> None:
    line = encode_entry(entry)

    assert plain(decode_entry(line)) == plain(entry)
    assert plain(decode_entry(with_head(line, HEAD))) == plain(replace(entry, head=HEAD))
    assert encode_entry(decode_entry(line)) == line
    assert line.count(b"\n") == 1
    assert json.loads(line)["id"] == entry.id


def test_a_line_is_this_and_stays_this() -> None:
    """Lines are copied byte for byte by every version of Ledgit, so this one must decode for ever."""
    entry = Entry(
        id=RUN, start=1700000000123, name="calm-owl-417", experiment="churn", end=1700000001000, user="Ada",
        code=CodeRef("a" * 40, "b" * 40, "main", True), params={"lr": 0.001, "big": 2**64, "opt": "adam"},
        metrics={"loss": math.nan, "acc": 0.5}, ranges={"acc": (0.25, math.inf)}, tags={"note": "é\u2028"},
        clock=(1, "aa"), state={"tags.note": (2, "bb"), "tags.gone": (3, "bb")}, past=("d" * 40,),
    )  # fmt: skip
    line = (
        '{"id":"' + RUN + '","v":1,"start":1700000000123,"name":"calm-owl-417","experiment":"churn",'
        '"status":"FINISHED","end":1700000001000,"user":"Ada",'
        '"code":{"commit":"' + "a" * 40 + '","tree":"' + "b" * 40 + '","branch":"main","dirty":true},"clock":[1,"aa"],'
        '"state":{"tags.gone":[3,"bb"],"tags.note":[2,"bb"]},"past":["' + "d" * 40 + '"],'
        '"metrics":{"acc":0.5,"loss":{"~float":"nan"}},'
        '"params":{"big":{"~int":"18446744073709551616"},"lr":0.001,"opt":"adam"},"tags":{"note":"é\u2028"},'
        '"ranges":{"acc":[0.25,{"~float":"inf"}]}}\n'
    ).encode()

    assert encode_entry(entry) == line
    assert plain(decode_entry(line)) == plain(entry)
    assert with_head(line, HEAD) == line.replace(b'",', b'","head":"' + HEAD.encode() + b'",', 1)


def test_a_line_with_data_sets_is_this_and_stays_this() -> None:
    """Of each data set name, digest and context; what somebody gave twice is there once."""
    used = ("train.csv", "md5-1", "train"), ("test.csv", "", "")
    entry = Entry(RUN, 1, metrics={"acc": 0.5}, inputs=(*used, used[0]))
    line = (
        '{"id":"' + RUN + '","v":1,"start":1,"experiment":"Default","status":"FINISHED","clock":[0,""],'
        '"metrics":{"acc":0.5},"inputs":[["test.csv","",""],["train.csv","md5-1","train"]]}\n'
    ).encode()

    assert encode_entry(entry) == line
    assert decode_entry(line).inputs == tuple(sorted(used))


def test_thousands_of_data_sets_leave_room_for_the_rest() -> None:
    """They get a kilobyte; how many more there are is counted, and the file in the commit has all."""
    inputs = tuple((f"part-{number:04}.csv", "d" * 32, "train") for number in range(2000))
    tags, metrics = {"team": "x"}, {f"m{number}": 0.5 for number in range(60)}

    back = decode_entry(encode_entry(Entry(RUN, 1, inputs=inputs, tags=tags, metrics=metrics)))

    assert 10 < len(back.inputs) < 25
    assert back.inputs == inputs[: len(back.inputs)]
    assert (back.left, back.tags, back.metrics) == ({"inputs": 2000 - len(back.inputs)}, tags, metrics)


def test_a_data_set_with_a_very_long_name_goes_first() -> None:
    long, short = ("a" * 600, "", ""), ("b", "1", "")
    params = {f"p{number}": "x" * 60 for number in range(60)}

    assert decode_entry(encode_entry(Entry(RUN, 1, inputs=(long, short)))).inputs == (long, short)
    assert decode_entry(encode_entry(Entry(RUN, 1, inputs=(long, short), params=params))).inputs == (short,)


big_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["x" * 6000, "é" * 300, "\x01" * 100, "v" * 500, "w" * 511]
)
many = st.integers(0, 150)


@st.composite
def big_entries(draw: st.DrawFn) -> Entry:
    """An entry that often is too large, in each of its parts."""
    value, name = draw(big_words), draw(big_words)
    tags = {f"t{n}": value for n in range(draw(many))}
    metrics = {f"metric/{n}": n / 7 for n in range(draw(many))}
    params = {
        f"p{n}-{'k' * draw(st.integers(0, 200))}": draw(st.sampled_from([value, n, n / 3])) for n in range(draw(many))
    }
    state = {f"tags.{key}": (n, "ab" * 16) for n, key in enumerate(tags)} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        state |= {f"metrics.{key}": (9, "cd" * 16) for key in metrics}
    return Entry(
        id="r" * draw(st.sampled_from([32, 256])), start=1, name=name, experiment=draw(big_words) or "e", user=value,
        params=params, metrics=metrics, tags=tags, ranges=dict.fromkeys(metrics, (-math.inf, 0.1)),
        code=CodeRef("a" * 40, "b" * 40, name or None), clock=(1, "ef" * 16), state=state,
        past=tuple(f"{n:040x}" for n in range(draw(st.sampled_from([0, 1, 16, 17, 60, 400])))),
        inputs=tuple((f"data-{n:04}", value, "train") for n in range(draw(many))),
    )  # fmt: skip


@settings(max_examples=120)
@given(big_entries(), st.lists(st.sampled_from(["metrics.metric/3", "params.p1-", "tags.t2", "metrics.none", "x", ""])))
def test_a_line_never_exceeds_4096_bytes_and_counts_what_it_leaves_out(entry: Entry, columns: list[str]) -> None:
    line = encode_entry(entry, columns)

    assert len(with_head(line, "c" * 64)) <= 4096
    back = decode_entry(line)
    for part in ("params", "metrics", "tags", "ranges", "inputs", "state"):
        assert len(getattr(back, part)) + back.left.get(part, 0) == len(getattr(entry, part))
        assert set(getattr(back, part)) <= set(getattr(entry, part))
    assert len(back.past) + back.left.get("past", 0) == len(entry.past)
    assert back.past[:1] == entry.past[:1]
    assert (back.id, back.start, back.status, back.clock) == (entry.id, entry.start, entry.status, entry.clock)
    for key in back.state:  # a key of state without value and digest would count as removed
        section, _, name = key.partition(".")
        assert name in getattr(back, section) or key in back.cut


@settings(max_examples=50)
@given(big_entries(), st.randoms(use_true_random=True))
def test_a_line_is_decided_by_the_run_alone(entry: Entry, random: object) -> None:
    def shuffled(values: dict[str, object]) -> dict[str, object]:
        items = list(values.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return dict(items)

    other = replace(
        entry, **{part: shuffled(getattr(entry, part)) for part in ("params", "metrics", "tags", "ranges", "state")}
    )  # fmt: skip

    assert encode_entry(other) == encode_entry(entry)


def test_configured_columns_are_the_last_to_be_left_out() -> None:
    entry = Entry(
        RUN, 1, params={f"p{n:03}": "x" * 50 for n in range(100)}, metrics={f"m{n:03}": 0.5 for n in range(500)}
    )

    without, with_columns = (
        decode_entry(encode_entry(entry)),
        decode_entry(encode_entry(entry, ["params.p099", "metrics.m499", "metrics.unknown", "nonsense"])),
    )

    assert "p099" not in without.params
    assert "m499" not in without.metrics
    assert with_columns.params == {"p099": "x" * 50}
    assert "m499" in with_columns.metrics
    assert with_columns.left["params"] == 99


def test_tags_come_before_metrics_and_metrics_before_params() -> None:
    entry = Entry(
        RUN, 1, tags={"t": "x"}, metrics={f"m{n:02}": 0.5 for n in range(100)},
        params={f"p{n:03}": "x" * 90 for n in range(99)},
    )  # fmt: skip

    back = decode_entry(encode_entry(entry))

    assert back.tags == entry.tags
    assert back.metrics == entry.metrics
    assert set(back.left) == {"params"}
    assert list(back.params) == sorted(entry.params)[: len(back.params)]


def test_a_value_of_6000_characters_is_left_in_the_run_commit() -> None:
    entry = Entry(RUN, 1, params={"prompt": "x" * 6000, "lr": 0.1}, state={"params.prompt": (2, "b")})

    back = decode_entry(encode_entry(entry))

    assert back.params == {"lr": 0.1}
    assert back.left == {"params": 1}
    assert set(back.cut) == {"params.prompt"}


def test_a_short_line_with_a_long_value_keeps_it() -> None:
    entry = Entry(RUN, 1, params={"prompt": "x" * 2000})

    assert decode_entry(encode_entry(entry)).params == entry.params


def test_a_long_past_keeps_its_first_and_its_newest_commits() -> None:
    past = tuple(f"{n:040d}" for n in range(400))

    back = decode_entry(encode_entry(Entry(RUN, 1, past=past)))

    assert back.commit == past[0]
    assert claims(back.past, past[-1])
    assert claims(back.past, past[-50])
    assert not claims(back.past, "f" * 40)
    assert back.left["past"] == 400 - len(back.past)


def test_lines_sorted_as_bytes_are_sorted_by_id_and_head() -> None:
    ids, heads = ["0" * 32, "0" * 31 + "1", "f" * 32], ["a" * 40, "b" * 40]
    lines = [(run, head, with_head(encode_entry(Entry(run, 5, name="x")), head)) for run in ids for head in heads]

    assert sorted(lines, key=lambda one: one[2]) == sorted(lines)


def test_a_tombstone_says_nothing_but_which_run_is_gone() -> None:
    line = encode_tombstone(RUN, 7)

    assert line == b'{"id":"' + RUN.encode() + b'","start":7,"purged":true}\n'
    entry = decode_entry(line)
    assert (entry.id, entry.start, entry.purged, entry.raw + b"\n") == (RUN, 7, True, line)


def test_fields_of_a_newer_colleague_are_kept() -> None:
    line = b'{"id":"' + RUN.encode() + b'","v":1,"start":1,"mood":{"b":[1]},"status":"FAILED"}'

    entry = decode_entry(line)

    assert entry.extra == {"mood": {"b": [1]}}
    assert entry.raw == line
    assert b'"mood":{"b":[1]}' in encode_entry(entry)


def test_a_line_that_needs_a_newer_version_is_refused_with_the_word_upgrade() -> None:
    with pytest.raises(NewerFormat, match="upgrade"):
        decode_entry(b'{"id":"' + RUN.encode() + b'","v":2,"start":1}')


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""}, {"id": 3}, {"id": "../x"}, {"id": "a/b"}, {"id": "x" * 257}, {"start": None}, {"start": 1.5},
        {"start": 10**15}, {"start": True}, {"head": "abc"}, {"head": 3}, {"past": "x"}, {"past": ["zz"]},
        {"past": ["a" * 16]}, {"status": "DONE"}, {"status": ["FAILED"]}, {"end": "now"}, {"parent_run": "../.."},
        {"deleted": 1},
        {"name": 3},
        {"code": []}, {"code": {"commit": "HEAD"}}, {"code": {"tree": 3}}, {"code": {"branch": 3}}, {"params": []},
        {"params": {"a": [1]}}, {"params": {"a": {"b": 1}}}, {"metrics": {"a": "1"}}, {"metrics": {"a": True}},
        {"metrics": {"a": {"~int": "1"}}}, {"metrics": {"a": 10**400}}, {"tags": {"a": 1}}, {"ranges": {"a": [1]}},
        {"ranges": {"a": [1, None]}}, {"clock": 1}, {"clock": ["1", "a"]}, {"state": {"a": [1]}},
        {"state": {"a": None}},
        {"state": {"a": [1, "b", 3]}}, {"left": {"params": "1"}}, {"left": []}, {"v": "1"}, {"experiment": None},
        {"inputs": {}}, {"inputs": "abc"}, {"inputs": ["abc"]}, {"inputs": [["a", "b"]]}, {"inputs": [["a", "b", 3]]},
        {"inputs": [["a", "b", "c", "d"]]}, {"inputs": [["a", None, "c"]]},
    ],
)  # fmt: skip
def test_a_line_with_an_impossible_field_is_refused_whole(changes: dict[str, object]) -> None:
    line = {"id": RUN, "v": 1, "start": 1, **changes}

    with pytest.raises(RecordError):
        decode_entry(json.dumps(line).encode())


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 5000, b'{"id":"a"}', b" " * 70_000, b'"a"']
)
def test_what_is_no_line_is_refused(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode_entry(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just("a" * 40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*(one.name for one in fields(Entry)), "other"])


@settings(max_examples=300)
@given(st.dictionaries(names, json_values), st.booleans())
def test_hostile_lines_are_decoded_or_refused_but_never_crash(line: dict[str, object], valid: bool) -> None:
    if valid:
        line = {**line, "id": RUN, "start": 1}
    try:
        data = orjson.dumps(line)
    except TypeError:  # integers beyond 64 bits
        data = json.dumps(line).encode()
    with contextlib.suppress(RecordError):
        entry = decode_entry(data)
        assert entry.raw == data
        assert not entry.head or len(entry.head) in (40, 64)


@pytest.mark.parametrize("head", ["", "abc", "A" * 40, "c" * 41, '"' * 40])
def test_only_a_commit_id_becomes_a_head(head: str) -> None:
    with pytest.raises(RecordError):
        with_head(encode_entry(Entry(RUN, 1)), head)


@pytest.mark.parametrize("line", [b"{}", b"", b'{"v":1,"id":"a"}\n'])
def test_a_head_is_put_only_into_a_line(line: bytes) -> None:
    with pytest.raises(RecordError):
        with_head(line, HEAD)
