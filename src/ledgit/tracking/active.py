"""The run that ``start_run`` gives: live while it is written, from its commit afterwards."""

from __future__ import annotations

import os

from ledgit.run import Run
from ledgit.tracking import session
from ledgit.tracking.session import local

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any

    from ledgit.records.state import RunState
    from ledgit.repository import Repository
    from ledgit.store import ActiveRun as StoreRun

__all__ = ["ActiveRun", "bind"]


class ActiveRun(Run):
    """A run that is being written; a context manager that ends it.

    It is a :class:`ledgit.repository.Run` whose values are live: from the journal while the run
    is active, from its commit afterwards. Leaving the ``with`` block by an exception,
    KeyboardInterrupt too, ends it FAILED; a ``sys.exit(0)`` is no failure.
    """

    def __init__(self, store: StoreRun, *, owned: bool) -> None:
        self._store = store
        self._pid = os.getpid()
        self._owned = owned
        self._monitor: Any = None
        self._ended = False
        self._record = None
        self._since = session.cell_number()

    @property
    def store(self) -> StoreRun:
        """The run as the store has it: what the ``log_*`` functions write to."""
        return self._store

    @property
    def owned(self) -> bool:
        """Whether ending it here ends the run: not in a forked child, nor where it was joined."""
        return self._owned and self._pid == os.getpid()

    @property
    def _repository(self) -> Repository:  # type: ignore[override]
        return session.repository(self._store.repo)

    @property
    def _state(self) -> RunState:
        return self._repository.run(self._store.id).state

    @_state.setter
    def _state(self, state: RunState) -> None:
        """What an edit gives back; it is read afresh anyway."""

    @property
    def id(self) -> str:
        """The run's id: 32 hex digits."""
        return self._store.id

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags."""
        if self._ended:
            super().set_tags(tags)
        else:
            self._store.set_tags(tags)

    def delete_tag(self, *keys: str) -> None:
        """Remove tags."""
        if self._ended:
            super().delete_tag(*keys)
        else:
            for key in keys:
                self._store.delete_tag(key)

    def rename(self, name: str) -> None:
        """Give the run another readable name."""
        if self._ended:
            super().rename(name)
        else:
            self._store.set_field("name", name)

    def __repr__(self) -> str:
        return f"<ActiveRun {self._store.name} {self.id[:8]}{' ended' if self._ended else ''}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        clean = kind is None or (isinstance(value, SystemExit) and value.code in (None, 0))
        self.finish("FINISHED" if clean else "FAILED")

    def finish(self, status: str = "FINISHED") -> None:
        """End the run with *status*, or leave it where it was joined; again is no change.

        Runs that were started inside it on this thread and not ended end with it.
        """
        stack = local.stack
        while any(run is self for run in stack):
            inner = stack.pop()
            local.last = session.Local.last_ended = inner.id
            inner._close(status)
        self._close(status)
        bind(stack)

    def _close(self, status: str) -> None:
        if self._ended:
            return
        self._ended = True
        with session.lock:
            if session.open_runs.get(self.id) is self:
                del session.open_runs[self.id]
        if self._monitor is not None and self._pid == os.getpid():
            self._monitor.stop()
        if not self._owned and session.shared(self):
            return  # another object of this process goes on writing to it
        store = self._store
        if self._since is not None and self.owned:
            from ledgit.tracking.cells import record_cells

            record_cells(store, self._since)
        try:
            if not self.owned and store.detached:
                store.detach()
            else:
                # Where it was joined or inherited this only leaves; the store knows who owns it.
                store.finish(status)
        except session.TROUBLE as error:
            session.report(error, f"ending run {self.id[:8]}", kind=f"ending: {error}")
        for problem in store.problems:
            session.report(problem, f"run {self.id[:8]}", kind=problem)  # not again for each of a thousand runs


def bind(stack: list[ActiveRun]) -> None:
    """Make ``log_metric`` of this thread the innermost run's own method, so a call costs no look-up."""
    if stack:
        local.log_metric = stack[-1].store.log_metric
    else:
        local.__dict__.pop("log_metric", None)
