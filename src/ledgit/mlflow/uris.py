"""URIs of scheme ``ledgit``: a repository, and the artifacts of a run in it."""

from __future__ import annotations

import os
from urllib.parse import quote, unquote, urlsplit

from ledgit.errors import InvalidValue
from ledgit.records.shapes import is_run_id

__all__ = ["artifact_root", "repository_path", "split_artifact_uri"]

_RUNS = "/-/runs/"


def repository_path(uri: str) -> str:
    """Return the absolute path that *uri* names: ``ledgit:``, ``ledgit:.``, ``ledgit:/a``, ``ledgit:///a``.

    MLflow joins URIs of schemes it doesn't know in ways that lose slashes, so all forms are understood.

    Raises:
        InvalidValue: It is of another scheme, or names a host.
    """
    parts = urlsplit(uri)
    if parts.scheme != "ledgit" or parts.netloc:
        raise InvalidValue("the tracking URI", uri, "ledgit: for this repository, or ledgit:///path/of/one")
    return os.path.abspath(unquote(parts.path) or ".")


def artifact_root(repository: str, run_id: str) -> str:
    """Return where MLflow finds the artifacts of a run of the repository at *repository*."""
    return f"ledgit://{quote(repository)}{_RUNS}{run_id}/artifacts"


def split_artifact_uri(uri: str) -> tuple[str, str, str]:
    """Return the repository's path, the run's id and the path below its artifacts.

    Raises:
        InvalidValue: It is no run's artifact URI.
    """
    path, found, rest = repository_path(uri).partition(_RUNS)
    run_id, _, inside = rest.partition("/")
    if not found or not is_run_id(run_id) or inside.partition("/")[0] != "artifacts":
        raise InvalidValue("the artifact URI", uri, "ledgit:///REPOSITORY/-/runs/RUN/artifacts")
    return path, run_id, inside.partition("/")[2]
