"""Files that the UI writes: new ones only, so that nothing of anybody's is replaced."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ledgit.errors import StorageError, UsageError

__all__ = ["ending", "save_text"]


def save_text(path: str, pieces: Iterable[str], endings: Iterable[str] = ()) -> str:
    """Write text into a file that must not be there yet; return its path.

    Args:
        path: Where; ``~`` is the home folder.
        pieces: The text, written as it comes.
        endings: If any are given, the name has to end in one (``csv``), since it says what is written.

    Raises:
        UsageError: The file is there already, or its name has none of the endings.
        StorageError: It can't be written.
    """
    path = os.path.expanduser(path.strip())
    known = tuple(endings)
    if known and ending(path) not in known:
        listed = ", ".join(f".{one}" for one in known)
        raise UsageError(f"{path} ends in none of {listed}; the ending says how it is written")
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already; choose another name") from error
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    return path


def ending(path: str) -> str:
    """Return what a name ends in, in small letters and without the dot."""
    return path.strip().rpartition(".")[2].lower()
