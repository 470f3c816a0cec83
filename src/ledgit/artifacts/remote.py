"""Objects on Ledgit's DVC remote: what is there, and bringing them there and back.

The file systems, their credentials and the layout (``files/md5/ab/cdef…``) are DVC's, so that what one writes the
other reads. Ours is the order and the caution: an object gets its name when it is whole, sizes are compared,
what arrives is hashed, every wait ends, and every error is a sentence.
"""

from __future__ import annotations

import contextlib
import os
import time
from asyncio import CancelledError  # fsspec has loaded it
from math import ceil
from typing import TYPE_CHECKING, Any, TypeVar

from ledgit.artifacts.cache import check_oid
from ledgit.artifacts.connection import Connection
from ledgit.artifacts.hashing import new_digest
from ledgit.artifacts.moved import Moved
from ledgit.artifacts.parallel import each
from ledgit.artifacts.refusals import refusal
from ledgit.artifacts.remote_errors import chain, remote_failure
from ledgit.errors import AccessDenied, ArtifactNotFound, LedgitError, RemoteError, RemoteFull, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ledgit.artifacts.cache import Cache
    from ledgit.artifacts.place import Place

    Progress = Callable[[str, int, int | None], None]

__all__ = ["ObjectRemote", "open_remote"]

Result = TypeVar("Result")
_HEX = frozenset("0123456789abcdef")
_NOT_THERE = (FileNotFoundError, NotADirectoryError)
# File systems where a file can be seen before it is whole, and moved without being copied.
_PLAIN = frozenset({"hdfs", "local", "ssh", "webdav", "webdavs", "webhdfs"})
_MOST_JOBS = 16
_HTTP = frozenset({"http", "https"})
_PAGE = 1000  # objects that an object store lists with one request
_FEW_OBJECTS = 20_000  # that are listed in one go
_PIECE = 8 << 20
_PAUSE = 0.3  # seconds before the second attempt; each further waits three times as long
_ATTEMPTS = {"s3": 1}  # s3fs repeats what failed itself


def open_remote(place: Place) -> ObjectRemote:
    """Return the remote at *place*. Nothing is asked of it yet, so that it can't be unreachable.

    Raises:
        ConfigError: DVC's configuration of it can't be used.
        MissingDependency: A package for this kind of remote is not installed.
    """
    return ObjectRemote(place)


