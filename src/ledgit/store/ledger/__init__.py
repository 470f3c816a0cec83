"""The ledger: the table of all runs as a tree of files, and the history that carries them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.ledger.check import check_heads, check_tree, check_writable
    from ledgit.store.ledger.commits import MOST_PARENTS, commit_ledger, owed, root_of, tombstones_beyond
    from ledgit.store.ledger.compaction import Compacted, compact
    from ledgit.store.ledger.due import DUE, compact_if_due
    from ledgit.store.ledger.going import drop_notes, note_going, notes_left
    from ledgit.store.ledger.local import Landed, drop_covered, local_ledger, move_ledger, set_local
    from ledgit.store.ledger.lock import LedgerLock
    from ledgit.store.ledger.purging import PurgedHere, finish_going, forget, purge
    from ledgit.store.ledger.rerooting import Note, forget_owed, note_owed, noted, owing, reroot, reroot_local
    from ledgit.store.ledger.tree import Union, add_lines, differing, every_line, lines_of, union_trees

LEDGER_REF = "refs/ledgit/ledger"
"""The clone's own ledger; on the remote, unless ``ledgit.ledgerRef`` names another, the remote's."""

_WHERE = {
    "check": "check_heads check_tree check_writable",
    "commits": "MOST_PARENTS commit_ledger owed root_of tombstones_beyond",
    "compaction": "Compacted compact",
    "due": "DUE compact_if_due",
    "going": "drop_notes note_going notes_left",
    "local": "Landed drop_covered local_ledger move_ledger set_local",
    "lock": "LedgerLock",
    "purging": "PurgedHere finish_going forget purge",
    "rerooting": "Note forget_owed note_owed noted owing reroot reroot_local",
    "tree": "Union add_lines differing every_line lines_of union_trees",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "DUE",
    "LEDGER_REF",
    "MOST_PARENTS",
    "Compacted",
    "Landed",
    "LedgerLock",
    "Note",
    "PurgedHere",
    "Union",
    "add_lines",
    "check_heads",
    "check_tree",
    "check_writable",
    "commit_ledger",
    "compact",
    "compact_if_due",
    "differing",
    "drop_covered",
    "drop_notes",
    "every_line",
    "finish_going",
    "forget",
    "forget_owed",
    "lines_of",
    "local_ledger",
    "move_ledger",
    "note_going",
    "note_owed",
    "noted",
    "notes_left",
    "owed",
    "owing",
    "purge",
    "reroot",
    "reroot_local",
    "root_of",
    "set_local",
    "tombstones_beyond",
    "union_trees",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.store.ledger' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"ledgit.store.ledger.{home}"), name)
    globals()[name] = value
    return value
