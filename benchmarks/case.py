"""What a case is: subjects that do the same work, and what Ledgit must reach beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Timing

Work = Callable[[Path], Mapping[str, Timing]]
"""Does the work in a folder and returns times by the measure's name; runs in a process of its own."""


@dataclass(frozen=True)
class Subject:
    """One way to do a case's work; *library* decides the interpreter: ``"ledgit"``, ``"mlflow"`` or ``""``."""

    name: str
    work: Work
    library: str = ""


@dataclass(frozen=True)
class Command:
    """A command line timed from outside, from start to exit, in the folder the case has prepared."""

    name: str
    arguments: Sequence[str]
    library: str = ""


@dataclass(frozen=True)
class Target:
    """What is aimed at: *subject*'s time, divided by *baseline*'s if there is one, is *at_most* this.

    With *minus* the baseline's time is subtracted instead. Without a baseline, or with *minus*,
    *at_most* is in the case's unit. A *rate* is shown as the inverse of the ratio: the more, the better.
    """

    text: str
    measure: str
    subject: str
    at_most: float
    baseline: str | None = None
    minus: bool = False
    rate: bool = False


@dataclass(frozen=True)
class Case:
    """One table of the report. *prepare* gets the case's folder and Ledgit's interpreter, once.

    With *shared* every round works in the prepared folder itself, otherwise in an empty one. A case
    whose *unit* is ``"B"`` measures bytes where others measure seconds; one without a unit, what
    the names of its measures say.
    """

    title: str
    note: str
    subjects: Sequence[Subject | Command]
    targets: Sequence[Target]
    rounds: int = 5
    prepare: Callable[[Path, str], None] | None = None
    shared: bool = False
    unit: str = "s"
