"""What a ledger's tree holds beside the lines: documents that join, and plain files."""

from __future__ import annotations

from ledgit.git import FILE, TREE, TreeEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import ObjectSet
    from ledgit.store.ledger.reader import Reader

__all__ = ["CLOCKED", "FORMAT", "READER", "SAID", "WRITER", "base_files", "join_entry"]

FORMAT = "format"
SAID = ("experiments", "models")
"""Folders of clocked documents that people write."""
CLOCKED = (*SAID, "objects")
"""Folders of clocked documents."""

READER, WRITER = 1, 1
"""The formats this Ledgit reads and writes."""

_README = """# Ledgit's ledger

Written by Ledgit (`ledgit ls` reads it). `segments/` holds one line per run, `experiments/`
what was said about experiments. The runs themselves are the commits this history reaches.
"""


def base_files(fresh: ObjectSet) -> dict[str, TreeEntry]:
    """Return the files that every ledger has."""
    from ledgit.records.documents import dump_document

    files = {"README.md": _README.encode(), FORMAT: dump_document({"min_reader": READER, "min_writer": WRITER})}
    return {name: TreeEntry(name, FILE, fresh.blob(data)) for name, data in files.items()}


def join_entry(
    reader: Reader, fresh: ObjectSet, path: str, a: TreeEntry | None, b: TreeEntry | None
) -> TreeEntry | None:
    """Return what stands at *path* where *a* and *b* do: joined, or the one there is."""
    if a is None or b is None or a == b:
        return a if b is None else b
    if a.mode == TREE and b.mode == TREE:
        return _join_folder(reader, fresh, path, a, b)
    if TREE in (a.mode, b.mode):
        return a if a.mode == TREE else b
    first, second = reader.read(a.oid, "blob"), reader.read(b.oid, "blob")
    if "/" in path and path.endswith(".yaml"):
        # Also in folders that a newer version put there: of what is no such document the greater bytes stay.
        from ledgit.records.clocked import join_clocked  # few ledgers differ in any of these

        data = join_clocked(first, second)
    elif path == FORMAT:
        from ledgit.records.clocked import join_format

        data = join_format(first, second)
    else:
        data = max(first, second)
    oid = a.oid if data == first else b.oid if data == second else fresh.blob(data)
    return TreeEntry(a.name, FILE, oid)


def _join_folder(reader: Reader, fresh: ObjectSet, path: str, a: TreeEntry, b: TreeEntry) -> TreeEntry:
    first, second = reader.folder(a.oid), reader.folder(b.oid)
    joined = {
        name: entry
        for name in {**first, **second}
        if (entry := join_entry(reader, fresh, f"{path}/{name}", first.get(name), second.get(name))) is not None
    }
    for side, entry in ((first, a), (second, b)):
        if joined == side:
            return entry
    return TreeEntry(a.name, TREE, fresh.tree(joined.values()))
