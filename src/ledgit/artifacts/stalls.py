"""Transfers that end when nothing moves any more.

The libraries' timeouts are for answers. A server that takes a connection and then says nothing can keep a request
waiting for ever: aiohttp, for one, waits without end for the ``100 Continue`` that S3 clients ask for.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledgit.artifacts.meter import Part

__all__ = ["get_file", "put_file", "watched"]

PATIENCE = 90  # seconds without progress, and
SLOWEST = 32 << 10  # bytes a second that the slowest connection is given for what is on the way
_TICK = 1.0


def put_file(fs: Any, source: str, target: str, part: Part, at_once: int, **options: Any) -> None:
    """Send the file *source* to *target* on DVC's file system *fs*.

    Args:
        fs: DVC's file system.
        source: A local path.
        target: A path there.
        part: Counts the bytes.
        at_once: How many bytes are on the way between two signs of progress.
        options: For the file system's own library.

    Raises:
        TimeoutError: Nothing moves any more.
        Exception: What the library raises.
    """
    if fs.fs.async_impl:
        watched(fs, fs.fs._put_file(source, target, callback=part, **options), part, at_once)
        fs.fs.invalidate_cache(fs.parent(target))
    else:
        fs.put_file(source, target, callback=part, **options)


def get_file(fs: Any, source: str, target: str, part: Part, at_once: int, **options: Any) -> None:
    """Fetch the file *source* from DVC's file system *fs* as the local file *target*; as :func:`put_file`."""
    if fs.fs.async_impl:
        watched(fs, fs.fs._get_file(source, target, callback=part, **options), part, at_once)
    else:
        fs.get_file(source, target, callback=part, **options)


def watched(fs: Any, coroutine: Any, part: Part, at_once: int) -> None:
    """Run *coroutine* on the loop of DVC's file system *fs* as long as there is progress; see :func:`put_file`."""
    future = asyncio.run_coroutine_threadsafe(coroutine, fs.fs.loop)
    patience = PATIENCE + at_once / SLOWEST
    seen, since = part.at, time.monotonic()
    while True:
        try:
            future.result(timeout=min(_TICK, patience))
            return
        except TimeoutError:  # ours, or the coroutine's own
            if future.done():
                raise
        if part.at != seen:
            seen, since = part.at, time.monotonic()
        elif time.monotonic() - since > patience:
            future.cancel()
            raise TimeoutError
