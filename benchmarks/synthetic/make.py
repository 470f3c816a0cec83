"""Make a synthetic repository: code with a history, run commits, and the ledger that carries them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import gmtime, strftime

from benchmarks.synthetic.pack import Objects, PackStream
from benchmarks.synthetic.plan import DAY, Plan, Slot
from benchmarks.synthetic.runs import Chunk, Code, Head, Maker, shared_objects
from ledgit.git import FILE, TREE, TreeEntry
from ledgit.records.documents import dump_document

LEAF = 64
"""Runs in a leaf, at most."""
PARENTS = 100
"""Parents of a ledger commit, at most."""
WHO = ("Ledgit", "ledgit@example.org")
_COMMITS, _BRANCHES, _CODE_DAYS = 200, 10, 280


@dataclass
class Made:
    """What was made.

    Attributes:
        path: The repository's work tree.
        ledger: The ledger's commit; empty without one.
        heads: Every head that the ledger lists, oldest first.
        runs: Runs in the ledger, purged ones not counted.
    """

    path: Path
    ledger: str
    heads: list[Head]
    runs: int


def make(path: Path, plan: Plan, jobs: int | None = None) -> Made:
    """Make the repository *path*, which must be empty or missing.

    Args:
        path: Where.
        plan: What it is to hold.
        jobs: Processes that make runs; default: one a processor.
    """
    path.mkdir(parents=True, exist_ok=True)
    _git(path, "init", "-q", "-b", "main")
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("gc.auto", "0")):
        _git(path, "config", key, value)
    stream = PackStream(path / ".git")
    codes, refs = _code(plan, stream)
    stream.add(shared_objects().packed())
    slots = plan.slots()
    ledger = _Ledger(stream)
    loose: dict[str, str] = {}
    for chunk in _chunks(Maker(plan, codes), plan, slots, jobs or os.cpu_count() or 1):
        stream.add(chunk.objects)
        ledger.add(chunk)
        loose.update(chunk.loose)
    tip = ledger.commit() if ledger.heads else ""
    stream.close()
    refs |= {f"refs/ledgit/runs/{run}": oid for run, oid in loose.items()}
    if tip:
        refs["refs/ledgit/ledger"] = tip
    _git(path, "update-ref", "--stdin", stdin="".join(f"create {name} {oid}\n" for name, oid in refs.items()))
    _git(path, "reset", "-q", "--hard")
    return Made(path, tip, ledger.heads, ledger.runs)


def add_loose(path: Path, count: int, seed: int) -> list[str]:
    """Add *count* finished runs of one later day to the repository *path*, each a ref; return their ids."""
    head = _git(path, "rev-parse", "HEAD", "HEAD^{tree}").split()
    rows = [line.split(maxsplit=3) for line in _git(path, "ls-tree", "HEAD").splitlines()]
    entries = tuple(TreeEntry(name, TREE if kind == "tree" else FILE, oid) for _, kind, oid, name in rows)
    plan = Plan(
        count,
        spread="day",
        edited=0,
        two_headed=0,
        purged=0,
        loose=count,
        last=Plan().last + seed % 30 * DAY,
        seed=seed,
    )
    stream = PackStream(path / ".git")
    stream.add(shared_objects().packed())
    chunk = Maker(plan, [Code(head[0], head[1], "main", entries, 0)]).chunk(plan.slots())
    stream.add(chunk.objects)
    stream.close()
    _git(
        path,
        "update-ref",
        "--stdin",
        stdin="".join(f"create refs/ledgit/runs/{run} {oid}\n" for run, oid in chunk.loose),
    )
    return [run for run, _ in chunk.loose]


def one_ref_each(made: Made) -> None:
    """Give each head of *made* a ref of its own instead of the ledger: what others do, to compare with."""
    file = made.path / ".git" / "packed-refs"
    _git(made.path, "update-ref", "-d", "refs/ledgit/ledger")
    _git(made.path, "pack-refs", "--all")
    _, *lines = file.read_text().splitlines()
    lines += [f"{head.oid} refs/experiments/{head.oid}" for head in made.heads]
    lines.sort(key=lambda line: line[41:])
    file.write_text("# pack-refs with: peeled fully-peeled sorted \n" + "".join(f"{line}\n" for line in lines))


def _git(path: Path, *arguments: str, stdin: str = "") -> str:
    return subprocess.run(
        ["git", *arguments], cwd=path, input=stdin, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def _code(plan: Plan, stream: PackStream) -> tuple[list[Code], dict[str, str]]:
    """Write 200 commits on main, until the last day, and ten branches of three; return them and the branches' refs."""
    objects = Objects()
    random = Random(f"code {plan.seed}")
    first, step = plan.last // 1000 - _CODE_DAYS * 86_400, _CODE_DAYS * 86_400 // _COMMITS
    modules = [objects.blob(f"VALUE = {number}\n".encode() * 20) for number in range(20)]

    def commit(parents: Sequence[str], branch: str, number: int, date: int) -> Code:
        modules[random.randrange(len(modules))] = objects.blob(f"VALUE = {branch}{number}\n".encode() * 20)
        source = [TreeEntry(f"module_{place:02}.py", FILE, oid) for place, oid in enumerate(modules)]
        entries = (
            TreeEntry("README.md", FILE, objects.blob(b"# A project\n" * 30)),
            TreeEntry("src", TREE, objects.tree(source)),
            TreeEntry("train.py", FILE, objects.blob(b"print('train')\n")),
        )
        tree = objects.tree(entries)
        who = (*WHO, date, "+0000")
        oid = objects.commit(tree, parents, who, who, f"Change {number} on {branch}")
        return Code(oid, tree, branch, entries, date)

    main: list[Code] = []
    for number in range(_COMMITS):
        main.append(commit([main[-1].commit] if main else [], "main", number, first + number * step))
    refs, codes = {"refs/heads/main": main[-1].commit}, list(main)
    for number in range(_BRANCHES):
        base = main[(number + 1) * _COMMITS // _BRANCHES - 1]
        for place in range(3):
            made = commit([base.commit], f"feature-{number}", place, base.date + 1 + place)
            codes.append(made)
            base = made
        refs[f"refs/heads/feature-{number}"] = base.commit
    stream.add(objects.packed())
    return codes, refs


_maker: Maker


def _begin(maker: Maker) -> None:
    global _maker  # noqa: PLW0603 - one for each process
    _maker = maker


def _work(slots: list[Slot]) -> Chunk:
    return _maker.chunk(slots)


def _chunks(maker: Maker, plan: Plan, slots: list[Slot], jobs: int) -> Iterator[Chunk]:
    """Yield the runs in order; a few pieces ahead are made, never all."""
    pieces = plan.chunks(slots)
    if jobs == 1 or len(slots) < 5_000:
        yield from map(maker.chunk, pieces)
        return
    # Forked workers would hold the locks that threads of this process had at that moment.
    with multiprocessing.get_context("spawn").Pool(jobs, _begin, (maker,)) as pool:
        waiting = deque(pool.apply_async(_work, (piece,)) for _, piece in zip(range(2 * jobs), pieces, strict=False))
        while waiting:
            chunk = waiting.popleft().get()
            for piece in pieces:
                waiting.append(pool.apply_async(_work, (piece,)))
                break
            yield chunk


class _Ledger:
    """The ledger's tree and history, written day by day."""

    def __init__(self, stream: PackStream) -> None:
        self._stream = stream
        self._objects = Objects()
        self._months: dict[str, list[TreeEntry]] = {}
        self._day: int | None = None
        self._lines: dict[str, list[bytes]] = {}
        self.heads: list[Head] = []
        self.runs = 0

    def add(self, chunk: Chunk) -> None:
        """Take the lines of further runs, which come day by day."""
        for start, run, line in chunk.lines:
            day = start // DAY
            if day != self._day:
                self._end_day()
                self._day = day
            self._lines.setdefault(run, []).append(line)
        self.heads += chunk.heads

    def _end_day(self) -> None:
        if not self._lines or self._day is None:
            return
        date = gmtime(self._day * DAY // 1000)
        entries = self._months.setdefault(strftime("%Y-%m", date), [])
        entries.append(self._node(strftime("%d", date), sorted(self._lines.items()), 0))
        self.runs += sum(b'"purged":true' not in lines[0] for lines in self._lines.values())
        self._lines = {}
        self._flush()

    def _node(self, name: str, runs: list[tuple[str, list[bytes]]], depth: int) -> TreeEntry:
        """Write the file *name*.jsonl, or a folder of such where there are too many runs."""
        if len(runs) <= LEAF:
            return TreeEntry(f"{name}.jsonl", FILE, self._objects.blob(b"".join(b"".join(lines) for _, lines in runs)))
        below: dict[str, list[tuple[str, list[bytes]]]] = {}
        for run, lines in runs:
            below.setdefault(run[depth], []).append((run, lines))
        entries = [self._node(digit, some, depth + 1) for digit, some in below.items()]
        return TreeEntry(name, TREE, self._objects.tree(entries))

    def _flush(self) -> None:
        self._stream.add(self._objects.packed())
        self._objects = Objects()

    def commit(self) -> str:
        """Write what is left, and the commit; return its id."""
        self._end_day()
        objects = self._objects
        months = [TreeEntry(month, TREE, objects.tree(entries)) for month, entries in self._months.items()]
        top = [
            TreeEntry("README.md", FILE, objects.blob(b"# Ledgit's ledger\n\nWritten by Ledgit.\n")),
            TreeEntry("format", FILE, objects.blob(dump_document({"min_reader": 1, "min_writer": 1}))),
            TreeEntry("segments", TREE, objects.tree(months)),
        ]
        tree = objects.tree(top)
        self.heads.sort()
        parents, empty = self.heads, objects.tree([])
        while len(parents) > PARENTS:
            parents = [self._carry(some, empty) for some in _cut(parents)]
        tip = self._carry(parents, tree)
        self._flush()
        return tip.oid

    def _carry(self, parents: Sequence[Head], tree: str) -> Head:
        date = max(head.date for head in parents)
        who = (*WHO, date, "+0000")
        oid = self._objects.commit(tree, [head.oid for head in parents], who, who, "ledger")
        return Head(date, oid)


def _cut(heads: Sequence[Head]) -> Iterable[Sequence[Head]]:
    for at in range(0, len(heads), PARENTS):
        yield heads[at : at + PARENTS]
