"""The join: several heads of a run say the same together, in whatever order they come."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from hashlib import sha1

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ledgit.errors import RecordError
from ledgit.records import (
    CodeRef,
    Entry,
    RunState,
    decode_entry,
    encode_entry,
    encode_tombstone,
    join,
    union_entries,
    value_bytes,
    with_head,
)
from ledgit.records.clock import Clock

RUN = "0123456789abcdef0123456789abcdef"
KEYS = ["name", "experiment", "deleted", "status", "end", "tags.a", "tags.b", "params.p", "params.q", "metrics.m"]
VALUES = {
    "name": ["x", "y", "zé"], "experiment": ["e", "f"], "deleted": [True, False], "status": ["FINISHED", "FAILED"],
    "end": [5, 6, None], "tags": ["1", "2", "long" * 40, None], "params": [1, 1.0, "1", True, 2**70, math.nan],
    "metrics": [0.5, -1.0, math.nan, math.inf, -0.0, 0.0],
}  # fmt: skip


def sealed(entry: Entry) -> Entry:
    """Return *entry* as its line says it, with a commit id made of the line."""
    line = encode_entry(entry)
    return decode_entry(with_head(line, sha1(line + repr(entry.past).encode()).hexdigest()))


def edited(heads: list[Entry], changes: dict[str, object], clock: Clock) -> Entry:
    """Return the entry of one edit on top of *heads*; a tag of None is removed, params never change."""
    state = join(heads)
    clocks = state.clocks.copy()
    sections: dict[str, dict[str, object]] = {
        "tags": dict(state.tags), "params": dict(state.params), "metrics": dict(state.metrics)
    }  # fmt: skip
    attributes: dict[str, object] = {key: getattr(state, key) for key in KEYS if "." not in key}
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if not name:
            attributes[key] = value
        elif section == "params" and name in sections["params"]:
            continue
        elif value is None:
            sections[section].pop(name, None)
        else:
            sections[section][name] = value
        clocks.set(key, clock)
    past: dict[str, None] = {}
    for head in sorted(heads, key=lambda head: (head.greatest_clock(), head.head)):
        past.update(dict.fromkeys((*head.past, head.head)))
    return sealed(
        Entry(
            id=RUN, start=state.start, user=state.user, code=state.code, ranges=dict(state.ranges),
            clock=clocks.default, state={key: at for key, at in clocks.keys.items() if at != clocks.default},
            past=tuple(past), **attributes, **sections,  # type: ignore[arg-type]
        )
    )  # fmt: skip


def first() -> Entry:
    return sealed(
        Entry(
            RUN, 1, name="owl", user="Ada", end=3, code=CodeRef("a" * 40, "b" * 40, "main"), params={"p": 0.1},
            metrics={"m": 0.25}, tags={"a": "0"}, ranges={"m": (-1.0, 0.5)}, clock=(1, "c0"),
        )
    )  # fmt: skip


@dataclass
class World:
    """Three clones of one run's lines, and every write that was ever made."""

    clones: list[list[Entry]]
    ids: list[str]
    writes: dict[str, list[tuple[Clock, object]]] = field(default_factory=dict)
    lines: list[Entry] = field(default_factory=list)


changes = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 5), min_size=1, max_size=3)
steps = st.lists(
    st.tuples(st.just("edit"), st.integers(0, 2), changes)
    | st.tuples(st.just("pull"), st.integers(0, 2), st.integers(0, 2)),
    min_size=3,
    max_size=14,
)


def play(steps: list[tuple[str, int, object]], copied: bool) -> World:
    """Run edits and pulls on three clones; with *copied* two of them share one clone id."""
    start = first()
    world = World([[start] for _ in range(3)], ["c1", "c1" if copied else "c2", "c3"], lines=[start])
    for kind, clone, argument in steps:
        mine = world.clones[clone]
        if kind == "pull":
            assert isinstance(argument, int)
            world.clones[clone] = union_entries([*mine, *world.clones[argument]])
            continue
        assert isinstance(argument, dict)
        clock = (max(head.greatest_clock() for head in mine)[0] + 1, world.ids[clone])
        picked = {
            key: VALUES[key.partition(".")[0]][n % len(VALUES[key.partition(".")[0]])] for key, n in argument.items()
        }
        known = join(mine).params
        entry = edited(mine, picked, clock)
        world.clones[clone] = union_entries([*mine, entry])
        world.lines.append(entry)
        for key, value in picked.items():
            if not (key.startswith("params.") and key[7:] in known):
                world.writes.setdefault(key, []).append((clock, value))
    return world


def said(state: RunState) -> str:
    return repr(state)


