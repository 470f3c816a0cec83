"""Words that the index's tables and those who write them share."""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "ENDS", "FILE", "KINDS", "SCHEMA", "Facet"]

FILE = "index.sqlite3"
"""The index in Ledgit's folder."""

SCHEMA = 7
"""Written to the index file's ``user_version``; with any other number the file is made anew."""

KINDS = ("params", "metrics", "tags")
ENDS = ("min", "max")

ATTRIBUTES = {
    "id": "id",
    "name": "name",
    "experiment": "experiment",
    "status": "status",
    "user": "user",
    "parent_run": "parent_run",
    "run_commit": "run_commit",
    "head": "head",
    "code_commit": "code_commit",
    "tree": "tree",
    "branch": "branch",
    "start": "started",
    "end": "ended",
    "deleted": "deleted",
    "dirty": "dirty",
}
"""Attribute in a filter → column."""

Facet = tuple[str, str, str]
"""Kind, key and which side of it: see :mod:`ledgit.store.index_table`."""
