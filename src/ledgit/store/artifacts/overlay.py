"""What a run's artifacts are in the end: later wins, and folders that are objects take in what is logged into them.

Pure: nothing is read or written here. Where a folder has to be listed anew, the result says of what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["Content", "Layer", "Placed", "members", "overlay"]


@dataclass(frozen=True, slots=True)
class Content:
    """One thing that was logged, or that an earlier commit of the run has.

    Attributes:
        path: Its artifact path.
        size: Bytes; of a folder the sum. -1 of a file that is still being written.
        oid: Its object's id, ``….dir`` of a folder; '' where nobody has hashed it yet.
        nfiles: Of a folder.
        file: Where the copy is: a name in the journal's folder; '' where there is none.
        offset: Where in that file it begins, if others are in there too.
        stamp: What the journal says of the file that the copy was taken from.
        threshold: What its caller said, in bytes.
        kept: It is from an earlier commit.
    """

    path: str
    size: int
    oid: str = ""
    nfiles: int | None = None
    file: str = ""
    threshold: int | None = None
    kept: bool = False
    offset: int | None = None
    stamp: object = field(default=None, compare=False)

    @property
    def copy(self) -> tuple[str, int | None]:
        """What tells its copy from others."""
        return self.file, self.offset

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder with a list."""
        return self.nfiles is not None


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies on top of what is below it in a folder: at *path* inside it, '' being the folder itself."""

    path: str
    content: Content


@dataclass(frozen=True, slots=True)
class Placed:
    """An artifact in the end.

    Attributes:
        path: Its artifact path.
        layers: One, at '', of a file or folder as it was logged. Of a folder that has to be listed
            anew all that is in it, the latest last.
        gone: Paths of files that had to give way to it: a folder came where a file was, or the other way round.
    """

    path: str
    layers: tuple[Layer, ...]
    gone: tuple[str, ...] = ()

    @property
    def single(self) -> Content | None:
        """What it is, if it is as it was logged."""
        return self.layers[0].content if len(self.layers) == 1 and not self.layers[0].path else None


def overlay(events: Iterable[Content], kept: Iterable[Content] = ()) -> list[Placed]:
    """Return what the run has in the end, by path.

    Args:
        events: What was logged, in its order.
        kept: What an earlier commit of the run has. Its files beside a folder of the same path stay
            beside it unless something is logged into the folder.
    """
    found: dict[str, list[Layer]] = {}
    folders: set[str] = set()
    gone: dict[str, list[str]] = {}
    for content in kept:
        found[content.path] = [Layer("", content)]
        if content.is_folder:
            folders.add(content.path)
    for content in events:
        above = _above(content.path, folders)
        if above is not None:
            _take_in(found, folders, above)
            found[above].append(Layer(content.path[len(above) + 1 :], content))
        elif not content.is_folder:
            if content.path in folders:
                gone.setdefault(content.path, []).append(content.path + "/")
                folders.discard(content.path)
            found[content.path] = [Layer("", content)]
        else:
            old = found.get(content.path)
            if old is not None and content.path not in folders:  # a file, which can't hold what comes
                gone.setdefault(content.path, []).append(content.path)
                del found[content.path]
            folders.add(content.path)
            layers = found.setdefault(content.path, [])
            _take_in(found, folders, content.path)
            layers.append(Layer("", content))
    return [Placed(path, tuple(found[path]), tuple(gone.get(path, ()))) for path in sorted(found)]


def _above(path: str, folders: set[str]) -> str | None:
    """Return the folder object that *path* is in."""
    here = path.rpartition("/")[0]
    while here:
        if here in folders:
            return here
        here = here.rpartition("/")[0]
    return None


def _take_in(found: dict[str, list[Layer]], folders: set[str], folder: str) -> None:
    """Make what stands beside the object *folder*, but in it by its path, a part of it."""
    inside = [path for path in found if path.startswith(folder + "/")] if len(found) > 1 else []
    for path in inside:
        folders.discard(path)
        below = path[len(folder) + 1 :]
        found[folder] += [Layer(_joined(below, layer.path), layer.content) for layer in found.pop(path)]


def _joined(folder: str, path: str) -> str:
    return f"{folder}/{path}" if path else folder


def members(layers: Sequence[Layer], lists: dict[str, list[tuple[str, str]]]) -> tuple[dict[str, Content], list[str]]:
    """Return what is in a folder of these *layers*: path inside → file; and the paths that had to give way.

    Args:
        layers: The earliest first.
        lists: List id → (path, MD5) of its files.
    """
    found: dict[str, Content] = {}
    above: dict[str, int] = {}  # folder inside -> how many files are below it
    gone: list[str] = []
    for layer in layers:
        if layer.content.is_folder:
            files = [
                (_joined(layer.path, path) if layer.path else path, Content("", -1, oid=md5))
                for path, md5 in lists[layer.content.oid]
            ]
        else:
            files = [(layer.path, layer.content)]
        for path, content in files:
            if path not in found:
                gone += _make_way(path, found, above)
                for here in _parents(path):
                    above[here] = above.get(here, 0) + 1
            found[path] = content
    return found, gone


def _make_way(path: str, found: dict[str, Content], above: dict[str, int]) -> list[str]:
    """Drop files that can't stand in one folder with *path*: one where it needs a folder, or all below it."""
    dropped = [here for here in _parents(path) if here in found]
    if above.get(path):
        dropped += [other for other in found if other.startswith(path + "/")]
    for other in dropped:
        del found[other]
        for here in _parents(other):
            above[here] -= 1
    return dropped


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
