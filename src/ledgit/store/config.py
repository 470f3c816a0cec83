"""``.ledgit/config.yaml``: what everybody who works on a repository agreed on.

Read from the work tree, as Git reads ``.gitattributes``: what is being edited counts at once.
"""

from __future__ import annotations

import os

from ledgit.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.git import Repo

__all__ = ["CONFIG", "code_paths", "committed_config"]

CONFIG = ".ledgit/config.yaml"
_MOST = 1 << 20
_MOST_PATHS = 32


def committed_config(repo: Repo, key: str = "") -> dict[str, Any]:
    """Return what the file says; nothing where there is none.

    Args:
        repo: The repository.
        key: The part that is wanted: a file that doesn't mention it needs no YAML reader, which
            takes 20 ms to load.

    Raises:
        RecordError: It does not decode.
    """
    if repo.work_tree is None:
        return {}
    try:
        with open(os.path.join(repo.work_tree, CONFIG), "rb") as file:
            data = file.read(_MOST)
    except OSError:
        return {}
    if key.encode() not in data:
        return {}
    from ledgit.records import load_document

    document = load_document(data, CONFIG)
    return document if isinstance(document, dict) else {}


def code_paths(repo: Repo) -> tuple[str, ...]:
    """Return the files and folders that the code of a run is known by, below the top of the work tree.

    Those of ``code_paths`` in the committed file, and of ``ledgit.codePath`` in Git's
    configuration, which may be given several times or list several with commas.

    Raises:
        ConfigError: One is no path in the repository, or there are more than 32.
        RecordError: The file does not decode.
    """
    listed = committed_config(repo, "code_paths").get("code_paths")
    found: dict[str, None] = {}
    for name, values in (
        (f"code_paths in {CONFIG}", [listed] if isinstance(listed, str) else listed or []),
        (
            "ledgit.codePath",
            [path.strip() for value in repo.config().get_all("ledgit.codePath") for path in value.split(",")],
        ),
    ):
        if not isinstance(values, list):
            raise ConfigError(name, str(values), "a list of paths")
        for value in filter(None, values):
            path = _normal(str(value))
            if path is None:
                raise ConfigError(name, str(value), "a path below the top of the repository")
            found[path] = None
    if len(found) > _MOST_PATHS:
        raise ConfigError("code_paths", f"{len(found)} paths", f"at most {_MOST_PATHS}; name a folder above some")
    return tuple(sorted(found))


def _normal(path: str) -> str | None:
    """Return *path* as Git's trees know it; None if it leads elsewhere."""
    text = path.strip()
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if not parts or text.startswith("/") or ".." in parts or ".git" in parts or not text.isprintable():
        return None
    return "/".join(parts)
