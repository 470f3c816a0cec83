"""``ledgit check`` and ``ledgit report``, as people and CI call them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.review.conftest import Train, commit

import ledgit
from ledgit.cli import main

GATES = "gates:\n  - {metric: accuracy, threshold: 0.01}\n"


@pytest.fixture
def branch(repo: Path, train: Train) -> Path:
    """A branch whose run is worse than main's."""
    (repo / ".ledgit").mkdir()
    commit(repo, ".ledgit/config.yaml", GATES, "gates")
    train(0.90)
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "x\n", "deeper")
    train(0.80)
    return repo


def test_a_gate_that_fails_is_an_exit_code_and_a_sentence(branch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one that doesn't is none."""
    assert main(["check"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("PASS 0 · WARN 0 · FAIL 1")
    assert "accuracy 0.8 is 0.1 worse than the baseline's 0.9" in shown

    assert main(["check", "--gate", "accuracy=20%"]) == 0
    assert main(["check", "main..HEAD", "--gate", "accuracy=0.2", "-q"]) == 0


def test_every_kind_of_output_at_once(branch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CI wants several files of one run."""
    names = {"--junit": "a.xml", "--sarif": "a.sarif", "--openmetrics": "a.txt", "--json-file": "a.json"}
    words = [word for option, name in names.items() for word in (option, str(tmp_path / name))]

    assert main(["check", *words, "--json"]) == 1

    shown = json.loads(capsys.readouterr().out)
    assert shown["counts"]["fail"] == 1
    assert shown["base"]["reason"] == "where HEAD left main"
    assert json.loads((tmp_path / "a.json").read_text())["verdict"] == "fail"
    assert all((tmp_path / name).stat().st_size for name in names.values())


def test_no_run_of_the_head_fails(repo: Path, train: Train) -> None:
    """A check that nothing was run for must not be green."""
    train(0.9)
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "x\n", "deeper")

    assert main(["check", "--gate", "accuracy"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check"], 2, "there are no gates"),
        (["check", "--gate", "=1"], 2, "names no metric"),
        (["check", "--gate", "accuracy=much"], 2, "0.01 or 1%"),
        (["check", "nowhere...HEAD", "--gate", "a"], 3, "no revision matches 'nowhere'"),
        (["check", "--baseline", "nobody", "--gate", "a"], 3, "nobody"),
        (["report", "-o", "no/such/folder/x.md"], 7, "no/such/folder"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    repo: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    """With the exit code of its kind, and nothing half-written."""
    assert main(words) == code
    assert said in capsys.readouterr().err
    assert run_git(repo, "status", "--porcelain") == ""


def test_a_wrong_file_is_named_with_its_line(branch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything else is done."""
    (branch / ".ledgit/config.yaml").write_text("gates:\n  - metric: accuracy\n    treshold: 1\n")

    assert main(["check"]) == 2
    assert "line 3" in capsys.readouterr().err


def test_reports_are_written_for_each_reader(
    branch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, Markdown, JSON, HTML, and a job's summary."""
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    assert main(["report", "--summary"]) == 0
    assert "FAIL 1" in capsys.readouterr().out
    assert main(["report", "--md"]) == 0
    assert capsys.readouterr().out.startswith("<!-- ledgit-report: repo -->")
    assert main(["report", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"][0]["metric"] == "accuracy"
    assert main(["report", "-o", str(tmp_path / "r.html"), "-o", str(tmp_path / "r.json")]) == 0
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] == "fail"
    assert summary.read_text().startswith("<!-- ledgit-report: repo -->")


def test_a_run_of_a_pull_requests_merge_commit_is_found_by_its_head(
    branch: Path, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In CI the checkout is a merge that is gone tomorrow."""
    head = run_git(branch, "rev-parse", "feature")
    run_git(branch, "switch", "-q", "main")
    commit(branch, "README.md", "news\n", "news")
    run_git(branch, "checkout", "-q", "--detach")
    run_git(branch, "merge", "-q", "--no-ff", "-m", "Merge", "feature")
    event = {
        "pull_request": {
            "number": 7,
            "html_url": "https://host.example/pull/7",
            "head": {"sha": head, "ref": "feature", "repo": {"full_name": "fork/repo"}},
            "base": {"sha": run_git(branch, "rev-parse", "main"), "ref": "main", "repo": {"full_name": "team/repo"}},
        }
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))
    run = train(0.95, fresh=1)
    capsys.readouterr()

    assert run.tags["ledgit.ci.head"] == head
    assert main(["check", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["merge_commit"] is True
    assert [one["id"] for one in shown["head"]["runs"]] == [run.id]


def test_a_range_is_compared_by_its_newest_runs(branch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``ledgit diff main...HEAD``: with the reason why it is that baseline."""
    assert main(["diff", "main...HEAD"]) == 0
    shown = capsys.readouterr().out
    assert "where HEAD left main" in shown
    assert "0.9" in shown
    assert "train.py" in shown
    assert main(["diff", "main...main"]) == 3


def test_a_forks_runs_are_read_and_not_taken_in(
    branch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their author pushed them to the fork's ledger: marked in the report, and nowhere in this clone."""
    fork, theirs = tmp_path / "fork.git", tmp_path / "theirs"
    run_git(branch, "init", "-q", "--bare", str(fork))
    run_git(tmp_path, "clone", "-q", str(branch), str(theirs))
    run_git(theirs, "switch", "-q", "-c", "idea", "origin/feature")
    commit(theirs, "train.py", "better\n", "an idea")
    script = "import ledgit\nwith ledgit.start_run():\n    ledgit.log_metric('accuracy', 0.97)\n"
    subprocess.run([sys.executable, "-c", script], cwd=theirs, check=True)
    monkeypatch.chdir(theirs)
    assert main(["push", str(fork), "--publish", "all"]) == 0
    monkeypatch.chdir(branch)
    run_git(branch, "fetch", "-q", str(theirs), "idea:idea")
    before = run_git(branch, "for-each-ref")
    capsys.readouterr()

    assert main(["report", "main...idea", "--ledger", str(fork), "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["foreign"] == str(fork)
    assert [run["by"] for run in shown["head"]["runs"]] == ["commit"]
    assert shown["gates"][0]["state"] == "pass"
    assert run_git(branch, "for-each-ref") == before
    assert main(["report", "main...idea", "--md", "--ledger", str(fork)]) == 0
    assert "runs from" in capsys.readouterr().out
    assert main(["check", "main...idea"]) == 1  # of this ledger there is none
    job = tmp_path / "job@7"  # an address is a path, too, and a path may have an @
    run_git(tmp_path, "clone", "-q", "--depth=1", "--branch=idea", f"file://{branch}", str(job))
    fork.rename(tmp_path / "fork@home.git")
    monkeypatch.chdir(job)
    capsys.readouterr()
    assert main(["report", "HEAD..HEAD", "--ledger", "../fork@home.git", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["foreign"] == str(tmp_path / "fork@home.git")
    assert [run["by"] for run in shown["head"]["runs"]] == ["commit"]
    assert main(["report", "--ledger", str(tmp_path / "nowhere.git")]) == 9


def test_a_squashed_branch_from_end_to_end(
    repo: Path, tmp_path: Path, train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three repeats on a branch, squash-merged on the host, the branch deleted: report, gate and list name them all."""
    bare, host = tmp_path / "bare.git", tmp_path / "host"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", str(bare))
    (repo / ".ledgit").mkdir()
    commit(repo, ".ledgit/config.yaml", GATES, "gates")
    base = train(0.90)
    run_git(repo, "push", "-q", "-u", "origin", "main")
    run_git(repo, "switch", "-q", "-c", "deeper")
    commit(repo, "train.py", "x\n", "deeper")
    commit(repo, "model.py", "y\n", "and wider")
    ours = {train(value, seed=seed).id for seed, value in enumerate((0.93, 0.94, 0.92))}
    run_git(repo, "push", "-q", "origin", "deeper")
    assert main(["push", "--publish", "all"]) == 0
    run_git(tmp_path, "clone", "-q", str(bare), str(host))
    commit(host, "README.md", "news\n", "news")
    run_git(host, "merge", "-q", "--squash", "origin/deeper")
    run_git(host, "commit", "-q", "-m", "deeper (#1)")
    run_git(host, "push", "-q", "origin", "main", ":deeper")

    # A colleague who clones afterwards, and never had the branch.
    colleague = tmp_path / "colleague"
    run_git(tmp_path, "clone", "-q", str(bare), str(colleague))
    monkeypatch.chdir(colleague)
    capsys.readouterr()
    assert main(["pull"]) == 0
    capsys.readouterr()

    assert main(["report", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {run["id"] for run in shown["head"]["runs"]} == ours
    assert [run["id"] for run in shown["base"]["runs"]] == [base.id]
    assert main(["check", "-q"]) == 0
    assert main(["ls", "--branch", "main", "--json"]) == 0
    assert {run["id"] for run in json.loads(capsys.readouterr().out)} == {*ours, base.id}


def test_a_version_in_production_is_the_baseline(repo: Path, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """``--baseline churn@prod``: the run that the version came from."""
    (repo / "model.txt").write_text("weights\n")
    with ledgit.start_run() as run:
        ledgit.log_metric("accuracy", 0.5)
        ledgit.log_artifact("model.txt")
    assert main(["registry", "register", run.info.run_id, "churn", "--path", "model.txt"]) == 0
    assert main(["registry", "promote", "churn@latest", "prod"]) == 0
    commit(repo, "train.py", "x\n", "deeper")
    train(0.9)
    capsys.readouterr()

    assert main(["check", "--baseline", "churn@prod", "--gate", "accuracy", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in shown["base"]["runs"]] == [run.info.run_id]
    assert shown["base"]["reason"] == "the run of churn@prod"
    assert main(["check", "--baseline", "churn@nobody", "--gate", "accuracy"]) == 3


def test_pictures_are_drawn_where_asked_for(
    repo: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And shown in the Markdown only with an address, for who has that can see them."""
    train(0.9, steps=5)
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "x\n", "deeper")
    train(0.8, steps=5)
    capsys.readouterr()

    assert main(["report", "--md", "--images", str(tmp_path / "charts")]) == 0
    assert "![" not in capsys.readouterr().out
    drawing = (tmp_path / "charts/accuracy.svg").read_text()
    assert drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "var(" not in drawing
    if (tmp_path / "charts/accuracy.png").exists():
        assert (tmp_path / "charts/accuracy.png").read_bytes().startswith(b"\x89PNG")

    words = ["--images", str(tmp_path / "charts"), "--image-url", "https://host.example/x/"]
    assert main(["report", "--md", *words]) == 0
    assert "![chart](https://host.example/x/accuracy." in capsys.readouterr().out
    assert main(["report", "--image-url", "https://host.example"]) == 2
    assert main(["report", "--images", str(repo / ".git/HEAD/x")]) == 7


def test_a_renamed_metric_is_new_and_missing_and_never_zero(
    repo: Path, train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is guessed: the gate on the old name fails as a metric that the head lacks."""
    train(0.9)
    run_git(repo, "switch", "-q", "-c", "feature")
    commit(repo, "train.py", "x\n", "renamed")
    script = "import ledgit\nwith ledgit.start_run():\n    ledgit.log_metric('acc', 0.95)\n"
    subprocess.run([sys.executable, "-c", script], cwd=repo, check=True)
    capsys.readouterr()

    assert main(["check", "--gate", "accuracy", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["gates"][0]["state"] == "no-run"
    assert main(["report", "--md"]) == 0
    rows = {line.split("|")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")}
    assert "| – |" in rows["`accuracy`"]
    assert "missing" in rows["`accuracy`"]
    assert "new" in rows["`acc`"]


def test_a_clone_of_one_branch_says_what_it_lacks_and_gets_it_when_pulling(
    branch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job without a host's event has one commit of one branch: a sentence says what to fetch, --pull fetches it."""
    bare, job = tmp_path / "team.git", tmp_path / "job"
    run_git(tmp_path, "clone", "-q", "--bare", str(branch), str(bare))
    run_git(bare, "symbolic-ref", "HEAD", "refs/heads/main")
    run_git(branch, "remote", "add", "origin", str(bare))
    assert main(["push", "origin", "--publish", "all"]) == 0
    run_git(tmp_path, "clone", "-q", "--depth=1", "--branch=feature", f"file://{bare}", str(job))
    monkeypatch.chdir(job)
    capsys.readouterr()

    assert main(["check"]) == 2
    said = capsys.readouterr().err
    assert "--pull gets it, or 'git fetch origin main:refs/remotes/origin/main'" in said
    assert main(["check", "main...HEAD"]) == 3
    assert "--pull gets it" in capsys.readouterr().err

    assert main(["report", "--pull", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["base"]["commit"] == run_git(bare, "rev-parse", "main")
    assert found["base"]["runs"]
    assert run_git(job, "rev-list", "--count", "--all", "--not", "--glob=refs/ledgit/*") == "2"  # no history came along
