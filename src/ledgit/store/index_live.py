"""Runs that are being written: read from their journals, laid over the finalized ones."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING

from ledgit.records import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.store.folder import Folder
    from ledgit.store.index_database import Database

    Reader = Callable[[Folder, dict[str, bytes] | None], list[RunState]]

__all__ = ["LiveRuns"]

_SLOW = 0.02
"""Seconds of reading journals from which on it pays to store how far they were read."""


class LiveRuns:
    """The live runs of one clone, in temporary tables beside the finalized ones.

    Args:
        folder: Ledgit's folder.
        reader: Returns the runs that have a journal, given a cache that it keeps.

    Attributes:
        runs: The live runs by id; a resumed one is what was finalized with what came since.
    """

    def __init__(self, folder: Folder, reader: Reader | None = None) -> None:
        self.folder = folder
        self.runs: dict[str, RunState] = {}
        self._reader = reader
        self._summaries: dict[str, bytes] | None = None

    def forget(self) -> None:
        """Begin anew, with another database."""
        self.runs = {}
        self._summaries = None

    def refresh(self, database: Database, *, new: bool) -> None:
        """Read the journals; *new*: the database's tables are not there yet."""
        if self._reader is None:
            try:
                names = os.listdir(self.folder.active)
            except OSError:
                names = []
            if not names:  # the common case, which need not load the journal's reader
                self.runs = {}
                return
            from ledgit.store.live import live_runs

            self._reader = live_runs
        if self._summaries is None:
            self._summaries = dict(database.db.execute("SELECT id, summary FROM live"))
        begun = time.perf_counter()
        states = self._reader(self.folder, self._summaries)
        slow = time.perf_counter() - begun > _SLOW
        found: dict[str, RunState] = {}
        for state in states:
            finalized = database.runs.find("id = ?", state.id)
            found[state.id] = _resumed(finalized[0], state) if finalized else state
        if found and (new or found != self.runs):
            database.live.create()
            database.live.write(list(found.values()))
        self.runs = found
        if slow and database.path is not None:
            rows = list(self._summaries.items())
            database.try_to_write(lambda: _replace_all(database, rows))


def _replace_all(database: Database, summaries: list[tuple[str, bytes]]) -> None:
    database.db.execute("DELETE FROM live")
    database.db.executemany("INSERT INTO live VALUES (?, ?)", summaries)


def _resumed(base: RunState, live: RunState) -> RunState:
    """Return the finalized run *base* with what its new session *live* has logged so far."""
    ranges = dict(base.ranges)
    for key, value in live.metrics.items():
        before = base.metrics.get(key, value)
        ends = [*base.ranges.get(key, (before,)), *live.ranges.get(key, (value,))]
        numbers = [end for end in ends if not isnan(end)]
        if numbers:
            ranges[key] = (min(numbers), max(numbers))
    said = live.clocks.keys
    tags = {key: value for key, value in base.tags.items() if f"tags.{key}" not in said}
    return replace(
        base,
        name=live.name if "name" in said else base.name,
        experiment=live.experiment if "experiment" in said else base.experiment,
        status=live.status,
        end=live.end,
        params={**live.params, **base.params},
        metrics={**base.metrics, **live.metrics},
        ranges=ranges,
        tags={**tags, **live.tags},
        deleted=live.deleted if "deleted" in said else base.deleted,
        lost=live.lost,
        inputs=tuple(sorted({*base.inputs, *live.inputs})),
    )
