"""``ledgit run PROJECT``: what is said before, during and after it."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.cli.progress import Progress
from ledgit.cli.text import clean
from ledgit.errors import NotARepository, UsageError

if TYPE_CHECKING:
    from ledgit.projects.running import Plan, Request
    from ledgit.repository import Repository


def run_project(args: argparse.Namespace, command: list[str]) -> int:
    """Run the project that the arguments name, or show what would be run; return the exit code."""
    if len(args.project) > 1:
        words = " ".join(args.project[:3])
        raise UsageError(f"there is one PROJECT; to run a command put '--' before it: ledgit run -- {words}")
    from ledgit.projects.running import execute, make_plan
    from ledgit.tracking.launching import cache_folder

    repository = _around(args)
    request = _request(args, command, repository)
    with Progress() as progress:
        plan = make_plan(request, repository, cache_folder(), os.getcwd(), progress, dry=args.dry_run)
    with plan:
        if args.dry_run:
            terminal.write(_shown(plan))
            return 0
        for note in plan.notes:
            terminal.note(f"ledgit: {clean(note)}")
        launched = execute(plan, _started)
    for problem in launched.problems:
        if problem not in plan.notes:
            terminal.note(f"ledgit: {clean(problem)}")
    if repository is None and plan.repository.repo.work_tree is None:
        where = plan.repository.repo.git_dir
        terminal.note(f"ledgit: recorded in {where}; 'ledgit -C {where} show {launched.run_id[:8]}' shows it")
    return launched.exit_code


def _around(args: argparse.Namespace) -> Repository | None:
    try:
        return context.repository(writing=not args.dry_run)
    except NotARepository:
        if os.environ.get("LEDGIT_REPO"):
            raise
        return None


def _request(args: argparse.Namespace, command: list[str], repository: Repository | None) -> Request:
    from ledgit.projects.parameters import read_parameters
    from ledgit.projects.running import Request

    if command and args.entry_point:
        raise UsageError("an entry point and a command are two things to run; leave out '-e' or what is behind '--'")
    given = args.experiment
    if repository is not None:
        experiment = context.experiment(repository, given)
    else:
        experiment = given or context.named_experiment() or "Default"
    return Request(
        uri=args.project[0] if args.project else ".",
        entry_point=args.entry_point,
        command=tuple(command),
        parameters=read_parameters(args.parameters),
        version=args.version,
        manager=args.env_manager,
        in_place=args.in_place,
        experiment=experiment,
        name=args.name,
        tags={**context.ci_tags(), **parsing.pairs(args.tag, "tag")},
        params={key: parsing.typed(value) for key, value in parsing.pairs(args.param, "param").items()},
        parent_run=context.current_run(),
        timeout=parsing.seconds("--timeout", args.timeout),
        keep=tuple(args.keep),
        output=not args.no_output,
        capture=args.capture_args,
        build_image=args.build_image,
    )


def _started(run: object, _child: object) -> None:
    from ledgit.store import ActiveRun

    assert isinstance(run, ActiveRun)
    terminal.note(f"ledgit: run {run.name} ({run.id[:8]})")


def _shown(plan: Plan) -> str:
    """Return what would be run, for people."""
    from shlex import join

    source = plan.source
    rows = [
        ("project", source.address + (f" ({plan.project.name})" if plan.project.file else "")),
        ("entry point", plan.entry_point),
        ("command", join(plan.command)),
        ("folder", source.subdir or "."),
        ("code", _code(plan)),
        ("environment", _environment(plan)),
    ]
    bound = plan.bound
    if bound is not None:
        given = plan.request.parameters
        values = {**bound.values, **bound.extra}
        rows += [
            (f"parameter {name}", f"{value!r}" + ("" if name in given else " (default)"))
            for name, value in values.items()
        ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{clean(name):<{width}}  {clean(value)}" for name, value in rows]
    lines += [f"note: {clean(note)}" for note in plan.notes]
    return "\n".join(lines) + "\n"


def _code(plan: Plan) -> str:
    source = plan.source
    if source.tree is not None:
        commit = f"commit {source.commit[:12]}, " if source.commit else ""
        return f"{commit}tree {source.tree[:12]}"
    from ledgit.git import SnapshotOptions, run_git, take_snapshot

    found = take_snapshot(source.repo, SnapshotOptions("none"))
    if found.commit is None:
        return "files that are not committed yet"
    is_changed = found.dirty or bool(run_git(source.repo, "status", "--porcelain"))
    changed = "with uncommitted changes" if is_changed else f"tree {(found.head_tree or '')[:12]}"
    on = f" ({found.branch})" if found.branch else ""
    return f"commit {found.commit[:12]}{on}, {changed}"


def _environment(plan: Plan) -> str:
    spec = plan.project.environment
    declared = os.path.basename(spec.path) if spec.path else spec.kind
    return plan.manager + (f", from {declared}" if declared and plan.manager != "local" else "")
