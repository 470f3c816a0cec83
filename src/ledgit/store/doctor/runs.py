"""Runs that wait, are lost, held back, unreadable or left over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many, shown
from ledgit.store.ledger.loose import RUNS, busy, cover, read_loose
from ledgit.store.live import active_ids, live_runs

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient
    from ledgit.store.ledger.loose import Loose

__all__ = ["ACTIVE", "check_runs", "covered_runs", "left_snapshots", "stale_holds"]

ACTIVE = "refs/ledgit/active/"
_MANY_LOOSE = 1_000


def check_runs(patient: Patient) -> Iterator[Finding]:
    """Check journals, loose runs, snapshots of active runs and the list of what is held back."""
    yield from _journals(patient)
    yield from _loose(patient)
    yield from _snapshots(patient)
    yield from _held(patient)


def _journals(patient: Patient) -> Iterator[Finding]:
    runs = live_runs(patient.folder)
    for state in runs:
        if state.lost:
            what = f"run {state.name} ({state.id[:8]}) gave no sign of life for long; it ran on another machine"
            mend = f"if it is dead: ledgit doctor --finalize {state.id[:8]}"
            yield Finding(PROBLEM, "runs", "lost", what, mend)
    dead = [state.name for state in runs if state.status != "RUNNING"]
    if dead:
        what = f"{many(len(dead), 'run')} that ended without becoming a commit; nothing is lost: {shown(dead)}"
        yield Finding(PROBLEM, "runs", "waiting", what, "ledgit doctor --mend")
    for name in sorted(set(active_ids(patient.folder)) - {state.id for state in runs}):
        path = patient.folder.active_dir(name)
        what = f"{path} holds no readable start of a run; it is damaged, or a newer Ledgit's"
        yield Finding(PROBLEM, "runs", "torn", what, f"look at it, then: rm -r {path}")


def loose_of(patient: Patient) -> list[Loose]:
    """Return the loose runs that nobody is writing."""
    is_busy = busy(patient.folder)
    heads = {name.removeprefix(RUNS): oid for name, oid in patient.refs.items() if name.startswith(RUNS)}
    return read_loose(patient.repo, {run: oid for run, oid in heads.items() if not is_busy(run)})


def _loose(patient: Patient) -> Iterator[Finding]:
    loose = loose_of(patient)
    for run in loose:
        if run.line is None:
            mend = f"git fsck; then fetch {run.head[:12]} from a clone that has it, or: git update-ref -d {run.ref}"
            yield Finding(PROBLEM, "runs", "run", f"run {run.id[:8]} can't be read: {run.problem}", mend)
    passed, purged = covered_runs(patient, loose)
    if purged:
        what = f"{many(len(purged), 'purged run')} with a ref here: {shown([run.id[:8] for run in purged])}"
        yield Finding(PROBLEM, "runs", "covered", what, "ledgit doctor --mend")
    if passed:
        what = f"{many(len(passed), 'ref')} of runs that the ledger has"
        yield Finding(HINT, "runs", "covered", what, "ledgit doctor --mend")
    if len(loose) > _MANY_LOOSE:
        what = (
            f"{many(len(loose), 'run')} not in the ledger yet, which makes Git slower; compaction seems not to get done"
        )
        yield Finding(HINT, "runs", "loose", what, "ledgit doctor --mend")


def covered_runs(patient: Patient, loose: list[Loose]) -> tuple[list[Loose], list[Loose]]:
    """Return the loose runs that the ledger has as they are or newer, and those it has purged."""
    from ledgit.store.ledger import LEDGER_REF

    tip = patient.refs.get(LEDGER_REF)
    if tip is None or not loose:
        return [], []
    found = cover(patient.objects, patient.objects.commit(tip).tree, loose)
    return [*found.listed, *found.passed], found.purged


def left_snapshots(patient: Patient) -> dict[str, str]:
    """Return the refs that protect active runs' code, of runs that are not active: name → commit."""
    is_busy = busy(patient.folder)
    refs = {name: oid for name, oid in patient.refs.items() if name.startswith(ACTIVE)}
    return {name: oid for name, oid in refs.items() if not is_busy(name.removeprefix(ACTIVE))}


def _snapshots(patient: Patient) -> Iterator[Finding]:
    left = [name.removeprefix(ACTIVE)[:8] for name in left_snapshots(patient)]
    if left:
        what = f"{many(len(left), 'snapshot')} of the code of runs that nobody writes: {shown(left)}"
        yield Finding(HINT, "runs", "snapshot", what, "ledgit doctor --mend")


def stale_holds(patient: Patient) -> list[str]:
    """Return the runs that are noted as held back and have no ref of their own any more."""
    from ledgit.store.sync.held import read_held

    return [run for run in read_held(patient.folder) if RUNS + run not in patient.refs]


def _held(patient: Patient) -> Iterator[Finding]:
    from ledgit.store.sync.held import REFUSED, read_held

    stale = set(stale_holds(patient))
    by_reason: dict[tuple[str, str, str], list[str]] = {}
    for run, held in read_held(patient.folder).items():
        if run not in stale:
            # What the host refused is the one thing that a push doesn't try again by itself.
            again = "ledgit push --retry" if held.kind == REFUSED else "ledgit push"
            by_reason.setdefault((held.remote, held.reason, again), []).append(run[:8])
    for (remote, reason, again), runs in by_reason.items():
        there = f" from {remote}" if remote else ""
        what = f"{many(len(runs), 'run')} held back{there} ({shown(runs)}): {reason}"
        yield Finding(HINT, "runs", "held", what, f"{again}, when that has changed")
    if stale:
        what = f"{many(len(stale), 'run')} noted as held back and shared since, or gone"
        yield Finding(HINT, "runs", "held-stale", what, "ledgit doctor --mend")
