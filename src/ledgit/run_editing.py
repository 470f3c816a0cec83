"""Editing runs, finished and active ones."""

from __future__ import annotations

import os

from ledgit.errors import RefMoved, RunNotFound, RunStateError
from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ledgit.records.state import RunState
    from ledgit.run import Run
    from ledgit.store import Edit

__all__ = ["RunEditing"]

#: Seconds that an edit waits for another process which is turning the run into a commit.
_PATIENCE = 2.0
#: Times that an edit is tried while other processes move what it edits.
_ATTEMPTS = 5


class RunEditing(Opened):
    """The verbs of a repository that change runs."""

    def edit(self, state: RunState, edit: Edit) -> RunState:
        """Apply *edit* to a run, finished or active, and return it as it is now.

        Raises:
            NotFound: The commit of a head is not in this clone.
            InvalidValue: A tag to remove is not there.
            RefMoved: Other processes kept editing the run.
        """
        return self.edit_all([state], edit)[0]

    def edit_all(self, states: Sequence[RunState], edit: Edit) -> list[RunState]:
        """Apply *edit* to many runs, the finished ones by one pack and one transaction of refs.

        Returns:
            The runs as they are now, in the same order.

        Raises:
            NotFound, InvalidValue, RefMoved: As :meth:`edit`. Of the finished runs none was edited then.
        """
        finished: list[RunState] = []
        for state in states:
            if state.heads and not os.path.isdir(self.folder.active_dir(state.id)):
                finished.append(state)
            else:
                now = self._edit_journal(state, edit)
                if now is not None:
                    finished.append(now)
        self._edit_finished(finished, edit)
        self._refresh()
        found = [self.index.get(state.id) for state in states]
        return [state if now is None else now for state, now in zip(states, found, strict=True)]

    def _edit_finished(self, states: Sequence[RunState], edit: Edit) -> None:
        from ledgit.store import edit_runs
        from ledgit.store.ledger import compact_if_due

        heads: dict[str, Sequence[str]] = {state.id: state.heads for state in states}
        for attempt in range(_ATTEMPTS):
            try:
                edit_runs(self.repo, self.folder, list(heads.items()), edit)
                compact_if_due(self.repo, self.folder)
                return
            except RefMoved:
                if attempt + 1 == _ATTEMPTS:
                    raise
            self._refresh()  # edited, finalized or compacted at this moment: ask for the heads again
            for run_id in heads:
                now = self.index.get(run_id)
                if now is None:
                    raise RunNotFound(run_id)
                heads[run_id] = now.heads

    def _edit_journal(self, state: RunState, edit: Edit) -> RunState | None:
        """Edit a run that is active or was so a moment ago; return it if it is a commit by now, not edited yet.

        Also a resumed one: what its session said before would else win over the edit when it ends.
        """
        import time

        from ledgit.store import finalize

        deadline = time.monotonic() + _PATIENCE
        while True:
            self._refresh()
            now = self.index.get(state.id)
            if now is not None and now.heads and not os.path.isdir(self.folder.active_dir(state.id)):
                return now
            try:
                if now is not None and now.status == "RUNNING":
                    self._edit_active(now, edit)
                    return None
                finalize(self.repo, self.folder, state.id)
            except (RunNotFound, RunStateError):  # another process ends it at this moment
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                return now or state
            time.sleep(0.01)

    def _edit_active(self, state: RunState, edit: Edit) -> None:
        """Write an edit of a run that another process is writing into a part of our own."""
        from ledgit.store import ActiveRun

        run = ActiveRun.join(self.repo, state.id)
        try:
            if edit.set_tags:
                run.set_tags(edit.set_tags)
            for key in edit.delete_tags:
                run.delete_tag(key)
            for name in ("name", "experiment", "deleted"):
                value = getattr(edit, name)
                if value is not None:
                    run.set_field(name, value)
        finally:
            run.detach()

    def delete_runs(self, runs: Sequence[Run]) -> None:
        """Mark runs as deleted, all at once: lists leave them out, nothing is removed.

        Raises:
            RunStateError: One is still being written; none was deleted then.
        """
        for run in runs:
            if run.active and run.status == "RUNNING":
                raise RunStateError(f"run {run.name} is still running; end it before deleting it")
        self._edit_each(runs, deleted=True)

    def restore_runs(self, runs: Sequence[Run]) -> None:
        """Take the mark back, of all at once."""
        self._edit_each(runs, deleted=False)

    def tag_runs(self, runs: Sequence[Run], tags: Mapping[str, object]) -> None:
        """Set tags of many runs at once (one commit each; none where nothing changes)."""
        self._edit_each(runs, set_tags={key: str(value) for key, value in tags.items()})

    def _edit_each(self, runs: Sequence[Run], **changes: Any) -> None:
        from ledgit.store import Edit

        if runs:
            states = self.edit_all([run.state for run in runs], Edit(**changes))
            for run, state in zip(runs, states, strict=True):
                run.show(state)
