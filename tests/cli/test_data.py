"""Data sets in ``ledgit show`` and ``ledgit diff``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ledgit

Cli = Callable[..., Any]


def logged(name: str, *inputs: tuple[object, str]) -> None:
    """Make a run that used these data sets."""
    with ledgit.start_run(run_name=name):
        for dataset, context in inputs:
            ledgit.log_input(dataset, context=context)


def test_diff_says_that_two_runs_saw_the_same_data(cli: Cli, repo: Path) -> None:
    """Also when nothing else is to be said."""
    logged("owl", ("data.csv", "training"))
    logged("fox", ("data.csv", "training"))

    lines = cli("diff", "owl", "fox").out.splitlines()
    assert "data (the same)" == lines[-1]
    assert cli("diff", "owl", "fox", "--json").json["same_data"] is True


def test_diff_shows_what_is_different_about_the_data(cli: Cli, repo: Path) -> None:
    """By what they were used for, with names and sizes."""
    logged("owl", ("data.csv", "training"), ("train.py", "validation"))
    Path("data.csv").write_text("x,y\n1,3\n4,5\n")
    Path("data.csv").rename("more.csv")
    logged("fox", ("more.csv", "training"), ("train.py", "validation"))

    out = cli("diff", "owl", "fox").out
    (line,) = [line for line in out.splitlines() if line.startswith("  training")]
    assert "data (different)" in out.splitlines()
    assert ["training", "data.csv", "(8B)", "→", "more.csv", "(12B)"] == [
        word for word in line.replace(" B)", "B)").split() if len(word) != 8 or "." in word or word == "training"
    ]
    assert "validation" in cli("diff", "owl", "fox", "--all").out
    assert "### data (different)" in cli("diff", "owl", "fox", "--md").out


def test_diff_says_where_it_can_not_tell(cli: Cli, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DataFrame's digest is no file's; and a run that recorded nothing may have seen anything."""
    import pandas as pd

    monkeypatch.setenv("COLUMNS", "120")
    logged("owl", ("data.csv", "training"))
    logged("fox", (ledgit.data.from_pandas(pd.read_csv("data.csv"), name="data.csv"), "training"))
    logged("hen")

    assert "digests by md5 and pandas" in cli("diff", "owl", "fox").out
    assert "not recorded" in cli("diff", "owl", "hen").out
    for other in ("fox", "hen"):
        assert "data (it can't be told whether they are the same)" in cli("diff", "owl", other).out
        assert cli("diff", "owl", other, "--json").json["same_data"] is None


def test_show_lists_data_sets_with_their_sizes(cli: Cli, repo: Path) -> None:
    """Bytes of files, rows of tables, and where they came from."""
    import numpy as np

    logged(
        "owl", ("data.csv", "training"), (ledgit.data.from_numpy(np.ones((5, 2)), "s3://b/x", name="test"), "testing")
    )

    lines = [line.split() for line in cli("show", "owl").out.splitlines()]
    file = next(line for line in lines if line[:1] == ["data.csv"])
    table = next(line for line in lines if line[:1] == ["test"])
    assert ["8", "B", "training", "data.csv"] == file[2:]
    assert ["5", "rows", "testing", "s3://b/x"] == table[2:]
    first, second = cli("show", "owl", "--json").json["inputs"]
    assert ("md5", 8, None, "local") == (first["kind"], first["size"], first["rows"], first["source_type"])
    assert ("numpy", None, 5, "testing") == (second["kind"], second["size"], second["rows"], second["context"])
