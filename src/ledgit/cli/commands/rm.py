"""``ledgit rm``: mark runs as deleted."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, terminal
from ledgit.cli.text import clean

HELP = """\
Mark runs as deleted. They are no longer listed, but nothing is lost: 'ledgit ls --deleted' shows them and
'ledgit restore' brings them back.
"""
EPILOG = """
ledgit rm calm-owl brave-fox
ledgit rm $(ledgit ls 'status = "FAILED"' --json | jq -r '.[].id')
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="+", dest="refs")


def run(args: argparse.Namespace) -> int:
    """Delete, after all of them were found."""
    repository = context.repository(writing=True)
    for found in [repository.run(ref) for ref in args.refs]:
        label = f"{clean(found.name)} ({found.id[:8]})"
        if found.deleted:
            terminal.note(f"{label} was deleted already")
            continue
        found.delete()
        terminal.write(f"deleted {label}\n")
    return 0
