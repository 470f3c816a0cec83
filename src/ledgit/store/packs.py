"""Keeps the packs that runs leave few: eight of one size become one of the next."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["note_pack", "tidy"]

#: Packs of one size before they are merged. With 10,000 runs there are at most 7 packs on each of
#: 5 levels, below the 50 at which Git starts a gc of its own.
FACTOR = 8
_LIST = "packs"
#: Seconds to wait for another process that merges; then this pack stays as it is, for git gc.
_PATIENCE = 1.0


def note_pack(repo: Repo, folder: Folder, name: str) -> None:
    """Remember a pack (``pack-<hex>``) that a run's commit was written to; merge when it is time.

    Never raises: the pack is fine where it is.
    """
    with contextlib.suppress(OSError, LedgitError), _locked(folder) as listed:
        listed.append((0, name))
        _write(folder, _merge(repo, listed))


def tidy(repo: Repo, folder: Folder) -> None:
    """Merge what there is to merge."""
    with _locked(folder) as listed:
        _write(folder, _merge(repo, listed))


@contextlib.contextmanager
def _locked(folder: Folder):  # type: ignore[no-untyped-def]  # a generator, used in this file only
    import fcntl

    fd = os.open(os.path.join(folder.path, "packs.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # A stopped process may hold it for hours, and no run waits for another.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
        yield _read(folder)
    finally:
        os.close(fd)


def _read(folder: Folder) -> list[tuple[int, str]]:
    found = []
    try:
        with open(os.path.join(folder.path, _LIST), encoding="ascii", errors="replace") as file:
            for line in file:
                level, _, name = line.strip().partition(" ")
                if level.isdigit() and name.startswith("pack-") and "/" not in name:
                    found.append((int(level), name))
    except FileNotFoundError:
        pass
    return found


def _write(folder: Folder, listed: list[tuple[int, str]]) -> None:
    path = os.path.join(folder.path, _LIST)
    with open(path + ".new", "w", encoding="ascii") as file:
        file.writelines(f"{level} {name}\n" for level, name in listed)
    os.replace(path + ".new", path)


def _merge(repo: Repo, listed: list[tuple[int, str]]) -> list[tuple[int, str]]:
    from ledgit.git import gc_is_running, merge_packs

    level = 0
    while level <= max((found for found, _ in listed), default=-1):
        names = [name for found, name in listed if found == level]
        if len(names) >= FACTOR:
            if gc_is_running(repo):
                break
            merged = merge_packs(repo, names)
            # None: Git repacked them meanwhile, so there is nothing to remember.
            listed = [item for item in listed if item[0] != level]
            if merged is not None:
                listed.append((level + 1, merged))
        level += 1
    return listed