@settings(max_examples=400)
@given(steps, st.booleans(), st.randoms(use_true_random=True))
def test_join_and_union_are_commutative_associative_and_idempotent(
    steps: list[tuple[str, int, object]], copied: bool, shuffle: random.Random
) -> None:
    world = play(steps, copied)
    a, b, c = world.clones
    event(f"heads: {len(union_entries([*a, *b, *c]))}")

    assert union_entries([*a, *b]) == union_entries([*b, *a])
    assert union_entries([*union_entries([*a, *b]), *c]) == union_entries([*a, *union_entries([*b, *c])])
    assert union_entries([*a, *a]) == a
    everything = [*world.lines, *a, *b, *c]
    shuffle.shuffle(everything)
    assert said(join(everything)) == said(join([*a, *b, *c]))
    assert said(join(union_entries(everything))) == said(join(everything))


@settings(max_examples=400)
@given(steps, st.booleans())
def test_the_joined_state_is_what_an_oracle_of_all_writes_says(
    steps: list[tuple[str, int, object]], copied: bool
) -> None:
    world = play(steps, copied)
    heads = union_entries([line for clone in world.clones for line in clone])
    state = join(heads)

    for key, writes in world.writes.items():
        section, _, name = key.partition(".")
        if section == "params":
            if name == "p":
                continue
            value = min(writes, key=lambda write: (write[0], value_bytes(write[1])))[1]  # type: ignore[arg-type]
            assert repr(state.params[name]) == repr(value)
            distinct = {str(head.params[name]) for head in heads if name in head.params}
            assert (name in state.conflicts) == (len(distinct) > 1)
            if name in state.conflicts:
                assert {str(value) for value in state.conflicts[name]} == distinct
                assert repr(state.conflicts[name][0]) == repr(value)
            continue
        clock, value = max(writes, key=lambda write: (write[0], order(section, write[1])))
        found = getattr(state, section).get(name) if name else getattr(state, section)
        assert repr(found) == repr(value)
        assert state.clocks.get(key) == clock
    assert state.params["p"] == 0.1
    assert (state.user, state.start, state.code.branch) == ("Ada", 1, "main")
    assert state.commit == first().head


def order(section: str, value: object) -> tuple[bool, bytes]:
    removed = section == "tags" and value is None
    return (not removed, b"" if removed else value_bytes(value))  # type: ignore[arg-type]


@settings(max_examples=200)
@given(steps, st.booleans())
def test_no_commit_of_an_edit_is_ever_lost(steps: list[tuple[str, int, object]], copied: bool) -> None:
    world = play(steps, copied)
    heads = union_entries([line for clone in world.clones for line in clone])

    reachable = {commit for head in heads for commit in (*head.past, head.head)}
    assert {line.head for line in world.lines} <= reachable


@given(steps)
def test_an_edit_of_all_heads_leaves_one_head_with_the_same_state(steps: list[tuple[str, int, object]]) -> None:
    world = play(steps, False)
    heads = union_entries([line for clone in world.clones for line in clone])
    before = join(heads)

    merged = edited(heads, {"name": "merged"}, (before.clocks.greatest()[0] + 1, "c9"))
    after = join([*heads, merged])

    assert after.heads == (merged.head,)
    assert after.name == "merged"
    for part in ("tags", "metrics", "params", "experiment", "status", "end", "deleted", "ranges"):
        assert repr(getattr(after, part)) == repr(getattr(before, part))


def test_the_generator_really_makes_several_heads() -> None:
    """A property of joins means little if there is nothing to join."""
    rng = random.Random(7)
    counts = []
    for _ in range(200):
        moves: list[tuple[str, int, object]] = []
        for _ in range(rng.randint(3, 14)):
            if rng.random() < 0.6:
                moves.append(("edit", rng.randrange(3), {rng.choice(KEYS): rng.randrange(6)}))
            else:
                moves.append(("pull", rng.randrange(3), rng.randrange(3)))
        world = play(moves, copied=bool(rng.randrange(2)))
        counts.append(len(union_entries([line for clone in world.clones for line in clone])))

    assert sum(count >= 2 for count in counts) > 100
    assert sum(count >= 3 for count in counts) > 20


def two(
    one: dict[str, object], other: dict[str, object], clocks: tuple[Clock, Clock] = ((2, "c1"), (2, "c2"))
) -> RunState:
    start = first()
    return join([edited([start], one, clocks[0]), edited([start], other, clocks[1])])


def test_edits_of_different_keys_on_two_machines_both_count() -> None:
    state = two({"tags.x": "1"}, {"name": "new"})

    assert (state.tags, state.name, len(state.heads)) == ({"a": "0", "x": "1"}, "new", 2)


def test_of_two_edits_of_one_key_the_greater_clock_wins() -> None:
    assert two({"tags.a": "1"}, {"tags.a": "2"}, ((3, "c1"), (2, "c2"))).tags == {"a": "1"}
    assert two({"tags.a": "1"}, {"tags.a": "2"}).tags == {"a": "2"}


def test_with_a_copied_clone_id_the_greater_value_wins() -> None:
    clocks = ((2, "c1"), (2, "c1"))

    assert (
        two({"tags.a": "7"}, {"tags.a": "3"}, clocks).tags
        == two({"tags.a": "3"}, {"tags.a": "7"}, clocks).tags
        == {"a": "7"}
    )


