"""``ledgit push``: share runs."""

from __future__ import annotations

import os

from ledgit.cli import context, sharing, terminal
from ledgit.cli.text import clean
from ledgit.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from ledgit.opened import Opened
    from ledgit.store.artifacts.uploaded import Uploaded
    from ledgit.store.sync import Pushed

_NAMED = 3  # runs held back before that are named
HELP = """\
Send the runs that a remote lacks, after taking in what it has, and then the tags of the registry. Nothing else travels:
none of your branches and no other tag is pushed, and no hook or setting of yours for 'git push' plays a part. It can be
interrupted and repeated at any point.

A run carries the code it ran. Before code becomes public that is not on the remote yet you are asked, once a
repository; where nobody can be asked such runs stay here. So do runs with something in them that looks like a secret,
and runs that the host refuses: each with its reason, and the others go. Artifacts go to the artifact remote first; a
run whose artifacts can't be sent stays too. Without such a remote they stay here, and the runs go.

The exit code is 4 if a run that was asked for with --runs stayed, or if one was held back for the first time and
nothing went.
"""
EPILOG = """
ledgit push
ledgit push --dry-run -v                 what would go, and what would become public with it
ledgit push --publish pushed-code        only runs whose code is on the remote already
ledgit push --runs calm-owl brave-fox
ledgit push --no-artifacts               the runs now, their artifacts with a later push
ledgit push https://example.org/team/runs.git
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from ledgit.cli import parsing

    parser.add_argument(
        "remote",
        metavar="REMOTE",
        nargs="?",
        help="name or address (default: ledgit.remote, else origin, else the only one)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and push nothing")
    parser.add_argument("-v", "--verbose", action="store_true", help="with --dry-run: name the artifacts, too")
    chosen = parser.add_argument("--runs", metavar="RUN", nargs="+", default=[], help="push these runs alone")
    parsing.complete(chosen, "run")
    publish = parser.add_mutually_exclusive_group()
    publish.add_argument(
        "--publish",
        choices=("ask", "all", "pushed-code"),
        help="runs whose code is not on the remote: ask, push them too, or hold them back (default: ledgit.publish)",
    )
    publish.add_argument("--all", dest="publish", action="store_const", const="all", help="the same as --publish all")
    allowed = parser.add_argument(
        "--allow-secret",
        metavar="RUN",
        action="append",
        default=[],
        help="push a run although something in it looks like a secret (repeatable)",
    )
    parsing.complete(allowed, "run")
    parser.add_argument("--retry", action="store_true", help="also try runs again that the host refused")
    parser.add_argument("--accept-purges", action="store_true", help="let runs go that were purged elsewhere")
    parser.add_argument(
        "--no-artifacts", dest="artifacts", action="store_false", help="send the runs without their artifacts"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Push, and say what went and what stayed."""
    from ledgit.cli.progress import Progress
    from ledgit.store.sync import PushOptions

    runs: list[str] | None = None
    allowed: list[str] = []
    if args.runs or args.allow_secret:
        named = context.repository(writing=True)
        runs = [named.run(ref).id for ref in args.runs] or None
        allowed = [named.run(ref).id for ref in args.allow_secret]
    repository = context.sharing(writing=True)
    with Progress() as progress:
        options = PushOptions(
            runs=runs,
            dry_run=args.dry_run,
            losses=1 if _in_ci() else 3,
            retry=args.retry,
            policy=args.publish,
            ask=sharing.ask_to_publish(progress, dry=args.dry_run),
            allow_secrets=allowed,
            accept_purges=args.accept_purges,
            confirm=sharing.confirm_purge(progress),
            prompt=terminal.interactive(),
            artifacts=args.artifacts,
        )
        done = repository.push(args.remote, options, progress)
    sharing.say_notes(done.notes)
    news = _news(repository, done, asked=bool(args.runs))
    if args.format == "json":
        from ledgit.cli import render

        terminal.write(render.json_text(_as_json(done)))
    else:
        terminal.write("\n".join(_lines(repository, done, news, names=args.verbose)) + "\n")
    stayed = bool(news or done.left) and (bool(args.runs) or not done.sent)
    if done.tags and done.tags.held and not (done.tags.sent or done.sent):
        stayed = True
    return Conflict.exit_code if stayed or done.declined else 0


def _news(repository: Opened, done: Pushed, *, asked: bool) -> dict[str, str]:
    """Return the held runs that somebody should hear of, with the reasons: id → why.

    All where runs were *asked* for by name. Else not those that stayed before, nor deleted ones: nobody waits for
    them, and a script would fail on them until they are purged.
    """
    news = {}
    for run_id, held in done.held.items():
        state = None if asked else repository.index.get(run_id)
        if asked or (run_id not in done.known and not (state is not None and state.deleted)):
            news[run_id] = held.reason
    return news


