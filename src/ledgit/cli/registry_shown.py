"""``ledgit registry ls``, ``show``, ``history`` and ``which``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ledgit.cli import context, render, terminal, text
from ledgit.records.times import parse_until
from ledgit.registry.reading import RegistryReading

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ledgit.records.registry_state import Event, ModelVersion, RegisteredModel

_SHOWN = 100


def ls(args: argparse.Namespace) -> int:
    """List models, or the versions of one."""
    registry = RegistryReading(context.opened())
    if args.model is not None:
        found = registry.versions(args.model, args.filter, deregistered=args.all)[::-1]
        return _list(args, registry, found, version_json, _version_table, "no versions")
    if args.filter and "version" in args.filter:
        versions = registry.versions(None, args.filter, deregistered=args.all)
        return _list(args, registry, versions, version_json, _version_table, "no versions")
    models = registry.models(args.filter, deleted=args.all)
    nothing = "nothing is registered yet; 'ledgit registry register' does it"
    return _list(args, registry, models, model_json, _model_table, nothing)


def _first(found: Sequence[Any], limit: int | None) -> Sequence[Any]:
    """Return the first *limit* of what was found; all for 0, as ``ledgit ls`` has it."""
    if limit is not None and limit < 0:
        from ledgit.errors import UsageError

        raise UsageError(f"--limit is {limit}, expected 0 (all) or more")
    return found[:limit] if limit else found


def _list(
    args: argparse.Namespace, registry: RegistryReading, found: Sequence[Any], as_json: Any, as_table: Any, nothing: str
) -> int:
    shown = _first(found, args.limit)
    if args.format == "json":
        terminal.write(render.json_text([as_json(item) for item in shown]))
        return 0
    if args.format == "csv":
        rows = [as_json(item) for item in shown]
        titles = [key for key in (rows[0] if rows else ()) if key not in ("tags", "latest_version")]
        terminal.write(render.csv_text(titles, [[_cell(row[key]) for key in titles] for row in rows]))
        return 0
    problems = len(registry.state.problems)
    if problems:
        what = "1 tag or record is" if problems == 1 else f"{problems:,} tags or records are"
        terminal.note(f"ledgit: {what} not what the registry makes; 'ledgit registry verify' says why")
    if not shown:
        terminal.note(nothing)
        return 0
    if args.limit is None:
        shown = shown[:_SHOWN]
    style = text.Style(terminal.use_color())
    columns, cells = as_table(shown, style)
    lines, _ = render.table(columns, cells, style=style, limit=terminal.table_width())
    if len(shown) < len(found):
        lines.append(style.dim(f"… and {len(found) - len(shown):,} more; --limit or --json shows them"))
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return " ".join(value) if isinstance(value, list) else value


def _model_table(models: Sequence[RegisteredModel], style: text.Style) -> tuple[list[render.Column], list[list[str]]]:
    now = time.time()
    columns = [
        render.Column("model", least=12),
        render.Column("latest"),
        render.Column("versions", right=True),
        render.Column("stages", least=10),
        render.Column("changed"),
        render.Column("description", least=10),
    ]
    rows = []
    for model in models:
        latest = model.latest
        stages = ", ".join(f"{text.clean(stage)} {version.version}" for stage, version in model.stages.items())
        ended = "deleted" if model.deleted else "deprecated" if model.deprecated is not None else ""
        kind = model.kind if model.kind != "model" else ""
        described = ": ".join(filter(None, (kind, text.clean(model.description.partition("\n")[0]))))
        about = ": ".join(filter(None, (ended, described)))
        newest = max((event.time * 1000 for event in model.events[-1:]), default=model.created)
        rows.append(
            [
                render.Painted(text.clean(model.name), style.bold),
                latest.version if latest is not None else "",
                str(len(model.active)),
                stages,
                text.age(min(newest, int(now * 1000)), now),
                about,
            ]
        )
    return columns, rows


def _version_table(versions: Sequence[ModelVersion], style: text.Style) -> tuple[list[render.Column], list[list[str]]]:
    now = time.time()
    several = len({version.model for version in versions}) > 1
    columns = [
        render.Column("version"),
        render.Column("number", right=True),
        render.Column("stages", least=6),
        render.Column("run"),
        render.Column("by", least=8),
        render.Column("when"),
        render.Column("signed"),
        render.Column("", least=10),
    ]
    rows = []
    for one in versions:
        about = one.problem and f"! {one.problem}"
        about = about or ("deregistered" if not one.active else one.description.partition("\n")[0] or one.event.reason)
        shown = f"{text.clean(one.model)}@{one.version}" if several else one.version
        rows.append(
            [
                render.Painted(shown, style.bold if one.active else style.dim),
                "" if one.number is None else str(one.number),
                render.Painted(text.clean(", ".join(one.stages)), style.green),
                render.Painted((one.run or "")[:8], style.yellow),
                text.clean(one.event.author),
                text.age(min(one.created, int(now * 1000)), now),
                "yes" if one.event.signed else "",
                text.clean(about.partition("\n")[0]),
            ]
        )
    return columns, rows


# ---------------------------------------------------------------------- show


def show(args: argparse.Namespace) -> int:
    """Show a model or a version."""
    from ledgit.registry.references import parse_reference

    registry = RegistryReading(context.opened())
    named = parse_reference(args.version, whole=True)
    if named.selector:
        version = registry.state.version(named.model, named.selector, deregistered=True)
        return _show_version(args, registry, version)
    return _show_model(args, registry.model(named.model))


def _show_version(args: argparse.Namespace, registry: RegistryReading, version: ModelVersion) -> int:
    model = registry.state.find(version.model)
    events = [event for event in model.events if event.version == version.version]
    if args.format == "json":
        found = version_json(version) | {"history": [event_json(event) for event in events]}
        terminal.write(render.json_text(found))
        return 0
    style = text.Style(terminal.use_color())
    event = version.event
    number = "" if version.number is None else f"  (version {version.number})"
    lines = [style.bold(text.clean(f"{version.model}@{version.version}")) + number]
    facts = [
        ("stages", ", ".join(version.stages)),
        ("kind", "project" if version.kind == "project" else ""),
        ("run", version.run or ""),
        *_where(version),
        ("digest", version.digest or ""),
        ("commit", version.commit),
        ("by", f"{event.author} <{event.email}>, {text.moment(version.created)}{', signed' if event.signed else ''}"),
        ("why", event.reason),
        ("about", version.description),
        *((f"tag {key}", value) for key, value in sorted(version.tags.items())),
        ("problem", version.problem),
        ("deprecated", _ended(model.deprecated)),
        ("deregistered", _ended(version.deregistered)),
    ]
    wide = max(len(name) for name, value in facts if value)
    for name, value in facts:
        for place, line in enumerate(text.clean_lines(value) if value else ()):
            lines.append(f"  {style.dim(text.pad('' if place else text.clean(name), wide))}  {line}")
    if len(events) > 1:
        lines += ["", *_event_lines(events[::-1], style)]
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _ended(event: Event | None) -> str:
    if event is None:
        return ""
    why = f": {event.reason}" if event.reason else ""
    return f"by {event.author}, {text.moment(event.time * 1000)}{why}"


def _show_model(args: argparse.Namespace, model: RegisteredModel) -> int:
    if args.format == "json":
        found = model_json(model) | {"all_versions": [version_json(one) for one in model.versions.values()]}
        terminal.write(render.json_text(found))
        return 0
    style = text.Style(terminal.use_color())
    lines = [style.bold(text.clean(model.name))]
    lines += [f"  {line}" for line in text.clean_lines(model.description) if model.description]
    if model.deprecated is not None:
        lines.append(f"  deprecated {text.clean(_ended(model.deprecated))}")
    lines += [f"  {text.clean(key)} = {text.clean(value)}" for key, value in sorted(model.tags.items())]
    lines += [style.red(f"  ! {text.clean(problem)}") for problem in model.problems]
    for stage, version in model.stages.items():
        lines.append(f"  {style.green(text.clean(stage))} {version.version}")
    if model.active:
        columns, cells = _version_table(model.active[: -_SHOWN - 1 : -1], style)
        lines += ["", *render.table(columns, cells, style=style, limit=terminal.table_width())[0]]
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _where(version: ModelVersion) -> list[tuple[str, str]]:
    """Return what the version's path means, with its name."""
    if version.kind == "project":
        return [("folder", version.path or "the whole tree")]
    return [("model", version.path or ("all artifacts of the run" if version.run else ""))]


