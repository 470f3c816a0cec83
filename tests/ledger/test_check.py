"""A ledger from elsewhere is refused whole, unless some Ledgit would have written it."""

from __future__ import annotations

import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from orjson import dumps
from tests.conftest import run_git
from tests.ledger.kit import DAY, START, entry_of, make_commit, make_runs, run_id, tombstone
from tests.ledger.test_tree import line_of

from ledgit.errors import LedgitError, NewerFormat, NotFound, RecordError, UnsafePath
from ledgit.git import FILE, Objects, ObjectSet, Repo, TreeEntry, edit_tree
from ledgit.git.trees import Change
from ledgit.records import RunInfo, RunRecord, encode_entry, with_head
from ledgit.records.table import encode_leaf, parse_line
from ledgit.store import Bulk, Folder, update_experiment
from ledgit.store.ledger import (
    add_lines,
    check_heads,
    check_tree,
    check_writable,
    commit_ledger,
    compact,
    compact_if_due,
    every_line,
    local_ledger,
    set_local,
    union_trees,
)

A, B = "a" * 32, "b" * 32
LEAF = "segments/2026-11/23.jsonl"


class Ledger:
    """A good ledger, to be spoilt."""

    def __init__(self, objects: Objects, runs: int = 3) -> None:
        self.objects = objects
        self.fresh = ObjectSet()
        lines = [line_of(run_id(number), START + number % 2 * DAY) for number in range(runs)]
        self.good = add_lines(objects, self.fresh, None, lines).tree

    def spoilt(self, changes: dict[str, Change]) -> str:
        return edit_tree(self.objects, self.fresh, self.good, changes)

    def leaf(self, *raw: bytes, path: str = LEAF) -> str:
        """The good ledger with this file, its lines as they are."""
        return self.spoilt({path: self.file(b"".join(line + b"\n" for line in raw))})

    def file(self, data: bytes) -> Change:
        return (FILE, self.fresh.blob(data))

    def check(self, tree: str, known: str | None = None) -> None:
        check_tree(self.objects, tree, known, self.fresh)


@pytest.fixture
def ledger(opened: Repo) -> Ledger:
    return Ledger(Objects(opened))


def raw_of(run: str, start: int = START, head: str = "") -> bytes:
    return line_of(run, start, head).raw


@pytest.mark.parametrize("runs", [0, 1, 3, 200, 3000])
def test_what_ledgit_wrote_passes(opened: Repo, runs: int) -> None:
    ledger = Ledger(Objects(opened), runs)

    ledger.check(ledger.good)
    ledger.check(ledger.good, ledger.good)
    grown = add_lines(ledger.objects, ledger.fresh, ledger.good, [line_of("a" * 32), tombstone("b" * 32)]).tree
    ledger.check(grown, ledger.good)
    ledger.check(grown)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("segments/2026-13/01.jsonl", UnsafePath),
        ("segments/2026-1/01.jsonl", UnsafePath),
        ("segments/0000-01/01.jsonl", UnsafePath),
        ("segments/２０２６-01/01.jsonl", UnsafePath),
        ("segments/2026-02/29.jsonl", UnsafePath),
        ("segments/2026-11/31.jsonl", UnsafePath),
        ("segments/2026-11/1.jsonl", UnsafePath),
        ("segments/2026-11/24.txt", UnsafePath),
        ("segments/2026-11/23", UnsafePath),
        ("segments/2026-11/22/g.jsonl", UnsafePath),
        ("segments/2026-11/22/00.jsonl", UnsafePath),
        ("segments/2026-11/22/A.jsonl", UnsafePath),
        ("segments/readme", UnsafePath),
        ("segments", RecordError),
        ("experiments", RecordError),
        ("readme.md", UnsafePath),  # beside README.md
        ("experiments/a b.yaml", UnsafePath),
        ("experiments/-x.yaml", UnsafePath),
        ("experiments/x.", UnsafePath),
        ("models/\x1b[31m.yaml", UnsafePath),
        ("ñ", UnsafePath),
        ("..x", UnsafePath),
        ("a/b/c/d/e", RecordError),
    ],
)
def test_a_name_that_no_ledger_has_is_refused(ledger: Ledger, path: str, error: type[LedgitError]) -> None:
    with pytest.raises(error):
        ledger.check(ledger.spoilt({path: ledger.file(raw_of(A) + b"\n")}))


