"""``ledgit textconv``: a run's file as ``git diff`` shows it."""

from __future__ import annotations

import argparse

from ledgit.cli import terminal
from ledgit.errors import StorageError

HELP = """\
Print a short text of one of a run's files: of a metric's history what matters of it instead of every point, of
entry.json a line for each key. 'git diff' calls it for both sides where 'ledgit init --diff-driver' was run. Any other
file is printed as it is, but for control characters.
"""
EPILOG = """
ledgit init --diff-driver               let 'git diff' call it in this clone
git diff $(ledgit rev calm-owl) $(ledgit rev brave-fox)
ledgit textconv history.tsv             the same by hand
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("file", metavar="FILE", help="the file; Git gives the name of a copy")


def run(args: argparse.Namespace) -> int:
    """Print the text."""
    from ledgit.review.textconv import LARGEST, textconv

    try:
        with open(args.file, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise StorageError(args.file, error.strerror or str(error)) from None
    terminal.write(textconv(data))
    return 0
