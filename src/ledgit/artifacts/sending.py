"""Objects go from the cache to the remote.

On a plain file system into a folder of their own first, then by a move to their name; on an object store an object can
only be seen when it is whole. A local folder is synced before anything is moved. On an SSH server a large file is
synced before it is moved, small ones before anybody counts on them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.cache import check_oid
from ledgit.artifacts.files import FEW, sync_all
from ledgit.artifacts.folders import decode_list
from ledgit.artifacts.hashing import copy_and_digest
from ledgit.artifacts.meter import Meter, Part
from ledgit.artifacts.moved import Moved
from ledgit.artifacts.parallel import each
from ledgit.artifacts.settling import sync_file, sync_folder
from ledgit.artifacts.stalls import put_file
from ledgit.artifacts.unfinished import (
    FOLDER,
    clear_local,
    clear_remote,
    clear_uploads,
    new_name,
    release,
    remove_remote,
)
from ledgit.errors import ArtifactDamaged, LedgitError, RemoteError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ledgit.artifacts.cache import Cache
    from ledgit.artifacts.remote import ObjectRemote

    Progress = Callable[[str, int, int | None], None]

__all__ = ["send"]

LARGE = 1 << 20  # bytes; of larger ones only two go at once: each has several pieces in memory
LARGE_JOBS = 2
_CHUNK = 5 << 20  # the smallest piece S3 takes; s3fs holds those that are on the way in memory
_CHUNKS = 4  # pieces of one object at once
AT_ONCE = _CHUNK * _CHUNKS  # bytes between two signs of progress: s3fs tells of whole pieces
_MOST_CHUNKS = 9000  # S3 takes 10,000
_SYNC_OBJECTS, _SYNC_BYTES = 1000, 1 << 30  # that wait for one sync of a local folder


def send(remote: ObjectRemote, cache: Cache, oids: Iterable[str], progress: Progress | None) -> Moved:
    """See :meth:`ledgit.artifacts.remote.ObjectRemote.upload`."""
    moved = Moved()
    sizes: dict[str, int] = {}
    for oid in dict.fromkeys(map(check_oid, oids)):
        try:
            sizes[oid] = cache.size(oid)
        except LedgitError as error:
            moved.errors[oid] = error
    files = sorted((oid for oid in sizes if not oid.endswith(".dir")), key=sizes.__getitem__)
    lists = [oid for oid in sizes if oid.endswith(".dir")]
    if not sizes:
        return moved
    meter = Meter("sending artifacts", sum(sizes.values()), progress)
    sender = _Sender(remote, cache, sizes, meter, moved)
    try:
        with sender.stage():
            for group, jobs in _groups(files, sizes, remote.jobs()):
                sender.run(group, jobs)
            sender.run(sender.complete(lists), remote.jobs())
    except LedgitError as error:  # the folder for what is not whole can't be made
        for oid in sizes.keys() - set(moved.done):
            moved.errors.setdefault(oid, error)
    meter.tell()
    return moved


def _groups(oids: list[str], sizes: dict[str, int], jobs: int) -> Iterator[tuple[list[str], int]]:
    """Yield (objects that go together, how many at once); *oids* are sorted by size."""
    group: list[str] = []
    held = 0
    for number, oid in enumerate(oids):
        group.append(oid)
        held += sizes[oid]
        turns_large = number + 1 < len(oids) and sizes[oid] <= LARGE < sizes[oids[number + 1]]
        if turns_large or len(group) >= _SYNC_OBJECTS or held >= _SYNC_BYTES:
            yield group, jobs if sizes[oid] <= LARGE else min(jobs, LARGE_JOBS)
            group, held = [], 0
    if group:
        yield group, jobs if sizes[group[-1]] <= LARGE else min(jobs, LARGE_JOBS)


def _options(fs: Any, kind: str, size: int) -> dict[str, Any]:
    """Return what keeps the libraries from holding much of a large file in memory."""
    if kind == "s3":
        least = -(-size // _MOST_CHUNKS)
        return {"chunksize": max(_CHUNK, least), "max_concurrency": _CHUNKS}
    if hasattr(fs.fs, "max_concurrency"):
        return {"max_concurrency": _CHUNKS}
    return {}


class _Sender:
    """One upload."""

    def __init__(self, remote: ObjectRemote, cache: Cache, sizes: dict[str, int], meter: Meter, moved: Moved) -> None:
        self.remote, self.cache, self.sizes, self.meter, self.moved = remote, cache, sizes, meter, moved
        self._folder = ""  # where this upload's objects are until they are whole
        self._heads: set[str] = set()  # folders that are there
        self._shared = False
        self._syncs = self._syncs_all = True  # as far as is known, an SSH server can put files on its disk

    @contextlib.contextmanager
    def stage(self) -> Iterator[None]:
        """Have a folder for what is not whole yet, on plain file systems; nothing of it is left afterwards.

        Raises:
            RemoteError: It can't be made.
        """
        if not self.remote.plain:
            if self.remote.kind == "s3":
                try:
                    self.remote.attempt(lambda fs: clear_uploads(fs, self.remote.connection.path))
                except Unreachable:
                    raise
                except RemoteError:
                    pass  # not everybody may list them
            yield
            return
        name = new_name()
        try:
            self.remote.attempt(lambda fs: self._begin(fs, name), "write")
            yield
        finally:
            release(name)
            if self._folder and not self.remote.down:
                with contextlib.suppress(LedgitError):  # who uploads next removes it
                    self.remote.attempt(self._end)

    def _begin(self, fs: Any, name: str) -> None:
        top = fs.join(self.remote.connection.path, FOLDER)
        self._folder = fs.join(top, name)
        if self.remote.kind != "local":
            clear_remote(fs, top)
            fs.makedirs(self._folder)
            return
        clear_local(top)
        self._shared = self.remote.connection.shared
        self._make(self._folder)

    def _end(self, fs: Any) -> None:
        if self.remote.kind == "local":
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # others upload
                os.rmdir(os.path.dirname(self._folder))
        else:
            remove_remote(fs, self._folder)

    def _make(self, folder: str) -> None:
        """Make a folder on a local remote; with DVC's ``shared = group`` the group may write there too."""
        if os.path.isdir(folder):
            return
        self._make(os.path.dirname(folder))
        os.makedirs(folder, exist_ok=True)
        if self._shared:
            os.chmod(folder, 0o2775)  # noqa: S103 - what was asked for

    # ------------------------------------------------------------------ one group after the other

    def run(self, oids: list[str], jobs: int) -> None:
        """Send these objects; note what became of each."""
        if self.remote.down:
            why = next((error for error in self.moved.errors.values() if isinstance(error, Unreachable)), None)
            why = why or Unreachable(self.remote.shown, "it can't be reached")
            self.moved.errors |= dict.fromkeys(oids, why)
            return
        jobs = min(jobs, 4) if self.remote.kind == "local" else jobs
        staged: list[str] = []
        for outcome in each(self._one, oids, jobs):
            self.meter.tell()
            if outcome is None:
                continue
            if outcome.error is not None:
                self.moved.errors[outcome.item] = self.remote.failure(outcome.error, "write")
                continue
            staged.append(outcome.item)
        if self.remote.kind == "local":
            self._settle(staged)
        elif self.remote.kind == "ssh":
            self._note(self._settle_there(staged, jobs))
        else:
            self._note(staged)

    def _settle_there(self, oids: list[str], jobs: int) -> list[str]:
        """Have an SSH server sync what is small among *oids*; return those that are there for good."""
        small = [oid for oid in oids if self.sizes[oid] <= LARGE]
        if not small or not (self._syncs or self._syncs_all):
            return oids
        if self._syncs_all and len(small) > FEW:
            try:
                self._syncs_all = self.remote.attempt(lambda fs: sync_folder(fs, self.remote.connection.path))
            except LedgitError as error:
                self.moved.errors |= dict.fromkeys(small, error)
                return [oid for oid in oids if self.sizes[oid] > LARGE]
            if self._syncs_all:
                return oids

        def settle(oid: str) -> None:
            if self._syncs:
                self._syncs = self.remote.attempt(lambda fs: sync_file(fs, self.remote.path(fs, oid)))

        for outcome in each(settle, small, jobs):
            if outcome is not None and outcome.error is not None:
                self.moved.errors[outcome.item] = self.remote.failure(outcome.error, "write")
        return [oid for oid in oids if oid not in self.moved.errors]

    def _note(self, oids: list[str]) -> None:
        self.moved.done += oids
        self.moved.bytes += sum(self.sizes[oid] for oid in oids)

    def complete(self, lists: list[str]) -> list[str]:
        """Return those of *lists* all whose files are there: a list says that they are."""
        whole = []
        for oid in lists:
            try:
                listed = decode_list(self.cache.read(oid))
            except LedgitError as error:
                self.moved.errors[oid] = error
                continue
            lacking = next((member.md5 for member in listed if member.md5 in self.moved.errors), None)
            if lacking is None:
                whole.append(oid)
            else:
                self.moved.errors[oid] = self.moved.errors[lacking]
        return whole

    def _one(self, oid: str) -> None:
        if self.remote.kind == "local":
            self.remote.attempt(lambda _: self._copy(oid), "write")
            return
        if not self.remote.plain or self.sizes[oid] <= LARGE:
            self._check(oid)
            self.remote.attempt(lambda fs: self._put(fs, oid), "write")
            return
        # Hashed while it is sent: nobody sees it there before it is moved to its name.
        failed: list[BaseException] = []

        def check() -> None:
            try:
                self._check(oid)
            except BaseException as error:
                failed.append(error)

        checking = threading.Thread(target=check, name="ledgit-transfer-hash", daemon=True)
        checking.start()

        def checked() -> None:
            checking.join()
            if failed:
                raise failed[0]

        try:
            self.remote.attempt(lambda fs: self._put(fs, oid, checked), "write")
        except Unreachable:
            raise
        except LedgitError:
            checked()  # what is damaged is set aside at once, and can't be read any more
            raise

    def _check(self, oid: str) -> None:
        """Hash the object here: what is damaged must not be what others get.

        Raises:
            ArtifactDamaged: It is; it was set aside.
            ArtifactNotFound: It is gone.
        """
        with self.cache.open(oid):
            pass

    def _put(self, fs: Any, oid: str, checked: Callable[[], None] | None = None) -> None:
        """Send one object over the network; *checked* raises if it must not get its name."""
        size = self.sizes[oid]
        part = Part(self.meter)
        final = self.remote.path(fs, oid)
        target = fs.join(self._folder, oid) if self.remote.plain else final
        try:
            options = _options(fs, self.remote.kind, size)
            put_file(fs, self.cache.location(oid), target, part, min(size, AT_ONCE), **options)
            if self.remote.plain:
                there = fs.info(target).get("size")
                if there != size:
                    raise Unreachable(self.remote.shown, f"only {there} of {size} bytes of an artifact arrived")
                if checked is not None:
                    checked()
                if self.remote.kind == "ssh" and size > LARGE and self._syncs:
                    self._syncs = sync_file(fs, target)
                if oid[:2] not in self._heads:
                    fs.makedirs(fs.parent(final))
                    self._heads.add(oid[:2])
                fs.mv(target, final)
        except BaseException:
            part.finish(0)
            raise
        part.finish(size)

    # ------------------------------------------------------------------ a local folder

    def _copy(self, oid: str) -> None:
        """Copy one object to where it waits for the sync, hashed on the way."""
        target = os.path.join(self._folder, oid)
        part = Part(self.meter)
        with open(self.cache.location(oid), "rb", buffering=0) as reader:
            try:
                with open(target, "wb", buffering=0) as writer:
                    found, size = copy_and_digest(reader.fileno(), writer.fileno(), settled=True)
            except OSError:
                os.unlink(target)  # it may take the room that others need
                raise
        if found != oid.removesuffix(".dir"):
            self.cache.quarantine(oid)
            raise ArtifactDamaged(
                f"artifact md5:{oid}", f"its copy in this clone's cache has the digest {found}, so it was set aside"
            )
        os.chmod(target, 0o444)  # as DVC has its own
        part.finish(size)

    def _settle(self, oids: list[str]) -> None:
        """Make these durable, then give them their names."""
        if not oids:
            return
        try:
            self.remote.attempt(lambda _: _sync_each(self._folder, [os.path.join(self._folder, oid) for oid in oids]))
        except LedgitError as error:
            self.moved.errors |= dict.fromkeys(oids, error)
            return

        def name(fs: Any, oid: str) -> None:
            final = self.remote.path(fs, oid)
            if oid[:2] not in self._heads:
                self._make(os.path.dirname(final))
                self._heads.add(oid[:2])
            os.replace(os.path.join(self._folder, oid), final)

        named = []
        for oid in oids:
            try:
                self.remote.attempt(partial(name, oid=oid), "write")
            except LedgitError as error:
                self.moved.errors[oid] = error
            else:
                named.append(oid)
        try:
            self.remote.attempt(lambda fs: _sync_names(self.remote.connection.path, fs, self.remote, named))
        except LedgitError as error:
            self.moved.errors |= dict.fromkeys(named, error)
            return
        self._note(named)


def _sync_each(folder: str, paths: list[str]) -> None:
    """Make files durable: one by one while they are few, then with all that is on their file system."""
    if len(paths) > FEW:
        sync_all(folder)
        return
    for path in paths:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _sync_names(top: str, fs: Any, remote: ObjectRemote, oids: list[str]) -> None:
    """Make the names of objects durable, and those of the folders that they are in."""
    folders = sorted({os.path.dirname(remote.path(fs, oid)) for oid in oids})
    _sync_each(top, [*folders, os.path.join(top, "files", "md5"), os.path.join(top, "files"), top])
