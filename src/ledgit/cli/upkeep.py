"""Words of ``ledgit artifacts gc``: the cache and the artifact remote lose what no run needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ledgit.cli import context, render, terminal
from ledgit.cli.progress import Progress
from ledgit.cli.text import clean, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.store.artifacts.sweeping import SweptThere
    from ledgit.store.artifacts.tidying import Tidied

__all__ = ["sweep_remote", "tidy"]


def tidy(args: argparse.Namespace) -> int:
    """Clean this clone's cache."""
    from ledgit.store.artifacts.tidying import TidyOptions
    from ledgit.store.gc import parse_span

    repository = context.repository(writing=args.sweep)
    options = TidyOptions(act=args.sweep, grace=parse_span(args.grace), pushed=args.pushed)
    with Progress() as progress:
        done = repository.tidy_artifacts(options, progress)
    if args.format == "json":
        terminal.write(render.json_text(_tidied_json(done, acted=args.sweep)))
        return 0
    terminal.write("\n".join(_tidied(done, args)) + "\n")
    return 0


def _tidied(done: Tidied, args: argparse.Namespace) -> list[str]:
    lines = [f"in the cache: {_objects(done.objects)}, {size(done.bytes)}"]
    if args.sweep:
        gone = {oid: count for oid, count in {**done.unneeded, **done.pushed}.items() if oid in set(done.removed)}
        lines.append(f"removed {_sum(gone)}" if gone else "nothing was removed")
        if done.used:
            lines.append(f"{_objects(done.used)} left: somebody has just used them")
        return lines
    if done.unneeded:
        lines.append(f"no run here needs {_sum(done.unneeded)}")
    if done.pushed:
        lines.append(f"the artifact remote has {_sum(done.pushed)} of pushed runs")
    if done.young:
        lines.append(f"used within {args.grace}, and staying: {_objects(done.young)} that no run needs")
    if done.unneeded or done.pushed:
        lines.append(f"nothing was changed; --sweep removes {size(sum({**done.unneeded, **done.pushed}.values()))}")
    else:
        lines.append("there is nothing that could go")
    return lines


def _tidied_json(done: Tidied, *, acted: bool) -> dict[str, Any]:
    return {
        "objects": done.objects,
        "bytes": done.bytes,
        "unneeded": done.unneeded,
        "pushed": done.pushed,
        "young": done.young,
        "removed": done.removed,
        "used": done.used,
        "dry_run": not acted,
    }


def sweep_remote(args: argparse.Namespace) -> int:
    """Clean the artifact remote."""
    from ledgit.store.artifacts.sweeping import SweepOptions
    from ledgit.store.gc import parse_span

    repository = context.repository(writing=args.sweep)
    options = SweepOptions(
        act=args.sweep, grace=parse_span(args.grace), unshared=args.unshared, prompt=terminal.interactive()
    )
    with Progress() as progress:
        done = repository.sweep_artifacts(None, options, progress)
    if args.format == "json":
        terminal.write(render.json_text(_swept_json(done, acted=args.sweep)))
    else:
        terminal.write("\n".join(_swept(done, acted=args.sweep)) + "\n")
    for oid, why in list(done.failed.items())[:3]:
        terminal.note(f"ledgit: {oid} was not deleted: {clean(why)}")
    return 1 if done.failed else 0


def _swept(done: SweptThere, *, acted: bool) -> list[str]:
    from ledgit.records.run import iso

    lines = [f"on {clean(done.remote)}: {_objects(done.objects)}, {size(done.bytes)}"]
    if done.doubt and not acted:
        lines.append(clean(done.doubt))
    if done.fresh:
        what = "announced in the ledger" if acted else "not announced yet"
        lines.append(f"no run needs {_sum(done.fresh)}: {what}")
    if done.full:
        lines.append(f"{_objects(done.full)} had no room in the ledger; the next sweep announces them")
    if done.waiting:
        lines.append(f"{_objects(len(done.waiting))} may go from {iso(min(done.waiting.values()))[:10]} on")
    if done.marked:
        lines.append(f"{_objects(done.marked)} are being deleted by somebody else")
    if acted and done.withdrawn:
        lines.append(f"{_objects(len(done.withdrawn))} are announced no more: a run needs them, or they are gone")
    if acted and done.due:
        gone = {oid: count for oid, count in done.due.items() if oid in set(done.deleted)}
        lines.append(f"deleted {_sum(gone)}" if gone else "nothing was deleted")
        if done.late:
            lines.append(f"{_objects(len(done.late))} left: a run needs them now, or there was no time left")
    elif done.due:
        lines.append(f"{_sum(done.due)} were announced long enough, and can go")
    if not (done.fresh or done.waiting or done.due or done.marked):
        lines.append("runs need all of it")
    elif not acted:
        lines.append("nothing was changed; --sweep does it")
    return lines


def _swept_json(done: SweptThere, *, acted: bool) -> dict[str, Any]:
    return {
        "remote": done.remote,
        "ledger": done.ledger,
        "objects": done.objects,
        "bytes": done.bytes,
        "candidates": done.fresh,
        "waiting": done.waiting,
        "due": done.due,
        "marked": done.marked,
        "withdrawn": done.withdrawn,
        "deleted": done.deleted,
        "failed": done.failed,
        "late": done.late,
        "doubt": done.doubt,
        "dry_run": not acted,
    }


def _objects(count: int) -> str:
    return f"{count:,} {'object' if count == 1 else 'objects'}"


def _sum(found: Mapping[str, int]) -> str:
    return f"{_objects(len(found))} ({size(sum(found.values()))})"
