"""Editing runs, finished and active ones."""

from __future__ import annotations

import os

from ledgit.errors import RunNotFound, RunStateError
from ledgit.opened import Opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.records.state import RunState
    from ledgit.store import Edit

__all__ = ["RunEditing"]

#: Seconds that an edit waits for another process which is turning the run into a commit.
_PATIENCE = 2.0


class RunEditing(Opened):
    """The verbs of a repository that change runs."""

    def edit(self, state: RunState, edit: Edit) -> RunState:
        """Apply *edit* to a run, finished or active, and return it as it is now."""
        from ledgit.store import edit_run

        if not state.heads or os.path.isdir(self.folder.active_dir(state.id)):
            found = self._edit_journal(state, edit)
            if found is not None:
                return found
        edit_run(self.repo, self.folder, state.id, edit)
        self._refresh()
        found = self.index.get(state.id)
        if found is None:
            raise RunNotFound(state.id)
        return found

    def _edit_journal(self, state: RunState, edit: Edit) -> RunState | None:
        """Edit a run that is active or was so a moment ago; None if it is a commit by now.

        Also a resumed one: what its session said before would else win over the edit when it ends.
        """
        import time

        from ledgit.store import finalize

        deadline = time.monotonic() + _PATIENCE
        while True:
            self._refresh()
            now = self.index.get(state.id)
            if now is not None and now.heads and not os.path.isdir(self.folder.active_dir(state.id)):
                return None
            try:
                if now is not None and now.status == "RUNNING":
                    return self._edit_active(now, edit)
                finalize(self.repo, self.folder, state.id)
            except (RunNotFound, RunStateError):  # another process ends it at this moment
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)

    def _edit_active(self, state: RunState, edit: Edit) -> RunState:
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
        self._refresh()
        return self.index.get(state.id) or state
