"""Lining up runs: what counts as a difference."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ledgit.compare import MISSING, SECTIONS, ArtifactFacts, RunView, diff_runs

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
PARAMS = st.dictionaries(st.text(min_size=1, max_size=3), SCALARS, max_size=6)


def view(name: str = "a", **facts: object) -> RunView:
    return RunView(id=name * 32, name=name, **facts)  # type: ignore[arg-type]


def test_a_param_only_one_run_has_is_a_difference() -> None:
    """Adding a param is a change, not a gap."""
    (row,) = diff_runs([view(), view("b", params={"lr": 0.1})]).params

    assert row.cells == (MISSING, 0.1)
    assert row.differs
    assert row.change == "added"


def test_a_param_of_none_is_not_a_missing_one() -> None:
    (row,) = diff_runs([view(params={"seed": None}), view("b")]).params

    assert row.change == "removed"
    assert row.to_dict() == {"key": "seed", "values": [None, None], "differs": True, "missing": [1]}


def test_params_are_the_same_when_their_texts_are() -> None:
    """MLflow compares texts: a number logged as text is no difference, another spelling is."""
    diff = diff_runs([view(params={"lr": 0.1, "n": 1, "b": True}), view("b", params={"lr": "0.1", "n": 1.0, "b": 1})])

    assert {row.key: row.differs for row in diff.params} == {"lr": False, "n": True, "b": True}


def test_nan_equals_nan_and_has_no_delta() -> None:
    (row,) = diff_runs([view(metrics={"loss": math.nan}), view("b", metrics={"loss": float("nan")})]).metrics

    assert not row.differs
    assert row.deltas == (None, None)


def test_a_lower_loss_is_better_and_a_lower_accuracy_is_worse() -> None:
    runs = [view(metrics={"loss": 2.0, "accuracy": 0.5}), view("b", metrics={"loss": 1.0, "accuracy": 0.25})]
    accuracy, loss = diff_runs(runs).metrics

    assert (loss.better(1), loss.deltas[1], loss.relative[1]) == (True, -1.0, -0.5)
    assert (accuracy.better(1), accuracy.relative[1]) == (False, -0.5)
    assert loss.better(0) is None


def test_the_repository_decides_the_direction() -> None:
    runs = [view(metrics={"loss": 2.0}), view("b", metrics={"loss": 1.0})]
    (row,) = diff_runs(runs, {"loss": "maximize"}).metrics

    assert row.better(1) is False
    assert row.best == 0


def test_the_best_run_ignores_nan_and_missing_values() -> None:
    runs = [
        view(metrics={"auc": math.nan}),
        view("b", metrics={"auc": 0.5}),
        view("c"),
        view("d", metrics={"auc": 0.5}),
    ]
    (row,) = diff_runs(runs).metrics

    assert row.best == 1


def test_a_first_value_of_zero_has_a_delta_but_no_percentage() -> None:
    (row,) = diff_runs([view(metrics={"loss": 0.0}), view("b", metrics={"loss": 2.0})]).metrics

    assert (row.deltas[1], row.relative[1]) == (2.0, None)


def test_infinite_values_have_no_delta() -> None:
    (row,) = diff_runs([view(metrics={"loss": 1e308}), view("b", metrics={"loss": math.inf})]).metrics

    assert row.differs
    assert row.deltas == (0.0, None)


def test_artifacts_are_compared_by_content() -> None:
    first = view(artifacts={"model.pkl": ArtifactFacts("a1", 3), "log": ArtifactFacts("c", 1)})
    second = view("b", artifacts={"model.pkl": ArtifactFacts("a2", 3), "log": ArtifactFacts("c", 1)})
    diff = diff_runs([first, second])

    assert [(row.key, row.differs, row.sizes) for row in diff.artifacts] == [
        ("log", False, (1, 1)),
        ("model.pkl", True, (3, 3)),
    ]
    assert [row.key for row in diff.changed().artifacts] == ["model.pkl"]


def test_code_is_the_same_when_the_trees_are() -> None:
    assert diff_runs([view(code={"tree": "t"}), view("b", code={"tree": "t"})]).same_code is True
    assert diff_runs([view(code={"tree": "t"}), view("b", code={"tree": "u"})]).same_code is False
    assert diff_runs([view(code={"tree": "t"}), view("b")]).same_code is None


def test_code_rows_keep_their_order_and_the_rest_is_sorted() -> None:
    diff = diff_runs([view(code={"commit": "1", "branch": "main"}, params={"z": 1, "a": 1})])

    assert [row.key for row in diff.code] == ["commit", "branch"]
    assert [row.key for row in diff.params] == ["a", "z"]


def test_one_run_never_differs_from_itself() -> None:
    assert not diff_runs([view(params={"a": 1}, metrics={"b": math.nan})]).differs


@given(PARAMS, PARAMS)
def test_a_row_differs_exactly_when_some_text_or_presence_does(
    left: dict[str, object], right: dict[str, object]
) -> None:
    rows = {row.key: row for row in diff_runs([view(params=left), view("b", params=right)]).params}

    assert set(rows) == set(left) | set(right)
    for key, row in rows.items():
        texts = [str(side[key]) if key in side else None for side in (left, right)]
        equal = texts[0] == texts[1] or (key in left and key in right and _same_number(left[key], right[key]))
        assert row.differs is not equal


def _same_number(left: object, right: object) -> bool:
    """0.0 and -0.0 are equal though their texts are not."""
    return type(left) is type(right) and left == right


@given(st.lists(PARAMS, min_size=1, max_size=4))
def test_swapping_runs_never_changes_which_keys_differ(sides: list[dict[str, object]]) -> None:
    def differing(order: list[dict[str, object]]) -> set[str]:
        changed = diff_runs([view(params=side) for side in order]).changed()
        return {row.key for row in changed.params}

    assert differing(sides) == differing(sides[::-1])


def test_every_section_is_in_the_json() -> None:
    shown = diff_runs([view(), view("b")]).to_dict()

    assert set(SECTIONS) <= set(shown)
    assert shown["runs"] == [{"id": "a" * 32, "name": "a"}, {"id": "b" * 32, "name": "b"}]


def test_a_comparison_is_told_in_a_line() -> None:
    """A notebook shows the value of a cell, and environments have hundreds of packages."""
    runs = [view(params={"lr": 1}), view("b", params={"lr": 2}, environment={"packages.numpy": "2.0"})]

    assert repr(diff_runs(runs)) == "<RunDiff a, b: 1 of params, 1 of environment differing>"
    assert repr(diff_runs(runs[:1])) == "<RunDiff a: nothing differing>"
