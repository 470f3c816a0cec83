"""Ledgit's cache of large artifacts, laid out as DVC 3 lays out its own.

``<cache>/files/md5/ab/cdef…`` so that DVC reads it when it is configured as a remote or a
cache (https://dvc.org/doc/user-guide/project-structure/internal-files). Beside it ``damaged/``
has what turned out not to be what its name says.

An object gets its name when it is whole, and is never written again: its file is read-only.
"""

from __future__ import annotations

import contextlib
import os
import time
from itertools import count
from typing import TYPE_CHECKING, BinaryIO

from ledgit.artifacts.files import (
    FEW,
    fill,
    names_in,
    remove,
    rename_new,
    sync_all,
    sync_path,
    synced_meanwhile,
    write_new,
)
from ledgit.artifacts.hashing import PIECE, clone, copy_and_digest, digest_file, new_digest
from ledgit.errors import ArtifactDamaged, ArtifactNotFound, StorageError, UnsafePath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_HEX = frozenset("0123456789abcdef")
_LIST = ".dir"

__all__ = ["Cache", "check_oid"]


def check_oid(oid: str) -> str:
    """Return *oid* if it is an object's id: 32 hex digits, ``.dir`` behind for a folder's list.

    Raises:
        UnsafePath: It is something else; pointers come from repositories that nobody checked.
    """
    digits = oid.removesuffix(_LIST)
    if len(digits) != 32 or digits.strip("0123456789abcdef"):
        raise UnsafePath("an artifact's digest", f"{oid[:40]!r} is no MD5 in hex digits")
    return oid


