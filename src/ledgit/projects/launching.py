"""One run of a project: its command started, watched and recorded."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.errors import UsageError
from ledgit.projects.child import KILLED_BY_TIMEOUT, Child, find
from ledgit.projects.kept import artifact_files
from ledgit.projects.strays import stores_in, take_strays
from ledgit.projects.watching import Watch
from ledgit.store import ActiveRun, RunStart
from ledgit.tracking.launching import child_environment, repetition_tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ledgit.opened import Opened
    from ledgit.projects.environments.prepared import Prepared
    from ledgit.projects.workfolder import WorkFolder
    from ledgit.records.scalars import Scalar
    from ledgit.store import Facts

__all__ = ["OUTPUT", "Launch", "Launched", "launch"]

OUTPUT = "output.log"
"""Artifact that keeps what the command prints."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to be run, and how.

    Attributes:
        command: Program and arguments; a program that is a relative path is one below the folder it runs in.
        work: The folder it runs in; None: the user's own work tree.
        directory: Where below the top of it.
        facts: Code and environment, where they are known; None: they are collected beside the run.
        prepared: Its environment; None: that of this process.
        entry_point: Name of the entry point, or the script.
        params: Params of the run.
        texts: What the command got for some of *params*, where that is another text. These are recorded when it has
            ended, unless it recorded them itself: what it logs must not clash with what we think of it.
        source: The project's address, without credentials.
        experiment: Label of the run's experiment.
        name: Name of the run; a random one by default.
        run_id: Its id; a random one by default.
        tags: Its first tags.
        parent_run: The run it is nested in.
        variables: What its environment has besides.
        timeout: Seconds after which it is ended.
        grace: Seconds between asking and killing.
        keep: Files and folders to keep when it has ended, below the folder it ran in.
        output: Keep what it prints.
        show: Pass on what it prints.
        stdin: What it reads from; default: what we do. -3 (`subprocess.DEVNULL`): nothing.
        notes: What is not as the project wants it, among the run's problems.
        capture: Record what the command's own argument parser makes of its arguments.
    """

    command: tuple[str, ...]
    work: WorkFolder | None = None
    directory: str = ""
    facts: Facts | None = None
    prepared: Prepared | None = None
    entry_point: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    experiment: str = "Default"
    name: str | None = None
    run_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    parent_run: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    grace: float = 10.0
    keep: tuple[str, ...] = ()
    output: bool = True
    show: bool = True
    stdin: int | None = None
    notes: tuple[str, ...] = ()
    capture: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """How it ended.

    Attributes:
        run_id: The run.
        status: FINISHED, FAILED or KILLED.
        exit_code: Of the command; 128 and the signal's number, or 124 after a timeout.
        seconds: How long the command ran.
        commit: The run's commit, None where it is finalized later.
        problems: What could not be recorded.
    """

    run_id: str
    status: str
    exit_code: int
    seconds: float
    commit: str | None = None
    problems: tuple[str, ...] = ()


def launch(repository: Opened, order: Launch, started: Callable[[ActiveRun, Child], object] | None = None) -> Launched:
    """Run a command to its end and record it; in the main thread signals are passed on to it.

    Nothing that it started is left behind.

    Args:
        repository: Where the run is recorded.
        order: What to run.
        started: Called before the command starts: with its run, and with what asks it to end from another thread.

    Raises:
        UsageError: There is no such program, or folder; nothing is recorded.
        StorageError: The run can't be recorded, and the command is not started.
    """
    folder = _folder(repository, order)
    top = order.work.path if order.work is not None else repository.path
    base = child_environment("", top, PWD=folder, **order.variables)
    if order.work is not None:
        from ledgit.git import outside_environment

        base = outside_environment(base)  # a hook's GIT_DIR is the user's repository
    prepared = order.prepared
    environ = base if prepared is None else prepared.environ(base)
    command = list(order.command)
    if prepared is None or prepared.manager != "docker":
        check_program(command[0], environ, folder)
    run = ActiveRun.create(
        repository.repo,
        RunStart(
            experiment=order.experiment,
            name=order.name,
            run_id=order.run_id,
            parent_run=order.parent_run,
            command=order.command,
            entry_point=order.entry_point,
            tags={**order.tags, **repetition_tags()},
            python=(prepared.python or None) if prepared is not None else None,
            facts=order.facts,
            directory=order.directory,
            source=order.source,
            source_type="PROJECT",
        ),
    )
    status, code, begun = "FAILED", 1, time.monotonic()
    watched = order.work is not None and not environ.get("MLFLOW_TRACKING_URI")
    stores = stores_in(folder) if watched else {}
    strays: list[str] = []
    try:
        run.log_params({key: value for key, value in order.params.items() if key not in order.texts})
        for note in (*order.notes, *(order.work.problems if order.work is not None else ())):
            run.note_problem(note)
        environ["LEDGIT_RUN_ID"] = run.id
        if "MLFLOW_RUN_ID" in environ:
            environ["MLFLOW_RUN_ID"] = run.id
        code = _run(run, order, command, environ, folder, started)
        status = "FINISHED" if code == 0 else "KILLED" if 128 < code <= 192 or code == KILLED_BY_TIMEOUT else "FAILED"
    except KeyboardInterrupt:
        status, code = "KILLED", 128 + signal.SIGINT
        raise
    finally:
        seconds = time.monotonic() - begun
        commit = run.finish(status)
        if watched:
            strays = take_strays(repository, folder, run.id, stores)
    return Launched(run.id, status, code, seconds, commit, (*run.problems, *strays))


def check_program(program: str, environ: Mapping[str, str], folder: str) -> None:
    """See whether *program* can be started in *folder*.

    Raises:
        UsageError: It can't.
    """
    if find(program, environ.get("PATH"), folder) is not None:
        return
    path = os.path.join(folder, program)
    if os.path.dirname(program) and os.path.isfile(path):
        raise UsageError(f"{program!r} may not be executed (chmod +x makes it so, and Git keeps that); nothing was run")
    raise UsageError(f"there is no command {program!r}; nothing was run")


def _folder(repository: Opened, order: Launch) -> str:
    if order.work is not None:
        return order.work.folder(order.directory)
    path = os.path.join(repository.path, *order.directory.split("/")) if order.directory else repository.path
    if not os.path.isdir(path):
        raise UsageError(f"there is no folder {path!r}")
    return path


def _run(
    run: ActiveRun,
    order: Launch,
    command: list[str],
    environ: dict[str, str],
    folder: str,
    started: Callable[[ActiveRun, Child], object] | None,
) -> int:
    name = f"ledgit-{run.id[:12]}"
    inside = order.prepared is not None and order.prepared.manager == "docker"
    if inside and order.capture:
        run.note_problem("what a parser within a container makes of its arguments is not seen: nothing was captured")
    captured = os.path.join(run.directory, "captured") if order.capture and not inside else ""
    watch = Watch(order.command, folder, order.work.path if order.work is not None else None, captured)
    environ = watch.environment(environ)
    if order.prepared is not None:
        command = order.prepared.command(command, folder, names=_handed(environ, order), name=name)
    log = run.open_artifact(OUTPUT) if order.output else None
    child = Child(
        command,
        environ,
        log,
        cwd=folder,
        group=True,
        timeout=order.timeout,
        grace=order.grace,
        stdin=order.stdin,
        show=order.show,
        keep_open=() if order.work is None else (order.work.fileno(),),
    )
    try:
        if started is not None:
            started(run, child)
        code = child.run()
    except OSError as error:
        run.note_problem(f"{command[0]} could not be started: {error.strerror or error}")
        code = 126
    finally:
        if log is not None:
            log.close()
        if child.problem:
            run.note_problem(child.problem)
        _stop_container(order, name)
    if child.timed_out:
        run.note_problem(f"it ran for more than {order.timeout:g} s and was ended")
    run.set_tags({"ledgit.exit_code": str(code)})
    watch.record(run, succeeded=code == 0)
    _late_params(run, order)
    _keep(run, order.keep, folder)
    return code


def _handed(environ: Mapping[str, str], order: Launch) -> list[str]:
    return [name for name in ("LEDGIT_RUN_ID", "MLFLOW_RUN_ID", *order.variables) if name in environ]


def _stop_container(order: Launch, name: str) -> None:
    """End a container whose command was killed: it is a child of the Docker daemon and not of ours."""
    words = None if order.prepared is None else order.prepared.stop_command(name)
    if words is not None:
        import subprocess

        try:
            subprocess.run(words, stdin=-3, stdout=-3, stderr=-3, check=False, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return  # mostly it is gone, as it should be


def _late_params(run: ActiveRun, order: Launch) -> None:
    if not order.texts:
        return
    from ledgit.store import read_parts

    known: set[Any] = set()
    for kind, item in read_parts(run.directory).events:
        if kind == "params":
            known.update(item["values"])
    run.log_params({key: order.params[key] for key in order.texts if key in order.params and key not in known})


def _keep(run: ActiveRun, wanted: tuple[str, ...], folder: str) -> None:
    """Store the files asked for; one that is not there is said, and the rest is kept."""
    for path in wanted:
        try:
            for source, name in artifact_files([os.path.join(folder, path)]):
                run.add_artifact(source, name)
        except UsageError as error:
            run.note_problem(str(error))
