"""Where another tracker's files are, as its addresses say."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

__all__ = ["local_folder", "never_made", "shown"]


def local_folder(uri: str, base: str) -> str:
    """Return the folder that *uri* (a path, or ``file:``) names on this machine; "" where it is elsewhere or gone."""
    if not uri:
        return ""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        path = unquote(parts.path)
    elif parts.scheme in ("", "mlflow-artifacts"):
        path = unquote(parts.path) if parts.scheme == "" else ""
    else:
        return ""
    if not path:
        return ""
    full = path if os.path.isabs(path) else os.path.join(base, path)
    return full if os.path.isdir(full) else ""


def never_made(uri: str) -> bool:
    """Whether *uri* names a folder of this machine that nothing was ever put into: those of other runs are there."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return False
    path = unquote(parts.path)
    experiment = os.path.dirname(os.path.dirname(path))
    return not os.path.exists(path) and (os.path.isdir(experiment) or os.path.isdir(os.path.dirname(experiment)))


def shown(uri: str) -> str:
    """Return *uri* without a user, a password or a query: what may be written down."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme and parts.netloc else uri.partition("?")[0]