class Cache:
    """The objects in the folder *path*, which need not exist yet.

    Several processes may write to it at once: who comes second with the same content finds it there.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._files = os.path.join(path, "files", "md5")
        self._mark = os.urandom(6).hex()
        self._numbers = count()
        self._again = False

    def location(self, oid: str) -> str:
        """Return where the object stands, whether it is there or not.

        Raises:
            UnsafePath: *oid* is no object id.
        """
        check_oid(oid)
        return f"{self._files}{os.sep}{oid[:2]}{os.sep}{oid[2:]}"

    def has(self, oid: str) -> bool:
        """Whether the object is here; its content is not looked at."""
        return os.path.isfile(self.location(oid))

    def size(self, oid: str) -> int:
        """Return the object's size in bytes.

        Raises:
            ArtifactNotFound: It is not here.
        """
        try:
            return os.stat(self.location(oid)).st_size
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactNotFound(f"md5:{oid}") from None

    # ------------------------------------------------------------------ writing

    def put(self, source: str, oid: str, *, link: bool = True) -> bool:
        """Take the file *source*, whose content is *oid*, and return whether it was new here.

        A hard link where the file system allows it: *source* must be a private copy, and becomes
        read-only. Not durable before :meth:`sync`. An object that is here is marked as used now.

        Args:
            source: The file.
            oid: Its content's id; the caller has just hashed it.
            link: Else it is copied, because somebody may go on writing to *source*; what is copied
                is hashed again.

        Raises:
            StorageError: The disk refused; nothing of it is left.
        """
        target = self.location(oid)
        try:
            if self._touch(target, os.stat(source).st_size):
                return False
            self._place(target, lambda scratch: fill(source, scratch, oid, link=link))
        except OSError as error:
            raise StorageError(f"an artifact into {self.path}", error.strerror or str(error)) from error
        return True

    def put_bytes(self, data: bytes, *, folder: bool = False) -> str:
        """Take *data* and return its id; *folder* says that it is a folder's list.

        Raises:
            StorageError: The disk refused; nothing of it is left.
        """
        oid = new_digest(data).hexdigest() + (_LIST if folder else "")
        self.put_known(data, oid)
        return oid

    def put_known(self, data: bytes, oid: str) -> bool:
        """Take *data*, whose id the caller has found to be *oid*; return whether it was new here."""
        # This is done ten thousand times for a folder of small files: each call that can be spared shows.
        folder = f"{self._files}{os.sep}{oid[:2]}{os.sep}"
        target = folder + oid[2:]
        try:
            # Whoever logs a folder once more logs all of it: after one that was here the next are looked for first.
            if self._again and self._touch(target, len(data)):
                return False
            self._again = False
            scratch = f"{folder}{self._mark}-{os.getpid():x}-{next(self._numbers):x}.tmp"
            try:
                try:
                    write_new(scratch, data)
                except FileNotFoundError:  # no such folder yet; asking before each of 10,000 files takes longer
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    write_new(scratch, data)
                if not rename_new(scratch, target):
                    self._again = self._touch(target, len(data))
                    if self._again:
                        remove(scratch)
                        return False
                    os.rename(scratch, target)
            except BaseException:
                remove(scratch)
                raise
        except OSError as error:
            with contextlib.suppress(OSError):
                if self._touch(target, len(data)):  # nothing needs to be written, however full the disk is
                    return False
            raise StorageError(f"an artifact into {self.path}", error.strerror or str(error)) from error
        return True

    def put_written(self, write: Callable[[BinaryIO], None]) -> tuple[str, int]:
        """Take what *write* writes to the file it is given; return the content's id and size.

        Raises:
            StorageError: The disk refused; nothing of it is left.
        """
        scratch = os.path.join(self.path, "incoming", f"{os.urandom(6).hex()}.tmp")
        try:
            try:
                os.makedirs(os.path.dirname(scratch), exist_ok=True)
                with open(scratch, "xb") as file:
                    write(file)
                oid, size = digest_file(scratch), os.stat(scratch).st_size
                self.put(scratch, oid)
                return oid, size
            finally:
                remove(scratch)
        except OSError as error:
            raise StorageError(f"an artifact into {self.path}", error.strerror or str(error)) from error

    def take(self, source: int) -> tuple[str, int, bool]:
        """Take what the open file *source* holds, as a private copy, hashed on the way.

        By reflink where the file system can. *source* stands at its beginning.

        Returns:
            The content's id, its size, and whether it was new here.

        Raises:
            StorageError: The disk refused, or the file can't be read; nothing of it is left.
        """
        # Not in the folder of its name, which is known only afterwards.
        scratch = os.path.join(self.path, "incoming", f"{os.urandom(6).hex()}.tmp")
        try:
            try:
                os.makedirs(os.path.dirname(scratch), exist_ok=True)
                with open(scratch, "xb", buffering=0) as writer:
                    cloned = clone(source, writer.fileno())
                    oid, size = ("", 0) if cloned else copy_and_digest(source, writer.fileno())
                if cloned:
                    oid, size = digest_file(scratch), os.stat(scratch).st_size
                target = self.location(oid)
                if self._touch(target, size):
                    return oid, size, False
                os.chmod(scratch, 0o444)
                self._place(target, lambda name: os.rename(scratch, name))
                return oid, size, True
            finally:
                remove(scratch)
        except OSError as error:
            raise StorageError(f"an artifact into {self.path}", error.strerror or str(error)) from error

    def use(self, oid: str) -> None:
        """Mark an object as used now, so that nobody takes it for one that no run needs."""
        with contextlib.suppress(OSError):
            os.utime(self.location(oid))

    def clean(self, older: float = 24 * 3600) -> None:
        """Remove what killed processes left half written more than *older* seconds ago."""
        places = [os.path.join(self._files, head) for head in names_in(self._files)]
        for place in [*places, os.path.join(self.path, "incoming")]:
            for name in names_in(place):
                path = os.path.join(place, name)
                with contextlib.suppress(FileNotFoundError):
                    if name.endswith(".tmp") and time.time() - os.stat(path).st_ctime > older:
                        os.unlink(path)

    def _place(self, target: str, fill: Callable[[str], None]) -> None:
        """Have *fill* write the file whose name it is given; it becomes *target* when it is whole."""
        folder = os.path.dirname(target)
        scratch = os.path.join(folder, f"{os.urandom(6).hex()}.tmp")
        try:
            try:
                fill(scratch)
            except FileNotFoundError:  # no such folder yet; asking before each of 10,000 files takes longer
                os.makedirs(folder, exist_ok=True)
                fill(scratch)
            os.rename(scratch, target)
        except BaseException:
            remove(scratch)
            raise

    def _touch(self, target: str, size: int) -> bool:
        """Whether the object is here whole, as far as its size says; then it is marked as used now.

        So nobody takes an old object, which no run needed so far, for one that can go.
        """
        try:
            if os.stat(target).st_size == size:
                os.utime(target)
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:  # another user's: it is there
            return True
        self._set_aside(target)
        return False

    def sync(self, oids: Iterable[str], *, everything: bool = False) -> None:
        """Make these objects durable, with their names; those that are not here are left out.

        Args:
            oids: The objects.
            everything: All objects, of folders for instance whose files are not listed in *oids*.

        Raises:
            StorageError: The disk refused.
        """
        known = list(dict.fromkeys(oids))
        if not known and not everything:
            return
        try:
            if everything or len(known) > FEW:
                sync_all(self._files)
                return
            for oid in known:
                sync_path(self.location(oid))
            for folder in sorted({os.path.dirname(self.location(oid)) for oid in known}):
                sync_path(folder)
            for folder in (self._files, os.path.dirname(self._files), self.path):
                sync_path(folder)
        except OSError as error:
            raise StorageError(f"artifacts in {self.path}", error.strerror or str(error)) from error

    @contextlib.contextmanager
    def syncing(self) -> Iterator[None]:
        """Have the disk write what is here already while more is put here: there is less to wait for afterwards.

        Raises:
            StorageError: The disk refused; a later sync would not be told again.
        """
        refused: list[OSError] = []
        with synced_meanwhile(self._files, refused):
            yield
        for error in refused:
            raise StorageError(f"artifacts in {self.path}", error.strerror or str(error)) from error

    # ------------------------------------------------------------------ reading

    def open(self, oid: str) -> BinaryIO:
        """Open the object for reading, after all of it was hashed.

        Raises:
            ArtifactNotFound: It is not here.
            ArtifactDamaged: Its content is not what its name says; it was set aside.
        """
        try:
            file = open(self.location(oid), "rb")  # noqa: SIM115 - the caller closes it
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactNotFound(f"md5:{oid}") from None
        try:
            digest = new_digest()
            buffer = memoryview(bytearray(PIECE))
            while count := file.raw.readinto(buffer):
                digest.update(buffer[:count])
            self._compare(oid, digest.hexdigest())
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def read(self, oid: str) -> bytes:
        """Return the content of a small object, a folder's list for instance; verified as by :meth:`open`."""
        try:
            with open(self.location(oid), "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactNotFound(f"md5:{oid}") from None
        self._compare(oid, new_digest(data).hexdigest())
        return data

    def copy_out(self, oid: str, target: str) -> int:
        """Copy the object to the file *target*, hashed on the way: all of it or nothing. Returns the bytes.

        *target* is a private copy, never a link into the cache; one that is there is replaced.

        Raises:
            ArtifactNotFound: It is not here.
            ArtifactDamaged: Its content is not what its name says; it was set aside.
            StorageError: *target* can't be written.
        """
        where = self.location(oid)
        scratch = os.path.join(os.path.dirname(os.path.abspath(target)), f".{os.urandom(6).hex()}.part")
        try:
            with open(where, "rb", buffering=0) as reader:
                try:
                    with open(scratch, "xb", buffering=0) as writer:
                        found, size = copy_and_digest(reader.fileno(), writer.fileno(), settled=True)
                    self._compare(oid, found)
                    os.replace(scratch, target)
                except OSError as error:
                    raise StorageError(target, error.strerror or str(error)) from error
        except (FileNotFoundError, NotADirectoryError):
            raise ArtifactNotFound(f"md5:{oid}") from None
        finally:
            remove(scratch)
        return size

    def check(self, oid: str) -> bool:
        """Whether the object is here and its content is what its name says. Nothing is changed."""
        try:
            return digest_file(self.location(oid)) == oid.removesuffix(_LIST)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _compare(self, oid: str, found: str) -> None:
        if found == oid.removesuffix(_LIST):
            return
        aside = self.quarantine(oid)
        raise ArtifactDamaged(
            f"artifact md5:{oid}",
            f"its copy in this clone's cache has the digest {found}, so it was set aside as {aside};"
            " get it again from the remote, or log it again",
        )

    def quarantine(self, oid: str) -> str:
        """Take the object out of the cache without deleting it; return where it is now, '' if it was not here."""
        return self._set_aside(self.location(oid))

    def _set_aside(self, target: str) -> str:
        folder = os.path.join(self.path, "damaged")
        name = os.path.basename(os.path.dirname(target)) + os.path.basename(target)
        aside = os.path.join(folder, f"{name}-{os.urandom(4).hex()}")
        if not os.path.lexists(target):
            return ""
        try:
            os.makedirs(folder, exist_ok=True)
            os.rename(target, aside)
        except FileNotFoundError:  # somebody was quicker
            return ""
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from error
        return aside

    def remove(self, oid: str) -> None:
        """Delete the object; one that is not here is no trouble."""
        try:
            remove(self.location(oid))
        except OSError as error:
            raise StorageError(self.location(oid), error.strerror or str(error)) from error

    def objects(self) -> Iterator[tuple[str, int, float]]:
        """Yield each object's id, size in bytes and when it was last put here (seconds since the epoch)."""
        for head in names_in(self._files):
            if len(head) != 2 or not set(head) <= _HEX:
                continue
            with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(self._files, head)) as entries:
                for entry in entries:
                    digits = entry.name.removesuffix(_LIST)
                    if len(digits) == 30 and set(digits) <= _HEX:
                        with contextlib.suppress(FileNotFoundError):
                            stat = entry.stat(follow_symlinks=False)
                            yield head + entry.name, stat.st_size, stat.st_mtime
