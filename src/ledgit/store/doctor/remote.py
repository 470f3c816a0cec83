"""What the remote takes: asked by a ref that is made there, looked for, and deleted again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import LedgitError, RemoteError
from ledgit.store.doctor.finding import HINT, PROBLEM, Finding, many

if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.doctor.finding import Patient
    from ledgit.store.sync.remote import Remote

__all__ = ["check_host", "check_remote"]

_CUSTOM = "refs/ledgit/probe/"
_BRANCH = "refs/heads/ledgit-probe-"
_TO_BRANCH = "git config ledgit.ledgerRef refs/heads/ledgit"


def check_host(patient: Patient) -> Iterator[Finding]:
    """Compare the settings with what the remote's host is known to refuse, without asking it."""
    from ledgit.store.sync.hosts import host_of
    from ledgit.store.sync.remote import DEFAULT_LEDGER, find_remote

    try:
        remote = find_remote(patient.repo)
    except LedgitError:
        return  # none, or said elsewhere
    host = host_of(remote.url.push_url)
    if host.custom_refs is False and not remote.ledger_ref.startswith("refs/heads/"):
        what = f"{host.name} takes branches and tags only, and the ledger is {remote.ledger_ref}"
        yield Finding(PROBLEM, "remote", "host", what, _TO_BRANCH)
    elif host.custom_refs is True and remote.ledger_ref.startswith("refs/heads/") and host.key != "file":
        what = (
            f"{host.name} takes other refs than branches, and the ledger is the branch {remote.ledger_ref[11:]},"
            " which jobs and people may delete"
        )
        yield Finding(HINT, "remote", "host", what, f"git config ledgit.ledgerRef {DEFAULT_LEDGER}")


def check_remote(patient: Patient, name: str | None = None) -> Iterator[Finding]:
    """Ask the remote whether it takes the ledger: reads its refs, makes one and deletes it.

    Args:
        patient: The repository.
        name: The remote; by default the one that runs are shared through.

    Raises:
        NoRemote: There is none.
    """
    from ledgit.git import list_remote
    from ledgit.store.sync.hosts import host_of
    from ledgit.store.sync.moved import is_elsewhere
    from ledgit.store.sync.remote import find_remote

    remote = find_remote(patient.repo, name)
    is_branch = remote.ledger_ref.startswith("refs/heads/")
    try:
        there = list_remote(patient.repo, remote.url, [remote.ledger_ref, f"{_CUSTOM}*", f"{_BRANCH}*"])
    except RemoteError as error:
        yield Finding(PROBLEM, "remote", "unreachable", str(error), "ledgit doctor --remote, when it can be reached")
        return
    seen = patient.refs.get(remote.tracking)
    if seen is not None and remote.ledger_ref not in there and not is_elsewhere(patient.folder, remote):
        what = f"{remote.shown} has lost its ledger ({remote.ledger_ref}); this clone has what it held"
        yield Finding(PROBLEM, "remote", "lost-ledger", what, "ledgit push")
    left = sorted(ref for ref in there if ref != remote.ledger_ref)
    if left:
        what = f"{remote.shown} still has {many(len(left), 'ref')} of earlier checks"
        yield Finding(HINT, "remote", "probe", what, f"git push {remote.shown} --delete {' '.join(left[:5])}")
    custom = _probe(patient.repo, remote, _CUSTOM)
    branch = custom if custom.taken and not is_branch else _probe(patient.repo, remote, _BRANCH)
    for probe in (custom, branch) if branch is not custom else (custom,):
        if probe.left:
            mend = f"git push {remote.shown} --delete {probe.ref}"
            yield Finding(HINT, "remote", "probe", f"{remote.shown} does not let {probe.ref} be deleted", mend)
    yield from _verdict(remote, custom, branch, is_branch)
    if is_branch:
        what = (
            f"the ledger is the branch {remote.ledger_ref[11:]} of {remote.shown}: jobs that delete old branches must"
            " leave it alone, and rules that want pull requests must not apply to it"
        )
        yield Finding(HINT, "remote", "branch-mode", what, "look at the branch rules of the host")
    for advice in host_of(remote.url.push_url).advice:
        yield Finding(HINT, "remote", "advice", f"{host_of(remote.url.push_url).name}: {advice}", "nothing to do")


def _verdict(remote: Remote, custom: _Probe, branch: _Probe, is_branch: bool) -> Iterator[Finding]:
    if (branch if is_branch else custom).taken:
        return
    if not is_branch and branch.taken:
        what = f"{remote.shown} refuses refs other than branches ({custom.reason}); the ledger can be a branch there"
        yield Finding(PROBLEM, "remote", "mode", what, _TO_BRANCH)
    elif is_branch and custom.taken:
        what = f"{remote.shown} refuses new branches ({branch.reason}), but takes refs/ledgit/*"
        yield Finding(PROBLEM, "remote", "mode", what, "git config --unset ledgit.ledgerRef")
    else:
        what = f"nothing can be pushed to {remote.shown}: {custom.reason or branch.reason}"
        mend = "ask for the right to push; or share runs through another repository: git config ledgit.remote URL"
        yield Finding(PROBLEM, "remote", "refused", what, mend)


class _Probe(NamedTuple):
    """What became of a ref that was made for a look: was it taken and shown, why not, is it still there."""

    ref: str
    taken: bool
    reason: str = ""
    left: bool = False


def _probe(repo: Repo, remote: Remote, prefix: str) -> _Probe:
    from ledgit.git import PushUpdate, list_remote, push

    ref = prefix + os.urandom(6).hex()
    oid = _empty_commit(repo)
    try:
        (made,) = push(repo, remote.url, [PushUpdate(ref, oid)])
        if not made.ok:
            return _Probe(ref, False, made.reason or made.status)
        is_shown = ref in list_remote(repo, remote.url, [ref])
        (gone,) = push(repo, remote.url, [PushUpdate(ref, None)])
    except RemoteError as error:
        return _Probe(ref, False, str(error))
    return _Probe(ref, is_shown, "" if is_shown else "it takes them and does not show them", left=not gone.ok)


def _empty_commit(repo: Repo) -> str:
    """Write a commit without files or parents, the same each time, and return its id."""
    from ledgit.git import ObjectSet

    objects = ObjectSet()
    who = ("ledgit", "ledgit@localhost", 0, "+0000")
    oid = objects.commit(objects.tree([]), [], who, who, "ledgit doctor asks what this host takes\n")
    objects.write(repo, keep=False)
    return oid
