"""The clone's ledger: its table, its history, and what it owes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError, NewerFormat, NotFound, RecordError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many, shown
from ledgit.store.ledger import LEDGER_REF, check_heads, check_tree, every_line, noted, owing

if TYPE_CHECKING:
    from ledgit.records.table import Line
    from ledgit.store.doctor.finding import Patient

__all__ = ["check_ledger", "unlinked"]

_REMOTES = "refs/ledgit/remotes/"


def check_ledger(patient: Patient) -> Iterator[Finding]:
    """Check the clone's ledger, and the remotes' as they were last seen."""
    for name, tip in sorted(patient.refs.items()):
        if name == LEDGER_REF:
            try:
                yield from _own(patient, tip)
            except NotFound as error:
                what = f"the clone's ledger is not whole: {error.ref} is missing"
                yield Finding(PROBLEM, "ledger", "tree", what, _restore(patient))
    yield from _owed(patient)


def _own(patient: Patient, tip: str) -> Iterator[Finding]:
    objects = patient.objects
    tree = objects.commit(tip).tree
    try:
        check_tree(objects, tree)
    except NewerFormat as error:
        yield Finding(PROBLEM, "ledger", "format", str(error), "upgrade Ledgit")
        return
    except RecordError as error:
        yield Finding(PROBLEM, "ledger", "tree", str(error), _restore(patient))
        return
    heads: list[str] = []
    unread = 0

    def lines() -> Iterator[Line]:
        nonlocal unread
        for _, line in every_line(objects, tree):
            unread += line.opaque
            if line.head and not line.purged:
                heads.append(line.head)
            if patient.is_whole:  # else their commits are elsewhere
                yield line

    try:
        check_heads(objects, lines())
    except RecordError as error:
        yield Finding(PROBLEM, "ledger", "forged", str(error), _restore(patient))
        return
    if unread:
        what = f"the ledger has {many(unread, 'line')} that can't be read, kept as found"
        yield Finding(HINT, "ledger", "lines", what, "upgrade Ledgit, if a newer one wrote them")
    missing, loose = _strays(patient, heads) if patient.is_whole else ([], [])
    if missing:
        what = f"not here: the commits of {many(len(missing), 'head')} that the ledger lists: {shown(missing)}"
        yield Finding(PROBLEM, "ledger", "missing", what, "ledgit pull; or fetch them from a clone that has them")
    if loose:
        what = f"a gc would take {many(len(loose), 'head')} that the ledger lists, as no ref keeps any: {shown(loose)}"
        yield Finding(PROBLEM, "ledger", "unlinked", what, "ledgit doctor --mend")


def _restore(patient: Patient) -> str:
    remotes = [name for name in patient.refs if name.startswith(_REMOTES) and name.endswith("/ledger")]
    if not remotes:
        return f"git fsck; then bring a good one from another clone: git fetch CLONE +{LEDGER_REF}:{LEDGER_REF}"
    return f"git update-ref {LEDGER_REF} {remotes[0]} && ledgit pull"


def unlinked(patient: Patient) -> list[str]:
    """Return the heads that the ledger lists and no ref reaches."""
    tip = patient.refs.get(LEDGER_REF)
    if tip is None:
        return []
    lines = every_line(patient.objects, patient.objects.commit(tip).tree)
    return _strays(patient, [line.head for _, line in lines if line.head and not line.purged])[1]


def _strays(patient: Patient, heads: list[str]) -> tuple[list[str], list[str]]:
    """Return those of *heads* that are not here, and those that no ref reaches."""
    from ledgit.git import run_git

    if not heads:
        return [], []
    asked = _lines(f"{head}^{{commit}}" for head in heads)
    said = run_git(patient.repo, "cat-file", "--batch-check=%(objectname)", stdin=asked).decode("ascii", "replace")
    missing = [head for head, answer in zip(heads, said.splitlines(), strict=True) if answer.endswith("missing")]
    here = sorted(set(heads) - set(missing))
    # Named by hand, and not by "--not --all", which Git before 2.42 does not take on standard input.
    refs = _lines(f"^{oid}" for oid in sorted(set(patient.refs.values())))
    out = run_git(patient.repo, "rev-list", "--ignore-missing", "--stdin", stdin=_lines(here) + refs)
    reached_by_none = set(out.decode("ascii", "replace").split())
    return missing, [head for head in here if head in reached_by_none]


def _lines(items: Iterable[str]) -> bytes:
    return "".join(f"{item}\n" for item in items).encode("ascii")


def _owed(patient: Patient) -> Iterator[Finding]:
    """Say where purged runs, or commits that were replaced, still are in history."""
    why = noted(patient.folder).why
    if why:
        what = f"the history of the ledger still has old commits: {why}"
        yield Finding(PROBLEM, "ledger", "owed", what, "ledgit push, then ledgit gc --purge")
    try:
        found = owing(patient.repo, patient.objects)
    except LedgitError:
        return  # said elsewhere
    for name, runs in sorted(found.items()):
        where = "this clone" if name == LEDGER_REF else name.removeprefix(_REMOTES).removesuffix("/ledger")
        what = f"the history of the ledger of {where} still has {many(len(runs), 'purged run')}: "
        yield Finding(PROBLEM, "ledger", "owed", what + shown([run[:8] for run in sorted(runs)]), "ledgit gc --purge")
