"""Metrics of slices: by value, in bins, by a mask; how far they are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ledgit
from ledgit.compare import direction
from ledgit.errors import InvalidValue
from ledgit.models.evaluation import evaluate
from ledgit.models.evaluation.frame import make_frame
from ledgit.models.evaluation.slicing import find_slices
from ledgit.records.names import check_key

pytestmark = [pytest.mark.frameworks]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sex": ["f", "f", "f", "f", "m", "m", "m", "m"],
            "age": [20.0, 30, 40, 50, 25, 35, 45, np.nan],
            "y": [1, 1, 0, 0, 1, 1, 0, 0],
            "said": [1, 1, 0, 0, 1, 0, 1, 0],
        }
    )


def measured(table: pd.DataFrame, slices: Any, **options: Any) -> Any:
    return evaluate(
        None, table, targets="y", predictions="said", model_type="classifier", slices=slices, log_plots=False, **options
    )


@pytest.mark.usefixtures("repo")
def test_a_slice_has_the_metrics_of_its_rows(table: pd.DataFrame) -> None:
    """They are in the run, under names that a filter can ask for."""
    with ledgit.start_run() as run:
        metrics = measured(table, "sex").metrics

    assert (1.0, 0.5) == (metrics["accuracy_score/sex:f"], metrics["accuracy_score/sex:m"])
    assert (0.5, 0.5) == (metrics["accuracy_score_gap/sex"], metrics["accuracy_score_worst/sex"])
    assert (4, 4) == (metrics["example_count/sex:f"], metrics["example_count/sex:m"])
    assert (0.0, 0.5) == (metrics["false_positive_rate/sex:f"], metrics["false_positive_rate/sex:m"])
    assert 0.5 == metrics["false_positive_rate_worst/sex"]
    assert (0.5, 0.0) == (metrics["selection_rate"], metrics["selection_rate_gap/sex"])
    assert "selection_rate_worst/sex" not in metrics
    (found,) = ledgit.search_runs(
        search_all_experiments=True, filter_string="metrics.`accuracy_score/sex:m` < 0.6", output_format="list"
    )
    assert run.id == found.info.run_id


@pytest.mark.usefixtures("repo")
def test_all_slices_are_a_table_of_the_run(table: pd.DataFrame) -> None:
    """Its first row is all the data."""
    result = measured(table, {"sex": None, "age": [35]})

    shown = ledgit.load_table("slice_metrics.json", run_ids=[result.run_id])
    assert ["", "sex", "sex", "age", "age", "age"] == list(shown["slice"])
    assert ["all", "f", "m", "below 35", "from 35", "missing"] == list(shown["value"])
    assert [8, 4, 4, 3, 4, 1] == list(shown["example_count"])
    assert 0.75 == shown.accuracy_score[0]
    assert list(result.tables["slice_metrics"].columns) == list(shown.columns)


@pytest.mark.usefixtures("repo")
def test_what_is_not_defined_in_a_slice_is_left_out(table: pd.DataFrame) -> None:
    """Nobody was predicted positive: that is no precision of 0, and no gap."""
    metrics = measured(table.assign(said=[1, 1, 0, 0, 0, 0, 0, 0]), "sex").metrics

    assert 1.0 == metrics["precision_score/sex:f"]
    assert "precision_score/sex:m" not in metrics
    assert "precision_score_gap/sex" not in metrics
    assert 0.0 == metrics["recall_score/sex:m"]


@pytest.mark.usefixtures("repo")
def test_small_slices_can_be_kept_from_deciding(table: pd.DataFrame) -> None:
    """They are measured, but gap and worst are of the others."""
    by_age = {"age": [21, 45]}

    every, most = measured(table, by_age).metrics, measured(table, by_age, min_slice_rows=2).metrics

    assert "accuracy_score/age:below 21" in most
    assert 0.5 == every["accuracy_score_gap/age"]
    assert most["accuracy_score_gap/age"] == 0.75 - 0.5


@pytest.mark.usefixtures("repo")
def test_numbers_have_gaps_too() -> None:
    data = pd.DataFrame({"where": ["a", "a", "b", "b"], "y": [1.0, 2, 1, 2], "said": [1.0, 2, 3, 4]})

    metrics = evaluate(
        None, data, targets="y", predictions="said", model_type="regressor", slices="where", log_plots=False
    ).metrics

    assert (0, 4, 4, 4) == tuple(
        metrics[f"mean_squared_error{ending}"] for ending in ("/where:a", "/where:b", "_gap/where", "_worst/where")
    )
    assert (1.0, 16.0) == (metrics["r2_score/where:a"], metrics["r2_score_gap/where"])
    assert "sum_on_target_gap/where" not in metrics


@pytest.mark.usefixtures("repo")
def test_weights_count_inside_of_slices(table: pd.DataFrame) -> None:
    metrics = measured(table, "sex", sample_weights=[1, 1, 1, 1, 1, 3, 1, 1]).metrics

    assert 2 / 6 == pytest.approx(metrics["accuracy_score/sex:m"])
    assert 1 / 6 * 2 == pytest.approx(metrics["selection_rate/sex:m"])


def names(data: Any, slices: Any, **options: Any) -> list[str]:
    return [one.name for one in find_slices(slices, make_frame(data, None, **options))]


def test_ways_to_divide(table: pd.DataFrame) -> None:
    """By value, bins of equal size, limits, masks, functions, several columns together."""
    assert ["sex:f", "sex:m"] == names(table, ["sex"])
    assert ["age:below 35", "age:from 35", "age:missing"] == names(table, {"age": 2})
    assert ["age:below 30", "age:30..45", "age:from 45", "age:missing"] == names(table, {"age": (30, 45)})
    assert ["young:true", "young:false"] == names(table, {"young": table.age < 30})
    assert ["young:true", "young:false"] == names(table, {"young": lambda rows: rows.age < 30})
    assert ["young:true", "young:false"] == names(table, {"young": [True] * 2 + [False] * 6})
    assert ["sex:f/y:0", "sex:f/y:1", "sex:m/y:0", "sex:m/y:1"] == names(table, [("sex", "y")])
    assert ["sex:f/y:0", "sex:f/y:1", "sex:m/y:0", "sex:m/y:1"] == names(table, {"both": ("sex", "y")})
    assert ["b:below 5", "b:from 5"] == names(np.arange(20).reshape(10, 2), {"b": [5]}, feature_names=["a", "b"])
    assert ["n:below 24.75", "n:24.75..49.5", "n:49.5..74.25", "n:from 74.25"] == names({"n": range(100)}, "n")


def test_columns_of_every_type_are_divided() -> None:
    """Categories, dates, and pandas' types that can lack values."""
    table = pd.DataFrame(
        {
            "group": pd.Categorical(["x", "y", "x"], categories=["x", "y", "never"]),
            "day": pd.to_datetime(["2024-01-02", None, "2024-01-01"]),
            "time": pd.to_datetime(["2024-01-02 10:30", "2024-01-02 00:00", "2024-01-02 00:00"]),
            "count": pd.array([1, None, 2], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "word": pd.array(["a", None, "b"], dtype="string"),
        }
    )

    assert ["group:x", "group:y"] == names(table, "group")
    assert ["day:2024-01-01", "day:2024-01-02", "day:missing"] == names(table, "day")
    assert 2 == len(names(table, "time"))
    assert ["count:1", "count:2", "count:missing"] == names(table, "count")
    assert ["flag:false", "flag:true", "flag:missing"] == names(table, "flag")
    assert ["word:a", "word:b", "word:missing"] == names(table, "word")
    with pytest.raises(InvalidValue, match="several of that name"):
        names(pd.concat([table, table], axis=1), "word")


def test_names_that_a_metric_cannot_have_are_changed_and_stay_apart() -> None:
    """Two values never share a name, and none is taken for the missing ones."""
    found = names({"group": ["a=b", "a+b", "missing", None, "x/y:z", "", "é"]}, "group")

    assert len(set(found)) == len(found) == 7
    assert {"group:missing", "group:x_y_z", "group:empty", "group:é"} < set(found)
    for name in found:
        check_key("metric", f"accuracy_score/{name}")


@example(values=[None, "\x00"])  # NumPy cuts NULs off the end of a text it compares with
@example(values=["a\x00", "a"])
@given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.booleans(), st.integers(), st.floats()), min_size=1))
def test_every_row_is_in_one_slice_of_a_column(values: list[Any]) -> None:
    """Whatever the values are; and each slice has a name that can be stored."""
    data = {"x": np.array([*values, None], dtype=object)[:-1]}
    try:
        slices = find_slices("x", make_frame(data, None))
    except InvalidValue as error:
        assert "one of at most" in str(error)  # noqa: PT017
        return

    assert [1] * len(values) == list(np.sum([one.mask for one in slices], axis=0))
    assert len({one.name for one in slices}) == len(slices)
    for one in slices:
        check_key("metric", one.name)


