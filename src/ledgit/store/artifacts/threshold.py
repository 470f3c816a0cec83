"""How large an artifact may be to travel in the run's tree: who says so, and in what words."""

from __future__ import annotations

from ledgit.errors import ConfigError

TYPE_CHECKING = False  # the thread beside a fresh run needs it
if TYPE_CHECKING:
    from ledgit.git import Repo

__all__ = ["THRESHOLD", "artifact_threshold", "parse_size"]

THRESHOLD = 256 * 1024
"""Bytes, where nobody says anything."""
_KEY = "ledgit.artifactThreshold"
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_UNITS |= {f"{unit}ib": _UNITS[unit] for unit in "kmg"}


def parse_size(value: object, key: str) -> int:
    """Return how many bytes *value* means: a number, or text as ``256KiB``, ``1 MB``, ``64k`` (1,024 each).

    Raises:
        ConfigError: It is something else; *key* says whose value it is.
    """
    if type(value) is int and value >= 0:
        return value
    text = str(value).strip().lower() if isinstance(value, str) else ""
    number = text.rstrip("kmgib ").strip()
    unit = text[len(number) :].strip()
    try:
        if number.replace(".", "", 1).isdecimal() and number.isascii() and unit in _UNITS:
            return int(float(number) * _UNITS[unit])
    except (ValueError, OverflowError):
        pass
    raise ConfigError(key, str(value), "a size in bytes, as 262144 or 256KiB")


def artifact_threshold(repo: Repo) -> int:
    """Return the size in bytes above which a file becomes an object.

    The person's (``ledgit.artifactThreshold``), else the repository's (``artifacts: {threshold: …}``
    in ``.ledgit/config.yaml``), else 256 KiB.

    Raises:
        ConfigError: It is no size.
        RecordError: The repository's configuration does not decode.
    """
    from ledgit.store.config import CONFIG, committed_config

    mine = repo.config().get(_KEY)
    if mine is not None:
        return parse_size(mine, _KEY)
    section = committed_config(repo, "artifacts").get("artifacts")
    theirs = section.get("threshold") if isinstance(section, dict) else None
    return THRESHOLD if theirs is None else parse_size(theirs, f"artifacts.threshold in {CONFIG}")
