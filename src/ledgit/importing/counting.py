"""The proof that an import dropped nothing: what was read in the store is counted again in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.importing.making import MADE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.importing.found import FoundLogged, FoundRun, Source
    from ledgit.records.record import RunRecord
    from ledgit.repository import Repository

__all__ = ["KINDS", "Counting"]

KINDS = ("runs", "params", "metrics", "points", "tags", "data sets", "logged models")
# Tags that are fields of a run here; they stay what they were, in another place.
_FIELDS = (
    "mlflow.runName", "mlflow.user", "mlflow.parentRunId", "mlflow.source.git.commit", "mlflow.source.git.branch",
)  # fmt: skip


class Counting:
    """Remembers a few numbers of each run of the store, and asks the ledger for its own.

    Args:
        repository: Where the runs went.
        source: The store, which may have totals of its own.
    """

    def __init__(self, repository: Repository, source: Source) -> None:
        self._repository, self._source = repository, source
        self._expected: dict[str, tuple[int, ...]] = {}
        self._read = {"params": 0, "points": 0}

    def expect(self, run: FoundRun, logged: list[FoundLogged]) -> None:
        """Note what the store has of *run*, which is here."""
        points = sum(len(set(map(_point, rows))) for rows in run.points.values())
        fields = (*_FIELDS, *MADE) if run.record else _FIELDS
        tags = sum(1 for key in run.tags if key not in fields)
        self._expected[run.id] = (
            1,
            len(run.params),
            sum(1 for rows in run.points.values() if rows),
            points,
            tags,
            len({(one.name, one.digest, one.context) for one in run.inputs}),
            len(logged),
        )

    def saw(self, run: FoundRun) -> None:
        """Note what was read of *run*, whether it is to be here or not."""
        self._read["params"] += len(run.params)
        self._read["points"] += sum(map(len, run.points.values()))

    def compare(
        self, tell: Callable[[int, int], None]
    ) -> tuple[dict[str, tuple[int, int]], list[tuple[str, str, int, int]]]:
        """Count again in the ledger.

        Returns:
            Kind → (in the store, here); and (run, kind, in the store, here) wherever there is less here.
        """
        repository = self._repository
        repository.refresh()
        total = len(self._expected)
        there, here = [0] * len(KINDS), [0] * len(KINDS)
        missing: list[tuple[str, str, int, int]] = []
        for at, (run_id, expected) in enumerate(self._expected.items(), 1):
            tell(at, total)
            found = self._count(run_id)
            for place, (wanted, got) in enumerate(zip(expected, found, strict=True)):
                there[place] += wanted
                # More is no proof of less elsewhere: a tag that was added here hides none that is gone.
                here[place] += min(wanted, got)
                if got < wanted:
                    missing.append((run_id, KINDS[place], wanted, got))
        missing += [("the whole store", kind, total, read) for kind, (total, read) in self._unread().items()]
        counts = {kind: (there[place], here[place]) for place, kind in enumerate(KINDS)}
        return counts, missing

    def _unread(self) -> dict[str, tuple[int, int]]:
        """Return where the store's own totals are not what was read: kind → (total, read)."""
        return {
            kind: (total, self._read[kind])
            for kind, total in self._source.totals().items()
            if total != self._read[kind]
        }

    def _count(self, run_id: str) -> tuple[int, ...]:
        state = self._repository.index.get(run_id)
        if state is None:
            return (0,) * len(KINDS)
        try:
            record = self._repository.read_record(state)
        except LedgitError:
            return (1, *(0,) * (len(KINDS) - 1))
        tags = sum(1 for key in record.tags if key not in _FIELDS)
        source = record.info.source
        return (
            1,
            len(record.params),
            len(record.metrics),
            self._points(run_id, record),
            tags + bool(source and "mlflow.source.name" not in record.tags),
            len({(one.name, one.digest, one.context) for one in record.inputs}),
            sum(1 for one in record.artifacts if one.path.startswith("logged_models/")),
        )

    def _points(self, run_id: str, record: RunRecord) -> int:
        if not record.full:
            return sum(map(len, record.histories.values()))
        run = self._repository.run(run_id)
        return sum(len(run.history(name)) for name in record.histories)


def _point(row: tuple[int, int, float]) -> tuple[int, int, str]:
    """A point by which it counts as one: NaN is itself here."""
    return row[0], row[1], repr(row[2])
