"""Noticing what other processes do to the runs, at the price of a few file stats."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ledgit.tui.session import Session

__all__ = ["Change", "Watch"]

#: Seconds after which a ref folder that was just written can be told from one that is written again (git/refs.py).
_SETTLED = 0.06
_REFS = ("refs/ledgit/", "refs/heads/", "refs/tags/")


class Change(NamedTuple):
    """What changed since the last look.

    Attributes:
        ids: Active runs that began, grew, ended, were edited, or whose process died.
        live: Active runs whose processes are alive.
        everything: Refs or the configuration moved: runs were finalized, pulled, edited, branches changed.
    """

    ids: frozenset[str]
    live: frozenset[str]
    everything: bool = False

    def joined(self, later: Change) -> Change:
        """Return both changes as one."""
        return Change(self.ids | later.ids, later.live, self.everything or later.everything)


class Watch:
    """Watches one repository; what is there when it is made counts as seen.

    A look lists the folder of active runs, stats their journals, tries their locks and stats the folders of refs. It
    reads nothing, so its cost does not grow with what is logged.
    """

    def __init__(self, session: Session) -> None:
        self._repo = session.repository.repo
        self._folder = session.repository.folder
        self._runs = self._active()
        self._places = self._stamps()
        self.live = frozenset(run for run, mark in self._runs.items() if mark[0])

    def look(self) -> Change | None:
        """Return what changed since the last look; None if nothing did. Takes well under a millisecond."""
        runs, places = self._active(), self._stamps()
        moved = places != self._places or None in places
        ids = frozenset(
            run for run in self._runs.keys() | runs.keys() if self._runs.get(run) != runs.get(run)
        )  # a run that came or went is in one of them alone
        self._runs, self._places = runs, places
        self.live = frozenset(run for run, mark in runs.items() if mark[0])
        return Change(ids, self.live, moved) if ids or moved else None

    def _active(self) -> dict[str, tuple[object, ...]]:
        """Return for each active run whether somebody writes it, and how long its journals are."""
        from ledgit.store import active_ids
        from ledgit.store.lock import ALIVE, HEARTBEAT_LIMIT, liveness

        found: dict[str, tuple[object, ...]] = {}
        for run_id in active_ids(self._folder):
            directory = self._folder.active_dir(run_id)
            sizes: list[object] = []
            late = False
            try:
                with os.scandir(directory) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        info = entry.stat(follow_symlinks=False)
                        if entry.name == "lock":  # touched by each heartbeat, which is no news
                            late = time.time() - info.st_mtime > HEARTBEAT_LIMIT
                        else:
                            sizes.append((entry.name, info.st_size))
            except OSError:
                continue  # it ends at this moment
            found[run_id] = (liveness(directory, "", "") == ALIVE, late, *sizes)
        return found

    def _stamps(self) -> tuple[object, ...]:
        from ledgit.git import stamp

        marks: list[object] = [
            _mark(os.path.join(self._repo.git_dir, "HEAD")),
            _mark(os.path.join(self._repo.work_tree, ".ledgit", "config.yaml")) if self._repo.work_tree else (),
        ]
        for prefix in _REFS:
            found = stamp(self._repo, prefix)
            if found is None:  # written a moment ago: a further change now would not show
                time.sleep(_SETTLED)
                found = stamp(self._repo, prefix)
            marks.append(found)
        return tuple(marks)


def _mark(path: str) -> tuple[int, ...]:
    try:
        info = os.stat(path)
    except OSError:
        return ()
    return info.st_mtime_ns, info.st_size, info.st_ino
