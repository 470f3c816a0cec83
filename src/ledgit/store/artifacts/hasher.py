"""The thread that hashes beside a run: large copies get their names in the cache while training goes on.

One thread a process, begun with the first large file, ended when nothing is left to hash. What it
didn't get to, finalizing does. All that it imports, it imports at its beginning, while a fork waits:
see ``importing`` in ``store/syncer.py``.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress

from ledgit.store.syncer import importing

TYPE_CHECKING = False  # a run that logs no large file does without
if TYPE_CHECKING:
    from ledgit.artifacts import Hashes
    from ledgit.store.filelog import FileLog
    from ledgit.store.folder import Folder
    from ledgit.store.staging import Staged

__all__ = ["hashes_of", "known_object", "note_left", "submit", "withdraw"]

_guard = threading.Condition()
_waiting: deque[tuple[FileLog, str, Staged]] = deque()
_busy: FileLog | None = None
_thread: threading.Thread | None = None
_known: dict[str, Hashes] = {}
_left: dict[str, tuple[FileLog, Staged]] = {}
"""Where copies are that finalizing hashes, and what they were taken from.

Not in the journal: after a power cut a copy may hold something else than its file did, and nobody would know.
"""


def hashes_of(folder: Folder) -> Hashes:
    """Return what was hashed before in this clone."""
    found = _known.get(folder.path)
    if found is None:
        from ledgit.artifacts import Hashes

        found = _known[folder.path] = Hashes(folder.path)
    return found


def known_object(folder: Folder, path: str, least: int) -> tuple[str, int] | None:
    """Return (id, size) of the file at *path* if it was hashed before, its content is in the cache, and > *least*."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    hashes = hashes_of(folder)
    if stat.st_size <= least or not os.path.exists(hashes.path):  # then SQLite need not be loaded
        return None
    md5 = hashes.known(stat)
    if md5 is None:
        return None
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    if not cache.has(md5) or cache.size(md5) != stat.st_size:
        return None
    cache.use(md5)
    return (md5, stat.st_size) if cache.has(md5) else None  # somebody tidied up meanwhile


def submit(run: FileLog, file: str, staged: Staged) -> None:
    """Have the copy *file* (its name in the journal's folder) hashed and linked into the cache."""
    global _thread  # noqa: PLW0603 - one thread a process is the point
    with _guard:
        _waiting.append((run, file, staged))
        if _thread is None:
            _thread = threading.Thread(target=_loop, name="ledgit-hash", daemon=True)
            try:
                _thread.start()
            except RuntimeError:  # the interpreter is ending: finalizing does it
                _thread = None


def withdraw(run: FileLog) -> None:
    """Hash nothing more of *run*, and wait for what is being hashed: the run ends."""
    with _guard:
        for path in [path for path in _left if not os.path.exists(path)]:
            del _left[path]  # of a run that has ended, and had no use for it
        for item in [item for item in _waiting if item[0] is run]:
            _waiting.remove(item)
            _, file, staged = item
            if staged.stat is not None:
                _left[os.path.join(run.directory, file)] = run, staged
        while _busy is run:
            _guard.wait()


def note_left(path: str, md5: str) -> None:
    """Remember the file that the copy at *path* was taken from, if this process took it: finalizing has hashed it."""
    with _guard:
        left = _left.pop(path, None)
    if left is not None:
        run, staged = left
        assert staged.stat is not None
        hashes_of(run.folder).note(staged.stat, md5, staged.read)


def _loop() -> None:
    global _thread, _busy  # noqa: PLW0603
    with importing:
        import hashlib  # noqa: F401
        import sqlite3  # noqa: F401

        from ledgit.artifacts import Cache, cache, digest_file, hashing  # noqa: F401
    while True:
        with _guard:
            if not _waiting:
                _thread = None
                return
            run, file, staged = _waiting.popleft()
            _busy = run
        with suppress(Exception):  # finalizing tries again, and says what is wrong
            _hash(run, file, staged)
        with _guard:
            _busy = None
            _guard.notify_all()


def _hash(run: FileLog, file: str, staged: Staged) -> None:
    from ledgit.artifacts import Cache, digest_file

    path = os.path.join(run.directory, file)
    md5 = digest_file(path)
    Cache(run.folder.cache).put(path, md5)
    run.note_hashed(file, md5)
    if staged.stat is not None:
        hashes_of(run.folder).note(staged.stat, md5, staged.read)


def _after_fork() -> None:
    """In a forked child: the thread and what waits for it are the parent's."""
    global _guard, _thread, _busy  # noqa: PLW0603
    _guard = threading.Condition()
    _waiting.clear()
    _left.clear()
    _thread = _busy = None
    for hashes in _known.values():
        hashes.forget()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
