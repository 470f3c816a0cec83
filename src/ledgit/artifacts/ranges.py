"""An object of an S3 store, fetched in a few streams at once.

Each is written to its place as it comes, so that memory is a few network buffers whatever the size. ``s3fs`` keeps
whole pieces in memory, so they would have to be small, and asks for each of them.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.remote_errors import chain, remote_failure
from ledgit.errors import Unreachable

if TYPE_CHECKING:
    from ledgit.artifacts.meter import Part

__all__ = ["Streams"]

_FIRST = 8 << 20  # bytes that the first request asks for: of most objects that is all, and it tells of how many
_LEAST, _MOST = 8 << 20, 64 << 20  # bytes of each further stream: if it breaks, another goes on from there
_OF_ONE = 4  # streams of one object at once
_FURTHER = 8  # streams beyond the first, of all objects together
_PIECE = 1 << 18
_PAUSE = 0.3  # seconds before a stream that broke goes on


class Streams:
    """Downloads that share their connections. Everything runs on ``fsspec``'s loop."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_FURTHER)

    async def get_file(self, s3: Any, source: str, target: str, part: Part) -> None:
        """Fetch the object *source* as the local file *target*, which is there when this fails, too.

        Args:
            s3: ``s3fs``'s file system.
            source: Its path there.
            target: A local path.
            part: Counts the bytes.

        Raises:
            Exception: What ``s3fs`` or the disk raises.
        """
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            await _Fetch(s3, source, fd, part, self._room).run()
        finally:
            os.close(fd)


class _Fetch:
    """One object on its way."""

    def __init__(self, s3: Any, source: str, fd: int, part: Part, room: asyncio.Semaphore) -> None:
        bucket, key, version = s3.split_path(source)
        self._s3, self._fd, self._part, self._room = s3, fd, part, room
        self._asked = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        self._left: deque[tuple[int, int]] = deque()  # (first byte, the byte after the last)

    async def run(self) -> None:
        """Fetch all of it.

        Raises:
            Exception: The first error; the other streams have ended.
        """
        try:
            answer = await self._ask(0, _FIRST)
        except OSError as error:
            if not _has_no_range(error):
                raise
            answer = await self._ask()  # an empty object has no first byte
        total = _total(answer)
        rest = total - _FIRST
        if rest > 0 and "ContentRange" in answer:
            each = min(_MOST, max(_LEAST, ceil(rest / _OF_ONE)))
            self._left.extend((start, min(start + each, total)) for start in range(_FIRST, total, each))
            total = _FIRST
        # This one waits for nobody, so that there is always some progress.
        work = [self._first(total, answer["Body"]), *(self._help() for _ in range(min(_OF_ONE, len(self._left))))]
        tasks = [asyncio.ensure_future(task) for task in work]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _first(self, end: int, body: Any) -> None:
        await self._stream(0, end, body)
        while self._left:
            await self._stream(*self._left.popleft())

    async def _help(self) -> None:
        while self._left:
            async with self._room:
                if self._left:
                    await self._stream(*self._left.popleft())

    async def _stream(self, at: int, end: int, body: Any = None) -> None:
        """Fetch the bytes from *at* to before *end*; *body* is the answer that has them, if it is here already."""
        failed = 0
        try:
            while at < end:
                if body is None:
                    body = (await self._ask(at, end))["Body"]
                piece = b""
                broken: Exception = ConnectionResetError(errno.ECONNRESET, "the answer ended early")
                try:
                    piece = await body.read(_PIECE)
                except Exception as error:
                    if not isinstance(remote_failure("", error), Unreachable):
                        raise
                    broken = error
                if piece:
                    self._write(piece, at)
                    at += len(piece)
                    continue
                body.close()
                body = None
                failed += 1
                if failed > self._s3.retries:
                    raise broken
                await asyncio.sleep(_PAUSE)
        finally:
            if body is not None:
                body.close()

    async def _ask(self, start: int = 0, end: int | None = None) -> Any:
        """Ask for the bytes from *start* to before *end*, of as many as there are; for all if *end* is None."""
        span = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}
        return await self._s3._call_s3("get_object", **self._asked, **span)

    def _write(self, piece: bytes, at: int) -> None:
        done = 0
        while done < len(piece):
            done += os.pwrite(self._fd, memoryview(piece)[done:], at + done)
        self._part.relative_update(len(piece))


def _total(answer: Any) -> int:
    """Return the object's size; a server that knows no ranges gives all of it."""
    of = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return int(of) if of.isdigit() else int(answer["ContentLength"])


def _has_no_range(error: OSError) -> bool:
    """Whether the object has no such bytes."""
    for cause in chain(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict) and response.get("Error", {}).get("Code") in ("InvalidRange", "416"):
            return True
    return False
