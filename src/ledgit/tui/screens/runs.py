"""The runs screen: where the UI begins."""

from __future__ import annotations

from ledgit.tui.screens.runs_acts import RunsActs

__all__ = ["RunsScreen"]


class RunsScreen(RunsActs):
    """All runs in a table: of this branch, of all, starred, running, of an experiment or a saved view.

    Args:
        what: ``filter``, ``branch`` or ``ids`` to begin with.
    """