@pytest.mark.parametrize("name", ["..", ".", ".git", ".GIT", "a/b", "git~1", ""])
def test_names_that_lead_elsewhere_are_refused(ledger: Ledger, name: str) -> None:
    """Git stores them all; what makes trees here would not even write them."""
    blob = ledger.fresh.blob(b"x")
    row = b"100644 %b\0%b" % (name.encode(), bytes.fromhex(blob))
    for below in ("", "experiments", "segments", "segments/2026-11"):
        bad = ledger.fresh.add("tree", row)
        top = ledger.good
        if below:
            top = edit_tree(ledger.objects, ledger.fresh, top, {below: ("40000", bad)})
        else:
            top = ledger.fresh.add("tree", row + ledger.fresh.get(top)[1])  # type: ignore[index]
        with pytest.raises(RecordError):
            ledger.check(top)


@pytest.mark.parametrize("mode", ["100755", "120000", "160000"])
@pytest.mark.parametrize("path", [LEAF, "x", "experiments/x.yaml", "segments/2026-11"])
def test_only_folders_and_plain_files_are_in_a_ledger(ledger: Ledger, mode: str, path: str) -> None:
    with pytest.raises(RecordError):
        ledger.check(ledger.spoilt({path: (mode, ledger.fresh.blob(raw_of(A) + b"\n"))}))


def test_lines_in_a_wrong_place_are_refused(ledger: Ledger) -> None:
    for tree, says in (
        (ledger.leaf(raw_of(A, START + DAY)), "did not start on that day"),
        (ledger.leaf(raw_of(A), path="segments/2026-11/25.jsonl"), "did not start on that day"),
        (ledger.leaf(raw_of(A), path="segments/2026-11/23/b.jsonl"), "as a file and as a folder"),
        (ledger.leaf(b'{"id":"%s","head":"%s"}' % (A.encode(), b"1" * 40)), "did not start"),
        (ledger.leaf(raw_of(B), raw_of(A)), "not sorted"),
        (ledger.leaf(raw_of(A), raw_of(A)), "not sorted"),
        (ledger.leaf(raw_of(A), b"", raw_of(B)), "not sorted"),
        (ledger.spoilt({LEAF: ledger.file(raw_of(A))}), "not sorted"),
        (ledger.spoilt({LEAF: ledger.file(b"")}), "no lines"),
        (ledger.leaf(raw_of(A, head="1" * 40), raw_of(B, head="1" * 40)), "two runs"),
    ):
        with pytest.raises(RecordError, match=says):
            ledger.check(tree)


def test_a_run_under_two_days_is_refused(ledger: Ledger) -> None:
    """One of them would be another's."""
    for other in (raw_of(A, START + 5 * DAY, "1" * 40), tombstone(A, START + 5 * DAY).raw):
        tree = ledger.spoilt(
            {LEAF: ledger.file(raw_of(A) + b"\n"), "segments/2026-11/28.jsonl": ledger.file(other + b"\n")}
        )
        with pytest.raises(RecordError, match="another day"):
            ledger.check(tree)


def test_a_wrong_shape_is_refused(ledger: Ledger) -> None:
    """Whoever splits early or late makes equal runs unequal trees."""
    lines = [line_of(run_id(number)) for number in range(65)]
    unsplit = ledger.spoilt({LEAF: ledger.file(encode_leaf(lines))})
    early = ledger.spoilt(
        {LEAF: None}
        | {
            f"segments/2026-11/23/{digit}.jsonl": ledger.file(encode_leaf(found))
            for digit in "0123456789abcdef"
            if (found := [line for line in lines[:64] if line.key[0] == digit])
        }
    )
    both = ledger.spoilt({"segments/2026-11/23/a.jsonl": ledger.file(raw_of(A) + b"\n")})

    with pytest.raises(RecordError, match="not split"):
        ledger.check(unsplit)
    with pytest.raises(RecordError, match="is split, with 64 runs"):
        ledger.check(early)
    with pytest.raises(RecordError):
        ledger.check(early, ledger.good)
    with pytest.raises(RecordError, match="as a file and as a folder"):
        ledger.check(both)


