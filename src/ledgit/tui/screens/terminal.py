"""Handing the terminal to another program, and taking it back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.tui.screen import LedgitScreen

__all__ = ["page_changes"]

_AT_ONCE = 0.7


def page_changes(screen: LedgitScreen, old: str, new: str, paths: Sequence[str] = ()) -> None:
    """Show what differs between two commits or trees in the user's own pager."""
    from ledgit.store.checkout import has_tree, page_patch

    repo = screen.session.repository.repo
    if not has_tree(repo, old) or not has_tree(repo, new):
        screen.tell("The code of one of both is not in this clone.", good=False)
        return
    try:
        with screen.app.suspend():
            begun = time.monotonic()
            try:
                page_patch(repo, old, new, paths)
            except LedgitError as error:
                screen.call_later(screen.problem, error)
            if time.monotonic() - begun < _AT_ONCE:  # without a pager it would be gone before it was read
                input("press enter to go back ")
    except (SuspendNotSupported, EOFError):
        screen.tell("There is no terminal to hand over here.", good=False)
