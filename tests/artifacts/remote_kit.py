"""What the tests of artifact remotes share: a clone with a cache full of objects, and the real DVC."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ledgit.artifacts import Cache, ObjectRemote, Place, encode_list, find_place, open_remote

MIB = 1 << 20


class Clone:
    """A work tree, and a cache with a folder's list, its 20 files and one larger file."""

    def __init__(self, path: Path, large: int = 3 * MIB) -> None:
        self.path = path
        (path / ".dvc").mkdir(parents=True)
        self.cache = Cache(str(path / "cache"))
        self.small = [self.cache.put_bytes(b"small %d" % number) for number in range(20)]
        members = [(f"part/{number}.txt", oid) for number, oid in enumerate(self.small)]
        self.list = self.cache.put_bytes(encode_list(members), folder=True)
        self.large = self.cache.put_bytes(random.Random(large).randbytes(large))
        self.all = [self.list, self.large, *self.small]

    def personal(self, options: Mapping[str, str], name: str = "ledgit") -> None:
        """Write what DVC keeps out of the repository: credentials and the like."""
        lines = [f"['remote \"{name}\"']", *(f"    {key} = {value}" for key, value in options.items())]
        (self.path / ".dvc" / "config.local").write_text("\n".join(lines) + "\n")

    def place(self, url: str | Path) -> Place:
        place = find_place({"ledgit.artifactRemote": str(url)}, {}, self.path)
        assert place is not None
        return place

    def remote(self, url: str | Path) -> ObjectRemote:
        return open_remote(self.place(url))

    def sizes(self) -> dict[str, int | None]:
        return {oid: self.cache.size(oid) for oid in self.all}

    def other_cache(self) -> Cache:
        return Cache(str(self.path / "other-cache"))


def files_below(folder: Path) -> dict[str, int]:
    """Every file below *folder* with its size."""
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def object_files(cache: Cache, oids: list[str]) -> dict[str, int]:
    """The files that these objects are on a remote."""
    return {f"files/md5/{oid[:2]}/{oid[2:]}": cache.size(oid) for oid in oids}


def dvc(folder: Path, *arguments: str) -> str:
    """Run the real DVC in *folder* and return what it printed."""
    command = [sys.executable, "-W", "ignore", "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=quiet())
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def quiet() -> dict[str, str]:
    """The environment, in which DVC asks nobody whether there is a newer one."""
    home = os.environ["HOME"]
    return {**os.environ, "DVC_NO_ANALYTICS": "1", "CI": "1", "DVC_SITE_CACHE_DIR": f"{home}/site-cache"}


class Clock:
    """How long something took."""

    def __enter__(self) -> Clock:
        self.start = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self.start
