"""``ledgit restore``: bring deleted runs back."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, terminal
from ledgit.cli.text import clean

HELP = "Bring runs back that 'ledgit rm' marked as deleted."
EPILOG = """
ledgit ls --deleted
ledgit restore calm-owl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="+", dest="refs")


def run(args: argparse.Namespace) -> int:
    """Restore, after all of them were found."""
    repository = context.repository(writing=True)
    for found in [repository.run(ref) for ref in args.refs]:
        label = f"{clean(found.name)} ({found.id[:8]})"
        if not found.deleted:
            terminal.note(f"{label} was not deleted")
            continue
        found.restore()
        terminal.write(f"restored {label}\n")
    return 0
