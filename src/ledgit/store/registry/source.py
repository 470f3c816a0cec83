"""The commit that a version is made from: a finished run's own, or a checkpoint of one that is being written."""

from __future__ import annotations

import os

from ledgit.errors import ArtifactNotFound, NotHere, RunNotFound, RunStateError
from ledgit.records.run import RUNNING
from ledgit.store.registry.digest import files_below, files_or_none, model_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.records.artifacts import ArtifactRecord
    from ledgit.records.state import RunState
    from ledgit.store.build import Built
    from ledgit.store.folder import Folder
    from ledgit.store.journal import JournalState

__all__ = ["Source", "find_source"]

_PATIENCE = 30.0  # seconds for the snapshot of a run that has just begun


class Source:
    """What a registration commit is made from.

    Attributes:
        commit: Its parent.
        tree: Its tree.
        files: The model's artifacts in it.
        date: Date of *commit*, in seconds since the epoch.
    """

    __slots__ = ("commit", "date", "files", "tree")

    def __init__(self, commit: str, tree: str, date: int, files: list[ArtifactRecord]) -> None:
        self.commit, self.tree, self.date, self.files = commit, tree, date, files


def find_source(
    repo: Repo, folder: Folder, objects: Objects, fresh: ObjectSet, run: RunState, path: str, now: int
) -> Source:
    """Return the commit to register the model at *path* of *run* from.

    Of a finished run it is the commit that finalizing made, or, where the model was logged or changed
    later, the newest head that has it. Of one that is being written a checkpoint is made: what it has
    logged so far, as a commit that only the version's own names.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        objects: The repository's objects.
        fresh: Takes a checkpoint's objects.
        run: The run, as the index has it.
        path: The model's folder, or "" for all artifacts.
        now: Seconds since the epoch, for a checkpoint.

    Raises:
        ArtifactNotFound: The run has nothing at *path*.
        RunNotFound: It became a commit just now: ask the index again.
        RunStateError: It was purged.
        NotHere: Its commit is not in this clone.
    """
    if run.purged:
        raise RunStateError(f"run {run.id[:8]} was purged; nothing of it can be registered")
    if os.path.isdir(folder.active_dir(run.id)):
        return _checkpoint(repo, folder, objects, fresh, run, path, now)
    if not run.heads:
        raise RunNotFound(run.id)
    return _of_commits(repo, folder, objects, run, path)


def _of_commits(repo: Repo, folder: Folder, objects: Objects, run: RunState, path: str) -> Source:
    from ledgit.store.heads import bring_here

    bring_here(repo, folder, run.heads)
    if not all(map(objects.exists, run.heads)):
        raise NotHere(f"the commit of run {run.name}", run.id[:8])
    listed = [(head, files_or_none(objects, head, path)) for head in run.heads]
    newest = next(((head, files) for head, files in listed if files), None)
    if newest is None:
        model_files(objects, run.heads[0], path)  # says what there is instead
        raise ArtifactNotFound(path)
    head, files = newest
    first = run.commit
    # The commit that finalizing made is what people link to, unless the model is not that one.
    if first is not None and first != head and objects.exists(first) and files_or_none(objects, first, path) == files:
        head = first
    commit = objects.commit(head)
    return Source(head, commit.tree, commit.committer[2], files or [])


def _checkpoint(
    repo: Repo, folder: Folder, objects: Objects, fresh: ObjectSet, run: RunState, path: str, now: int
) -> Source:
    from dataclasses import replace

    from ledgit.store.build import build_record
    from ledgit.store.chain import read_base, resumed_heads
    from ledgit.store.finalizing import make_tree

    state = _journal(folder, run)
    start = state.first("start")
    assert start is not None
    heads = [head for head in resumed_heads(start) if objects.kind(head) == "commit"]
    base = read_base(objects, run.id, heads) if heads else None
    built = build_record(state, base.record if base else None)
    built.record.info = replace(built.record.info, status=RUNNING, end=None)
    try:
        tree, parents = make_tree(repo, folder, objects, fresh, state, built, base, final=False)
    except FileNotFoundError as error:
        raise RunNotFound(run.id) from error  # it was finalized meanwhile
    when = max(now, base.date if base else 0)
    who = (built.user or "ledgit", built.email, when, "+0000")
    commit = fresh.commit(tree, list(parents), who, who, _message(built))
    return Source(commit, tree, when, files_below(built.record.artifacts, path))


def _journal(folder: Folder, run: RunState) -> JournalState:
    """Return the run's journal, once the thread that takes the snapshot of its code has ended."""
    import time

    from ledgit.store.journal import read_parts
    from ledgit.store.lock import ALIVE, liveness

    directory = folder.active_dir(run.id)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            state = read_parts(directory)
        except FileNotFoundError:
            raise RunNotFound(run.id) from None
        start = state.first("start")
        if start is None:
            raise RunNotFound(run.id)
        known = start.get("resumed") or state.first("code") or state.first("note") or state.first("end")
        if known or time.monotonic() > deadline:
            return state
        if liveness(directory, str(start.get("host", "")), str(start.get("boot", ""))) != ALIVE:
            return state
        time.sleep(0.01)


def _message(built: Built) -> str:
    info = built.record.info
    lines = [f"checkpoint: {info.name} ({info.experiment})", ""]
    lines += ["Problem: " + " ".join(text.split()) for text in built.problems]
    lines += [f"Ledgit-Run: {info.id}", f"Ledgit-Status: {info.status}", f"Ledgit-Session: {built.session}"]
    return "\n".join(lines) + "\n"
