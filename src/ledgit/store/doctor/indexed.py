"""The index is a cache: it must say what the repository says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, StorageError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many, shown

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient
    from ledgit.store.index_database import Database

__all__ = ["check_index"]

_SMALL_CACHE = "PRAGMA cache_size = -32000"  # KiB: there are two
_FIXED = "r.id, r.name, r.experiment, r.status, r.user, r.parent_run, r.run_commit, r.head, r.code_commit, r.tree,"
_ROWS = (
    f"SELECT {_FIXED} r.branch, r.started, r.ended, r.deleted, r.dirty, d.body"  # noqa: S608 - no value in it
    " FROM run r JOIN doc d ON d.n = r.n ORDER BY r.id"
)


def check_index(patient: Patient) -> Iterator[Finding]:
    """Build the index again beside the one there is, and compare them run by run."""
    import sqlite3

    from ledgit.store.index_database import is_damage

    try:
        patient.index.refresh()
    except LedgitError as error:
        yield Finding(PROBLEM, "index", "index", f"the index can't be read: {error}", "ledgit doctor --mend")
        return
    if patient.index.in_memory or not os.path.exists(patient.index.path):
        return  # made anew each time
    try:
        wrong, unread = _compare(patient)
    except (sqlite3.Error, OSError, StorageError) as error:
        mend = "ledgit doctor --mend"
        if not isinstance(error, sqlite3.Error) or not is_damage(error):
            mend = "nothing is lost: it is a cache; free some space, if the disk is full, and check again"
        yield Finding(HINT, "index", "index", f"the index could not be checked: {error}", mend)
        return
    if wrong:
        what = f"the index is wrong about {many(len(wrong), 'run')}: {shown([run[:8] for run in wrong])}"
        yield Finding(PROBLEM, "index", "index", what, "ledgit doctor --mend")
    for run, problem in unread:
        what = f"run {run[:8]} can't be read whole: {problem}"
        yield Finding(PROBLEM, "runs", "run", what, "upgrade Ledgit, if a newer one wrote it; else: git fsck")


def _compare(patient: Patient) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the runs about which the index is wrong, and (run, why) of those that can't be read whole."""
    from ledgit.git import BatchReader
    from ledgit.store.index_database import Database, discard
    from ledgit.store.index_source import Source, run_refs

    patient.folder.make(patient.folder.scratch)
    path = os.path.join(patient.folder.scratch, f"doctor-{os.urandom(4).hex()}.sqlite3")
    # In a file: two indexes of 100,000 runs are more than fits into the memory of one command.
    fresh = Database.open(path)
    fresh.db.execute(_SMALL_CACHE)
    try:
        for _ in range(3):
            refs = run_refs(patient.repo)
            with fresh.writing(), BatchReader(patient.repo) as reader:
                Source(fresh, reader, refs).update()
            patient.index.refresh()
            if run_refs(patient.repo) == refs:
                break
        kept = Database.open(patient.index.path)
        kept.db.execute(_SMALL_CACHE)
        try:
            return _differing(kept, fresh), _unread(fresh)
        finally:
            kept.close()
    finally:
        fresh.close()
        discard(path)


def _differing(kept: Database, fresh: Database) -> list[str]:
    wrong = []
    mine, theirs = kept.db.execute(_ROWS), fresh.db.execute(_ROWS)
    one, other = mine.fetchone(), theirs.fetchone()
    while one is not None or other is not None:
        if one == other or (one is not None and other is not None and _say_the_same(one, other)):
            one, other = mine.fetchone(), theirs.fetchone()
        elif other is None or (one is not None and one[0] < other[0]):
            wrong.append(one[0])
            one = mine.fetchone()
        elif one is None or other[0] < one[0]:
            wrong.append(other[0])
            other = theirs.fetchone()
        else:
            wrong.append(one[0])
            one, other = mine.fetchone(), theirs.fetchone()
    return wrong


def _say_the_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Say whether two rows differ in nothing but whether what lines had no room for was read already."""
    from ledgit.store.index_codec import decode_state, encode_state, is_short
    from ledgit.store.index_table import SECTIONS

    if one[:-1] != other[:-1] or is_short(one[-1]) == is_short(other[-1]):
        return False
    less, more = sorted((one[-1], other[-1]), key=is_short, reverse=True)
    short, whole = decode_state(less), decode_state(more)
    if short.left != whole.left:
        return False
    for section in SECTIONS.intersection(short.left):
        some, everything = getattr(short, section), getattr(whole, section)
        if section == "inputs":
            alike = set(some) <= set(everything)
        else:
            alike = all(key in everything and repr(everything[key]) == repr(value) for key, value in some.items())
        if not alike:
            return False
        setattr(short, section, everything)
    return encode_state(short) == encode_state(whole)


def _unread(fresh: Database) -> list[tuple[str, str]]:
    from ledgit.store.index_codec import decode_state

    found = []
    for (body,) in fresh.db.execute("SELECT body FROM doc"):
        state = decode_state(body)
        if state.problem:
            found.append((state.id, state.problem))
    return found
