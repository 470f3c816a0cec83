"""``ledgit project envs``: the environments that projects ran in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledgit.cli import parsing, render, terminal, text

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("keys", metavar="KEY", nargs="*", help="with --remove: those whose key begins so")
    parser.add_argument("--remove", action="store_true", help="remove them: those named, or those of --older-than")
    parser.add_argument("--older-than", metavar="SPAN", help="with --remove: those that nobody wanted for 30d, 2w …")
    parser.add_argument("--all", action="store_true", help="with --remove: all that nothing uses now")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """List the environments that projects ran in, or remove some."""
    from ledgit.errors import UsageError
    from ledgit.projects.environments import list_environments
    from ledgit.tracking.launching import cache_folder

    if not args.remove:
        if args.keys or args.older_than or args.all:
            raise UsageError("KEY, --older-than and --all say what --remove removes; give that, too")
        return _list_envs(args, list_environments(cache_folder()))
    if not (args.keys or args.older_than or args.all):
        raise UsageError("say what to remove: a KEY, --older-than 30d, or --all")
    return _remove_envs(args)


def _list_envs(args: argparse.Namespace, found: list[Any]) -> int:
    if args.format == "json":
        terminal.write(render.json_text([_env_json(one) for one in found]))
        return 0
    if not found:
        terminal.note("no project has needed an environment yet")
        return 0
    import time

    now = time.time()
    rows = [
        [
            one.key[:12],
            f"{one.manager or 'not complete'}{', interpreter gone' if one.gone else ''}",
            one.python,
            _size(one.size),
            text.age(min(one.used, int(now * 1000)), now),
            text.clean(", ".join(one.requirements)),
        ]
        for one in found
    ]
    columns = [
        render.Column("key"),
        render.Column("made by"),
        render.Column("python"),
        render.Column("size", right=True),
        render.Column("wanted"),
        render.Column("requirements", least=10),
    ]
    style = text.Style(terminal.use_color())
    lines, _ = render.table(columns, rows, style=style, limit=terminal.table_width())
    terminal.write("\n".join(lines) + "\n", page=True)
    return 0


def _remove_envs(args: argparse.Namespace) -> int:
    import time

    from ledgit.projects.environments import remove_environments
    from ledgit.records.times import parse_since
    from ledgit.tracking.launching import cache_folder

    now = int(time.time() * 1000)
    age = None if args.older_than is None else now - parse_since(args.older_than, now / 1000)
    gone, stay = remove_environments(cache_folder(), age, keys=tuple(args.keys), now=now)
    if args.format == "json":
        found = {"removed": [_env_json(one) for one in gone], "in_use": [_env_json(one) for one in stay]}
        terminal.write(render.json_text(found))
        return 0
    terminal.write("".join(f"{one.key[:12]}\n" for one in gone))
    terminal.note(f"removed {len(gone):,} {'environment' if len(gone) == 1 else 'environments'}")
    if stay:
        terminal.note(f"{len(stay):,} stay, because something runs in them: {', '.join(one.key[:12] for one in stay)}")
    return 0


def _env_json(one: Any) -> dict[str, Any]:
    from ledgit.records.run import iso

    return {
        "key": one.key,
        "manager": one.manager or None,
        "python": one.python,
        "requirements": list(one.requirements),
        "folder": one.folder,
        "used": iso(one.used),
        "made": iso(one.made) if one.made else None,
        "interpreter_gone": one.gone or None,
    }


def _size(count: int) -> str:
    """Return bytes for people."""
    from ledgit.records.harmless import size

    return size(count)
