"""Which objects run commits name: what a push must send, a fetch get, and a sweep leave alone.

One ``git cat-file`` process reads everything. A run without artifacts costs a look at one tree.
"""

from __future__ import annotations

from itertools import chain, islice

from ledgit.errors import LedgitError, RecordError

TYPE_CHECKING = False  # a push of nothing new does without
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ledgit.artifacts import Cache, ObjectRemote
    from ledgit.git import BatchReader, Objects, Repo
    from ledgit.records.table import Line
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["HISTORY_POINTER", "Need", "Unread", "every_object", "is_list", "needed_objects", "objects_of"]

#: Where the pointer to the histories stands that had no room in the tree, below the run's folder.
HISTORY_POINTER = "history-full.tsv.gz.dvc"
_LISTED = "artifacts.yaml"
_AT_ONCE = 2000  # runs whose trees are in memory together
_MOST_KNOWN = 10_000  # lists of artifacts that stay decoded
_MANY = 20  # earlier commits of a run
_MOST_BYTES = 64 << 20  # of a list of artifacts
_HEX = frozenset("0123456789abcdef")


class Need:
    """Who needs an object.

    Attributes:
        runs: Ids of the runs that name it.
        path: Where the first of them has it, for people.
        size: Bytes; None of a folder's list and of its files: nothing says.
    """

    __slots__ = ("path", "runs", "size")

    def __init__(self, runs: list[str], path: str, size: int | None) -> None:
        self.runs, self.path, self.size = runs, path, size

    def __repr__(self) -> str:
        return f"Need({self.runs!r}, {self.path!r}, {self.size!r})"


class Unread:
    """What could not be read while objects were looked for: who sweeps must stop there.

    Attributes:
        commits: Run commits that are here but for their list of artifacts, or whose list doesn't decode → why.
        absent: Run commits that are not here.
        lists: Lists of folders that are not in the cache, so that nobody knows what is in the folder.
        broken: Lists of folders whose content is what their id says, and doesn't decode → why. No copy helps.
        users: Who has what *commits* names, and where, as far as it is known.
    """

    __slots__ = ("absent", "broken", "commits", "lists", "users")

    def __init__(self) -> None:
        self.commits: dict[str, str] = {}
        self.absent: list[str] = []
        self.lists: set[str] = set()
        self.broken: dict[str, str] = {}
        self.users: dict[str, Need] = {}

    def __bool__(self) -> bool:
        return bool(self.commits or self.absent or self.lists or self.broken)

    def note_user(self, where: str, run_id: str, path: str) -> None:
        """Note that a run has what can't be read."""
        need = self.users.setdefault(where, Need([], path, None))
        if run_id not in need.runs[-1:]:
            need.runs.append(run_id)


def is_list(oid: str) -> bool:
    """Whether *oid* is that of a folder's list."""
    return oid.endswith(".dir")


def objects_of(
    repo: Repo, folder: Folder, runs: Mapping[str, Iterable[str]], *, members: bool = True, unread: Unread | None = None
) -> dict[str, Need]:
    """Return the objects that run commits name: id → who needs it.

    Args:
        repo: The repository.
        folder: Ledgit's folder, with the cache.
        runs: Run id → commits of it.
        members: Also what folders hold, where their list is in the cache.
        unread: Is told what could not be read; without it that is passed over.
    """
    found: dict[str, Need] = {}
    note = unread if unread is not None else Unread()
    pairs = ((run_id, head) for run_id, heads in runs.items() for head in heads)
    for run_id, oid, path, size in _named(repo, pairs, note):
        need = found.get(oid)
        if need is None:
            found[oid] = Need([run_id], path, None if is_list(oid) else size)  # a pointer has its files' size
        elif need.runs[-1] != run_id:
            need.runs.append(run_id)
    if members:
        _add_members(folder, found, note)
    return found


def _add_members(folder: Folder, found: dict[str, Need], note: Unread) -> None:
    lists = [oid for oid in found if is_list(oid)]
    if not lists:
        return
    from ledgit.artifacts import Cache

    cache = Cache(folder.cache)
    for listed in lists:
        above = found[listed]
        for path, oid in _members(cache, listed, note):
            need = found.get(oid)
            if need is None:
                found[oid] = Need(above.runs, f"{above.path}/{path}", None)
            elif need.runs is not above.runs:
                need.runs = list(dict.fromkeys([*need.runs, *above.runs]))