# ---------------------------------------------------------------------- history, which


def history(args: argparse.Namespace) -> int:
    """List what was done."""
    found = RegistryReading(context.opened()).history(args.model, args.stage)
    shown = _first(found, args.limit)
    if args.format == "json":
        terminal.write(render.json_text([event_json(event) for event in shown]))
        return 0
    if args.limit is None:
        shown = shown[:_SHOWN]
    style = text.Style(terminal.use_color())
    lines = _event_lines(shown, style)
    if len(shown) < len(found):
        lines.append(style.dim(f"… and {len(found) - len(shown):,} more; --limit or --json shows them"))
    if not lines:
        terminal.note("nothing was done yet")
        return 0
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _event_lines(events: Sequence[Event], style: text.Style) -> list[str]:
    lines = []
    for event in events:
        signed = ", signed" if event.signed else ""
        lines.append(
            f"{text.moment(event.time * 1000)}  {style.bold(text.clean(event.words()))}"
            f"  {text.clean(event.author)}{signed}"
        )
        lines += [f"    {line}" for line in text.clean_lines(event.reason.strip()) if event.reason]
        if event.problem:
            lines.append(style.red(f"    ! {text.clean(event.problem)}"))
    return lines


def which(args: argparse.Namespace) -> int:
    """Say which version stands at a stage."""
    from ledgit.errors import ModelNotFound, VersionNotFound

    registry = RegistryReading(context.opened())
    at = None if args.at is None else parse_until(args.at)
    try:
        found = registry.which(args.model, args.stage, at)
    except ModelNotFound:
        if at is None:
            raise
        registry.model(args.model)  # it is there now
        found = None
    if found is None:
        if at is not None:
            if args.format == "json":
                terminal.write(render.json_text(None))
                return VersionNotFound.exit_code
            terminal.note(f"nothing of {text.clean(args.model)} was at {text.clean(args.stage)} at {text.moment(at)}")
            return VersionNotFound.exit_code
        registry.state.version(args.model, f"@{args.stage}")  # says what there is
        raise AssertionError
    event = registry.standing(found, args.stage) if at is None else _standing_at(registry, found, args.stage, at)
    if args.format == "json":
        since = None if event is None else event_json(event)
        terminal.write(render.json_text(version_json(found) | {"stage": args.stage, "since": since}))
        return 0
    terminal.write(f"{text.clean(found.model)}@{found.version}\n")
    if event is not None:
        why = f": {event.reason}" if event.reason else ""
        terminal.note(text.clean(f"since {text.moment(event.time * 1000)}, by {event.author}{why}"))
    return 0


