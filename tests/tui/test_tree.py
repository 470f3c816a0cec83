"""Orders of rows: groups and nested runs, open and closed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledgit.store.index_window import Group, Window
from ledgit.tui.data.tree import Flat, Grouped, Nested, nest


def check(order: Flat) -> None:
    """Every run is found in a row that shows it, or one that it is folded into."""
    rows = {run: row for row in range(len(order)) if (run := order.run(row)) is not None}
    for run in range(order.runs):
        place = order.place(run)
        assert place is not None
        assert place == rows.get(run, place)
        assert run in rows or (order.inside(place) and not order.is_open(place))


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8), st.randoms())
def test_groups_show_their_runs_when_they_are_open(sizes: list[tuple[int, bool]], random: object) -> None:
    """Whatever the order of the groups."""
    groups, first = [], 0
    for number, (runs, _) in enumerate(sizes):
        groups.append(Group(str(number), runs, None, first))
        first += runs
    shown = list(range(len(groups)))
    random.shuffle(shown)  # type: ignore[attr-defined]
    order = Grouped(groups, {str(number) for number, (_, is_open) in enumerate(sizes) if is_open}, shown)

    assert len(order) == len(groups) + sum(runs for runs, is_open in sizes if is_open)
    heads = [number for row in range(len(order)) if (number := order.group(row)) is not None]
    assert heads == shown
    check(order)


@given(st.dictionaries(st.integers(0, 15), st.integers(0, 15), max_size=12), st.sets(st.integers(0, 15)))
def test_nested_runs_stand_below_their_parents_and_circles_hide_nobody(
    parents: dict[int, int], opened: set[int]
) -> None:
    """A repository can say that two runs are each other's parents."""
    order = Nested(16, parents, opened)
    check(order)
    everything = Nested(16, parents, range(16))
    assert sorted(everything.run(row) or 0 for row in range(len(everything))) == list(range(16))


def test_nesting_is_looked_up_by_id() -> None:
    """Runs whose parent is not shown stand by themselves."""
    ids = [f"{number:032x}" for number in range(1, 200)]
    window = Window(b"".join(bytes.fromhex(one) for one in ids))
    few = {ids[3]: ids[1], ids[4]: "f" * 32, "e" * 32: ids[0]}
    many = dict.fromkeys(ids[1:150], ids[0])

    assert nest(window, few) == {3: 1}
    assert nest(window, many) == dict.fromkeys(range(1, 150), 0)
