"""The two lines in ``info/attributes`` that run files need (written by ``ledgit init`` only)."""

from __future__ import annotations

import os

from ledgit.errors import StorageError

__all__ = ["ensure_attributes"]

_LINES = (".ledgit/run/history/** -diff -delta", ".ledgit/run/artifacts/** -text -filter")


def ensure_attributes(common_dir: str) -> bool:
    """Make sure that ``info/attributes`` has our lines; return whether it was changed.

    Histories shouldn't flood diffs nor cost delta searches, and artifacts come back byte for
    byte, whatever the user's other attributes say. The user's lines stay as they are.

    Raises:
        StorageError: The file can't be written.
    """
    path = os.path.join(common_dir, "info", "attributes")
    temporary = f"{path}.ledgit-{os.urandom(4).hex()}"
    try:
        try:
            with open(path, "rb") as file:
                old = file.read()
        except FileNotFoundError:
            old = b""
        there = {line.strip() for line in old.splitlines()}
        missing = [line for line in _LINES if line.encode("ascii") not in there]
        if not missing:
            return False
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
