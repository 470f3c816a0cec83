"""Plain command lines of ``pull``, ``push`` and ``hook``, read without argparse.

It takes 10 ms to import, as long as a whole ``git fetch`` that finds nothing new. Whatever is not
plain here (a misspelled option, ``--help``) is argparse's, so it has the last word about all of it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

__all__ = ["read"]

_Setting = tuple[str, object]
_SHARED: dict[str, _Setting] = {"--accept-purges": ("accept_purges", True), "--json": ("format", "json")}
_OPTIONS: dict[str, dict[str, _Setting]] = {
    "pull": {**_SHARED, "--tags": ("tags", True)},
    "push": {
        **_SHARED,
        "--all": ("publish", "all"),
        "--dry-run": ("dry_run", True),
        "--no-artifacts": ("artifacts", False),
        "--retry": ("retry", True),
        "--verbose": ("verbose", True),
        "-v": ("verbose", True),
    },
}
_UNSAID: dict[str, dict[str, object]] = {
    "pull": {"refs": [], "artifacts": None, "tags": False},
    "push": {
        "dry_run": False,
        "runs": [],
        "publish": None,
        "allow_secret": [],
        "retry": False,
        "artifacts": True,
        "verbose": False,
    },
}


class _Plain:
    """Arguments as attributes, as argparse has them."""

    def __init__(self, values: dict[str, object]) -> None:
        self.__dict__.update(values)


def read(command: str, words: Sequence[str]) -> Namespace | None:
    """Return the arguments of *command* if *words* are at most a remote and plain options; else None."""
    options = _OPTIONS.get(command)
    if options is None:
        return _hook(words) if command == "hook" else None
    found: dict[str, object] = {"remote": None, "accept_purges": False, "format": "text", **_UNSAID[command]}
    for number, word in enumerate(words):
        setting = options.get(word)
        if setting is not None and word not in words[:number]:
            found[setting[0]] = setting[1]
        elif word[:1] not in ("", "-") and found["remote"] is None:
            found["remote"] = word
        else:
            return None
    return _Plain(found)  # type: ignore[return-value]


def _hook(words: Sequence[str]) -> Namespace | None:
    """Return a hook's name and what Git gives it: paths, ids, an address; no option is among them."""
    if not words or any(word.startswith("-") for word in words):
        return None
    return _Plain({"name": words[0], "words": list(words[1:])})  # type: ignore[return-value]
