"""Private copies of files that a run logs, taken at once because the caller may change them."""

from __future__ import annotations

import errno
import os

from ledgit.errors import ArtifactNotFound, StorageError

__all__ = ["stage_bytes", "stage_file", "sync_path"]

_FICLONE = 0x40049409


def stage_file(source: str, target: str) -> int:
    """Copy the regular file *source* to *target*, by reflink where the file system can.

    Returns:
        The size in bytes.

    Raises:
        ArtifactNotFound: *source* does not exist.
        StorageError: It is no regular file, can't be read, or the disk refused.
    """
    import stat

    try:
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise StorageError(f"artifact {source}", "it is not a regular file")
        with open(source, "rb") as reader, open(target, "xb") as writer:
            if not _clone(reader.fileno(), writer.fileno()):
                from shutil import copyfileobj  # with its compressors, 2 ms

                copyfileobj(reader, writer, 1 << 20)
            writer.flush()
            return os.fstat(writer.fileno()).st_size
    except FileNotFoundError:
        raise ArtifactNotFound(source) from None
    except OSError as error:
        raise StorageError(f"artifact {source}", error.strerror or str(error)) from error


def stage_bytes(data: bytes, target: str) -> int:
    """Write *data* to the new file *target* and return its size."""
    try:
        with open(target, "xb") as writer:
            writer.write(data)
    except OSError as error:
        raise StorageError("an artifact", error.strerror or str(error)) from error
    return len(data)


def sync_path(path: str) -> None:
    """Make a file or folder durable; one that is gone needs nothing.

    Raises:
        OSError: The disk refused.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _clone(reader: int, writer: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(writer, _FICLONE, reader)
    except (ImportError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    return True
