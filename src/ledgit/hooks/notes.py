"""``refs/notes/ledgit``: results beside commits, for ``git log --notes=ledgit``. Opt-in: ``ledgit.notes``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git import Repo

__all__ = ["add_note", "copy_notes"]

_REF = "--ref=ledgit"


def add_note(repo: Repo, commit: str, lines: Sequence[str]) -> None:
    """Write *lines* as the note of *commit*, in place of an earlier one."""
    from ledgit.git import run_git

    text = "\n".join(lines) + "\n"
    run_git(repo, "notes", _REF, "add", "-f", "-F", "-", commit, stdin=text.encode("utf-8", "replace"))


def copy_notes(repo: Repo, pairs: Sequence[tuple[str, str]]) -> None:
    """Copy the notes of rewritten commits, (old, new), to those that replace them."""
    from ledgit.git import run_git

    told = "".join(f"{old} {new}\n" for old, new in pairs)
    run_git(repo, "notes", _REF, "copy", "-f", "--stdin", stdin=told.encode("ascii"))
