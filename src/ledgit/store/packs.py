"""Keeps the packs that runs leave few and small: eight of one size become one of the next.

The background compaction takes all that is new and makes one pack of deltas (`shrinking`) of it, and
of four such packs one.
"""

from __future__ import annotations

import contextlib
import os

from ledgit.errors import LedgitError, RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    _Item = tuple[int, str]  # level and name

__all__ = ["list_pack", "note_pack", "shrink", "tidy"]

#: Packs of one size before they are merged. With 10,000 runs there are at most 7 packs on each of
#: 5 levels, below the 50 at which Git starts a gc of its own. Shrunk ones have levels of their own,
#: and where they are made the others seldom get beyond the third.
FACTOR = 8
#: Bytes from which on a pack stays as it is: copying it would take longer than one pack less is worth.
LARGEST = 32 << 20
#: Level of packs that were shrunk; far beyond any that merging leads to. They are merged in the
#: background, and earlier: while it packs, what it packs is there besides what comes.
SHRUNK = 10
_SHRUNK_FACTOR = 4
_LIST = "packs"
#: Names that were added while another process had the list; see :func:`note_pack`.
_NEW, _TAKEN = "packs.new", "packs.taken"
#: Names that are being shrunk: they are in no list, so that nobody merges them meanwhile.
_CLAIMED = "packs.shrinking"
_ROUNDS = 4
_PAUSE = 0.02


def note_pack(repo: Repo, folder: Folder, name: str) -> bool:
    """Remember a pack (``pack-<hex>``; "" for none) that we wrote, and merge when it is time.

    Returns:
        False where a ``git gc`` is at work, so that what should be merged goes on waiting for the next call.

    Never raises: the pack is fine where it is. Nor does it wait for a process that is merging,
    which may be slow or stopped: it leaves the name for whoever has the list next. Before there
    are enough new ones to be merged, taking them into the list would cost more than all the rest.
    """
    waiting = list_pack(folder, name)
    if name and waiting < FACTOR:
        return True
    from ledgit.git import gc_is_running

    with contextlib.suppress(OSError, LedgitError):
        if gc_is_running(repo):
            return False
        for _ in range(_ROUNDS):
            tidy(repo, folder)
            if not os.path.exists(os.path.join(folder.path, _NEW)):
                break
    return True


