"""``ledgit hooks``: put hooks into this repository, beside what is there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, render, terminal
from ledgit.cli.parsing import add_action, add_formats
from ledgit.cli.text import Style, clean

if TYPE_CHECKING:
    from ledgit.hooks import HookStatus

HELP = """\
Put hooks of Git's into this clone, see how they are, and take them out. Runs are found without them; hooks say sooner
what belongs together, share runs with a push, and keep large files and secrets out of commits.

A hook that is there stays and runs as before. Where husky, lefthook, pre-commit or a core.hooksPath owns the place,
nothing is written: the lines to add there are printed. LEDGIT_SKIP_HOOKS=1 in the environment passes all of ours by.
"""
EPILOG = """
ledgit hooks install
ledgit hooks install post-commit pre-push
ledgit hooks status
ledgit hooks uninstall
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions."""
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", required=True, parser_class=parsing.Parser, help="what to do"
    )
    install = add_action(actions, "install", "put hooks in, beside what is there", "ledgit hooks install")
    install.add_argument("names", metavar="HOOK", nargs="*", help="which (default: all that say nothing unasked)")
    install.add_argument("--force", action="store_true", help="also into a folder that core.hooksPath names")
    uninstall = add_action(actions, "uninstall", "take ours out", "ledgit hooks uninstall pre-push")
    uninstall.add_argument("names", metavar="HOOK", nargs="*", help="which (default: all)")
    status = add_action(actions, "status", "say how each is", "ledgit hooks status")
    for one in (install, uninstall, status):
        add_formats(one)


def run(args: argparse.Namespace) -> int:
    """Do it, and say how each hook is now."""
    from ledgit import hooks

    repo = context.opened().repo
    if args.action == "install":
        found = hooks.install(repo, args.names, force=args.force)
    elif args.action == "uninstall":
        found = hooks.uninstall(repo, args.names)
    else:
        found = hooks.status(repo)
    if args.format == "json":
        terminal.write(render.json_text([_row(one) for one in found]))
    else:
        terminal.write("\n".join(_lines(found)) + "\n")
    return 4 if args.action == "install" and any(one.state == "managed" for one in found) else 0


def _row(one: HookStatus) -> dict[str, object]:
    return {
        "name": one.name,
        "state": one.state,
        "path": one.path,
        "beside": one.beside,
        "manager": one.manager or None,
        "lines": one.lines or None,
    }


def _lines(found: list[HookStatus]) -> list[str]:
    from ledgit.hooks import HOOKS

    style = Style(terminal.use_color())
    paint = {"installed": style.green, "absent": style.dim, "managed": style.yellow}
    lines = []
    for one in found:
        beside = f", beside {one.manager or 'what was there'}" if one.beside and one.state == "installed" else ""
        state = paint.get(one.state, style.red)(one.state)
        lines.append(f"{one.name:<19} {state}{beside}  {style.dim(HOOKS[one.name])}")
        lines += [f"  {clean(line)}" for line in one.lines.splitlines()]
    return lines
