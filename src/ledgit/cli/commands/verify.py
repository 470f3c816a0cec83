"""``ledgit verify``: hash every byte of runs again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ledgit.cli import context, parsing, render, sharing, terminal
from ledgit.cli.progress import Progress
from ledgit.cli.text import clean, size
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.store.artifacts.verifying import Problem, Verified

HELP = """\
Hash every byte of runs again: their commits and files in Git, the small artifacts in their trees against their
digests, large ones in this clone's cache and, with --remote, what the artifact remote has: all of it is read. What is
damaged or missing is named with the runs that need it, and with the places where a good copy was found: this clone's
cache, the artifact remote, DVC's own cache, the work tree. A list of files that is as it was written, and does not
decode, is unreadable: no copy is better.

Exits with 1 if something is damaged, missing or unreadable, and was not repaired.
"""
EPILOG = """
ledgit verify calm-owl
ledgit verify --all                  every run, in this clone
ledgit verify --all --remote         also everything on the artifact remote
ledgit verify calm-owl --repair      take good copies from the other place
"""
_LISTED = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="*", dest="refs")
    parser.add_argument("--all", action="store_true", help="every run, deleted ones too")
    parser.add_argument("--remote", action="store_true", help="also read what the artifact remote has")
    parser.add_argument("--repair", action="store_true", help="replace what is damaged by a good copy")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Verify, and say what is wrong."""
    from ledgit.query import Query
    from ledgit.store.artifacts.verifying import VerifyOptions
    from ledgit.store.sync.tip import tip_exists

    if bool(args.refs) == args.all:
        raise UsageError("name the runs to verify, or say --all")
    repository = context.repository(writing=args.repair)
    if args.all:
        runs = [found for found in repository.search(Query(view="all")) if found.heads]
    else:
        runs = [repository.run(ref) for ref in args.refs]
        active = next((found for found in runs if not found.heads), None)
        if active is not None:
            raise UsageError(f"run {active.name} is still being written; verify it when it has ended")
    with Progress() as progress:
        if tip_exists(repository.repo):  # the clone has the list of runs alone
            repository.fetch_runs(runs, progress)
        done = repository.verify(runs, VerifyOptions(remote=args.remote, repair=args.repair), progress)
    if args.format == "json":
        terminal.write(render.json_text(_as_json(done)))
    else:
        terminal.write("\n".join([*_problems(repository, done), *_summary(done, args)]) + "\n")
    return 1 if done.damaged else 0


def _problems(repository: Repository, done: Verified) -> list[str]:
    lines = []
    for problem in done.problems[:_LISTED]:
        where = {"cache": "in this clone's cache", "remote": f"on {clean(done.remote)}", "git": "in Git"}
        lines.append(f"{problem.state} {where[problem.where]}: {clean(problem.path)}{_whose(repository, problem)}")
        lines.append(f"  {clean(problem.oid)}{'; ' + clean(problem.why) if problem.why else ''}")
        if problem.repaired:
            lines.append(f"  repaired by the copy {_place(problem.repaired)}")
        elif problem.copies:
            lines.append(f"  good copies: {', '.join(map(_place, problem.copies))}; --repair takes one")
        elif problem.state == "unreadable":
            lines.append(
                "  every copy is like this one: if no newer Ledgit reads it, log the run again;"
                " 'ledgit gc RUN --purge' removes it"
            )
        elif problem.where == "git":
            lines.append(
                "  another clone that has the run may have it whole: 'git fetch' does not replace what is here"
            )
        else:
            lines.append("  no good copy was found; the clone where the run was made may have one")
    if len(done.problems) > _LISTED:
        lines.append(f"… and {len(done.problems) - _LISTED:,} more; --json lists all")
    return lines


def _whose(repository: Repository, problem: Problem) -> str:
    names = []
    for run_id in problem.runs[:3]:
        state = repository.index.get(run_id)
        names.append(f"{clean(state.name)} ({run_id[:8]})" if state is not None else run_id[:8])
    more = f" and {len(problem.runs) - 3:,} more" if len(problem.runs) > 3 else ""
    return f" of {', '.join(names)}{more}" if names else ""


def _place(copy: str) -> str:
    return "in this clone's cache" if copy == "cache" else f"at {clean(copy)}"


def _summary(done: Verified, args: argparse.Namespace) -> list[str]:
    parts = [f"{done.git:,} objects of Git", f"{done.files:,} small artifacts", f"{done.objects:,} large ones here"]
    if args.remote:
        parts.append(f"{done.there:,} on {clean(done.remote)}")
    lines = [f"verified {sharing.runs(done.runs)}: {', '.join(parts)}; {size(done.bytes)}"]
    if done.elsewhere:
        lines.append(f"{done.elsewhere:,} large artifacts are not in this clone; --remote reads them on {done.remote}")
    bad = len(done.damaged)
    lines.append(
        f"{bad:,} {'is' if bad == 1 else 'are'} damaged, missing or unreadable" if bad else "nothing is damaged"
    )
    return lines


def _as_json(done: Verified) -> dict[str, Any]:
    return {
        "runs": done.runs,
        "git_objects": done.git,
        "files": done.files,
        "objects": done.objects,
        "remote_objects": done.there,
        "bytes": done.bytes,
        "elsewhere": done.elsewhere,
        "remote": done.remote or None,
        "problems": [
            {
                "where": problem.where,
                "state": problem.state,
                "path": problem.path,
                "runs": problem.runs,
                "id": problem.oid,
                "why": problem.why,
                "copies": problem.copies,
                "repaired": problem.repaired or None,
            }
            for problem in done.problems
        ],
    }
