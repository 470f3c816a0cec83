"""All of some runs, or, of a clone that has the ledger's tip alone, what their lines say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ledgit.cli import terminal
from ledgit.errors import NotHere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.records.record import RunRecord
    from ledgit.repository import Repository, Run

__all__ = ["add_fetch", "get", "records"]


def add_fetch(parser: argparse.ArgumentParser) -> None:
    """Declare ``--fetch``."""
    parser.add_argument(
        "--fetch", action="store_true", help="get what a clone that has the ledger's tip alone lacks of the run"
    )


def get(repository: Repository, runs: Sequence[Run]) -> None:
    """Fetch the commits of *runs* that are not in this clone."""
    from ledgit.cli.progress import Progress

    with Progress() as progress:
        repository.fetch_runs(runs, progress)


def records(repository: Repository, runs: Sequence[Run], *, fetch: bool) -> tuple[list[RunRecord], bool]:
    """Return the records of *runs*, and whether they are whole.

    Where the commit of one is not here, all are what their lines say: so they can be compared.
    """
    if fetch:
        get(repository, runs)
    try:
        return [found.record() for found in runs], True
    except NotHere:
        from ledgit.store.outline import outline

        terminal.note(
            "ledgit: histories, data, artifacts and environment are not in this clone;"
            " --fetch, or 'ledgit pull --run', gets them"
        )
        return [outline(found.state) for found in runs], False
