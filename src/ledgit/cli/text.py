"""Words for people, and colours: all that a command's output is made of."""

from __future__ import annotations

from ledgit.records.harmless import clean, clean_lines, fit, pad, size, width
from ledgit.records.wording import age, apart, duration, exact, moment, number, scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Style",
    "age",
    "apart",
    "clean",
    "clean_lines",
    "duration",
    "exact",
    "files_by_folder",
    "fit",
    "moment",
    "number",
    "pad",
    "scalar",
    "size",
    "width",
]


class Style:
    """Colours, or none. ``style.red("x")`` is plain ``x`` without them."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and text else text

    def bold(self, text: str) -> str:
        """Headings and names."""
        return self._wrap("1", text)

    def dim(self, text: str) -> str:
        """What is read last."""
        return self._wrap("2", text)

    def red(self, text: str) -> str:
        """Worse, failed, removed."""
        return self._wrap("31", text)

    def green(self, text: str) -> str:
        """Better, finished, added."""
        return self._wrap("32", text)

    def yellow(self, text: str) -> str:
        """Ids and commits, as Git has them."""
        return self._wrap("33", text)

    def cyan(self, text: str) -> str:
        """Running, branches."""
        return self._wrap("36", text)

    def status(self, status: str) -> Callable[[str], str]:
        """Return the colour of a run's status."""
        return {"FINISHED": self.green, "FAILED": self.red, "KILLED": self.red, "RUNNING": self.cyan}.get(
            status, self.dim
        )


def files_by_folder(names: Sequence[str], prefix: str = "", most: int = 20) -> list[str]:
    """Return a line a file, with *prefix*; of more than *most* files, one for a folder that has many of them."""
    if len(names) <= most:
        return [f"{prefix}{clean(name)}" for name in names]
    inside: dict[str, list[str]] = {}
    for name in names:
        inside.setdefault(name.rpartition("/")[0], []).append(name)
    lines: list[str] = []
    for folder, several in inside.items():
        if folder and len(several) > most // 4:
            lines.append(f"{prefix}{clean(folder)}/ ({len(several):,} files)")
        else:
            lines += [f"{prefix}{clean(name)}" for name in several]
    return lines
