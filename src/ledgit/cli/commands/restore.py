"""``ledgit restore``: bring deleted runs back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.cli.text import clean

if TYPE_CHECKING:
    from ledgit.repository import Run

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
    changing = []
    for found in dict.fromkeys(repository.run(ref) for ref in args.refs):
        if not found.deleted:
            terminal.note(f"{_label(found)} was not deleted")
        else:
            changing.append(found)
    repository.restore_runs(changing)
    for found in changing:
        terminal.write(f"restored {_label(found)}\n")
    return 0


def _label(found: Run) -> str:
    return f"{clean(found.name)} ({found.id[:8]})"
