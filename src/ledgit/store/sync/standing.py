"""Code of purged runs that other runs stand on: pushed with them, what was purged would be public again.

Whoever purges a run keeps it as long as another one stands on its commits, but knows only of the
runs that were pushed. The one who made another keeps the commits with it, and has the tombstone
with the next pull.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.sync.outgoing import Outgoing
    from ledgit.store.sync.remote import Remote

__all__ = ["find_purged"]


def find_purged(repo: Repo, where: Repo, remote: Remote, outgoing: Outgoing) -> dict[str, str]:
    """Return those of the new commits that belong to purged runs: commit → the run's id.

    Args:
        repo: The user's repository, for tombstones that were not pushed yet.
        where: The repository with the remote's ledger as last seen.
        remote: Where the commits would go.
        outgoing: The commits.
    """
    from ledgit.git import Objects, read_ref
    from ledgit.store.ledger import local_ledger
    from ledgit.store.ledger.loose import read_loose
    from ledgit.store.ledger.tree import lines_of, on_other_days

    others: dict[str, list[str]] = {}
    for commit in outgoing.commits.values():
        if commit.other is not None:
            others.setdefault(commit.other, []).append(commit.oid)
    if not others:
        return {}
    lines = read_loose(where, {run_id: oids[0] for run_id, oids in others.items()})
    days = {item.id: (item.line.day if item.line is not None else None) or "" for item in lines}
    purged: set[str] = set()
    for place, tip in ((where, read_ref(where, remote.tracking)), (repo, local_ledger(repo))):
        if tip is None:
            continue
        objects = Objects(place)
        tree = objects.commit(tip).tree
        found = {run_id: lines_of(objects, tree, run_id, day) if day else [] for run_id, day in days.items()}
        found |= on_other_days(objects, tree, {run_id: days[run_id] for run_id, there in found.items() if not there})
        purged.update(run_id for run_id, there in found.items() if any(line.purged for line in there))
    return {oid: run_id for run_id in purged for oid in others[run_id]}