def _in_ci() -> bool:
    """Whether this is a job that many others may run beside, and that nobody waits for patiently."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _lines(repository: Opened, done: Pushed, news: dict[str, str], *, names: bool = False) -> list[str]:
    if done.declined:
        return ["nothing was pushed"]
    lines = []
    sent = sharing.counted(done.sent)
    if done.dry_run:
        lines += _planned(done, sent)
        news = {run_id: held.reason for run_id, held in done.held.items()}  # somebody wants to know
    elif done.inbox is not None:
        lines.append(f"pushed {sent} into an inbox of {done.remote}, whose ledger is busy; the next push takes them in")
    elif sent:
        lines.append(f"pushed {sent} to {done.remote}")
    elif not news:
        lines.append(f"{done.remote} has all {'other ' * bool(done.held or done.left)}runs")
    received = sharing.counted(done.received)
    if received:
        lines.append(f"received {received}")
    if done.artifacts is not None:
        lines += _artifacts(done.artifacts, names=names)
    elif sent:
        be = "would be" if done.dry_run else "were"
        lines.append(f"artifacts {be} left out; another 'ledgit push' sends them")
    if news:
        lines.append(f"{'would hold' if done.dry_run else 'held'} back {sharing.runs(len(news))}:")
        lines += sharing.reasons(repository, news)
    if len(news) < len(done.held):
        lines.append(_still(repository, done, news))
    if done.left:
        lines.append(f"left out {sharing.runs(len(done.left))}:")
        lines += sharing.reasons(repository, done.left)
    if done.tags:
        from ledgit.cli.registry_shared import pushed_lines

        lines += pushed_lines(done.tags, dry=done.dry_run)
    if done.purged:
        lines.append(f"dropped {sharing.runs(len(done.purged))} here that had been purged elsewhere")
    return lines


def _artifacts(done: Uploaded, *, names: bool = False) -> list[str]:
    """Say what went to the artifact remote, or would go, and what is only here."""
    from ledgit.cli.text import size

    lines = []
    if done.planned:
        total = sum(item.bytes for item in done.planned)
        lines.append(f"would send artifacts to {clean(done.remote)}: {_objects(len(done.planned))}, {size(total)}")
        if names:
            lines += [f"  {clean(item.path)} of {item.runs[0][:8]}, {size(item.bytes)}" for item in done.planned]
    if done.sent:
        lines.append(f"sent artifacts to {clean(done.remote)}: {_objects(done.sent)}, {size(done.bytes)}")
    if done.here:
        what = f"artifacts of {sharing.runs(done.here.runs)} ({_objects(done.here.objects)}, {size(done.here.bytes)})"
        mend = "the next push tries again" if done.remote else "'ledgit artifacts remote URL' says where they can go"
        lines.append(f"only in this clone: {what}; {mend}")
    if done.again:
        lines.append(
            f"somebody was deleting artifacts of {sharing.runs(len(done.again))} when they were sent: a 'ledgit push'"
            " in two hours looks whether they are there"
        )
    if done.trouble:
        lines.append(f"the artifact remote could not be used: {clean(done.trouble)}")
    if done.absent:
        what = f"artifacts of {sharing.runs(len(done.absent))}"
        lines.append(f"neither here nor on the artifact remote: {what}; 'ledgit push' where they were made sends them")
    return lines


def _objects(count: int) -> str:
    return f"{count:,} {'object' if count == 1 else 'objects'}"


def _still(repository: Opened, done: Pushed, news: dict[str, str]) -> str:
    """Name the runs that were held back before, and count the deleted ones."""
    names, deleted = [], 0
    for run_id in done.held:
        state = repository.index.get(run_id) if run_id not in news else None
        if state is not None and state.deleted:
            deleted += 1
        elif run_id not in news:
            names.append(clean(state.name) if state is not None and state.name else run_id[:8])
    shown = names[:_NAMED]
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    if deleted:
        shown.append(f"{deleted:,} deleted")
    return f"still held back: {', '.join(shown)}; 'ledgit push --dry-run' says why"


def _planned(done: Pushed, sent: str) -> list[str]:
    """Say what a push would send, and the code that would become public with it."""
    if not sent:
        return [f"{done.remote} has all runs"] if not done.held else [f"nothing would go to {done.remote}"]
    lines = [f"would push {sent} to {done.remote}"]
    review = done.review
    if review is None or not (review.commits or review.uncommitted):
        return lines
    lines.append("and publish code that is not there yet, after asking unless that was agreed to before:")
    lines += [f"  {commit.oid[:8]} {clean(commit.subject)}" for commit in review.commits]
    if review.uncommitted:
        lines.append(f"  uncommitted changes in {sharing.runs(len(review.uncommitted))}")
    return lines


def _held(done: Pushed, run_id: str) -> dict[str, Any]:
    held = done.held[run_id]
    return {"kind": held.kind, "reason": held.reason, "before": run_id in done.known}


def _as_json(done: Pushed) -> dict[str, Any]:
    review = done.review
    return {
        "remote": done.remote,
        **sharing.as_json(done.sent),
        "received": sharing.as_json(done.received),
        "held": {run_id: _held(done, run_id) for run_id in done.held},
        "left": done.left,
        "published": [commit.oid for commit in review.commits] if review is not None else [],
        "inbox": done.inbox,
        "attempts": done.attempts,
        "declined": done.declined,
        "dry_run": done.dry_run,
        "notes": done.notes,
        "artifacts": _artifacts_as_json(done.artifacts),
        "tags": _tags_as_json(done),
    }


def _tags_as_json(done: Pushed) -> dict[str, Any] | None:
    if done.tags is None:
        return None
    from ledgit.cli.registry_shared import pushed_json

    return pushed_json(done.tags)


def _artifacts_as_json(done: Uploaded | None) -> dict[str, Any] | None:
    if done is None:
        return None
    return {
        "remote": done.remote or None,
        "sent": done.sent,
        "bytes": done.bytes,
        "planned": [
            {"path": item.path, "bytes": item.bytes, "md5": item.oid, "runs": item.runs} for item in done.planned
        ],
        "only_here": {"runs": done.here.runs, "objects": done.here.objects, "bytes": done.here.bytes},
        "absent": done.absent,
        "trouble": done.trouble,
        "looked_at_again": sorted(done.again),
    }