def _standing_at(registry: RegistryReading, version: ModelVersion, stage: str, at: int) -> Event | None:
    events = registry.state.at(at).find(version.model).events
    return next(
        (
            event
            for event in reversed(events)
            if (event.action, event.stage, event.version) == ("assign", stage, version.version)
        ),
        None,
    )


def version_json(version: ModelVersion) -> dict[str, Any]:
    """Return a version as JSON's types."""
    from ledgit.records.run import iso

    event = version.event
    return {
        "model": version.model,
        "version": version.version,
        "number": version.number,
        "tag": version.tag,
        "commit": version.commit,
        "run": version.run,
        "path": version.path,
        "digest": version.digest,
        "stages": list(version.stages),
        "active": version.active,
        "registered": iso(version.created),
        "author": event.author,
        "address": event.email,
        "signed": event.signed,
        "reason": event.reason,
        "description": version.description,
        "tags": dict(version.tags),
        "problem": version.problem or None,
        "kind": version.kind,
    }


def model_json(model: RegisteredModel) -> dict[str, Any]:
    """Return a model as JSON's types."""
    from ledgit.records.run import iso

    latest = model.latest
    return {
        "name": model.name,
        "latest": None if latest is None else latest.version,
        "greatest": None if model.greatest is None else model.greatest.version,
        "number": None if latest is None else latest.number,
        "versions": len(model.active),
        "stages": {stage: version.version for stage, version in model.stages.items()},
        "description": model.description,
        "tags": dict(model.tags),
        "deprecated": model.deprecated is not None,
        "deleted": model.deleted,
        "created": iso(model.created),
        "problems": list(model.problems),
        "kind": model.kind,
    }


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as JSON's types."""
    from ledgit.records.run import iso

    return {
        "event": event.action,
        "model": event.model,
        "version": event.version or None,
        "stage": event.stage or None,
        "previous": event.previous,
        "author": event.author,
        "address": event.email,
        "when": iso(event.time * 1000),
        "reason": event.reason,
        "signed": event.signed,
        "tag": event.tag,
        "commit": event.commit,
        "problem": event.problem or None,
    }
