"""Optuna's samplers and pruners: a study that is made of runs, here and in any other clone."""

from __future__ import annotations

import builtins
import math
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from tests.sweeps.kit import begin, counted, newest, put, sweep, trial_runs, words

from ledgit.errors import MissingDependency, UsageError
from ledgit.projects.sweeps.optuna import OptunaSampler
from ledgit.projects.sweeps.samplers import make_sampler
from ledgit.projects.sweeps.space import Space
from ledgit.projects.sweeps.trials import Trial

SPACE = Space.parse(
    {"lr": "log(1e-4,1e-1)", "n": "int(1,9)", "kind": "a,b,c", "r": "range(0,1,0.25)", "odd": "range(1,9,2)", "k": "3"}
)


def loss(point: dict[str, Any]) -> float:
    return abs(math.log10(point["lr"]) + 2) + abs(point["n"] - 4) / 4 + (point["kind"] != "b") + point["r"]


def told(sampler: Any, numbers: range, fails: int = 7) -> list[Trial]:
    """Run trials of the function above; every *fails*-th one fails."""
    found = []
    for number in numbers:
        point = sampler.ask(number)
        state = "failed" if number % fails == fails - 1 else "complete"
        found.append(Trial(number, point, state, loss(point) if state == "complete" else None))
        sampler.tell(found[-1])
    return found


@pytest.mark.parametrize("name", ["tpe", "nsgaii", "cmaes"])
def test_a_sampler_learns_and_goes_on_learning_from_runs_alone(name: str) -> None:
    """Values are of the space; a new study that only knows the trials does better than chance, too."""
    first = told(make_sampler(name, SPACE, 1), range(30))

    again = make_sampler(name, SPACE, 1, warm=first)
    second = told(again, range(30, 60))

    assert all(SPACE.read(trial.params) == trial.params for trial in [*first, *second])
    assert {tuple(trial.params.values()) for trial in second}.isdisjoint(tuple(one.params.values()) for one in first)
    assert isinstance(again, OptunaSampler)
    known = again._study.get_trials(deepcopy=False)
    assert [trial.value for trial in known] == [trial.value for trial in [*first, *second]]
    by_chance = sum(loss(point) for point in map(make_sampler("random", SPACE, 1).ask, range(60))) / 60
    if name == "tpe":
        rated = [trial.value for trial in second if trial.value is not None]
        assert sum(rated) / len(rated) < 0.8 * by_chance


def test_asking_costs_the_same_however_many_trials_have_ended() -> None:
    """Each trial is told once; asking for the next looks at none of them."""

    class Counting(list[Trial]):
        looks = 0

        def __iter__(self) -> Any:
            self.looks += 1
            return super().__iter__()

    plain = make_sampler("random", SPACE, 2)
    done = Counting(Trial(number, plain.ask(number), "complete", 1.0) for number in range(2000))
    sampler = make_sampler("random", SPACE, 2, pruner="median", warm=done)
    looks = done.looks

    for number in range(2000, 2050):
        assert sampler.ask(number) == plain.ask(number)
        sampler.tell(Trial(number, plain.ask(number), "complete", 1.0))

    assert looks == done.looks


@pytest.mark.parametrize(
    "pruner", ["median(startup=2)", "percentile(keep=50,startup=2)", "halving(min=1,factor=2)", "hyperband"]
)
def test_a_pruner_gives_up_what_is_clearly_worse(pruner: str) -> None:
    """Also by what trials of an earlier session logged on their way."""
    plain = make_sampler("random", SPACE, 2)
    points = tuple((step, 1.0 / (step + 1)) for step in range(20))
    warm = [Trial(number, plain.ask(number), "complete", points[-1][1], points=points) for number in range(6)]
    sampler = make_sampler("random", SPACE, 2, pruner=pruner, warm=warm)
    sampler.ask(12)

    given_up = [sampler.report(12, [(step, 100.0), (step, 100.0), (-1, 1.0)]) for step in range(20)]

    assert any(given_up)
    assert not sampler.report(12, [(3, 100.0)])  # told before
    assert not sampler.report(99, [(3, 100.0)])  # nobody's


def test_runs_of_another_space_are_not_told() -> None:
    """Anything may stand in a run."""
    point = make_sampler("random", SPACE, 2).ask(1)
    odd = [Trial(0, {**point, "lr": 5.0}, "complete", 1.0), Trial(2, {}, "complete", 1.0)]
    nan = Trial(1, point, "complete", math.nan)

    sampler = make_sampler("tpe", SPACE, 2, warm=[*odd, nan])

    assert isinstance(sampler, OptunaSampler)
    assert [trial.state.name for trial in sampler._study.trials] == ["FAIL"]


@pytest.mark.parametrize("words_", ["mean", "median(warm=1)", "median(warmup=x)", "median(", "halving(factor=0)"])
def test_a_pruner_that_is_none_is_refused_with_those_there_are(words_: str) -> None:
    with pytest.raises(UsageError, match="pruner"):
        make_sampler("random", SPACE, 1, pruner=words_)


def test_without_optuna_its_samplers_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grid, random and quasi-random sweeps do without."""
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "optuna":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)

    assert make_sampler("qmc", SPACE, 1).ask(0)
    with pytest.raises(MissingDependency, match=r"pip install 'ledgit\[sweep\]'"):
        make_sampler("tpe", SPACE, 1)


def test_a_trial_that_looks_bad_is_given_up_while_it_runs(repo: Path) -> None:
    """It is asked to end, and counts as pruned; so it does for whoever goes on."""
    put(
        repo,
        "for step in range(2000):\n"
        "    log('loss', float(args['a']), step)\n"
        "    if args['a'] == '1': break\n"
        "    time.sleep(0.05)\n",
    )

    said = sweep(repo, "-P", "a=range(1,2)", "--metric", "loss", "--pruner", "median(startup=1)", "--", *words("a"))

    assert counted(newest(repo)) == [(0, "complete"), (1, "pruned")]
    assert "trial 1  pruned  loss 2  a=2" in said
    assert "2 of 2 trials, 1 pruned" in said
    assert [run.status for run in trial_runs(repo)] == ["FINISHED", "FINISHED"]


def test_a_sweep_of_optunas_is_killed_and_gone_on_with(repo: Path) -> None:
    """The new study is told what the old one knew, and every trial is complete once."""
    put(repo, "time.sleep(0.05); log('loss', (float(args['x']) - 0.3) ** 2)")
    options = ("--sampler", "tpe", "--metric", "loss", "--trials", "14", "--seed", "1")
    process = begin(repo, "-P", "x=uniform(0,1)", *options, "--", *words("x"))
    while process.poll() is None and len([run for run in trial_runs(repo) if run.status == "FINISHED"]) < 3:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    sweep(repo, "resume")

    found = newest(repo)
    assert counted(found) == [(number, "complete") for number in range(14)]
    assert len({trial.params["x"] for trial in found.trials}) == 14
    assert found.best is not None
    assert found.best.value is not None
    assert found.best.value < 0.02
