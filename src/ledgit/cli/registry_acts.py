"""``ledgit registry register``, ``promote``, ``unassign``, ``rollback`` … : what changes the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgit.cli import context, parsing, render, terminal, text
from ledgit.cli.registry_shown import event_json, version_json
from ledgit.errors import UsageError
from ledgit.registry import Registry

if TYPE_CHECKING:
    import argparse

    from ledgit.records.registry_state import Event


def _registry() -> Registry:
    return Registry(context.repository(writing=True))


def register(args: argparse.Namespace) -> int:
    """Make a version."""
    registry = _registry()
    made = registry.register(
        args.ref,
        args.model,
        version=args.version,
        bump=args.bump,
        path=args.path,
        reason=args.reason or "",
        description=args.description,
        tags=parsing.pairs(args.tags, "tag"),
        sign=args.sign,
    )
    if args.format == "json":
        terminal.write(render.json_text(version_json(made)))
        return 0
    terminal.write(f"{text.clean(made.model)}@{made.version}\n")
    number = "" if made.number is None else f" (version {made.number})"
    path = f"{made.path} of " if made.path else ""
    _note(f"registered{number} from {path}run {(made.run or '')[:8]}; 'ledgit push' shares it")
    return 0


def promote(args: argparse.Namespace) -> int:
    """Put a version to a stage."""
    registry = _registry()
    standing = None if args.sign else registry.standing(args.version, args.stage)
    if standing is None:
        event = registry.promote(args.version, args.stage, reason=args.reason or "", sign=args.sign)
        return _done(args, registry, [event])
    if args.format == "json":
        terminal.write(render.json_text(event_json(standing) | {"ci_silent": None}))
        return 0
    terminal.write(f"{text.clean(standing.tag)}\n")
    when = f"by {standing.author}, {text.moment(standing.time * 1000)}"
    _note(f"{standing.model}@{standing.version} is at {standing.stage} already, {when}; nothing was done")
    return 0


def rollback(args: argparse.Namespace) -> int:
    """Put the version to a stage that stood there before."""
    registry = _registry()
    return _done(args, registry, [registry.rollback(args.model, args.stage, reason=args.reason or "", sign=args.sign)])


def unassign(args: argparse.Namespace) -> int:
    """Leave a stage empty."""
    registry = _registry()
    return _done(args, registry, registry.unassign(args.model, args.stage, reason=args.reason or "", sign=args.sign))


def deprecate(args: argparse.Namespace) -> int:
    """Say that a model is not to be used any more."""
    registry = _registry()
    return _done(args, registry, [registry.deprecate(args.model, reason=args.reason or "", sign=args.sign)])


def deregister(args: argparse.Namespace) -> int:
    """Take a version out of the registry."""
    registry = _registry()
    return _done(args, registry, [registry.deregister(args.version, reason=args.reason or "", sign=args.sign)])


def _done(args: argparse.Namespace, registry: Registry, events: list[Event]) -> int:
    silent = registry.ci_stays_silent(events[-1]) if events[-1].action == "assign" else ""
    if args.format == "json":
        found: list[dict[str, Any]] = [event_json(event) for event in events]
        terminal.write(render.json_text(found[-1] | {"ci_silent": silent or None}))
        return 0
    for event in events:
        terminal.write(f"{text.clean(event.tag)}\n")
    _note(f"{events[-1].words()}; 'ledgit push' shares it")
    if silent:
        _note(silent)
    return 0


def _note(words: str) -> None:
    terminal.note(f"ledgit: {text.clean(words)}")


def describe(args: argparse.Namespace) -> int:
    """Write or print a description."""
    registry = Registry(context.repository(writing=args.message is not None))
    if args.message is not None:
        registry.describe(args.version, args.message)
        return 0
    return _print(args, registry.description(args.version))


def tag(args: argparse.Namespace) -> int:
    """Set, delete or print tags."""
    registry = Registry(context.repository(writing=bool(args.changes)))
    odd = [word for word in args.changes if "=" not in word and not (word.endswith("-") and len(word) > 1)]
    if odd:
        raise UsageError(f"{odd[0]!r} is neither key=value nor 'key-'")
    wanted = parsing.pairs([word for word in args.changes if "=" in word], "tag")
    unwanted = [word[:-1] for word in args.changes if "=" not in word]
    both = sorted(set(wanted) & set(unwanted))
    if both:
        raise UsageError(f"tag {both[0]!r} can't be set and deleted at once")
    there = registry.tags(args.version)
    for key in unwanted:
        if key not in there:
            raise UsageError(f"{args.version} has no tag {key!r}")
    if unwanted:
        registry.delete_tags(args.version, *unwanted)
    if wanted:
        registry.set_tags(args.version, wanted)
    return 0 if args.changes else _print(args, there)


def _print(args: argparse.Namespace, found: str | dict[str, str]) -> int:
    if args.format == "json":
        terminal.write(render.json_text(found if isinstance(found, dict) else {"description": found}))
    elif isinstance(found, dict):
        rows = [[text.clean(key), text.clean(value)] for key, value in sorted(found.items())]
        style = text.Style(terminal.use_color())
        lines, _ = render.table([render.Column("tag"), render.Column("value")], rows, style=style, header=False)
        terminal.write("".join(line + "\n" for line in lines), page=True)
    elif found:
        terminal.write("\n".join(text.clean_lines(found)) + "\n", page=True)
    return 0


def move(args: argparse.Namespace) -> int:
    """Give an unshared version another version."""
    registry = _registry()
    made = registry.move(args.version, args.to)
    if args.format == "json":
        terminal.write(render.json_text(version_json(made)))
        return 0
    terminal.write(f"{text.clean(made.model)}@{made.version}\n")
    return 0
