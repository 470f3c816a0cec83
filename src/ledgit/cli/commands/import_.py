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
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    source = parser.add_argument("source", metavar="DIR|FILE.tar", help="what 'ledgit export' wrote")
    parsing.complete(source, "file")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Read them."""
    from ledgit.store.export import import_runs

    repository = context.repository(writing=True)
    known = [found.id for found in repository.runs.view("all")]
    done = import_runs(repository.repo, repository.folder, args.source, known)
    if args.format == "json":
        terminal.write(render.json_text({"imported": done.ids, "known": done.known}))
        return 0
    terminal.write(f"imported {len(done.ids)} {'run' if len(done.ids) == 1 else 'runs'}\n")
    if done.known:
        terminal.note(f"{len(done.known)} were here already and stay as they are")
    return 0
