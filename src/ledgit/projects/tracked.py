"""What DVC tracks, in a work folder: put there from DVC's cache, so that a project finds its data.

The ``.dvc`` files and ``dvc.lock`` of the work folder say what belongs there; the data come from the
cache of the user's own DVC project, by their hash. They are copies (reflinks where the file system
has them): whatever the project does to them, the cache stays whole.
"""

from __future__ import annotations

import os

from ledgit.tracking.data_dvc import LEGACY, Tracked, outputs_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["fill_tracked", "tracked_files"]

_CLONE = 0x40049409  # FICLONE of <linux/fs.h>
_MOST_TOLD = 5
_HEX = frozenset("0123456789abcdef")


def fill_tracked(users: str | None, folder: str, caches: Sequence[str] = ()) -> list[str]:
    """Put the data that DVC's files in *folder* name where they belong.

    Args:
        users: Top of the user's work tree, whose DVC cache is used; None if there is none.
        folder: Top of the work folder.
        caches: More folders laid out as DVC's cache is (``files/md5/ab/cdef…``).

    Returns:
        What could not be put there, in a sentence each.
    """
    lacking = []
    known: set[str] = set()
    for root in _roots(folder):
        places = list(caches)
        home = None if users is None else os.path.normpath(os.path.join(users, os.path.relpath(root, folder)))
        if home is not None and os.path.isdir(os.path.join(home, ".dvc")):
            places.insert(0, _share_cache(home, root))
        for tracked in tracked_files(root):
            if tracked.output in known or not _is_inside(tracked.output, folder):
                continue
            known.add(tracked.output)
            if os.path.lexists(tracked.output) and not (tracked.md5.endswith(".dir") and os.path.isdir(tracked.output)):
                continue  # Git has it, too
            if not any(_place(tracked, cache) for cache in places):
                lacking.append(os.path.relpath(tracked.output, folder))
    if not lacking:
        return []
    shown = ", ".join(sorted(lacking)[:_MOST_TOLD]) + (" ..." if len(lacking) > _MOST_TOLD else "")
    return [f"data that DVC tracks is neither in its cache here nor in the work folder: {shown} ('dvc pull' gets it)"]


def tracked_files(root: str) -> Iterator[Tracked]:
    """Yield what the ``.dvc`` files and ``dvc.lock`` in and below the DVC project *root* name."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in (".git", ".dvc", "__pycache__")]
        if any(name.endswith(".dvc") or name == "dvc.lock" for name in files):
            yield from outputs_in(folder, root)


def _roots(folder: str) -> Iterator[str]:
    """Yield the DVC projects in *folder*: mostly it is one itself, or there is none."""
    if os.path.isfile(os.path.join(folder, ".dvc", "config")):
        yield folder
        return
    try:
        entries = [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for entry in entries:  # a project in a sub-folder is seldom deeper
        if os.path.isfile(os.path.join(entry.path, ".dvc", "config")):
            yield entry.path


def _share_cache(home: str, root: str) -> str:
    """Let DVC's own commands in the work folder use the user's cache and local settings: a stage's outputs stay.

    Args:
        home: The user's DVC project.
        root: The same one in the work folder.

    Returns:
        The user's cache.
    """
    from configparser import ConfigParser, Error

    merged = ConfigParser(interpolation=None, strict=False)
    own = ConfigParser(interpolation=None, strict=False)
    for name, parsers in (("config", (merged,)), ("config.local", (merged, own))):
        for parser in parsers:
            try:
                parser.read(os.path.join(home, ".dvc", name), encoding="utf-8")
            except (Error, ValueError):
                continue  # DVC says what is wrong with it
    place = merged.get("cache", "dir", fallback="") or "cache"
    cache = os.path.normpath(os.path.join(home, ".dvc", place))
    target = os.path.join(root, ".dvc", "config.local")
    if not os.path.lexists(target):
        if not own.has_section("cache"):
            own.add_section("cache")
        own.set("cache", "dir", cache)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            own.write(file)
    return cache


def _is_inside(path: str, folder: str) -> bool:
    """Whether *path* lies in *folder*, links resolved: an output may be named ``../../etc``."""
    parent = os.path.realpath(os.path.dirname(path))
    top = os.path.realpath(folder)
    return (parent == top or parent.startswith(top + os.sep)) and ".git" not in os.path.relpath(path, folder).split(
        os.sep
    )


def _place(tracked: Tracked, cache: str) -> bool:
    """Copy a file, or what is not there of a folder, out of *cache*; False if any of it is not in the cache."""
    target = tracked.output
    if not tracked.md5.endswith(".dir"):
        return _copy(_object(cache, tracked.md5, tracked.kind), target)
    inner = _listed(_object(cache, tracked.md5, tracked.kind))
    if inner is None:
        return False
    places = [(_object(cache, md5, tracked.kind), os.path.normpath(os.path.join(target, path))) for path, md5 in inner]
    if not all(os.path.isfile(source) and path.startswith(target + os.sep) for source, path in places):
        return False  # not whole, or a list that leads out of its folder
    os.makedirs(target, exist_ok=True)
    return all(_copy(source, path) for source, path in places if not os.path.lexists(path))


def _object(cache: str, md5: str, kind: str) -> str:
    inner = () if kind == LEGACY else ("files", "md5")
    return os.path.join(cache, *inner, md5[:2], md5[2:])


def _listed(path: str) -> list[tuple[str, str]] | None:
    """Return (path, MD5) of the files in a tracked folder, None where the list isn't there or is none."""
    import json

    try:
        with open(path, "rb") as file:
            listed = [(str(item["relpath"]), str(item["md5"])) for item in json.load(file)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return listed if all(len(md5) == 32 and _HEX.issuperset(md5) for _, md5 in listed) else None


def _copy(source: str, target: str) -> bool:
    import fcntl
    from shutil import copyfileobj

    try:
        with open(source, "rb") as there:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "xb") as here:
                try:
                    fcntl.ioctl(here.fileno(), _CLONE, there.fileno())
                except OSError:
                    copyfileobj(there, here, 1 << 20)
    except OSError:
        return False
    return True
