"""Data that DVC tracks: what its ``.dvc`` and ``dvc.lock`` files say of a path, read without DVC.

Looked at are the files in the folder of the path and in those above it, up to DVC's root (where
``.dvc/config`` is). A broken one says nothing: the data are hashed then, like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ledgit.errors import LedgitError

__all__ = ["LEGACY", "Tracked", "cached", "dvc_root", "find_tracked", "list_in_cache", "outputs_in", "remote_of"]

#: DVC 2 took the MD5 of texts with their line ends as Unix has them.
LEGACY = "md5-dos2unix"
_LARGEST_FILE = 16 << 20
_LARGEST_LIST = 256 << 20
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Tracked:
    """What DVC's files say of a path.

    Attributes:
        root: DVC's root.
        pointer: The ``.dvc`` file or ``dvc.lock`` that says it.
        stage: The pipeline's stage that makes it; "" of a ``.dvc`` file.
        output: The path that is tracked: the one asked for, or a folder above it.
        md5: Of the output: 32 hex digits, and ``.dir`` for a folder's list.
        kind: ``md5``, or `LEGACY`.
        size: Bytes in all; None if it does not say.
        nfiles: Number of files in a folder.
        remote: The remote that this output alone is kept in; "" for the project's.
        inner: The path asked for, inside of the output; "" if it is that.
    """

    root: str
    pointer: str
    stage: str
    output: str
    md5: str
    kind: str
    size: int | None = None
    nfiles: int | None = None
    remote: str = ""
    inner: str = ""


def find_tracked(path: str) -> Tracked | None:
    """Return what DVC's files say of *path*, which need not be there; None if they don't name it."""
    path = os.path.abspath(path)
    root = dvc_root(path)
    if root is None:
        return None
    best: Tracked | None = None
    here = os.path.dirname(path)
    while True:
        for found in _outputs_of(here, root, path):
            inner = _inner(path, found.output)
            # A file that is an output itself counts before a folder that holds it, the deepest first.
            if inner is not None and (best is None or len(found.output) > len(best.output)):
                best = replace(found, inner=inner)
        if here == root or (best is not None and not best.inner):
            return best
        here = os.path.dirname(here)


def outputs_in(folder: str, root: str) -> Iterator[Tracked]:
    """Yield all that the ``.dvc`` files and ``dvc.lock`` in *folder*, of the DVC project at *root*, name."""
    return _outputs_of(folder, root, "")


def remote_of(tracked: Tracked) -> tuple[str, str]:
    """Return name and address of the DVC remote that holds the data, without credentials; "" each if there is none.

    Only the committed configuration is read: what everybody sees.
    """
    config = _config(tracked.root)
    name = tracked.remote or config.get("core", {}).get("remote", "")
    url = config.get(f'remote "{name}"', {}).get("url", "")
    if url.startswith("remote://"):
        base, _, rest = url.removeprefix("remote://").partition("/")
        above = config.get(f'remote "{base}"', {}).get("url", "")
        url = f"{above.rstrip('/')}/{rest}" if above and not above.startswith("remote://") else url
    return name, _without_credentials(url)


def list_in_cache(tracked: Tracked) -> list[tuple[str, str]] | None:
    """Return the files of a tracked folder, (path, MD5) each, from DVC's cache; None if it isn't there."""
    import json

    place = cached(tracked.root, tracked.md5, tracked.kind)
    data = _read(place, _LARGEST_LIST)
    if data is None:
        return None
    try:
        return [(str(item["relpath"]), str(item["md5"])) for item in json.loads(data)]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def cached(root: str, md5: str, kind: str = "md5") -> str:
    """Return where DVC's cache of the project at *root* has an object, whether it is there or not."""
    folder = _config(root).get("cache", {}).get("dir", "")
    cache = os.path.join(root, ".dvc", folder) if folder else os.path.join(root, ".dvc", "cache")
    inner = ("files", "md5") if kind == "md5" else ()
    return os.path.join(cache, *inner, md5[:2], md5[2:])


