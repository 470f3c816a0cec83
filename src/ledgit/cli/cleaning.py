"""Words and questions of ``ledgit gc``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ledgit.cli import render, terminal
from ledgit.cli.sharing import runs, say_notes
from ledgit.cli.text import Style, clean
from ledgit.cli.text import size as shown_size
from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.store.gc import Candidate, Plan, Survey, Swept, Tie

__all__ = [
    "agree",
    "places",
    "runs",
    "say_artifacts",
    "say_caches",
    "say_deleted",
    "say_list",
    "say_plan",
    "say_survey",
    "say_swept",
]

_LISTED = 50
_FEW = 5


def agree(question: str, yes: bool) -> bool:
    """Ask, unless *yes* says it, and return the answer.

    Raises:
        UsageError: Nobody can be asked.
    """
    if yes:
        return True
    if not terminal.interactive():
        raise UsageError(
            "standard input is no terminal, so nobody can be asked; --yes does it, --dry-run only shows it"
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not agreed:
        terminal.note("nothing was changed")
    return agreed


def places(repository: Repository, args: argparse.Namespace) -> str:
    """Say where a purge works: ``here and on origin``."""
    from ledgit.store.gc import remotes_with_runs

    if args.local:
        return "here (on remotes with the next 'ledgit gc --purge')"
    names = [args.remote] if args.remote else [remote.shown for remote in remotes_with_runs(repository.repo)]
    return "here and on " + ", ".join(clean(name) for name in names) if names else "here"


# ------------------------------------------------------------------ lists


def say_list(repository: Repository, plan: Plan, heading: str, args: argparse.Namespace) -> None:
    """Show what goes, before asking; nothing where it goes into JSON afterwards."""
    if args.format == "json":
        return
    terminal.write_now("\n".join([heading, *_rows(plan.going), *_rest(repository, plan)]) + "\n")


def say_plan(repository: Repository, plan: Plan, form: str) -> None:
    """Show a plan that nobody carries out."""
    if form == "json":
        terminal.write(render.json_text(plan_json(plan)))
        return
    lines = [f"{runs(len(plan.going))} would go:", *_rows(plan.going)] if plan.going else ["no run would go"]
    terminal.write("\n".join([*lines, *_rest(repository, plan)]) + "\n")


def _rows(items: list[Candidate]) -> list[str]:
    from ledgit.records.run import iso

    lines = []
    for item in items[:_LISTED]:
        run = item.run
        why = f"  ({item.why})" if item.why != "named" else ""
        lines.append(f"  {clean(run.name)} ({run.id[:8]})  {clean(run.experiment)}, {iso(run.start)[:10]}{clean(why)}")
    if len(items) > _LISTED:
        lines.append(f"  … and {len(items) - _LISTED:,} more; --json lists all")
    return lines


def _rest(repository: Repository, plan: Plan) -> list[str]:
    """Say what does not go, and why."""
    lines = []
    if plan.tags:
        names = [name.removeprefix("refs/tags/") for name in plan.tags if name.startswith("refs/tags/")]
        lines.append(f"with {len(names)} registry tags: {clean(', '.join(names[:_FEW]))}{_more(names)}")
    if plan.held:
        lines.append(f"{runs(len(plan.held))} kept alive by something else:")
        for item in plan.held[:_LISTED]:
            ties = [clean(_tie(repository, tie)) for tie in item.ties]
            lines.append(f"  {clean(item.run.name)} ({item.run.id[:8]}): {', '.join(ties[:_FEW])}{_more(ties)}")
        if len(plan.held) > _LISTED:
            lines.append(f"  … and {len(plan.held) - _LISTED:,} more; --json lists all")
    if plan.active:
        lines.append(f"{runs(len(plan.active))} left alone: still being written")
    lines += [f"{runs(count)} kept by the rule '{clean(rule)}'" for rule, count in plan.kept.items()]
    lines += [clean(note) for note in plan.notes]
    return lines


def _more(items: list[str]) -> str:
    return f" and {len(items) - _FEW} more" if len(items) > _FEW else ""


def _tie(repository: Repository, tie: Tie) -> str:
    if tie.kind != "run":
        return f"{tie.kind} {tie.name}"
    state = repository.index.get(tie.name)
    name = state.name if state is not None else ""
    return f"run {name} ({tie.name[:8]}), started from it"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON's types."""
    return {
        "going": [_item_json(item) for item in plan.going],
        "held": [_item_json(item) for item in plan.held],
        "active": plan.active,
        "kept": plan.kept,
        "tags": sorted(plan.tags),
        "notes": plan.notes,
    }


