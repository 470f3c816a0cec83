"""What runs on a worker: one attempt of a trial, in a clone of the worker's own, handed back as bytes.

Nothing of the coordinator's machine is needed: no file system, no repository, no environment. The worker needs
Python with Ledgit, git, and what the command needs.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

from ledgit.errors import ProjectError
from ledgit.projects.executors.clones import clone_for, in_use, set_up
from ledgit.projects.executors.orders import COMPLETE, FAILED, KILLED, PRUNED, TrialOrder, TrialReport
from ledgit.projects.executors.protocol import PRUNE, STOP, Channel, CodeWanted, WorkerLost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledgit.git import Repo
    from ledgit.projects.environments import Prepared
    from ledgit.projects.executors.minding import Minded, Outcome
    from ledgit.projects.workfolder import WorkFolder
    from ledgit.records.scalars import Scalar
    from ledgit.store import ActiveRun

__all__ = ["TrialOrder", "TrialReport", "run_trial", "worker_name"]

OUTPUT = "output.log"
_HANDED_ON = ("LEDGIT_RUN_ID", "LEDGIT_REPO")  # what a container gets to know of the run that it is


def run_trial(order: TrialOrder, channel: Channel | None = None) -> TrialReport:
    """Run one attempt and return what became of it. A command that fails is a result, no error.

    Args:
        order: What to run.
        channel: By it the trial is heard and asked while it runs; None: it is not.

    Raises:
        WorkerLost: The attempt began somewhere before.
        CodeWanted: The code is neither here, nor in the order, nor to be had by the channel.
        ProjectError, EntryPointNotFound, ParameterError: The project can't be run so.
        EnvironmentFailed: Its environment can't be made here.
        LedgitError: The run can't be recorded here.
    """
    clone = _clone(order, channel)
    if channel is not None and not channel.claim(order.run_id):
        raise WorkerLost("", f"attempt {order.attempt} of trial {order.number} was started before, and never heard of")
    with in_use(clone):
        return _Trial(order, clone, channel).run()


def worker_name() -> str:
    """Return the host and process, as the tag ``ledgit.sweep.worker`` has them."""
    return f"{os.uname().nodename}:{os.getpid()}"


def _clone(order: TrialOrder, channel: Channel | None) -> Repo:
    from ledgit.tracking.launching import cache_folder

    scratch = order.scratch or os.path.join(cache_folder(), "workers")
    with _making:  # threads of one worker come together
        try:
            clone = clone_for(order.code, scratch)
        except CodeWanted:
            code = channel.code(order.code.key) if channel is not None else None
            if code is None:
                raise
            clone = clone_for(code, scratch)
        settings = {"ledgit.artifactThreshold": str(order.threshold)}
        if order.remote:
            settings["ledgit.artifactRemote"] = order.remote
        set_up(clone, settings)
    return clone


_making = threading.Lock()


class _Trial:
    """One attempt on this worker."""

    def __init__(self, order: TrialOrder, clone: Repo, channel: Channel | None) -> None:
        from ledgit.store import Folder

        self.order, self.clone, self.channel = order, clone, channel
        self.folder = Folder.of(clone)
        self.problems: list[str] = []

    def run(self) -> TrialReport:
        from ledgit.projects.executors.folders import work_folder
        from ledgit.projects.executors.handing import hand_back

        order = self.order
        self._recover()
        with work_folder(self.clone, order.code) as place:
            active, outcome, state = self._record(place)
            commit = self._commit(active)
            self.problems += active.problems
            return hand_back(
                place.repo, order, {order.run_id: commit},
                status=active.status or "FAILED", state=state, exit_code=outcome.exit_code, seconds=outcome.seconds,
                worker=worker_name(), problems=self.problems,
            )  # fmt: skip

    def _recover(self) -> None:
        """Make commits of what attempts recorded whose worker was lost here; `hand_back` takes them along."""
        from ledgit.store import recover

        with _making:
            for run_id, reason in recover(self.clone, self.folder).failed.items():
                self.problems.append(f"run {run_id[:8]} on {worker_name()} can't be finalized: {reason}")

    def _record(self, place: WorkFolder) -> tuple[ActiveRun, Outcome, str]:
        """Run the command and record it."""
        from ledgit.store import ActiveRun, Facts, RunStart
        from ledgit.store.facts import environment_facts

        order = self.order
        plan = plan_command(order, place.path)
        environment = environment_facts(plan.cwd, plan.python)
        mode, name, email = order.identity
        facts = Facts(dict(order.code_facts) if order.code_facts else None, environment, mode, name, email)
        tags = {
            **order.tags,
            "ledgit.sweep.trial": str(order.number),
            "ledgit.sweep.attempt": str(order.attempt),
            "ledgit.sweep.worker": worker_name(),
        }
        if not order.command:
            tags["ledgit.project.env"] = "local" if plan.prepared is None else plan.prepared.label
        active = ActiveRun.create(
            place.repo,
            RunStart(
                experiment=order.experiment,
                name=order.name,
                run_id=order.run_id,
                parent_run=order.parent_run,
                command=plan.command,
                entry_point=order.entry_point,
                tags=tags,
                facts=facts,
                directory=order.directory,
                source=order.source,
                source_type="PROJECT",
            ),
        )
        status, state = "FAILED", FAILED
        try:
            for problem in [*place.problems, *(plan.prepared.notes if plan.prepared is not None else ())]:
                active.note_problem(problem)
            if plan.params:
                active.log_params(dict(plan.params))
            outcome = self._run_command(active, place, plan)
            status, state = judge(outcome)
            active.set_tags({"ledgit.exit_code": str(outcome.exit_code)})
            if state != KILLED:  # which says nothing of the trial: it is to be tried again
                active.set_tags({"ledgit.sweep.state": state})
        finally:
            active.finish(status)
        return active, outcome, state

    def _run_command(self, active: ActiveRun, place: WorkFolder, plan: Plan) -> Outcome:
        from ledgit.projects.executors.minding import Minded, Outcome
        from ledgit.tracking.launching import child_environment

        environ = child_environment(active.id, place.path)
        # A worker that was started by its full path has no interpreter, or another one, first on its path.
        environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), environ.get("PATH") or os.defpath])
        if plan.prepared is not None:
            environ = plan.prepared.environ(environ)
        with active.open_artifact(OUTPUT) as log:
            minded = Minded(
                plan.command,
                environ,
                log,
                plan.cwd,
                timeout=self.order.timeout,
                grace=self.order.grace,
                look=self._look(active),
            )
            try:
                outcome = minded.run()
            except OSError as error:
                text = f"{plan.command[0]!r} can't be run on {worker_name()}: {error.strerror}"
                log.write(f"{text}\n".encode("utf-8", "replace"))
                active.note_problem(text)
                outcome = Outcome(127 if isinstance(error, FileNotFoundError) else 126, 0.0)
            self._note(active, minded)
        return outcome

    def _note(self, active: ActiveRun, minded: Minded) -> None:
        if minded.problem:
            active.note_problem(minded.problem)

    def _look(self, active: ActiveRun) -> Callable[[], str]:
        channel = self.channel
        if channel is None:
            return lambda: ""
        told = 0

        def look() -> str:
            nonlocal told
            if self.order.metric:
                points = metric_points(active.directory, self.order.metric)
                if len(points) > told:
                    channel.tell(self.order.run_id, points[told:])
                    told = len(points)
            return channel.asked(self.order.run_id)

        return look

    def _commit(self, active: ActiveRun) -> str:
        from ledgit.store import finalize

        if active.commit is None:
            active.commit = finalize(self.clone, self.folder, active.id)
        if active.commit is None:
            text = f"run {active.id[:8]} can't become a commit on {worker_name()}: {'; '.join(active.problems)}"
            raise WorkerLost(worker_name(), text)
        return active.commit


def judge(outcome: Outcome) -> tuple[str, str]:
    """Return the run's status, and the trial's state."""
    if outcome.asked == PRUNE:
        return "FINISHED", PRUNED
    if outcome.asked == STOP:
        return "KILLED", KILLED
    if outcome.asked or outcome.exit_code > 128:
        return "KILLED", FAILED
    return ("FAILED", FAILED) if outcome.exit_code else ("FINISHED", COMPLETE)


def metric_points(directory: str, metric: str) -> list[tuple[int, float]]:
    """Return (step, value) of *metric* that the journal in *directory* has, in the order they were logged."""
    from ledgit.store.journal import read_parts

    try:
        points = read_parts(directory).histories.get(metric)
    except OSError:
        return []
    return [(step, value) for step, _, value in points] if points is not None else []


# ---------------------------------------------------------------------- what it runs


class Plan:
    """The command of a trial on this worker.

    Attributes:
        command: Program and arguments.
        cwd: The folder it runs in.
        params: What the run records.
        python: The interpreter to describe; None: this process's.
        prepared: The environment that was made for it; None: this process's own.
    """

    __slots__ = ("command", "cwd", "params", "prepared", "python")

    def __init__(self, command: tuple[str, ...], cwd: str, params: Mapping[str, Scalar]) -> None:
        self.command, self.cwd, self.params = command, cwd, params
        self.python: str | None = None
        self.prepared: Prepared | None = None


def plan_command(order: TrialOrder, top: str) -> Plan:
    """Return what *order* is on this worker, with the tree's files in *top*, and make its environment.

    Raises:
        ProjectError: The code has no such folder, or its project's file is wrong.
        EntryPointNotFound, ParameterError: The project can't be run so.
        EnvironmentFailed: Its environment can't be made here.
    """
    cwd = os.path.normpath(os.path.join(top, order.directory))
    if not os.path.isdir(cwd) or os.path.relpath(cwd, top).startswith(".."):
        raise ProjectError(order.directory, "is no folder of the code")
    plan = Plan(order.command, cwd, order.params or {}) if order.command else _bound(order, cwd)
    if order.manager != "local":
        _prepare(order, top, cwd, plan)
    return plan


def _bound(order: TrialOrder, cwd: str) -> Plan:
    from ledgit.projects.commands import argv, fill, shell
    from ledgit.projects.mlproject import read_project
    from ledgit.projects.parameters import bind

    entry = read_project(cwd).entry_point(order.entry_point)
    bound = bind(entry, dict(order.given), cwd)
    words = argv(entry, bound) or shell(fill(entry, bound))
    return Plan(tuple(words), cwd, bound.typed if order.params is None else order.params)


def _prepare(order: TrialOrder, top: str, cwd: str, plan: Plan) -> None:
    from ledgit.projects.environments import prepare
    from ledgit.projects.mlproject import read_project
    from ledgit.tracking.launching import cache_folder

    project = read_project(cwd)
    if not order.manager and not project.environment.kind:
        return
    with _making:  # one makes it, the others find it
        prepared = prepare(project.environment, project, order.manager, cache_folder())
    plan.command = tuple(prepared.command(plan.command, top, names=_HANDED_ON))
    plan.python = prepared.python or None
    plan.prepared = prepared
