"""Keeps the packs that runs leave few: eight of one size become one of the next."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, RecordError

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["list_pack", "note_pack", "tidy"]

#: Packs of one size before they are merged. With 10,000 runs there are at most 7 packs on each of
#: 5 levels, below the 50 at which Git starts a gc of its own.
FACTOR = 8
#: Bytes from which on a pack stays as it is: copying it would take longer than one pack less is worth.
LARGEST = 32 << 20
_LIST = "packs"
#: Names that were added while another process had the list; see :func:`note_pack`.
_NEW, _TAKEN = "packs.new", "packs.taken"
_ROUNDS = 4


def note_pack(repo: Repo, folder: Folder, name: str) -> None:
    """Remember a pack (``pack-<hex>``) that we wrote, and merge when it is time.

    Never raises: the pack is fine where it is. Nor does it wait for a process that is merging,
    which may be slow or stopped: it leaves the name for whoever has the list next.
    """
    list_pack(folder, name)
    with contextlib.suppress(OSError, LedgitError):
        for _ in range(_ROUNDS):
            tidy(repo, folder)
            if not os.path.exists(os.path.join(folder.path, _NEW)):
                break


def list_pack(folder: Folder, name: str) -> None:
    """Remember a pack ("" for none) for the next :func:`note_pack`. Never raises."""
    if not name:
        return
    with contextlib.suppress(OSError, LedgitError):
        folder.make(folder.path)
        fd = os.open(os.path.join(folder.path, _NEW), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, f"0 {name}\n".encode("ascii"))
        finally:
            os.close(fd)


def tidy(repo: Repo, folder: Folder) -> None:
    """Merge what there is to merge.

    Raises:
        BlockingIOError: Another process does.
    """
    with _locked(folder):
        listed = _read(folder, _LIST)
        taken = os.path.join(folder.path, _TAKEN)
        if not os.path.exists(taken):  # else left by a killed process, and to be read first
            with contextlib.suppress(FileNotFoundError):
                os.rename(os.path.join(folder.path, _NEW), taken)
        listed = list(dict.fromkeys([*listed, *_read(folder, _TAKEN)]))
        _write(folder, listed)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(taken)
        merged = _merge(repo, listed)
        if merged != listed:
            _write(folder, merged)


@contextlib.contextmanager
def _locked(folder: Folder) -> Iterator[None]:
    import fcntl

    fd = os.open(os.path.join(folder.path, "packs.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


def _read(folder: Folder, name: str) -> list[tuple[int, str]]:
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


def _write(folder: Folder, listed: list[tuple[int, str]]) -> None:
    path = os.path.join(folder.path, _LIST)
    with open(path + ".tmp", "w", encoding="ascii") as file:
        file.writelines(f"{level} {name}\n" for level, name in listed)
    os.replace(path + ".tmp", path)


def _merge(repo: Repo, listed: list[tuple[int, str]]) -> list[tuple[int, str]]:
    from ledgit.git import gc_is_running, merge_packs

    level = 0
    while level <= max((found for found, _ in listed), default=-1):
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