def _item_json(item: Candidate) -> dict[str, Any]:
    ties = [{"kind": tie.kind, "name": tie.name} for tie in item.ties]
    run = item.run
    return {"id": run.id, "name": run.name, "experiment": run.experiment, "why": item.why, "held_by": ties}


# ------------------------------------------------------------------ at a glance


def say_survey(repository: Repository, found: Survey, form: str) -> None:
    """Show what could go."""
    if form == "json":
        shown = {
            "deleted": plan_json(found.deleted),
            "orphaned": plan_json(found.orphaned),
            "owed": {where: sorted(ids) for where, ids in found.owed.items()},
            "rewritten": found.rewritten,
            "caches": found.caches,
            "artifacts_owed": sorted(repository.artifacts_owed_to_purges()),
        }
        terminal.write(render.json_text(shown))
        return
    style = Style(terminal.use_color())
    lines: list[str] = []
    for heading, plan, option in (
        ("deleted", found.deleted, "--deleted"),
        ("whose code is on no branch or tag", found.orphaned, "--orphaned"),
    ):
        if plan.going or plan.held:
            lines.append(style.bold(f"{runs(len(plan.going) + len(plan.held))} {heading}"))
            lines += _short(repository, plan)
            if plan.going:
                lines.append(f"  → ledgit gc --purge {option}")
    for where, ids in found.owed.items():
        lines.append(style.bold(f"{runs(len(ids))} purged, but still in the history of {clean(where)}"))
        lines.append("  → ledgit gc --purge")
    if found.rewritten:
        lines += [
            style.bold(f"old commits are still in the history: {clean(found.rewritten)}"),
            "  → ledgit gc --purge",
        ]
    owed = repository.artifacts_owed_to_purges()
    if owed:
        lines += [style.bold(f"{_objects(len(owed))} of purged runs may still be there"), "  → ledgit gc --purge"]
    if found.caches:
        listed = ", ".join(f"{what} {shown_size(size)}" for what, size in found.caches.items())
        lines += [style.bold("caches") + f": {listed}", "  → ledgit gc --caches"]
    terminal.write("\n".join([*lines, "nothing was changed"] if lines else ["there is nothing that could go"]) + "\n")


def _short(repository: Repository, plan: Plan) -> list[str]:
    lines = _rows(plan.going[:_FEW])
    if len(plan.going) > _FEW:
        lines.append(f"  … and {len(plan.going) - _FEW:,} more")
    for item in plan.held[:_FEW]:
        ties = [clean(_tie(repository, tie)) for tie in item.ties]
        lines.append(f"  {clean(item.run.name)} ({item.run.id[:8]}) is kept alive by {', '.join(ties[:2])}")
    if len(plan.held) > _FEW:
        lines.append(f"  … and {len(plan.held) - _FEW:,} more are kept alive")
    return lines


# ------------------------------------------------------------------ what was done


def say_swept(done: Swept, form: str) -> None:
    """Say what a purge did, what it could not do, and what is nobody's but the host's."""
    for remote, error in done.failed.items():
        terminal.note(f"ledgit: not on {clean(remote)} yet: {clean(str(error))}; 'ledgit gc --purge' completes it")
    for there in done.there:
        say_notes(there.notes)
    if form == "json":
        terminal.write(render.json_text(_swept_json(done)))
        return
    lines = []
    if done.runs:
        lines.append(f"purged {runs(len(done.runs))} here")
    for there in done.there:
        if there.commit is not None:
            inboxes = f", {len(there.inboxes)} waiting pushes taken in" if there.inboxes else ""
            what = f"{runs(len(there.runs))} purged on" if there.runs else "a new beginning for"
            lines.append(f"{what} {clean(there.remote)}{inboxes}")
        if there.tags:
            lines.append(f"deleted {len(there.tags)} tags on {clean(there.remote)}")
    artifacts = list(_artifacts(done))
    if not lines and not artifacts and not done.failed:
        lines.append("no purge is owed")
    elif lines:
        lines += _what_stays(done)
    lines += artifacts
    if lines:
        terminal.write("\n".join(lines) + "\n")


