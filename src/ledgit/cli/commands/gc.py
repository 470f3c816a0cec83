"""``ledgit gc``: show what could go, and remove runs for good."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import cleaning, context, parsing, terminal
from ledgit.errors import Conflict, RunNotFound, UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.store.gc import Plan, Selection

HELP = """\
Show what could go: deleted runs, runs whose code is on no branch or tag any more, what purges left undone, caches;
and what keeps the others alive. Without --purge, --delete or --caches nothing is changed.

--purge removes runs for good, here and on the remotes they were shared through, and leaves a tombstone so that no
clone brings them back. It is the one command that replaces the ledger of a remote; the others take that over with
their next pull or push. Runs that a branch, a tag or another run stands on are not purged: their data would stay. A
list is shown first, and you are asked; where nobody can be asked, --yes is needed. It can be interrupted, and
'ledgit gc --purge' alone completes it.

What a host keeps of deleted data is up to the host: revoke a secret that was pushed, all the same.
"""
EPILOG = """
ledgit gc                                        what could go, and why
ledgit gc calm-owl                               what keeps this run alive
ledgit gc --purge calm-owl                       remove a run here and on the remote, for good
ledgit gc --purge --commit 1a2b3c4d              runs whose code has this commit, say a secret
ledgit gc --purge --deleted --older-than 30d     deleted, then left alone for a month
ledgit gc --purge --orphaned                     runs of branches that were thrown away
ledgit gc --delete --keep 'best 5 by metrics.accuracy' --keep 'younger 30d'
ledgit gc --purge                                complete what is owed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="*", dest="refs")
    chosen = parser.add_argument_group("which runs")
    chosen.add_argument("--deleted", action="store_true", help="runs that are marked as deleted")
    chosen.add_argument("--orphaned", action="store_true", help="runs whose code is on no branch or tag any more")
    chosen.add_argument("--commit", metavar="SHA", help="runs whose code is this commit, or stands on it")
    chosen.add_argument(
        "--older-than", metavar="SPAN", help="of deleted and orphaned runs those untouched for 30d, 2w, 12h …"
    )
    chosen.add_argument(
        "--keep",
        metavar="RULE",
        action="append",
        default=[],
        help="leave these alone (repeatable): 'best N by metrics.NAME' of each experiment, 'younger 30d', 'tagged',"
        " 'registered', 'filter EXPRESSION'; without another choice all other runs are taken",
    )
    chosen.add_argument("--with-tags", action="store_true", help="registry tags that hold them may go, too")
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--purge", action="store_true", help="remove them for good; without a choice: what is owed")
    act.add_argument("--delete", action="store_true", help="only mark them as deleted")
    act.add_argument("--caches", action="store_true", help="remove what is made again when it is needed")
    act.add_argument("--auto", action="store_true", help="compact, if it is time: what happens by itself anyway")
    parser.add_argument("--dry-run", action="store_true", help="show the list, and change nothing")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--remote", metavar="NAME", help="purge here and on this remote (default: all with runs)")
    where.add_argument("--local", action="store_true", help="purge here; the remotes' part is owed")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Plan, show, ask, and do it."""
    repository = context.repository(writing=args.purge or args.delete)
    if args.auto:
        from ledgit.store.ledger import compact_if_due

        compact_if_due(repository.repo, repository.folder, background=False)
        return 0
    if args.caches and not args.dry_run:
        cleaning.say_caches(repository.clear_caches(), args.format)
        return 0
    selection = _selection(repository, args)
    if not selection:
        if args.delete:
            raise UsageError("--delete needs a choice of runs: names, --deleted, --orphaned, --commit or --keep")
        if not args.purge or args.dry_run:
            cleaning.say_survey(repository, repository.survey_garbage(older_than=_span(args)), args.format)
            return 0
        return _complete(repository, args)
    plan = repository.plan_purge(selection, context.directions(repository))
    if not (args.purge or args.delete) or args.dry_run:
        cleaning.say_plan(repository, plan, args.format)
        return 0
    return _delete(repository, args, plan) if args.delete else _purge(repository, args, plan)


def _selection(repository: Repository, args: argparse.Namespace) -> Selection:
    from ledgit.store.gc import Selection, parse_rule

    return Selection(
        runs=tuple(dict.fromkeys(_id(repository, ref) for ref in args.refs)),
        deleted=args.deleted,
        orphaned=args.orphaned,
        commit=args.commit,
        keep=tuple(parse_rule(text) for text in args.keep),
        older_than=_span(args),
        with_tags=args.with_tags,
    )


def _span(args: argparse.Namespace) -> int:
    from ledgit.store.gc import parse_span

    return parse_span(args.older_than) if args.older_than else 0


def _id(repository: Repository, ref: str) -> str:
    try:
        found = repository.run(ref)
    except RunNotFound:
        gone = [run_id for run_id in repository.index.tombstones() if len(ref) >= 4 and run_id.startswith(ref)]
        if len(gone) == 1:
            raise Conflict(
                f"run {gone[0][:8]} was purged already; 'ledgit gc --purge' completes that where it is owed"
            ) from None
        raise
    return found.id


def _delete(repository: Repository, args: argparse.Namespace, plan: Plan) -> int:
    ids = [item.run.id for item in (*plan.going, *plan.held) if not item.run.deleted]
    if ids:
        cleaning.say_list(
            repository, plan, "these runs are marked as deleted ('ledgit restore' brings them back):", args
        )
        if not cleaning.agree(f"Delete {cleaning.runs(len(ids))}?", args.yes):
            return Conflict.exit_code
    done = repository.delete_ids(ids)
    cleaning.say_deleted(done, args.format)
    return 0


def _purge(repository: Repository, args: argparse.Namespace, plan: Plan) -> int:
    from ledgit.store.gc import refusal

    refusal(plan)
    if not plan.going:
        cleaning.say_plan(repository, plan, args.format)
        return 0
    cleaning.say_list(repository, plan, f"these runs go for good, {cleaning.places(repository, args)}:", args)
    cleaning.say_artifacts(repository, plan, args)
    if not cleaning.agree(f"Purge {cleaning.runs(len(plan.going))}?", args.yes):
        return Conflict.exit_code
    return _sweep(repository, args, plan)


def _complete(repository: Repository, args: argparse.Namespace) -> int:
    return _sweep(repository, args, None)


def _sweep(repository: Repository, args: argparse.Namespace, plan: Plan | None) -> int:
    from ledgit.cli import sharing
    from ledgit.cli.progress import Progress

    with Progress() as progress:
        done = repository.purge(
            plan,
            remote=args.remote,
            local=args.local,
            confirm=sharing.confirm_purge(progress),
            prompt=terminal.interactive(),
            progress=progress,
        )
    cleaning.say_swept(done, args.format)
    return max((error.exit_code for error in done.failed.values()), default=0)
