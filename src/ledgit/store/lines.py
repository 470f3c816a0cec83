"""The ledger line of a run, cut as the repository's committed configuration wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import NotFound, RecordError
from ledgit.records.documents import load_document
from ledgit.records.entry import Entry, encode_entry
from ledgit.store.config import CONFIG

if TYPE_CHECKING:
    from ledgit.git import Objects

__all__ = ["run_line"]


def run_line(objects: Objects, tree: str | None, entry: Entry) -> bytes:
    """Return *entry* as the line of its run, at most 4 KB.

    A line that would be longer keeps first what ``columns`` in the run's *own*
    ``.ledgit/config.yaml`` names (``metrics.accuracy``, ``params.lr``): the run alone decides,
    so every clone makes the same line. Most runs fit, and nothing is looked up for them.

    Args:
        objects: Where the run's tree is.
        tree: The run's tree, or the code's.
        entry: What the line says.
    """
    line = encode_entry(entry)
    if tree is None or b'"left":' not in line:
        return line
    columns = _columns(objects, tree)
    return encode_entry(entry, columns) if columns else line


def _columns(objects: Objects, tree: str) -> tuple[str, ...]:
    try:
        found = objects.find(tree, CONFIG)
        document = load_document(objects.read(found.oid)[1], CONFIG) if found is not None else {}
    except (NotFound, RecordError):
        return ()  # what nobody can read must not keep a run from being stored
    listed = document.get("columns") if isinstance(document, dict) else None
    return tuple(column for column in listed if isinstance(column, str)) if isinstance(listed, list) else ()
