"""Run commits as finalizing and editing make them, with the project's own encoders."""

from __future__ import annotations

from bisect import bisect
from dataclasses import replace
from random import Random
from typing import NamedTuple

from benchmarks.synthetic.pack import Objects, Packed
from benchmarks.synthetic.plan import DAY, SHAPES, Plan, Slot
from ledgit.git import FILE, TREE, TreeEntry
from ledgit.records import encode_entry, encode_tombstone, with_head
from ledgit.records.clock import Clocks
from ledgit.records.environment import Environment, encode_environment, requirements_txt
from ledgit.records.history import Points
from ledgit.records.record import RunRecord, make_entry, run_files
from ledgit.records.run import CodeInfo, RunInfo
from ledgit.records.words import random_name

EXPERIMENTS = ("baseline", "augment", "ablation", "sweep", "transformer", "distill", "Default", "paper")
USERS = ("ada", "grace", "alan", "barbara", "edsger", "ci")
_NAMED = ("lr", "batch_size", "optimizer", "epochs", "seed")
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")
_PACKAGES = {f"package-{number}": f"1.{number}.{number % 7}" for number in range(120)}
ENVIRONMENTS = tuple(
    Environment("3.11.7", "cpython", "Linux 6.8", "x86_64", packages={**_PACKAGES, "torch": f"2.{number}.0"})
    for number in range(5)
)
_ENVIRONMENT_FILES = tuple(
    {"environment.yaml": encode_environment(one), "requirements.txt": requirements_txt(one)} for one in ENVIRONMENTS
)
_AT_WORK = 12
"""Commits that are tried out at a time: a run is made from one of the newest there were."""
CLONES = tuple(f"{number:016x}" for number in (0xADA, 0x64ACE, 0xA1A4))


class Code(NamedTuple):
    """Code that runs were made from: a commit of the repository, and its tree's entries."""

    commit: str
    tree: str
    branch: str
    entries: tuple[TreeEntry, ...]
    date: int


class Head(NamedTuple):
    """A head that the ledger lists: sorted as its parents are."""

    date: int
    oid: str


class Chunk(NamedTuple):
    """Some runs made: their objects, their lines with the day and id, and their heads."""

    objects: list[Packed]
    lines: list[tuple[int, str, bytes]]
    heads: list[Head]
    loose: list[tuple[str, str]]


def shared_objects() -> Objects:
    """Return the objects that many runs have."""
    objects = Objects()
    for files in _ENVIRONMENT_FILES:
        for data in files.values():
            objects.blob(data)
    return objects


