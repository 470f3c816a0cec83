"""Errors of projects; see :mod:`ledgit.errors`, which has them all."""

from __future__ import annotations

from ledgit.error_roots import LedgitError, NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EntryPointNotFound", "EnvironmentFailed", "ParameterError", "ProjectError", "ProjectFailed"]


class ProjectError(UsageError):
    """A project's file says something impossible.

    *file* is its path, *reason* what is wrong, *line* where (from 1, or None where no line is to blame).
    """

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        Exception.__init__(self, file, reason, line)
        self.file, self.reason, self.line = file, reason, line

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{where}: {self.reason}"


class EntryPointNotFound(NotFound):
    """A project has no such entry point, and no script of this name.

    *project* is its name, *known* what it has.
    """

    kind = "entry point"

    def __init__(self, name: str, project: str, known: Sequence[str] = ()) -> None:
        Exception.__init__(self, name, project, tuple(known))
        self.ref, self.project, self.known, self.near = name, project, tuple(known), tuple(known)

    def __str__(self) -> str:
        from difflib import get_close_matches

        meant = get_close_matches(self.ref, self.known, 1)
        hint = f"did you mean {meant[0]!r}? " if meant else ""
        has = f"{hint}it has {', '.join(self.known)}" if self.known else "it declares none; a script's path is one, too"
        return f"project {self.project!r} has no entry point {self.ref!r}: {has}"


class ParameterError(UsageError):
    """A parameter of an entry point is missing, unknown, or has an impossible value.

    *entry_point* and *parameter* are names, *reason* says what is wrong and what is allowed.
    """

    def __init__(self, entry_point: str, parameter: str, reason: str) -> None:
        Exception.__init__(self, entry_point, parameter, reason)
        self.entry_point, self.parameter, self.reason = entry_point, parameter, reason

    def __str__(self) -> str:
        return f"parameter {self.parameter!r} of entry point {self.entry_point!r}: {self.reason}"


class EnvironmentFailed(LedgitError):
    """An environment for a project can't be made.

    *manager* is the tool, *reason* what to do or what it said last.
    """

    exit_code = 11

    def __init__(self, manager: str, reason: str) -> None:
        Exception.__init__(self, manager, reason)
        self.manager, self.reason = manager, reason

    def __str__(self) -> str:
        return f"the environment could not be made with {self.manager}: {self.reason}"


class ProjectFailed(LedgitError):
    """A project's command failed; it is recorded.

    *run_id* is its run, *status* how that ended, *returncode* the command's exit code.
    """

    def __init__(self, run_id: str, status: str, returncode: int) -> None:
        Exception.__init__(self, run_id, status, returncode)
        self.run_id, self.status, self.returncode = run_id, status, returncode

    def __str__(self) -> str:
        return f"run {self.run_id[:8]} of the project ended as {self.status} (exit code {self.returncode})"
