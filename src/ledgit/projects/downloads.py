"""Values of ``path`` parameters that are addresses: what they name is fetched, and the command gets a path."""

from __future__ import annotations

import os

from ledgit.errors import ParameterError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.mlproject import EntryPoint
    from ledgit.projects.parameters import Bound

__all__ = ["fetch_parameters"]

_MOST = 1 << 20  # bytes read at once
_PATIENCE = 60.0


def fetch_parameters(entry_point: EntryPoint, bound: Bound, cache: str) -> Bound:
    """Return *bound* with paths in the place of the addresses ``http(s)://``, ``runs:/`` and ``models:/``.

    What was downloaded stays in the folder ``downloads`` of the cache; it is fetched anew each time.

    Raises:
        ParameterError: It can't be fetched.
    """
    for name, address in bound.downloads.items():
        scheme = address.partition(":")[0].lower()
        if scheme in ("http", "https"):
            path = _fetch(entry_point, name, address, cache)
        elif scheme == "runs":
            from ledgit.tracking.uris import download_artifacts

            path = download_artifacts(artifact_uri=address, dst_path=_place(cache, address))
        elif scheme == "models":
            from ledgit.models import find_model

            model = find_model(address)  # stages move: its place goes by what stands there now
            version = model.version
            path = model.folder(_place(cache, f"{address} {version.commit if version is not None else ''}"))
        else:
            reason = f"is an address that can't be fetched here ({scheme}:); download it, and give its path"
            raise ParameterError(entry_point.name, name, reason)
        bound = bound.replaced(name, os.path.abspath(path))
    return bound


def _place(cache: str, address: str) -> str:
    """Return the folder for what *address* names: the same each time, so that a recorded command finds it again."""
    from hashlib import sha256

    return os.path.join(cache, "downloads", sha256(address.encode()).hexdigest()[:16])


def _fetch(entry_point: EntryPoint, name: str, address: str, cache: str) -> str:
    from urllib.error import URLError
    from urllib.parse import urlsplit
    from urllib.request import urlopen

    leaf = os.path.basename(urlsplit(address).path) or "download"
    target = os.path.join(_place(cache, address), leaf)
    scratch = f"{target}.{os.urandom(4).hex()}"
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with urlopen(address, timeout=_PATIENCE) as there, open(scratch, "xb") as here:  # noqa: S310 - http(s) alone
            while data := there.read(_MOST):
                here.write(data)
        os.replace(scratch, target)
    except (OSError, URLError, ValueError) as error:
        if os.path.lexists(scratch):
            os.unlink(scratch)
        raise ParameterError(entry_point.name, name, f"could not be downloaded: {error}") from None
    return target
