"""Threads that ask the repository, so that the thread of the screen never does."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Jobs"]


class Jobs:
    """A few threads that work through what they are given, oldest first.

    They are daemons: whoever quits the UI does not wait for a long question.

    Whoever gives a job is its owner: it counts as open until he has taken the answer, or is gone himself.
    """

    def __init__(self, threads: int = 3) -> None:
        self._threads = threads
        self._started = 0
        self._idle = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._condition = threading.Condition()
        self._open: dict[object, int] = {}

    @property
    def open(self) -> int:
        """How many jobs were given and have not ended, answers on their way included."""
        with self._condition:
            return sum(self._open.values())

    def give(self, job: Callable[[], None], owner: object) -> None:
        """Have *job* done by one of the threads. It must not raise, and is open until :meth:`end` or :meth:`leave`."""
        with self._condition:
            self._open[owner] = self._open.get(owner, 0) + 1
            self._waiting.append(job)
            if self._idle < len(self._waiting) and self._started < self._threads:
                self._started += 1
                threading.Thread(target=self._work, name=f"ledgit-ui-{self._started}", daemon=True).start()
            self._condition.notify()

    def end(self, owner: object) -> None:
        """One of *owner*'s jobs has ended."""
        with self._condition:
            if owner in self._open:
                self._open[owner] -= 1
                if not self._open[owner]:
                    del self._open[owner]

    def leave(self, owner: object) -> None:
        """Nobody takes the answers of *owner*'s jobs any more."""
        with self._condition:
            self._open.pop(owner, None)

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                while not self._waiting:
                    self._condition.wait()
                self._idle -= 1
                job = self._waiting.popleft()
            job()
