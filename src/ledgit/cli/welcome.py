"""What ``ledgit`` alone says: what it is, and the next step from where one stands."""

from __future__ import annotations

from ledgit.errors import LedgitError, NotARepository

ABOUT = "Ledgit: experiment tracking in the Git repository you already have. A run is a commit."
ALL = "'ledgit --help' lists all commands, 'ledgit COMMAND --help' has examples."
NO_REPOSITORY = """\
Here is no Git repository. Next:
  git init                           make this folder one, or change to one
  ledgit demo                        a scratch repository with real runs, to look at"""
NO_RUNS = """\
This repository has no runs yet. Next:
  ledgit run -- python train.py      track a command, or log from Python: import ledgit as mlflow
  ledgit pull                        get the runs of the remote
  ledgit demo                        a scratch repository with real runs, to look at"""
RUNS = """\
This repository has runs. Next:
  ledgit ls                          list them
  ledgit diff                        what changed with the newest
  ledgit ui                          browse and compare them
  ledgit push                        share them"""


def welcome() -> str:
    """Return the text; no more than a look at refs and a folder, and no error."""
    return f"{ABOUT}\n\n{_next()}\n\n{ALL}"


def _next() -> str:
    import os

    from ledgit.cli import context
    from ledgit.git import ref_names

    try:
        opened = context.opened()
        active = opened.folder.active
        there = ref_names(opened.repo, "refs/ledgit/runs/", "refs/ledgit/ledger")
        return RUNS if there or (os.path.isdir(active) and os.listdir(active)) else NO_RUNS
    except NotARepository:
        return NO_REPOSITORY
    except LedgitError as error:
        return f"This repository can't be used: {error}"
