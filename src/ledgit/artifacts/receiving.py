"""Objects come from the remote into the cache, each hashed before it gets its name there."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.cache import check_oid
from ledgit.artifacts.hashing import digest_file
from ledgit.artifacts.meter import Meter, Part
from ledgit.artifacts.moved import Moved
from ledgit.artifacts.parallel import each
from ledgit.artifacts.ranges import Streams
from ledgit.artifacts.sending import AT_ONCE
from ledgit.artifacts.stalls import get_file, watched
from ledgit.artifacts.unfinished import FOLDER, clear_local, new_name, release
from ledgit.errors import ArtifactDamaged, ArtifactNotFound, StorageError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledgit.artifacts.cache import Cache
    from ledgit.artifacts.remote import ObjectRemote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["receive"]

_ANSWER = 60  # seconds until a host must have said how much it gives at once
_PIECE = 256 << 10
_LINGER = 1.0  # seconds that a failure waits for what else was on the way, to leave nothing of it behind


def receive(remote: ObjectRemote, cache: Cache, oids: Iterable[str], progress: Progress | None) -> Moved:
    """See :meth:`ledgit.artifacts.remote.ObjectRemote.download`."""
    moved = Moved()
    wanted = list(dict.fromkeys(map(check_oid, oids)))
    if not wanted:
        return moved
    meter = Meter("fetching artifacts", None, progress)
    top = os.path.join(cache.path, FOLDER)
    clear_local(top)
    scratch = _Scratch(top)
    try:
        scratch.make()
        _run(remote, cache, wanted, scratch, meter, moved)
    finally:
        scratch.end()
        cache.sync(moved.done)
    return moved


class _Scratch:
    """The folder for what is not whole yet.

    Attributes:
        folder: Its path.
    """

    def __init__(self, top: str) -> None:
        self._top, self._name, self._ended = top, new_name(), False
        self.folder = os.path.join(top, self._name)

    def make(self) -> None:
        """Make it.

        Raises:
            StorageError: It can't be made.
        """
        try:
            os.makedirs(self.folder)
        except OSError as error:
            raise StorageError(self.folder, error.strerror or str(error)) from error

    def end(self) -> None:
        """Remove it. A thread that the network still holds removes what it makes there later itself."""
        self._ended = True
        release(self._name)
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir(self._top)

    def drop(self, path: str) -> None:
        """Remove a file in it that may be there, and the folder if nobody waits for more."""
        with contextlib.suppress(OSError):
            os.unlink(path)
        if self._ended:
            self.end()


def _run(remote: ObjectRemote, cache: Cache, oids: list[str], scratch: _Scratch, meter: Meter, moved: Moved) -> None:
    sizes: dict[str, int] = {}
    streams = Streams()

    def one(oid: str) -> None:
        if remote.down:
            raise Unreachable(remote.shown, "it can't be reached")
        try:
            sizes[oid] = remote.attempt(lambda fs: _get(remote, fs, cache, oid, scratch, meter, streams), "read")
        except ArtifactNotFound:
            raise ArtifactNotFound(f"md5:{oid}") from None

    # Sizes are not known, so that few go at once where each may be large in memory.
    jobs = remote.jobs() if remote.kind == "s3" else min(remote.jobs(), 4)
    with contextlib.closing(each(one, oids, jobs, _LINGER)) as outcomes:
        for outcome in outcomes:
            meter.tell()
            if outcome is None:
                continue
            if outcome.error is not None:
                failure = remote.failure(outcome.error, "read")
                moved.errors[outcome.item] = failure
                if isinstance(failure, StorageError):
                    raise failure from outcome.error
                continue
            moved.done.append(outcome.item)
            moved.bytes += sizes[outcome.item]


def _get(
    remote: ObjectRemote, fs: Any, cache: Cache, oid: str, scratch: _Scratch, meter: Meter, streams: Streams
) -> int:
    """Fetch one object and return its size."""
    part = Part(meter)
    target = os.path.join(scratch.folder, oid)
    source = remote.path(fs, oid)
    try:
        try:
            if remote.kind == "s3":
                watched(fs, streams.get_file(fs.fs, source, target, part), part, 0)
            else:
                get_file(fs, source, target, part, AT_ONCE, **_options(fs, remote.kind))
            size = os.stat(target).st_size
            found = digest_file(target)
        except OSError as error:
            _check_disk(error, target)
            raise
        if found != oid.removesuffix(".dir"):
            raise ArtifactDamaged(
                f"artifact md5:{oid}", f"its copy at {remote.shown} has the digest {found}; it was not taken"
            )
        cache.put(target, oid)
    except BaseException:
        part.finish(0)
        raise
    finally:
        scratch.drop(target)
    part.finish(size)
    return size


def _options(fs: Any, kind: str) -> dict[str, Any]:
    """Return how to ask: over SSH in the largest pieces that the host gives, where ``sshfs`` asks for 48 KiB."""
    if kind != "ssh":
        return {}
    if not hasattr(fs, "_ledgit_piece"):
        from fsspec.asyn import sync

        async def limit() -> int:
            async with fs.fs._pool.get() as channel:
                # An older asyncssh doesn't tell, an older host doesn't say.
                return int(getattr(getattr(channel, "limits", None), "max_read_len", 0))

        fs._ledgit_piece = sync(fs.fs.loop, limit, timeout=_ANSWER)
    piece = min(fs._ledgit_piece, _PIECE)
    return {"block_size": piece} if piece > _PIECE // 4 else {}


def _check_disk(error: OSError, scratch: str) -> None:
    """Raise what says that it is this machine's disk that is full; the remote is only read."""
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise StorageError(os.path.dirname(scratch), error.strerror or str(error)) from error
