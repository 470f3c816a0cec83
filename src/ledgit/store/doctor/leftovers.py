"""What killed processes left: half-made files, locks, packs that no gc may touch."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, shown
from ledgit.store.work import dead_work

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient
    from ledgit.store.folder import Folder

__all__ = ["check_leftovers", "left_locks", "left_scratch"]

_HOUR = 3600.0
_DAY = 24 * _HOUR
_KEEP = b"ledgit: "
_TEMPORARY = "ledgit-new-"


def check_leftovers(patient: Patient) -> Iterator[Finding]:
    """Check Ledgit's folder, Git's packs and the locks on refs."""
    common = patient.repo.common_dir
    work = [os.path.relpath(path, common) for path in dead_work(patient.folder)]
    found = [*_in_folder(patient), *_packs(patient), *work]
    if found:
        what = f"left by killed processes: {shown(found)}"
        yield Finding(HINT, "runs", "leftovers", what, "ledgit doctor --mend")
    locks = left_locks(patient)
    if locks:
        what = f"a killed process left locks, so that these refs can't be written: {shown(locks)}"
        mend = "if no git runs: rm " + " ".join(os.path.join(patient.repo.common_dir, name) for name in locks[:5])
        yield Finding(PROBLEM, "git", "locks", what, mend)
    if _settling(patient):
        what = "journals of ended runs were never confirmed to be on disk"
        yield Finding(HINT, "runs", "leftovers", what, "ledgit doctor --mend")


def _in_folder(patient: Patient) -> Iterator[str]:
    folder = patient.folder
    for place, age, begins in (
        (folder.trash, 0.0, ""),
        (folder.scratch, _DAY, ""),
        (folder.path, _DAY, "index-"),
        (folder.active, _HOUR, ".new-"),
    ):
        for name in _old(place, age):
            if name.startswith(begins):
                yield os.path.relpath(os.path.join(place, name), patient.repo.common_dir)


def left_scratch(folder: Folder) -> list[str]:
    """Return the paths of scratch files that are too old to be in use."""
    return [os.path.join(folder.scratch, name) for name in _old(folder.scratch, _DAY)]


def _settling(patient: Patient) -> bool:
    return bool(_old(patient.folder.settling, 60.0))


def _packs(patient: Patient) -> Iterator[str]:
    place = os.path.join(patient.repo.objects_dir, "pack")
    for name in _old(place, _HOUR):
        if name.startswith(_TEMPORARY) or (name.endswith(".keep") and _is_ours(os.path.join(place, name))):
            yield f"objects/pack/{name}"


def _is_ours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(_KEEP)) == _KEEP
    except OSError:
        return False


def left_locks(patient: Patient) -> list[str]:
    """Return the locks on refs, below the common Git directory, that are too old to belong to anybody."""
    root = patient.repo.common_dir
    found = [name for name in _old(root, _HOUR) if name == "packed-refs.lock"]
    for place, _, names in os.walk(os.path.join(root, "refs", "ledgit")):
        locks = {name for name in names if name.endswith(".lock")}
        if locks:
            found += [os.path.relpath(os.path.join(place, name), root) for name in _old(place, _HOUR) if name in locks]
    return found


def _old(path: str, age: float) -> list[str]:
    """Return the names in the folder *path* of what has not changed for *age* seconds."""
    found = []
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    for name in names:
        try:
            if time.time() - os.lstat(os.path.join(path, name)).st_mtime >= age:
                found.append(name)
        except OSError:
            continue
    return found
