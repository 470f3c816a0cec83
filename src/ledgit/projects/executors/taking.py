"""The coordinator's end: the runs of a report become runs of its clone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import RecordError

if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet
    from ledgit.projects.executors.orders import TrialReport
    from ledgit.repository import Repository

__all__ = ["Taken", "take_in"]


@dataclass(slots=True)
class Taken:
    """What became of a report.

    Attributes:
        new: Runs that are here now because of it, with their commits.
        known: Runs that were here already, as they are in the report.
        refused: Runs that were not taken, with the reason: one that is here with another commit, or was purged.
        missing: Artifacts whose content is not here, with the reason.
    """

    new: dict[str, str] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def take_in(repository: Repository, report: TrialReport) -> Taken:
    """Store the runs of *report*, with their own commits. Doing it twice is doing it once.

    Everything is checked before anything is stored: objects are what their names say, a run's commit holds the
    run it is said to, and nothing is missing in its tree.

    Raises:
        RecordError: The report is damaged, or has something else than runs.
        NotFound: The code it stands on is not in this clone.
        NoRemote, Unreachable, AccessDenied, RemoteError: The runs were pushed and can't be pulled.
        StorageError: The disk refused.
    """
    taken = Taken(missing=list(report.missing))
    _take_objects(repository, report)
    if report.pushed and not report.pack:
        _pull(repository, report, taken)
    else:
        _take_pack(repository, report, taken)
    return taken


def _take_objects(repository: Repository, report: TrialReport) -> None:
    if not report.objects:
        return
    from hashlib import md5

    from ledgit.artifacts import Cache

    cache = Cache(repository.folder.cache)
    for oid, data in report.objects.items():
        if md5(data, usedforsecurity=False).hexdigest() != oid.removesuffix(".dir"):
            raise RecordError(f"md5:{oid}", "came back from the worker as something else")
        cache.put_known(data, oid)
    cache.sync(report.objects)


def _pull(repository: Repository, report: TrialReport, taken: Taken) -> None:
    from ledgit.git import Objects

    objects = Objects.of(repository.repo)
    before = {run_id for run_id, commit in report.runs.items() if objects.kind(commit) == "commit"}
    if len(before) < len(report.runs):
        repository.pull()
    for run_id, commit in report.runs.items():
        if run_id in before:
            taken.known.append(run_id)
        elif Objects.of(repository.repo).kind(commit) == "commit":
            taken.new[run_id] = commit
        else:
            taken.refused[run_id] = f"it was pushed to {report.pushed}, and a pull did not bring it"


def _take_pack(repository: Repository, report: TrialReport, taken: Taken) -> None:
    import os

    from ledgit.git import Objects, RefUpdate, update_refs
    from ledgit.git.parcels import read_pack
    from ledgit.store.chain import read_entry, run_ref
    from ledgit.store.ledger.due import compact_if_due
    from ledgit.store.packs import note_pack

    repo, folder = repository.repo, repository.folder
    objects = Objects.of(repo)
    fresh = read_pack(report.pack)
    for run_id, commit in report.runs.items():
        _check_whole(objects, fresh, run_id, commit, report.tree)
    here = all(objects.kind(commit) == "commit" for commit in report.runs.values())
    pack = None if here else fresh.write(repo, keep=True)  # objects that nothing names yet are no harm
    try:
        wanted = {}
        for run_id, commit in report.runs.items():
            entry = read_entry(objects, commit)
            if entry.id != run_id:
                raise RecordError(_where(run_id), f"its commit holds run {entry.id[:8]}")
            known, refused = _standing(repository, objects, run_id, commit, entry.start)
            if known:
                taken.known.append(run_id)
            elif refused:
                taken.refused[run_id] = refused
            else:
                wanted[run_id] = commit
        update_refs(repo, [RefUpdate(run_ref(run_id), commit, None) for run_id, commit in wanted.items()])
    finally:
        if pack is not None:
            pack.release()
    taken.new = wanted
    if pack is not None:
        note_pack(repo, folder, os.path.basename(pack.path))
    if wanted:
        compact_if_due(repo, folder)


def _where(run_id: str) -> str:
    return f"run {run_id[:8]} of a worker's report"


def _check_whole(objects: Objects, fresh: ObjectSet, run_id: str, commit: str, tree: str) -> None:
    """Check that all that a run's commit names is in the report or here.

    Raises:
        RecordError: It is not.
        NotFound: *tree*, the code's, is not in this clone.
    """
    from ledgit.git.copying import lacking
    from ledgit.git.parsing import parse_commit
    from ledgit.records.shapes import is_commit_id, is_run_id

    if not is_run_id(run_id) or not is_commit_id(commit):
        raise RecordError("a worker's report", f"names run {run_id[:40]!r} with commit {commit[:40]!r}")
    found = fresh.get(commit)
    if found is None or found[0] != "commit":
        raise RecordError(_where(run_id), f"its commit {commit[:12]} did not come along")
    decoded = parse_commit(commit, found[1])
    wanted = [*decoded.parents, *lacking(objects, fresh, tree, decoded.tree)]
    absent = next((oid for oid in wanted if oid not in fresh and objects.kind(oid) is None), None)
    if absent is not None:
        raise RecordError(_where(run_id), f"the object {absent[:12]} is neither in it nor in this clone")


def _standing(repository: Repository, objects: Objects, run_id: str, commit: str, start: int) -> tuple[bool, str]:
    """Return whether the run is here with this commit, and why it can't be taken if it can't."""
    from ledgit.store.chain import run_commits
    from ledgit.store.heads import is_purged, known_heads

    heads = known_heads(repository.repo, objects, run_id, start)
    if not heads:
        purged = is_purged(repository.repo, objects, run_id, start)
        return False, "it was purged here" if purged else ""
    if any(own.oid == commit for own in run_commits(objects, heads, run_id)):
        return True, ""
    return False, f"it is here with another commit: the attempt ran twice, and {commit[:12]} came second"
