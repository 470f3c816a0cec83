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

from ledgit.store.folder import boot_id
from ledgit.store.syncer import importing

TYPE_CHECKING = False  # a run that logs no large file does without
if TYPE_CHECKING:
    from ledgit.artifacts import Hashes
    from ledgit.store.filelog import FileLog
    from ledgit.store.folder import Folder
    from ledgit.store.staging import Staged

__all__ = ["hashes_of", "known_object", "note_stamped", "stamp_of", "submit", "withdraw"]

_guard = threading.Condition()
_waiting: deque[tuple[FileLog, str, Staged]] = deque()
_busy: FileLog | None = None
_thread: threading.Thread | None = None
_known: dict[str, Hashes] = {}
_process = os.urandom(8).hex()


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
        for item in [item for item in _waiting if item[0] is run]:
            _waiting.remove(item)
        while _busy is run:
            _guard.wait()


def stamp_of(staged: Staged) -> list[str | int] | None:
    """Return what the journal says of the file that a copy was taken from; None if the copy may be of two versions."""
    stat = staged.stat
    if stat is None:
        return None
    return [_since(), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, staged.read]


def note_stamped(folder: Folder, stamp: object, md5: str) -> None:
    """Remember what was hashed: the copy of a file with this *stamp*, from :func:`stamp_of`.

    Not after a power cut: the copy may hold something else than its file did, and nobody would know.
    """
    from ledgit.artifacts.hashing import Stamp

    if not isinstance(stamp, list) or len(stamp) != 7 or stamp[0] != _since():
        return
    if all(type(number) is int for number in stamp[1:]):
        hashes_of(folder).note(Stamp(*stamp[1:6]), md5, stamp[6])


def _since() -> str:
    """Return what changes when the machine starts anew; where nobody can say that, with each process."""
    return boot_id() or _process


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
    _thread = _busy = None
    for hashes in _known.values():
        hashes.forget()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
