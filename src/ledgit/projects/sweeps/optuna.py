"""Optuna's samplers and pruners, asked and told; its study is made from the sweep's runs, and nowhere stored.

Imported when used: Optuna takes most of a second.
"""

from __future__ import annotations

import math
import re
import warnings
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from ledgit.errors import MissingDependency, UsageError
from ledgit.projects.sweeps.kinds import PRUNERS
from ledgit.projects.sweeps.space import Choice
from ledgit.projects.sweeps.trials import COMPLETE, PRUNED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ledgit.projects.sweeps.samplers import Sampler
    from ledgit.projects.sweeps.space import Dimension, Space, Value
    from ledgit.projects.sweeps.trials import Trial

__all__ = ["OptunaSampler"]

_PRUNER = re.compile(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*")
_OPTIONS = {
    "median": {"startup": "n_startup_trials", "warmup": "n_warmup_steps", "every": "interval_steps"},
    "percentile": {
        "keep": "percentile",
        "startup": "n_startup_trials",
        "warmup": "n_warmup_steps",
        "every": "interval_steps",
    },
    "halving": {"min": "min_resource", "factor": "reduction_factor"},
    "hyperband": {"min": "min_resource", "max": "max_resource", "factor": "reduction_factor"},
}
_CLASSES = {
    "median": "MedianPruner",
    "percentile": "PercentilePruner",
    "halving": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
}


class OptunaSampler:
    """A study in memory. What is asked for is told by number; other trials are added as they were.

    With *plain* that sampler gives the values, and Optuna only decides which trials are given up.

    Raises:
        MissingDependency: Optuna, or what this sampler needs besides, is not installed.
        UsageError: There is no such pruner.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        seed: int,
        *,
        direction: Literal["minimize", "maximize"],
        pruner: str = "",
        plain: Sampler | None = None,
        warm: Sequence[Trial] = (),
    ) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingDependency(f"sampler or pruner {pruner or name}", "'ledgit[sweep]'") from None
        self._optuna = optuna
        self._space, self._plain = space, plain
        self._varying = {one.name: one for one in space.varying}
        self._distributions = {one.name: self._distribution(one) for one in space.varying}
        self._open: dict[int, Any] = {}
        self._steps: dict[int, set[int]] = {}
        with self._quiet():
            self._study = optuna.create_study(
                direction=direction,
                sampler=self._sampler(name if plain is None else "random", seed, warm),
                pruner=_pruner(optuna, pruner),
            )
        self._prunes = pruner not in ("", "none")
        # These note with each trial how far it came when it came there: what it logged alone says nothing to them.
        self._replays = pruner.strip().startswith(("halving", "hyperband"))
        for trial in warm:
            self.tell(trial)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Have Optuna say nothing about itself: a library never prints."""
        logging = self._optuna.logging
        told = logging.get_verbosity()
        logging.set_verbosity(logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.set_verbosity(told)

    def _sampler(self, name: str, seed: int, warm: Sequence[Trial]) -> Any:
        samplers = self._optuna.samplers
        # Going on with the seed as it was would draw the first trials' numbers again.
        drawn = int.from_bytes(sha256(f"{seed}\0{len(warm)}".encode()).digest()[:4])
        if name == "random":
            return samplers.RandomSampler(seed=drawn)
        if name == "tpe":
            # A running trial is taken for a bad one: else all that run at once would be alike.
            return samplers.TPESampler(seed=drawn, constant_liar=True)
        if name == "nsgaii":
            return samplers.NSGAIISampler(seed=drawn)
        if name == "gp":
            _need("torch", "sampler gp")
            _need("scipy", "sampler gp")
            return samplers.GPSampler(seed=drawn)
        _need("cmaes", "sampler cmaes")
        numbers = [one.name for one in self._space.varying if not isinstance(one, Choice) or one.step is not None]
        if len(numbers) < 2:
            raise UsageError("sampler cmaes needs two or more numbers to search, as log(a,b) or int(a,b) give; try tpe")
        told = [trial for trial in warm if trial.state == COMPLETE and _told(trial) and self._fits(trial.params)]
        done = [self._frozen(trial, numbers) for trial in told]
        if done:  # its own state went with the process: what is known makes it begin near the best
            return samplers.CmaEsSampler(seed=drawn, source_trials=done, warn_independent_sampling=False)
        return samplers.CmaEsSampler(seed=drawn, warn_independent_sampling=False)

    def _distribution(self, one: Dimension) -> Any:
        kinds = self._optuna.distributions
        if isinstance(one, Choice):
            if one.step is None:
                return kinds.CategoricalDistribution(one.values)
            low, high = one.values[0], one.values[-1]
            if isinstance(low, int) and isinstance(high, int):
                return kinds.IntDistribution(low, high, step=int(one.step))
            # Its own count of steps decides which values there are; ours are the nearest ones.
            return kinds.IntDistribution(0, one.size - 1)
        if one.whole:
            return kinds.IntDistribution(int(one.low), int(one.high), log=one.log)
        return kinds.FloatDistribution(float(one.low), float(one.high), log=one.log)

    def ask(self, number: int) -> dict[str, Value]:
        """Return the values of trial *number*."""
        values = None if self._plain is None else self._plain.ask(number)
        with self._quiet():
            if values is not None:
                fixed = {key: self._inside(key, value) for key, value in values.items() if key in self._distributions}
                self._study.enqueue_trial(fixed)
            try:
                asked = self._study.ask(self._distributions)
            except ImportError as error:  # what a sampler needs besides Optuna is found out late
                raise MissingDependency("this sampler", error.name or "another library") from error
        self._open[number] = asked
        if values is not None:
            return values
        return {
            one.name: self._outside(one, asked.params[one.name]) if one.name in self._distributions else one.at(0.0)
            for one in self._space.dimensions
        }

    def tell(self, trial: Trial) -> None:
        """Take in a trial that has ended."""
        states = self._optuna.trial.TrialState
        asked = self._open.pop(trial.number, None)
        self._steps.pop(trial.number, None)
        if asked is None and self._replays and trial.points and self._fits(trial.params):
            self.again(trial.number, trial.params)
            for point in trial.points:
                self.report(trial.number, [point])
            asked = self._open.pop(trial.number)
            self._steps.pop(trial.number, None)
        if asked is None:
            if self._fits(trial.params):
                self._study.add_trial(self._frozen(trial))
        elif trial.state == COMPLETE and _told(trial):
            self._study.tell(asked, trial.value)
        else:
            self._study.tell(asked, state=states.PRUNED if trial.state == PRUNED else states.FAIL)

    def report(self, number: int, points: Sequence[tuple[int, float]]) -> bool:
        """Take in what a running trial logged; return whether it should be given up."""
        asked = self._open.get(number)
        if asked is None or not self._prunes:
            return False
        seen = self._steps.setdefault(number, set())
        fresh = {step: value for step, value in points if step >= 0 and step not in seen}
        seen.update(fresh)
        given_up = False
        for step in sorted(fresh):  # each as if it had come alone: there may be nothing to compare the last one with
            asked.report(fresh[step], step)
            given_up = bool(asked.should_prune()) or given_up
        return given_up

    def again(self, number: int, params: Mapping[str, Any]) -> None:
        """Know trial *number*, whose values were given earlier, as one that runs."""
        if number not in self._open and self._fits(params):
            self._study.enqueue_trial({name: self._inside(name, params[name]) for name in self._distributions})
            self._open[number] = self._study.ask(self._distributions)

    def _frozen(self, trial: Trial, names: Collection[str] = ()) -> Any:
        """Return a trial that has ended as Optuna has it, with the parameters *names* (all by default)."""
        wanted = {name: kind for name, kind in self._distributions.items() if not names or name in names}
        states = self._optuna.trial.TrialState
        complete = trial.state == COMPLETE and _told(trial)
        points = {step: value for step, value in trial.points if step >= 0}
        state = states.COMPLETE if complete else states.PRUNED if trial.state == PRUNED else states.FAIL
        value = trial.value if complete or (state == states.PRUNED and points and _told(trial)) else None
        return self._optuna.trial.create_trial(
            state=state,
            value=value,
            params={name: self._inside(name, trial.params[name]) for name in wanted},
            distributions=wanted,
            intermediate_values=points,
        )

    def _fits(self, params: Mapping[str, Any]) -> bool:
        """Whether values are of this space; anything may stand in a run."""
        return all(one.read(params.get(one.name)) == params.get(one.name, self) for one in self._space.varying)

    def _inside(self, name: str, value: Any) -> Any:
        one = self._varying[name]
        if isinstance(one, Choice) and one.step is not None and not isinstance(one.values[0], int):
            return one.values.index(value)
        return value

    def _outside(self, one: Dimension, value: Any) -> Value:
        found: Value = value
        if not isinstance(one, Choice):
            return one.short(value)
        if one.step is not None and not isinstance(one.values[0], int):
            found = one.values[int(value)]
        return found


def _told(trial: Trial) -> bool:
    return trial.value is not None and not math.isnan(trial.value)


def _need(module: str, feature: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise MissingDependency(feature, module)


def _pruner(optuna: Any, text: str) -> Any:
    match = _PRUNER.fullmatch(text or "none")
    name = match.group(1) if match else text
    if match is None or name not in PRUNERS:
        raise UsageError(f"there is no pruner {text!r}; there are {', '.join(PRUNERS)}, as median or median(warmup=10)")
    if name == "none":
        return optuna.pruners.NopPruner()
    known = _OPTIONS[name]
    options: dict[str, float] = {"percentile": 25.0} if name == "percentile" else {}
    for word in filter(None, (match.group(2) or "").replace(" ", "").split(",")):
        key, _, value = word.partition("=")
        try:
            options[known[key]] = float(value) if key == "keep" else int(value)
        except (KeyError, ValueError):
            raise UsageError(
                f"pruner {name} has the options {', '.join(known)}, each with a number, not {word!r}"
            ) from None
    try:
        return getattr(optuna.pruners, _CLASSES[name])(**options)
    except ValueError as error:
        raise UsageError(f"pruner {text}: {error}") from None
