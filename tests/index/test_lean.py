"""Plain lines go into the index by a short way, which must say what the long way says."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ledgit.records import CodeRef, Entry, RunState, decode_entry, encode_entry, join, with_head
from ledgit.store.index_codec import decode_state, encode_state
from ledgit.store.index_database import Database
from ledgit.store.index_lean import lean, run_of, state_of

RUN, HEAD = "0123456789abcdef" * 2, "fedcba98" * 5
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
keys = st.sampled_from(["a", "b", "c/d", "é", "x y"])
floats = st.floats(allow_nan=False)
oids = st.one_of(st.none(), st.sampled_from(["a" * 40, "b" * 40, "c" * 64]))
clocks = st.tuples(st.integers(0, 9), st.sampled_from(["c", "d"]))
entries = st.builds(
    Entry,
    id=st.just(RUN),
    start=st.integers(0, 2_000_000_000_000),
    name=st.one_of(st.just(""), names),
    experiment=names,
    status=st.sampled_from(["FINISHED", "FAILED", "KILLED"]),
    end=st.one_of(st.none(), st.integers(0, 2_000_000_000_000)),
    user=st.one_of(st.just(""), names),
    parent_run=st.one_of(st.none(), st.just("e" * 32)),
    deleted=st.booleans(),
    code=st.builds(
        CodeRef,
        commit=oids,
        tree=oids,
        branch=st.one_of(st.none(), names),
        dirty=st.booleans(),
        patch_id=oids,
        subtrees=st.dictionaries(names, st.just("d" * 40), max_size=2),
    ),
    params=st.dictionaries(
        keys, st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5), names)
    ),
    metrics=st.dictionaries(keys, st.floats()),
    ranges=st.dictionaries(keys, st.tuples(floats, floats)),
    tags=st.dictionaries(keys, names),
    clock=clocks,
    state=st.dictionaries(st.sampled_from(["name", "tags.a", "status"]), clocks),
    past=st.lists(st.sampled_from(["1" * 40, "2" * 40, "3" * 40]), max_size=3, unique=True).map(tuple),
    inputs=st.sets(st.tuples(names, st.sampled_from(["", "1a2b"]), st.sampled_from(["", "train"])), max_size=3).map(
        lambda found: tuple(sorted(found))
    ),
    left=st.dictionaries(
        st.sampled_from(["params", "metrics", "ranges", "inputs", "state", "text"]), st.integers(1, 9)
    ),
)


def rows_of(state: RunState | None, line: bytes | None = None) -> list[tuple[Any, ...]]:
    """The row and the keys that a state, or a plain line, becomes in a new index."""
    database = Database.in_memory()
    if line is None:
        assert state is not None
        database.runs.write([state])
    else:
        data = lean(line, RUN)
        assert data is not None
        database.runs.rows.write([], [(line, data)])
    facets = sorted(database.runs.columns.items())
    columns = "".join(f", {name}" for _, name in facets)
    fixed = (
        "id, name, experiment, status, user, parent_run, run_commit, head, code_commit, tree, branch, started, ended,"
        " inputs"
    )
    rows = database.db.execute(f"SELECT {fixed}, deleted, dirty, code{columns} FROM run").fetchall()
    codes = database.db.execute("SELECT * FROM code").fetchall()
    codes += database.db.execute("SELECT * FROM input").fetchall()
    database.close()
    return [*rows, *codes, tuple(facet for facet, _ in facets)]


@given(entries)
def test_a_plain_line_means_what_its_entry_means(entry: Entry) -> None:
    """State and row are those of the long way; what the short way refuses has something unusual."""
    line = with_head(encode_entry(entry), HEAD).rstrip(b"\n")

    data = lean(line, RUN)

    expected = join([decode_entry(line)])
    if data is None:
        assert b"~" in line or b'"text"' in line
    else:
        assert repr(expected) == repr(state_of(data)) == repr(decode_state(line))
        assert repr(rows_of(expected)) == repr(rows_of(None, line))
    assert RUN == run_of(line)
    assert repr(expected) == repr(decode_state(encode_state(expected)))


# A line as anybody may write it: one value of it is odd.
odd = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**64 - 1), floats, st.text(max_size=3), st.just([]), st.just({}),
    st.just([1, "c"]), st.just({"a": 1}), st.just({"a": "b"}), st.just({"a": [1, 2]}), st.just({"a": None}),
    st.just("a" * 40), st.just({"~float": "nan"}), st.just([1.5, 2.5]), st.just({"commit": 1}),
    st.just({"subtrees": 3}), st.just([["a", "b", "c"], ["a", "b", "c"], ["a", "", ""]]), st.just([["a", "b"]]),
    st.just([["a", "b", None]]), st.just([["a", "b", "c", "d"]]), st.just(["abc"]),
)  # fmt: skip
FIELDS = {name for name in Entry.__dataclass_fields__ if name not in ("raw", "cut", "extra")} | {"more"}


@given(entries, st.sampled_from(sorted(FIELDS)), odd)
def test_an_odd_line_is_refused_by_both_ways_or_by_the_short_one(entry: Entry, field: str, value: object) -> None:
    """What passes as plain would also have decoded, to the same state."""
    data = orjson.loads(with_head(encode_entry(entry), HEAD))
    line = orjson.dumps({**data, field: value})

    plain = lean(line, RUN)

    if plain is not None:
        assert repr(join([decode_entry(line)])) == repr(state_of(plain))


def test_only_lines_that_begin_as_ours_are_quickly_known() -> None:
    """Whose run any other line is about is found out by parsing it."""
    assert "" == run_of(b'{"id":"short","head":"' + HEAD.encode() + b'",')
    assert "" == run_of(b'{"id":"%s","start":1}' % RUN.encode())
    assert "" == run_of(b"")


def test_a_second_head_further_on_is_no_plain_line() -> None:
    """JSON's last one counts, and a segment is sorted by the first."""
    line = with_head(encode_entry(Entry(RUN)), HEAD).rstrip(b"\n")

    assert lean(line, RUN) is not None
    assert lean(line[:-1] + b',"head":"' + b"1" * 40 + b'"}', RUN) is None
    assert lean(line, "f" * 32) is None
