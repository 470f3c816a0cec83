"""What of a run's randomness goes away when the hash seed and the number of threads are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledgit.projects.repro.findings import RANDOMNESS
from ledgit.projects.repro.verdict import Verdict, differences

if TYPE_CHECKING:
    from ledgit.projects.repro.executing import Order
    from ledgit.projects.repro.repeating import Attempt

__all__ = ["Diagnosis", "Setting", "diagnose", "is_random"]

DIAGNOSE = "ledgit.repro.diagnose"
_HASH = {"PYTHONHASHSEED": "0"}
_THREADS = dict.fromkeys(
    (
        *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        *("VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS", "RAYON_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"),
    ),
    "1",
)
_SETTINGS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("hash seed (PYTHONHASHSEED=0)", _HASH),
    ("number of threads (OMP_NUM_THREADS=1 and its like)", _THREADS),
    ("hash seed and number of threads", {**_HASH, **_THREADS}),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Two repeats with something fixed.

    Attributes:
        name: What.
        agree: Whether they gave the same.
        differ: How they differ; "" if they agree.
        runs: Their ids.
    """

    name: str
    agree: bool
    differ: str
    runs: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"fixed": self.name, "agree": self.agree, "differ": self.differ or None, "runs": list(self.runs)}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was tried, and what it says.

    Attributes:
        settings: What was fixed, one after the other; the last one that was tried may be what helps.
        text: The conclusion.
    """

    settings: tuple[Setting, ...]
    text: str

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"settings": [one.to_dict() for one in self.settings], "text": self.text}


def is_random(verdict: Verdict) -> bool:
    """Whether repeats of the same differ from each other."""
    return RANDOMNESS in verdict.classes or any(
        not isinstance(note, str) and note.kind == RANDOMNESS for note in verdict.notes
    )


def diagnose(attempt: Attempt, order: Order, verdict: Verdict) -> Diagnosis:
    """Fix what makes programs random without their doing, and look whether two repeats then agree."""
    if not is_random(verdict):
        repeats = len(attempt.executed)
        text = "repeats agree, so there is no randomness to look into"
        if repeats == 1:
            text = (
                "the run came out the same at once, so there is no randomness to look into (--repeats 3 looks longer)"
            )
        return Diagnosis((), text)
    tried: list[Setting] = []
    for name, variables in _SETTINGS:
        attempt.tell(f"twice more with a fixed {name}")
        fixed = replace(order, environ={**order.environ, **variables})
        pair = [attempt.run_once(fixed, {DIAGNOSE: name}) for _ in range(2)]
        differ = differences([one.outcome for one in pair], attempt.options.tolerance)
        tried.append(Setting(name, not differ, differ, tuple(one.run.id for one in pair)))
        if not differ:
            return Diagnosis(tuple(tried), f"the randomness goes away with a fixed {name}")
    text = (
        "neither a fixed hash seed nor a single thread makes repeats agree: the program draws from a generator without"
        " a fixed seed, from the clock, or from the system (os.urandom)"
    )
    return Diagnosis(tuple(tried), text)
