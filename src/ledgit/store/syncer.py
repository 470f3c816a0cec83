"""One background thread a process: makes journals durable once a second and beats for them."""

from __future__ import annotations

import os
import threading
import time

__all__ = ["importing", "register", "unregister"]

#: Seconds between two syncs: what a power cut can take of an active run.
INTERVAL = 1.0


TYPE_CHECKING = False  # typing takes 3 ms to import, on the way of every start
if TYPE_CHECKING:
    from typing import Protocol

    class Syncable(Protocol):
        """What the thread calls once per interval."""

        def tick(self) -> None:
            """Sync, check that the journal is still there, beat."""


_members: list[Syncable] = []
_wake = threading.Event()
_guard = threading.Lock()
_thread: threading.Thread | None = None
_pid = 0


def register(member: Syncable) -> None:
    """Call ``member.tick()`` once a second from now on."""
    global _thread, _pid, _guard, _wake  # noqa: PLW0603 - one thread a process is the point
    if _pid != os.getpid():  # a forked child has neither the thread nor sane locks
        _pid, _thread, _guard, _wake = os.getpid(), None, threading.Lock(), threading.Event()
        _members.clear()
    with _guard:
        if member not in _members:
            _members.append(member)
        if _thread is None:
            _thread = threading.Thread(target=_loop, name="ledgit-sync", daemon=True)
            _thread.start()
        _wake.set()


def unregister(member: Syncable) -> None:
    """Stop calling ``member.tick()``."""
    if _pid == os.getpid() and member in _members:
        _members.remove(member)


def _loop() -> None:
    while True:
        if not _members:
            _wake.clear()
            if not _members:
                _wake.wait()
        time.sleep(INTERVAL)
        for member in tuple(_members):  # ending runs take themselves out meanwhile
            member.tick()


# A module that one thread imports while another one forks stays half imported in the child for
# good, and whoever imports it there waits for ever (data loaders' workers, right after a run's
# start). So a fork waits for the import, and the thread imports nothing later.
importing = threading.Lock()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=importing.release)
