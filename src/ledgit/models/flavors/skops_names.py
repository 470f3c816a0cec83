"""skops files that are the same for the same model: skops names what is in one by where it was in memory, and when."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

__all__ = ["settle_names"]

_SCHEMA = "schema.json"
_WHEN = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive knows


def settle_names(path: str) -> None:
    """Write the skops file at *path* once more, its parts named and numbered as they come, and all of one date.

    So a model that is saved twice is one object to whoever stores it.
    """
    scratch = f"{path}.tmp"
    with ZipFile(path) as source:
        state = json.loads(source.read(_SCHEMA))
        names = _renamed(state, set(source.namelist()))
        with ZipFile(scratch, "w", ZIP_STORED) as target:
            for old, new in names.items():
                with source.open(old) as reader, target.open(_entry(new), "w", force_zip64=True) as writer:
                    shutil.copyfileobj(reader, writer, 1 << 20)
            target.writestr(_entry(_SCHEMA), json.dumps(state, indent=2))
    os.replace(scratch, path)


def _entry(name: str) -> ZipInfo:
    info = ZipInfo(name, _WHEN)
    info.external_attr = 0o600 << 16
    return info


def _renamed(state: Any, parts: set[str]) -> dict[str, str]:
    """Number the objects in *state* anew, in place; return the new names of its *parts*."""
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    waiting = [state]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += reversed(node)
            continue
        if not isinstance(node, dict):
            continue
        number, file = node.get("__id__"), node.get("file")
        if type(number) is int:
            node["__id__"] = numbers.setdefault(number, len(numbers) + 1)
        if isinstance(file, str) and file in parts:
            node["file"] = names.setdefault(file, f"{len(names) + 1}{os.path.splitext(file)[1]}")
        waiting += reversed(node.values())
    # What a later format names otherwise stays what it is.
    return names | {part: part for part in sorted(parts - names.keys() - {_SCHEMA})}
