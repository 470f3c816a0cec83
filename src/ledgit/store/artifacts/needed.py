"""Which objects any run needs, whatever state it is in: what a sweep must leave alone."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from ledgit.errors import LedgitError
from ledgit.store.artifacts.naming import Unread, is_list, members_of, named_by, object_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ledgit.artifacts import ObjectRemote
    from ledgit.git import Objects, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["every_object", "is_tip_alone", "needed_here", "needed_objects"]

_MANY = 20  # earlier commits of a run


def every_object(repo: Repo, folder: Folder, unread: Unread) -> Iterator[tuple[str, str]]:
    """Yield (object id, run id) of all that this clone's runs need, whatever state they are in; some several times.

    That are the runs of the clone's ledger and of the remotes' as last seen, loose ones, those that
    are being written or wait to be finalized, with all their earlier commits.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        unread: Is told what could not be read: the objects that this names are not known.
    """
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    seen: set[str] = set()
    # Journals first, and loose runs before the ledger: the way that runs go, so that none slips by.
    named = ((run_id, oid) for run_id, oid, _, _ in named_by(repo, _every_commit(repo, folder, unread), unread))
    for run_id, oid in chain(list(_journals(folder, unread)), named):
        yield oid, run_id
        if is_list(oid) and oid not in seen:
            seen.add(oid)
            for _, member in members_of(cache, oid, unread):
                yield member, run_id


def needed_objects(
    repo: Repo, folder: Folder, there: ObjectRemote | None, progress: Progress | None = None
) -> set[str]:
    """Return every object that a run needs which this clone knows of, whatever state it is in.

    Lists of folders that are not here are fetched from *there*.

    Raises:
        ArtifactsMissing: A list can't be had.
        Conflict: Something can't be read.
        NotHere: A run's commit is not in this clone.
    """
    from ledgit.errors import ArtifactsMissing, NotHere

    tried: set[str] = set()
    while True:
        unread = Unread()
        found: set[str] = set()
        users: dict[str, str] = {}
        for oid, run_id in every_object(repo, folder, unread):
            found.add(oid)
            if is_list(oid):
                users.setdefault(oid, run_id)
        if unread.absent:
            reason = "who deletes artifacts must know what every run needs; do it in a clone that has it"
            raise NotHere(f"the run commit {unread.absent[0][:12]} that the ledger lists", reason=reason)
        _check_read(unread, users)
        if not unread.lists:
            return found
        wanted = unread.lists - tried
        if there is None or not wanted:
            lost = sorted(unread.lists)
            raise ArtifactsMissing(
                [f"the list of a folder (md5:{oid})" for oid in lost],
                sorted({users[oid] for oid in lost if oid in users}),
                "without it nobody knows which artifacts are still needed, so nothing was deleted",
                "'ledgit verify --remote --all' says who may have it",
            )
        from ledgit.artifacts import Cache

        there.download(Cache(folder.cache), sorted(wanted), progress)
        tried |= wanted


def needed_here(
    repo: Repo, folder: Folder, there: ObjectRemote | None = None, progress: Progress | None = None
) -> set[str]:
    """Return what the clone's own cache must keep: as :func:`needed_objects`, where the whole ledger is here.

    In a clone of its tip alone it is what runs need whose commits are here, and folders whose lists are: what
    another run needs was sent by somebody else, and can be fetched.

    Raises:
        ArtifactsMissing, Conflict, NotHere: As there.
    """
    if not is_tip_alone(repo):
        return needed_objects(repo, folder, there, progress)
    unread = Unread()
    users: dict[str, str] = {}
    found = set()
    for oid, run_id in every_object(repo, folder, unread):
        found.add(oid)
        if is_list(oid):
            users.setdefault(oid, run_id)
    _check_read(unread, users)
    return found


def is_tip_alone(repo: Repo) -> bool:
    """Whether most runs' commits are on the remote only."""
    from ledgit.store.sync.tip import tip_exists, wanted

    return tip_exists(repo) or wanted(repo)


def _check_read(unread: Unread, users: Mapping[str, str]) -> None:
    """Refuse where something that is here can't be read; *users* says which run has a list.

    Raises:
        Conflict: With what, and why.
    """
    import os

    from ledgit.errors import Conflict

    if unread.commits:
        where, why = next(iter(unread.commits.items()))
        user = unread.users.get(where)
        what = f"{user.path} of run {user.runs[0][:8]}" if user is not None else os.path.basename(where)[:12]
        raise Conflict(
            f"nothing was deleted: {what} can't be read ({why}), so nobody knows which"
            " artifacts it needs; 'ledgit doctor' and 'ledgit verify --all' may say more"
        )
    if unread.broken:
        oid, why = next(iter(unread.broken.items()))
        whose = f" of run {users[oid][:8]}" if oid in users else ""
        raise Conflict(
            f"nothing was deleted: the list of a folder (md5:{oid}){whose} does not decode (it {why}), so nobody"
            " knows which artifacts are still needed; 'ledgit verify --all' says which runs have it and what to do"
        )


