"""Finalizing: an ended (or dead) active run becomes a commit.

The order is what makes it safe to be killed at any point:

1. the journal is durable (synced by its writer);
2. all new objects are written as one pack, fsynced, with a ``.keep``: no ``git gc`` takes it;
3. ``refs/ledgit/runs/<id>`` is created, or moved from the head that was read, and fsynced;
4. the ``.keep``, the active ref and the journal go.

The commit is a pure function of the journal (and of the heads it resumes, which the journal
names), so a repeat after 1 or 2 makes the same objects. After 3 the head's message names the
journal's session, by which a repeat sees that only step 4 is left. Were the run compacted between
3 and 4, which compaction does not do, a repeat would make the same commit a loose run once more:
the ledger has it, and compacting it again changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ledgit.errors import NotFound, RecordError, RunNotFound, RunStateError
from ledgit.records.record import make_entry, run_files
from ledgit.store.build import Built, build_record, has_artifacts, lost_files, message, staged_files
from ledgit.store.chain import RUN_FOLDER, Base, active_ref, read_base, resumed_heads, run_ref, sessions
from ledgit.store.journal import JournalState, read_parts
from ledgit.store.ledger.due import compact_if_due
from ledgit.store.lines import run_line
from ledgit.store.lock import RunLock
from ledgit.store.packs import list_pack, note_pack
from ledgit.store.settle import hand_over

if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.store.folder import Folder

__all__ = ["finalize", "finalize_locked", "make_tree"]

_ROW = 70  # bytes of the longest row of a history: where all fit raw, nobody compresses them to find out

#: Called with the name of each point between two durable steps; the fault tests kill there.
checkpoint: Callable[[str], None] = lambda _name: None  # noqa: E731


def finalize(repo: Repo, folder: Folder, run_id: str) -> str | None:
    """Finalize an active run that no process writes any more.

    Returns:
        Its commit, or None if another process holds the run.

    Raises:
        RunNotFound: There is no such active run.
    """
    directory = folder.active_dir(run_id)
    if not os.path.isdir(directory):
        raise RunNotFound(run_id)
    lock = RunLock(directory)
    if not lock.exclusive():
        return None
    try:
        return finalize_locked(repo, folder, run_id)
    finally:
        lock.release()


def finalize_locked(
    repo: Repo, folder: Folder, run_id: str, sync_journal: Callable[[], None] | None = None, *, wait: bool = True
) -> str:
    """As :func:`finalize`, for a caller that holds the run's lock alone.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        run_id: The run.
        sync_journal: Makes the journal durable. With it, and unless files were logged, that is
            the only sync that is waited for; the commit settles later (``store/settle.py``).
        wait: Wait for it. Else nothing is waited for, also where files were logged: should the power go before
            the commit has settled, the run may be gone or cut short.
    """
    from ledgit.git import Objects, RefUpdate, update_refs

    directory = folder.active_dir(run_id)
    state = read_parts(directory)
    start = state.first("start")
    if start is None:
        raise RunStateError(f"{directory} holds no start of a run; look at it and remove it by hand")
    if start["id"] != run_id:
        raise RecordError(directory, f"its journal belongs to run {start['id']}")
    objects = Objects.of(repo)
    ref = run_ref(run_id)
    current, base = _read_base(repo, objects, ref, start)
    if current is not None and start["session"] in sessions(objects, [current], run_id):
        _release(repo, folder, run_id, state)
        os.sync()  # whoever wrote the commit may have died before it was on disk
        folder.discard(directory)
        return current
    later = sync_journal is not None and (not wait or not has_artifacts(state))
    if sync_journal is not None and later and wait:
        sync_journal()
    commit, fresh = _make_commit(repo, folder, objects, state, base)
    pack = fresh.write(repo, keep=True, durable=not later)
    checkpoint("pack")
    try:
        if current is not None and _is_mended(objects, current, base, start):
            commit = current
        else:
            update_refs(repo, [RefUpdate(ref, commit, current)], durable=not later)
        checkpoint("ref")
        if pack.is_torn():
            pack = fresh.write(repo, keep=True, durable=not later)
    except BaseException:
        pack.release()
        raise
    if not later:  # else when it is settled: until then `git gc --auto` doesn't count it
        pack.release()
    checkpoint("keep")
    _release(repo, folder, run_id, state)
    checkpoint("active-ref")
    if later:
        hand_over(repo, folder, run_id, str(start["session"]), pack)
    else:
        folder.discard(directory)
        note_pack(repo, folder, os.path.basename(pack.path))
        compact_if_due(repo, folder)
    objects.rest()
    checkpoint("journal")
    return commit


def _read_base(repo: Repo, objects: Objects, ref: str, start: Mapping[str, Any]) -> tuple[str | None, Base | None]:
    """Return what the run's loose ref names now, and what this session goes on from.

    That are all heads that were known when it began, and the loose ref where it moved on. The
    journal names them, so it makes no difference if the run was compacted meanwhile.
    """
    from ledgit.git import read_ref

    current = read_ref(repo, ref)
    # What was purged meanwhile can't be gone on from.
    heads = [head for head in resumed_heads(start) if objects.kind(head) == "commit"]
    if current is not None:
        try:
            return current, read_base(objects, start["id"], [*heads, current])
        except (NotFound, RecordError):
            # A power cut took the commit before it was settled: this journal makes it again, on
            # top of what the session resumed.
            pass
    return current, read_base(objects, start["id"], heads) if heads else None


def _is_mended(objects: Objects, current: str, base: Base | None, start: Mapping[str, Any]) -> bool:
    """Whether *current*, which did not read, does now that this session's commit is there again.

    It is an edit that was made before the commit had settled, and outlived it.
    """
    if base is not None and current in base.heads:
        return False
    try:
        return start["session"] in sessions(objects, [current], start["id"]) and bool(
            read_base(objects, start["id"], [current])
        )
    except (NotFound, RecordError):
        return False


def _release(repo: Repo, folder: Folder, run_id: str, state: JournalState) -> None:
    """Let go of what kept the snapshot from ``git gc``: the run's own ref does now."""
    from ledgit.git import RefUpdate, read_ref, release_pack, update_refs

    for kind, item in state.events:
        if kind == "code":
            release_pack(repo, item.get("pack", ""))
            list_pack(folder, item.get("pack", ""))
    if state.first("protected") is not None or state.first("end") is None:
        ref = active_ref(run_id)
        if read_ref(repo, ref) is not None:
            update_refs(repo, [RefUpdate(ref, None, RefUpdate.ANY)], durable=False)


