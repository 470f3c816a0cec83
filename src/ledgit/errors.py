"""Every error that Ledgit raises on purpose.

::

    LedgitError                        exit 1
    ├── ProjectFailed                           its command, which is recorded
    ├── UsageError                     exit 2   the call's words are off
    │   ├── InvalidName                         a key, path or experiment name
    │   ├── InvalidValue                        a value that can't be what it must be
    │   ├── InvalidModelInput                   what a model is to predict on is not what it takes
    │   ├── ParameterError                      of a project's entry point
    │   ├── ProjectError                        an MLproject file
    │   ├── FilterError                         a filter or order_by that doesn't parse
    │   └── ConfigError                         a setting with an impossible value
    ├── NotFound                       exit 3
    │   ├── RunNotFound
    │   ├── ExperimentNotFound
    │   ├── ArtifactNotFound
    │   │   └── ArtifactsMissing                its content is neither here nor on the remote
    │   ├── ModelNotFound
    │   ├── VersionNotFound                     a registered model has no such version, or none at a stage
    │   ├── EntryPointNotFound                  a project has no such entry point
    │   ├── FlavorNotFound                      no flavor of this name, or none that knows the model
    │   ├── RevisionNotFound                    no commit, branch or tag of Git's has this name
    │   └── NotHere                             on the remote, but not in this clone
    ├── Ambiguous                      exit 3   several runs match
    ├── Conflict                       exit 4   what is there forbids it
    │   ├── ParamConflict                       a param can't change its value
    │   ├── ExperimentExists
    │   ├── VersionExists                       a version of a registered model is taken
    │   ├── PolicyRefused                       the registry's policy forbids it
    │   ├── RunStateError                       the run is not in the state it must be in
    │   ├── RunPurged                           it was purged: its id can't come back
    │   ├── RefMoved                            somebody else moved the ref first
    │   └── WorkTreeChanged                     would overwrite uncommitted work
    ├── RepositoryError                exit 5
    │   ├── NotARepository
    │   ├── UnsupportedRepository               object format, ref storage, extensions
    │   ├── ReadOnlyRepository
    │   └── GitFailed                           a git command failed
    ├── RecordError                    exit 6   data in the repository that does not decode
    │   ├── NewerFormat                         written by a newer Ledgit
    │   ├── ArtifactDamaged                     the content is not what was logged
    │   └── UnsafePath                          a path that would leave its folder
    ├── StorageError                   exit 7   the disk refused
    ├── MissingDependency              exit 8   an extra is not installed
    ├── EnvironmentFailed              exit 11  a project's environment can't be made
    ├── UntrustedModel                 exit 10  loading it would run code that nobody vouches for
    └── RemoteError                    exit 9   another repository can't be reached, or refuses
        ├── NoRemote                            nothing says which repository
        ├── Unreachable                         no network, or cut off in the middle
        ├── AccessDenied                        who we are is not known, or not enough
        ├── RemoteFull                          no room, or read-only
        └── PushRefused                         its rules don't let this in

Each keeps its values as attributes, says what is wrong and where in one sentence, and what
to do next. The arguments given to ``super().__init__`` are the constructor's own, so errors
survive pickling between processes.
"""

from __future__ import annotations

from ledgit.error_models import (
    FlavorNotFound,
    InvalidModelInput,
    ModelNotFound,
    PolicyRefused,
    UntrustedModel,
    VersionExists,
    VersionNotFound,
)
from ledgit.error_projects import EntryPointNotFound, EnvironmentFailed, ParameterError, ProjectError, ProjectFailed
from ledgit.error_roots import Conflict, LedgitError, LedgitWarning, NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AccessDenied",
    "Ambiguous",
    "ArtifactDamaged",
    "ArtifactNotFound",
    "ArtifactsMissing",
    "ConfigError",
    "Conflict",
    "EntryPointNotFound",
    "EnvironmentFailed",
    "ExperimentExists",
    "ExperimentNotFound",
    "FilterError",
    "FlavorNotFound",
    "GitFailed",
    "InvalidModelInput",
    "InvalidName",
    "InvalidValue",
    "LedgitError",
    "LedgitWarning",
    "MissingDependency",
    "ModelNotFound",
    "NewerFormat",
    "NoRemote",
    "NotARepository",
    "NotFound",
    "NotHere",
    "ParamConflict",
    "ParameterError",
    "PolicyRefused",
    "ProjectError",
    "ProjectFailed",
    "PushRefused",
    "ReadOnlyRepository",
    "RecordError",
    "RefMoved",
    "RemoteError",
    "RemoteFull",
    "RepositoryError",
    "RevisionNotFound",
    "RunNotFound",
    "RunPurged",
    "RunStateError",
    "StorageError",
    "Unreachable",
    "UnsafePath",
    "UnsupportedRepository",
    "UntrustedModel",
    "UsageError",
    "VersionExists",
    "VersionNotFound",
    "WorkTreeChanged",
]


