"""``ledgit doctor``: check the repository."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style, clean

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.store.doctor import Finding

HELP = """\
Check that every run is safe, that the ledger and the index say the same, and that no setting of Git's threatens
them; say for each finding how to mend it. --mend does what can be done without you. The exit code is 1 while a
problem is left; hints do not count. Nothing but --remote uses the network.
"""
EPILOG = """
ledgit doctor
ledgit doctor --mend
ledgit doctor --remote                  ask the remote, by a ref made there and deleted
ledgit doctor --rewritten               after 'git filter-repo' or BFG
ledgit doctor --finalize 1a2b3c4d       a lost run of another machine that is known to be dead
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--mend", action="store_true", help="mend what can be mended")
    parser.add_argument(
        "--remote",
        metavar="NAME",
        nargs="?",
        const="",
        help="also ask a remote (default: the one runs are shared through) whether it takes the ledger",
    )
    finalize = parser.add_argument(
        "--finalize", metavar="RUN", action="append", default=[], help="end a lost run, known to be dead (repeatable)"
    )
    parsing.complete(finalize, "run")
    parser.add_argument(
        "--rewritten",
        metavar="MAP",
        nargs="?",
        const="",
        help="history was rewritten: point runs to the new commits (default: the list git filter-repo or BFG left)",
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Examine, and print the findings."""
    from ledgit.store.doctor import PROBLEM, mend

    repository = context.repository()
    if args.finalize:
        forced = tuple(repository.run(ref).id for ref in args.finalize)
        done = repository.recover(force=forced)
        for run_id, why in done.failed.items():
            terminal.note(f"ledgit: run {run_id[:8]} could not be finalized: {why}")
    mended = [] if args.rewritten is None else _follow(repository, args.rewritten)
    findings = _examine(repository, args.remote)
    if args.mend and findings:
        mended += mend(repository.repo, repository.folder, repository.index, findings)
        mended += _remove_dead_environments()
        findings = _examine(context.repository(), args.remote)
    if args.format == "json":
        names = ("level", "group", "key", "what", "mend")
        shown = [{name: getattr(finding, name) for name in names} for finding in findings]
        terminal.write(render.json_text({"findings": shown, "mended": mended}))
    else:
        _print(findings, mended)
    return 1 if any(finding.level == PROBLEM for finding in findings) else 0


def _follow(repository: Repository, path: str) -> list[str]:
    """Make runs point to rewritten commits; return what was done."""
    from ledgit.store.doctor import follow

    done = follow(repository.repo, repository.folder, repository.index, path or None)
    if not done.runs and not done.failed:
        return ["no run points to a commit that was rewritten"]
    old = "the ledger's history has the old ones until 'ledgit gc --purge'"
    lines = [f"runs that point to the new commits now: {len(done.runs)}; {old}"]
    lines += [f"run {run[:8]} had uncommitted changes, which are kept as they were" for run in done.changed]
    lines += [f"run {run[:8]} still points to the old commit: {why}" for run, why in done.failed.items()]
    return lines


def _examine(repository: Repository, remote: str | None) -> list[Finding]:
    from ledgit.cli.progress import Progress
    from ledgit.store.doctor import ask_remote, examine, in_order

    where = (repository.repo, repository.folder, repository.index)
    with Progress() as progress:
        findings = [*examine(*where, progress), *_dead_environments()]
    return findings if remote is None else in_order([*findings, *ask_remote(*where, remote or None)])


def _dead_environments() -> list[Finding]:
    """Return the environments of projects whose interpreter was uninstalled; they are the user's, not a run's."""
    from ledgit.projects.environments import list_environments
    from ledgit.store.doctor import HINT, Finding
    from ledgit.tracking.launching import cache_folder

    dead: dict[str, list[str]] = {}
    for one in list_environments(cache_folder()):
        if one.gone:
            dead.setdefault(one.gone, []).append(one.key[:12])
    found = []
    for python, keys in sorted(dead.items()):
        which = f"environment {keys[0]} stands" if len(keys) == 1 else f"environments {', '.join(keys)} stand"
        what = f"of the environments that projects ran in, {which} on {python}, which is gone"
        mends = "'ledgit doctor --mend' removes what nothing can run in; it is made anew when it is wanted"
        found.append(Finding(HINT, "environments", "environments.dead", what, mends))
    return found


def _remove_dead_environments() -> list[str]:
    from ledgit.projects.environments import list_environments, remove_environments
    from ledgit.tracking.launching import cache_folder

    cache = cache_folder()
    dead = tuple(one.key for one in list_environments(cache) if one.gone)
    if not dead:
        return []
    gone, stay = remove_environments(cache, keys=dead)
    done = [f"removed the environment {one.key[:12]}, whose interpreter is gone" for one in gone]
    return done + [f"the environment {one.key[:12]} stays: something runs in it" for one in stay]


def _print(findings: list[Finding], mended: list[str]) -> None:
    from ledgit.store.doctor import PROBLEM

    style = Style(terminal.use_color())
    lines = [style.green("mended") + "   " + clean(line) for line in mended]
    heading = ""
    for finding in findings:
        if heading != f"{finding.level} {finding.group}":
            heading = f"{finding.level} {finding.group}"
            paint = style.red if finding.level == PROBLEM else style.yellow
            lines.append(f"{paint(finding.level)}: {finding.group}")
        lines.append(f"  {clean(finding.what)}")
        lines.append(f"  → {clean(finding.mend)}")
    terminal.write("\n".join(lines or [style.green("all is well")]) + "\n")
