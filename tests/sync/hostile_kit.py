"""Somebody who writes ledgers by hand."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conftest import run_git
from tests.sync.kit import DAY, LEDGER, START

from ledgit.git import FILE, TREE, Objects, ObjectSet, Repo, build, edit_tree
from ledgit.records import with_head
from ledgit.records.table import Line, parse_line
from ledgit.store.ledger import every_line

WHO = ("Mallory", "mallory@example.org", START // 1000, "+0000")


class Mallory:
    """Somebody who may push, and writes ledgers by hand on top of the one there is."""

    def __init__(self, host: Path) -> None:
        self.host = host
        self.repo = Repo.discover(str(host))
        self.objects = Objects(self.repo)
        self.fresh = ObjectSet()
        self.tip = run_git(host, "rev-parse", LEDGER)
        self.tree = self.objects.commit(self.tip).tree
        self.lines = [line for _, line in every_line(self.objects, self.tree)]
        self.heads: list[str] = []  # made by hand, for the ledger to carry

    def more(self, count: int) -> list[Line]:
        """Lines of further runs of another day, as good as any."""
        found = []
        for _ in range(count):
            line = self.lines[-1]
            start = line.start or 0
            entry = entry_of(line.raw).replace(line.id.encode(), os.urandom(16).hex().encode())
            entry = entry.replace(b'"start":%d' % start, b'"start":%d' % (start + 5 * DAY))
            tree = build(self.fresh, {".ledgit/run/entry.json": entry})
            self.heads.append(self.fresh.commit(tree, [], WHO, WHO, "run\n"))
            found.append(parse_line(with_head(entry.rstrip(b"\n"), self.heads[-1])))
        return found

    def edit(self, path: str, data: bytes, mode: str = FILE) -> str:
        return edit_tree(self.objects, self.fresh, self.tree, {path: (mode, self.fresh.blob(data))})

    def leaf(self, data: bytes) -> str:
        """Replace the first file of lines."""
        path = next(iter(every_line(self.objects, self.tree)))[0]
        return self.edit(path, data)

    def raw_tree(self, folder: str, name: str) -> str:
        """Put an entry into *folder* that no checked function would write."""
        blob = self.fresh.blob(b"x\n")
        tree = self.fresh.add("tree", b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob))
        return edit_tree(self.objects, self.fresh, self.tree, {folder: (TREE, tree)})

    def push(self, tree: str, parents: list[str] | None = None, message: str | None = None) -> None:
        parents = [self.tip] if parents is None else parents
        text = f"ledger\n\nLedgit-Root: {self.tip}\n" if message is None else message
        commit = self.fresh.commit(tree, parents, WHO, WHO, text)
        self.fresh.write(self.repo).release()
        run_git(self.host, "update-ref", LEDGER, commit)


def entry_of(raw: bytes) -> bytes:
    """A line without its head."""
    start = raw.index(b',"head"')
    return raw[:start] + raw[start + len(',"head":""') + 40 :] + b"\n"
