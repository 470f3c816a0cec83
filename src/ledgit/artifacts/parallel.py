"""Do many things at once, on threads that nobody has to wait for at the end."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

__all__ = ["Outcome", "each"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_TICK = 0.1  # seconds between two looks while nothing is finished


class Outcome(NamedTuple, Generic[Item, Result]):
    """What became of *item*: a result, or the error it raised."""

    item: Item
    result: Result | None
    error: BaseException | None


def each(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int, linger: float = 0.0
) -> Generator[Outcome[Item, Result] | None, None, None]:
    """Yield what ``work(item)`` gave for each of *items*, as they finish; None ten times a second in between.

    Who stops iterating, by an error or Ctrl-C, closes the iterator (``contextlib.closing``: a traceback keeps one
    that is only left) and goes on at once: items that were not begun are not begun any more, and the threads,
    daemons all of them, hold up no interpreter's end. What is in an operation with the network at that moment
    ends by that operation's own timeout.

    Args:
        work: What to do with one.
        items: All of them.
        jobs: How many at once.
        linger: Seconds that closing waits for what was begun, where that leaves something to be cleared away.
    """
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    finished: queue.SimpleQueue[Outcome[Item, Result]] = queue.SimpleQueue()
    stopped = threading.Event()
    for item in items:
        waiting.put(item)

    def labour() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                finished.put(Outcome(item, work(item), None))
            except BaseException as error:  # the caller decides; a thread has nobody to tell
                finished.put(Outcome(item, None, error))

    threads = [
        threading.Thread(target=labour, name=f"ledgit-transfer-{number}", daemon=True)
        for number in range(min(jobs, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        left = len(items)
        while left:
            try:
                outcome = finished.get(timeout=_TICK)
            except queue.Empty:
                yield None
                continue
            left -= 1
            yield outcome
    finally:
        stopped.set()
        until = time.monotonic() + linger
        for thread in threads:
            if (left_over := until - time.monotonic()) > 0:
                thread.join(left_over)
