"""The folder the demonstration works in, and the marker that says it may be built again."""

from __future__ import annotations

import os

from ledgit.errors import StorageError, UsageError

# Under .git, so that it is no file of the demonstration's own work tree.
MARKER = os.path.join(".git", "ledgit-demo")


def clear_folder(folder: str) -> None:
    """Make *folder* an empty directory, removing what an earlier demonstration left there.

    Raises:
        UsageError: It holds something that no demonstration made.
        StorageError: It can't be made or emptied.
    """
    if os.path.lexists(folder) and not _is_ours(folder):
        message = f"{folder} is there already and is no earlier demo; name another folder: ledgit demo DIR"
        raise UsageError(message)
    import shutil

    try:
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        os.makedirs(folder)
    except OSError as error:
        raise StorageError(folder, error.strerror or str(error)) from error


def mark_folder(folder: str) -> None:
    """Say that *folder*, by now a repository, was made by a demonstration."""
    with open(os.path.join(folder, MARKER), "w", encoding="utf-8") as file:
        file.write("made by 'ledgit demo', which may remove this folder and build it again\n")


def _is_ours(folder: str) -> bool:
    if not os.path.isdir(folder) or os.path.islink(folder):
        return False
    return not os.listdir(folder) or os.path.exists(os.path.join(folder, MARKER))
