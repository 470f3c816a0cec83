"""Which files a repetition opened: how a verdict knows what the program looks at.

A folder put first on ``PYTHONPATH`` has a ``sitecustomize`` that notes what Python opens (an audit hook, PEP 578), then
hands on to the environment's own. What is only asked for (``os.path.exists``) raises no audit event; ``os.stat`` and
``os.access`` tell of it. Only names are noted, only on this machine. What libraries open past Python (Parquet,
HDF5) and what other programs open is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SITE", "VARIABLE", "Trace", "normalized", "read_trace", "traced_environment"]

SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trace_site")
VARIABLE = "LEDGIT_REPRO_TRACE"
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Trace:
    """What one execution opened; paths are absolute.

    Attributes:
        active: A Python program was watched at all.
        read: Files that were read, and were there before.
        missing: Files that were to be read and were not there.
        asked: Files and folders of which the program only asked whether they are there, and they were not.
        written: Files that were there, and were opened for writing.
        created: Files that were not there, and were opened for writing.
        packages: Names of what was opened in folders of installed packages.
        modules: Modules that were asked for, and are not to be found.
    """

    active: bool = False
    read: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    created: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    modules: frozenset[str] = field(default_factory=frozenset)


def traced_environment(environ: Mapping[str, str], target: str, before: list[str]) -> dict[str, str]:
    """Return *environ* so that Python programs note in the file *target* what they open.

    Args:
        environ: Of the command.
        target: Where to; it is made.
        before: Folders that stand before the others on ``PYTHONPATH``.
    """
    path = [SITE, *before, *(environ.get("PYTHONPATH", "").split(os.pathsep) if environ.get("PYTHONPATH") else [])]
    return {**environ, VARIABLE: target, "PYTHONPATH": os.pathsep.join(path)}


def read_trace(target: str) -> Trace:
    """Return what was noted in the file *target*; nothing where it is not there."""
    kinds: dict[bytes, set[str]] = {}
    try:
        with open(target, "rb") as file:
            data = file.read(_LARGEST)
    except OSError:
        return Trace()
    for line in data.split(b"\n"):
        kind, _, text = line.partition(b"\t")
        if text:
            kinds.setdefault(kind, set()).add(os.fsdecode(text))

    def paths(kind: bytes) -> frozenset[str]:
        return frozenset(map(os.path.normpath, kinds.get(kind, ())))

    created = paths(b"c")
    return Trace(
        active=b"s" in kinds,
        read=paths(b"r") - created,
        missing=paths(b"m"),
        asked=paths(b"q") - created,
        written=paths(b"w"),
        created=created,
        packages=frozenset(kinds.get(b"d", ())),
        modules=frozenset(kinds.get(b"i", ())),
    )


def normalized(name: str) -> str:
    """Return a package's name as indexes compare names."""
    return name.lower().replace("_", "-").replace(".", "-")