@pytest.mark.parametrize(
    ("slices", "words"),
    [
        ("height", "the column is 'height', expected one of sex, age"),
        ({"sex": 3}, "numbers where it is divided"),
        ({"age": 1}, "a number from 2"),
        ({"age": [3, 2]}, "rising numbers"),
        ({"age": ["x"]}, "numbers"),
        ({"young": np.array([True])}, "one bool for each of the 8 rows"),
        ({"young": lambda rows: rows.age}, "one bool for each"),
        (["sex", "sex"], "each column once"),
        ([3], "a tuple of names"),
        (3, "a mapping of names"),
        ("id", "expected one of at most 100"),
    ],
)
def test_mistakes_are_named(table: pd.DataFrame, slices: Any, words: str) -> None:
    data = pd.DataFrame({"id": [f"n{number}" for number in range(200)]}) if slices == "id" else table

    with pytest.raises(InvalidValue) as caught:
        find_slices(slices, make_frame(data, None))

    assert words in str(caught.value)


def test_a_slice_goes_where_its_metric_goes() -> None:
    """The data's own words, however they sound, do not decide what is better; gaps should be small."""
    assert "maximize" == direction("accuracy_score/reason:loss")
    assert "minimize" == direction("log_loss/metric:accuracy/sex:f")
    assert "minimize" == direction("cost/metric:accuracy", {"cost": "minimize"})
    assert direction("cost/metric:accuracy", {"cost": "none"}) is None
    assert "minimize" == direction("accuracy_score_gap/sex")
    assert "maximize" == direction("accuracy_score_worst/sex")
