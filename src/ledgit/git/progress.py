"""What git says while it talks to another repository: how far it is, and everything else."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Lines", "progress_of"]

_MOST_SAID = 64 << 10  # characters that are kept of what the other side says
_LONGEST = 4096  # bytes of a line of it


class Lines:
    """Takes standard error apart: progress goes to the callback, the rest is kept."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._rest = b""
        self._kept: list[str] = []
        self._last: list[str] = []
        self._room = _MOST_SAID

    def feed(self, data: bytes) -> None:
        """Take what git wrote; a line of progress ends with CR, or with LF when it is the last."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = rest[:_LONGEST]  # a host could go on for ever
        for raw in lines:
            self._line(raw.decode("utf-8", "replace"))

    def _line(self, line: str) -> None:
        found = progress_of(line)
        if found is None:
            if self._room > 0:
                self._kept.append(line[:_LONGEST])
                self._room -= len(self._kept[-1]) + 1
            else:  # git's own words come last
                self._last = [*self._last[-19:], line[:_LONGEST]]
        elif self._progress is not None:
            self._progress(*found)

    def text(self) -> str:
        """Return everything that was no progress."""
        if self._rest:
            self._line(self._rest.decode("utf-8", "replace"))
            self._rest = b""
        return "\n".join([*self._kept, *self._last])


def progress_of(line: str) -> tuple[str, int, int | None] | None:
    """Read ``Receiving objects:  45% (450/1000), 1.20 MiB | 3.00 MiB/s``; None for any other line."""
    title, colon, rest = line.removeprefix("remote: ").partition(":")
    if not colon or title not in _TITLES:
        return None
    rest = rest.strip()
    if "%" in rest:
        done, slash, total = rest.partition("(")[2].partition(")")[0].partition("/")
        if slash and done.isdigit() and total.isdigit():
            return title, int(done), int(total)
        return None
    count = rest.partition(",")[0]
    return (title, int(count), None) if count.isdigit() else None


# A host's own messages may have a colon and a number, too: only what git itself is known to count.
_TITLES = frozenset(
    {
        "Checking connectivity",
        "Compressing objects",
        "Counting objects",
        "Delta compression",
        "Enumerating objects",
        "Finding sources",
        "Getting sizes",
        "Receiving objects",
        "Resolving deltas",
        "Unpacking objects",
        "Writing objects",
    }
)
