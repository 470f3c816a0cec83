"""Which models were logged in this clone: what is in them needs nobody's consent.

What a run's records say about who made it travels with the run, so anybody can write it. Here it
is noted by content, in Ledgit's folder, which never leaves the machine: a digest of each file's path in its model
and of what it holds, one a line. By file, because a model that is logged again under its name keeps what it had.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from ledgit.errors import RecordError, StorageError

if TYPE_CHECKING:
    from ledgit.store.folder import Folder

__all__ = ["digests_of", "is_made_here", "note_made"]

#: Files whose format holds no code; the MLmodel, which is part of the digest, says that they are read as such.
_DATA = (".safetensors", ".onnx")


def digests_of(folder: str) -> list[str]:
    """Return a digest of each file in *folder*; of large files that are data alone, of the path.

    Raises:
        RecordError: One is no regular file, or can't be read.
    """
    found = []
    for name in sorted(_files(folder)):
        path = os.path.join(folder, name)
        digest = hashlib.sha256(os.fsencode(name) + b"\0")
        if not name.endswith(_DATA):
            try:
                with open(path, "rb", buffering=0) as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError as error:
                raise RecordError(path, error.strerror or str(error)) from None
        found.append(digest.hexdigest())
    return found


def _files(folder: str) -> list[str]:
    return [os.path.relpath(os.path.join(where, name), folder) for where, _, names in os.walk(folder) for name in names]


def note_made(folder: Folder, model: str) -> None:
    """Remember that the model in the folder *model* was made here.

    Raises:
        StorageError: The disk refused.
    """
    path = _list(folder)
    try:
        with open(path, "ab", buffering=0) as stream:
            stream.write("".join(f"{digest}\n" for digest in digests_of(model)).encode())
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


def is_made_here(folder: Folder, model: str) -> bool:
    """Whether what is in the folder *model* was logged as a model in this clone."""
    try:
        with open(_list(folder), "rb") as stream:
            known = set(stream.read().split())
    except OSError:
        return False
    return all(digest.encode() in known for digest in digests_of(model))


def _list(folder: Folder) -> str:
    return os.path.join(folder.path, "models-made")
