"""What a sweep is to do: decided when it starts, kept in its run as ``sweep.json``, read again to go on. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ledgit.errors import NewerFormat, RecordError, UsageError
from ledgit.projects.sweeps.kinds import PRUNERS, SAMPLERS
from ledgit.projects.sweeps.space import Space, Value

__all__ = ["PLAN_FILE", "SweepPlan", "fill_places"]

PLAN_FILE = "sweep.json"
_FORMAT = 1
#: Trials of a sweep that says nothing about their number and whose space has no end.
DEFAULT_TRIALS = 20
#: Points of a grid that are tried without being asked for by number.
LARGEST_GRID = 10_000
_PLACE = re.compile(r"\{([A-Za-z_][\w.\-/]*)\}")


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """One sweep.

    Attributes:
        space: Parameter → dimension as it was written.
        source: The project's address, without credentials; "" for the repository that the sweep is in.
        version: Branch, tag or commit of the project; "": the files as they are.
        entry_point: What is run, by name; "" with *command*.
        command: Words of a command with ``{name}`` places; empty with *entry_point*.
        directory: Folder below the top of the code: the project's, or that in which *command* runs.
        sampler: One of :data:`~ledgit.projects.sweeps.kinds.SAMPLERS`; "": the grid if there is one, else random.
        pruner: Which trials are given up, with options; "" for none.
        seed: Of what is drawn.
        trials: How many trials there are to be; 0: all of a grid, else 20.
        metric: What is looked for; "" for nothing.
        direction: ``minimize`` or ``maximize``.
        timeout: Seconds a trial may take; None: any.
        grace: Seconds that a trial has to end when it is asked to.
        max_time: Seconds the sweep may take, each time it is started; None: any.
        stop_after_failures: Failed trials after which it ends; None: any number.
        patience: Complete trials without a better value after which it ends; None: any number.
        target: A value that ends it.
        retries: How often a trial whose worker was lost is tried again.
        jobs: Trials at once, on this machine.
        executor: ``local``, ``dask``, ``slurm`` or ``ray``.
        experiment: Experiment of the runs.
        name: Name of the sweep's run; "" for a random one.
        manager: How environments are made; "" for what the project asks for.
        in_place: Trials run in the user's folder.
        tags: Tags of every trial's run.
    """

    space: Mapping[str, str]
    source: str = ""
    version: str = ""
    entry_point: str = ""
    command: tuple[str, ...] = ()
    directory: str = ""
    sampler: str = ""
    pruner: str = ""
    seed: int = 0
    trials: int = 0
    metric: str = ""
    direction: Literal["minimize", "maximize"] = "minimize"
    timeout: float | None = None
    grace: float = 10.0
    max_time: float | None = None
    stop_after_failures: int | None = None
    patience: int | None = None
    target: float | None = None
    retries: int = 2
    jobs: int = 1
    executor: str = "local"
    experiment: str = "Default"
    name: str = ""
    manager: str = ""
    in_place: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    def points(self) -> Space:
        """Return the space, parsed.

        Raises:
            UsageError: A dimension says something impossible.
        """
        return Space.parse(self.space)

    def checked(self) -> SweepPlan:
        """Return the plan with what it left open, if it can be carried out.

        Raises:
            UsageError: It says something impossible.
        """
        space = self.points()
        size = space.size()
        if not self.sampler:
            return replace(self, sampler="random" if size is None else "grid").checked()
        self._check_words(space)
        if self.sampler == "grid":
            space.point(0)
            if size is not None and not self.trials and size > LARGEST_GRID:
                raise UsageError(
                    f"the grid has {size:,} points; say with --trials how many to try, or take another sampler"
                )
            if size is not None and (not self.trials or self.trials > size):
                return replace(self, trials=size).checked()
        elif not self.trials:
            return replace(self, trials=DEFAULT_TRIALS).checked()
        for name, least in (("trials", 1), ("jobs", 1), ("retries", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"--{name} is {getattr(self, name)}, expected {least} or more")
        for name in ("timeout", "grace", "max_time", "stop_after_failures", "patience"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and (value > 0 or (name == "grace" and value == 0))):
                raise UsageError(f"--{name.replace('_', '-')} is {value}, expected more than 0")
        return self

    def _check_words(self, space: Space) -> None:
        if self.sampler not in SAMPLERS:
            raise UsageError(f"there is no sampler {self.sampler!r}; there are {', '.join(SAMPLERS)}")
        if self.pruner.partition("(")[0].strip() not in ("", *PRUNERS):
            raise UsageError(f"there is no pruner {self.pruner!r}; there are {', '.join(PRUNERS)}")
        if self.direction not in ("minimize", "maximize"):
            raise UsageError(f"--direction is {self.direction!r}, expected minimize or maximize")
        learns = self.sampler not in ("grid", "random", "qmc")
        needing = f"sampler {self.sampler}" if learns else f"pruner {self.pruner}"
        if not self.metric and (learns or self.pruner not in ("", "none")):
            raise UsageError(f"{needing} needs to know what to look for; name it with --metric")
        if not self.metric and (self.patience is not None or self.target is not None):
            raise UsageError("--patience and --target need --metric, which says what is looked for")
        if self.command:
            check_places(self.command, space.names)
        elif not self.entry_point:
            raise UsageError("name an entry point, or give a command after '--'")
        if learns and not space.varying:
            raise UsageError(f"sampler {self.sampler} has nothing to choose: no parameter has more than one value")

    def to_json(self) -> str:
        """Return the plan as a file people can read."""
        values = {**asdict(self), "space": dict(self.space), "tags": dict(self.tags), "command": list(self.command)}
        return json.dumps({"format": _FORMAT, **values}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: str | bytes) -> SweepPlan:
        """Read what :meth:`to_json` wrote; what a newer Ledgit added to the same format is left out.

        Raises:
            RecordError: It is something else.
            NewerFormat: A newer Ledgit wrote it.
        """
        try:
            said = json.loads(data)
        except ValueError as error:
            raise RecordError(PLAN_FILE, f"is no JSON: {error}") from None
        if not isinstance(said, dict) or not isinstance(said.get("space"), dict):
            raise RecordError(PLAN_FILE, "is no plan of a sweep")
        version = said.get("format")
        if not isinstance(version, int) or version > _FORMAT:
            raise NewerFormat(PLAN_FILE, version if isinstance(version, int) else 0, _FORMAT)
        known: dict[str, Any] = {}
        for one in fields(cls):
            if one.name in said:
                known[one.name] = _read(one.name, str(one.type), said[one.name])
        try:
            plan = cls(**known)
            plan.points()
        except UsageError as error:
            raise RecordError(PLAN_FILE, str(error)) from None
        return plan


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "float | None": (int, float, type(None)),
    "int | None": (int, type(None)),
    "Literal['minimize', 'maximize']": (str,),
    "Mapping[str, str]": (dict,),
    "tuple[str, ...]": (list,),
}


def _read(name: str, kind: str, value: Any) -> Any:
    wanted = _KINDS[kind.replace('"', "'")]
    fits = isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))
    if fits and isinstance(value, dict):
        fits = all(isinstance(text, str) for pair in value.items() for text in pair)
    if fits and isinstance(value, list):
        fits = all(isinstance(word, str) for word in value)
        value = tuple(value)
    if kind.startswith("Literal"):
        fits = value in ("minimize", "maximize")
    if not fits:
        raise RecordError(PLAN_FILE, f"{name} is {value!r}, which is no {kind}")
    return value


def check_places(command: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Refuse a command that has no place for a parameter.

    Raises:
        UsageError: Of this kind.
    """
    places = {name for word in command for name in _PLACE.findall(word)}
    for name in names:
        if name not in places:
            raise UsageError(f"the command has no place for {name}: write {{{name}}} where its value belongs")


def fill_places(command: tuple[str, ...], params: Mapping[str, Value]) -> list[str]:
    """Return the words of *command* with values in their places; braces around anything else stay.

    Words stay words whatever a value holds: no shell reads them.
    """
    return [
        _PLACE.sub(lambda match: str(params[match[1]]) if match[1] in params else match[0], word) for word in command
    ]