class InvalidName(UsageError):
    """A key, path or experiment name that can't be stored; *reason* ends the sentence."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        Exception.__init__(self, kind, name, reason)
        self.kind, self.name, self.reason = kind, name, reason

    def __str__(self) -> str:
        shown = self.name if len(self.name) <= 60 else self.name[:57] + "..."
        return f"{self.kind} name {shown!r} {self.reason}"


class InvalidValue(UsageError):
    """A value of the wrong kind for *what*; *expected* says what would do."""

    def __init__(self, what: str, value: object, expected: str) -> None:
        shown = repr(value)
        Exception.__init__(self, what, shown if len(shown) <= 80 else shown[:77] + "...", expected)
        self.what, self.value, self.expected = self.args

    def __str__(self) -> str:
        return f"{self.what} is {self.value}, expected {self.expected}"


class FilterError(UsageError):
    """A filter or order_by that doesn't parse; *position* is a 0-based offset into *text*."""

    def __init__(self, text: str, position: int, reason: str) -> None:
        Exception.__init__(self, text, position, reason)
        self.text, self.position, self.reason = text, position, reason

    def __str__(self) -> str:
        return f"{self.reason}\n  {self.text}\n  {' ' * self.position}^"


class ConfigError(UsageError):
    """A setting whose value Ledgit can't use."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        Exception.__init__(self, key, value, expected)
        self.key, self.value, self.expected = key, value, expected

    def __str__(self) -> str:
        return f"{self.key} is {self.value!r}, expected {self.expected}"


class RunNotFound(NotFound):
    """No run has this id, name or revision."""

    kind = "run"
    then = "'ledgit ls' lists them, 'ledgit pull' gets those of the remote"


class ExperimentNotFound(NotFound):
    """No experiment has this name or id."""

    kind = "experiment"
    then = "'ledgit ls --columns experiment' shows them"


class ArtifactNotFound(NotFound):
    """The run has no artifact at this path."""

    kind = "artifact"


class ArtifactsMissing(ArtifactNotFound):
    """The content of artifacts is neither in this clone nor on the artifact remote.

    *paths* are theirs, *runs* those that need them, *reason* says why the remote did not help, *hint* where a
    good copy may be.
    """

    def __init__(self, paths: Sequence[str], runs: Sequence[str], reason: str, hint: str = "") -> None:
        Exception.__init__(self, tuple(paths), tuple(runs), reason, hint)
        self.paths, self.runs, self.reason, self.hint = tuple(paths), tuple(runs), reason, hint
        self.ref, self.near = self.paths[0] if self.paths else "", ()

    def __str__(self) -> str:
        more = f" and {len(self.paths) - 2:,} more" if len(self.paths) > 2 else ""
        what = ", ".join(self.paths[:2]) + more
        whose = f" of run {', '.join(run_id[:8] for run_id in self.runs[:2])}" if self.runs else ""
        hint = f"; {self.hint}" if self.hint else ""
        verb = "is" if len(self.paths) == 1 else "are"
        return f"{what}{whose} {verb} not in this clone: {self.reason}{hint}"


class CodeNotFound(NotFound):
    """The code of the run has no such file or folder."""

    kind = "file of the run's code"


class RevisionNotFound(NotFound):
    """No commit, branch or tag of Git's has this name."""

    kind = "revision"

    def __str__(self) -> str:
        if self.ref == "HEAD":
            return "there is no commit yet; make one with 'git add' and 'git commit', or name a branch"
        return super().__str__()


class NotHere(NotFound):
    """A run's commit, or the code below it, is not in this clone, which has the ledger's tip alone.

    *what* begins the sentence; *run* is what ``ledgit pull --run`` gets it by, *reason* is said
    instead where that would not help.
    """

    def __init__(self, what: str, run: str = "", reason: str = "") -> None:
        Exception.__init__(self, what, run, reason)
        self.ref, self.near = what, ()
        self.what, self.run, self.reason = what, run, reason

    def __str__(self) -> str:
        if self.reason:
            return f"{self.what} is not in this clone: {self.reason}"
        return f"{self.what} is not in this clone; 'ledgit pull --run {self.run}' gets it"


class Ambiguous(LedgitError):
    """Several runs match; *candidates* are one line each."""

    exit_code = 3

    def __init__(self, ref: str, candidates: Sequence[str]) -> None:
        super().__init__(ref, tuple(candidates))
        self.ref, self.candidates = ref, tuple(candidates)

    def __str__(self) -> str:
        listed = "\n  ".join(self.candidates[:20])
        more = f"\n  … and {len(self.candidates) - 20} more" if len(self.candidates) > 20 else ""
        return f"{self.ref!r} matches {len(self.candidates)} runs; name one by its id:\n  {listed}{more}"


class ParamConflict(Conflict):
    """A param was logged again with another value."""

    def __init__(self, key: str, old: str, new: str) -> None:
        Exception.__init__(self, key, old, new)
        self.key, self.old, self.new = key, old, new

    def __str__(self) -> str:
        return (
            f"param {self.key!r} is already {self.old!r} in this run and can't become {self.new!r};"
            " log it under another name, or start another run"
        )


class ExperimentExists(Conflict):
    """An experiment of this name is there already."""


