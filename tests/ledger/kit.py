"""Runs made by hand, quickly: commits with an entry.json, refs, and what the ledger must make of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from ledgit.git import Objects, ObjectSet, RefUpdate, Repo, build, update_refs
from ledgit.records import CodeRef, Entry, encode_entry, encode_tombstone, with_head
from ledgit.records.table import Line, parse_line

DAY = 86_400_000
START = 1_795_392_000_000  # 2026-11-23
WHO = ("Ada", "ada@example.org", 1_795_392_000, "+0000")


def entry_of(run_id: str, start: int, past: Sequence[str] = (), name: str = "", **words: object) -> Entry:
    """A run's entry with a few values."""
    return Entry(
        run_id,
        start,
        name=name or f"run-{run_id[:6]}",
        user="Ada",
        end=start + 1000,
        code=CodeRef("a" * 40, "b" * 40, "main"),
        params={"lr": 0.1},
        metrics={"loss": 0.25},
        clock=(1 + len(past), "c0"),
        past=tuple(past),
        **words,  # type: ignore[arg-type]
    )


def make_commit(
    fresh: ObjectSet, entry: Entry, parents: Sequence[str] = (), seconds: int | None = None
) -> tuple[str, Line]:
    """Add a run commit to *fresh*; return its id and its ledger line."""
    data = encode_entry(entry)
    tree = build(fresh, {".ledgit/run/entry.json": data, "train.py": b"print()\n"})
    who = (*WHO[:2], entry.start // 1000 if seconds is None else seconds, "+0000")
    head = fresh.commit(tree, parents, who, who, f"run {entry.name}\n\nLedgit-Run: {entry.id}\n")
    return head, parse_line(with_head(data, head))


def run_id(seed: int | str) -> str:
    """A run id that looks random and is not."""
    return f"{random.Random(seed).getrandbits(128):032x}"


def make_runs(repo: Repo, ids: Iterable[str], start: int = START, step: int = 1000) -> dict[str, Line]:
    """Make loose runs; return id → line."""
    fresh = ObjectSet()
    made = {}
    for number, one in enumerate(ids):
        head, line = make_commit(fresh, entry_of(one, start + number * step))
        made[one] = (head, line)
    fresh.write(repo, keep=False)
    updates = [RefUpdate(f"refs/ledgit/runs/{one}", head) for one, (head, _) in made.items()]
    update_refs(repo, updates, durable=False)
    return {one: line for one, (_, line) in made.items()}


def tombstone(one: str, start: int = START) -> Line:
    """The line of a purged run."""
    return parse_line(encode_tombstone(one, start))


def tree_of(repo: Repo, commit: str) -> str:
    """The tree of a commit."""
    with Objects(repo) as objects:
        return objects.commit(commit).tree
