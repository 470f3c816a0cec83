"""A graph of commits, one line of characters for each."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledgit.tui.data.lanes import DOT, Lanes, ascii_lanes


def drawn(*commits: tuple[str, str]) -> list[str]:
    lanes = Lanes()
    return [lanes.draw(oid, parents.split()).replace(DOT, "o") for oid, parents in commits]


def test_a_line_of_commits_is_one_lane() -> None:
    assert ["o", "o", "o"] == drawn(("c", "b"), ("b", "a"), ("a", ""))


def test_a_merge_opens_a_lane_and_the_common_commit_closes_it() -> None:
    assert ["o─╮", "│ o", "o │", "o─╯"] == drawn(("m", "b c"), ("c", "a"), ("b", "a"), ("a", ""))


def test_two_branches_join_where_they_parted() -> None:
    assert ["o", "│ o", "o─╯"] == drawn(("b", "a"), ("c", "a"), ("a", ""))


def test_a_merge_of_what_has_a_lane_joins_that() -> None:
    """Nothing is drawn twice: the second parent's lane is there already."""
    assert ["o", "│ o", "o─┤"] == drawn(("x", "m"), ("y", "p"), ("m", "b p"))


def test_a_lane_in_between_is_crossed() -> None:
    assert ["o─┬─╮", "│ │ o", "o─┼─╯"] == drawn(("o", "a b c"), ("c", "a"), ("a", ""))


def test_without_unicode_all_of_it_is_ascii() -> None:
    lines = drawn(("o", "a b c"), ("c", "a"), ("b", "a"), ("a", ""))

    assert all(ascii_lanes(line).isascii() for line in lines)
    assert "|" in ascii_lanes(lines[1])


@given(st.lists(st.lists(st.integers(1, 12), max_size=4), max_size=40))
def test_any_history_is_drawn_with_one_dot_a_line_and_lanes_that_end(gaps: list[list[int]]) -> None:
    """Parents are so many lines below; past the last line there are none, and so no lane stays open."""
    count = len(gaps)
    lanes = Lanes()

    lines = [
        lanes.draw(str(at), [str(at + gap) for gap in dict.fromkeys(some) if at + gap < count])
        for at, some in enumerate(gaps)
    ]

    assert all(line.count(DOT) == 1 for line in lines)
    assert not lines or lines[-1].strip("╯─┴ ") in (DOT, "")
    assert "│" not in "".join(lines[-1:])