def _every_commit(repo: Repo, folder: Folder, unread: Unread) -> Iterator[tuple[str, str]]:
    """Yield (run id, commit) of all finalized runs; an id may be cut to 16 digits."""
    from ledgit.git import Objects, list_refs
    from ledgit.store.journal import read_parts
    from ledgit.store.ledger import every_line
    from ledgit.store.ledger.loose import loose_runs

    objects = Objects.of(repo)
    gone = _purged(repo, objects)
    loose = {run_id: head for run_id, head in loose_runs(repo).items() if run_id not in gone}
    yield from _loose(repo, objects, loose, unread)
    seen: set[str | None] = set()
    tables = list_refs(repo, "refs/ledgit/")
    for name, tip in tables.items():
        if not (name == "refs/ledgit/ledger" or name.startswith(("refs/ledgit/remotes/", "refs/ledgit/incoming/"))):
            continue
        try:
            tree = objects.commit(tip).tree
        except LedgitError:
            continue  # only in the helper repository, or going: what it lists is in the clone's own table
        if tree in seen:
            continue
        seen.add(tree)
        for path, line in every_line(objects, tree):
            if not line.purged and line.id not in gone:
                yield from _commits_of(objects, line, path, unread)
    # A push gives held runs back a ref of their own, and takes them out of the ledger then.
    given = {run_id: head for run_id, head in loose_runs(repo).items() if loose.get(run_id) != head}
    given = {run_id: head for run_id, head in given.items() if run_id not in gone}
    yield from _loose(repo, objects, given, unread)
    from ledgit.store.registry.commits import registration_commits

    # A version keeps what it was registered with, also from a checkpoint that no run's line names.
    yield from ((run_id, commit) for run_id, commit in registration_commits(repo) if run_id not in gone)
    for directory in _directories(folder):
        start = read_parts(directory).first("start")
        if start is not None:
            from ledgit.store.chain import resumed_heads

            for head in resumed_heads(start):
                yield str(start["id"]), head


def _purged(repo: Repo, objects: Objects) -> set[str]:
    """Return the runs that have a tombstone in the clone's ledger: what a remote still lists of them counts no more."""
    from ledgit.store.ledger import every_line, local_ledger

    tip = local_ledger(repo)
    if tip is None:
        return set()
    return {line.id for _, line in every_line(objects, objects.commit(tip).tree) if line.purged}


def _loose(repo: Repo, objects: Objects, runs: Mapping[str, str], unread: Unread) -> Iterator[tuple[str, str]]:
    from ledgit.store.ledger.loose import read_loose

    for run in read_loose(repo, runs):
        if run.line is None:
            unread.commits[run.head] = run.problem
        else:
            yield from _commits_of(objects, run.line, run.id, unread)


def _commits_of(objects: Objects, line: Line, path: str, unread: Unread) -> Iterator[tuple[str, str]]:
    """Yield (run id, commit) of the run's own commits that a line names."""
    if line.opaque or not line.head:
        unread.commits[path] = "a line that does not decode, of a newer Ledgit perhaps"
        return
    yield line.id, line.head
    if len(line.past) > _MANY and b'"left"' in line.raw:  # of very many the line names some
        from ledgit.store.chain import run_commits

        for commit in run_commits(objects, [line.head], line.id):
            yield line.id, commit.oid
    for oid in line.past:
        yield line.id, oid


def _directories(folder: Folder) -> list[str]:
    import os

    found = []
    for parent in (folder.active, folder.settling):
        try:
            found += [os.path.join(parent, name) for name in os.listdir(parent)]
        except OSError:
            continue
    return [path for path in found if os.path.isdir(path)]


def _journals(folder: Folder, unread: Unread) -> Iterator[tuple[str, str]]:
    """Yield (run id, object id) of what journals took into the cache."""
    from ledgit.store.journal import read_parts

    for directory in _directories(folder):
        try:
            state = read_parts(directory)
        except OSError:
            continue  # finalized a moment ago: it is a commit now
        except LedgitError as error:
            unread.commits[directory] = str(error)
            continue
        start = state.first("start") or {}
        for kind, item in state.events:
            if kind in ("hashed", "tree", "artifact", "object"):
                for value in item.values():
                    oid = object_id(value) if isinstance(value, str) else None
                    if oid is not None:
                        yield str(start.get("id", "")), oid