def _members(cache: Cache, listed: str, note: Unread) -> Iterator[tuple[str, str]]:
    from ledgit.artifacts import decode_list

    try:
        data = cache.read(listed)
    except LedgitError:  # not here, or damaged
        note.lists.add(listed)
        return
    try:
        members = decode_list(data, listed)
    except RecordError as error:
        note.broken[listed] = error.reason
        return
    for member in members:
        yield member.path, member.md5


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
    named = ((run_id, oid) for run_id, oid, _, _ in _named(repo, _every_commit(repo, folder, unread), unread))
    for run_id, oid in chain(list(_journals(folder, unread)), named):
        yield oid, run_id
        if is_list(oid) and oid not in seen:
            seen.add(oid)
            for _, member in _members(cache, oid, unread):
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
    import os

    from ledgit.errors import ArtifactsMissing, Conflict, NotHere

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
                    oid = _oid(value) if isinstance(value, str) else None
                    if oid is not None:
                        yield str(start.get("id", "")), oid


def _oid(digest: object) -> str | None:
    """Return the object id that a digest says, or None if it is none."""
    if not isinstance(digest, str):
        return None
    oid = digest.removeprefix("md5:")
    digits = oid.removesuffix(".dir")
    return oid if len(digits) == 32 and _HEX.issuperset(digits) else None


def _named(repo: Repo, commits: Iterable[tuple[str, str]], note: Unread) -> Iterator[tuple[str, str, str, int | None]]:
    """Yield (run, object, path, size) of all that run commits name; a list that edits left as it was is read once."""
    from ledgit.git import BatchReader
    from ledgit.records.names import RUN_FOLDER

    known: dict[str, list[tuple[str, str, int | None]]] = {}
    pending = iter(commits)
    with BatchReader(repo) as reader:
        while chunk := list(islice(pending, _AT_ONCE)):
            blobs = _blobs(reader, chunk, note)
            if len(known) > _MOST_KNOWN:
                known.clear()
            kinds = {blob: kind for _, _, blob, kind in blobs if blob not in known}
            answers = reader.read_many(kinds, most=_MOST_BYTES)
            for (blob, kind), answer in zip(kinds.items(), answers, strict=True):
                known[blob] = _decode(blob, kind, answer, note)
            for run_id, _, blob, kind in blobs:
                if blob in note.commits:
                    note.note_user(blob, run_id, f"{RUN_FOLDER}/{kind}")
                for oid, path, size in known[blob]:
                    yield run_id, oid, path, size


def _blobs(reader: BatchReader, commits: list[tuple[str, str]], note: Unread) -> list[tuple[str, str, str, str]]:
    """Return (run, commit, blob, name) of the files in which run commits name objects."""
    from ledgit.git.parsing import parse_tree
    from ledgit.records.names import RUN_FOLDER

    found = []
    answers = reader.read_many(f"{head}:{RUN_FOLDER}" for _, head in commits)
    for (run_id, head), answer in zip(commits, answers, strict=True):
        if answer is None or answer[1] != "tree":
            note.absent.append(head)
            continue
        data = answer[2]
        if _LISTED.encode() not in data and HISTORY_POINTER.encode() not in data:
            continue
        try:
            entries = parse_tree(data, head)
        except RecordError as error:
            note.commits[head] = str(error)
            note.note_user(head, run_id, RUN_FOLDER)
            continue
        found += [
            (run_id, head, entry.oid, entry.name) for entry in entries if entry.name in (_LISTED, HISTORY_POINTER)
        ]
    return found


def _decode(
    blob: str, kind: str, answer: tuple[str, str, bytes] | None, note: Unread
) -> list[tuple[str, str, int | None]]:
    """Return (object, path, size) of what a list of artifacts, or a pointer, names."""
    from ledgit.records.artifacts import DVC, decode_artifacts

    try:
        if answer is None or not answer[2]:
            raise RecordError(f"{kind} ({blob[:12]})", "can't be read")
        if kind == HISTORY_POINTER:
            return _pointed(answer[2], kind)
        found: list[tuple[str, str, int | None]] = []
        if b"dvc" in answer[2] or b"\\" in answer[2]:  # which may spell it
            listed = decode_artifacts(answer[2], f"{kind} ({blob[:12]})")
            found += [(_checked(item.digest, item.path), item.path, item.size) for item in listed if item.stored == DVC]
    except LedgitError as error:
        note.commits[blob] = str(error)
        return []
    return found


def _pointed(data: bytes, name: str) -> list[tuple[str, str, int | None]]:
    """Return the objects of a pointer; after a resume without the earlier ones there may be several."""
    from ledgit.records.artifacts import decode_pointers

    return [(_checked(md5, name), path, size) for path, md5, size in decode_pointers(data, name)]


def _checked(digest: object, path: str) -> str:
    oid = _oid(digest)
    if oid is None:
        raise RecordError(path, f"its digest {str(digest)[:50]!r} is no object's")
    return oid
