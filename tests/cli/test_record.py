"""``ledgit record``: logging from a shell."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Cli = Callable[..., Any]
Record = Callable[..., str]


def test_a_run_is_made_and_its_id_printed(cli: Cli, repo: Path) -> None:
    (repo / "plots").mkdir()
    (repo / "plots" / "roc.txt").write_text("curve")
    ran = cli(
        "record", "-p", "lr=0.1", "-p", "opt=adam", "-m", "acc=0.9", "-t", "k=v", "--to", "out", "data.csv", "plots/"
    )
    run_id = ran.out.strip()
    run = cli("show", run_id, "--json").json

    assert len(run_id) == 32
    assert (run["status"], run["params"], run["metrics"]) == ("FINISHED", {"lr": 0.1, "opt": "adam"}, {"acc": 0.9})
    assert [item["path"] for item in run["artifacts"]] == ["out/data.csv", "out/plots/roc.txt"]


def test_a_run_can_be_kept_open_over_several_calls(process: Cli) -> None:
    """No process of ours lives in between."""
    run_id = process("record", "--start", "-p", "lr=0.1", "--name", "long").out.strip()
    open_one = process("ls", "--json").json[0]
    for step in range(3):
        process("record", "--run", run_id, "-m", f"loss={3 - step}", "--step", str(step))
    process("tag", run_id, "seen=yes")
    process("record", "--run", "long", "--finish", "data.csv")
    run = process("show", "long", "--json").json

    assert (open_one["status"], open_one["end"], open_one["commit"]) == ("RUNNING", None, None)
    assert (run["id"], run["status"], run["metrics"], run["tags"]["seen"]) == (run_id, "FINISHED", {"loss": 1.0}, "yes")
    assert "3 points" in process("show", "long").out
    assert run["end"] > run["start"]


def test_a_finished_run_can_be_added_to_and_stays_as_it_ended(cli: Cli, record: Record) -> None:
    run_id = record("--status", "FAILED", "-p", "lr=0.1")
    cli("record", "--run", run_id, "-m", "late=1")
    run = cli("show", run_id, "--json").json

    assert (run["status"], run["metrics"], run["params"]) == ("FAILED", {"late": 1.0}, {"lr": 0.1})
    assert run["head"] != run["commit"]


def test_a_param_cannot_change(cli: Cli, record: Record) -> None:
    run_id = record("--start", "-p", "lr=0.1")
    ran = cli("record", "--run", run_id, "-p", "lr=0.2", "-m", "x=1", code=4)

    assert "param 'lr' is already '0.1'" in ran.err
    assert cli("show", run_id, "--json").json["metrics"] == {}


def test_nothing_is_made_when_the_words_are_wrong(cli: Cli) -> None:
    for words, said in (
        (["-m", "acc=good"], "expected a number"),
        (["-p", "lr"], "not of the form key=value"),
        (["missing.bin"], "no file 'missing.bin'"),
        (["--finish"], "name it with --run"),
        (["--start", "--status", "FAILED"], "with --start it goes on"),
        (["--start", "--run", "x"], "give one of them"),
        (["--at", "soon", "-m", "a=1"], "expected a span"),
    ):
        assert said in cli("record", *words, code=2).err
    assert cli("ls", "--json").json == []


def test_a_name_that_cannot_be_stored_makes_no_run(cli: Cli) -> None:
    for words in (["-p", "../x=1"], ["-m", "a?b=1"], ["-t", "x" * 300 + "=1"], ["-e", "tab\t"]):
        assert "name" in cli("record", *words, code=2).err
        if words[0] in ("-p", "-t"):
            assert "name" in cli("run", *words, "--", "true", code=2).err
    assert cli("ls", "--json").json == []


def test_a_run_of_a_living_process_cannot_be_finished_by_others(cli: Cli, repo: Path) -> None:
    code = "import ledgit\nwith ledgit.start_run() as run:\n  print(run.info.run_id, flush=True)\n  input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as training:
        assert training.stdout is not None
        run_id = training.stdout.readline().strip()
        refused = cli("record", "--run", run_id, "--finish", code=2)
        cli("record", "--run", run_id, "-m", "from_outside=1")
        assert training.stdin is not None
        training.stdin.write("\n")
        training.stdin.flush()
        training.stdin.close()
        assert training.wait(timeout=30) == 0

    assert "process that is alive" in refused.err
    run = cli("show", run_id, "--json").json
    assert (run["status"], run["metrics"]) == ("FINISHED", {"from_outside": 1.0})


def test_times_and_steps_of_metrics_are_kept(cli: Cli, record: Record) -> None:
    run_id = record("-m", "loss=1", "-m", "loss=0.5", "--step", "7", "--at", "2026-11-23T06:00:00Z")

    import ledgit

    points = ledgit.open().run(run_id).history("loss")
    assert list(points.steps) == [7, 7]
    assert set(points.times) == {1_795_413_600_000}


def test_the_experiment_of_the_environment_is_used(process: Cli) -> None:
    import ledgit

    process("record", "--name", "one", env={"MLFLOW_EXPERIMENT_NAME": "wine"})
    process("record", "--name", "two", env={"MLFLOW_EXPERIMENT_NAME": "wine", "LEDGIT_EXPERIMENT": "digits"})
    process("record", "--name", "three", env={"LEDGIT_EXPERIMENT_ID": ledgit.open().experiment("wine").id})
    missing = process("record", env={"LEDGIT_EXPERIMENT_ID": "f" * 16}, code=3)

    assert "no experiment matches" in missing.err
    assert {run["name"]: run["experiment"] for run in process("ls", "--json").json} == {
        "one": "wine",
        "two": "digits",
        "three": "wine",
    }


def test_a_run_kept_open_below_another_is_nested(process: Cli) -> None:
    me = f"{sys.executable} -m ledgit record"
    process("run", "--name", "outer", "--", "sh", "-c", f"id=$({me} --start --name inner) && {me} --run $id --finish")
    runs = {run["name"]: run for run in process("ls", "--json").json}

    assert runs["inner"]["parent_run"] == runs["outer"]["id"]
    assert runs["inner"]["status"] == "FINISHED"


def test_nothing_to_record_makes_no_edit(cli: Cli, record: Record) -> None:
    """A variable that was empty in a script is a mistake."""
    run_id = record("-m", "loss=1")

    assert "nothing to add" in cli("record", "--run", run_id, code=2).err
    assert len(cli("log", run_id, "--json").json) == 1


def test_a_param_that_cannot_change_leaves_no_edit_in_a_finished_run(cli: Cli, record: Record) -> None:
    run_id = record("-p", "lr=0.1")

    assert "param 'lr' is already '0.1'" in cli("record", "--run", run_id, "-p", "lr=9", code=4).err
    assert len(cli("log", run_id, "--json").json) == 1
