"""``ledgit rm``: mark runs as deleted."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import context, parsing, terminal
from ledgit.cli.text import clean

if TYPE_CHECKING:
    from ledgit.repository import Run

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
    changing = []
    for found in dict.fromkeys(repository.run(ref) for ref in args.refs):
        if found.deleted:
            terminal.note(f"{_label(found)} was deleted already")
        else:
            changing.append(found)
    repository.delete_runs(changing)
    for found in changing:
        terminal.write(f"deleted {_label(found)}\n")
    return 0


def _label(found: Run) -> str:
    return f"{clean(found.name)} ({found.id[:8]})"
