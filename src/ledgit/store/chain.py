"""The commits of one finalized run: its ref, its heads, what the newest one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.errors import RunNotFound
from ledgit.records.entry import Entry, decode_entry, with_head
from ledgit.records.record import RUN_FOLDER, RunRecord, decode_record

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo

__all__ = ["RUN_FOLDER", "Head", "active_ref", "read_head", "run_ref", "sessions"]

_SESSION = "Ledgit-Session: "


def run_ref(run_id: str) -> str:
    """Return the local ref of a finalized run."""
    return f"refs/ledgit/runs/{run_id}"


def active_ref(run_id: str) -> str:
    """Return the ref that keeps an active run's snapshot from ``git gc``."""
    return f"refs/ledgit/active/{run_id}"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest commit of a run, read whole.

    Attributes:
        head: Commit id.
        entry: Its ledger line.
        record: Everything in its tree.
        files: The raw files below ``.ledgit/run/``.
    """

    head: str
    entry: Entry
    record: RunRecord
    files: dict[str, bytes]


def read_commit(objects: Objects, head: str) -> Head:
    """Read the run commit *head* whole."""
    files = objects.files(head, RUN_FOLDER)
    entry = decode_entry(with_head(files.get("entry.json", b"{}"), head))
    return Head(head, entry, decode_record(files), files)


def read_head(repo: Repo, run_id: str) -> Head:
    """Read the newest commit of a finalized run.

    Raises:
        RunNotFound: There is no ref for it.
    """
    from ledgit.git import Objects, read_ref

    head = read_ref(repo, run_ref(run_id))
    if head is None:
        raise RunNotFound(run_id)
    return read_commit(Objects(repo), head)


def sessions(objects: Objects, commits: list[str]) -> set[str]:
    """Return the journal sessions that *commits* were made from (their message trailers)."""
    found: set[str] = set()
    for oid in commits:
        lines = objects.commit(oid).message.splitlines()
        found.update(line.removeprefix(_SESSION) for line in lines if line.startswith(_SESSION))
    return found
