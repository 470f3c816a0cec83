"""Beginning a sweep, and going on with one."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ledgit.errors import UsageError
from ledgit.projects.sweeps.control import KILL_NOW, Control, end_leftovers
from ledgit.projects.sweeps.overview import REASON, SWEEP, find_sweep, read_plan, read_trials
from ledgit.projects.sweeps.plan import PLAN_FILE, SweepPlan
from ledgit.projects.sweeps.site import Site
from ledgit.records.words import new_run_id
from ledgit.store import ActiveRun, RunStart, protect_code, take_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledgit.projects.sources import Source
    from ledgit.projects.sweeps.trials import Trial
    from ledgit.repository import Repository
    from ledgit.run import Run
    from ledgit.store import Facts

__all__ = ["Opened", "end_dead", "resume", "start", "stop"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A sweep that is about to run.

    Attributes:
        plan: What it does.
        parent: Its run, active.
        control: Held by this process.
        site: What its trials run, and where.
        known: What is known of its trials.
    """

    plan: SweepPlan
    parent: ActiveRun
    control: Control
    site: Site
    known: Mapping[int, Trial]


def start(
    repository: Repository,
    plan: SweepPlan,
    base: str,
    *,
    project: str = "",
    progress: Callable[[str], object] | None = None,
    parent_run: str | None = None,
) -> Opened:
    """As ``Sweep.start``; *project* as ``ledgit run`` takes it, "": the plan's folder of this repository."""
    from ledgit.projects.workfolder import remove_dead

    plan = plan.checked()
    remove_dead(repository)
    run_id = new_run_id()
    if project:
        plan, facts, source = _elsewhere(repository, plan, project, progress)
    else:
        facts, source = take_facts(repository.repo, _python(plan)), None
    site = Site.make(repository, plan, facts, progress, source)
    control = Control(repository.folder, run_id)
    try:
        plan = replace(plan, space=site.check(plan.points(), base))
        site.plan = plan
        control.take()
        parent = _begin(repository, plan, site.facts, run_id, parent_run)
    except BaseException:
        control.release()
        site.close()
        raise
    _guard(parent, site.facts)
    return Opened(plan, parent, control, site, {})


def _guard(parent: ActiveRun, facts: Facts) -> None:
    """Have the sweep's own run keep the code, once for all trials."""
    protect_code(parent, facts)
    facts.guarded = True


def _elsewhere(
    repository: Repository, plan: SweepPlan, project: str, progress: Callable[[str], object] | None
) -> tuple[SweepPlan, Facts, Source]:
    """Find a project by its address, and bring its files here; return the plan with where it is.

    The source is to be released when the sweep has ended: it keeps the files from ``git gc``.
    """
    from ledgit.projects.sources import bring_here, resolve
    from ledgit.tracking.launching import cache_folder

    def tell(what: str, _done: int, _total: int | None) -> None:
        if progress is not None:
            progress(what)

    source = resolve(project, plan.version, cache_folder(), repository, tell)
    try:
        if plan.in_place and (source.tree is not None or source.foreign):
            raise UsageError(
                "--in-place runs the files of the repository you are in, and the project is something else"
            )
        address = source.address if source.kind != "folder" or source.foreign else ""
        plan = replace(plan, directory=source.subdir, source=address)
        if source.tree is None and not source.foreign:
            return plan, take_facts(repository.repo, _python(plan)), source
        tree, commit = source.tree, source.commit
        if tree is None:
            with take_facts(source.repo) as there:
                if there.tree is None:
                    raise UsageError("ledgit.snapshot is none in the project's repository; commit, and give -v HEAD")
                bring_here(source, repository.repo, there.tree)
                tree = there.tree
        elif source.foreign:
            bring_here(source, repository.repo, tree)
        # Foreign history is nobody's ledger's: the runs have the files, and no parent.
        own = not source.foreign and source.kind in ("folder", "version", "run")
        known = (commit, source.branch) if own else (None, None)
        return plan, take_facts(repository.repo, _python(plan), tree, known[0], branch=known[1]), source
    except BaseException:
        source.release()
        raise


def _begin(repository: Repository, plan: SweepPlan, facts: Facts, run_id: str, parent_run: str | None) -> ActiveRun:
    parent = ActiveRun.create(
        repository.repo,
        RunStart(
            experiment=plan.experiment,
            name=plan.name or None,
            run_id=run_id,
            parent_run=parent_run,
            entry_point=plan.entry_point,
            tags={SWEEP: _title(plan)},
            facts=facts,
            directory=plan.directory,
            source=plan.source,
            source_type="LOCAL" if plan.command else "PROJECT",
        ),
    )
    # What tells sweeps apart in a list; all there is to know is in the plan.
    parent.log_params({"sampler": plan.sampler, "trials": plan.trials})
    parent.log_params({f"space.{name}": text for name, text in plan.space.items() if text})
    _write_plan(parent, plan)
    return parent


