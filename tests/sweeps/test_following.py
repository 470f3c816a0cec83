"""Watching a sweep: each look reads what is new, and says what reading everything would say."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tui.sweepkit import make_sweep, start_trial, trial_record

from ledgit.errors import NotFound
from ledgit.projects.sweeps import status
from ledgit.projects.sweeps.control import Control
from ledgit.projects.sweeps.following import SweepFollower
from ledgit.repository import open_repository

SWEEP = "5" * 32


def test_a_follower_says_what_reading_everything_says(repo: Path) -> None:
    """While trials begin, log, end, are tried again, deleted, and come from elsewhere."""
    repository = make_sweep(repo, 20, planned=40)
    elsewhere = open_repository(repo)
    follower = SweepFollower(repository, SWEEP)

    def same() -> bool:
        """Look, and compare; return whether anything was new."""
        new = follower.look() is not None
        assert status(open_repository(repo), SWEEP) == follower.status
        return new

    assert same()
    assert not same()
    run = start_trial(elsewhere, SWEEP, 20)
    assert same()
    run.log_metric("loss", 0.5, step=0)
    assert same()
    run.log_metric("loss", 0.01, step=1)
    run.set_tags({"ledgit.sweep.state": "complete"})
    run.finish()
    assert same()
    assert not same()
    killed = start_trial(elsewhere, SWEEP, 21)
    same()
    killed.finish("KILLED")
    assert same()
    again = start_trial(elsewhere, SWEEP, 21, attempt=1)
    assert same()
    again.log_metric("loss", 0.4)
    again.set_tags({"ledgit.sweep.state": "failed"})
    again.finish("FAILED")
    assert same()
    with elsewhere.bulk() as bulk:  # older than what was seen, as a pull brings it
        bulk.add(trial_record(SWEEP, 30, run_id="a" * 32))
    assert same()
    elsewhere.run("a" * 32).delete()
    assert same()
    assert 20 == follower.status.best.number  # type: ignore[union-attr]


def test_a_look_where_nothing_is_new_does_not_read_the_trials_that_ended(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is what makes two looks a second at 10,000 trials cheap."""
    repository = make_sweep(repo, 60)
    follower = SweepFollower(repository, SWEEP)
    follower.look()
    index, asked = repository.index, []
    search = index.search
    monkeypatch.setattr(index, "search", lambda query: asked.append(len((found := search(query)).runs)) or found)

    assert follower.look() is None
    assert 3 >= sum(asked)


def test_a_sweep_that_is_worked_on_and_one_that_is_gone(repo: Path) -> None:
    """The coordinator's lock says that it runs, and its end is news."""
    repository = make_sweep(repo, 3, planned=9)
    follower = SweepFollower(repository, SWEEP)
    control = Control(repository.folder, SWEEP)
    control.take()
    assert "running" == follower.look().state  # type: ignore[union-attr]
    control.release()
    assert "interrupted" == follower.look().state  # type: ignore[union-attr]
    with pytest.raises(NotFound):
        SweepFollower(repository, "f" * 32)
