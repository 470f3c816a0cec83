"""start_run, end_run, active_run, and the run they give.

A run is *owned* by the process that started or resumed it, and only its owner ends it. A run
that is joined (``start_run(run_id=...)`` of one that is active in another process or thread,
or ``LEDGIT_RUN_ID``, which ``ledgit run`` sets for its child) is only left.
"""

from __future__ import annotations

import os
import sys

from ledgit.errors import InvalidValue, LedgitError, RunNotFound, RunStateError, UsageError
from ledgit.store import ActiveRun as Store
from ledgit.store import RunStart
from ledgit.tracking import exits, experiments, session
from ledgit.tracking.active import ActiveRun, bind
from ledgit.tracking.launching import repetition_tags
from ledgit.tracking.session import environment, local

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any

    from ledgit.run import Run

__all__ = ["ActiveRun", "active_run", "current", "end_run", "last_active_run", "open_run", "start_run"]

NOTE = "mlflow.note.content"
STATUSES = ("FINISHED", "FAILED", "KILLED")


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
) -> ActiveRun:
    """Start a run and make it this thread's active one.

    Args:
        run_id: Go on with this run: joined if it is being written, resumed (status RUNNING
            again) if it has ended. An id prefix or name will do. Default: ``LEDGIT_RUN_ID`` or
            ``MLFLOW_RUN_ID``, which counts once.
        experiment_id: Its experiment, by id or name; default what :func:`set_experiment` chose.
        run_name: A name people can read; random if None.
        nested: Start it inside this thread's active run.
        parent_run_id: The run it belongs to; default the active one if *nested*.
        tags: Tags to begin with; values are stored as text.
        description: A note, kept as the tag ``mlflow.note.content``.
        log_system_metrics: Sample CPU, memory, disk, network and GPU while it is active;
            default what :func:`enable_system_metrics_logging` chose.

    Returns:
        The run, usable as a context manager.

    Raises:
        RunStateError: A run is active in this thread and *nested* is false, the run or its
            parent is deleted, or the parent is not the active run.
        RunNotFound: There is no run *run_id* or *parent_run_id*.
        ExperimentNotFound: There is no experiment *experiment_id*.
        NotARepository: The working directory is in no Git repository.
    """
    _forget_ended(local.stack)
    stack = [run for run in local.stack if run._pid == os.getpid()]  # a fork's inherited runs don't count
    if stack and not nested:
        raise RunStateError(
            f"run {stack[-1].name} ({stack[-1].id[:8]}) is already active; end it with end_run() first,"
            " or start one inside it with start_run(nested=True)"
        )
    given = dict(tags or {})
    if description is not None:
        if NOTE in given:
            raise UsageError(f"the description is given twice: as description= and as the tag {NOTE!r}")
        given[NOTE] = description
    monitored = session.monitoring() if log_system_metrics is None else log_system_metrics
    plan = None
    if monitored:
        from ledgit.tracking import system_metrics

        plan = system_metrics.make_plan()  # what is wrong with it shows before there is a run to end
    wanted = run_id or environment("LEDGIT_RUN_ID", "MLFLOW_RUN_ID")
    if wanted is not None:
        if run_id is None:
            for name in ("LEDGIT_RUN_ID", "MLFLOW_RUN_ID"):
                os.environ.pop(name, None)
        run = _again(wanted, run_name, given)
    else:
        run = _new(experiment_id, run_name, parent_run_id, given, local.stack if nested else stack)
    _push(run)
    if plan is not None:
        run._monitor = system_metrics.Monitor(run.store, plan)
        run._monitor.start(resumed=wanted is not None)
    return run


def _new(
    experiment_id: str | None, name: str | None, parent: str | None, tags: dict[str, Any], stack: list[ActiveRun]
) -> ActiveRun:
    parent = parent or tags.pop("mlflow.parentRunId", None)
    name = name or tags.pop("mlflow.runName", None)
    if parent is not None:
        if stack and parent not in {stack[-1].id, stack[-1].name}:
            raise RunStateError(
                f"run {stack[-1].id[:8]} is active, so run {parent[:8]} can't be the parent of a nested one;"
                " end the active run first"
            )
        parent = _parent_id(parent)
    elif stack:
        parent = stack[-1].id
    start = RunStart(
        experiment=experiments.for_new_run(experiment_id),
        name=name,
        tags={**_ci_tags(), **{key: str(value) for key, value in tags.items()}, **repetition_tags()},
        parent_run=parent,
        entry_point=_entry_point(sys.argv),
    )
    store = Store.create(session.repo(), start)
    exits.install()
    return ActiveRun(store, owned=True)