def _make_commit(
    repo: Repo, folder: Folder, objects: Objects, state: JournalState, base: Base | None
) -> tuple[str, ObjectSet]:
    from ledgit.git import ObjectSet

    built = build_record(state, base.record if base else None)
    fresh = ObjectSet()
    tree, parents = make_tree(repo, folder, objects, fresh, state, built, base)
    info = built.record.info
    made = info.start // 1000 if base is None else max((info.end or info.start) // 1000, base.date)
    who = (built.user or "ledgit", built.email, made, "+0000")
    oid = fresh.commit(tree, parents, who, who, message(built, resumed=base is not None))
    return oid, fresh


def make_tree(
    repo: Repo,
    folder: Folder,
    objects: Objects,
    fresh: ObjectSet,
    state: JournalState,
    built: Built,
    base: Base | None,
    *,
    final: bool = True,
) -> tuple[str, Sequence[str]]:
    """Put what *built* says into a run's tree, and large artifacts into the cache.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        objects: The repository's objects.
        fresh: Takes the new ones.
        state: The journal that *built* was made from.
        built: The record; completed.
        base: What the session goes on from.
        final: The session has ended, and what it logged over is needed no more.

    Returns:
        The tree, and the parents of its commit.
    """
    from ledgit.git import graft

    record = built.record
    directory = folder.active_dir(record.info.id)
    contents: dict[str, bytes | str] = {}
    reduced = False
    if record.full or sum(map(len, record.histories.values())) * _ROW > built.threshold:
        from ledgit.artifacts import Cache
        from ledgit.store.artifacts.histories import keep_histories

        cache = Cache(folder.cache)
        record, reduced, new = keep_histories(cache, record, built.threshold, fresh=bool(state.histories))
        cache.sync(new)
        built.record = record
    if record.artifacts or has_artifacts(state):
        from ledgit.store.artifacts.keeping import keep_artifacts

        contents = keep_artifacts(folder, built, state, base, objects, final=final)
        checkpoint("artifacts")
        built.problems += lost_files(state, staged_files(state, directory), directory)
    root = _root_tree(objects, built, base)
    entry = run_line(objects, root, make_entry(record, base.past if base else ()))
    files = {**run_files(record, entry, reduced), **contents}
    subtree = _subtree(fresh, files)
    if any(path.endswith(".dvc") for path in files):  # pointers
        from ledgit.store.artifacts.setting import beside_pointers

        root = beside_pointers(repo, objects, fresh, root)
    tree = graft(objects, fresh, root, RUN_FOLDER, subtree)
    return tree, base.heads if base else _code_parents(objects, built)


def _root_tree(objects: Objects, built: Built, base: Base | None) -> str | None:
    if base is not None:
        return base.tree
    if built.tree and objects.kind(built.tree) != "tree":
        built.problems.append(f"the code, tree {built.tree[:12]}, is gone from the repository")
        return None
    return built.tree


def _code_parents(objects: Objects, built: Built) -> list[str]:
    """Return the code commit, unless it is gone: nothing kept it for a run that was killed at its very start.

    A run without a snapshot names its code by id alone: as a parent the code would be pushed with it.
    """
    if not built.code_commit or built.tree is None:
        return []
    if objects.kind(built.code_commit) != "commit":
        built.problems.append(f"the commit that was checked out, {built.code_commit[:12]}, is gone from the repository")
        return []
    return [built.code_commit]


def _subtree(fresh: ObjectSet, files: dict[str, bytes | str]) -> str:
    from ledgit.git import build

    return build(fresh, files)
