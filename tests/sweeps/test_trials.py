"""A sweep's state is its runs: each trial counts once, whatever order they are read in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ledgit.projects.sweeps.trials import ENDED, Trial, best_trial, fold, importance


@dataclass(frozen=True)
class FakeRun:
    """The attributes of a run that are read."""

    id: str
    status: str = "FINISHED"
    start: int = 1
    end: int | None = 2
    params: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    deleted: bool = False


runs = st.lists(
    st.builds(
        lambda run_id, number, attempt, status, state, start, value, deleted: FakeRun(
            f"{run_id:032x}",
            status,
            start,
            start + 5,
            {"x": number},
            {} if value is None else {"loss": value},
            {"ledgit.sweep.trial": str(number), "ledgit.sweep.attempt": str(attempt)}
            | ({"ledgit.sweep.state": state} if state else {}),
            deleted,
        ),
        st.integers(0, 1 << 60),
        st.integers(0, 4),
        st.integers(0, 3),
        st.sampled_from(["FINISHED", "FAILED", "KILLED", "RUNNING"]),
        st.sampled_from(["", "complete", "pruned", "failed"]),
        st.integers(0, 3),
        st.one_of(st.none(), st.floats()),
        st.booleans(),
    ),
    max_size=20,
    unique_by=lambda run: run.id,
)


@given(runs, st.randoms(use_true_random=False))
def test_the_order_of_runs_makes_no_difference(several: list[FakeRun], chance: random.Random) -> None:
    """Every clone that has the same runs counts the same trials, with the same attempts."""
    shuffled = list(several)
    chance.shuffle(shuffled)

    assert repr(fold(several, "loss")) == repr(fold(shuffled, "loss"))


@given(runs, runs)
def test_runs_of_another_clone_never_take_a_trial_back(here: list[FakeRun], there: list[FakeRun]) -> None:
    """What has ended here has ended with their runs too, and nothing is counted twice."""
    known = {run.id for run in here}
    both = fold([*here, *(run for run in there if run.id not in known)], "loss")
    alone = fold(here, "loss")

    assert alone.keys() <= both.keys()
    assert all(both[number].ended for number, trial in alone.items() if trial.ended)
    counted = [attempt.run for trial in both.values() for attempt in trial.attempts]
    assert len(counted) == len(set(counted))


def _run(number: int, status: str, state: str = "", **more: object) -> FakeRun:
    tags = {"ledgit.sweep.trial": str(number)} | ({"ledgit.sweep.state": state} if state else {})
    return FakeRun(
        f"{random.Random(repr((number, status, state, more))).getrandbits(128):032x}", status, tags=tags, **more
    )  # type: ignore[arg-type]


def test_the_attempt_that_counts_is_the_one_that_came_furthest() -> None:
    """Complete before pruned before failed before killed, then the earlier start."""
    complete = _run(0, "FINISHED", metrics={"loss": 1.0}, start=9)
    later = _run(0, "FINISHED", metrics={"loss": 0.5}, start=10)
    others = [_run(0, "KILLED"), _run(0, "FAILED", "failed"), _run(0, "KILLED", "pruned"), _run(0, "RUNNING", end=None)]

    trial = fold([*others, later, complete], "loss")[0]

    assert trial.run == complete.id
    assert trial.value == 1.0
    assert [one.state for one in trial.attempts] == ["complete", "complete", "pruned", "failed", "killed", "running"]


def test_a_run_that_finished_without_the_metric_has_failed() -> None:
    """Its value is what the sweep is after; without a metric, to finish is enough."""
    run = _run(3, "FINISHED", metrics={"other": 1.0})

    assert fold([run], "loss")[3].state == "failed"
    assert fold([run])[3].state == "complete"


def test_killed_and_running_trials_are_to_be_tried_again() -> None:
    """They don't count; the next attempt gets the next number."""
    killed = fold([_run(0, "KILLED"), _run(1, "RUNNING", end=None)])

    assert not any(trial.ended for trial in killed.values())
    assert killed[0].next_attempt == 1


def test_tags_that_are_no_numbers_make_no_trial() -> None:
    """A repository may say anything."""
    wrong = ["", "-1", "1.5", "x", "9" * 40, "²", "٣"]

    assert fold([FakeRun(str(place), tags={"ledgit.sweep.trial": text}) for place, text in enumerate(wrong)]) == {}


def test_the_best_trial_is_complete_and_a_number() -> None:
    """Pruned trials, failed ones and NaN never win; of equals the first one does."""
    trials = [
        Trial(0, {}, "pruned", 0.0),
        Trial(1, {}, "complete", float("nan")),
        Trial(2, {}, "complete", 0.3),
        Trial(3, {}, "complete", 0.3),
        Trial(4, {}, "complete", 0.5),
        Trial(5, {}, "failed", None),
    ]

    assert [best_trial(trials, way).number for way in ("minimize", "maximize")] == [2, 4]  # type: ignore[union-attr]
    assert best_trial(trials[:2], "minimize") is None
    assert {"complete", "pruned", "failed"} == ENDED


def test_a_parameter_that_decides_the_metric_is_told_from_one_that_does_not() -> None:
    """Importance is near 1 for the one, near 0 for the other."""
    chance = random.Random(5)
    trials = []
    for number in range(200):
        params = {"lr": chance.random(), "kind": chance.choice("abc"), "fixed": 1}
        trials.append(Trial(number, params, "complete", params["lr"] ** 2))

    told = importance(trials)

    assert list(told) == ["lr", "kind"]
    assert told["lr"] > 0.8
    assert told["kind"] < 0.1
    assert importance(trials[:7]) == {}
