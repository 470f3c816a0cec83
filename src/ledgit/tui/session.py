"""What all screens share: the repository, what the command line said, marks, undo. Imports no Textual."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ledgit.records.harmless import fit
from ledgit.records.values import Values
from ledgit.tui.data.editing import UndoStack
from ledgit.tui.themes import GLYPHS, SERIES_DARK, SERIES_LIGHT, SERIES_MARKS

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.repository import Repository

__all__ = ["Session", "UiOptions"]


class UiOptions(Values):
    """What the command line says.

    Attributes:
        filter: Of the runs, in the query language.
        branch: Only runs of the code on this branch; None for all.
        screen: The main screen that is shown first.
        run: A run that is opened at once: id, name or prefix.
        read_only: Nothing can be changed.
        ascii: Draw with ASCII alone.
        theme: A theme's name; None for the user's, or one that suits the terminal.
        refresh: Seconds between two looks at the repository.
    """

    __slots__ = ("ascii", "branch", "filter", "read_only", "refresh", "run", "screen", "theme")

    def __init__(
        self,
        filter: str = "",  # noqa: A002
        branch: str | None = None,
        screen: str = "runs",
        run: str | None = None,
        read_only: bool = False,
        ascii: bool = False,  # noqa: A002
        theme: str | None = None,
        refresh: float = 0.5,
    ) -> None:
        self.filter, self.branch, self.screen, self.run = filter, branch, screen, run
        self.read_only, self.ascii, self.theme, self.refresh = read_only, ascii, theme, refresh


class Session:
    """What all screens of one sitting share.

    Attributes:
        repository: The repository.
        options: What the command line says.
        branch: The checked-out branch's short name; None where HEAD is detached.
        read_only: Why nothing can be written, as a sentence without its end; "" when it can.
        unicode: Whether the terminal can draw more than ASCII.
        light: Whether the background is light; the app keeps it in step with the theme.
        marks: Ids of marked runs in the order of marking.
        baseline: Id of the run that others are compared with, or None.
        undo: What can be taken back.
        now: Returns milliseconds since the epoch.
        environ: The environment, as the command line hands it in.
    """

    def __init__(
        self, repository: Repository, options: UiOptions | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.repository = repository
        self.options = options or UiOptions()
        self.environ = dict(environ or {})
        self.branch = read_branch(repository.repo)
        self.read_only = _why_read_only(repository, self.options)
        self.unicode = not self.options.ascii and knows_unicode(self.environ)
        self.light = False
        self.marks: dict[str, None] = {}
        self.baseline: str | None = None
        self.undo = UndoStack()
        self.now: Callable[[], int] = lambda: time.time_ns() // 1_000_000
        self._directions: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """The repository's name: that of its folder."""
        path = self.repository.path.rstrip("/")
        return os.path.basename(path.removesuffix("/.git")) or path

    @property
    def directions(self) -> Mapping[str, str]:
        """Which way metrics are better, as ``.ledgit/config.yaml`` says. Read when first asked for, so ask in a thread.

        A configuration that does not decode says nothing here; the commands say what is wrong with it.
        """
        if self._directions is None:
            self._directions = _read_directions(self.repository.repo)
        return self._directions

    def on_progress(self, told: Callable[[str, int, int | None], None]) -> None:
        """Have *told* called, as (what, done, total), while much is read into the index, by the thread that reads."""
        self.repository.progress = told
        self.repository.index.progress = told

    def forget(self) -> None:
        """Read anew what other processes may have changed: branch, directions."""
        self.branch = read_branch(self.repository.repo)
        self._directions = None

    def glyph(self, name: str) -> str:
        """Return the mark *name* as this terminal can draw it; see :data:`ledgit.tui.themes.GLYPHS`."""
        return GLYPHS[name][not self.unicode]

    def fit(self, text: str, limit: int) -> str:
        """Cut *text* to *limit* columns, and show that something was cut as this terminal can."""
        cut = fit(text, limit)
        return cut if self.unicode or cut == text else cut[:-1] + self.glyph("more")

    def colors(self, series: int) -> tuple[str, str]:
        """Return colour and mark of the *series*-th series, which repeat after eight."""
        palette = SERIES_LIGHT if self.light else SERIES_DARK
        return palette[series % len(palette)], SERIES_MARKS[series % len(SERIES_MARKS)][not self.unicode]


def read_branch(repo: Repo) -> str | None:
    """Return the checked-out branch's short name, read from HEAD itself; None where it is detached."""
    try:
        with open(os.path.join(repo.git_dir, "HEAD"), encoding="utf-8", errors="surrogateescape") as file:
            head = file.read(4096).strip()
    except OSError:
        return None
    return head[16:] if head.startswith("ref: refs/heads/") else None


def knows_unicode(environ: Mapping[str, str]) -> bool:
    """Whether a terminal with this environment can draw Unicode: its locale says UTF-8, or nothing at all."""
    if environ.get("TERM", "") in ("linux", "vt100", "vt220", "ansi"):
        return False  # the console's font lacks braille and most marks
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "utf8"
    return "utf8" in locale.lower().replace("-", "")


def _why_read_only(repository: Repository, options: UiOptions) -> str:
    if options.read_only:
        return "this was started with --read-only"
    common = repository.repo.common_dir
    here = repository.folder.path
    for path in (common, here):
        if os.path.isdir(path) and not os.access(path, os.W_OK):
            return f"{path} can't be written"
    return ""


def _read_directions(repo: Repo) -> dict[str, str]:
    from ledgit.errors import LedgitError
    from ledgit.store import committed_config

    try:
        metrics = committed_config(repo, "metrics").get("metrics")
    except (LedgitError, OSError):
        return {}
    chosen = {}
    for name, settings in metrics.items() if isinstance(metrics, dict) else ():
        way = settings.get("direction") if isinstance(settings, dict) else settings
        if way in ("maximize", "minimize", "none"):
            chosen[str(name)] = str(way)
    return chosen
