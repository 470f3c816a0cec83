"""What differs in the code between two revisions: files, and the lines of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import LedgitError, NotHere

if TYPE_CHECKING:
    from ledgit.repository import Repository
    from ledgit.store.checkout import FileChange

__all__ = ["PatchLine", "changed_files", "file_patch", "parse_patch", "side_by_side"]

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
#: Lines of one file's patch that are shown.
MOST_LINES = 50_000


class PatchLine(NamedTuple):
    """One line of a patch.

    Attributes:
        kind: ``hunk`` (a place in the file), ``same``, ``added``, ``removed`` or ``note`` (no line of it).
        text: Without its sign.
        old: Number of the line before; None where it has none.
        new: Number of the line after.
    """

    kind: str
    text: str
    old: int | None = None
    new: int | None = None


def changed_files(repository: Repository, old: str, new: str) -> list[FileChange]:
    """Return the files that differ between two commits or trees, by path.

    Raises:
        NotHere: One of them is not in this clone.
    """
    from ledgit.store.checkout import code_changes, has_tree

    for revision in (old, new):
        if not has_tree(repository.repo, revision):
            raise NotHere(f"the code of {revision[:12]}", reason="'git fetch --unshallow' or 'ledgit pull' brings it")
    return sorted(code_changes(repository.repo, old, new), key=lambda change: change.path)


def file_patch(repository: Repository, old: str, new: str, change: FileChange) -> list[PatchLine]:
    """Return the lines that differ in one file, with what is around them."""
    from ledgit.store.checkout import code_patch

    paths = [change.path, *([change.old_path] if change.old_path else [])]
    try:
        text = code_patch(repository.repo, old, new, paths)
    except LedgitError as error:
        return [PatchLine("note", str(error))]
    lines = list(parse_patch(text))
    if len(lines) > MOST_LINES:
        return [*lines[:MOST_LINES], PatchLine("note", f"{len(lines) - MOST_LINES:,} more lines; D shows all")]
    return lines or [PatchLine("note", "Only the name or the mode of this file changed.")]


def parse_patch(text: str) -> Iterator[PatchLine]:
    """Yield the lines of a unified diff of one file, without its heads."""
    old = new = 0
    begun = False
    # Not splitlines: a form feed or a lone CR in a file is no end of its line.
    for line in text.split("\n"):
        match = _HUNK.match(line)
        if match:
            begun = True
            old, new = int(match[1]), int(match[2])
            yield PatchLine("hunk", f"line {match[2]}{f'  {match[3]}' if match[3] else ''}", old, new)
        elif line.startswith("diff --git "):
            begun = False
        elif not begun:
            if line.startswith(("Binary files", "rename from", "rename to", "new file", "deleted file", "old mode")):
                yield PatchLine("note", line)
        elif line.startswith("+"):
            yield PatchLine("added", line[1:].removesuffix("\r"), None, new)
            new += 1
        elif line.startswith("-"):
            yield PatchLine("removed", line[1:].removesuffix("\r"), old, None)
            old += 1
        elif line.startswith(" "):
            yield PatchLine("same", line[1:].removesuffix("\r"), old, new)
            old, new = old + 1, new + 1
        elif line.startswith("\\"):
            yield PatchLine("note", line[1:].strip())


def side_by_side(lines: Sequence[PatchLine]) -> list[tuple[PatchLine | None, PatchLine | None]]:
    """Return lines in pairs: removed ones beside the added ones that follow them; heads and notes on both sides."""
    pairs: list[tuple[PatchLine | None, PatchLine | None]] = []
    removed: list[PatchLine] = []
    added: list[PatchLine] = []

    def flush() -> None:
        pairs.extend(zip_longest(removed, added))
        removed.clear()
        added.clear()

    for line in lines:
        if line.kind == "removed":
            if added:
                flush()
            removed.append(line)
        elif line.kind == "added":
            added.append(line)
        else:
            flush()
            pairs.append((line, line))
    flush()
    return pairs
