"""Settings of the user's that threaten the ledger, and what Ledgit's own can't be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding

if TYPE_CHECKING:
    from ledgit.store.doctor.finding import Patient

__all__ = ["check_settings"]

_MIRROR = re.compile(r"\bgit\s+push\b[^\n|;&]*\s--mirror\b|^push\b.*\s--mirror\b")
#: Names that jobs which delete old branches go by; a ledger that is a branch looks abandoned to them.
_CLEANERS = re.compile(
    r"(?i)\b(?:stale|abandoned|old|merged|unused)[-_ ]branch(?:es)?\b|\bbranch(?:es)?[-_ ]clean(?:er|up|ing)?\b"
    r"|\bclean(?:up)?[-_ ](?:old[-_ ])?branch(?:es)?\b|\bdelete[-_ ]\w+[-_ ]branch(?:es)?\b"
)
_JOBS = (".github/workflows", ".gitea/workflows", ".forgejo/workflows", ".gitlab-ci.yml", ".circleci")
_LARGEST_JOB = 1 << 20
_VALUES = {
    "ledgit.snapshot": ("full", "tracked", "none"),
    "ledgit.publish": ("ask", "all", "pushed-code"),
    "ledgit.fetch": ("auto", "full", "tip"),
}


def check_settings(patient: Patient) -> Iterator[Finding]:
    """Check Git's settings for remotes, aliases, the jobs in the work tree, and Ledgit's own settings."""
    yield from _own(patient)
    yield from _pushes(patient)
    yield from _fetches(patient)
    yield from _jobs(patient)


def _own(patient: Patient) -> Iterator[Finding]:
    from ledgit.errors import NoRemote
    from ledgit.store.sync.remote import find_remote

    config = patient.repo.config()
    for name, known in _VALUES.items():
        value = config.get(name)
        if value is not None and value.lower() not in known:
            what = f"{name} is {value!r}, and can be {', '.join(known)}"
            yield Finding(PROBLEM, "settings", "setting", what, f"git config {name} {known[0]}")
    try:
        find_remote(patient.repo)
    except NoRemote as error:
        if config.get("ledgit.remote"):
            yield Finding(PROBLEM, "settings", "setting", str(error), "git config ledgit.remote NAME")
    except LedgitError as error:
        yield Finding(PROBLEM, "settings", "setting", str(error), "git config --unset ledgit.ledgerRef")


def _pushes(patient: Patient) -> Iterator[Finding]:
    for name, values in patient.settings.items():
        section, _, key = name.rpartition(".")
        remote = section.removeprefix("remote.")
        if section.startswith("remote.") and key == "mirror" and values[-1].lower() in ("true", "yes", "on", "1"):
            what = f"'git push' to {remote} is a mirror: it deletes what is there and not here, the ledger among it"
            mend = f"git config --unset-all {name}; 'ledgit push' restores the ledger"
            yield Finding(PROBLEM, "settings", "mirror", what, mend)
        elif section.startswith("remote.") and key == "push":
            for value in values:
                if _target(value) is not None and _covers(value.lstrip("+").partition(":")[0] or "refs/ledgit/x"):
                    what = f"'git push' to {remote} takes Ledgit's refs along ({value}), and may set the ledger back"
                    mend = f"git config --unset-all {name} '^{re.escape(value)}$'"
                    yield Finding(PROBLEM, "settings", "mirror", what, mend)
        elif section == "alias" and _MIRROR.search(values[-1]):
            what = f"the alias {key!r} pushes with --mirror, which deletes the ledger where this clone has none"
            mend = f"git config --edit, and let it push branches and tags: {_shown_push(values[-1])}"
            yield Finding(HINT, "settings", "mirror", what, mend)


def _shown_push(command: str) -> str:
    return command.replace("--mirror", "--all && git push --tags")


def _fetches(patient: Patient) -> Iterator[Finding]:
    for name, values in patient.settings.items():
        section, _, key = name.rpartition(".")
        if not section.startswith("remote.") or key != "fetch":
            continue
        remote = section.removeprefix("remote.")
        for value in values:
            target = _target(value)
            mend = f"git config --unset-all {name} '^{re.escape(value)}$'"
            if target is not None and _covers(target):
                prunes = _prunes(patient, section)
                does = "deletes runs that are only here" if prunes else "sets the clone's ledger and runs back"
                what = f"'git fetch {remote}' writes Ledgit's own refs ({value}), and {does}"
                yield Finding(PROBLEM, "settings", "refspec", what, f"{mend}; 'ledgit pull' needs none")
            elif value.lstrip("+").startswith("refs/ledgit/"):
                what = f"'git fetch {remote}' asks for {value}, and fails as long as that is not there"
                yield Finding(HINT, "settings", "refspec", what, f"{mend}; 'ledgit pull' needs none")


def _prunes(patient: Patient, section: str) -> bool:
    for name in (f"{section}.prune", "fetch.prune"):
        if name in patient.settings:
            return patient.settings[name][-1].lower() in ("true", "yes", "on", "1")
    return False


def _target(refspec: str) -> str | None:
    """Return what a refspec writes; None if it writes nothing."""
    if refspec.startswith("^"):
        return None
    source, colon, target = refspec.lstrip("+").partition(":")
    return (target or None) if colon else source


def _covers(pattern: str) -> bool:
    """Whether refs of Ledgit's that are this clone's own match *pattern*."""
    if pattern.startswith("refs/ledgit/"):
        return not pattern.startswith("refs/ledgit/remotes/")
    return pattern.endswith("*") and "refs/ledgit/".startswith(pattern[:-1])


def _jobs(patient: Patient) -> Iterator[Finding]:
    """Look at the jobs in the work tree for what deletes the ledger on the host."""
    ledger = patient.repo.config().get("ledgit.ledgerRef") or ""
    branch = ledger.removeprefix("refs/heads/") if ledger.startswith("refs/heads/") else ""
    for path, text in _job_files(patient.repo.work_tree):
        if _MIRROR.search(text):
            what = f"{path} pushes with --mirror, which deletes the ledger where the job's clone has none"
            yield Finding(HINT, "settings", "job", what, f"push branches and tags in {path}: --all, then --tags")
        if branch and _CLEANERS.search(text) and branch not in text:
            what = f"{path} seems to delete branches, and the ledger is the branch {branch}"
            yield Finding(HINT, "settings", "job", what, f"make {path} leave {branch} alone")


def _job_files(work_tree: str | None) -> Iterator[tuple[str, str]]:
    if work_tree is None:
        return
    for place in _JOBS:
        path = os.path.join(work_tree, place)
        names = [place]
        if os.path.isdir(path):
            names = [f"{place}/{name}" for name in sorted(os.listdir(path)) if name.endswith((".yml", ".yaml"))]
        for name in names:
            try:
                with open(os.path.join(work_tree, name), encoding="utf-8", errors="replace") as file:
                    yield name, file.read(_LARGEST_JOB)
            except OSError:
                continue
