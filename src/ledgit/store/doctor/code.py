"""The code that runs were made from, and the tags of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many, shown

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient

__all__ = ["REGISTRY", "check_code", "check_tags", "lost_tags"]

REGISTRY = "refs/ledgit/registry/"


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
    """Return the registry's tags that were never seen on the remote and are gone here: full name → object."""
    from ledgit.git import list_refs

    kept = {name.removeprefix(REGISTRY): oid for name, oid in patient.refs.items() if name.startswith(REGISTRY)}
    if not kept:
        return {}
    tags = list_refs(patient.repo, "refs/tags/")
    return {f"refs/tags/{tag}": oid for tag, oid in kept.items() if f"refs/tags/{tag}" not in tags}


def check_tags(patient: Patient) -> Iterator[Finding]:
    """Check that no registry tag was pruned before it was pushed."""
    lost = [name.removeprefix("refs/tags/") for name in lost_tags(patient)]
    if lost:
        why = "fetch.pruneTags deletes tags that the remote lacks"
        what = f"{many(len(lost), 'registry tag')} deleted before the push: {shown(lost)}; {why}"
        yield Finding(PROBLEM, "registry", "tags", what, "ledgit doctor --mend")