def test_a_split_that_hides_behind_what_is_known_is_refused(ledger: Ledger) -> None:
    """A folder whose files are known from elsewhere is counted all the same."""
    leaf = ledger.file(raw_of(A) + b"\n")
    known = ledger.spoilt({"segments/2026-11/24.jsonl": None, LEAF: leaf})
    spoilt = edit_tree(ledger.objects, ledger.fresh, known, {LEAF: None, "segments/2026-11/23/a.jsonl": leaf})

    with pytest.raises(RecordError, match="is split, with 1 run"):
        ledger.check(spoilt, known)


def test_lines_that_the_law_would_not_leave_are_refused(ledger: Ledger) -> None:
    def line(head: str, past: list[str]) -> bytes:
        data = encode_entry(entry_of(A, START, past))
        return with_head(data, head).rstrip(b"\n")

    one, two = "1" * 40, "2" * 40
    for lines, says in (
        ([line(one, []), line(two, [one])], "replaces"),
        ([line(one, [two]), line(two, [one])], "claim each other"),
        ([line(one, []), line(one, [two])], "replaces"),
        ([line(one, []), tombstone(A).raw], "replaces"),
        ([tombstone(A).raw, dumps({"id": A, "start": START, "purged": True, "x": 1})], "replaces"),
    ):
        with pytest.raises(RecordError, match=says):
            ledger.check(ledger.leaf(*sorted(lines)))
    ledger.check(ledger.leaf(*sorted([line(one, []), line(two, [])])))


def test_a_damaged_line_of_a_run_that_was_edited_since_is_no_reason_to_refuse(ledger: Ledger) -> None:
    """The union leaves it beside the edit, whose past names it."""
    one, two = "1" * 40, "2" * 40
    bad = raw_of(A, head=one).replace(b'"v":1', b'"v":"x"')
    edited = parse_line(with_head(encode_entry(entry_of(A, START, [one])), two))
    union = add_lines(ledger.objects, ledger.fresh, ledger.leaf(bad), [edited])

    ledger.check(union.tree)
    assert {bad, edited.raw} <= {line.raw for _, line in every_line(ledger.objects, union.tree, ledger.fresh)}


def test_more_heads_of_one_run_than_there_can_be_are_refused(ledger: Ledger) -> None:
    with pytest.raises(RecordError, match="5000 lines of run"):
        ledger.check(ledger.leaf(*sorted(raw_of(A, head=f"{number:040x}") for number in range(5000))))


def test_absurd_sizes_are_refused(ledger: Ledger) -> None:
    long = b'{"id":"%s","x":"%s"}' % (A.encode(), b"x" * 65_536)
    huge = b"\n".join([b"x" * 60_000 + b"%d" % number for number in range(300)]) + b"\n"
    many = ledger.fresh.add("tree", b"".join(b"100644 %07d\0%b" % (n, bytes(20)) for n in range(200_000)))

    for tree in (
        ledger.leaf(long),
        ledger.spoilt({LEAF: ledger.file(huge)}),
        ledger.spoilt({"experiments/x.yaml": ledger.file(b"x" * (2 << 20))}),
        ledger.spoilt({"segments/2026-12": ("40000", many)}),
        ledger.spoilt({"experiments": ("40000", many)}),
    ):
        with pytest.raises(RecordError):
            ledger.check(tree)


