"""Is a ledger from elsewhere what it claims to be? Refused whole, before anything of it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ledgit.errors import NewerFormat, RecordError, UnsafePath
from ledgit.git import FILE, TREE
from ledgit.records.documents import load_document
from ledgit.records.table import LEAF_RUNS, Line, claimed, decode_leaf, encode_leaf, union_lines
from ledgit.store.ledger.bearing import check_heads
from ledgit.store.ledger.files import CLOCKED, FORMAT, READER, WRITER
from ledgit.store.ledger.reader import SEGMENTS, SUFFIX, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, ObjectSet, TreeEntry

__all__ = ["MAX_LINE", "check_heads", "check_tree", "check_writable"]

MAX_LINE = 65_536
"""Bytes of a line; Ledgit writes at most 4,096."""

MAX_HEADS = 1_000  # of one run: as many clones edited it without knowing of each other
MAX_LEAF = 16 << 20  # 64 runs of 4 KB, several heads each, is 1 MB
MAX_FILE = 1 << 20  # any other file
MAX_TREE = 4 << 20  # bytes of a tree object
MAX_DEPTH = 32  # digits of an id
MAX_MONTHS = 12 * 9999
MAX_OTHER_DEPTH = 3
MAX_OTHERS = 200_000  # files that are no lines, in all

_DIGITS = "0123456789abcdef"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-")


def check_tree(
    objects: Objects,
    tree: str,
    known: str | None = None,
    fresh: ObjectSet | None = None,
    each: Callable[[list[Line]], None] | None = None,
) -> None:
    """Refuse a ledger's tree that no Ledgit would have written.

    Nothing of it has to be trusted before. A line that doesn't decode is no reason to refuse.

    Args:
        objects: Where it is.
        tree: Its id.
        known: A tree that passed before: what is in it is not looked at again.
        fresh: Where it may be, too.
        each: Gets the lines of each file that is looked at, so that nobody has to read it again for
            further checks. The rest of the tree was not looked at then.

    Raises:
        NewerFormat: It needs a newer Ledgit.
        UnsafePath: A name that doesn't belong into a ledger.
        RecordError: Lines in a wrong place or order, of absurd size, or against the law of lines.
        NotFound: Something of it is not here.
    """
    check = _Check(Reader(objects, fresh, MAX_LEAF), each)
    check.top(tree, known)


def check_writable(objects: Objects, tree: str | None, fresh: ObjectSet | None = None) -> None:
    """Refuse to add to a ledger that asks for a newer Ledgit to write to it; it can be read all the same.

    Raises:
        NewerFormat: It does.
        RecordError: It is no ledger.
    """
    if tree is not None:
        check = _Check(Reader(objects, fresh, MAX_LEAF))
        check.format(check.reader.folder(tree).get(FORMAT), writing=True)


class _Check:
    def __init__(self, reader: Reader, each: Callable[[list[Line]], None] | None = None) -> None:
        self.reader = reader
        self.each = each
        self.days: dict[str, tuple[str, bool]] = {}  # run id → day, and whether a tombstone stands there
        self.heads: dict[str, str] = {}  # head → run id
        self.places: dict[str, str] = {}  # folder or file of lines → path
        self.others = 0

    def folder(self, oid: str, path: str, most: int) -> dict[str, TreeEntry]:
        """Return a tree's entries, of which there may be *most*."""
        from ledgit.git import parse_tree

        data = self.reader.read(oid, "tree")
        if len(data) > MAX_TREE:
            raise RecordError(_at(path), f"is a folder of {len(data)} bytes")
        entries = parse_tree(data, _at(path))
        found = {entry.name: entry for entry in entries}
        if len(found) != len(entries) or len(entries) > most:
            raise RecordError(_at(path), f"has {len(entries)} entries, or two of one name")
        for entry in entries:
            if entry.mode not in (TREE, FILE):
                raise UnsafePath(_at(path, entry.name), f"has mode {entry.mode}, which no file of a ledger has")
        return found

    def top(self, tree: str, known: str | None) -> None:
        entries = self.folder(tree, "", 1000)
        self.format(entries.get(FORMAT))
        before = {} if known is None else self.reader.folder(known)
        for name, entry in entries.items():
            old = before.get(name)
            if entry == old:
                continue
            if name == SEGMENTS:
                if entry.mode != TREE:
                    raise RecordError(_at(name), "is a file, and must be a folder")
                self.segments(entry.oid, old.oid if old is not None and old.mode == TREE else None)
            else:
                self.other(entry, name, 0, old)
        _check_names(entries, "")

    def format(self, entry: TreeEntry | None, writing: bool = False) -> None:
        if entry is None:
            raise RecordError(_at(FORMAT), "is missing, so this is no ledger")
        document = load_document(self.blob(entry.oid, FORMAT, MAX_FILE), _at(FORMAT)) if entry.mode == FILE else None
        wanted = document if isinstance(document, dict) else {}
        reader, writer = wanted.get("min_reader"), wanted.get("min_writer", 1)
        if type(reader) is not int or type(writer) is not int or min(reader, writer) < 1:
            raise RecordError(_at(FORMAT), "does not say which format the ledger has")
        if reader > READER:
            raise NewerFormat(_at(), reader, READER)
        if writing and writer > WRITER:
            raise NewerFormat(f"{_at()} (for writing)", writer, WRITER)

    def blob(self, oid: str, path: str, most: int) -> bytes:
        data = self.reader.read(oid, "blob")
        if len(data) > most:
            raise RecordError(_at(path), f"has {len(data)} bytes, at most {most} are allowed")
        return data

    def other(self, entry: TreeEntry, path: str, depth: int, known: TreeEntry | None) -> None:
        """Check what is no line: names and sizes only, newer versions may have put it there."""
        if entry == known:
            return
        if entry.mode == FILE:
            if path in CLOCKED:
                raise RecordError(_at(path), "is a file, and must be a folder")
            self.blob(entry.oid, path, MAX_FILE)
            return
        if depth >= MAX_OTHER_DEPTH:
            raise RecordError(_at(path), "is too deep a folder")
        entries = self.folder(entry.oid, path, 100_000)
        self.others += len(entries)
        if self.others > MAX_OTHERS:  # one folder can stand in many places
            raise RecordError(_at(path), f"and its like hold more than {MAX_OTHERS} files")
        _check_names(entries, path)
        before = self.reader.folder(known.oid) if known is not None and known.mode == TREE else {}
        for name, below in entries.items():
            self.other(below, f"{path}/{name}", depth + 1, before.get(name))

    # ------------------------------------------------------------------ lines

    def segments(self, tree: str, known: str | None) -> None:
        before = self.reader.folder(known)
        for name, entry in self.folder(tree, SEGMENTS, MAX_MONTHS).items():
            path = f"{SEGMENTS}/{name}"
            if entry == before.get(name):
                continue
            if entry.mode != TREE or not _is_month(name):
                raise UnsafePath(_at(path), "is no month")
            old = before.get(name)
            days = self.slots(entry.oid, path, 31)
            old_days = {} if old is None else {_slot(day): day for day in self.reader.folder(old.oid).values()}
            for slot, day in days.items():
                if not _is_day(name, slot):
                    raise UnsafePath(_at(path, day.name), "is no day")
                if day != old_days.get(slot):
                    self.node(day, f"{path}/{slot}", f"{name}/{slot}", "", old_days.get(slot))

    def once(self, oid: str, path: str) -> None:
        """Refuse lines that stand in two places: a small ledger could otherwise look endless."""
        other = self.places.setdefault(oid, path)
        if other != path:
            raise RecordError(_at(path), f"is the same as {other!r}, and no line has two places")

    def slots(self, oid: str, path: str, most: int) -> dict[str, TreeEntry]:
        self.once(oid, path)
        entries = self.folder(oid, path, most)
        if not entries:
            raise RecordError(_at(path), "is an empty folder")
        found: dict[str, TreeEntry] = {}
        for name, entry in entries.items():
            slot = _slot(entry)
            if slot in found:
                raise RecordError(_at(path, slot), "is there as a file and as a folder")
            if (entry.mode == TREE) == name.endswith(SUFFIX):
                raise UnsafePath(_at(path, name), "does not belong there")
            found[slot] = entry
        return found

    def node(self, entry: TreeEntry, path: str, day: str, prefix: str, known: TreeEntry | None) -> set[str]:
        """Check a file or a split folder, and return the keys of its runs, or of enough of them."""
        if entry.mode == FILE:
            return self.leaf(entry.oid, path + SUFFIX, day, prefix)
        if len(prefix) >= MAX_DEPTH:
            raise RecordError(_at(path), "is too deep a folder")
        before: dict[str, TreeEntry] = {}
        if known is not None and known.mode == TREE:
            before = {_slot(old): old for old in self.reader.folder(known.oid).values()}
        keys: set[str] = set()
        unread = []
        for digit, below in self.slots(entry.oid, path, 16).items():
            if len(digit) != 1 or digit not in _DIGITS:
                raise UnsafePath(_at(path, below.name), "is no digit of an id")
            if below == before.get(digit):
                unread.append(below)
            else:
                keys |= self.node(below, f"{path}/{digit}", day, prefix + digit, before.get(digit))
        if known is not None and known.mode == TREE:
            return keys  # it was split before, and runs never go
        if len(keys) <= LEAF_RUNS and not any(below.mode == TREE for below in unread):
            for below in unread:
                keys |= {line.key for line in decode_leaf(self.blob(below.oid, path, MAX_LEAF))}
        if len(keys) <= LEAF_RUNS:
            raise RecordError(_at(path), f"is split, with {len(keys)} runs in it")
        return keys

    def leaf(self, oid: str, path: str, day: str, prefix: str) -> set[str]:
        self.once(oid, path)
        data = self.blob(oid, path, MAX_LEAF)
        lines = decode_leaf(data)
        if not lines:
            raise RecordError(_at(path), "has no lines")
        runs: dict[str, list[Line]] = {}
        for line in lines:
            if len(line.raw) > MAX_LINE:
                raise RecordError(_at(path), f"has a line of {len(line.raw)} bytes")
            self.line(line, path, day)
            if not line.key.startswith(prefix):
                raise RecordError(_at(path), f"has a line of run {line.id[:12]}, which does not belong there")
            runs.setdefault(line.key, []).append(line)
        if len(prefix) < MAX_DEPTH and len(runs) > LEAF_RUNS:
            raise RecordError(_at(path), f"has {len(runs)} runs, and is not split")
        if encode_leaf(lines) != data:
            raise RecordError(_at(path), "is not sorted")
        for several in runs.values():
            if len(several) > 1:
                self.run(several, path)
        if self.each is not None:
            self.each(lines)
        return set(runs)

    def line(self, line: Line, path: str, day: str) -> None:
        """Check that a line stands where it belongs, and that its run stands nowhere else."""
        if not line.opaque:
            if line.day != day:
                raise RecordError(_at(path), f"has a line of run {line.id[:12]}, which did not start on that day")
            if line.head and self.heads.setdefault(line.head, line.id) != line.id:
                raise RecordError(_at(path), f"has commit {line.head[:12]} as the head of two runs")
        if line.id:
            there, purged = self.days.setdefault(line.id, (day, line.purged))
            # A purge leaves a tombstone in each place of a run that two clones imported with different starts.
            if there != day and not (purged and line.purged):
                raise RecordError(_at(path), f"has run {line.id[:12]}, which stands under another day too")

    def run(self, lines: list[Line], path: str) -> None:
        """Check that lines of one run are what is left when they are united, and claim each other not."""
        if len(lines) > MAX_HEADS:
            raise RecordError(_at(path), f"has {len(lines)} lines of run {lines[0].id[:12]}")
        if union_lines(lines) != sorted(lines, key=lambda line: line.raw):
            raise RecordError(_at(path), f"has a line of run {lines[0].id[:12]} that another one replaces")
        if any(claimed({line.head: line.past for line in lines if not line.opaque}).values()):
            raise RecordError(_at(path), f"has heads of run {lines[0].id[:12]} that claim each other as their past")


def _at(*parts: str) -> str:
    path = "/".join(part for part in parts if part)
    return f"the ledger's {path!r}" if path else "the ledger"


def _slot(entry: TreeEntry) -> str:
    return entry.name.removesuffix(SUFFIX)


def _is_month(name: str) -> bool:
    year, dash, month = name[:4], name[4:5], name[5:]
    return (
        len(name) == 7
        and dash == "-"
        and name.isascii()
        and (year + month).isdigit()
        and year != "0000"
        and "01" <= month <= "12"
    )


def _is_day(month: str, name: str) -> bool:
    if len(name) != 2 or not (name.isascii() and name.isdigit()):
        return False
    year, number = int(month[:4]), int(month[5:])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[number - 1]
    return 1 <= int(name) <= last


def _check_names(names: Iterable[str], path: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if (
            not 1 <= len(name) <= 200
            or not _NAME.issuperset(name)
            or not name[0].isalnum()
            or name.endswith(".")
            or name.lower().startswith("git~")
        ):
            raise UnsafePath(_at(path, name), "is a name that no ledger has")
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise UnsafePath(_at(path, name), f"and {twin!r} are one file on many systems")
