"""Read Git objects: by libgit2, else by ``git cat-file``.

:class:`Objects` opens only the object database (packs, loose objects, alternates) through
pygit2. It needs no repository of libgit2's, so neither configuration extensions that libgit2
doesn't know nor its own check of the owner can stand in the way: :class:`ledgit.git.Repo` has
dealt with both. pygit2 costs 65 ms to import and is imported with the first read.
:class:`ledgit.git.BatchReader` does without it.
"""

from __future__ import annotations

import os

from ledgit.errors import GitFailed, LedgitError, NotFound, RecordError, RepositoryError, StorageError
from ledgit.git.command import run_git
from ledgit.git.helper import helper_objects, reading_environment
from ledgit.git.light import LightReader, read_loose
from ledgit.git.parsing import GITLINK, TREE, Commit, TreeEntry, parse_commit, parse_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType
    from typing import Any

    from ledgit.git.repo import Repo

__all__ = ["Objects", "read_loose"]

_MAX_DEPTH = 100


class Objects:
    """The objects of a repository, for reading. Usable from several threads; close it, or use ``with``.

    What Ledgit fetched beside the repository (see :mod:`ledgit.git.helper`) is read as well.

    Args:
        repo: The repository.
        own: Read only what the repository itself has. For whoever decides what need not be
            written because it is there.
    """

    def __init__(self, repo: Repo, *, own: bool = False) -> None:
        self.repo = repo
        self._own = own
        self._beside: str | None = None  # the second folder, as far as it is open
        self._odb: Any = None
        self._left = 0  # reads before the open packs are looked at
        self._packs: tuple[int, ...] = ()
        self._error: Callable[[BaseException, str], LedgitError] | None = None
        self._light = LightReader(repo)

    @classmethod
    def of(cls, repo: Repo) -> Objects:
        """Return the reader that everybody in this process shares for *repo*: its packs stay open.

        Of the last few repositories, so that a process that opens many does not run out of file
        descriptors.
        """
        found = _shared.get(repo.objects_dir)
        if found is None:
            found = _shared[repo.objects_dir] = cls(repo)
            for path in list(_shared)[:-_SHARED_MOST]:
                _shared.pop(path, None)  # whoever still has it goes on with it
        return found

    def __enter__(self) -> Objects:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the open packs; the next read opens them again."""
        self._odb = self._beside = None
        self._light.rest()

    def rest(self) -> None:
        """End the git process that small reads may have started; packs stay open."""
        self._light.rest()

    def read(self, oid: str, *, fetch: bool = False) -> tuple[str, bytes]:
        """Return (type, content) of the object *oid* (40 hex digits).

        Args:
            oid: Full object id.
            fetch: Allow Git to get an object that a partial clone left on the remote.

        Raises:
            NotFound: There is no such object here.
            RecordError: The object is damaged.
        """
        found = self._read(oid)
        if found is None and (fetch or not self.repo.partial):
            found = _cat_file(self.repo, oid, fetch=fetch, own=self._own)
        if found is None:
            raise NotFound(oid)
        return found

    def exists(self, oid: str) -> bool:
        """Whether the object is here."""
        return self._read(oid, again=True) is not None

    def at(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file *path* of a commit; None if either is not here.

        Raises:
            RecordError: Something is damaged.
        """
        if self._is_light():
            found = self._light.named(f"{commit}:{path}")
            if found is not None:
                return found[2]
        try:
            entry = self.find(commit, path)
            return None if entry is None else self.read(entry.oid)[1]
        except NotFound:
            return None

    def sized(self, oids: Sequence[str], most: int) -> Iterator[tuple[int, bytes] | None]:
        """Yield (size, content) of each of a few objects; of one larger than *most* bytes no content.

        None stands for one that is not here.
        """
        if self._is_light():
            yield from self._light.sized(oids, most)
            return
        for oid in oids:
            size = self.size(oid)
            yield None if size is None else (size, self.read(oid)[1] if size <= most else b"")

    def size(self, oid: str) -> int | None:
        """Return how many bytes the object *oid* has, without reading it; None if it isn't here."""
        odb = self._opened()
        try:
            return int(odb.read_header(oid)[1])
        except KeyError:
            return self.size(oid) if self._reopen() else None
        except Exception as err:
            raise map_error(err, f"object {oid}") from err

    def kind(self, oid: str) -> str | None:
        """Return what the object *oid* is (commit, tree, blob, tag), None if it isn't here."""
        found = self._read(oid)
        return None if found is None else found[0]

    def commit(self, oid: str, *, fetch: bool = False) -> Commit:
        """Return the commit *oid*; an annotated tag is followed.

        Raises:
            NotFound: There is no such object here.
            RecordError: It is no commit.
        """
        for _ in range(10):
            kind, data = self.read(oid, fetch=fetch)
            if kind == "commit":
                return parse_commit(oid, data)
            if kind != "tag":
                raise RecordError(oid, f"is a {kind}, not a commit")
            oid = data[7:47].decode("ascii", "replace")
        raise RecordError(oid, "is a tag of a tag of a tag …")

    def tree(self, oid: str, *, fetch: bool = False) -> list[TreeEntry]:
        """Return the entries of a tree, or of the tree of a commit or tag, in Git's order."""
        kind, data = self.read(oid, fetch=fetch)
        if kind != "tree":
            oid = self.commit(oid, fetch=fetch).tree
            kind, data = self.read(oid, fetch=fetch)
        if kind != "tree":
            raise RecordError(oid, f"is a {kind}, not a tree")
        return parse_tree(data, oid)

    def find(self, oid: str, path: str) -> TreeEntry | None:
        """Return what *path* names in the tree (or commit) *oid*, or ``None``.

        The empty path names the tree itself.
        """
        kind, _ = self.read(oid)
        here = TreeEntry("", TREE, oid if kind == "tree" else self.commit(oid).tree)
        for part in path.split("/") if path else ():
            if here.mode != TREE:
                return None
            entry = next((entry for entry in self.tree(here.oid) if entry.name == part), None)
            if entry is None:
                return None
            here = entry
        return here

    def files(self, commit: str, prefix: str = "") -> dict[str, bytes]:
        """Return every file below *prefix* in a commit or tree: path relative to it → content.

        Submodules have no content and are left out; of a symbolic link the target is the content.

        Raises:
            NotFound: Something in it is not here.
            RecordError: A tree is damaged, or a path in it would lead out of its folder.
        """
        top = self.find(commit, prefix)
        found: dict[str, bytes] = {}
        if top is not None and top.mode == TREE:
            self._collect(top.oid, "", found, 0)
        return found

    def _collect(self, tree: str, below: str, found: dict[str, bytes], depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise RecordError(tree, f"is a tree more than {_MAX_DEPTH} folders deep")
        for entry in self.tree(tree):
            if entry.name in ("", ".", "..") or "/" in entry.name:
                raise RecordError(tree, f"has an entry called {entry.name!r}")  # Git takes such trees from remotes
            if entry.mode == TREE:
                self._collect(entry.oid, f"{below}{entry.name}/", found, depth + 1)
            elif entry.mode != GITLINK:
                found[below + entry.name] = self.read(entry.oid)[1]

    def _is_light(self) -> bool:
        return self._odb is None and not self._own and self._light.serves()

    def _read(self, oid: str, *, again: bool = False) -> tuple[str, bytes] | None:
        if self._is_light():
            found = self._light.read(oid, again=again)
            if found is not None:
                return found
        odb = self._opened()
        try:
            kind, data = odb.read(oid)
        except KeyError:
            # It may have come, or gone, since the packs were opened.
            return self._read(oid) if self._reopen() else None
        except Exception as err:
            raise map_error(err, f"object {oid}") from err
        return _KINDS.get(kind, "unknown"), data

    def _opened(self) -> Any:
        """Return the open packs, opened anew when others are there now.

        libgit2 finds new ones by itself, but never lets go of those that are gone: of each run or
        edit the process makes, one, with its descriptor and a place in every search.
        """
        odb = self._odb
        if self._left <= 0:
            self._left = _LEAST_READS
            if odb is not None and self._stamp(self._beside) != self._packs:
                odb = None
                try:  # opening costs time with each pack there is
                    names = os.listdir(os.path.join(self.repo.objects_dir, "pack"))
                    self._left = min(max(self._left, len(names)), _MOST_READS)
                except OSError:
                    pass
        self._left -= 1
        return odb or self._open()

    def _open(self) -> Any:
        import pygit2

        # Otherwise a pack stays mapped as far as it was read, 300 MB with 100,000 runs, and all their commits are
        # kept, 40 MB. Reading them costs no more time; again costs 10 µs each.
        pygit2.settings.mwindow_size, pygit2.settings.mwindow_mapped_limit = _WINDOW, _MAPPED
        pygit2.settings.cache_max_size(_CACHED)
        beside = None if self._own else helper_objects(self.repo)
        packs = self._stamp(beside)  # before they are opened: what comes meanwhile is seen later
        try:
            odb = pygit2.Odb(self.repo.objects_dir)
            if beside is not None:
                odb.add_disk_alternate(beside)
        except Exception as err:
            raise map_error(err, self.repo.objects_dir) from err
        self._odb, self._beside = odb, beside
        self._packs = packs
        return odb

    def _stamp(self, beside: str | None) -> tuple[int, ...]:
        """Return something that changes with the packs."""
        found = []
        for folder in (self.repo.objects_dir, beside):
            try:
                found.append(os.stat(os.path.join(folder, "pack")).st_mtime_ns if folder else 0)
            except OSError:
                found.append(0)
        return tuple(found)

    def _reopen(self) -> bool:
        """Open what is beside the repository if it was made or deleted meanwhile; say whether it was."""
        if self._own or helper_objects(self.repo) == self._beside:
            return False
        self._open()
        return True


_LEAST_READS, _MOST_READS = 100, 400  # between two looks at the packs; a read opens one pack at most
_WINDOW, _MAPPED = 1 << 20, 32 << 20  # bytes of packs that are in memory: at once, and of all together
_CACHED = 16 << 20  # bytes of commits and trees that libgit2 keeps
_SHARED_MOST = 8  # repositories
_shared: dict[str, Objects] = {}


def _after_fork() -> None:
    for objects in _shared.values():  # the thread that may have been reading is the parent's
        objects._light.renew_lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}