def test_objects_that_unpack_to_gigabytes_are_refused_unread(ledger: Ledger, opened: Repo, repo: Path) -> None:
    """A fetch of a few megabytes can hold one; reading it would take the memory of the machine."""
    for kind in ("blob", "tree"):
        huge = subprocess.run(
            ["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"],
            cwd=repo, input=bytes(40 << 20), check=True, capture_output=True,
        ).stdout.decode().strip()  # fmt: skip
        mode = FILE if kind == "blob" else "40000"
        tree = ledger.spoilt({LEAF if kind == "blob" else "segments/2026-12": (mode, huge)})

        tracemalloc.start()
        with pytest.raises(RecordError, match="more than"):
            ledger.check(tree)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
        tracemalloc.stop()


def test_a_folder_of_endless_depth_is_refused(ledger: Ledger) -> None:
    tree = ledger.fresh.tree([TreeEntry("a.jsonl", FILE, ledger.fresh.blob(raw_of(A) + b"\n"))])
    for _ in range(1000):
        tree = ledger.fresh.tree([TreeEntry("a", "40000", tree)])

    with pytest.raises(RecordError, match="too deep"):
        ledger.check(ledger.spoilt({LEAF: None, "segments/2026-11/23": ("40000", tree)}))
    with pytest.raises(RecordError, match="too deep"):
        ledger.check(ledger.spoilt({"models": ("40000", tree)}))


def test_a_small_ledger_that_looks_endless_is_refused_at_once(ledger: Ledger) -> None:
    """One folder in a million places."""
    fresh = ledger.fresh
    leaf = fresh.blob(b"opaque\n")
    month = fresh.tree([TreeEntry(f"{day:02d}.jsonl", FILE, leaf) for day in range(1, 29)])
    segments = fresh.tree([TreeEntry(f"{year:04d}-01", "40000", month) for year in range(1, 9999)])
    wide = fresh.tree([TreeEntry(f"f{number}", FILE, leaf) for number in range(1000)])
    wider = fresh.tree([TreeEntry(f"d{number}", "40000", wide) for number in range(1000)])
    split = leaf_tree = fresh.tree([TreeEntry(f"{digit}.jsonl", FILE, leaf) for digit in "0123456789abcdef"])
    for _ in range(20):
        split = fresh.tree([TreeEntry(digit, "40000", split) for digit in "0123456789abcdef"])
    started = time.process_time()

    for changes in (
        {"segments": ("40000", segments)},
        {"models": ("40000", wider)},
        {LEAF: None, "segments/2026-11/23": ("40000", split)},
        {LEAF: None, "segments/2026-11/23": ("40000", leaf_tree)},
    ):
        with pytest.raises(RecordError):
            ledger.check(ledger.spoilt(changes))
    assert 5 > time.process_time() - started


def test_a_newer_format_is_told_politely(ledger: Ledger) -> None:
    with pytest.raises(NewerFormat, match="upgrade Ledgit"):
        ledger.check(ledger.spoilt({"format": ledger.file(b"min_reader: 2\nmin_writer: 9\n"), "new thing!": None}))
    ledger.check(ledger.spoilt({"format": ledger.file(b"min_reader: 1\nmin_writer: 9\nmore: x\n")}))


def test_a_ledger_that_only_newer_ones_may_write_to_is_left_alone(opened: Repo, folder: Folder) -> None:
    """It is read all the same, and runs stay loose."""
    objects, fresh = Objects(opened), ObjectSet()
    empty = union_trees(objects, fresh, None, None).tree
    data = (FILE, fresh.blob(b"min_reader: 1\nmin_writer: 2\n"))
    tree = edit_tree(objects, fresh, empty, {"format": data})
    tip = commit_ledger(objects, fresh, tree, None, [], who=("Ada", "a@b"), when=1)
    check_tree(objects, tree, None, fresh)
    set_local(opened, folder, objects, fresh, tip, None)
    make_runs(opened, [A])

    def bulk() -> None:
        with Bulk(opened, folder) as bulk:
            bulk.add(RunRecord(RunInfo(A[::-1], "n", "e", "FINISHED", START, START)))

    for write in (
        lambda: compact(opened, folder),
        lambda: update_experiment(opened, folder, "owls", {"tags.a": "1"}),
        bulk,
        lambda: check_writable(objects, tree),
    ):
        with pytest.raises(NewerFormat, match="for writing"):
            write()
    assert tip == local_ledger(opened)
    assert not compact_if_due(opened, folder, background=False)