def list_pack(folder: Folder, name: str) -> int:
    """Remember a pack ("" for none) for the next :func:`note_pack`; return about how many wait now. Never raises."""
    if not name:
        return 0
    with contextlib.suppress(OSError, LedgitError):
        folder.make(folder.path)
        fd = os.open(os.path.join(folder.path, _NEW), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            written = os.write(fd, f"0 {name}\n".encode("ascii"))
            return os.fstat(fd).st_size // written
        finally:
            os.close(fd)
    return FACTOR  # nothing could be written; the list says what there is


def shrink(repo: Repo, folder: Folder, wait: float = 5.0) -> list[str]:
    """Make packs with deltas of all that were written since the last time; for the background.

    It takes about half a millisecond a run, and more for long histories. Meanwhile others go on
    ending runs and merging what these leave.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        wait: Seconds to wait for a process that is merging.

    Returns:
        The new packs' names; none where there was nothing to do, or a ``git gc`` is at work.

    Raises:
        BlockingIOError: Another process is merging, or at this.
        StorageError: The disk is full or failing; the packs are as they were.
        GitFailed: A new pack was not good, and is gone; those it was made of are as they were.
    """
    from ledgit.git import gc_is_running

    made: list[str] = []
    fresh: list[list[_Item]] | None = None
    with _locked(folder, "shrinking.lock"):
        while not gc_is_running(repo):
            with _waiting(folder, wait):
                # What a process that was killed had claimed comes first.
                listed = list(dict.fromkeys([*_read(folder, _CLAIMED), *_take(folder)]))
                if fresh is None:  # later ones are left to the next time, or this would never end
                    fresh = list(_fresh(repo, listed))
                claimed = fresh.pop(0) if fresh else _equal(listed)
                _write(folder, claimed, _CLAIMED)
                _write(folder, [item for item in listed if item not in claimed])
            if not claimed:
                break
            found: list[_Item] = claimed
            try:
                level = max(SHRUNK, claimed[0][0] + 1)
                found = [(level, name) for name in _shrink(repo, [name for _, name in claimed])]
                made += [name for _, name in found]
            finally:
                with _waiting(folder, wait):
                    _write(folder, [*_take(folder), *found])
                    _write(folder, [], _CLAIMED)
    return made


def _shrink(repo: Repo, names: list[str]) -> list[str]:
    """Make one pack of *names*; return its name."""
    from ledgit.git import merge_packs
    from ledgit.store.shrinking import RunPlan

    while names:
        try:
            made = merge_packs(repo, names, LARGEST, RunPlan())
        except RecordError as error:
            if error.where not in names:
                raise
            names = [name for name in names if name != error.where]  # it is damaged, and stays what it is
            continue
        return [] if made is None else [made]
    return []


def _equal(listed: list[_Item]) -> list[_Item]:
    """Return the shrunk packs that are to become one; none if there are too few of each level."""
    for level in sorted({level for level, _ in listed if level >= SHRUNK}):
        items = [item for item in listed if item[0] == level]
        if len(items) >= _SHRUNK_FACTOR:
            return items
    return []


def _fresh(repo: Repo, listed: list[_Item]) -> Iterator[list[_Item]]:
    """Yield the packs that were not shrunk yet, as many at a time as memory has room for."""
    items: list[_Item] = []
    size = 0
    for level, name in listed:
        path = os.path.join(repo.objects_dir, "pack", name)
        if level >= SHRUNK or os.path.exists(path + ".keep"):  # kept: the run is still being settled
            continue
        with contextlib.suppress(OSError):
            size += os.stat(path + ".pack").st_size
        items.append((level, name))
        if size > LARGEST:
            yield items
            items, size = [], 0
    if items:
        yield items


@contextlib.contextmanager
def _waiting(folder: Folder, wait: float) -> Iterator[None]:
    """Hold the list, which others mostly have for some milliseconds."""
    import time

    until = time.monotonic() + wait
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(_locked(folder))
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
        yield


def tidy(repo: Repo, folder: Folder) -> None:
    """Merge what there is to merge.

    Raises:
        BlockingIOError: Another process does.
    """
    with _locked(folder):
        listed = _take(folder)
        merged = _merge(repo, listed)
        if merged != listed:
            _write(folder, merged)


def _take(folder: Folder) -> list[_Item]:
    """Return the list with all that was left for whoever has it."""
    listed = _read(folder, _LIST)
    taken = os.path.join(folder.path, _TAKEN)
    if not os.path.exists(taken):  # else left by a killed process, and to be read first
        with contextlib.suppress(FileNotFoundError):
            os.rename(os.path.join(folder.path, _NEW), taken)
    listed = list(dict.fromkeys([*listed, *_read(folder, _TAKEN)]))
    _write(folder, listed)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(taken)
    return listed


@contextlib.contextmanager
def _locked(folder: Folder, name: str = "packs.lock") -> Iterator[None]:
    import fcntl

    fd = os.open(os.path.join(folder.path, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _read(folder: Folder, name: str) -> list[_Item]:
    found = []
    try:
        with open(os.path.join(folder.path, name), encoding="ascii", errors="replace") as file:
            for line in file:
                level, _, name = line.strip().partition(" ")
                if level.isdigit() and name.startswith("pack-") and "/" not in name:
                    found.append((int(level), name))
    except FileNotFoundError:
        pass
    return found


def _write(folder: Folder, listed: list[_Item], name: str = _LIST) -> None:
    path = os.path.join(folder.path, name)
    with open(path + ".tmp", "w", encoding="ascii") as file:
        file.writelines(f"{level} {name}\n" for level, name in listed)
    os.replace(path + ".tmp", path)


def _merge(repo: Repo, listed: list[_Item]) -> list[_Item]:
    from ledgit.git import gc_is_running, merge_packs

    level = 0
    while level <= max((found for found, _ in listed if found < SHRUNK), default=-1):
        names = [name for found, name in listed if found == level]
        if len(names) >= FACTOR:
            if gc_is_running(repo):
                break
            try:
                merged = merge_packs(repo, names, LARGEST)
            except RecordError as error:
                # One is damaged: kept in the list it would stop all merging for ever.
                kept = [item for item in listed if item[1] != error.where]
                if kept == listed:
                    raise
                listed = kept
                continue
            # None also where Git repacked them meanwhile: then there is nothing to remember.
            listed = [item for item in listed if item[0] != level]
            if merged is not None:
                listed.append((level + 1, merged))
        level += 1
    return listed