def dvc_root(path: str) -> str | None:
    """Return the folder of the DVC project that *path* is in; None if it is in none."""
    here = path if os.path.isdir(path) else os.path.dirname(path)
    while not os.path.isfile(os.path.join(here, ".dvc", "config")):
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above
    return here


def _inner(path: str, output: str) -> str | None:
    if path == output:
        return ""
    return path[len(output) + 1 :].replace(os.sep, "/") if path.startswith(output + os.sep) else None


def _outputs_of(folder: str, root: str, path: str) -> Iterator[Tracked]:
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(".dvc") and entry.is_file()]
    except OSError:
        return
    # Most often it is the file beside it, and the others need no reading.
    beside = os.path.basename(path) + ".dvc"
    for name in sorted(names, key=lambda name: (name != beside, name)):
        pointer = os.path.join(folder, name)
        document = _document(pointer)
        where = os.path.join(folder, document.get("wdir") or ".") if isinstance(document.get("wdir"), str) else folder
        for item in _items(document.get("outs")):
            tracked = _tracked(item, root, pointer, "", where)
            if tracked is not None:
                yield tracked
                if name == beside and tracked.output == path:
                    return
    lock = os.path.join(folder, "dvc.lock")
    stages = _document(lock).get("stages")
    folders: dict[str, str] | None = None
    for stage, said in stages.items() if isinstance(stages, dict) else ():
        outs = list(_items(said.get("outs"))) if isinstance(said, dict) else []
        if outs and folders is None:
            folders = _working_folders(folder)
        for item in outs:
            assert folders is not None
            where = os.path.join(folder, folders.get(str(stage).partition("@")[0], "."))
            tracked = _tracked(item, root, lock, str(stage), where)
            if tracked is not None:
                yield tracked


def _working_folders(folder: str) -> dict[str, str]:
    """Return the stages of ``dvc.yaml`` that work in another folder: the lock file doesn't say."""
    stages = _document(os.path.join(folder, "dvc.yaml")).get("stages")
    found = {}
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        if isinstance(stage, dict) and isinstance(stage.get("wdir"), str):
            found[str(name)] = stage["wdir"]
    return found


def _items(listed: Any) -> Iterator[dict[str, Any]]:
    return (item for item in listed if isinstance(item, dict)) if isinstance(listed, list) else iter(())


def _tracked(item: dict[str, Any], root: str, pointer: str, stage: str, folder: str) -> Tracked | None:
    path, md5 = item.get("path"), item.get("md5")
    if not isinstance(path, str) or not isinstance(md5, str) or "://" in path:
        return None
    if len(md5.removesuffix(".dir")) != 32 or not set(md5.removesuffix(".dir")) <= _HEX:
        return None
    size, nfiles, remote = item.get("size"), item.get("nfiles"), item.get("remote")
    return Tracked(
        root,
        pointer,
        stage,
        os.path.normpath(os.path.join(folder, path)),
        md5,
        "md5" if item.get("hash") == "md5" else LEGACY,
        size if isinstance(size, int) else None,
        nfiles if isinstance(nfiles, int) else None,
        remote if isinstance(remote, str) else "",
    )


def _document(path: str) -> dict[str, Any]:
    data = _read(path, _LARGEST_FILE)
    if data is None:
        return {}
    from ledgit.records.documents import load_document

    try:
        document = load_document(data, path)
    except LedgitError:
        return {}
    return document if isinstance(document, dict) else {}


def _read(path: str, limit: int) -> bytes | None:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > limit:
            return None
        with open(path, "rb") as file:
            return file.read(limit)
    except OSError:
        return None


def _config(root: str) -> dict[str, dict[str, str]]:
    import configparser

    data = _read(os.path.join(root, ".dvc", "config"), _LARGEST_FILE) or b""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error:
        return {}
    # DVC writes sections as ['remote "name"'].
    return {name.strip("'"): dict(parser[name]) for name in parser.sections()}


def _without_credentials(url: str) -> str:
    """Return *url* without user, password, and what stands behind ``?`` (signatures of storage accounts)."""
    scheme, there, rest = url.partition("://")
    if not there:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0].partition('#')[0]}"
