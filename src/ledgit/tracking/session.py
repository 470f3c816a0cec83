"""What this process logs to: the repository, the experiment, and each thread's stack of runs.

**Threads.** As in MLflow, a run belongs to the thread that started it, so that worker threads
can each have a run of their own. Unlike there, a thread *without* a run of its own logs into
the run that the main thread has active (MLflow would silently start another run); only when
the main thread has none either is one started for the thread.

**Processes.** A forked child shares its parent's runs and writes a journal part of its own;
its exit ends nothing. A spawned process starts with nothing: ``start_run(run_id=...)`` there
joins a run that is active elsewhere, and leaving joins nothing and ends nothing either.

**Repository.** The one around the working directory; ``LEDGIT_REPO`` or
:func:`set_tracking_uri` name another. A process that changes into a folder outside of any
repository goes on with the one it had.
"""

from __future__ import annotations

import os
import threading

from ledgit.errors import LedgitWarning, NotARepository, RepositoryError, StorageError, UsageError
from ledgit.git import Repo

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

    from ledgit.repository import Repository
    from ledgit.store.runlog import RunLog
    from ledgit.tracking.active import ActiveRun

__all__ = [
    "TROUBLE",
    "environment",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "local",
    "repo",
    "report",
    "report_in",
    "repository",
    "set_tracking_uri",
]

#: What logging survives: the disk's and Git's refusals, never a mistake in the call.
TROUBLE = (OSError, StorageError, RepositoryError)


_told: set[str] = set()
lock = threading.RLock()


class Local(threading.local):
    """One thread's runs, innermost last; ``log_metric`` is that run's own bound method.

    Attributes:
        stack: The runs this thread started and has not ended.
        last: Id of the run that ended last in this thread.
        main: The main thread's stack.
        last_ended: Id of the run that ended last in any thread.
    """

    main: ClassVar[list[ActiveRun]] = []
    last_ended: ClassVar[str | None] = None
    #: Without a run of its own a thread takes the long way round; ``values`` fills this in.
    log_metric: Callable[[str, Any, int, int | None], None]

    def __init__(self) -> None:
        self.stack: list[ActiveRun] = []
        self.last: str | None = None
        if threading.current_thread() is threading.main_thread():
            Local.main = self.stack


#: Every run this process writes to, by id, whichever thread started it.
open_runs: dict[str, ActiveRun] = {}
_explicit: str | None = None
_found: tuple[tuple[str, str | None, str], Repo] | None = None
_opened: tuple[Repo, Repository] | None = None


def environment(*names: str) -> str | None:
    """Return the first of the environment variables *names* that is set and not empty."""
    for name in names:
        value = os.environ.get(name)
        if value:
            return value
    return None


def repo() -> Repo:
    """Return the repository that runs are written to.

    Raises:
        NotARepository: There is none around the working directory, nor was there before.
    """
    global _found  # noqa: PLW0603 - a process has one current repository, as it has one working directory
    try:
        here = os.getcwd()
    except FileNotFoundError:  # the working directory was removed
        if _found is None:
            raise NotARepository("the working directory, which was removed,") from None
        return _found[1]
    named = _explicit or environment("LEDGIT_REPO")
    key = (here, named, os.environ.get("GIT_DIR", ""))
    if _found is not None and _found[0] == key:
        return _found[1]
    try:
        found = Repo.discover(path_of(named) if named else None, os.environ)
    except NotARepository:
        if named or _found is None or _found[0][1:] != key[1:] or not os.path.isdir(_found[1].common_dir):
            raise
        return _found[1]
    _found = (key, found)
    return found


def repository(of: Repo | None = None) -> Repository:
    """Return the object model over *of*, by default :func:`repo`; the last one is kept open."""
    global _opened  # noqa: PLW0603 - follows the current repository
    from ledgit.repository import Repository

    current = repo() if of is None else of
    if _opened is None or _opened[0] is not current:
        _opened = (current, Repository(current))
    return _opened[1]


