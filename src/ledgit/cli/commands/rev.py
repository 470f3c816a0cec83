"""``ledgit rev``: print a run's commit."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, terminal
from ledgit.errors import RunStateError

HELP = """\
Print the commit of a run, for use with plain Git: it holds the code as it ran, with uncommitted changes,
and the run's files below .ledgit/run. It never changes; --head is the newest edit on top of it.
"""
EPILOG = """
git show $(ledgit rev calm-owl)         what the run was
git diff $(ledgit rev calm-owl) -- train.py  its code against yours
git log $(ledgit rev --head calm-owl)   its edits
git worktree add ../then $(ledgit rev calm-owl)  its files, beside yours
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser, nargs="+", dest="refs")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--head", dest="which", action="store_const", const="head", default="commit", help="newest edit")
    which.add_argument(
        "--code", dest="which", action="store_const", const="code", help="the commit that was checked out"
    )
    which.add_argument(
        "--tree", dest="which", action="store_const", const="tree", help="the tree of the code as it ran"
    )
    parser.add_argument("--short", action="store_true", help="the first 8 digits only")


def run(args: argparse.Namespace) -> int:
    """Print one id a line."""
    repository = context.repository()
    for ref in args.refs:
        found = repository.run(ref)
        if args.which in ("code", "tree"):
            oid = found.code.commit if args.which == "code" else found.code.tree
            if oid is None:
                raise RunStateError(f"run {found.id[:8]} has no {args.which}: it was started in an empty repository")
        else:
            oid = found.commit if args.which == "commit" else found.head
            if oid is None:
                raise RunStateError(f"run {found.id[:8]} is active and gets its commit when it ends")
        terminal.write((oid[:8] if args.short else oid) + "\n")
    return 0
