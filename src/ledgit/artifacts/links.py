"""Which symbolic links in a folder that is logged are followed: never one that leads to what was not meant.

A Hugging Face cache is the one layout whose links lead out of a folder that people log, and are meant::

    <cache>/models--<name>/snapshots/<revision>/<file>  ->  ../../blobs/<digest>
    <cache>/models--<name>/blobs/<digest>               ->  ../../blobs/<two digits>/<digest>

The second are there where models share their contents, from huggingface_hub 2 on.
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

    def have(self, link: str, real: str) -> bool:
        """Whether the link at *link* is to be followed, which leads to *real* in the end: a path without links."""
        if self._follow or real == self._top or real.startswith(self._inside):
            return True
        if not self._blobs or not os.path.isfile(real):
            return False
        folder, name = os.path.split(real)
        if folder == self._blobs:
            return True
        if len(name) != 64 or not _HEX.issuperset(name) or folder != f"{self._shared}/{name[:2]}":
            return False
        return self._blobs in (_folder(link), _folder(os.path.join(os.path.dirname(link), os.readlink(link))))


def _folder(path: str) -> str:
    return os.path.realpath(os.path.dirname(path))


def _cached(top: str) -> str:
    """Return the folder of a model or data set in a Hugging Face cache that *top* is, or is in; "" if there is none."""
    parts = top.split("/")
    for at in range(len(parts) - 1, 0, -1):
        if parts[at].startswith(_CACHED) and (at + 1 == len(parts) or parts[at + 1] in ("snapshots", "blobs")):
            return "/".join(parts[: at + 1])
    return ""