def map_error(error: Exception, what: str) -> LedgitError:
    """Turn an exception of pygit2 into one of ours; *what* names the object, file or ref concerned."""
    if isinstance(error, LedgitError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = str(error) or type(error).__name__
    if "NotFoundError" in kinds or isinstance(error, KeyError):
        return NotFound(what)
    if isinstance(error, OSError):
        return StorageError(what, error.strerror or text)
    if isinstance(error, MemoryError):
        return StorageError(what, "out of memory")
    if "GitError" in kinds and "ValueError" not in kinds and ("corrupt" in text or "inflate" in text or "zlib" in text):
        return RecordError(what, text)
    if isinstance(error, ValueError) or "InvalidSpecError" in kinds:
        return RecordError(what, text)
    return RepositoryError(f"{what}: {text}")


def _cat_file(repo: Repo, oid: str, *, fetch: bool, own: bool = False) -> tuple[str, bytes] | None:
    env = {} if own else reading_environment(repo)
    if fetch:  # may write: the user's repository must not depend on what is beside it
        env = {"GIT_NO_LAZY_FETCH": "0"}
    try:
        out = run_git(repo, "cat-file", "--batch", stdin=oid.encode("ascii", "replace") + b"\n", env=env)
    except GitFailed:
        if repo.partial:
            return None  # could not be fetched
        raise
    head, _, data = out.partition(b"\n")
    words = head.split(b" ")
    if len(words) != 3 or words[1] == b"missing":
        return None
    return words[1].decode("ascii"), data[: int(words[2])]
