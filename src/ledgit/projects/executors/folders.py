"""Work folders of a worker: kept between trials of the same code, one for each that runs at a time."""

from __future__ import annotations

import atexit
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledgit.projects.executors.inputs import fetch_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledgit.git import Repo
    from ledgit.projects.executors.orders import Code
    from ledgit.projects.workfolder import WorkFolder

__all__ = ["work_folder"]

_guard = threading.Lock()
_idle: dict[tuple[int, str], list[WorkFolder]] = {}  # of this process


@contextmanager
def work_folder(clone: Repo, code: Code) -> Iterator[WorkFolder]:
    """Give a folder of *clone* with the files of *code*, as they are there.

    Raises:
        GitFailed: Git couldn't write the files.
        StorageError: The folder can't be made.
    """
    key = (os.getpid(), os.path.join(clone.common_dir, code.tree))  # a forked process has none of its parent's
    work = _take(key)
    try:
        if work is None:
            work = _make(clone, code)
        else:
            work.reset()
        work.repo._config = clone.config()  # settings that came with this order, read once
        yield work
    except BaseException:
        if work is not None:
            work.remove()
        raise
    with _guard:
        if not _idle:
            atexit.register(_clear)
        _idle.setdefault(key, []).append(work)


def _take(key: tuple[int, str]) -> WorkFolder | None:
    with _guard:
        for other in [other for other in _idle if other != key and other[0] == key[0]]:
            for work in _idle.pop(other):  # of another code: its sweep has ended, or is another one's turn
                work.remove()
        waiting = _idle.get(key)
        return waiting.pop() if waiting else None


def _make(clone: Repo, code: Code) -> WorkFolder:
    from ledgit.projects.workfolder import WorkFolder, remove_dead

    with _guard:
        remove_dead(clone)
        store = _data_store(clone)
        work = WorkFolder.make(clone, code.tree, code.commit, caches=(store,))
        try:
            if work.problems:
                fetch_data(work, store)
        except BaseException:
            work.remove()
            raise
    work.note_state()
    return work


def _data_store(clone: Repo) -> str:
    """Return where the clone keeps what DVC's remote has of the project's data."""
    from ledgit.store import Folder

    return os.path.join(Folder.of(clone).path, "data")


def _clear() -> None:
    with _guard:
        for (pid, _), waiting in _idle.items():
            for work in waiting if pid == os.getpid() else ():
                work.remove()
        _idle.clear()
