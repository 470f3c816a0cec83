"""Which objects run commits name: what a push must send, and a fetch get.

One ``git cat-file`` process reads everything. A run without artifacts costs a look at one tree.
"""

from __future__ import annotations

from itertools import islice

from ledgit.errors import LedgitError, RecordError

TYPE_CHECKING = False  # a push of nothing new does without
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ledgit.artifacts import Cache
    from ledgit.git import BatchReader, Repo
    from ledgit.store.folder import Folder

__all__ = ["HISTORY_POINTER", "Need", "Unread", "is_list", "members_of", "named_by", "object_id", "objects_of"]

#: Where the pointer to the histories stands that had no room in the tree, below the run's folder.
HISTORY_POINTER = "history-full.tsv.gz.dvc"
_LISTED = "artifacts.yaml"
_AT_ONCE = 2000  # runs whose trees are in memory together
_MOST_KNOWN = 10_000  # lists of artifacts that stay decoded
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
    for run_id, oid, path, size in named_by(repo, pairs, note):
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
        for path, oid in members_of(cache, listed, note):
            need = found.get(oid)
            if need is None:
                found[oid] = Need(above.runs, f"{above.path}/{path}", None)
            elif need.runs is not above.runs:
                need.runs = list(dict.fromkeys([*need.runs, *above.runs]))


def members_of(cache: Cache, listed: str, note: Unread) -> Iterator[tuple[str, str]]:
    """Yield (path inside, MD5) of what is in the folder whose list is *listed*; *note* is told what can't be read."""
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


def object_id(digest: object) -> str | None:
    """Return the object id that a digest says, or None if it is none."""
    if not isinstance(digest, str):
        return None
    oid = digest.removeprefix("md5:")
    digits = oid.removesuffix(".dir")
    return oid if len(digits) == 32 and _HEX.issuperset(digits) else None


def named_by(
    repo: Repo, commits: Iterable[tuple[str, str]], note: Unread
) -> Iterator[tuple[str, str, str, int | None]]:
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
    oid = object_id(digest)
    if oid is None:
        raise RecordError(path, f"its digest {str(digest)[:50]!r} is no object's")
    return oid
