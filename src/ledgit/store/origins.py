"""Where packages came from that no index gave: what ``direct_url.json`` says (PEP 610), without credentials."""

from __future__ import annotations

import os

from ledgit.records.parsing import loads

try:
    from _json import make_scanner
except ImportError:  # not CPython
    make_scanner = None  # type: ignore[assignment,misc]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = ["direct_urls", "origins"]

_cached: tuple[tuple[tuple[str, ...], str | None], dict[str, str]] | None = None


def origins(path: tuple[str, ...], work_tree: str | None = None) -> dict[str, str]:
    """Return normalised name → origin of the distributions that no index gave; the first of a name counts.

    An origin is ``git+URL@COMMIT`` (``#subdirectory=…``), the URL of an archive (``#sha256=…``) or ``file:PATH``, with
    ``-e `` before it of what is editable. A path below the work tree is ``file:./…``, one in the user's home folder
    ``file:~/…``.

    Args:
        path: Folders where packages are installed.
        work_tree: The user's.
    """
    global _cached  # noqa: PLW0603 - installed packages don't change under a running process
    if _cached is not None and _cached[0] == (path, work_tree):
        return _cached[1]
    found: dict[str, str] = {}
    for package, _, data in direct_urls(path):
        said = _origin(data, work_tree)
        if said:
            found[package] = said
    result = dict(sorted(found.items()))
    _cached = (path, work_tree), result
    return result


def direct_urls(path: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
    """Yield normalised name, version and ``direct_url.json`` of the distributions in *path* that no index gave.

    The first distribution of a name counts, as importing does.
    """
    seen: set[str] = set()
    for folder in path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            if not name.endswith(".dist-info"):
                continue
            package, _, version = name.removesuffix(".dist-info").partition("-")
            package = package.lower().replace("_", "-").replace(".", "-")
            if package in seen:
                continue
            seen.add(package)
            try:
                file = os.open(f"{folder or '.'}/{name}/direct_url.json", os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                data = os.read(file, 1 << 16)
            finally:
                os.close(file)
            yield package, version, data


def _origin(data: bytes, work_tree: str | None) -> str:
    try:
        said: Any = _scanned(data)
        url, vcs, archive, folder = (said.get(key) for key in ("url", "vcs_info", "archive_info", "dir_info"))
    except (ValueError, AttributeError):
        return ""
    if not isinstance(url, str) or any(sign.isspace() for sign in url):
        return ""
    below = said.get("subdirectory")
    subdirectory = f"#subdirectory={below}" if isinstance(below, str) and below and not below.split()[1:] else ""
    if isinstance(vcs, dict):
        return f"{vcs.get('vcs')}+{_plain(url)}@{vcs.get('commit_id')}{subdirectory}"
    if isinstance(folder, dict):
        return ("-e " if folder.get("editable") else "") + _file(url, work_tree)
    digest = ""
    if isinstance(archive, dict):
        hashes = archive.get("hashes")
        digest = str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""
        digest = digest or str(archive.get("hash", "")).partition("sha256=")[2]
    return (_file(url, work_tree) if url.startswith("file:") else _plain(url)) + (f"#sha256={digest}" if digest else "")


class _Plainly:
    """How JSON's scanner reads: as ``json.loads`` does by default."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int


def _scanned(data: bytes) -> object:
    """Parse JSON without importing ``json``: this runs beside training, where an import in a thread can hurt."""
    if make_scanner is None:
        return loads(data)
    try:
        return make_scanner(_Plainly)(data.decode().strip(), 0)[0]  # type: ignore[arg-type]
    except StopIteration:
        raise ValueError("no JSON") from None


def _plain(url: str) -> str:
    """Return *url* without password and query; who logs in is part of an address of SSH's."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    login, at, place = rest.partition("?")[0].partition("#")[0].rpartition("@")  # a password may have a slash in it
    user = login.partition(":")[0] + at if scheme == "ssh" else ""
    return f"{scheme}://{user}{place}"


def _file(url: str, work_tree: str | None) -> str:
    path = url.removeprefix("file://").removeprefix("file:")
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path)
    home = os.path.expanduser("~")
    if work_tree and (path == work_tree or path.startswith(work_tree.rstrip("/") + "/")):
        return "file:./" + path[len(work_tree.rstrip("/")) + 1 :]
    if len(home) > 1 and path.startswith(home + "/"):
        path = "~" + path[len(home) :]
    return f"file:{path}"
