"""Files from an address that somebody recorded: from a web server, or a store that ``fsspec`` knows."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.place import without_credentials
from ledgit.artifacts.remote_errors import remote_failure
from ledgit.errors import (
    AccessDenied,
    ArtifactNotFound,
    MissingDependency,
    RemoteError,
    StorageError,
    Unreachable,
    UnsafePath,
)
from ledgit.records.names import inert_path, path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["download_tree", "download_url"]

_PIECE = 1 << 20
_PATIENCE = 60  # seconds without a byte until the host is given up
_NAMELESS = "dataset_source"  # as MLflow calls what has no name


def download_url(url: str, folder: str) -> str:
    """Fetch what is at an ``http`` or ``https`` address into *folder* and return the file's path.

    It is named by the server (``Content-Disposition``), else by the address; one of that name is replaced.

    Raises:
        ArtifactNotFound: There is nothing.
        AccessDenied, Unreachable, RemoteError: The host can't be used.
        StorageError: *folder* can't be written to.
    """
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    shown = without_credentials(url)
    if not url.lower().startswith(("http://", "https://")):
        raise RemoteError(shown, "it is no address of a web server")
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 - looked at above
            target = os.path.join(folder, _name(answer.headers.get_filename() or answer.url))
            with _whole(target) as file:
                size = 0
                while piece := answer.read(_PIECE):
                    size += len(piece)
                    _write(file, piece, target)
                if answer.length:  # what is left of what was announced
                    raise Unreachable(shown, f"the connection broke after {size} bytes")
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                raise ArtifactNotFound(shown) from error
            if error.code in (401, 403, 407):
                raise AccessDenied(shown, f"the host answers {error.code}") from error
            raise RemoteError(shown, f"the host answers {error.code}") from error
    except (HTTPException, OSError) as error:
        raise Unreachable(shown, f"it can't be reached or the connection broke ({type(error).__name__})") from error
    return target


def download_tree(url: str, folder: str) -> str:
    """Fetch the file or folder at *url* (``s3://…``) into *folder* and return its path.

    With ``fsspec``, and with the credentials that it finds in the environment.

    Raises:
        ArtifactNotFound: There is nothing.
        AccessDenied, Unreachable, RemoteError: The store can't be used.
        MissingDependency: The package for this kind of store is not installed.
        UnsafePath: A file there has a name that would leave *folder*.
        StorageError: *folder* can't be written to.
    """
    shown = without_credentials(url)
    try:
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(url)
    except (ImportError, ValueError) as error:  # no fsspec, no library for it, or no such kind
        scheme = url.partition("://")[0]
        package = f"ledgit[{scheme}]" if scheme in ("s3", "ssh") else f"dvc-{scheme}"
        raise MissingDependency(f"a data set at {scheme}://", package) from error
    path = path.rstrip("/")
    target = os.path.join(folder, _name(path))
    try:
        found = sorted(fs.find(path))
    except Exception as error:
        raise _failure(shown, error) from error
    if not found:
        raise ArtifactNotFound(shown)
    for one in found:
        inner = str(one)[len(path) :].lstrip("/")
        if inner and (problem := path_problem(inner)) is not None:
            raise UnsafePath(shown, f"the path {inner[:100]!r} {problem}")
        place = os.path.join(target, *inert_path(inner).split("/")) if inner else target
        _fetch(fs, str(one), place, shown)
    return target


def _fetch(fs: Any, source: str, target: str, shown: str) -> None:
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        scratch = f"{target}.{os.urandom(4).hex()}.part"
        try:
            fs.get_file(source, scratch)
            os.replace(scratch, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(scratch)
    except Exception as error:
        raise _failure(shown, error) from error


def _failure(shown: str, error: Exception) -> Exception:
    return ArtifactNotFound(shown) if isinstance(error, FileNotFoundError) else remote_failure(shown, error)


def _name(path: str) -> str:
    """Return a file's name out of an address or of what a server says: never a path, nor a hidden file."""
    name = path.partition("?")[0].partition("#")[0].rstrip("/").replace("\\", "/").rpartition("/")[2].lstrip(".")
    return name if name and path_problem(name) is None else _NAMELESS


@contextlib.contextmanager
def _whole(target: str) -> Iterator[BinaryIO]:
    """Have the file *target* written; it gets its name when it is whole."""
    scratch = f"{target}.{os.urandom(4).hex()}.part"
    try:
        file = open(scratch, "xb")  # noqa: SIM115 - closed below, before it is renamed
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
    try:
        with file:
            yield file
        try:
            os.replace(scratch, target)
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)


def _write(file: BinaryIO, piece: bytes, target: str) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
