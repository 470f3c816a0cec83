"""Some lines of a table, put into another a file at a time: the tree that a list of them makes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.strategies import play, steps
from tests.ledger.test_table import again
from tests.ledger.test_tree import line_of, nowhere

from ledgit.git import Objects, ObjectSet
from ledgit.records.table import Line
from ledgit.store.ledger import add_lines, every_line, tree, union_trees
from ledgit.store.ledger.choosing import add_chosen
from ledgit.store.sync.table import new_lines, table_changes

__all__ = ["nowhere"]


@pytest.mark.parametrize(("limit", "examples"), [(1, 150), (2, 100), (64, 50)])
def test_what_is_chosen_is_what_a_list_of_it_would_add(
    nowhere: Objects, monkeypatch: pytest.MonkeyPatch, limit: int, examples: int
) -> None:
    """Whatever is known, whatever it is put into, and where the trees are."""
    monkeypatch.setattr(tree, "LEAF_RUNS", limit)
    seen: Counter[str] = Counter()

    @settings(max_examples=examples)
    @given(steps, st.randoms(use_true_random=True), st.booleans())
    def check(steps: list[tuple[str, int, int]], dice: random.Random, apart: bool) -> None:
        fresh = ObjectSet()
        lines = [line for line in play(steps).lines if line.day is not None and not line.opaque]
        parts = [
            add_lines(nowhere, fresh, None, again([line for line in lines if dice.random() < 0.6])).tree
            for _ in range(3)
        ]
        base, known = parts[0], dice.choice([None, *parts])
        whole = union_trees(nowhere, fresh, known, parts[2]).tree
        stay = {line.id for line in lines if dice.random() > 0.6}

        def goes(line: Line) -> bool:
            return line.purged or line.id not in stay

        expected = add_lines(nowhere, fresh, base, filter(goes, new_lines(nowhere, known, whole, fresh))).tree
        own = ObjectSet() if apart else fresh
        if apart:
            base = add_lines(nowhere, own, None, [line for _, line in every_line(nowhere, base, fresh)]).tree

        assert expected == add_chosen(nowhere, own, base, whole, known, goes, fresh)
        assert {line.raw for _, line in every_line(nowhere, expected, own)} == {
            line.raw for _, line in every_line(nowhere, expected, fresh)
        }
        seen["chosen"] += expected != base
        seen["not all"] += expected != union_trees(nowhere, fresh, base, whole).tree

    check()

    assert seen["chosen"] > examples / 20
    assert seen["not all"] > examples / 20


def test_a_day_with_many_runs_of_which_few_go_is_one_file(nowhere: Objects) -> None:
    """What was split need not be split without those that stay."""
    fresh = ObjectSet()
    lines = [line_of(f"{number * 7919 % 65536:04x}{'0' * 28}") for number in range(500)]
    whole = add_lines(nowhere, fresh, None, lines).tree
    some = {line.id for line in lines[::10]}

    found = add_chosen(nowhere, fresh, None, whole, None, lambda line: line.id in some)

    assert add_lines(nowhere, fresh, None, again([line for line in lines if line.id in some])).tree == found
    assert 1 == len({path for path, _ in every_line(nowhere, found, fresh)})


def test_nothing_chosen_changes_nothing(nowhere: Objects) -> None:
    fresh = ObjectSet()
    base = add_lines(nowhere, fresh, None, [line_of("a" * 32)]).tree
    whole = add_lines(nowhere, fresh, base, [line_of("b" * 32)]).tree

    assert base == add_chosen(nowhere, fresh, base, whole, base, lambda _: False)
    assert base == add_chosen(nowhere, fresh, base, whole, whole, lambda _: True)


@pytest.mark.parametrize("limit", [1, 2, 64])
def test_tables_are_compared_alike_however_their_days_are_split(
    nowhere: Objects, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Against all lines of both in memory."""
    monkeypatch.setattr(tree, "LEAF_RUNS", limit)

    @settings(max_examples=80)
    @given(steps, st.randoms(use_true_random=True))
    def check(steps: list[tuple[str, int, int]], dice: random.Random) -> None:
        fresh = ObjectSet()
        lines = [line for line in play(steps).lines if line.day is not None and not line.opaque]
        old, new = (
            add_lines(nowhere, fresh, None, again([line for line in lines if dice.random() < 0.6])).tree
            for _ in range(2)
        )
        before, after = Counter[bytes](), Counter[bytes]()
        runs: list[dict[str, set[bytes]]] = []
        for table, count in ((old, before), (new, after)):
            found: dict[str, set[bytes]] = {}
            for _, line in every_line(nowhere, table, fresh):
                found.setdefault(line.id, set()).add(line.raw)
                count[line.raw] += 1
            runs.append(found)
        stones = {line.id for _, line in every_line(nowhere, new, fresh) if line.purged}
        dead = {line.id for _, line in every_line(nowhere, old, fresh) if line.purged}

        changes = table_changes(nowhere, old, new, fresh)

        assert sorted((after - before).elements()) == sorted(line.raw for line in new_lines(nowhere, old, new, fresh))
        assert sorted(runs[1].keys() - runs[0].keys() - stones) == sorted(changes.new)
        assert sorted(runs[0].keys() - runs[1].keys()) == sorted(changes.gone)
        assert stones - dead == changes.purged.keys()
        same = {run for run in runs[0].keys() & runs[1].keys() if runs[0][run] != runs[1][run]}
        assert sorted(same - stones) == sorted(set(changes.edited) - stones)

    check()
