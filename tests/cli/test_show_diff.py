"""``ledgit show`` and ``ledgit diff``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]
Record = Callable[..., str]
Git = Callable[..., str]

TRAIN = """
import ledgit
with ledgit.start_run(run_name={name!r}):
    ledgit.log_params({params!r})
    for step, value in enumerate({losses!r}):
        ledgit.log_metric("loss", value, step=step)
"""


@pytest.fixture
def train(repo: Path) -> Callable[..., None]:
    """``train("owl", [1.0, 0.5], lr=0.1)`` makes a run with a history."""

    def call(name: str, losses: list[float], **params: object) -> None:
        code = TRAIN.format(name=name, params=params, losses=losses)
        subprocess.run([sys.executable, "-c", code], cwd=repo, check=True)

    return call


def section(out: str, title: str) -> list[list[str]]:
    """The words of each line below a heading."""
    lines = out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(title))
    body = lines[start + 1 :]
    end = next((place for place, line in enumerate(body) if not line.startswith("  ")), len(body))
    return [line.split() for line in body[:end]]


def test_show_is_about_the_newest_run_unless_told(cli: Cli, record: Record) -> None:
    record("--name", "older")
    newest = record("--name", "newer")

    assert cli("show").out.splitlines()[0] == f"newer  {newest}"
    assert cli("show", "older").out.startswith("older  ")


def test_show_without_any_run_says_so(cli: Cli) -> None:
    assert "there are no runs yet" in cli("show", code=3).err


def test_show_has_everything_about_a_run(cli: Cli, train: Callable[..., None], repo: Path) -> None:
    (repo / "new.py").write_text("x = 1\n")
    train("owl", [1.0, 0.5, 0.75], lr=0.1, layers=3)
    cli("note", "owl", "-m", "looks *good*")
    cli("tag", "owl", "keep=yes")
    ran = cli("show", "owl")

    assert section(ran.out, "params") == [["layers", "3"], ["lr", "0.1"]]
    assert section(ran.out, "metrics") == [["loss", "0.75", "█▁▅", "3", "points,", "best", "0.5"]]
    assert section(ran.out, "tags") == [["keep", "yes"]]
    assert section(ran.out, "note") == [["looks", "*good*"]]
    assert "with uncommitted changes" in ran.out
    assert "main @ " in ran.out
    assert "Python " in ran.out


def test_show_lists_packages_on_request(cli: Cli, train: Callable[..., None]) -> None:
    train("owl", [1.0])

    assert "packages (--packages lists them)" in cli("show", "owl").out
    assert ["pytest"] in [line[:1] for line in section(cli("show", "owl", "--packages").out, "packages")]


def test_diff_shows_what_differs_and_nothing_else(cli: Cli, train: Callable[..., None]) -> None:
    train("owl", [1.0, 0.5], lr=0.1, seed=1)
    train("fox", [1.0, 0.25], lr=0.2, seed=1)
    ran = cli("diff", "owl", "fox")

    assert section(ran.out, "params") == [["lr", "0.1", "→", "0.2"]]
    assert section(ran.out, "metrics") == [
        ["loss", "█▁", "0.5", "→", "█▁", "0.25", "-0.25", "(-50.0%)", "better"],
    ]
    assert "seed" not in ran.out
    assert "environment" not in ran.out
    assert ["seed", "1", "→", "1"] in section(cli("diff", "owl", "fox", "--all").out, "params")


def test_diff_shows_code_committed_or_not(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    record("--name", "before")
    (repo / "train.py").write_text("print('train')\nprint('more')\n")
    (repo / "fresh.py").write_text("new = 1\n")
    record("--name", "after")
    ran = cli("diff", "before", "after", "-p")
    files = cli("diff", "before", "after", "--json").json["files"]

    assert ["train.py", "+1", "-0"] in section(ran.out, "code")
    assert "+print('more')" in ran.out.splitlines()
    assert ".ledgit/run" not in ran.out
    assert [(item["path"], item["added"], item["removed"]) for item in files] == [
        ("fresh.py", 1, 0),
        ("train.py", 1, 0),
    ]


def test_diff_of_one_run_is_against_the_code_it_was_made_from(cli: Cli, record: Record, repo: Path, git: Git) -> None:
    record("--name", "base", "-p", "lr=1")
    record("--name", "elsewhere", "-e", "other", "-p", "lr=5")
    (repo / "train.py").write_text("print('better')\n")
    git(repo, "commit", "-q", "-am", "better")
    record("--name", "next", "-p", "lr=2")
    record("--name", "again", "-p", "lr=3")

    assert cli("diff", "next").out.startswith("base ")
    assert cli("diff", "again").out.startswith("base ")
    assert "the code it was made from" in cli("diff", "again").out
    assert "there is no run before base" in cli("diff", "base", code=2).err


def test_diff_of_a_changed_work_tree_is_against_its_commit(cli: Cli, record: Record, repo: Path) -> None:
    record("--name", "clean", "-p", "lr=1")
    (repo / "train.py").write_text("print('edited')\n")
    record("--name", "dirty-1", "-p", "lr=1")
    record("--name", "dirty-2", "-p", "lr=1")

    assert cli("diff", "dirty-2").out.startswith("clean ")


def test_several_runs_are_columns_and_the_best_is_known(cli: Cli, record: Record) -> None:
    for number in (1, 2, 3):
        record("--name", f"r{number}", "-m", f"loss={number}", "-m", "acc=0.5")
    ran = cli("diff", "r2", "r1", "r3")
    document = cli("diff", "r2", "r1", "r3", "--json").json

    assert section(ran.out, "metrics") == [["r2", "r1", "r3"], ["loss", "2", "1", "3"]]
    (row,) = document["metrics"]
    assert (row["key"], row["values"], row["best"], row["direction"]) == ("loss", [2.0, 1.0, 3.0], 1, "minimize")


def test_the_repository_says_which_way_is_better(cli: Cli, record: Record, repo: Path) -> None:
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text("metrics:\n  churn: {direction: minimize}\n")
    record("--name", "a", "-m", "churn=2")
    record("--name", "b", "-m", "churn=1")

    assert section(cli("diff", "a", "b").out, "metrics")[0][-1] == "better"
    (repo / ".ledgit" / "config.yaml").write_text("metrics:\n  churn: {direction: sideways}\n")
    assert "expected maximize, minimize or none" in cli("diff", "a", "b", code=2).err


def test_equal_runs_do_not_differ(cli: Cli, record: Record) -> None:
    record("--name", "a", "-p", "lr=1")
    record("--name", "b", "-p", "lr=1")

    assert cli("diff", "a", "b", "--exit-code").out.splitlines()[-1] == "nothing differs"
    cli("tag", "b", "x=y")
    cli("diff", "a", "b", "--exit-code", code=1)


def test_numbers_that_differ_little_look_different(cli: Cli, record: Record) -> None:
    record("--name", "a", "-m", "loss=0.1234567", "-p", "lr=0.1234567890123")
    record("--name", "b", "-m", "loss=0.1234568", "-p", "lr=0.1234567890124")
    ran = cli("diff", "a", "b")

    assert section(ran.out, "metrics")[0][:4] == ["loss", "0.1234567", "→", "0.1234568"]
    assert section(ran.out, "params") == [["lr", "0.1234567890123", "→", "0.1234567890124"]]


def test_markdown_has_a_table_a_section(cli: Cli, record: Record) -> None:
    record("--name", "a", "-m", "loss=2", "-p", "opt=x|y")
    record("--name", "b", "-m", "loss=1", "-p", "opt=z")
    out = cli("diff", "a", "b", "--md").out

    assert "### metrics\n\n|  | a | b | change |\n" in out
    assert "| loss | 2 | 1 | -1 \\(-50.0%\\) better |" in out
    assert "| opt | x\\|y | z |" in out


def test_artifacts_are_compared_by_content(cli: Cli, record: Record, repo: Path) -> None:
    record("--name", "a", "data.csv", "train.py")
    (repo / "data.csv").write_text("x,y\n3,4\n")
    record("--name", "b", "data.csv", "train.py")

    assert [line[0] for line in section(cli("diff", "a", "b").out, "artifacts")] == ["data.csv"]


NESTED = """
import ledgit
with ledgit.start_run(run_name="search"):
    for number in range(3):
        with ledgit.start_run(run_name=f"trial-{number}", nested=True):
            ledgit.log_metric("loss", number)
"""


def test_show_names_the_run_around_it_and_those_inside(cli: Cli, repo: Path) -> None:
    """Nested runs are found from either end."""
    subprocess.run([sys.executable, "-c", NESTED], cwd=repo, check=True)

    assert "  holds       trial-0, trial-1, trial-2" in cli("show", "search").out.splitlines()
    assert any(line.startswith("  nested in   search ") for line in cli("show", "trial-2").out.splitlines())


def test_a_run_whose_code_could_not_be_recorded_says_so_ever_after(
    cli: Cli, record: Record, repo: Path, git: Git
) -> None:
    """It was said once, while the run was logged; who looks at it later must see it too."""
    git(repo, "config", "ledgit.snapshot", "sometimes")
    run_id = record("-m", "loss=1")

    assert "  code        not recorded ('ledgit log' says why)" in cli("show", run_id).out.splitlines()
    assert "Problem: the code could not be recorded: " in cli("log", run_id).out


def test_diff_without_words_compares_the_newest_run(cli: Cli, record: Record) -> None:
    assert "no runs yet" in cli("diff", code=3).err
    record("--name", "owl", "-m", "loss=1")
    record("--name", "fox", "-m", "loss=2")

    assert cli("diff").out == cli("diff", "fox").out
