"""Which runs a review compares: real repositories, real rewrites of history, a real bare remote."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.review.conftest import Train, commit

from ledgit.errors import RevisionNotFound, RunNotFound, UsageError
from ledgit.repository import Repository, open_repository
from ledgit.review import PullRequest, Review, ReviewSettings, parse_range, read_settings, review

GATED = read_settings(b"gates:\n  - {metric: accuracy, threshold: 0.01}\n")


def reviewed(path: Path, text: str = "", settings: ReviewSettings = GATED, **given: object) -> Review:
    repository = open_repository(str(path))
    return review(repository, parse_range(repository, text, settings), settings, **given)  # type: ignore[arg-type]


def names(found: Review) -> tuple[list[str], list[str]]:
    return [run.name for run in found.head.runs], [run.name for run in found.baseline.side.runs]


def on_branch(path: Path, name: str = "deeper") -> None:
    run_git(path, "switch", "-q", "-c", name)


def test_a_branch_is_compared_with_where_it_left_main(repo: Path, train: Train) -> None:
    """Later runs of main are other people's work."""
    base = train(0.90, lr=0.1)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    runs = [train(value, lr=0.1, seed=seed) for seed, value in enumerate((0.93, 0.94, 0.92))]
    train(0.50, lr=9.0)
    run_git(repo, "switch", "-q", "main")
    commit(repo, "README.md", "news\n", "news")
    train(0.99, lr=0.1)
    run_git(repo, "switch", "-q", "deeper")

    found = reviewed(repo, "main...deeper")

    assert found.baseline.side.runs[0].id == base.id
    assert "where deeper left main" in found.baseline.reason
    assert [run.params["lr"] for run in found.head.runs] == [9.0]  # the newest run's setup
    assert len(found.head.others) == 3
    assert found.counts.verdict == "fail"
    assert {run.id for run in found.head.others} == {run.id for run in runs}


def test_repeats_are_the_runs_that_differ_in_their_seed_alone(repo: Path, train: Train) -> None:
    """Three seeds are one sample; another experiment's run is none of it."""
    train(0.90, lr=0.1)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.10, lr=0.1, experiment="other")
    for seed, value in enumerate((0.93, 0.94, 0.92)):
        train(value, lr=0.1, seed=seed)

    found = reviewed(repo)

    (metric,) = found.metrics
    assert sorted(metric.head) == [0.92, 0.93, 0.94]
    assert metric.base == (0.90,)
    assert found.counts.verdict == "pass"
    assert found.diff is not None
    assert [row.key for row in found.diff.changed().params] == ["seed"]
    assert found.files is not None
    assert [one.path for one in found.files] == ["train.py"]


@pytest.mark.parametrize("rewrite", ["amend", "rebase", "squash", "cherry-pick"])
def test_runs_stay_the_heads_whatever_becomes_of_the_branch(
    repo: Path, tmp_path: Path, train: Train, rewrite: str
) -> None:
    """After an amended commit, a rebase, the host's squash merge or a cherry-pick, and with the branch deleted."""
    bare = tmp_path / "bare.git"
    run_git(repo, "init", "-q", "--bare", str(bare))
    run_git(repo, "remote", "add", "origin", str(bare))
    run_git(repo, "push", "-q", "-u", "origin", "main")
    base = train(0.90)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    if rewrite == "squash":
        commit(repo, "model.py", "layers = 3\n", "layers")
    ours = {train(value, seed=seed).id for seed, value in enumerate((0.93, 0.94, 0.92))}
    run_git(repo, "push", "-q", "origin", "deeper")
    if rewrite == "amend":
        run_git(repo, "commit", "-q", "--amend", "-m", "deeper, and a better message")
        text = "main...deeper"
    elif rewrite == "rebase":
        run_git(repo, "switch", "-q", "main")
        commit(repo, "README.md", "news\n", "news")
        run_git(repo, "switch", "-q", "deeper")
        run_git(repo, "rebase", "-q", "main")
        text = "main...deeper"
    else:
        # On the "host": main moves on, the branch's work arrives as one new commit, the branch goes.
        host = tmp_path / "host"
        run_git(tmp_path, "clone", "-q", str(bare), str(host))
        commit(host, "README.md", "news\n", "news")
        if rewrite == "squash":
            run_git(host, "merge", "-q", "--squash", "origin/deeper")
            run_git(host, "commit", "-q", "-m", "deeper (#1)")
        else:
            run_git(host, "cherry-pick", "origin/deeper")
        run_git(host, "push", "-q", "origin", "main", ":deeper")
        run_git(repo, "switch", "-q", "main")
        run_git(repo, "branch", "-q", "-D", "deeper")
        run_git(repo, "pull", "-q", "--prune", "--ff-only")
        text = "main^...main"

    found = reviewed(repo, text)

    assert {run.id for run in found.head.runs} == ours
    assert [run.id for run in found.baseline.side.runs] == [base.id]
    assert found.counts.verdict == "pass"
    assert any("rewritten" in note for note in found.notes)


def test_a_base_without_a_run_is_looked_for_further_back(repo: Path, train: Train) -> None:
    """The nearest ancestor with one, and how far it is."""
    base = train(0.90)
    for number in range(12):
        commit(repo, "README.md", f"{number}\n", f"text {number}")
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.91)

    found = reviewed(repo)

    assert [run.id for run in found.baseline.side.runs] == [base.id]
    assert found.baseline.back == 12
    assert "12 commits before" in found.baseline.reason


def test_no_run_and_no_baseline_are_said(repo: Path, train: Train) -> None:
    """Neither is an empty table."""
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    nothing = reviewed(repo)
    train(0.91)
    alone = reviewed(repo)

    assert nothing.failed
    assert [result.state for result in nothing.gates] == ["no-run"]
    assert [result.state for result in alone.gates] == ["no-baseline"]
    assert not alone.failed
    assert "no run belongs to" in alone.baseline.reason


