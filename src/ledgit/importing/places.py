"""Where another tracker's files are, as its addresses say."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

__all__ = ["local_folder", "logged_folder", "never_made", "shown"]


def local_folder(uri: str, base: str, run_id: str) -> str:
    """Return the folder that *uri* (a path, or ``file:``) names on this machine; "" where it is elsewhere or gone.

    A store is somebody's file: only a folder that is called as MLflow calls a run's (``<run id>/artifacts``) is taken,
    and none that is a link, or any folder of the reader's could be had by an address.
    """
    path = _path(uri)
    if not path:
        return ""
    full = os.path.normpath(path if os.path.isabs(path) else os.path.join(base, path))
    above, name = os.path.split(full)
    if name != "artifacts" or os.path.basename(above) != run_id or os.path.islink(full) or os.path.islink(above):
        return ""
    return full if os.path.isdir(full) else ""


def logged_folder(uri: str, base: str, model_id: str) -> str:
    """Return the folder of a logged model's files, by the rules of :func:`local_folder`: ``models/<id>/artifacts``."""
    return local_folder(uri, base, model_id) if model_id.startswith("m-") else ""


def _path(uri: str) -> str:
    """Return the path that an address of this machine has; "" of any other. A plain path has no escapes."""
    scheme = urlsplit(uri).scheme
    if scheme == "file":
        return unquote(urlsplit(uri).path)
    return "" if scheme else uri


def never_made(uri: str) -> bool:
    """Whether *uri* names a folder of this machine that nothing was ever put into: those of other runs are there."""
    path = _path(uri)
    if not path:
        return False
    experiment = os.path.dirname(os.path.dirname(path))
    return not os.path.exists(path) and (os.path.isdir(experiment) or os.path.isdir(os.path.dirname(experiment)))


def shown(uri: str) -> str:
    """Return *uri* without a user, a password or a query: what may be written down."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme and parts.netloc else uri.partition("?")[0]
