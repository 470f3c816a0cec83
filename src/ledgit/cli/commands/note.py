"""``ledgit note``: write a run's note."""

from __future__ import annotations

import argparse
import sys

from ledgit.cli import context, parsing, terminal
from ledgit.cli.text import clean_lines

HELP = """\
Write a note about a run: Markdown, of any length. Without -m or -F your editor opens with the note as it
is. Every version is kept: 'ledgit log RUN' lists them.
"""
EPILOG = """
ledgit note calm-owl -m 'best so far, but see #12'
ledgit note calm-owl -F findings.md     from a file; '-' is standard input
ledgit note calm-owl --show
"""
NOTE_TAG = "mlflow.note.content"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("-m", "--message", metavar="TEXT", help="the note; an empty one removes it")
    file = source.add_argument("-F", "--file", metavar="FILE", help="read the note from FILE, '-' for standard input")
    parsing.complete(file, "file")
    source.add_argument("--show", action="store_true", help="print the note")


def run(args: argparse.Namespace) -> int:
    """Write or print the note."""
    repository = context.repository(writing=not args.show)
    found = repository.run(args.ref)
    old = str(found.tags.get(NOTE_TAG, ""))
    if args.show:
        terminal.write("".join(line + "\n" for line in clean_lines(old.rstrip("\n"))) if old else "", page=True)
        return 0
    if args.message is not None:
        new = args.message
    elif args.file == "-":
        new = sys.stdin.read()
    elif args.file:
        with open(args.file, encoding="utf-8", errors="replace") as file:
            new = file.read()
    else:
        new = context.edit(old, "NOTE.md")
    new = new.rstrip()
    if new == old.rstrip():
        terminal.note("ledgit: the note is as it was")
    elif new:
        found.set_note(new)
    else:
        found.delete_tag(NOTE_TAG)
    return 0
