"""One execution of a run's command in a work folder, recorded as a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.projects.repro.trace import Trace, read_trace, traced_environment
from ledgit.projects.repro.verdict import Outcome, Series

if TYPE_CHECKING:
    from ledgit.projects.child import Child
    from ledgit.projects.repro.interpreter import Chosen
    from ledgit.projects.repro.recipe import Recipe
    from ledgit.projects.workfolder import WorkFolder
    from ledgit.records import RunRecord
    from ledgit.repository import Repository, Run
    from ledgit.store import ActiveRun
    from ledgit.store.given import Facts

__all__ = ["BY", "BY_VARIABLE", "NOT_STARTED", "REPRO", "Executed", "Order", "execute", "outcome_of"]

REPRO = "ledgit.repro"
#: On further runs that a repeated command starts: the run that is its repetition.
BY = "ledgit.repro.by"
BY_VARIABLE = "LEDGIT_REPRO_BY"
NOT_STARTED = "can't be started"
_EXIT_CODE = "ledgit.exit_code"
_OUTPUT = "output.log"
_TAIL = 1 << 14
_LONGEST = 200
# What would put further runs, or the program's own git commands, somewhere else.
_ELSEWHERE = (
    *("LEDGIT_EXPERIMENT", "LEDGIT_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"),
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is executed.

    Attributes:
        repository: Where runs are recorded.
        original: The run that is repeated.
        recipe: Its recipe.
        command: The words to start, with secrets and this machine's paths.
        work: Where.
        chosen: In which environment.
        facts: What each execution records.
        environ: Variables to set besides.
        before: Folders to put on ``PYTHONPATH``.
        timeout: Seconds; None: as long as it takes.
        show: Pass on what the command prints.
        trace: Note which files Python opens.
    """

    repository: Repository
    original: Run
    recipe: Recipe
    command: tuple[str, ...]
    work: WorkFolder
    chosen: Chosen
    facts: Facts
    environ: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    timeout: float | None = None
    show: bool = True
    trace: bool = True


@dataclass(frozen=True, slots=True)
class Executed:
    """What an execution gave.

    Attributes:
        run: Its run.
        record: That run, read whole.
        outcome: What is compared of it.
        trace: What it opened.
        began: When it began, seconds since the epoch.
        seconds: How long the command ran.
        interrupted: Somebody pressed Ctrl-C.
        made: Where the command made more runs than this one: which of them repeats which run, by its id.
    """

    run: Run
    record: RunRecord
    outcome: Outcome
    trace: Trace
    began: float
    seconds: float
    interrupted: bool = False
    made: Mapping[str, Run] = field(default_factory=dict)


def execute(order: Order, name: str, tags: Mapping[str, str], asked: Callable[[], object] | None = None) -> Executed:
    """Run the command once, to its end, whatever that is.

    The first run that the command starts itself joins the one that is made here; further ones have the tag
    ``ledgit.repro.by``.

    Args:
        order: What to run.
        name: Of the run.
        tags: Of the run, besides ``ledgit.repro``.
        asked: Called when Ctrl-C was passed on.
    """
    import time

    from ledgit.projects.child import Child
    from ledgit.projects.watching import Watch
    from ledgit.store import ActiveRun, RunStart

    recipe = order.recipe
    repo = order.repository.repo
    start = RunStart(
        experiment=recipe.experiment,
        name=name,
        command=recipe.command,
        entry_point=recipe.entry_point,
        tags={REPRO: recipe.run_id, **tags},
        facts=order.facts,
        directory=recipe.directory,
        source_type=recipe.source_type,
    )
    interrupted: list[bool] = []

    def note_interrupt() -> None:
        interrupted.append(True)
        if asked is not None:
            asked()

    active = ActiveRun.create(repo, start)
    trace = os.path.join(order.work.repo.git_dir, "ledgit-trace")  # goes with the work folder
    status, code, problem = "FAILED", 1, ""
    began = time.time()
    try:
        environ = _environment(order, active.id, trace)
        cwd = order.work.folder(recipe.directory)
        watch = Watch(order.command, cwd, order.work.path) if _EXIT_CODE in order.original.tags else None
        log = active.open_artifact(_OUTPUT)
        command = order.chosen.prepared.command(list(order.command), order.work.path)
        child = Child(
            command,
            environ,
            log,
            cwd=cwd,
            group=True,
            timeout=order.timeout,
            stdin=-3,  # subprocess.DEVNULL: what a program was asked then is not recorded
            show=order.show,
            keep_open=(order.work.fileno(),),
            asked=note_interrupt,
        )
        try:
            code = child.run()
        except OSError as error:
            code, problem = 127, f"{command[0]} {NOT_STARTED}: {error.strerror}"
        finally:
            log.close()
            if child.problem:
                active.note_problem(child.problem)
        status, problem = _ended(active, child, order, code, problem)
        active.set_tags({_EXIT_CODE: str(code)})
        active.set_field("name", name)
        if watch is not None:
            watch.record(active, succeeded=code == 0)
        _keep(order, active, began)
    finally:
        seconds = time.time() - began
        active.finish(status)
    run = order.repository.run(active.id)
    record = run.record()
    noted = read_trace(trace)
    if os.path.exists(trace):
        os.unlink(trace)
    if status != "FINISHED" and not problem:
        problem = _last_words(run) or f"exit code {code}"
    outcome = outcome_of(run, record, problem)
    return Executed(run, record, outcome, noted, began, seconds, bool(interrupted))


