"""``ledgit ls``: what is listed, in which order, and in which shape."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEYS = "id name experiment status start end user params metrics tags commit head code parent_run"

Cli = Callable[..., Any]
Record = Callable[..., str]


def names(cli: Cli, *words: str) -> list[str]:
    return [run["name"] for run in cli("ls", "--json", *words).json]


def test_an_empty_repository_lists_nothing_and_says_so(cli: Cli) -> None:
    ran = cli("ls")

    assert (ran.out, ran.err) == ("", "no runs yet; 'ledgit run -- COMMAND' or 'import ledgit' makes the first\n")
    assert cli("ls", "--json").json == []


def test_a_fresh_clone_is_told_of_pull(cli: Cli, repo: Path, git: Callable[..., str]) -> None:
    """Its runs are on the remote."""
    git(repo, "remote", "add", "origin", "https://example.org/team/project.git")

    assert cli("ls").err.endswith("makes the first, 'ledgit pull' gets those of others\n")


def test_the_keys_of_a_run_in_json_are_fixed(cli: Cli, record: Record) -> None:
    """Scripts depend on them: DESIGN §8."""
    record("-p", "lr=0.1", "-m", "loss=0.5", "-t", "kind=base", "--name", "first")
    (run,) = cli("ls", "--json").json

    assert list(run) == KEYS.split()
    assert list(run["code"]) == ["commit", "tree", "branch", "dirty"]
    assert (run["params"], run["metrics"], run["tags"]) == ({"lr": 0.1}, {"loss": 0.5}, {"kind": "base"})
    assert (run["status"], run["user"], run["code"]["branch"]) == ("FINISHED", "Ada Lovelace", "main")
    assert run["start"].endswith("Z")


def test_runs_are_filtered_sorted_and_limited(cli: Cli, record: Record) -> None:
    for number in (1, 3, 2):
        record("-m", f"loss={number}", "--name", f"r{number}")

    assert names(cli, "--sort", "loss") == ["r1", "r2", "r3"]
    assert names(cli, "-s", "-metrics.loss", "-n", "2") == ["r3", "r2"]
    assert names(cli, "metrics.loss < 2") == ["r1"]
    assert names(cli) == ["r2", "r3", "r1"]


def test_experiments_and_people_select(cli: Cli, record: Record, repo: Path, git: Callable[..., str]) -> None:
    record("--name", "mine", "-e", "digits")
    git(repo, "config", "user.name", "Bob")
    record("--name", "bobs", "-e", "wine")

    assert names(cli, "--mine") == ["bobs"]
    assert names(cli, "-e", "digits") == ["mine"]
    assert sorted(names(cli, "-e", "digits", "-e", "wine")) == ["bobs", "mine"]
    assert names(cli, "--since", "1h") == ["bobs", "mine"]
    assert names(cli, "--since", "2099-01-01") == []


def test_a_branch_lists_the_runs_of_its_code(cli: Cli, record: Record, repo: Path, git: Callable[..., str]) -> None:
    record("--name", "base")
    git(repo, "switch", "-q", "-c", "other")
    (repo / "train.py").write_text("print('other')\n")
    git(repo, "commit", "-q", "-am", "other")
    record("--name", "on-other")

    assert names(cli, "--branch", "main") == ["base"]
    assert "on-other" in names(cli, "--branch", "other")


def test_deleted_runs_are_listed_on_request(cli: Cli, record: Record) -> None:
    record("--name", "kept")
    cli("rm", record("--name", "gone"))

    assert names(cli) == ["kept"]
    assert names(cli, "--deleted") == ["gone"]
    assert sorted(names(cli, "--all")) == ["gone", "kept"]


def test_a_table_shows_what_tells_runs_apart(cli: Cli, record: Record) -> None:
    first = record("-p", "lr=0.1", "-p", "seed=1", "-m", "loss=0.5", "--name", "calm-owl")
    second = record("-p", "lr=0.2", "-p", "seed=1", "-m", "loss=0.25", "--name", "brave-fox")
    header, newest, oldest = cli("ls").out.splitlines()

    assert header.split() == ["id", "name", "start", "loss", "lr", "duration"]
    assert newest.split()[:2] == [second[:8], "brave-fox"]
    assert newest.split()[-4:-2] == ["0.25", "0.2"]
    assert oldest.split()[:2] == [first[:8], "calm-owl"]


def test_a_narrow_terminal_gets_a_narrow_table(process: Cli, record: Record) -> None:
    record("-p", "lr=0.1", *(word for n in range(30) for word in ("-m", f"metric{n}={n}")))
    ran = process("ls", env={"COLUMNS": "50"})

    assert max(len(line) for line in ran.out.splitlines()) <= 50
    assert len(ran.out.splitlines()) == 2


def test_nested_runs_are_drawn_as_a_tree(cli: Cli, repo: Path, process: Cli) -> None:
    process("run", "--name", "outer", "--", "ledgit-is-here", code=127)
    script = repo / "nested.py"
    script.write_text(
        "import ledgit\n"
        "with ledgit.start_run(run_name='outer'):\n"
        "    for n in range(2):\n"
        "        with ledgit.start_run(run_name=f'inner-{n}', nested=True):\n"
        "            ledgit.log_param('n', n)\n"
    )
    process("run", "--no-output", "--name", "top", "--", "python3", "-c", "pass")
    import subprocess
    import sys

    subprocess.run([sys.executable, str(script)], cwd=repo, check=True)
    shown = [line.split("  ")[1] for line in cli("ls", "--columns", "id,name").out.splitlines()[1:]]

    assert shown == ["outer", "├─ inner-1", "└─ inner-0", "top"]
    assert "├─" not in cli("ls", "--flat").out


def test_csv_has_every_column_and_markdown_the_telling_ones(cli: Cli, record: Record) -> None:
    record("-p", "opt=a|b", "-m", "loss=0.5", "--name", "first")
    record("-p", "opt=c", "-m", "loss=0.5", "--name", "second")
    rows = list(csv.DictReader(io.StringIO(cli("ls", "--csv").out)))
    lines = cli("ls", "--md").out.splitlines()

    assert [(row["name"], row["params.opt"], row["metrics.loss"], row["status"]) for row in rows] == [
        ("second", "c", "0.5", "FINISHED"),
        ("first", "a|b", "0.5", "FINISHED"),
    ]
    assert lines[0] == "| id | name | start | opt | duration |"
    assert lines[3].split(" | ")[3] == "a\\|b"


def test_columns_are_chosen_by_name(cli: Cli, record: Record) -> None:
    record("-p", "lr=0.1", "-m", "loss=0.5", "--name", "one")

    assert cli("ls", "--columns", "name,loss,lr").out.split() == ["name", "loss", "lr", "one", "0.5", "0.1"]
    assert cli("ls", "--columns", "name,params.*", "--csv").out == "name,params.lr\none,0.1\n"
    assert "column 'lrr' (did you mean" in cli("ls", "--columns", "lrr", code=2).err


def test_a_long_list_is_cut_and_says_so(cli: Cli, record: Record) -> None:
    import ledgit.cli.commands.ls as module

    for number in range(3):
        record("--name", f"r{number}")
    shown, module.SHOWN = module.SHOWN, 2
    try:
        ran = cli("ls")
        everything = cli("ls", "--json").json
    finally:
        module.SHOWN = shown

    assert len(ran.out.splitlines()) == 3
    assert ran.err == "these are the first 2 runs; -n 0 lists all\n"
    assert len(everything) == 3


def test_a_filter_that_does_not_parse_points_at_the_place(cli: Cli, record: Record) -> None:
    record()
    ran = cli("ls", "metrics.loss >", code=2)

    assert ran.err.startswith("ledgit: ")
    assert ran.err.rstrip("\n").splitlines()[-1].strip() == "^"


def test_a_wrong_limit_or_time_is_usage(cli: Cli) -> None:
    assert "expected 0 (all) or more" in cli("ls", "-n", "-1", code=2).err
    assert "expected a span such as" in cli("ls", "--since", "soon", code=2).err


def test_a_param_that_is_none_is_told_from_one_that_is_missing(cli: Cli, repo: Path) -> None:
    for params in ({"depth": None}, {"other": 1}):
        code = f"import ledgit\nledgit.log_params({params!r})"
        subprocess.run([sys.executable, "-c", code], cwd=repo, check=True)
    rows = [line.split() for line in cli("ls", "-c", "depth").out.splitlines()]
    first, second = (run["id"] for run in cli("ls", "--json").json)

    assert [["depth"], [], ["None"]] == rows
    assert "  depth  –  →  None" in [" ".join(line.split(" ")) for line in cli("diff", first, second).out.splitlines()]


def test_a_long_text_is_cut_in_a_table_and_whole_elsewhere(cli: Cli, record: Record) -> None:
    record("-p", "text=" + "x" * 500, "-m", "loss=1")
    record("-p", "text=short", "-m", "loss=2")

    assert max(len(line) for line in cli("ls").out.splitlines()) < 200
    assert "x" * 500 in cli("ls", "--csv").out


def test_an_empty_list_says_why(cli: Cli, record: Record) -> None:
    record("-e", "digits", "-m", "loss=1")

    assert cli("ls", "metrics.loss > 1").err == "no runs match\n"
    assert cli("ls", "--deleted").err == "no runs are deleted\n"
    assert cli("ls", "-b", "nosuch").err == "no runs match: there is no branch 'nosuch'\n"
    assert cli("ls", "-e", "digit").err == "no runs match: no experiment matches 'digit' (did you mean digits?)\n"


def test_a_run_in_place_of_a_filter_is_sent_to_show(cli: Cli, record: Record) -> None:
    record("--name", "calm-owl-1")

    assert "'ledgit show calm-owl-1' shows it" in cli("ls", "calm-owl-1", code=2).err


def test_runs_are_sorted_by_what_they_took(cli: Cli, record: Record) -> None:
    record("--name", "owl")

    assert ["owl"] == names(cli, "duration < 1h", "--sort", "-duration")
