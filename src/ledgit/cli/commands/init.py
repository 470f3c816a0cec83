"""``ledgit init``: prepare a repository."""

from __future__ import annotations

import argparse

from ledgit.cli import context, parsing, render, sharing, terminal
from ledgit.cli.text import clean

HELP = """\
Prepare this repository for plain Git's sake; logging works without. It may be repeated, and says what it did:
tells Git not to diff long histories or convert artifacts (in info/attributes, not committed), keeps Ledgit's
refs out of 'git log' decorations, makes 'git fetch' skip runs where there are tens of thousands, and finalizes runs
that killed processes left. No commit is made.

It also says where artifacts go that are too large for Git. In a project with a default DVC remote that is a folder
below it, and nothing has to be set up; 'ledgit artifacts remote' has the choice.
"""
EPILOG = """
ledgit init
ledgit init --config                    also write a .ledgit/config.yaml to edit and commit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", action="store_true", help="write a commented .ledgit/config.yaml if there is none")
    parser.add_argument(
        "--diff-driver",
        action=argparse.BooleanOptionalAction,
        help="let 'git diff' show what matters of a metric's history; --no-diff-driver undoes that",
    )
    parsing.add_formats(parser)


def run(args: argparse.Namespace) -> int:
    """Prepare, and say what was done."""
    from ledgit.query import Query
    from ledgit.store.artifacts.setting import is_committed, write_remote
    from ledgit.store.setup import diff_driver, prepare, write_config

    repository = context.repository()
    done = prepare(repository.repo, repository.index.count(Query(view="all")))
    if args.config:
        done += write_config(repository.repo)
    if args.diff_driver is not None:
        done += diff_driver(repository.repo, on=args.diff_driver)
    recovered = context.recover(repository)
    place = repository.artifact_place()
    if args.format == "json":
        shown = None if place is None else {"url": place.shown, "source": place.source}
        terminal.write(render.json_text({"done": done, "recovered": recovered, "artifact_remote": shown}))
        return 0
    for line in done or ["everything is prepared already"]:
        terminal.write(line + "\n")
    if place is None:
        terminal.note("ledgit: large files stay in this clone until 'ledgit artifacts remote URL' says where they go")
        return 0
    terminal.note(f"ledgit: large files go to {clean(place.shown)}, as {place.source} says")
    if not is_committed(place):
        if terminal.interactive() and sharing.agrees("Write that into .dvc/config, to commit for everybody? [y/N] "):
            changed = write_remote(repository.repo, place)
            terminal.note(f"ledgit: wrote {' '.join(changed)}; 'git add -f {' '.join(changed)}' and a commit share it")
        else:
            terminal.note("ledgit: 'ledgit artifacts remote --commit' writes it into .dvc/config, for everybody")
    return 0