@pytest.mark.parametrize("data", [b"", b"1", b"min_writer: 1\n", b"min_reader: x\n", b"min_reader: true\n", b"\xff"])
def test_what_has_no_format_is_no_ledger(ledger: Ledger, data: bytes) -> None:
    with pytest.raises(RecordError):
        ledger.check(ledger.spoilt({"format": ledger.file(data)}))
    with pytest.raises(RecordError, match="no ledger"):
        ledger.check(ledger.spoilt({"format": None}))


def test_a_line_that_does_not_decode_is_no_reason_to_refuse(ledger: Ledger) -> None:
    """Or one bad colleague would lock out the team."""
    odd = [b"{", b"\xff", b'{"id":"%s","head":3}' % A.encode(), b'{"id":"%s","v":"x"}' % A.encode(), raw_of(A)]
    tree = ledger.leaf(*sorted(odd))

    ledger.check(tree)
    assert set(odd[:4]) == {line.raw for _, line in every_line(ledger.objects, tree, ledger.fresh) if line.opaque}


def test_unknown_files_of_a_newer_version_pass_and_stay(ledger: Ledger) -> None:
    tree = ledger.spoilt({"sweeps/x.jsonl": ledger.file(b"1\n"), "NOTES": ledger.file(b"2\n")})

    ledger.check(tree)
    assert tree == union_trees(ledger.objects, ledger.fresh, tree, ledger.good).tree


def test_what_is_known_is_not_looked_at_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledgit.store.ledger import reader

    lines = [line_of(run_id(number), START + number % 20 * DAY) for number in range(2000)]
    base = add_lines(ledger.objects, ledger.fresh, None, lines).tree
    grown = add_lines(ledger.objects, ledger.fresh, base, [line_of(A)]).tree
    read: list[str] = []
    real = reader.Reader.read
    monkeypatch.setattr(reader.Reader, "read", lambda self, oid, kind: read.append(kind) or real(self, oid, kind))

    ledger.check(grown, base)

    assert 2 >= read.count("blob")  # the format, and one file


def test_something_that_is_not_here_is_said(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.check(ledger.spoilt({LEAF: (FILE, "1" * 40)}))
    with pytest.raises(LedgitError):
        ledger.check("1" * 40)
    with pytest.raises(RecordError):
        ledger.check(ledger.fresh.blob(b"no tree"))


def test_a_line_must_say_what_its_commit_says(repo: Path, opened: Repo) -> None:
    made = make_runs(opened, [run_id(number) for number in range(5)])
    lines = list(made.values())
    objects = Objects(opened)
    check_heads(objects, lines)
    check_heads(objects, [*lines, line_of("c" * 32), tombstone(A)])  # not here, and none

    for forged in (
        lines[0].raw.replace(b'"loss":0.25', b'"loss":0.01'),
        lines[0].raw.replace(lines[0].id.encode(), A.encode()),
        lines[0].raw.replace(lines[0].head.encode(), lines[1].head.encode()),
        lines[0].raw + b" ",
        raw_of(A, head=run_git(repo, "rev-parse", "HEAD")),  # no run's
    ):
        with pytest.raises(RecordError, match="forged or damaged"):
            check_heads(objects, [*lines[1:], parse_line(forged)])


def test_a_head_that_is_no_commit_is_refused(opened: Repo) -> None:
    fresh = ObjectSet()
    blob = fresh.blob(b"x")
    head, line = make_commit(fresh, entry_of(A, START))
    fresh.write(opened, keep=False)
    objects = Objects(opened)
    check_heads(objects, [line])

    with pytest.raises(RecordError, match="forged"):
        check_heads(objects, [parse_line(line.raw.replace(head.encode(), blob.encode()))])
