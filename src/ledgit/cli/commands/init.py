"""``ledgit init``: prepare a repository."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, terminal

HELP = """\
Prepare this repository for plain Git's sake; logging works without. It may be repeated, and says what it did:
tells Git not to diff long histories or convert artifacts (in info/attributes, not committed), keeps Ledgit's
refs out of 'git log' decorations, makes 'git fetch' skip runs where there are tens of thousands, and finalizes runs
that killed processes left. No commit is made.
"""
EPILOG = """
ledgit init
ledgit init --config                    also write a .ledgit/config.yaml to edit and commit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", action="store_true", help="write a commented .ledgit/config.yaml if there is none")
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Prepare, and say what was done."""
    from ledgit.query import Query
    from ledgit.store.setup import prepare, write_config

    repository = context.repository()
    done = prepare(repository.repo, repository.index.count(Query(view="all")))
    if args.config:
        done += write_config(repository.repo)
    recovered = context.recover(repository)
    if args.format == "json":
        terminal.write(render.json_text({"done": done, "recovered": recovered}))
        return 0
    for line in done or ["everything is prepared already"]:
        terminal.write(line + "\n")
    return 0
