"""Which commit made a metric worse: by the runs there are, and by running the project where there are none.

The search is Git's, by first parent, but nothing of the user's is checked out, and a commit with a run costs nothing.
What was run is recorded, so an interrupted search goes on where it stood: only what it looks for is kept, in
``bisect.json`` in Ledgit's folder, and which commits could not be run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledgit.compare import direction
from ledgit.errors import RecordError, UsageError
from ledgit.review.sides import Side
from ledgit.review.steps import measured, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.review.settings import ReviewSettings
    from ledgit.store.folder import Folder

__all__ = ["Found", "Search", "Wanted", "load", "save"]

_FILE = "bisect.json"
FORMAT = 1


@dataclass(slots=True)
class Wanted:
    """What is looked for.

    Attributes:
        good: The commit where the metric was as it should be.
        bad: The commit where it is not.
        metric: Its name.
        drop: How much worse than at *good* counts, in the metric's unit; more than 0.
        entry_point: What is run where there is no run: an entry point of the project, or "".
        command: Or a command.
        parameters: Of the entry point.
        broken: Commits that could not be run, and why.
    """

    good: str
    bad: str
    metric: str
    drop: float
    entry_point: str = ""
    command: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it.

    Attributes:
        state: ``found``, ``suspects`` (commits that can't be run lie between), ``none`` (the metric is not worse at
            the end), ``unknown`` (an end has no value) or ``missing`` (there is neither a run nor anything to run).
        first: The first commit that is worse; "" unless found.
        suspects: Commits one of which it is, the oldest first.
        good: Value at the last commit that is good.
        bad: Value at the first known to be worse.
        looked: How many commits were decided by runs that were there.
        ran: How many were run.
        reason: A sentence for people.
    """

    state: str
    first: str = ""
    suspects: tuple[str, ...] = ()
    good: float | None = None
    bad: float | None = None
    looked: int = 0
    ran: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {
            "state": self.state,
            "first": self.first or None,
            "suspects": list(self.suspects),
            "good": self.good,
            "bad": self.bad,
            "looked": self.looked,
            "ran": self.ran,
            "reason": self.reason,
        }


