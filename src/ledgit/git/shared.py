"""Files in a repository that a group shares (``git init --shared``): what one makes, the others can use.

Git gives new files and folders the group's rights by ``core.sharedRepository``, whatever the
umask. Where that is on, the folders themselves are writable by the group: that is looked at.
"""

from __future__ import annotations

import os
import stat

__all__ = ["make_folders", "share"]


def share(fd: int, folder: str) -> None:
    """Give the new file *fd* in *folder* to the group as well, if *folder* is shared."""
    if os.stat(folder).st_mode & stat.S_IWGRP:
        mode = os.fstat(fd).st_mode
        wanted = stat.S_IMODE(mode) | (mode & 0o600) >> 3
        if wanted != stat.S_IMODE(mode):
            os.fchmod(fd, wanted)


def make_folders(path: str) -> None:
    """Make the folder *path* and those above it; what exists is fine."""
    parent = os.path.dirname(path)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_folders(parent)
        try:
            os.mkdir(path)
        except FileExistsError:
            return
    above = os.stat(parent).st_mode
    if above & stat.S_IWGRP:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        os.chmod(path, mode | above & (stat.S_ISGID | 0o070))