def outcome_of(run: Run, record: RunRecord, problem: str = "") -> Outcome:
    """Return what is compared of a run."""
    code = run.tags.get(_EXIT_CODE, "")
    metrics: dict[str, Series] = {}
    for key, points in record.histories.items():
        metrics[key] = tuple((step, value) for step, _, value in points.sorted_unique())
    for key, value in record.metrics.items():
        metrics.setdefault(key, ((0, value),))
    return Outcome(
        run.id,
        run.name,
        run.status,
        metrics,
        {key: str(value) for key, value in record.params.items()},
        {item.path: item.digest for item in record.artifacts},
        int(code) if code.isdecimal() else None,
        problem,
    )


def _environment(order: Order, run_id: str, trace: str) -> dict[str, str]:
    from ledgit.tracking.launching import child_environment

    environ = child_environment(run_id, order.work.path, **{BY_VARIABLE: run_id}, **order.environ)
    for variable in _ELSEWHERE:
        environ.pop(variable, None)
    environ = order.chosen.prepared.environ(environ)
    if order.trace and order.chosen.prepared.manager != "docker":
        return traced_environment(environ, trace, list(order.before))
    if order.before:
        environ["PYTHONPATH"] = os.pathsep.join([*order.before, *filter(None, [environ.get("PYTHONPATH", "")])])
    return environ


def _ended(active: ActiveRun, child: Child, order: Order, code: int, problem: str) -> tuple[str, str]:
    """Return the status, and why it is none to be glad of."""
    if child.timed_out:
        return "KILLED", f"it ran into the timeout of {order.timeout:g} s"
    if _EXIT_CODE not in order.original.tags and code <= 128:
        # The program itself said how its run ended, as it did then: it may fail, or go on, after that.
        said = [item.get("status") for kind, item in active.read().events if kind == "left"]
        if said and said[-1] in ("FINISHED", "FAILED", "KILLED"):
            return str(said[-1]), problem
    return ("FINISHED" if code == 0 else "KILLED" if 128 < code <= 192 else "FAILED"), problem


def _keep(order: Order, active: ActiveRun, began: float) -> None:
    """Keep the files that ``ledgit run --keep`` kept of the run, and log its params that came from the command line."""
    if _EXIT_CODE not in order.original.tags:
        return
    record = order.original.record()
    known = active.params
    active_params = {
        key: value for key, value in record.params.items() if key not in known and key not in _logged(active)
    }
    if active_params:
        active.log_params(active_params)
    have = set(active.artifact_files())
    top = os.path.join(order.work.path, order.recipe.directory)
    for item in record.artifacts:
        if item.path in have or item.path == _OUTPUT:
            continue
        path = os.path.join(top, *item.path.split("/"))
        try:
            if os.path.isfile(path) and os.stat(path).st_mtime >= began - 1:
                active.add_artifact(path, item.path)
        except OSError:
            continue


def _logged(active: ActiveRun) -> set[str]:
    """Return the params that other processes logged into the run."""
    return {key for kind, item in active.read().events if kind == "params" for key in item["values"]}


def _last_words(run: Run) -> str:
    """Return the last line that the command printed."""
    from ledgit.records.harmless import clean, fit

    try:
        with run.open_artifact(_OUTPUT, fetch=False) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except Exception:  # what it printed is an aside
        return ""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return fit(clean(last.strip()), _LONGEST)
