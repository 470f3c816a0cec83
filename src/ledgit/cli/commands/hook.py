"""``ledgit hook NAME``: what a hook of Git's calls."""

from __future__ import annotations

import os
import sys

from ledgit.cli import terminal

TYPE_CHECKING = False  # a hook has no time for argparse
if TYPE_CHECKING:
    import argparse

HELP = """\
Do what a hook of Git's is for. The scripts that 'ledgit hooks install' writes call this; so can any manager of hooks.
Standard input is what Git tells the hook. It ends with 0 whatever happens; pre-commit and pre-push end with 12 to
stop Git, and the scripts take any other code for a fault of ours.
"""
EPILOG = """
ledgit hook post-commit
ledgit hook pre-push origin git@host:team/churn.git < refs
"""
_TOLD = ("post-rewrite", "pre-push")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the hook: pre-commit, post-commit, pre-push …")
    parser.add_argument("words", metavar="ARGUMENT", nargs="*", help="what Git gives the hook")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    from ledgit.errors import LedgitError
    from ledgit.git import Repo
    from ledgit.hooks import Call, run_hook

    stdin = b"" if args.name not in _TOLD or sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
    index = os.environ.get("GIT_INDEX_FILE")
    try:
        repo = Repo.discover()
    except LedgitError as error:
        terminal.note(f"ledgit: the hook {args.name} did nothing: {error}")
        return 0
    if index is not None:
        index = os.path.abspath(index)  # Git names it from the folder that the hook starts in
    git = os.environ.get("LEDGIT_GIT", "")  # behind a pipe our parent is a shell, whose end says nothing
    parent = int(git) if git.isdigit() else 0
    return run_hook(args.name, Call(repo, args.words, stdin, index, terminal.note, parent))
