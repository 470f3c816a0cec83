"""Many runs repeated, one after the other: which of an experiment's results come out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import Conflict, EnvironmentFailed, NotFound, UsageError
from ledgit.projects.repro.executing import BY, REPRO
from ledgit.projects.repro.repeating import VERDICT, reproduce
from ledgit.projects.repro.verdict import CONSISTENT, IDENTICAL, WITHIN

if TYPE_CHECKING:
    from ledgit.projects.repro.reproduction import Reproduction, ReproOptions
    from ledgit.repository import Repository, Run

__all__ = ["Audit", "Audited", "audit", "auditable"]

#: A run that can't be repeated; its reason says why. No level of a verdict.
IMPOSSIBLE = "not repeatable"


@dataclass(frozen=True, slots=True)
class Audited:
    """One run of an audit.

    Attributes:
        run_id: The run.
        name: What people call it.
        level: Of the verdict, or ``not repeatable``.
        classes: Which of the classes differ.
        reason: The first reason, or why it can't be repeated; "" if there is none.
        repro: Id of the repetition; "" if there is none.
        earlier: The verdict is of an earlier audit.
    """

    run_id: str
    name: str
    level: str
    classes: tuple[str, ...] = ()
    reason: str = ""
    repro: str = ""
    earlier: bool = False

    @property
    def reproduced(self) -> bool:
        """Whether it came out the same."""
        return self.level in (IDENTICAL, WITHIN, CONSISTENT)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "run": self.run_id,
            "name": self.name,
            "verdict": self.level,
            "reproduced": self.reproduced,
            "classes": list(self.classes),
            "reason": self.reason or None,
            "reproduction": self.repro or None,
            "earlier": self.earlier,
        }


@dataclass(slots=True)
class Audit:
    """Verdicts on many runs, in the order of the runs."""

    runs: list[Audited] = field(default_factory=list)

    @property
    def reproduced(self) -> bool:
        """Whether all of them came out the same."""
        return all(one.reproduced for one in self.runs)

    def counts(self) -> dict[str, int]:
        """Return how many runs have each verdict."""
        found: dict[str, int] = {}
        for one in self.runs:
            found[one.level] = found.get(one.level, 0) + 1
        return found

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "reproduced": self.reproduced,
            "counts": self.counts(),
            "runs": [one.to_dict() for one in self.runs],
        }


def auditable(runs: Sequence[Run]) -> list[Run]:
    """Return those of *runs* that have ended, and are neither repetitions nor sweeps, whose trials are runs."""
    other = {REPRO, BY, "ledgit.sweep"}
    return [run for run in runs if not other & run.tags.keys() and not run.active and run.status != "RUNNING"]


def audit(
    repository: Repository,
    runs: Sequence[Run],
    options: ReproOptions,
    *,
    again: bool = False,
    tell: Callable[[str], object] | None = None,
    done: Callable[[Audited, Reproduction | None], object] | None = None,
) -> Audit:
    """Repeat each of *runs*, but those that were repeated before with the same code.

    What was done stays when it is interrupted: the next audit goes on from there.

    Args:
        repository: Where they are.
        runs: Which; repetitions among them, and runs that have not ended, are passed over.
        options: How.
        again: Also those that were repeated before.
        tell: As for :func:`reproduce`.
        done: Is told each verdict.
    """
    found = Audit()
    for one, made in _each(repository, auditable(runs), options, again, tell):
        found.runs.append(one)
        if done is not None:
            done(one, made)
    return found


def _each(
    repository: Repository,
    runs: Sequence[Run],
    options: ReproOptions,
    again: bool,
    tell: Callable[[str], object] | None,
) -> Iterator[tuple[Audited, Reproduction | None]]:
    known = {} if again else _known(repository, options)
    settled: dict[str, Reproduction] = {}
    for place, run in enumerate(runs):
        before = known.get(run.id)
        if before is not None:
            yield _earlier(run, before), None
            continue
        made = settled.get(run.id)
        if made is None:
            waiting = [other for other in runs[place + 1 :] if other.id not in settled and other.id not in known]
            try:
                made = reproduce(repository, run, options, tell, _siblings(run, waiting))
            except (Conflict, NotFound, UsageError, EnvironmentFailed) as error:  # the next one may do
                yield Audited(run.id, run.name, IMPOSSIBLE, reason=str(error)), None
                continue
            settled |= {one.recipe.run_id: one for one in made.siblings}
        verdict = made.verdict
        reason = verdict.reasons[0].text if verdict.reasons else ""
        yield Audited(run.id, run.name, verdict.level, verdict.classes, reason, made.runs[0]), made


def _siblings(run: Run, others: Sequence[Run]) -> list[Run]:
    """Return those of *others* that the same command made of the same code: one script may make many runs."""
    if run.code.tree is None:
        return []
    near = [other for other in others if (other.code.tree, other.experiment) == (run.code.tree, run.experiment)]
    if not near:
        return []
    info = run.record().info
    wanted = (info.command, info.directory)
    return [other for other in near if (other.record().info.command, other.record().info.directory) == wanted]


def _known(repository: Repository, options: ReproOptions) -> dict[str, Run]:
    """Return the newest repetition that has a verdict of each run, if it ran the code that is to run now."""
    tree: str | None = None
    if options.code is not None:
        from ledgit.projects.repro.codetree import tree_at

        tree = tree_at(repository.repo, options.code).tree
    found: dict[str, Run] = {}
    for repro in repository.runs.filter(f"tags.\"{VERDICT}\" != ''").sort("-start_time"):
        original = repro.tags.get(REPRO, "")
        if original and (tree or _tree(repository, original)) == repro.code.tree:
            found.setdefault(original, repro)
    return found


def _tree(repository: Repository, run_id: str) -> str | None:
    state = repository.index.get(run_id)
    return None if state is None else state.code.tree


def _earlier(run: Run, repro: Run) -> Audited:
    level, _, classes = repro.tags[VERDICT].partition(": ")
    split = tuple(part.strip() for part in classes.split(",") if part.strip())
    return Audited(run.id, run.name, level, split, repro=repro.id, earlier=True)