def test_a_pinned_run_goes_before_history(repo: Path, train: Train) -> None:
    """Whatever branch it is from; one that is not there is an error."""
    pinned = train(0.80)
    commit(repo, "train.py", "print('newer')\n", "newer")
    train(0.90)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.85)

    settings = ReviewSettings(gates=GATED.gates, baseline_run=pinned.name)

    assert names(reviewed(repo, settings=settings))[1] == [pinned.name]
    assert reviewed(repo).failed
    with pytest.raises(RunNotFound):
        reviewed(repo, settings=ReviewSettings(baseline_run="nobody"))


def test_on_the_base_branch_itself_the_last_commit_is_reviewed(repo: Path, train: Train) -> None:
    """``ledgit report`` on main, after a merge."""
    base = train(0.90)
    commit(repo, "train.py", "print('newer')\n", "newer")
    train(0.91)

    found = reviewed(repo)

    assert [run.id for run in found.baseline.side.runs] == [base.id]
    assert found.baseline.reason == "the commit before it on main"


def test_a_dirty_run_is_marked_and_does_not_count_in_ci(repo: Path, train: Train) -> None:
    """Its result can't be had from the commit."""
    train(0.90)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    (repo / "train.py").write_text("print('not committed')\n")
    train(0.99)
    run_git(repo, "checkout", "-q", "train.py")

    assert any("uncommitted" in note for note in reviewed(repo).notes)
    strict = reviewed(repo, clean=True)
    assert not strict.head.runs
    assert strict.failed
    assert any("don't count" in note for note in strict.notes)


def test_a_run_made_before_the_commit_of_its_code_belongs_to_that(repo: Path, train: Train) -> None:
    """Train first, commit what worked: the usual way round."""
    train(0.90)
    on_branch(repo)
    (repo / "train.py").write_text("print('deeper')\n")
    run = train(0.95)
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")

    found = reviewed(repo)

    assert [one.id for one in found.head.runs] == [run.id]
    assert not found.head.dirty


def test_the_hosts_merge_commit_is_seen_through(repo: Path, train: Train, repository: Repository) -> None:
    """A pull request's checkout is a merge that nobody made: its second parent is reviewed."""
    train(0.90)
    on_branch(repo)
    head = commit(repo, "train.py", "print('deeper')\n", "deeper")
    run = train(0.95)
    run_git(repo, "switch", "-q", "main")
    base = commit(repo, "README.md", "news\n", "news")
    run_git(repo, "checkout", "-q", "--detach")
    run_git(repo, "merge", "-q", "--no-ff", "-m", "Merge deeper into main", "deeper")
    event = PullRequest(number=7, head=head, base=base, base_ref="main", head_ref="deeper")

    reach = parse_range(repository, "", GATED, event)
    found = review(repository, reach, GATED)

    assert (reach.head, reach.merged) == (head, True)
    assert [one.id for one in found.head.runs] == [run.id]
    assert any("merge commit" in note for note in found.notes)


@pytest.mark.parametrize("text", ["--all", "nothing...HEAD", "main...nothing"])
def test_what_is_no_range_is_refused(repository: Repository, text: str) -> None:
    """An option is none, and a revision must be there."""
    with pytest.raises((UsageError, RevisionNotFound)):
        parse_range(repository, text, GATED)


def test_metrics_on_one_side_alone_nan_and_zero(repo: Path, train: Train) -> None:
    """Renamed, diverged, and a baseline of 0: none of them an exception, none silently fine."""
    train(0.0)
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(float("nan"))

    diverged = reviewed(repo)

    assert diverged.failed
    assert "no number" in diverged.gates[0].reason
    assert diverged.to_dict()["verdict"] == "fail"


@pytest.mark.parametrize("beside", [False, True])
def test_a_run_made_before_its_code_was_committed_is_not_its_own_baseline(
    repo: Path, train: Train, beside: bool
) -> None:
    """Change, train, commit: that run names main's commit as its own, and hid a drop by standing on both sides."""
    base = train(0.90, lr=0.1)
    on_branch(repo)
    (repo / "train.py").write_text("print('deeper')\n")
    if beside:
        (repo / "plot.log").write_text("a file that is not committed\n")
    early = train(0.50, lr=0.1)
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")

    found = reviewed(repo)
    assert names(found) == ([early.name], [base.name])
    assert found.counts.verdict == "fail"

    commit(repo, "train.py", "print('deeper still')\n", "deeper still")
    last = train(0.60, lr=0.1)
    found = reviewed(repo)
    assert names(found) == ([last.name], [base.name])


def test_the_only_run_of_the_base_is_the_heads_so_there_is_no_baseline(repo: Path, train: Train) -> None:
    """Comparing a run with itself passes every gate."""
    on_branch(repo)
    (repo / "train.py").write_text("print('deeper')\n")
    train(0.50)
    run_git(repo, "commit", "-q", "-a", "-m", "deeper")

    found = reviewed(repo)

    assert not found.baseline
    assert [result.state for result in found.gates] == ["no-baseline"]


def test_what_was_tried_on_main_and_never_committed_is_no_baseline_beside_a_clean_run(repo: Path, train: Train) -> None:
    """Uncommitted tries count only where nothing else was run."""
    base = train(0.90)
    (repo / "train.py").write_text("print('a try')\n")
    train(0.10)
    run_git(repo, "checkout", "-q", "--", "train.py")
    on_branch(repo)
    commit(repo, "train.py", "print('deeper')\n", "deeper")
    train(0.91)

    assert names(reviewed(repo))[1] == [base.name]
