"""How a run is to be repeated, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.projects.repro.verdict import Tolerance

if TYPE_CHECKING:
    from ledgit.projects.repro.data import InputCheck
    from ledgit.projects.repro.diagnosing import Diagnosis
    from ledgit.projects.repro.recipe import Recipe
    from ledgit.projects.repro.verdict import Verdict

__all__ = ["Plan", "ReproOptions", "Reproduction"]


@dataclass(frozen=True, slots=True)
class ReproOptions:
    """How a run is repeated.

    Attributes:
        repeats: How often; None: once, and once or twice more to find out about chance if it comes out otherwise.
        tolerance: How far metrics may be off.
        manager: ``local``, ``virtualenv``, ``uv``, ``conda``; None: the present interpreter if it has what was
            recorded, else one made anew.
        code: A revision whose code to run instead of the run's own.
        diagnose: Find out what of the randomness goes with hash seed and number of threads.
        secrets: Values for the words of the command that were left out.
        timeout: Seconds for one execution; None: as long as it takes.
        show: Pass on what the command prints.
        trace: Note which files Python opens, so that the verdict knows what the program looks at.
        cache: Folder of environments.
        home: The user's home folder.
    """

    repeats: int | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    manager: str | None = None
    code: str | None = None
    diagnose: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    show: bool = True
    trace: bool = True
    cache: str = ""
    home: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reproduction would do.

    Attributes:
        recipe: What the run recorded.
        code: The revision it would run instead, or None.
        tree: The tree it would run.
        environment: Where it would run, in a sentence.
        manager: By which manager.
        packages: (package, recorded, present) of those that the present interpreter has not as recorded.
    """

    recipe: Recipe
    code: str | None
    tree: str
    environment: str
    manager: str
    packages: tuple[tuple[str, str | None, str | None], ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            **self.recipe.to_dict(),
            "code": self.code,
            "tree": self.tree,
            "environment": self.environment,
            "manager": self.manager,
            "packages_differ": [{"package": one, "recorded": old, "present": new} for one, old, new in self.packages],
        }


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A run that was repeated.

    Attributes:
        recipe: What the run recorded.
        verdict: Whether it gives the same, and what differs.
        runs: Ids of the repetitions.
        names: Their names.
        environment: Where they ran, in a sentence.
        manager: By which manager.
        code: The revision that ran instead of the run's own code, or None.
        inputs: What the data sets are.
        seconds: How long the command ran in all.
        diagnosis: What of the randomness goes with what; None where nobody asked, or there is none.
        siblings: Other runs that were asked for, and that the same executions repeat.
    """

    recipe: Recipe
    verdict: Verdict
    runs: tuple[str, ...]
    names: tuple[str, ...]
    environment: str
    manager: str
    code: str | None = None
    inputs: tuple[InputCheck, ...] = ()
    seconds: float = 0.0
    diagnosis: Diagnosis | None = None
    siblings: tuple[Reproduction, ...] = ()

    @property
    def reproduced(self) -> bool:
        """Whether it came out the same, as far as was asked for."""
        return self.verdict.reproduced

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "run": self.recipe.run_id,
            "name": self.recipe.name,
            **self.verdict.to_dict(),
            "reproductions": [{"id": one, "name": name} for one, name in zip(self.runs, self.names, strict=True)],
            "environment": self.environment,
            "manager": self.manager,
            "code": self.code,
            "inputs": [check.to_dict() for check in self.inputs],
            "seconds": round(self.seconds, 3),
            "diagnosis": None if self.diagnosis is None else self.diagnosis.to_dict(),
            "lacking": [one.to_dict() for one in self.recipe.lacking],
        }
