"""What can be mended without asking anybody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.doctor.code import lost_tags
from ledgit.store.doctor.finding import Finding, Patient, many
from ledgit.store.doctor.ledger import unlinked
from ledgit.store.doctor.leftovers import left_scratch
from ledgit.store.doctor.runs import ACTIVE, left_snapshots, stale_holds

if TYPE_CHECKING:
    from ledgit.store.folder import Folder

__all__ = ["mend"]


def mend(patient: Patient, findings: Iterable[Finding]) -> list[str]:
    """Mend what needs no decision, and return a line for each thing done, or not done and why."""
    keys = {finding.key for finding in findings}
    done: list[str] = []
    for names, act in _ACTS:
        if keys.isdisjoint(names):
            continue
        try:
            done += act(patient)
        except (LedgitError, OSError) as error:
            done.append(f"not mended ({', '.join(sorted(keys & names))}): {error}")
    return done


def _recover(patient: Patient) -> list[str]:
    from ledgit.store.recovery import recover
    from ledgit.store.work import remove_dead_work

    result = recover(patient.repo, patient.folder)
    done = [f"finalized run {run_id[:8]}" for run_id in result.commits]
    done += [f"run {run_id[:8]} stays as it is: {why}" for run_id, why in result.failed.items()]
    _sweep(patient.folder)
    remove_dead_work(patient.repo, patient.folder)
    return done or ["removed what killed processes left"]


def _sweep(folder: Folder) -> None:
    for path in left_scratch(folder):
        if os.path.isdir(path):
            folder.discard(path)
        else:
            os.unlink(path)


def _index(patient: Patient) -> list[str]:
    patient.index.close()
    for name in os.listdir(patient.folder.path):
        if name.startswith("index.sqlite3"):
            os.unlink(os.path.join(patient.folder.path, name))
    return ["removed the index; it is built again from the repository"]


def _prepare(patient: Patient) -> list[str]:
    from ledgit.store.setup import prepare

    return prepare(patient.repo, patient.runs)


def _snapshots(patient: Patient) -> list[str]:
    """Drop the refs that kept the code of runs which are commits by now; of others say where the code is."""
    from ledgit.git import RefUpdate, update_refs

    drop, keep = [], []
    patient.index.refresh()
    for name, oid in left_snapshots(patient).items():
        state = patient.index.get(name.removeprefix(ACTIVE))
        if state is not None and state.heads:
            drop.append(RefUpdate(name, None, oid))
        else:
            kept = f"{name} keeps the code of a run that is not here"
            keep.append(f"{kept}; if nobody needs it: git update-ref -d {name}")
    update_refs(patient.repo, drop)
    return [f"dropped {many(len(drop), 'snapshot')} of runs that are commits by now"] * bool(drop) + keep


def _covered(patient: Patient) -> list[str]:
    from ledgit.store.ledger import LedgerLock, drop_covered, local_ledger

    with LedgerLock(patient.folder):
        landed = drop_covered(patient.repo, patient.folder, patient.objects, local_ledger(patient.repo))
    return [f"dropped {many(len(landed.dropped) + len(landed.purged), 'ref')} of runs that the ledger has"]


def _compact(patient: Patient) -> list[str]:
    from ledgit.store.ledger import compact
    from ledgit.store.sync.held import read_held

    result = compact(patient.repo, patient.folder, hold=tuple(read_held(patient.folder)))
    return [f"took {many(len(result.runs), 'run')} into the ledger"]


def _link(patient: Patient) -> list[str]:
    """Add a commit to the clone's ledger that carries the heads which no ref reached."""
    import time

    from ledgit.git import ObjectSet, identity
    from ledgit.store.ledger import LedgerLock, commit_ledger, local_ledger, move_ledger

    with LedgerLock(patient.folder):
        tip = local_ledger(patient.repo)
        heads = unlinked(Patient(patient.repo, patient.folder, patient.index))
        if tip is None or not heads:
            return []
        objects, fresh = patient.objects, ObjectSet()
        new = commit_ledger(
            objects,
            fresh,
            objects.commit(tip).tree,
            tip,
            heads,
            who=identity(patient.repo),
            when=int(time.time()),
            subject=f"Keep {many(len(heads), 'run')}",
        )
        move_ledger(patient.repo, patient.folder, fresh, new, tip)
    return [f"made the ledger keep {many(len(heads), 'head')} that nothing kept"]


def _held(patient: Patient) -> list[str]:
    from ledgit.store.sync.held import release

    stale = stale_holds(patient)
    release(patient.folder, stale)
    return [f"forgot {many(len(stale), 'run')} that had been held back"]


def _tags(patient: Patient) -> list[str]:
    from ledgit.store.registry.restoring import restore_tags

    lost = {name.removeprefix("refs/tags/"): oid for name, oid in lost_tags(patient).items()}
    made = restore_tags(patient.repo, lost)
    return [f"restored {tag}" for tag in made] + [f"not restored: {tag}" for tag in lost if tag not in made]


_ACTS: tuple[tuple[set[str], Callable[[Patient], list[str]]], ...] = (
    ({"waiting", "leftovers"}, _recover),
    ({"unlinked"}, _link),
    ({"covered"}, _covered),
    ({"loose"}, _compact),
    ({"snapshot"}, _snapshots),
    ({"held-stale"}, _held),
    ({"tags"}, _tags),
    ({"index"}, _index),
    ({"init"}, _prepare),
)