def path_of(uri: str) -> str:
    """Return the folder that a tracking URI names.

    Raises:
        UsageError: It names a server or a database.
    """
    text = os.fspath(uri)
    for scheme in ("ledgit+file:", "git+file:", "file:", "ledgit:", "git:"):
        if text.startswith(scheme):
            rest = text[len(scheme) :]
            if rest.startswith("//"):
                host, _, path = rest[2:].partition("/")
                if host not in {"", "localhost"}:
                    break
                rest = f"/{path}"
            from urllib.parse import unquote

            return unquote(rest) or "."
    else:
        if "://" not in text and text != "databricks":
            return os.path.expanduser(text)
    raise UsageError(
        f"{uri!r} is not a Git repository on this machine; Ledgit keeps runs in one, so give its path or a file: URI"
    )


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Choose the repository that this process logs to and searches.

    Args:
        uri: A path, or ``file:`` / ``git+file:`` / ``ledgit:`` URI, of a Git repository or any
            folder inside one. An empty string goes back to the one around the working directory.

    Raises:
        UsageError: It is a server's or a database's address.
        NotARepository: There is no repository there.
    """
    global _explicit, _found  # noqa: PLW0603 - a process-wide setting, as in MLflow
    text = os.fspath(uri)
    if not text:
        _explicit = _found = None
        return
    path = os.path.abspath(path_of(text))
    try:
        Repo.discover(path, os.environ)
    except NotARepository:
        raise NotARepository(path) from None  # and not the folder above, where the search began
    _explicit = path


def get_tracking_uri() -> str:
    """Return the ``file:`` URI of the repository that this process logs to.

    Raises:
        NotARepository: There is none.
    """
    from urllib.parse import quote

    found = repo()
    return "file://" + quote(found.work_tree or found.git_dir)


def is_tracking_uri_set() -> bool:
    """Whether a repository was named, by :func:`set_tracking_uri` or ``LEDGIT_REPO``."""
    return bool(_explicit or environment("LEDGIT_REPO"))


def report(error: BaseException | str, what: str = "logging", *, kind: str | None = None) -> None:
    """Say once per kind of trouble what went wrong with *what*; training goes on.

    Args:
        error: What went wrong.
        what: What could not be done.
        kind: What is said once; by default the whole sentence.
    """
    text = f"{what}: {error}"
    if (kind or text) not in _told:
        import warnings

        _told.add(kind or text)
        warnings.warn(LedgitWarning(text), stacklevel=_outside())


def report_in(run: RunLog, error: BaseException, what: str) -> None:
    """Say what is missing from *run* and why, and note it in the run: its commit tells others."""
    report(error, what)
    run.note_problem(f"{what}: {error}")  # the same words, so that it is not said again at the run's end


def _outside() -> int:
    """Return the ``stacklevel`` that points a warning at the caller's line; at none when the script has ended."""
    import sys

    frame, level = sys._getframe(2), 2
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "ledgit":
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]  # None ends the loop
    return level


def monitoring() -> bool:
    """Whether runs started now log system metrics; without importing that module for a no."""
    import sys

    switch = sys.modules.get("ledgit.tracking.system_metrics")
    if switch is not None:
        return bool(switch.enabled())
    return is_on(environment("LEDGIT_SYSTEM_METRICS", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"))


def is_on(text: str | None) -> bool:
    """Whether the text of a setting means yes."""
    return text is not None and text.strip().lower() in {"1", "true", "yes", "on"}


def cell_number() -> int | None:
    """Return the number of the notebook cell that is being executed; None outside a notebook."""
    import sys

    if "ipykernel" not in sys.modules or "IPython" not in sys.modules:
        return None
    shell = sys.modules["IPython"].get_ipython()
    # The list of inputs begins with an empty one and ends with the cell that is executed now;
    # when the execution counter moves depends on IPython's version.
    return None if shell is None else len(shell.history_manager.input_hist_raw) - 1


def shared(run: ActiveRun) -> bool:
    """Whether another object of this process still writes to the run that *run* is leaving."""
    with lock:
        other = open_runs.get(run.id)
    return other is not None and other.store is run.store


def _after_fork() -> None:
    """In a forked child: the thread that forked is the main one now, and nobody holds our lock."""
    global lock  # noqa: PLW0603 - the parent's other threads, who may hold it, are gone
    lock = threading.RLock()
    Local.main = local.stack


local = Local()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
