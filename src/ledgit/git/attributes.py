"""The lines in ``info/attributes`` that run files need (written by ``ledgit init`` only)."""

from __future__ import annotations

import os
from collections.abc import Callable, Container

from ledgit.errors import StorageError

__all__ = ["DRIVER", "ensure_attributes", "set_driver"]

_LINES = (".ledgit/run/history/** -diff -delta", ".ledgit/run/artifacts/** -text -filter")
#: Name of the diff driver that shows a run's files in few lines, where the user wants that.
DRIVER = "ledgit"
_DRIVEN = (f".ledgit/run/history/** diff={DRIVER}", f".ledgit/run/entry.json diff={DRIVER}")


def ensure_attributes(common_dir: str) -> bool:
    """Make sure that ``info/attributes`` has our lines; return whether it was changed.

    Histories shouldn't flood diffs nor cost delta searches, and artifacts come back byte for
    byte, whatever the user's other attributes say. The user's lines stay as they are.

    Raises:
        StorageError: The file can't be written.
    """
    return _edit(common_dir, lambda lines: [line for line in _LINES if line.encode("ascii") not in lines])


def set_driver(common_dir: str, *, on: bool) -> bool:
    """Add the lines that give a run's files to the diff driver `DRIVER`, or take them away; return whether any changed.

    They come after ``-diff``, which stays for whoever has no driver: of two lines the later one counts.

    Raises:
        StorageError: The file can't be written.
    """
    if on:
        return _edit(common_dir, lambda lines: [line for line in _DRIVEN if line.encode("ascii") not in lines])
    return _edit(common_dir, lambda _: [], {line.encode("ascii") for line in _DRIVEN})


def _edit(common_dir: str, missing_of: Callable[[set[bytes]], list[str]], drop: Container[bytes] = ()) -> bool:
    path = os.path.join(common_dir, "info", "attributes")
    temporary = f"{path}.ledgit-{os.urandom(4).hex()}"
    try:
        try:
            with open(path, "rb") as file:
                old = file.read()
        except FileNotFoundError:
            old = b""
        kept = [line for line in old.splitlines(keepends=True) if line.strip() not in drop]
        missing = missing_of({line.strip() for line in kept})
        if not missing and b"".join(kept) == old:
            return False
        old = b"".join(kept)
        if old and not old.endswith(b"\n"):
            old += b"\n"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "xb") as file:
            file.write(old + "".join(f"{line}\n" for line in missing).encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as err:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise StorageError(path, err.strerror or str(err)) from err
    return True
