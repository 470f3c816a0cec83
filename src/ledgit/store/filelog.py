"""The artifacts that a process logs into a run: private copies at once, everything else later."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque

from ledgit.errors import StorageError
from ledgit.records.names import check_artifact_path
from ledgit.store.journal import encode, now_ms, read_parts
from ledgit.store.staging import Staged, drop, move_file, stage_bytes, stage_file, sync_path

TYPE_CHECKING = False  # this is on the way of every start, where each import counts
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any, BinaryIO

    from ledgit.git import Repo
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["FileLog"]

_FEW = 64  # files that are synced one by one
_OBJECT = "md5:"  # begins what is in the cache among what has to be synced; alone: many objects


class FileLog(ABC):
    """The part of :class:`~ledgit.store.runlog.RunLog` that is about files."""

    repo: Repo
    folder: Folder
    directory: str
    _guard: threading.RLock

    def __init__(self) -> None:
        self._staged = 0
        self._threshold: int | None = None
        self._unsynced: deque[str] = deque()  # what a power cut may still take
        self._growing: list[str] = []  # files that somebody goes on writing

    @abstractmethod
    def note_problem(self, text: str) -> None:
        """Remember, and write down, something that went wrong and was survived."""

    @abstractmethod
    def _append(self, record: bytes) -> None:
        """Append a record to the journal."""

    @property
    def threshold(self) -> int:
        """Size in bytes above which a file is kept beside the run's tree; an impossible setting is a noted problem."""
        if self._threshold is None:
            from ledgit.errors import ConfigError, RecordError
            from ledgit.store.artifacts.threshold import THRESHOLD, artifact_threshold

            try:
                self._threshold = artifact_threshold(self.repo)
            except (ConfigError, RecordError) as error:
                self._threshold = THRESHOLD
                self.note_problem(f"{error}; 256 KiB is used")
        return self._threshold

    def add_artifact(self, source: str | os.PathLike[str], path: str, threshold: int | None = None) -> None:
        """Take a private copy of the file *source* as the artifact *path* (``/`` separated).

        One that was logged before and is unchanged is not read again.

        Args:
            source: The file; a link is followed.
            path: Its artifact path.
            threshold: For this file, instead of :attr:`threshold`.

        Raises:
            InvalidName: *path* is absolute, empty or leaves the run's folder.
            ArtifactNotFound: There is no such file.
            StorageError: The file can't be read, or the copy not be written.
        """
        from ledgit.store.artifacts.hasher import known_object

        path = check_artifact_path(path)
        least = self.threshold if threshold is None else threshold
        known = known_object(self.folder, os.fspath(source), least)
        if known is not None:
            md5, size = known
            self._unsynced.append(f"{_OBJECT}{md5}")  # it may be younger than the last sync
            self._append(encode("object", {"at": now_ms(), "path": path, "md5": md5, "size": size}))
            return
        staged = self._stage(path, lambda target: stage_file(os.fspath(source), target), threshold)
        if staged.changed:
            self.note_problem(f"{os.fspath(source)} was written to while artifact {path} was taken from it")

    def add_artifact_bytes(self, path: str, data: bytes, threshold: int | None = None) -> None:
        """Store *data* as the artifact *path*; *threshold* as for :meth:`add_artifact`."""
        path = check_artifact_path(path)
        self._stage(path, lambda target: stage_bytes(data, target), threshold)

    def take_artifact(self, source: str, path: str, threshold: int | None = None) -> None:
        """Take the file *source* over as the artifact *path*: it is moved, not copied, where the disk is the same.

        For files that were made for this; nobody may write to them any more.

        Raises:
            InvalidName: *path* is absolute, empty or leaves the run's folder.
            StorageError: It can't be moved.
        """
        path = check_artifact_path(path)
        self._stage(path, lambda target: move_file(source, target), threshold)

    def add_folder(
        self, source: str | os.PathLike[str], path: str, threshold: int | None = None, progress: Progress | None = None
    ) -> list[str]:
        """Take private copies of all that is in the folder *source*, as the artifacts below *path*.

        A large folder goes straight into the cache, as one artifact; see ``docs/design/artifacts.md``.

        Args:
            source: The folder.
            path: Its artifact path; '' is the run's root, whose folders are taken one by one.
            threshold: As for :meth:`add_artifact`.
            progress: Is told (what, files done, files in all) of a large folder.

        Returns:
            What was left out, and why: one sentence each. They are noted in the run too.

        Raises:
            InvalidName: *path* is absolute or leaves the run's folder.
            StorageError: The folder can't be read, or the copies not be written.
        """
        from ledgit.store.artifacts.taking import take

        return take(self, os.fspath(source), check_artifact_path(path) if path else "", threshold, progress)

    def open_artifact(self, path: str) -> BinaryIO:
        """Open the artifact *path* for writing while the run goes on (an output log, say).

        What was written counts even when the process is killed before it closes the file.
        """
        path = check_artifact_path(path)
        file = self._next_file()
        try:
            stream = open(os.path.join(self.directory, file), "xb", buffering=0)  # noqa: SIM115 - the caller closes it
        except OSError as error:
            raise StorageError(f"artifact {path}", error.strerror or str(error)) from error
        self._growing.append(file)
        self._append(encode("file", {"at": now_ms(), "path": path, "file": file, "size": -1}))
        return stream

    def artifact_files(self) -> dict[str, str]:
        """Return the artifacts logged so far: path → where the content is. Read it only, and soon."""
        from ledgit.store.artifacts.live import staged_artifacts

        return staged_artifacts(self.folder, self.directory, read_parts(self.directory))

    def _stage(self, path: str, copy: Any, threshold: int | None = None) -> Staged:
        file = self._next_file()
        staged: Staged = copy(os.path.join(self.directory, file))
        self._unsynced.append(file)
        record = {"at": now_ms(), "path": path, "file": file, "size": staged.size}
        if threshold is not None:
            record["threshold"] = threshold
        if staged.size <= (self.threshold if threshold is None else threshold):
            self._append(encode("file", record))
            return staged
        from ledgit.store.artifacts.hasher import stamp_of, submit

        stamp = stamp_of(staged)
        if stamp is not None:
            record["stamp"] = stamp  # for whoever hashes the copy
        self._append(encode("file", record))
        submit(self, file, staged)
        return staged

    def note_hashed(self, file: str, md5: str) -> None:
        """Write down that the copy *file* is in the cache; called by the thread that hashes."""
        self._append(encode("hashed", {"at": now_ms(), "file": file, "md5": md5}))

    def add_bundle(self, write: Callable[[BinaryIO], list[list[str | int]]], threshold: int | None = None) -> None:
        """Keep the copies of many small files in one file.

        Args:
            write: Writes them, and returns artifact path, offset and size of each.
            threshold: As for :meth:`add_artifact`.

        Raises:
            StorageError: The disk refused; nothing of them is left.
        """
        file = self._next_file()
        path = os.path.join(self.directory, file)
        try:
            with open(path, "xb", buffering=1 << 20) as stream:
                members = write(stream)
            if not members:
                os.unlink(path)
                return
        except OSError as error:
            drop(path)
            raise StorageError("artifacts", error.strerror or str(error)) from error
        self._unsynced.append(file)
        record = {"at": now_ms(), "file": file, "members": members}
        if threshold is not None:
            record["threshold"] = threshold
        self._append(encode("bundle", record))

    def note_tree(self, path: str, oid: str, size: int, nfiles: int) -> None:
        """Write down that the folder *path* is in the cache."""
        self._unsynced.append(_OBJECT)
        self._append(encode("tree", {"at": now_ms(), "path": path, "oid": oid, "size": size, "nfiles": nfiles}))

    def _sync_files(self) -> None:
        """Make durable what files were logged so far.

        Raises:
            OSError: The disk refused; what is left is tried again the next time.
        """
        for file in self._growing:
            sync_path(os.path.join(self.directory, file))
        if len(self._unsynced) > _FEW:
            self._sync_many()
        objects: list[str] = []
        fresh = False
        while self._unsynced:
            file = self._unsynced[0]
            if file.startswith(_OBJECT):
                objects.append(file.removeprefix(_OBJECT))
            else:
                sync_path(os.path.join(self.directory, file))
                fresh = True
            self._unsynced.popleft()
        if fresh:
            sync_path(self.directory)
        if objects:
            from ledgit.artifacts import Cache

            Cache(self.folder.cache).sync(filter(None, objects), everything="" in objects)

    def _sync_many(self) -> None:
        from ledgit.artifacts import sync_all

        count = len(self._unsynced)  # more may come meanwhile
        sync_all(self.directory)
        if not os.path.isdir(self.folder.cache) or os.stat(self.folder.cache).st_dev == os.stat(self.directory).st_dev:
            for _ in range(count):
                self._unsynced.popleft()

    def _next_file(self) -> str:
        with self._guard:
            self._staged += 1
            return f"file-{os.getpid()}-{self._staged}-{os.urandom(3).hex()}"