def _artifacts(done: Swept) -> Iterable[str]:
    """Say what became of large artifacts."""
    found = done.artifacts
    if found is None:
        return
    if found.here or found.there:
        there = f", {_objects(len(found.there))} on {clean(found.remote)}" if found.remote else ""
        yield f"deleted large artifacts: {_objects(len(found.here))} in this clone's cache{there}"
    if found.kept:
        yield f"{_objects(len(found.kept))} of them stay: other runs need them"
    if found.owed:
        where = f"this clone's cache or on {clean(found.remote)}" if found.remote else "this clone's cache"
        yield f"still owed: {_objects(len(found.owed))} of purged runs in {where}: {clean(found.why)}"


def _objects(count: int) -> str:
    return f"{count:,} {'object' if count == 1 else 'objects'}"


def say_artifacts(repository: Repository, plan: Plan, args: argparse.Namespace) -> None:
    """Show which large artifacts go with a plan's runs, before asking."""
    if args.format == "json":
        return
    found = repository.artifacts_to_purge(plan)
    if not found:
        return
    place = repository.artifact_place()
    where = f"from this clone's cache and from {clean(place.shown)}" if place is not None else "from this clone's cache"
    if place is not None and args.local:
        where = f"from this clone's cache (from {clean(place.shown)} with the next 'ledgit gc --purge')"
    total = shown_size(sum(size or 0 for size in found.values()))
    terminal.write_now(f"with them go {_objects(len(found))} ({total}) of large artifacts, {where}\n")


def _what_stays(done: Swept) -> Iterable[str]:
    # Not by 'git reflog expire --expire=now --all': it takes the user's stashes, too.
    now = "git -c gc.reflogExpire=now -c gc.reflogExpireUnreachable=now gc --prune=now"
    yield f"to remove the data from this disk now: {now}"
    if any(there.commit for there in done.there):
        yield "other clones let go of it with their next 'ledgit pull'; the host keeps data as long as it likes:"
        yield "a secret that was pushed must be revoked all the same"
    for where in done.owed:
        if where not in done.failed:
            yield f"still owed: {clean(where)}"


def _swept_json(done: Swept) -> dict[str, Any]:
    return {
        "purged": list(done.runs),
        "tags": list(done.tags),
        "remotes": [
            {
                "remote": there.remote,
                "purged": list(there.runs),
                "inboxes": list(there.inboxes),
                "tags": list(there.tags),
                "ledger": there.commit,
            }
            for there in done.there
        ],
        "failed": {remote: str(error) for remote, error in done.failed.items()},
        "owed": {where: sorted(ids) for where, ids in done.owed.items()},
        "artifacts": _artifacts_json(done),
    }


def _artifacts_json(done: Swept) -> dict[str, Any] | None:
    found = done.artifacts
    if found is None:
        return None
    return {
        "here": found.here,
        "remote": found.remote or None,
        "there": found.there,
        "kept": sorted(found.kept),
        "owed": sorted(found.owed),
        "why": found.why,
    }


def say_deleted(ids: list[str], form: str) -> None:
    """Say what was marked as deleted."""
    if form == "json":
        terminal.write(render.json_text({"deleted": ids}))
    else:
        terminal.write(f"deleted {runs(len(ids))}\n" if ids else "no run was left to delete\n")


def say_caches(found: Mapping[str, int], form: str) -> None:
    """Say what was removed."""
    if form == "json":
        terminal.write(render.json_text({"caches": dict(found)}))
    elif found:
        terminal.write("removed " + ", ".join(f"{what} ({shown_size(size)})" for what, size in found.items()) + "\n")
    else:
        terminal.write("nothing was removed\n")
