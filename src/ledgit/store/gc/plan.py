"""What a clean-up would take, what it must leave, and why."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledgit.errors import RunNotFound, UsageError
from ledgit.store.gc.facts import RunFacts, all_runs, heads_of
from ledgit.store.gc.holds import REGISTRY, Tie, find_ties, foreign_refs, stand_on
from ledgit.store.gc.rules import Rule, kept_by

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder
    from ledgit.store.index import Index

__all__ = ["Candidate", "Plan", "Selection", "make_plan"]

_PATIENCE = 3.0  # seconds; the processes that have such runs sync them once a second


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs are to go. What is named adds up; without any of it, *keep* alone chooses.

    Attributes:
        runs: Ids of runs.
        deleted: Those that are marked as deleted.
        orphaned: Those whose code is on no branch or tag any more.
        commit: Those whose code is, or stands on, this Git revision.
        keep: Rules; what one of them keeps stays.
        older_than: Of deleted and orphaned ones only those untouched for so many ms.
        with_tags: The registry's tags that hold them may go, too.
    """

    runs: tuple[str, ...] = ()
    deleted: bool = False
    orphaned: bool = False
    commit: str | None = None
    keep: tuple[Rule, ...] = ()
    older_than: int = 0
    with_tags: bool = False

    def __bool__(self) -> bool:
        return bool(self.runs or self.deleted or self.orphaned or self.commit is not None or self.keep)

    @property
    def all_or_none(self) -> bool:
        """Whether a run that is held stops the whole: it was named, or a secret is to go."""
        return bool(self.runs) or self.commit is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One run that was chosen.

    Attributes:
        run: The run.
        why: Why it was chosen, in a few words.
        ties: What holds its commits besides Ledgit.
    """

    run: RunFacts
    why: str
    ties: tuple[Tie, ...] = ()


@dataclass(slots=True)
class Plan:
    """What would go, and what not.

    Attributes:
        selection: What was asked for.
        going: The runs that would go, newest first.
        held: Those chosen that can't go: something else holds their commits.
        active: Ids of those chosen that are being written.
        kept: Rule, as it was given → how many of the chosen runs it keeps.
        tags: Registry tags, and refs that go with them, that would go: full name → object.
        notes: Sentences about what stays all the same.
    """

    selection: Selection
    going: list[Candidate] = field(default_factory=list)
    held: list[Candidate] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def make_plan(
    repo: Repo,
    folder: Folder,
    index: Index,
    selection: Selection,
    *,
    directions: Mapping[str, str] | None = None,
    now: int | None = None,
) -> Plan:
    """Find out what *selection* would take. Changes nothing.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        index: Its index.
        selection: What is to go.
        directions: Which way metrics are better, for ``best`` rules.
        now: Ms since the epoch; the present if None.

    Raises:
        RunNotFound: A run is not here, or has not ended yet.
        UsageError, InvalidValue, FilterError: A rule can't be followed, or the commit is none.
    """
    from ledgit.git import Objects
    from ledgit.store.journal import now_ms

    objects = Objects.of(repo)
    try:
        return _Planning(repo, folder, index, objects, selection, now_ms() if now is None else now).plan(
            directions or {}
        )
    finally:
        objects.rest()


class _Planning:
    def __init__(
        self, repo: Repo, folder: Folder, index: Index, objects: Objects, selection: Selection, now: int
    ) -> None:
        self.repo, self.folder, self.index, self.objects = repo, folder, index, objects
        self.selection, self.now = selection, now
        self.runs = all_runs(index)
        self.heads = heads_of(repo, objects)
        self.result = Plan(selection)

    def plan(self, directions: Mapping[str, str]) -> Plan:
        from ledgit.store.ledger.loose import busy

        chosen = self.choose()
        self.await_settled(chosen)
        is_busy = busy(self.folder)
        self.result.active = [run_id for run_id in chosen if is_busy(run_id)]
        for run_id in self.result.active:
            del chosen[run_id]
        for rule in self.selection.keep:
            if rule.kind != "registered":
                self.keep(chosen, rule, directions, ())
        ties = self.ties(chosen)
        for rule in self.selection.keep:
            if rule.kind == "registered":
                registered = [run_id for run_id, held in ties.items() if any(tie.kind == REGISTRY for tie in held)]
                self.keep(chosen, rule, directions, registered)
        if any(rule.kind == "registered" for rule in self.selection.keep):
            ties = self.ties(chosen)  # what stays holds what it stands on
        self.sort(chosen, ties)
        return self.result

    def await_settled(self, chosen: Collection[str]) -> None:
        """Wait for runs that ended a moment ago, whose commits another process is still syncing to disk."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            waiting = {name.partition("-")[0] for name in _names(self.folder.settling)}
            if waiting.isdisjoint(chosen):
                return
            time.sleep(0.05)

    # ------------------------------------------------------------------ choosing

    def choose(self) -> dict[str, str]:
        """Return the runs that are to go: id → why; newest first."""
        wanted = self.selection
        why: dict[str, str] = {}
        for run_id in wanted.runs:
            if run_id not in self.runs:
                raise RunNotFound(run_id)
            why[run_id] = "named"
        if wanted.deleted:
            deleted = (run.id for run in self.runs.values() if run.deleted)
            why |= {run_id: "deleted" for run_id in deleted if self.is_old(run_id)} | why
        if wanted.orphaned:
            from ledgit.store.gc.orphans import find_orphans

            for run_id in find_orphans(self.repo, self.index, self.runs):
                if self.is_old(run_id):
                    why.setdefault(run_id, "its code is on no branch or tag")
        if wanted.commit is not None:
            for run_id in self.standing_on(wanted.commit):
                why.setdefault(run_id, f"its code has {wanted.commit[:12]}")
        if wanted.keep and not (wanted.runs or wanted.deleted or wanted.orphaned or wanted.commit is not None):
            why = dict.fromkeys(self.runs, "no rule keeps it")
        return {run_id: why[run_id] for run_id in self.runs if run_id in why}

    def is_old(self, run_id: str) -> bool:
        """Whether nobody has touched the run for as long as was asked for."""
        if not self.selection.older_than:
            return True
        from ledgit.errors import NotFound

        newest = 0
        for head in self.heads.get(run_id, ()):
            try:
                newest = max(newest, self.objects.commit(head).committer[2] * 1000)
            except NotFound:
                newest = max(newest, self.runs[run_id].start)
        return newest < self.now - self.selection.older_than

    def standing_on(self, rev: str) -> list[str]:
        """Return the runs whose code is the commit *rev* or stands on it."""
        from ledgit.git import run_git

        said = run_git(
            self.repo, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}", check=False
        )
        commit = said.decode("ascii", "replace").strip()
        if not commit:
            raise UsageError(f"there is no commit {rev!r} here; name one by its id, a branch or a tag")
        tips: dict[str, list[str]] = {}
        for run_id, heads in self.heads.items():
            run = self.runs.get(run_id)
            for tip in (*heads, *((run.code,) if run is not None and run.code else ())):
                tips.setdefault(tip, []).append(run_id)
        refs = foreign_refs(self.repo)
        found = stand_on(self.repo, {commit: rev}, [*tips, *(ref.commit for ref in refs)])
        on = sorted({ref.tie.name for ref in refs if ref.commit in found})
        if on:
            listed = ", ".join(on[:5]) + (f" and {len(on) - 5} more" if len(on) > 5 else "")
            self.result.notes.append(f"the commit itself stays: it is on {listed}")
        return [run_id for tip in found for run_id in tips.get(tip, ())]

    def keep(
        self, chosen: dict[str, str], rule: Rule, directions: Mapping[str, str], registered: Collection[str]
    ) -> None:
        kept = kept_by(rule, self.index, self.runs, now=self.now, directions=directions, registered=registered)
        staying = [run_id for run_id in chosen if run_id in kept]
        self.result.kept[rule.text] = len(staying)
        for run_id in staying:
            del chosen[run_id]

    # ------------------------------------------------------------------ what holds them

    def ties(self, chosen: dict[str, str]) -> dict[str, list[Tie]]:
        commits = {run_id: self.runs[run_id].commit for run_id in chosen}
        return find_ties(self.repo, chosen.keys(), self.heads, commits) if chosen else {}

    def sort(self, chosen: dict[str, str], ties: dict[str, list[Tie]]) -> None:
        """Tell what can go from what is held."""
        from ledgit.git import read_ref

        for run_id, why in chosen.items():
            held = ties.get(run_id, [])
            item = Candidate(self.runs[run_id], why, tuple(held))
            free = self.selection.with_tags and all(tie.kind == REGISTRY for tie in held)
            if held and not free:
                self.result.held.append(item)
                continue
            self.result.going.append(item)
            for tie in held:
                oid = read_ref(self.repo, tie.ref)
                if oid is not None:
                    self.result.tags[tie.ref] = oid


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
