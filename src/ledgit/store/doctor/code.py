"""The code that runs were made from, and the tags of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many, shown

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient
    from ledgit.store.registry import RegistryState

__all__ = ["REGISTRY", "check_code", "check_tags", "lost_tags"]

REGISTRY = "refs/ledgit/registry/"
VERSIONS = "refs/ledgit/versions/"


def check_code(patient: Patient) -> Iterator[Finding]:
    """Check that the commits that runs were started from are here, where history is whole."""
    from ledgit.git import run_git

    patient.index.refresh()
    runs = patient.index.codes() if patient.is_whole else {}
    if not runs:
        return
    asked = "".join(f"{commit}^{{commit}}\n" for commit in runs).encode("ascii")
    said = run_git(patient.repo, "cat-file", "--batch-check=%(objectname)", stdin=asked).decode("ascii", "replace")
    gone = [c for c, answer in zip(runs, said.splitlines(), strict=True) if answer.endswith("missing")]
    if gone:
        count = sum(runs[commit] for commit in gone)
        what = f"not here: the commits that {many(count, 'run')} started from: {shown([c[:12] for c in gone])}"
        mend = "git fetch --all, if another clone has them; links by tree and patch-id work without"
        if _was_rewritten(patient, gone):
            mend = "ledgit doctor --rewritten"
        yield Finding(HINT, "runs", "code", what, mend)


def _was_rewritten(patient: Patient, commits: list[str]) -> bool:
    """Whether a tool that rewrites history left a list that says what became of one of *commits*."""
    from ledgit.store.doctor.rewritten import find_map, read_map

    try:
        known = read_map(find_map(patient.repo))
    except LedgitError:
        return False
    return any(commit in known for commit in commits)


def lost_tags(patient: Patient) -> dict[str, str]:
    """Return the registry's tags that are gone here and can come back: full name → object."""
    from ledgit.store.registry.restoring import lost_tags as find_lost

    if not _has_registry(patient):
        return {}
    return {f"refs/tags/{tag}": oid for tag, oid in find_lost(patient.repo, patient.objects).items()}


def _has_registry(patient: Patient) -> bool:
    return any(name.startswith((REGISTRY, VERSIONS)) for name in patient.refs)


def check_tags(patient: Patient) -> Iterator[Finding]:
    """Check that no registry tag was pruned, moved or is none, and that the runs of versions are here."""
    from ledgit.store.registry.reading import read_registry

    lost = [name.removeprefix("refs/tags/") for name in lost_tags(patient)]
    fresh = [tag for tag in lost if REGISTRY + tag in patient.refs]
    if fresh:
        why = "fetch.pruneTags deletes tags that the remote lacks"
        what = f"{many(len(fresh), 'registry tag')} deleted before the push: {shown(fresh)}; {why}"
        yield Finding(PROBLEM, "registry", "tags", what, "ledgit doctor --mend")
    old = [tag for tag in lost if tag not in fresh]
    if old:
        what = f"{many(len(old), 'registry tag')} deleted here that others may have: {shown(old)}"
        yield Finding(HINT, "registry", "tags", what, "ledgit doctor --mend, or ledgit pull --tags")
    state = read_registry(patient.repo, patient.folder)
    if not state.events and not state.problems and not state.refs:
        return
    yield from _moved(patient)
    for problem in state.problems:
        yield Finding(PROBLEM, "registry", "registry", str(problem), _mend_of(problem.what))
    yield from _missing_runs(patient, state)


def _moved(patient: Patient) -> Iterator[Finding]:
    from ledgit.store.registry.restoring import moved_tags

    for tag in moved_tags(patient.repo, patient.objects) if _has_registry(patient) else ():
        what = f"the tag {tag} is not what was registered: somebody moved it"
        yield Finding(PROBLEM, "registry", "moved", what, f"git tag -d '{tag}'; ledgit doctor --mend")


def _mend_of(what: str) -> str:
    if "lightweight" in what:
        return "git tag -a makes one that counts; or delete it"
    return "git show it; 'ledgit registry' goes on without what it can't read"


def _missing_runs(patient: Patient, state: RegistryState) -> Iterator[Finding]:
    """Versions that point at runs nobody here knows of."""
    if not patient.is_whole:
        return
    patient.index.refresh()
    missing: list[str] = []
    for model in state.models.values():
        missing += [
            f"{version.model}@{version.version} (run {version.run[:8]})"
            for version in model.active
            if version.run is not None and patient.index.get(version.run) is None
        ]
    if missing:
        what = f"{many(len(missing), 'version')} of runs that are not here: {shown(missing)}"
        yield Finding(HINT, "registry", "runs", what, "ledgit pull, if somebody else has them")
