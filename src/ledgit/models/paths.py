"""Paths that an MLmodel names: they stay in the model's folder."""

from __future__ import annotations

import os
from typing import Any

from ledgit.errors import RecordError, UnsafePath

__all__ = ["inside"]


def inside(folder: str, name: Any) -> str:
    """Return the path of *name*, as an MLmodel has it, in the model's *folder*.

    Raises:
        RecordError: It is no text.
        UnsafePath: It would leave the folder, also by a link.
    """
    where = os.path.join(folder, "MLmodel")
    if not isinstance(name, str) or not name or "\0" in name:
        raise RecordError(where, f"{name!r} is no path")
    top = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(top, name.replace("\\", "/")))
    if path != top and not path.startswith(top.rstrip("/") + "/"):
        raise UnsafePath(where, f"the path {name!r} leaves the model's folder")
    return path
