"""Which columns a list has: those that tell the runs apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ledgit.cli import columns, text
from ledgit.cli.commands.ls import as_tree
from ledgit.errors import UsageError

PLAIN = text.Style(False)


def run(run_id: str = "a", **facts: Any) -> Any:
    """A run as lists see it; the rest of what a run can do is not looked at."""
    code = SimpleNamespace(branch="main", tree=None, dirty=False)
    plain = {
        "id": run_id * 32, "name": f"run-{run_id}", "experiment": "Default", "status": "FINISHED", "start": 1_000,
        "end": 2_500, "user": "Ada", "commit": None, "head": None, "parent_run": None, "deleted": False, "lost": False,
        "params": {}, "metrics": {}, "tags": {}, "code": code,
    }  # fmt: skip
    return SimpleNamespace(**{**plain, **facts})


def test_what_is_the_same_in_all_runs_is_not_shown() -> None:
    runs = [run("a", params={"lr": 0.1, "seed": 1}), run("b", params={"lr": 0.2, "seed": 1})]

    assert columns.choose(runs).names == ["id", "name", "start", "params.lr", "duration"]


def test_what_only_one_run_has_is_shown() -> None:
    assert "params.extra" in columns.choose([run("a", params={"extra": 1}), run("b")]).names


def test_one_run_shows_all_it_has_but_system_metrics() -> None:
    names = columns.choose([run(params={"lr": 0.1}, metrics={"acc": 1.0, "system/cpu": 3.0})]).names

    assert "params.lr" in names
    assert "metrics.acc" in names
    assert "metrics.system/cpu" not in names


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"experiment": "other"}, "experiment"),
        ({"status": "FAILED"}, "status"),
        ({"user": "Bob"}, "user"),
        ({"deleted": True}, "deleted"),
    ],
)
def test_an_attribute_is_shown_once_it_differs(facts: dict[str, Any], name: str) -> None:
    assert name not in columns.choose([run("a"), run("b")]).names
    assert name in columns.choose([run("a"), run("b", **facts)]).names


def test_too_many_columns_are_named_as_hidden() -> None:
    runs = [run("a", metrics={f"m{n:02}": float(n) for n in range(20)}), run("b")]
    chosen = columns.choose(runs)

    assert len(chosen.names) == 4 + 8
    assert chosen.hidden == [f"metrics.m{n:02}" for n in range(8, 20)]


def test_columns_can_be_named_by_pattern_and_added() -> None:
    runs = [run("a", metrics={"val_loss": 1.0, "val_acc": 2.0, "loss": 3.0}, params={"lr": 0.1}, tags={"keep": "yes"})]

    assert columns.choose(runs, "name, metrics.val_*").names == ["name", "metrics.val_acc", "metrics.val_loss"]
    assert columns.choose(runs, "lr,keep,loss").names == ["params.lr", "tags.keep", "metrics.loss"]
    assert columns.choose(runs, "+keep").names[-1] == "tags.keep"
    assert set(columns.choose(runs, "all").names) == set(columns.everything(runs))


def test_an_unknown_column_is_an_error_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"column 'metrics.los' \(did you mean metrics.loss\?\)"):
        columns.choose([run(metrics={"loss": 1.0})], "metrics.los")


def test_cells_are_harmless_and_short() -> None:
    shown = columns.cells(
        run(name="\x1b[31mred", params={"lr": 1 / 3, "none": None, "text": "a\nb"}),
        ["id", "name", "params.lr", "params.none", "params.text", "duration"],
        PLAIN,
        now=10,
    )

    assert shown == ["aaaaaaaa", "\\x1b[31mred", "0.33333", "None", "a\\nb", "1.5 s"]


def test_a_running_run_shows_how_long_it_runs_already() -> None:
    assert columns.cells(run(end=None, status="RUNNING"), ["duration", "status"], PLAIN, now=6) == ["5.0 s", "RUNNING"]
    assert columns.cells(run(end=None, status="RUNNING", lost=True), ["status"], PLAIN, now=6) == ["LOST"]


def drawn(runs: list[Any]) -> list[tuple[str, str]]:
    return [(found.name, branch) for found, branch in as_tree(runs)]


def test_nested_runs_stand_below_their_parent() -> None:
    parent, older = run("a"), run("b")
    first, second = run("c", parent_run=parent.id), run("d", parent_run=parent.id)
    inner = run("e", parent_run=first.id)

    assert drawn([second, older, inner, first, parent]) == [
        ("run-b", ""),
        ("run-a", ""),
        ("run-d", "├─ "),
        ("run-c", "└─ "),
        ("run-e", "   └─ "),
    ]


def test_a_run_whose_parent_is_not_listed_stands_alone() -> None:
    assert drawn([run("a", parent_run="f" * 32)]) == [("run-a", "")]


def test_runs_that_claim_to_be_each_others_parents_are_all_listed() -> None:
    """A repository can say so; the list must end and lose nothing."""
    first, second, own = run("a", parent_run="b" * 32), run("b", parent_run="a" * 32), run("c", parent_run="c" * 32)

    assert sorted(name for name, _ in drawn([first, second, own])) == ["run-a", "run-b", "run-c"]


def test_params_that_are_numbers_stand_below_each_other() -> None:
    """To the right, as metrics do; one text among them and the column is text."""
    runs = [run(params={"lr": 0.1, "mixed": 1, "flag": True}), run(params={"lr": 10, "mixed": "a", "flag": False})]
    layout = columns.text_columns(["params.lr", "params.mixed", "params.flag"], runs)

    assert [True, False, False] == [column.right for column in layout]
    assert [True, False, False] == [column.whole for column in layout]


def test_a_pattern_matches_names_without_their_kind() -> None:
    runs = [run(metrics={"acc_train": 1.0, "acc_test": 2.0, "loss": 3.0})]

    assert ["metrics.acc_test", "metrics.acc_train"] == columns.choose(runs, "acc*").names


def test_a_param_and_a_metric_of_one_name_are_told_apart() -> None:
    titles = [column.title for column in columns.text_columns(["name", "metrics.lr", "params.lr", "metrics.loss"])]

    assert ["name", "metrics.lr", "params.lr", "loss"] == titles
