"""Runs as commits and ledgers, made with the project's own object writer and read back by Git."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ledgit.git import (
    FILE,
    BatchReader,
    Objects,
    ObjectSet,
    RefUpdate,
    Repo,
    TreeEntry,
    build,
    edit_tree,
    list_refs,
    read_ref,
    update_refs,
)
from ledgit.records import Entry, RunState, encode_entry, with_head
from ledgit.store.experiments import ExperimentRecord, encode_experiment
from ledgit.store.folder import Folder
from ledgit.store.index import Index

WHO = ("Ada Lovelace", "ada@example.org", 1_700_000_000, "+0000")
LEDGER = "refs/ledgit/ledger"


class Runs:
    """The runs of one repository, written the way finalizing and compaction write them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repo = Repo.discover(str(path))
        self.folder = Folder.of(self.repo)
        self.live: list[RunState] = []

    def index(self) -> Index:
        """A new index object, as another process would have it."""
        return Index(self.repo, self.folder, lambda folder, cache: list(self.live))

    @property
    def file(self) -> Path:
        return Path(self.folder.path) / "index.sqlite3"

    def commit(self, line: bytes, files: Mapping[str, bytes] = {}) -> str:
        """Write a commit with this ``entry.json``, on no ref."""
        objects = ObjectSet()
        everything = {f".ledgit/run/{name}": data for name, data in {**files, "entry.json": line}.items()}
        oid = objects.commit(build(objects, everything), [], WHO, WHO, "run")
        objects.write(self.repo, durable=False).release()
        return oid

    def add(self, entry: Entry, files: Mapping[str, bytes] = {}) -> str:
        """Make *entry* a loose run, or the newest edit of one, and return the head."""
        ref = f"refs/ledgit/runs/{entry.id}"
        head = self.commit(encode_entry(entry), files)
        update_refs(self.repo, [RefUpdate(ref, head, read_ref(self.repo, ref))], durable=False)
        return head

    def add_line(self, run_id: str, line: bytes) -> str:
        """Make a loose run whose line is *line*, whatever that is."""
        head = self.commit(line)
        update_refs(self.repo, [RefUpdate(f"refs/ledgit/runs/{run_id}", head, RefUpdate.ANY)], durable=False)
        return head

    def remove(self, run_id: str) -> None:
        ref = f"refs/ledgit/runs/{run_id}"
        update_refs(self.repo, [RefUpdate(ref, None, read_ref(self.repo, ref))], durable=False)

    def line(self, entry: Entry, files: Mapping[str, bytes] = {}) -> bytes:
        """The entry's line in a segment, with a head that is a commit here."""
        return self.line_of(entry, self.commit(encode_entry(entry), files))

    def line_of(self, entry: Entry, head: str) -> bytes:
        """The line in a segment of an entry whose commit is there already."""
        return with_head(encode_entry(entry), head)

    def read(self, path: str) -> bytes:
        """A file of the ledger; nothing if it is not there."""
        with BatchReader(self.repo) as reader:
            found = reader.read(f"{LEDGER}:{path}")
        return b"" if found is None else found[2]

    def change(self, files: Mapping[str, bytes]) -> str:
        """Give files of the ledger, by their whole path, another content."""
        tip = read_ref(self.repo, LEDGER)
        objects, fresh = Objects(self.repo), ObjectSet()
        tree = objects.commit(tip).tree if tip else None
        top = edit_tree(objects, fresh, tree, {path: (FILE, fresh.blob(data)) for path, data in files.items()})
        oid = fresh.commit(top, [tip] if tip else [], WHO, WHO, "ledger")
        fresh.write(self.repo, durable=False).release()
        update_refs(self.repo, [RefUpdate(LEDGER, oid, tip)], durable=False)
        return oid

    def ledger(self, segments: Mapping[str, bytes], experiments: Iterable[ExperimentRecord] = ()) -> str:
        """Make the ledger hold exactly these segments (path below ``segments/`` → lines)."""
        objects = ObjectSet()
        files = {f"segments/{path}": data for path, data in segments.items()}
        for number, record in enumerate(experiments):
            files[f"experiments/{number}.yaml"] = encode_experiment(record)
        entries = [TreeEntry("README.md", FILE, objects.blob(b"Ledger\n"))]
        top = build(objects, files) if files else objects.tree(entries)
        oid = objects.commit(top, [], WHO, WHO, "ledger")
        objects.write(self.repo, durable=False).release()
        update_refs(self.repo, [RefUpdate(LEDGER, oid, read_ref(self.repo, LEDGER))], durable=False)
        return oid

    def refs(self) -> dict[str, str]:
        return list_refs(self.repo, "refs/ledgit/")


def run_id(number: int) -> str:
    """A valid id that begins differently for each number."""
    return f"{number:08x}" + "0" * 23 + "1"
