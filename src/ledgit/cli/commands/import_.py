"""``ledgit import``: read exported runs."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal

HELP = """\
Read runs that 'ledgit export' wrote. They keep their ids, dates and authors; a run that is here already stays
as it is, so the command can be repeated.
"""
EPILOG = """
ledgit import runs.tar.gz
ledgit import out/
ledgit import old.tar --new-ids         runs among them were purged here
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_argument("source", metavar="DIR|FILE.tar", help="what 'ledgit export' wrote")
    parsing.complete(source, "file")
    parser.add_argument(
        "--new-ids", action="store_true", help="give runs that were purged here new ids; else they are refused"
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Read them."""
    repository = context.repository(writing=True)
    done = repository.import_runs(args.source, new_ids=args.new_ids)
    if args.format == "json":
        terminal.write(render.json_text({"imported": done.ids, "known": done.known, "renewed": done.renewed}))
        return 0
    terminal.write(f"imported {len(done.ids)} {'run' if len(done.ids) == 1 else 'runs'}\n")
    if done.known:
        terminal.note(f"{len(done.known)} were here already and stay as they are")
    for old, new in done.renewed.items():
        terminal.note(f"{old[:8]} was purged here; it is {new[:8]} from now on")
    return 0
