"""Which runs stand for a commit: those of its code, and of them the repeats of the newest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ledgit.git import CodeFacts, has_files_of, resolve_links
from ledgit.review.ranges import parents_of
from ledgit.tracking.ci import HEAD_TAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Link
    from ledgit.records import Scalar
    from ledgit.repository import Repository, Run
    from ledgit.review.settings import ReviewSettings

__all__ = ["Side", "choose", "find_side", "linked_runs", "runs_of", "same_setup", "setup_of"]

#: Runs of one commit that are looked at, the newest.
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Side:
    """A commit and the runs that stand for it.

    Attributes:
        commit: The commit; "" for a pinned run whose code is not here.
        runs: The sample: finished runs of one setup, newest first.
        others: More runs of this code: of other params or experiments, unfinished, or left out as dirty.
        how: Run id → by what it belongs to the commit: ``commit``, ``tree``, ``files`` (and untracked ones
            beside), ``subtree``, ``patch-id``, ``tag``.
    """

    commit: str
    runs: tuple[Run, ...] = ()
    others: tuple[Run, ...] = ()
    how: Mapping[str, str] | None = None

    @property
    def newest(self) -> Run | None:
        """The run that stands for the side where one must."""
        return self.runs[0] if self.runs else None

    @property
    def dirty(self) -> bool:
        """Whether a run of the sample had uncommitted changes."""
        return any(run.code.dirty and (self.how or {}).get(run.id) == "commit" for run in self.runs)

    def age_ms(self, now: int | None = None) -> int | None:
        """Milliseconds since the newest run started."""
        newest = self.newest
        return None if newest is None else (int(time.time() * 1000) if now is None else now) - newest.start

    def values(self, metric: str) -> list[float]:
        """The metric's latest value in each run of the sample that has it."""
        return [run.metrics[metric] for run in self.runs if metric in run.metrics]

    def to_dict(self) -> dict[str, object]:
        """Return the side for JSON."""
        how = self.how or {}
        return {
            "commit": self.commit or None,
            "runs": [
                {"id": run.id, "name": run.name, "by": how.get(run.id), "dirty": run.code.dirty} for run in self.runs
            ],
            "others": [{"id": run.id, "name": run.name, "status": run.status} for run in self.others],
            "dirty": self.dirty,
        }


def linked_runs(repository: Repository, revs: str, limit: int | None = MOST) -> list[tuple[Run, str, str]]:
    """Return the runs whose code belongs to *revs*, newest first, with the commit each belongs to and by what."""
    quoted = revs.replace("'", "''")
    runs = list(repository.runs.filter(f"code IN '{quoted}'").limit(limit))
    facts = {run.id: CodeFacts(run.code.commit, run.code.tree, run.code.subtrees, run.code.patch_id) for run in runs}
    links: dict[str, Link] = resolve_links(repository.repo, revs, facts) if facts else {}
    found: list[tuple[Run, str, str]] = []
    for run in runs:
        link = links.get(run.id) or run.links(revs)
        if link is not None:
            found.append((run, link.commit, link.by))
    return found


def find_side(
    repository: Repository,
    commit: str,
    settings: ReviewSettings,
    *,
    like: Run | None = None,
    clean: bool = False,
) -> Side:
    """Return the runs that stand for *commit*.

    Args:
        repository: Where.
        commit: Its id.
        settings: Which params are seeds, which experiment counts, whether all runs do.
        like: A run of the other side: runs of its setup go before newer ones.
        clean: Runs with uncommitted changes on top of the commit don't count.
    """
    runs, how = runs_of(repository, commit)
    return choose(commit, runs, how, settings, like=like, clean=clean)


def runs_of(repository: Repository, commit: str) -> tuple[list[Run], dict[str, str]]:
    """Return all runs of the code of *commit*, newest first, and by what each belongs to it."""
    found = linked_runs(repository, f"{commit}^!")
    found += _with_more_files(repository, commit, {run.id for run, _, _ in found})
    tagged = repository.runs.filter(f"tags.`{HEAD_TAG}` = '{commit}'").limit(MOST)
    how = {run.id: by for run, _, by in found}
    runs = [run for run, _, _ in found]
    for run in tagged:
        if run.id not in how:
            how[run.id] = "tag"
            runs.append(run)
    runs.sort(key=lambda run: (run.start, run.id), reverse=True)
    return runs, how


def _with_more_files(repository: Repository, commit: str, known: set[str]) -> list[tuple[Run, str, str]]:
    """Return the runs made before *commit* was, from all its files as they are in it, and untracked ones beside.

    The usual way round: train, then commit what worked, while a picture or a log lies in the folder.
    """
    parents = parents_of(repository, commit)
    if len(parents) != 1:
        return []
    runs = list(repository.runs.filter(f"code.commit = '{parents[0]}' AND code.dirty = true").limit(MOST))
    trees = {run.code.tree for run in runs if run.id not in known}
    fit = {tree for tree in trees if has_files_of(repository.repo, tree, commit)}
    return [(run, commit, "files") for run in runs if run.id not in known and run.code.tree in fit]


def choose(
    commit: str,
    runs: Sequence[Run],
    how: Mapping[str, str],
    settings: ReviewSettings,
    *,
    like: Run | None = None,
    clean: bool = False,
) -> Side:
    """Return *runs*, newest first, parted into the sample and the others."""
    fit = [run for run in runs if run.status == "FINISHED" and run.metrics]
    if clean:
        fit = [run for run in fit if not (run.code.dirty and how.get(run.id) == "commit")]
    experiment = settings.experiment or (like.experiment if like is not None else "")
    if experiment and any(run.experiment == experiment for run in fit):
        fit = [run for run in fit if run.experiment == experiment]
    elif settings.experiment:
        fit = []
    # What a sweep or a nested run started stands for a part; the whole goes first.
    fit = [run for run in fit if run.parent_run is None] or fit
    if fit and not settings.all_runs:
        same = [run for run in fit if like is not None and same_setup(run, like, settings.seeds)]
        fit = same or [run for run in fit if same_setup(run, fit[0], settings.seeds)]
    chosen = {run.id for run in fit}
    return Side(commit, tuple(fit), tuple([run for run in runs if run.id not in chosen]), dict(how))


def same_setup(one: Run, other: Run, seeds: Iterable[str]) -> bool:
    """Whether two runs are repeats: of one experiment, and of the same params but for *seeds* (names and patterns)."""
    seeds = tuple(seeds)
    return one.experiment == other.experiment and setup_of(one.params, seeds) == setup_of(other.params, seeds)


def setup_of(params: Mapping[str, Scalar], seeds: Sequence[str]) -> dict[str, str]:
    """Return the texts of *params* without those that only tell repeats apart."""
    return {
        name: str(value)
        for name, value in params.items()
        if not any(name == seed or fnmatchcase(name, seed) for seed in seeds)
    }