def _write_plan(parent: ActiveRun, plan: SweepPlan) -> None:
    parent.add_artifact_bytes(PLAN_FILE, plan.to_json().encode("utf-8"))


def _title(plan: SweepPlan) -> str:
    what = plan.entry_point or " ".join(plan.command)
    return f"{what[:100]} by {plan.sampler}"


def _python(plan: SweepPlan) -> str | None:
    """Return the interpreter to describe: the command's, where it is another than this process's."""
    if not plan.command or not os.path.basename(plan.command[0]).startswith(("python", "pypy")):
        return None
    import sys

    from ledgit.projects.child import find

    program = find(plan.command[0])
    return program if program != sys.executable else None


def resume(
    repository: Repository,
    ref: str,
    *,
    progress: Callable[[str], object] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Opened:
    """As ``Sweep.resume``."""
    from ledgit.projects.workfolder import remove_dead

    run = find_sweep(repository, ref)
    plan = read_plan(run)
    control = Control(repository.folder, run.id)
    control.take()
    site: Site | None = None
    try:
        known = end_dead(repository, run.id, plan)
        remove_dead(repository)
        run = repository.run(run.id)
        changed = _changed(plan, dict(changes or {}), known)
        site = Site.make(repository, changed, _facts(repository, run, changed), progress)
        parent = ActiveRun.resume(repository.repo, run.id, run.heads)
        if changed != plan:
            _write_plan(parent, changed)
        if REASON in parent.tags:
            parent.delete_tag(REASON)
    except BaseException:
        if site is not None:
            site.close()
        control.release()
        raise
    _guard(parent, site.facts)
    return Opened(changed, parent, control, site, known)


def _changed(plan: SweepPlan, changes: dict[str, Any], known: Mapping[int, Trial]) -> SweepPlan:
    """Return the plan with what is to be different from now on.

    Raises:
        UsageError: It can't be carried out, or leaves nothing to try.
    """
    changed = replace(plan, **{key: value for key, value in changes.items() if value is not None}).checked()
    if sum(trial.ended and trial.number < changed.trials for trial in known.values()) >= changed.trials:
        size = changed.points().size() if changed.sampler == "grid" else None
        more = "the grid has no more points" if size == changed.trials else "--trials with a greater number adds some"
        raise UsageError(f"all {changed.trials} trials of this sweep have ended; {more}")
    return changed


def end_dead(repository: Repository, run_id: str, plan: SweepPlan) -> dict[int, Trial]:
    """End what a coordinator that died left running, make commits of what it recorded; return the trials.

    The caller holds the sweep's lock, so that whatever still runs here is nobody's.
    """
    end_leftovers(run_id, plan.grace)
    repository.recover()
    return read_trials(repository, repository.run(run_id), plan)


def stop(repository: Repository, ref: str, word: str, *, wait: float = 60.0) -> bool:
    """Have a sweep end that another process runs, or that one which died left behind.

    Args:
        repository: Where its runs are.
        ref: What names it.
        word: ``stop``, ``kill`` or ``finish``.
        wait: Seconds to wait for the other process.

    Returns:
        Whether it has ended; it may take longer than *wait*.

    Raises:
        NotFound: There is no such sweep.
    """
    import time

    run = find_sweep(repository, ref)
    control = Control(repository.folder, run.id)
    if not control.is_held():
        control.take()
        try:
            plan = read_plan(run)
            end_dead(repository, run.id, replace(plan, grace=0.0) if word == KILL_NOW else plan)
        finally:
            control.release()
        return True
    control.ask(word)
    deadline = time.monotonic() + wait
    while control.is_held():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _facts(repository: Repository, run: Run, plan: SweepPlan) -> Facts:
    """Return the code that the sweep began with; every trial has the same, unless they run in the user's folder."""
    from ledgit.git import Objects, ObjectSet, code_tree_without_run

    if plan.in_place:
        return take_facts(repository.repo, _python(plan))
    code = run.record().info.code
    objects = Objects.of(repository.repo)
    fresh = ObjectSet()
    tree = code.tree
    pack = ""
    if tree is not None and not objects.exists(tree):  # in another clone: only the run's commit came along
        tree = code_tree_without_run(objects, fresh, run.heads[0])
        pack = os.path.basename(fresh.write(repository.repo, keep=True).path)
    if tree is None:
        return take_facts(repository.repo, _python(plan))
    commit = code.commit if code.commit and objects.exists(code.commit) else None
    return take_facts(repository.repo, _python(plan), tree, commit, branch=code.branch, pack=pack)
