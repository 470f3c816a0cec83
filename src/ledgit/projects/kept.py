"""Which files of this machine become which artifacts of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ledgit.errors import UsageError

__all__ = ["artifact_files"]


def artifact_files(given: Sequence[str], folder: str = "") -> list[tuple[str, str]]:
    """Return (file, artifact path) of the files *given*, folders with all that is in them.

    Args:
        given: Files and folders of this machine.
        folder: Where in the run's artifacts to put them.

    Raises:
        UsageError: One of them is not there.
    """
    found: list[tuple[str, str]] = []
    for source in given:
        name = os.path.basename(os.path.abspath(source))
        if os.path.isdir(source):
            for here, folders, names in os.walk(source):
                folders.sort()
                inside = os.path.relpath(here, source)
                parts = [folder, name] + ([] if inside == "." else [inside])
                found += [(os.path.join(here, leaf), _join(*parts, leaf)) for leaf in sorted(names)]
        elif os.path.exists(source):
            found.append((source, _join(folder, name)))
        else:
            raise UsageError(f"there is no file {source!r} to keep")
    return found


def _join(*parts: str) -> str:
    return "/".join(part.strip("/").replace(os.sep, "/") for part in parts if part.strip("/"))
