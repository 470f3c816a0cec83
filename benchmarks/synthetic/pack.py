"""A pack written as a stream: a million objects without a million Python objects in memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

from ledgit.git import ObjectSet
from ledgit.git.pack import _TYPES, _deflate, entry_head

_PIECE = 1 << 20


class Packed(NamedTuple):
    """One object: its id, and its bytes as they stand in a pack."""

    oid: str
    data: bytes


class Objects(ObjectSet):
    """New objects that can be taken out as they stand in a pack."""

    def packed(self) -> list[Packed]:
        """Return every object, packed."""
        return [
            Packed(oid, entry_head(_TYPES[kind], len(data)) + _deflate(data))
            for oid, (kind, data) in self._objects.items()
        ]


class PackStream:
    """A pack being written into *git_dir*; Git itself makes its index in the end, and so checks every object."""

    def __init__(self, git_dir: Path) -> None:
        self.path = git_dir / "objects" / "pack" / "tmp_pack_synthetic"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("wb")
        self._file.write(b"PACK" + (2).to_bytes(4, "big") + bytes(4))
        self._count = 0
        self._seen: set[int] = set()  # 8 bytes of an id tell a million of them apart

    def add(self, objects: Iterable[Packed]) -> None:
        """Append *objects*; those that are there already are left out."""
        for oid, data in objects:
            short = int(oid[:16], 16)
            if short not in self._seen:
                self._seen.add(short)
                self._file.write(data)
                self._count += 1

    def close(self) -> None:
        """Finish the pack and have Git index it."""
        self._seen.clear()
        self._file.close()
        with self.path.open("r+b") as file:
            file.seek(8)
            file.write(self._count.to_bytes(4, "big"))
            file.seek(0)
            digest = sha1(usedforsecurity=False)
            while piece := file.read(_PIECE):
                digest.update(piece)
            file.write(digest.digest())
        final = self.path.with_name(f"pack-{digest.hexdigest()}.pack")
        self.path.rename(final)
        subprocess.run(["git", "index-pack", "--threads=2", str(final)], check=True, stdout=subprocess.DEVNULL)