class Maker:
    """Makes the runs of *plan* from *codes*."""

    def __init__(self, plan: Plan, codes: list[Code]) -> None:
        self.plan = plan
        self.codes = sorted(codes, key=lambda code: code.date)
        self._dates = [code.date for code in self.codes]
        self._shared = shared_objects()
        self._last_in_ledger = plan.runs - plan.loose
        params, metrics, tags = SHAPES[plan.shape]
        self._params = [*_NAMED, *(f"param_{n:03}" for n in range(len(_NAMED), params))]
        self._metrics = [*_CURVES[:4], *(f"metric_{n:03}" for n in range(4, metrics))]
        self._tags = [f"tag_{n}" for n in range(tags)]

    def chunk(self, slots: list[Slot]) -> Chunk:
        """Make some runs."""
        made = Chunk([], [], [], [])
        objects = Objects(self._shared)
        for slot in slots:
            if slot.fate == "purged":
                made.lines.append((slot.start, slot.id, encode_tombstone(slot.id, slot.start)))
                continue
            found = self._run(objects, slot)
            if slot.number >= self._last_in_ledger:
                made.loose.append((slot.id, found[0][0].oid))  # of two heads a clone has one
                continue
            for head, line in sorted(found, key=lambda one: one[0].oid):
                made.lines.append((slot.start, slot.id, line))
                made.heads.append(head)
        made.objects.extend(objects.packed())
        return made

    def _run(self, objects: Objects, slot: Slot) -> list[tuple[Head, bytes]]:
        random = Random(f"{self.plan.seed} {slot.id}")
        newest = max(1, bisect(self._dates, slot.start // 1000))
        code = random.choice(self.codes[max(0, newest - _AT_WORK) : newest])
        entries, dirty = code.entries, random.random() < 0.1
        if dirty:
            blob = objects.blob(f"print('train')\nLR = {random.random()}\n".encode())
            entries = tuple(TreeEntry(e.name, e.mode, blob) if e.name == "train.py" else e for e in entries)
        # The tree that was snapshot is on no ref once the run's own is made of it: a gc takes it after two weeks.
        kept = objects if slot.start > self.plan.last - 13 * DAY else Objects()
        tree = kept.tree(entries) if dirty else code.tree
        patch = f"{random.getrandbits(160):040x}" if dirty else None
        info = CodeInfo(code.commit, tree, code.branch, f"origin/{code.branch}", dirty, patch)
        record = self._record(random, slot, info)
        line = encode_entry(make_entry(record))
        commit = self._commit(objects, record, line, entries, [code.commit], slot.start // 1000)
        if not slot.fate:
            return [(Head(slot.start // 1000, commit), with_head(line, commit))]
        later = slot.start // 1000 + random.randrange(60, 400_000)
        clones = random.sample(CLONES, 2)
        edits = []
        for number in range(2 if slot.fate == "two heads" else 1):
            clocks = Clocks(record.clocks.default, {f"tags.{self._tags[number]}": (2, clones[number])})
            edited = replace(record, tags={**record.tags, self._tags[number]: f"reviewed {number}"}, clocks=clocks)
            line = encode_entry(make_entry(edited, [commit]))
            when = later + number * 1000
            head = self._commit(objects, edited, line, entries, [commit], when)
            edits.append((Head(when, head), with_head(line, head)))
        return edits

    def _record(self, random: Random, slot: Slot, code: CodeInfo) -> RunRecord:
        params: dict[str, str | int | float | bool | None] = {
            "lr": random.choice((0.1, 0.03, 0.01, 0.003, 0.001)),
            "batch_size": random.choice((16, 32, 64, 128)),
            "optimizer": random.choice(("sgd", "adam", "adamw")),
            "epochs": random.randrange(5, 50),
            "seed": random.randrange(1_000),
        }
        for name in self._params[len(params) :]:
            params[name] = random.choice((0.1, 0.2, 0.5, 1, 2, 4, True, False, "relu", "gelu", "cosine", "none"))
        # Half of what people log has all its digits, half was rounded.
        metrics = {
            name: random.random() if number % 2 else round(random.random(), 4)
            for number, name in enumerate(self._metrics)
        }
        user = random.choice(USERS)
        info = RunInfo(
            id=slot.id,
            name=random_name(slot.id),
            experiment=random.choice(EXPERIMENTS),
            status=random.choice(("FINISHED",) * 9 + ("FAILED",)),
            start=slot.start,
            end=slot.start + random.randrange(1_000, 7_200_000),
            user=user,
            host=f"{user}-laptop",
            command=("python", "train.py", "--lr", str(params["lr"])),
            entry_point="train.py",
            code=code,
        )
        return RunRecord(
            info,
            params,
            metrics,
            histories=self._histories(random, slot, metrics),
            tags={name: random.choice(("yes", "no", "baseline", "draft")) for name in self._tags},
            clocks=Clocks((1, CLONES[slot.number % 2])),
        )

    def _histories(self, random: Random, slot: Slot, metrics: dict[str, float]) -> dict[str, Points]:
        if slot.number < self.plan.runs - self.plan.histories:
            return {}
        # Logged together, so at the same times; mostly six digits, as a progress bar shows them.
        times, when = [], float(slot.start)
        for _ in range(self.plan.points):
            when += random.gauss(1_000, 30)
            times.append(int(when))
        found = {}
        for name in _CURVES[: self.plan.curves]:
            value, rows = random.random(), []
            for step, time in enumerate(times):
                value += (random.random() - value) * 0.02
                rows.append((step, time, round(value, self.plan.digits)))
            found[name] = Points.of(rows)
            metrics[name] = rows[-1][2]
        return found

    def _commit(
        self,
        objects: Objects,
        record: RunRecord,
        line: bytes,
        entries: tuple[TreeEntry, ...],
        parents: list[str],
        seconds: int,
    ) -> str:
        # What ran where is the same for many runs, and slow to encode.
        files = run_files(record, line) | _ENVIRONMENT_FILES[int(record.info.id[:4], 16) % len(_ENVIRONMENT_FILES)]
        rows: list[TreeEntry] = []
        history: list[TreeEntry] = []
        for path, data in files.items():
            folder, _, name = path.rpartition("/")
            (history if folder else rows).append(TreeEntry(name, FILE, objects.blob(data)))
        if history:
            rows.append(TreeEntry("history", TREE, objects.tree(history)))
        run = objects.tree([TreeEntry("run", TREE, objects.tree(rows))])
        root = objects.tree([*entries, TreeEntry(".ledgit", TREE, run)])
        info = record.info
        who = (info.user, f"{info.user}@example.org", seconds, "+0000")
        what = "run" if info.start // 1000 == seconds else "tag"
        message = f"{what}: {info.name} ({info.experiment})\n\nLedgit-Run: {info.id}\nLedgit-Status: {info.status}\n"
        return objects.commit(root, parents, who, who, message)
