"""What Ledgit puts beside a run's pointers so that DVC alone finds their content: ``.dvc/config`` in the run's tree.

These files are no code of the user's: whoever compares, applies or branches a run's code sees them
as they were. So the file itself says, in comments at its end, what was there before.
"""

from __future__ import annotations

__all__ = ["DVC_CONFIG", "DVC_IGNORE", "Before", "mark", "unmark"]

DVC_CONFIG = ".dvc/config"
DVC_IGNORE = ".dvc/.gitignore"

_MADE = b"# Made by Ledgit for this run, whose artifacts are there."
_CHANGED = b"# Changed by Ledgit for this run, whose artifacts are there. Before, this file said:"
_IGNORE = b"# Ledgit also made the .gitignore beside it."
_OPEN = b"# (and no line break at its end)"
_KEPT = b"#| "


class Before:
    """What the user's own ``.dvc`` folder had.

    Attributes:
        config: Content of ``config``; None: there was none.
        ignore: Whether ``.gitignore`` beside it is the user's too.
    """

    __slots__ = ("config", "ignore")

    def __init__(self, config: bytes | None, ignore: bool) -> None:
        self.config, self.ignore = config, ignore

    def __repr__(self) -> str:
        return f"Before({self.config!r}, {self.ignore!r})"


def mark(config: bytes, before: bytes | None, *, ignore: bool) -> bytes:
    """Return *config* with comments that say what the file was *before*; :func:`unmark` reads them.

    Args:
        config: The file as DVC shall read it.
        before: As the user has it; None: not at all.
        ignore: A ``.gitignore`` was made beside it.
    """
    lines = [config if not config or config.endswith(b"\n") else config + b"\n"]
    lines.append((_MADE if before is None else _CHANGED) + b"\n")
    if before is not None:
        kept = before.split(b"\n")
        whole = kept[-1] == b""
        lines += [_KEPT + line + b"\n" for line in (kept[:-1] if whole else kept)]
        if not whole:
            lines.append(_OPEN + b"\n")
    if ignore:
        lines.append(_IGNORE + b"\n")
    return b"".join(lines)


def unmark(config: bytes) -> Before | None:
    """Return what ``.dvc`` had before Ledgit wrote *config*, or None if it was never changed by Ledgit."""
    lines = config.split(b"\n")
    if len(lines) < 2 or lines.pop() != b"":
        return None
    ignore = lines[-1] == _IGNORE
    if ignore:
        lines.pop()
    if lines and lines[-1] == _MADE:
        return Before(None, not ignore)
    end = b"\n"
    if lines and lines[-1] == _OPEN:
        lines.pop()
        end = b""
    kept: list[bytes] = []
    while lines and lines[-1].startswith(_KEPT):
        kept.append(lines.pop()[len(_KEPT) :])
    if not lines or lines[-1] != _CHANGED:
        return None
    return Before(b"\n".join(reversed(kept)) + end if kept else b"", not ignore)