class RunStateError(Conflict):
    """The run is active, deleted or finished where it must not be."""


class RunPurged(Conflict):
    """A tombstone stands for these runs: no run of the same id can be stored again."""

    def __init__(self, ids: Sequence[str]) -> None:
        Exception.__init__(self, tuple(ids))
        self.ids = tuple(ids)

    def __str__(self) -> str:
        which = f"run {self.ids[0][:8]} was" if len(self.ids) == 1 else f"{len(self.ids)} of the runs were"
        listed = "" if len(self.ids) == 1 else f": {', '.join(run_id[:8] for run_id in self.ids[:10])}"
        return (
            f"{which} purged from this repository and can't come back under the same id{listed};"
            " 'ledgit import --new-ids' gives such runs new ones"
        )


class RefMoved(Conflict):
    """A ref changed between reading and writing it."""

    def __init__(self, ref: str) -> None:
        Exception.__init__(self, ref)
        self.ref = ref

    def __str__(self) -> str:
        return f"{self.ref} was changed by another process at the same moment; repeat the command"


class WorkTreeChanged(Conflict):
    """Writing would overwrite uncommitted changes; *paths* are those."""

    def __init__(self, paths: Sequence[str]) -> None:
        Exception.__init__(self, tuple(paths))
        self.paths = tuple(paths)

    def __str__(self) -> str:
        shown = "\n  ".join(self.paths[:10])
        more = f"\n  … and {len(self.paths) - 10} more" if len(self.paths) > 10 else ""
        return (
            "these files have changes that would be overwritten; commit or stash them first, or use --force:"
            f"\n  {shown}{more}"
        )


class RepositoryError(LedgitError):
    """Git, or the repository, can't do what is needed."""

    exit_code = 5

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class NotARepository(RepositoryError):
    """There is no Git repository at *path*."""

    def __init__(self, path: str) -> None:
        Exception.__init__(self, path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} is not inside a Git repository; run 'git init' there, or change to one"


class UnsupportedRepository(RepositoryError):
    """A repository format that Ledgit can't write to yet."""


class ReadOnlyRepository(RepositoryError):
    """The repository can be read but not written."""


class GitFailed(RepositoryError):
    """A git command failed; *stderr* is what it said."""

    def __init__(self, command: Sequence[str], returncode: int, stderr: str) -> None:
        Exception.__init__(self, tuple(command), returncode, stderr)
        self.command, self.returncode, self.stderr = tuple(command), returncode, stderr

    def __str__(self) -> str:
        said = self.stderr.strip().splitlines()
        first = next((line for line in said if line.startswith(("fatal:", "error:"))), said[0] if said else "")
        return f"git {' '.join(self.command[:3])} failed (exit {self.returncode}): {first or 'no message'}"


class RecordError(LedgitError):
    """Data in the repository that does not decode; *where* names it."""

    exit_code = 6

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class NewerFormat(RecordError):
    """The data was written by a newer Ledgit."""

    def __init__(self, where: str, version: int, known: int) -> None:
        Exception.__init__(self, where, version, known)
        self.where, self.version, self.known = where, version, known

    def __str__(self) -> str:
        return f"{self.where} has format {self.version}, this Ledgit reads up to {self.known}; upgrade Ledgit"


class UnsafePath(RecordError):
    """A path from the repository that would leave its folder."""


class ArtifactDamaged(RecordError):
    """An artifact's content is not what was logged: *where* names it, *problem* says what is there instead."""


class StorageError(LedgitError):
    """The disk refused; *what* was being written."""

    exit_code = 7

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"can't write {self.what}: {self.reason}"


class MissingDependency(LedgitError):
    """A library that this feature needs is not installed."""

    exit_code = 8

    def __init__(self, feature: str, package: str) -> None:
        super().__init__(feature, package)
        self.feature, self.package = feature, package

    def __str__(self) -> str:
        return f"{self.feature} needs {self.package}; install it with 'pip install {self.package}'"


class RemoteError(LedgitError):
    """Another repository can't be used; *url* names it (without credentials), *reason* says why."""

    exit_code = 9

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


class NoRemote(RemoteError):
    """Nothing says which repository runs are shared through."""

    def __str__(self) -> str:
        return self.reason


class Unreachable(RemoteError):
    """There is no network, nobody answers, or the connection broke; repeat it later."""


class AccessDenied(RemoteError):
    """The host wants to know who we are, or doesn't let us."""


class RemoteFull(RemoteError):
    """There is no room, or nothing can be written: artifacts stay here until there is."""


class PushRefused(RemoteError):
    """The host's rules don't let in what was pushed."""


for _error in (
    *(Conflict, LedgitError, LedgitWarning, NotFound, UsageError),
    *(FlavorNotFound, InvalidModelInput, ModelNotFound, PolicyRefused, UntrustedModel, VersionExists, VersionNotFound),
    *(EntryPointNotFound, EnvironmentFailed, ParameterError, ProjectError, ProjectFailed),
):
    _error.__module__ = __name__  # where people know them from, in tracebacks too
del _error
