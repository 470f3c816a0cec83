"""Which symbolic links in a folder that is logged are followed: never one that leads to what was not meant.

Two layouts have links that lead out of a folder that people log, and are meant. A Hugging Face cache::

    <cache>/models--<name>/snapshots/<revision>/<file>  ->  ../../blobs/<digest>
    <cache>/models--<name>/blobs/<digest>               ->  ../../blobs/<two digits>/<digest>

The second are there where models share their contents, from huggingface_hub 2 on. And data that DVC has put into the
work tree as links (``cache.type = symlink``), into the cache of that very project::

    <project>/data/<file>  ->  <project>/.dvc/cache/files/md5/<two digits>/<thirty digits>
"""

from __future__ import annotations

import os

__all__ = ["Bounds"]

_CACHED = ("models--", "datasets--", "spaces--", "kernels--")
_HEX = frozenset("0123456789abcdef")


class Bounds:
    """Where links in a folder may lead.

    Args:
        top: The folder, as a path without links.
        follow: Anywhere.
    """

    def __init__(self, top: str, *, follow: bool = False) -> None:
        self._top, self._inside, self._follow = top, top.rstrip("/") + "/", follow
        cached = _cached(top)
        self._blobs, self._shared = (f"{cached}/blobs", f"{os.path.dirname(cached)}/blobs") if cached else ("", "")
        self._caches: tuple[str, ...] | None = None

    def have(self, link: str, real: str) -> bool:
        """Whether the link at *link* is to be followed, which leads to *real* in the end: a path without links."""
        if self._follow or real == self._top or real.startswith(self._inside):
            return True
        if not os.path.isfile(real):
            return False
        if self._is_data(real):
            return True
        if not self._blobs:
            return False
        folder, name = os.path.split(real)
        if folder == self._blobs:
            return True
        if len(name) != 64 or not _HEX.issuperset(name) or folder != f"{self._shared}/{name[:2]}":
            return False
        return self._blobs in (_folder(link), _folder(os.path.join(os.path.dirname(link), os.readlink(link))))

    def _is_data(self, real: str) -> bool:
        """Whether *real* is an object in the cache of the DVC project that the folder is in."""
        above, name = os.path.split(real)
        cache, head = os.path.split(above)
        if (len(head), len(name)) != (2, 30) or not _HEX.issuperset(head + name):
            return False
        if self._caches is None:
            self._caches = _dvc_caches(self._top)
        return cache.removesuffix("/files/md5") in self._caches


def _dvc_caches(top: str) -> tuple[str, ...]:
    """Return the caches of the DVC project that *top* is in, as paths without links."""
    while not os.path.isdir(f"{top}/.dvc"):
        if top == (top := os.path.dirname(top)):
            return ()
    found = ["cache"]
    for name in ("config", "config.local"):
        section = ""
        try:
            with open(f"{top}/.dvc/{name}", encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in map(str.strip, lines):
            if line.startswith("["):
                section = line.strip("[]").strip()
            key, is_set, value = line.partition("=")
            if section == "cache" and is_set and key.strip() == "dir":
                found.append(value.strip().strip("'\""))
    return tuple(os.path.realpath(os.path.join(top, ".dvc", os.path.expanduser(path))) for path in found)


def _folder(path: str) -> str:
    return os.path.realpath(os.path.dirname(path))


def _cached(top: str) -> str:
    """Return the folder of a model or data set in a Hugging Face cache that *top* is, or is in; "" if there is none."""
    parts = top.split("/")
    for at in range(len(parts) - 1, 0, -1):
        if parts[at].startswith(_CACHED) and (at + 1 == len(parts) or parts[at + 1] in ("snapshots", "blobs")):
            return "/".join(parts[: at + 1])
    return ""
