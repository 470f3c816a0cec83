"""``ledgit branch``: a run's code becomes a branch."""

from __future__ import annotations

import argparse

from ledgit.cli import context, details, parsing, render, terminal
from ledgit.cli.text import clean

HELP = """\
Make a branch of the code that a run ran with, uncommitted changes and new files included: one commit on top of
the commit that was checked out. The run's own files are not in it, so such branches merge. Nothing is checked
out.
"""
EPILOG = """
ledgit branch calm-owl                  a branch named calm-owl
ledgit branch calm-owl faster-loader && git switch faster-loader
ledgit branch calm-owl --with-run       with its files in runs/calm-owl/, for a pull request
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parsing.add_run(parser)
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the branch (default: the run's)")
    parser.add_argument("--with-run", action="store_true", help="add the run's files to the tree, in runs/RUN/")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Make the branch."""
    from ledgit.store.checkout import make_branch, needs_code, needs_commit

    repository = context.repository(writing=True)
    found = repository.run(args.ref)
    head = needs_commit(found.id, found.head)
    details.get(repository, [found])
    needs_code(repository.repo, found.name, head)
    name = args.name or found.name
    below = None
    if args.with_run:
        from ledgit.records import safe_file

        below = f"runs/{safe_file(found.name)}"
    commit = make_branch(repository.repo, found.record(), head, name, run_files_below=below)
    if args.format == "json":
        terminal.write(render.json_text({"branch": name, "commit": commit}))
        return 0
    terminal.write(f"branch {clean(name)} is {commit[:8]}; 'git switch {clean(name)}' takes you there\n")
    return 0
