"""``ledgit blame`` and ``ledgit bisect``: on branches with runs here and there, and with none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.review.conftest import Train, commit

from ledgit.cli import main
from ledgit.repository import open_repository
from ledgit.review.settings import ReviewSettings
from ledgit.review.steps import blame

SCRIPT = "import ledgit\nwith ledgit.start_run():\n    ledgit.log_metric('accuracy', {value})\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGIT_CACHE", str(tmp_path / "cache"))


def history(repo: Path, values: list[float | None]) -> list[str]:
    """A commit for each value: a script that logs it, or one that fails for None."""
    commits = []
    for number, value in enumerate(values):
        text = "import sys\nsys.exit(3)\n" if value is None else SCRIPT.format(value=value)
        commits.append(commit(repo, "train.py", f"# {number}\n{text}", f"change {number}"))
    return commits


def test_blame_names_what_came_with_each_step(repo: Path, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """A param, then code; a commit without a run and one without a change are no steps."""
    train(0.80, lr=0.1)
    commit(repo, "README.md", "text\n", "only text")
    commit(repo, "notes.md", "text\n", "more text")
    train(0.85, lr=0.2)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.85, lr=0.2)
    commit(repo, "model.py", "layers = 3\n", "layers")
    train(0.70, lr=0.2)

    assert main(["blame", "accuracy", "--json"]) == 0
    steps = json.loads(capsys.readouterr().out)

    assert [(step["subject"], step["value"]) for step in steps] == [
        ("first", 0.80),
        ("more text", 0.85),
        ("layers", 0.70),
    ]
    assert steps[1]["params"] == {"lr": ["0.1", "0.2"]}
    assert steps[1]["between"] == 1
    assert steps[2]["files"] == ["model.py"]
    assert [step["better"] for step in steps] == [None, True, False]
    assert main(["blame", "accuracy"]) == 0
    assert "params  lr 0.1 → 0.2" in capsys.readouterr().out
    assert main(["blame", "nothing"]) == 3


def test_blame_takes_noise_for_none(repo: Path, train: Train) -> None:
    """Repeats that overlap are no step."""
    for seed, value in enumerate((0.80, 0.90, 0.85, 0.88)):
        train(value, seed=seed)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    for seed, value in enumerate((0.82, 0.89, 0.84, 0.90)):
        train(value, seed=seed)

    steps = blame(open_repository(str(repo)), "accuracy", "HEAD", ReviewSettings())

    assert [step.subject for step in steps] == ["first"]


def test_bisect_by_the_runs_there_are(repo: Path, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is run; where two commits have no run both are suspects."""
    commits = [run_git(repo, "rev-parse", "HEAD")]
    train(0.90)
    for number in range(6):
        commits.append(commit(repo, "train.py", f"print({number})\n", f"change {number}"))
        if number != 2:
            train(0.90 if number < 3 else 0.80)

    found = main(["bisect", f"{commits[0]}..HEAD", "--metric", "accuracy", "--drop", "0.05", "--json"])
    shown = json.loads(capsys.readouterr().out)

    assert found == 1
    assert shown["state"] == "missing"
    assert shown["suspects"] == commits[3:5]
    assert shown["ran"] == 0


def test_bisect_runs_the_project_where_there_is_no_run(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the user's is touched, and what was run is recorded."""
    commits = history(repo, [0.9, 0.9, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7])
    (repo / "train.py").write_text("dirty\n")
    before = run_git(repo, "status", "--porcelain=v2", "--branch")

    words = ["bisect", f"{commits[0]}..HEAD", "--metric", "accuracy", "--drop", "0.1", "--json"]
    assert main([*words, "--", sys.executable, "train.py"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert shown["first"] == commits[4]
    assert shown["ran"] <= 5
    assert run_git(repo, "status", "--porcelain=v2", "--branch") == before
    assert (repo / "train.py").read_text() == "dirty\n"
    assert main([*words, "--", sys.executable, "train.py"]) == 0
    assert json.loads(capsys.readouterr().out)["ran"] == 0  # all that is needed is recorded


def test_bisect_goes_round_commits_that_can_not_be_run(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says which are left."""
    commits = history(repo, [0.9, 0.9, None, None, 0.7, 0.7])

    words = ["bisect", f"{commits[0]}..HEAD", "--metric", "accuracy", "--drop", "0.1", "--json"]
    assert main([*words, "--", sys.executable, "train.py"]) == 1
    shown = json.loads(capsys.readouterr().out)

    assert shown["state"] == "suspects"
    assert shown["suspects"] == commits[2:5]
    assert set(shown["broken"]) <= {commits[2], commits[3]}


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGKILL after the first run: the next call looks at what is recorded and runs the rest."""
    commits = history(repo, [0.9, 0.9, 0.9, 0.9, 0.7, 0.7, 0.7, 0.7])
    words = ["bisect", f"{commits[0]}..HEAD", "--metric", "accuracy", "--drop", "0.1"]
    first = subprocess.Popen(
        [sys.executable, "-m", "ledgit", *words, "--", sys.executable, "train.py"],
        cwd=repo,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stderr is not None
    for line in first.stderr:
        if line.rstrip().endswith("left)") and " run " in line:
            break
        if "  run" in line and "running" not in line:
            break
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    first.stderr.close()

    assert main(["bisect", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["first"] == commits[4]
    assert shown["looked"] >= 1
    assert main(["bisect"]) == 2  # it is over


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bisect"], "no search was interrupted"),
        (["bisect", "main", "--metric", "a", "--drop", "1"], "GOOD..BAD"),
        (["bisect", "HEAD..main", "--metric", "accuracy"], "--drop"),
        (["bisect", "HEAD..main", "--metric", "accuracy", "--drop", "1"], "does not come after"),
        (["bisect", "HEAD..main", "--metric", "xyz", "--drop", "1"], "declare metrics.xyz.direction"),
    ],
)
def test_what_can_not_be_searched_is_one_sentence(
    repo: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Before anything is run."""
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_branch_of_any_length_is_looked_at_from_its_first_commit(repo: Path, train: Train) -> None:
    """The first run is behind thousands of commits, and still what the next one is compared with."""
    train(0.80)
    feed = [f"commit refs/heads/main\ncommitter A <a@b> {1_800_000_000 + n} +0000\ndata 1\nx\n" for n in range(5_100)]
    feed[0] += "from refs/heads/main^0\n"
    run_git(repo, "fast-import", "--quiet", stdin="".join(feed).encode())
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.95)

    steps = blame(open_repository(str(repo)), "accuracy", "HEAD", ReviewSettings())

    assert [round(step.value, 2) for step in steps] == [0.80, 0.95]
    assert steps[1].between == 5_100
