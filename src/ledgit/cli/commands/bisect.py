"""``ledgit bisect``: which commit made a metric worse."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.text import Style, clean, number
from ledgit.errors import RevisionNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledgit.repository import Repository
    from ledgit.review.bisecting import Found, Wanted

HELP = """\
Find the first commit at which a metric is worse than at GOOD by at least --drop. Commits that have runs are decided by
these; where there is none the project is run, in a folder of its own: nothing of yours is checked out. Without an entry
point or a command, only the runs there are decide. An interrupted search goes on with 'ledgit bisect' alone.

Exits with 0 if the commit was found, else with 1.
"""
EPILOG = """
ledgit bisect v1.0..main --metric accuracy --drop 0.02
ledgit bisect v1.0..main --metric accuracy --drop 0.02 -e train -P epochs=3
ledgit bisect v1.0..HEAD --metric loss --drop 0.1 -- python train.py
ledgit bisect                           go on
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("revs", metavar="GOOD..BAD", nargs="?", default="", help="between which commits")
    parser.add_argument("command", metavar="-- COMMAND", nargs="*", help="what to run where a commit has no run")
    parser.add_argument("--metric", metavar="NAME", default="", help="the metric")
    parser.add_argument("--drop", metavar="AMOUNT", type=float, default=0.0, help="how much worse counts")
    parser.add_argument(
        "-e", "--entry-point", metavar="ENTRY", default="", help="entry point to run where there is no run"
    )
    parser.add_argument(
        "-P",
        "--param-list",
        dest="parameters",
        metavar="K=V",
        action="append",
        default=[],
        help="its parameters (repeatable)",
    )
    parser.add_argument("--reset", action="store_true", help="forget the search that was interrupted")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Search."""
    from ledgit.review.bisecting import Search, load, save
    from ledgit.review.settings import read_committed

    repository = context.repository(writing=True)
    if args.reset:
        save(repository.folder, None)
        return 0
    wanted = _wanted(repository, args) if args.revs else load(repository.folder)
    if wanted is None:
        raise UsageError("no search was interrupted; begin one: ledgit bisect GOOD..BAD --metric accuracy --drop 0.02")
    style = Style(terminal.use_color())

    def tell(commit: str, value: float | None, how: str, left: int) -> None:
        save(repository.folder, wanted)
        shown = "" if value is None else f" {number(value)}"
        rest = f" ({left} commits left)" if left else ""
        terminal.note(f"{style.yellow(commit[:8])}{shown}  {clean(how)}{style.dim(rest)}")

    search = Search(repository, wanted, read_committed(repository.repo), _runner(repository, wanted), tell)
    save(repository.folder, wanted)  # what can't be searched is not gone on with
    found = search.find()
    save(repository.folder, None)
    if args.format == "json":
        terminal.write(render.json_text({**found.to_dict(), "broken": wanted.broken}))
    else:
        _print(repository, found, style)
    return 0 if found.state == "found" else 1


def _wanted(repository: Repository, args: argparse.Namespace) -> Wanted:
    from ledgit.git import try_git
    from ledgit.review.bisecting import Wanted

    good, dots, bad = args.revs.partition("..")
    if not dots or not good or bad.startswith("."):
        raise UsageError(f"{args.revs!r} is no range; write GOOD..BAD")
    if not args.metric or not args.drop > 0:
        raise UsageError("say what is looked for: --metric NAME --drop AMOUNT, with an amount above 0")
    if args.entry_point and args.command:
        raise UsageError("name an entry point or a command, not both")
    commits = []
    for rev in (good, bad or "HEAD"):
        code, out, _ = try_git(
            repository.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"
        )
        if code != 0:
            raise RevisionNotFound(rev)
        commits.append(out.decode("ascii").strip())
    params = parsing.pairs(args.parameters, "parameter")
    return Wanted(commits[0], commits[1], args.metric, args.drop, args.entry_point, tuple(args.command), params)


def _runner(repository: Repository, wanted: Wanted) -> Callable[[str], str] | None:
    """Return what runs the project at a commit; None where nothing says what to run."""
    if not wanted.entry_point and not wanted.command:
        return None
    from ledgit.errors import LedgitError
    from ledgit.projects.running import Request, execute, make_plan
    from ledgit.tracking.launching import cache_folder

    top = repository.repo.work_tree or repository.repo.git_dir

    def run_at(commit: str) -> str:
        request = Request(
            uri=top,
            version=commit,
            entry_point=wanted.entry_point,
            command=wanted.command,
            parameters=wanted.parameters,
            experiment=context.experiment(repository, None),
            tags={"ledgit.bisect": wanted.metric},
        )
        try:
            with make_plan(request, repository, cache_folder(), top) as plan:
                done = execute(plan)
        except LedgitError as error:
            return str(error)
        return "" if done.status == "FINISHED" else f"exit code {done.exit_code}"

    return run_at


def _print(repository: Repository, found: Found, style: Style) -> None:
    from ledgit.git import run_git

    if not found.suspects:
        terminal.write(clean(found.reason) + "\n")
        return
    title = "the first commit that is worse:" if found.state == "found" else "it is one of these commits:"
    terminal.write(f"{style.bold(title)} {clean(found.reason)}\n")
    args = ("log", "--no-walk=unsorted", "--format=%h %an, %ad%n    %s", "--date=short", "--no-show-signature")
    out = run_git(repository.repo, *args, "--end-of-options", *found.suspects[:20], "--")
    for line in out.decode("utf-8", "replace").splitlines():
        terminal.write(f"  {clean(line)}\n")
    more = len(found.suspects) - 20
    if more > 0:
        terminal.write(f"  and {more} more\n")