class ObjectRemote:
    """The objects on the remote at *place*. A context manager: ``close`` ends the connection.

    Everything that uses the network raises subclasses of ``RemoteError``: ``Unreachable``, ``AccessDenied``,
    ``RemoteFull``. Not for use by several threads at once; it uses several itself.

    Attributes:
        shown: Its address, without credentials.
        kind: DVC's name of its file system: ``local``, ``ssh``, ``s3`` …
    """

    def __init__(self, place: Place) -> None:
        self.shown = place.shown
        self.connection = Connection(place)
        self.kind = self.connection.kind
        self.plain = self.kind in _PLAIN
        self.down = False  # somebody has found out that nobody answers: the others need not try for long

    def __enter__(self) -> ObjectRemote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.connection.close()

    # ------------------------------------------------------------------ what is there

    def missing(self, oids: Iterable[str], sizes: Mapping[str, int | None] | None = None) -> set[str]:
        """Return those objects that are not there, or not with the size they must have.

        Few are asked for one by one, many by listing what is there, whichever takes fewer requests.

        Args:
            oids: Object ids.
            sizes: Bytes that are known of some of them. Without, an object that some other program left half
                written on a plain file system counts as there.

        Raises:
            UnsafePath: One is no object id.
            RemoteError: It can't be asked.
        """
        wanted = list(dict.fromkeys(map(check_oid, oids)))
        if not wanted:
            return set()
        self.down = False
        found = self._look(wanted)
        known = sizes or {}
        expected = {oid: known.get(oid) for oid in wanted}
        return {
            oid
            for oid in wanted
            if oid not in found or (found[oid] is not None and expected[oid] not in (None, found[oid]))
        }

    def _look(self, wanted: list[str]) -> dict[str, int | None]:
        fs = self._fs()
        if self.kind == "local" or not fs.CAN_TRAVERSE or len(wanted) <= self.jobs():
            return self._ask(wanted)
        heads = {oid[:2] for oid in wanted} & set(self._heads())
        left = [oid for oid in wanted if oid[:2] in heads]
        if len(left) <= self.jobs():
            return self._ask(left)
        first = min(heads)
        found = dict(self._listed(first))
        rest = [oid for oid in left if oid[:2] != first]
        # Requests that this takes one by one, by folder, and (object stores) in one listing, one page after another.
        pages = ceil(max(1, len(found)) / _PAGE) if not self.plain else 3 + len(found) // 100
        by_folder = (len(heads) - 1) * pages
        in_one = ceil(len(found) * 256 / _PAGE)
        if not self.plain and in_one * 4 <= min(by_folder, len(rest)):
            return dict(self._listed(""))
        if by_folder < len(rest):
            for outcome in self._each(lambda head: list(self._listed(head)), sorted(heads - {first})):
                found.update(outcome[1])
            return found
        return found | self._ask(rest)

    def _ask(self, oids: list[str]) -> dict[str, int | None]:
        """Return the sizes of those that are there."""

        def size(fs: Any, oid: str) -> int | None:
            path = self.path(fs, oid)
            try:
                if self.kind == "local":
                    return os.stat(path).st_size
                value = fs.info(path).get("size")
            except _NOT_THERE as error:
                if _no_bucket(error):
                    raise
                return -1
            return None if value is None else int(value)

        def asked(oid: str) -> int | None:
            return self.attempt(lambda fs: size(fs, oid))

        return {oid: found for oid, found in self._each(asked, oids) if found != -1}

    def objects(self) -> Iterator[tuple[str, int]]:
        """Yield the id and the size in bytes of every object that is there, folder by folder.

        Raises:
            RemoteError: It can't be listed; an HTTP server can't.
        """
        self.down = False
        if not self._fs().CAN_TRAVERSE:
            raise RemoteError(self.shown, "what is there can't be listed over HTTP")
        heads = sorted(self._heads())
        first = list(self._listed(heads[0])) if heads else []
        if not self.plain and len(first) * len(heads) < _FEW_OBJECTS:
            yield from ((oid, size or 0) for oid, size in self._listed(""))
            return
        yield from ((oid, size or 0) for oid, size in first)
        for _, listed in self._each(lambda head: list(self._listed(head)), heads[1:]):
            yield from ((oid, size or 0) for oid, size in listed)

    def _heads(self) -> list[str]:
        """Return the folders there are, ``00`` to ``ff``."""

        def names(fs: Any) -> list[str]:
            fs.fs.invalidate_cache()
            try:
                entries = fs.fs.ls(fs.join(self.connection.path, "files", "md5"), detail=False)
            except _NOT_THERE as error:
                if _no_bucket(error):
                    raise
                return []
            return [str(name).rstrip("/").rpartition("/")[2] for name in entries]

        return [name for name in self.attempt(names) if len(name) == 2 and set(name) <= _HEX]

    def _listed(self, head: str) -> Iterator[tuple[str, int | None]]:
        """Yield the objects in one folder; with "" all there are, in one listing."""

        def entries(fs: Any) -> list[Any]:
            folder = fs.join(self.connection.path, "files", "md5", head).rstrip("/")
            fs.fs.invalidate_cache(folder)
            try:
                return list(fs.fs.ls(folder, detail=True) if head else fs.fs.find(folder, detail=True).values())
            except _NOT_THERE:
                return []

        for entry in self.attempt(entries):
            above, _, name = str(entry["name"]).rstrip("/").rpartition("/")
            digits = name.removesuffix(".dir")
            if len(digits) == 30 and set(digits) <= _HEX:
                yield above.rpartition("/")[2] + name, entry.get("size")

    def verify(self, oid: str) -> bool:
        """Read the object there, all of it, and say whether its content is what its name says.

        Raises:
            ArtifactNotFound: It is not there.
            RemoteError: It can't be read.
        """
        check_oid(oid)
        self.down = False

        def digest(fs: Any) -> str:
            found = new_digest()
            options = {"block_size": _PIECE} if not self.plain else {}
            with fs.open(self.path(fs, oid), "rb", **options) as file:
                while piece := file.read(_PIECE):
                    found.update(piece)
            return found.hexdigest()

        try:
            return self.attempt(digest, "read") == oid.removesuffix(".dir")
        except ArtifactNotFound:
            raise ArtifactNotFound(f"md5:{oid}") from None

    # ------------------------------------------------------------------ moving

    def upload(self, cache: Cache, oids: Iterable[str], progress: Progress | None = None) -> Moved:
        """Send the objects *oids* from *cache*, folders' lists after the files they list.

        Each is hashed before; one that fails doesn't keep the others, but nobody goes on with a host that
        can't be reached. Whatever interrupts it, what has its name there is whole, and it can be repeated.
        """
        from ledgit.artifacts.sending import send

        self.down = False
        return send(self, cache, oids, progress)

    def download(self, cache: Cache, oids: Iterable[str], progress: Progress | None = None) -> Moved:
        """Bring the objects *oids* into *cache*; each is hashed before it gets its name there.

        What is not there gets the error ``ArtifactNotFound``, what has another content ``ArtifactDamaged``.
        """
        from ledgit.artifacts.receiving import receive

        self.down = False
        return receive(self, cache, oids, progress)

    def delete(self, oids: Iterable[str]) -> Moved:
        """Delete objects there; one that is not there is done."""
        self.down = False
        moved = Moved()

        def remove(oid: str) -> None:
            def once(fs: Any) -> None:
                with contextlib.suppress(*_NOT_THERE):
                    fs.fs.rm_file(self.path(fs, oid))

            self.attempt(once, "delete")

        for outcome in each(remove, list(dict.fromkeys(map(check_oid, oids))), self.jobs()):
            if outcome is not None and outcome.error is None:
                moved.done.append(outcome.item)
            elif outcome is not None:
                moved.errors[outcome.item] = self.failure(outcome.error, "delete")
        return moved

    # ------------------------------------------------------------------ for sending and receiving

    def path(self, fs: Any, oid: str) -> str:
        """Return where the object stands on DVC's file system *fs*."""
        return str(fs.join(self.connection.path, "files", "md5", oid[:2], oid[2:]))

    def jobs(self) -> int:
        """How many requests go at once: DVC's ``jobs``, 4 for each core if it isn't set; 16 at most."""
        return max(1, min(_MOST_JOBS, int(self._fs().jobs)))

    def attempt(self, work: Callable[[Any], Result], doing: str = "") -> Result:
        """Return what ``work(fs)`` gives; repeat it over a new connection where one broke.

        Raises:
            ArtifactNotFound: What it looks for is not there.
            RemoteError: As :func:`remote_failure` has it.
        """
        most = _ATTEMPTS.get(self.kind, 3)
        for number in range(most):
            turn = -1
            try:
                fs, turn = self.connection.get()
                return work(fs)
            except (Exception, CancelledError) as error:
                failure = self.failure(error, doing)
                if not isinstance(failure, Unreachable):
                    raise failure from error
                if turn >= 0 and doing == "write" and self.kind in _HTTP and (refused := refusal(fs, self)):
                    raise refused from error
                self.connection.renew(turn)
                if number + 1 == most or self.down:
                    self.down = True
                    raise failure from error
            time.sleep(_PAUSE * 3**number)
        raise AssertionError

    def failure(self, error: BaseException | None, doing: str = "") -> LedgitError:
        """Return the error to raise for one of a file system's."""
        assert error is not None
        if not isinstance(error, (Exception, CancelledError)):
            raise error
        found = next((cause for cause in chain(error) if isinstance(cause, LedgitError)), None)
        if found is not None:
            return found
        if isinstance(error, _NOT_THERE) and doing == "read" and not _no_bucket(error):
            return ArtifactNotFound("on the remote")
        if self.kind == "ssh" and type(error).__name__ == "SFTPFailure":
            return self._sftp_failure()
        return remote_failure(self.shown, error, doing)

    def _sftp_failure(self) -> RemoteError:
        """SFTP has one word, "failure", for a full disk and for a read-only one: ask which."""
        from fsspec.asyn import sync

        try:
            fs = self._fs()

            async def room() -> Any:
                async with fs.fs._pool.get() as channel:
                    return await channel.statvfs(self.connection.path)

            found = sync(fs.fs.loop, room, timeout=10)
        except Exception:  # not every server can say
            return RemoteFull(self.shown, "the host refuses to write there; its disk may be full or read-only")
        if found.flags & 1:
            return RemoteFull(self.shown, "it is read-only")
        if found.bavail * found.frsize < 64 << 20 or (found.files and not found.favail):
            return RemoteFull(self.shown, "there is no room left")
        return AccessDenied(self.shown, "the host refuses to write there")

    def _fs(self) -> Any:
        return self.attempt(lambda fs: fs)

    def _each(self, work: Callable[[str], Result], items: list[str]) -> Iterator[tuple[str, Result]]:
        """Yield (item, result), as they come; the first error ends it."""
        jobs = 1 if self.kind == "local" and len(items) < 64 else self.jobs()
        with contextlib.closing(each(work, items, jobs)) as outcomes:
            for outcome in outcomes:
                if outcome is None:
                    continue
                if outcome.error is not None:
                    raise self.failure(outcome.error) from outcome.error
                yield outcome.item, outcome.result  # type: ignore[misc]


def _no_bucket(error: BaseException) -> bool:
    """Whether it is the bucket that is not there, not the object."""
    for cause in chain(error):
        response = getattr(cause, "response", None)
        if isinstance(response, dict) and response.get("Error", {}).get("Code") == "NoSuchBucket":
            return True
    return False