class Search:
    """The search for the first commit of ``good..bad`` at which the metric is worse by *drop*.

    Args:
        repository: Where.
        wanted: What is looked for.
        settings: Which runs stand for a commit, and which way the metric goes.
        run: Runs the project at a commit and returns why that failed, or ""; None: nothing is run.
        tell: Is told of every commit that is decided: (commit, value or None, how, commits left).

    Raises:
        UsageError: *bad* does not come after *good*, or nothing says which way the metric goes.
    """

    def __init__(
        self,
        repository: Repository,
        wanted: Wanted,
        settings: ReviewSettings,
        run: Callable[[str], str] | None = None,
        tell: Callable[[str, float | None, str, int], object] = lambda *_: None,
    ) -> None:
        self.repository, self.wanted, self.settings, self._run, self._tell = repository, wanted, settings, run, tell
        way = direction(wanted.metric, settings.directions)
        if way is None:
            name = wanted.metric
            raise UsageError(f"nothing says whether more or less {name} is better; declare metrics.{name}.direction")
        self._sign = 1.0 if way == "maximize" else -1.0
        from ledgit.git import merge_base

        self.commits = [wanted.good, *walk(repository, f"{wanted.good}..{wanted.bad}")]
        if len(self.commits) < 2 or merge_base(repository.repo, wanted.good, wanted.bad) != wanted.good:
            raise UsageError(f"{wanted.bad[:12]} does not come after {wanted.good[:12]}")
        self.values: dict[str, float] = {}
        self.looked = self.ran = 0
        self._read()

    def _read(self) -> None:
        sides: Mapping[str, Side] = measured(
            self.repository, self.commits, self.wanted.bad, self.wanted.metric, self.settings
        )
        for commit, side in sides.items():
            values = side.values(self.wanted.metric)
            self.values[commit] = sum(values) / len(values)

    def find(self) -> Found:
        """Search to the end."""
        ends = [self._value(commit) for commit in (self.commits[0], self.commits[-1])]
        for commit, value in zip((self.commits[0], self.commits[-1]), ends, strict=True):
            if value is None or (commit == self.commits[0] and value != value):  # noqa: PLR0124 - NaN
                return self._unknown(commit)
        good, bad = ends[0], ends[1]
        assert good is not None
        assert bad is not None
        if not self._is_bad(bad, good):
            reason = f"{self.wanted.metric} went from {good:.6g} to {bad:.6g}, which is no drop of {self.wanted.drop:g}"
            return Found("none", good=good, bad=bad, looked=self.looked, ran=self.ran, reason=reason)
        return self._narrow(good)

    def _narrow(self, good: float) -> Found:
        low, high = 0, len(self.commits) - 1
        broken = set(self.wanted.broken)
        while high - low > 1:
            between = [at for at in range(low + 1, high) if self.commits[at] not in broken]
            if not between:
                break
            middle = (low + high) / 2
            known = [at for at in between if self.commits[at] in self.values]
            at = min(known or between, key=lambda place: abs(place - middle))
            value = self._value(self.commits[at], high - low - 1)
            if value is None:
                if self._run is None:
                    return self._missing(low, high)
                broken.add(self.commits[at])
            elif self._is_bad(value, good):
                high = at
            else:
                low = at
        before, after = self.values[self.commits[low]], self.values[self.commits[high]]
        suspects = tuple(self.commits[low + 1 : high + 1])
        first = suspects[0] if len(suspects) == 1 else ""
        state = "found" if first else "suspects"
        reason = f"{self.wanted.metric} goes from {before:.6g} to {after:.6g}"
        if not first:
            reason += f"; {len(suspects) - 1} commits between could not be run"
        return Found(state, first, suspects, before, after, self.looked, self.ran, reason)

    def _is_bad(self, value: float, good: float) -> bool:
        return not self._sign * (good - value) < self.wanted.drop  # NaN is bad

    def _value(self, commit: str, left: int = 0) -> float | None:
        """Return the metric at *commit*, from a run that is there or from one that is made."""
        if commit in self.values:
            self.looked += 1
            self._tell(commit, self.values[commit], "recorded", left)
            return self.values[commit]
        if self._run is None or commit in self.wanted.broken:
            return None
        self._tell(commit, None, "running", left)
        problem = self._run(commit)
        self.ran += 1
        if not problem:
            self._read()
            if commit not in self.values:
                problem = f"the run has no metric {self.wanted.metric}"
        if problem:
            self.wanted.broken[commit] = problem
            self._tell(commit, None, f"can't be run: {problem}", left)
            return None
        self._tell(commit, self.values[commit], "run", left)
        return self.values[commit]

    def _unknown(self, commit: str) -> Found:
        why = self.wanted.broken.get(commit)
        what = f"it could not be run: {why}" if why else "no run belongs to it, and there is nothing to run"
        reason = f"{self.wanted.metric} at {commit[:12]} is not known: {what}"
        return Found("unknown", looked=self.looked, ran=self.ran, reason=reason)

    def _missing(self, low: int, high: int) -> Found:
        suspects = tuple(self.commits[low + 1 : high + 1])
        reason = f"no run decides between {len(suspects)} commits; name what to run, as in: -- python train.py"
        values = self.values[self.commits[low]], self.values[self.commits[high]]
        return Found("missing", "", suspects, *values, self.looked, self.ran, reason)


def save(folder: Folder, wanted: Wanted | None) -> None:
    """Keep what is looked for, so that the search can go on; None: it is over.

    Raises:
        StorageError: It can't be written.
    """
    from dataclasses import asdict

    from ledgit.errors import StorageError
    from ledgit.records import dump_document

    path = os.path.join(folder.make(folder.path), _FILE)
    try:
        if wanted is None:
            if os.path.lexists(path):
                os.unlink(path)
            return
        scratch = f"{path}.{os.urandom(3).hex()}"
        with open(scratch, "wb") as file:
            file.write(dump_document({"format": FORMAT, **asdict(wanted)}))
        os.replace(scratch, path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


def load(folder: Folder) -> Wanted | None:
    """Return what is being looked for, None if nothing is.

    Raises:
        RecordError: The file does not decode; ``ledgit bisect --reset`` removes it.
    """
    from ledgit.records import load_document

    path = os.path.join(folder.path, _FILE)
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except OSError:
        return None
    found: Any = load_document(data, path)
    try:
        return Wanted(
            good=str(found["good"]),
            bad=str(found["bad"]),
            metric=str(found["metric"]),
            drop=float(found["drop"]),
            entry_point=str(found.get("entry_point") or ""),
            command=tuple(map(str, found.get("command") or ())),
            parameters={str(key): str(value) for key, value in (found.get("parameters") or {}).items()},
            broken={str(key): str(value) for key, value in (found.get("broken") or {}).items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RecordError(path, "is no search that can go on; 'ledgit bisect --reset' removes it") from None
