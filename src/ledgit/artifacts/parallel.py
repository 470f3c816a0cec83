"""Do many things at once, on threads that nobody has to wait for at the end."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Outcome", "each"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_TICK = 0.1  # seconds between two looks while nothing is finished


class Outcome(NamedTuple, Generic[Item, Result]):
    """What became of *item*: a result, or the error it raised."""

    item: Item
    result: Result | None
    error: BaseException | None


def each(work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Outcome[Item, Result] | None]:
    """Yield what ``work(item)`` gave for each of *items*, as they finish; None ten times a second in between.

    Whoever stops iterating, by an error or Ctrl-C, leaves at once: items that were not begun are not
    begun any more, and the threads, daemons all of them, hold up no interpreter's end. What is in an
    operation with the network at that moment ends by that operation's own timeout.
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

    for number in range(min(jobs, len(items))):
        threading.Thread(target=labour, name=f"ledgit-transfer-{number}", daemon=True).start()
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
