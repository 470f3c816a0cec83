"""What is learned of a command beside running it: what its parser made of its arguments, what DVC's stages did."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.stages import Stages
    from ledgit.store.runlog import RunLog

__all__ = ["Watch"]


class Watch:
    """Looks before a command runs, and records when it has ended.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        top: Top of the Git work tree that is in; None: the folder of DVC's project.
        capture: A file to be made, in which Python programs note what their parsers made of their arguments; "": none
            is asked to.
    """

    def __init__(self, command: Sequence[str], folder: str, top: str | None = None, capture: str = "") -> None:
        self._folder, self._capture, self._began = folder, capture, time.time()
        self._stages: Stages | None = None
        if _is_in_dvc_project(folder, top):
            from ledgit.projects.stages import before

            self._stages = before(folder, command, top)

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return *environ* for the command."""
        if not self._capture:
            return dict(environ)
        from ledgit.projects.capture import capturing_environment

        return capturing_environment(environ, self._capture)

    def record(self, run: RunLog, *, succeeded: bool) -> None:
        """Log what was learned to *run*; what the command logged itself stays as it is.

        What goes wrong is among the run's problems, and never the command's failure.
        """
        try:
            if self._capture:
                self._record_captured(run)
            if self._stages is not None:
                from ledgit.projects.stages import record_stages

                record_stages(run, self._stages.after(succeeded=succeeded))
        except OSError as error:
            run.note_problem(f"what the command did could not be looked up: {error.strerror or error}")

    def _record_captured(self, run: RunLog) -> None:
        from ledgit.errors import LedgitError
        from ledgit.projects.capture import captured

        found = captured(self._capture, self._folder, self._began)
        if os.path.exists(self._capture):
            os.unlink(self._capture)
        known = {key for kind, data in run.read().events if kind == "params" for key in data["values"]}
        for name, value in found.items():
            if name in known:
                continue
            try:
                run.log_params({name: value})
            except LedgitError as error:
                run.note_problem(str(error))


def _is_in_dvc_project(folder: str, top: str | None) -> bool:
    """Say so at once: nearly every command has nothing to do with DVC.

    What is above *top* is none of its business: a work folder lies within the user's repository.
    """
    here, end = os.path.realpath(folder), None if top is None else os.path.realpath(top)
    while not os.path.isfile(os.path.join(here, ".dvc", "config")):
        above = os.path.dirname(here)
        if here in (above, end):
            return False
        here = above
    return True
