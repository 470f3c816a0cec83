"""Checks of a repository, each with what mends it.

One file a group of checks; each check yields findings and changes nothing but caches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.doctor.finding import GROUPS, HINT, PROBLEM, Finding, Patient
from ledgit.store.doctor.rewritten import Rewritten

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["GROUPS", "HINT", "PROBLEM", "Finding", "Rewritten", "ask_remote", "examine", "follow", "in_order", "mend"]

Check = Callable[[Patient], Iterator[Finding]]
Progress = Callable[[str, int, int | None], None]


def examine(repo: Repo, folder: Folder, index: Index, progress: Progress | None = None) -> list[Finding]:
    """Return what is wrong with the repository: problems first, then by group.

    Changes nothing but the index's cache, and asks no network. What can't be checked, because
    something before it is broken, is a finding too. *progress* is told (what, done, total).
    """
    from ledgit.store.doctor.code import check_code, check_tags
    from ledgit.store.doctor.indexed import check_index
    from ledgit.store.doctor.ledger import check_ledger
    from ledgit.store.doctor.leftovers import check_leftovers
    from ledgit.store.doctor.remote import check_host
    from ledgit.store.doctor.runs import check_runs
    from ledgit.store.doctor.settings import check_settings
    from ledgit.store.doctor.surroundings import check_surroundings

    patient = Patient(repo, folder, index)
    checks: tuple[tuple[str, Check], ...] = (
        ("git", check_surroundings),
        ("settings", check_settings),
        ("runs", check_runs),
        ("runs", check_leftovers),
        ("ledger", check_ledger),
        ("index", check_index),
        ("runs", check_code),
        ("remote", check_host),
        ("registry", check_tags),
    )
    found: dict[Finding, None] = {}
    for number, (group, check) in enumerate(checks):
        if progress is not None:
            progress(f"Checking {check.__name__.removeprefix('check_')}", number, len(checks))
        try:
            found.update(dict.fromkeys(check(patient)))
        except LedgitError as error:
            name = check.__name__.removeprefix("check_")
            failed = Finding(PROBLEM, group, "check", f"{name} could not be checked: {error}", "mend the others first")
            found[failed] = None
    return in_order(found)


def ask_remote(repo: Repo, folder: Folder, index: Index, name: str | None = None) -> list[Finding]:
    """Return what a remote does not take, by making a ref there and deleting it.

    Raises:
        NoRemote: There is no remote to ask.
    """
    from ledgit.store.doctor.remote import check_remote

    return in_order(list(check_remote(Patient(repo, folder, index), name)))


def follow(repo: Repo, folder: Folder, index: Index, path: str | None = None) -> Rewritten:
    """Make runs point to the commits that a rewrite of history made of theirs.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        index: Its index.
        path: The list of old and new commits; that of the last ``git filter-repo`` or BFG by default.

    Raises:
        UsageError: There is no such list.
    """
    from ledgit.store.doctor.rewritten import find_map, follow_rewrite, read_map

    return follow_rewrite(repo, folder, index, read_map(path or find_map(repo)))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return *findings* with problems first, then by group, as they were found."""
    return sorted(findings, key=lambda one: (one.level != PROBLEM, GROUPS.index(one.group)))


def mend(repo: Repo, folder: Folder, index: Index, findings: list[Finding]) -> list[str]:
    """Mend what needs no decision, and return a line for each thing done."""
    from ledgit.store.doctor.mending import mend as mend_all

    return mend_all(Patient(repo, folder, index), findings)
