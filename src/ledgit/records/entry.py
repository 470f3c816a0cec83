"""Entries: one run as the ledger lists it, and what several of them say together.

The line itself is in `line`, its reader in `line_reader`, the join in `state`.
"""

from __future__ import annotations

from ledgit.records.basics import CodeRef
from ledgit.records.line import (
    MAX_LINE,
    VERSION,
    Entry,
    encode_entry,
    encode_tombstone,
    value_bytes,
)
from ledgit.records.line_reader import decode_entry
from ledgit.records.state import RunState, join, union_entries
from ledgit.records.table import with_head

__all__ = [
    "MAX_LINE",
    "VERSION",
    "CodeRef",
    "Entry",
    "RunState",
    "decode_entry",
    "encode_entry",
    "encode_tombstone",
    "join",
    "union_entries",
    "value_bytes",
    "with_head",
]