def _ci_tags() -> dict[str, str]:
    if "GITHUB_EVENT_PATH" not in os.environ and "CI_MERGE_REQUEST_IID" not in os.environ:
        return {}
    from ledgit.tracking.ci import ci_tags

    return ci_tags()


def _entry_point(argv: list[str]) -> str:
    """Return the script that runs, as its user would name it; '' at a prompt or for ``-c``."""
    script = argv[0] if argv else ""
    if script in {"", "-c", "-"}:
        return ""
    if os.path.isabs(script):
        tree = session.repo().work_tree
        if tree is not None and script.startswith(tree.rstrip("/") + "/"):
            return os.path.relpath(script)
    return script


def _parent_id(reference: str) -> str:
    with session.lock:
        if reference in session.open_runs:
            return reference
    parent = session.repository().run(reference)
    if parent.deleted:
        raise RunStateError(f"run {parent.id[:8]} is deleted and can't have nested runs; restore it first")
    return str(parent.id)


def _again(reference: str, name: str | None, tags: dict[str, Any]) -> ActiveRun:
    run = attach(reference)
    exits.install()
    if name:
        run.store.set_field("name", name)
    if tags:
        run.store.set_tags({key: str(value) for key, value in tags.items()})
    return run


def attach(reference: str) -> ActiveRun:
    """Return a writable handle on an existing run: shared, joined or resumed.

    Raises:
        RunNotFound: There is no such run.
        RunStateError: It is deleted.
    """
    with session.lock:
        here = session.open_runs.get(reference)
    if here is not None:
        return ActiveRun(here.store, owned=False)
    repo = session.repo()
    known = session.repository().run(reference)
    if known.deleted:
        raise RunStateError(f"run {known.id[:8]} is deleted and can't be written to; restore it first")
    if known.status == "RUNNING":
        try:
            return ActiveRun(Store.join(repo, known.id), owned=False)
        except (RunNotFound, RunStateError):
            pass  # it ended between the two looks
    return ActiveRun(Store.resume(repo, known.id, known.heads), owned=True)


def _push(run: ActiveRun) -> None:
    with session.lock:
        session.open_runs.setdefault(run.id, run)
    local.stack.append(run)
    bind(local.stack)


def end_run(status: str = "FINISHED") -> None:
    """End this thread's active run, if there is one.

    Args:
        status: ``FINISHED``, ``FAILED`` or ``KILLED``.

    Raises:
        InvalidValue: It is another word.
    """
    text = str(getattr(status, "value", status)).upper()
    if text not in STATUSES:
        raise InvalidValue("the status of an ended run", status, "FINISHED, FAILED or KILLED")
    if local.stack:
        local.stack[-1].finish(text)


def active_run() -> ActiveRun | None:
    """Return the run that this thread's logging goes into, or None.

    A thread without a run of its own gets the main thread's; see :mod:`ledgit.tracking.session`.
    """
    _forget_ended(local.stack)
    for run in reversed(local.stack or session.Local.main):
        if not run._ended:
            return run
    return None


def _forget_ended(stack: list[ActiveRun]) -> None:
    """Drop the runs that another thread ended; this one could not be told."""
    if stack and stack[-1]._ended:
        stack[:] = [run for run in stack if not run._ended]
        bind(stack)


def last_active_run() -> ActiveRun | Run | None:
    """Return the active run, or else the last one that ended in this thread (any thread's if none did)."""
    run = active_run()
    if run is not None:
        return run
    last = local.last or session.Local.last_ended
    return session.repository().run(last) if last else None


def current() -> ActiveRun:
    """Return the run that logging goes into; one is started if there is none."""
    return active_run() or start_run()


class open_run:  # noqa: N801 - used like a function in ``with``
    """The store's handle on the run that a call with ``run_id=`` means, for the time of a ``with`` block.

    Without an id it is the current run. A run that has ended is resumed, and ends again with
    the status and time it had: logging late is no new life.
    """

    def __init__(self, run_id: str | None) -> None:
        self._run_id = run_id
        self._attached: ActiveRun | None = None
        self._before: tuple[str, int | None] | None = None

    def __enter__(self) -> Store:
        if self._run_id is None:
            return current().store
        with session.lock:
            here = session.open_runs.get(self._run_id)
        if here is not None:
            return here.store
        known = session.repository().run(self._run_id)
        self._before = (known.status, known.end)
        self._attached = attach(self._run_id)
        return self._attached.store

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._attached
        if run is None:
            return
        if not run.owned:
            run.finish()
            return
        assert self._before is not None
        status, end = self._before
        run._ended = True  # ended here, with the time it had
        try:
            run.store.finish(status, end_time=end)
        except LedgitError as error:
            session.report(error, f"logging to the ended run {run.id[:8]}")