def test_a_removed_tag_stays_removed_until_a_later_edit_sets_it() -> None:
    assert two({"tags.a": None}, {"name": "n"}).tags == {}
    assert two({"tags.a": None}, {"tags.a": "1"}, ((2, "c1"), (3, "c2"))).tags == {"a": "1"}
    assert two({"tags.a": None}, {"tags.a": "1"}, ((3, "c1"), (2, "c2"))).tags == {}


def test_with_a_copied_clone_id_a_value_wins_over_a_removal() -> None:
    clocks = ((2, "c1"), (2, "c1"))

    assert two({"tags.a": None}, {"tags.a": "1"}, clocks).tags == {"a": "1"}


def test_two_values_of_a_param_are_a_conflict_and_the_first_writer_counts() -> None:
    state = two({"params.q": 3}, {"params.q": 4}, ((3, "c1"), (2, "c2")))

    assert state.params["q"] == 4
    assert state.conflicts == {"q": (4, 3)}


def test_equal_texts_of_a_param_are_no_conflict() -> None:
    assert two({"params.q": "1"}, {"params.q": 1}).conflicts == {}


def test_ranges_of_two_heads_are_joined() -> None:
    state = two({"metrics.m": 9.0}, {"metrics.m": math.nan}, ((3, "c1"), (2, "c2")))

    assert state.metrics == {"m": 9.0}
    assert state.ranges == {"m": (-1.0, 9.0)} or state.ranges == {"m": (-1.0, 0.5)}


def test_data_sets_of_two_heads_are_joined() -> None:
    """Two machines went on with the run, each with data of its own."""
    start = Entry(RUN, 1, inputs=(("a", "1", "train"),))
    one, other = (
        sealed(replace(start, inputs=(*start.inputs, more), clock=(2, clone)))
        for clone, more in (("c1", ("b", "", "")), ("c2", ("a", "1", "test")))
    )
    expected = (("a", "1", "test"), ("a", "1", "train"), ("b", "", ""))

    assert join([one, other]).inputs == join([other, one]).inputs == expected
    assert join([sealed(start)]).inputs == start.inputs


def test_a_tombstone_absorbs_every_line() -> None:
    start = first()
    stone = decode_entry(encode_tombstone(RUN, 1))
    later = edited([start], {"name": "n"}, (2, "c1"))

    assert union_entries([start, stone, later]) == union_entries([later, stone]) == [stone]
    assert join([later, stone]).purged


def test_of_two_lines_for_one_head_the_greater_stays() -> None:
    """Two versions of Ledgit could write one head's line differently."""
    start = first()
    other = decode_entry(start.raw.replace(b'"owl"', b'"pig"'))

    assert union_entries([start, other]) == union_entries([other, start]) == [other]


def test_lines_that_claim_each_other_as_their_past_are_both_shown() -> None:
    a, b = "a" * 40, "b" * 40
    forged = [Entry(RUN, 1, head=a, past=(b,)), Entry(RUN, 1, head=b, past=(a,))]

    assert {entry.head for entry in union_entries(forged)} == {a, b}
    assert join(forged).heads


def test_the_newest_head_comes_first() -> None:
    start = first()
    old, new = edited([start], {"name": "a"}, (2, "c9")), edited([start], {"name": "b"}, (5, "c0"))

    assert join([old, new]).heads == (new.head, old.head)
    assert join([old, new]).head == new.head


def test_a_value_cut_from_one_line_is_taken_from_another_with_the_same_clock() -> None:
    text = "x" * 600
    small = sealed(
        Entry(RUN, 1, tags={"note": text}, clock=(1, "c0"), state={"tags.note": (2, "c1")}, past=("d" * 40,))
    )
    large = sealed(
        Entry(RUN, 1, tags={"note": text}, params={f"p{n}": "y" * 60 for n in range(80)}, clock=(1, "c0"),
              state={"tags.note": (2, "c1")}, past=("d" * 40,))
    )  # fmt: skip

    assert "tags.note" in large.cut
    assert join([large, small]).tags == {"note": text}


def test_a_newer_value_that_was_cut_hides_the_older_one() -> None:
    start = sealed(Entry(RUN, 1, tags={"note": "old"}, clock=(1, "c0")))
    newer = sealed(
        Entry(RUN, 1, tags={"note": "x" * 5000}, clock=(1, "c0"), state={"tags.note": (2, "c1")}, past=("d" * 40,))
    )

    state = join([start, newer])

    assert state.tags == {}
    assert state.left == {"tags": 1}
    assert state.clocks.get("tags.note") == (2, "c1")


@pytest.mark.parametrize("lines", [[], [Entry("a" * 32, 1, head="a" * 40), Entry("b" * 32, 1, head="b" * 40)]])
def test_lines_of_none_or_of_several_runs_are_not_joined(lines: list[Entry]) -> None:
    with pytest.raises(RecordError):
        join(lines)
