"""Read and change refs.

Refs below ``refs/ledgit/`` are read and written here as Git's files backend does it (a lock
file next to the ref, renamed over it), because starting ``git update-ref`` costs more than the
whole rest of finishing a run. They get no reflog. So are new tags, unless a hook of the user's
wants to hear of them or they have reflogs. Everything else goes to ``git update-ref``, which keeps
reflogs and runs the user's hooks.

A ref file that is empty or torn (the shape a power loss leaves) counts as absent: what was
packed is used instead, and the file can be written over.

What killed processes leave of lock files: :mod:`ledgit.git.reflock`.
"""

from __future__ import annotations

import errno
import os
import time

from ledgit.errors import Conflict, GitFailed, InvalidName, ReadOnlyRepository, RefMoved, StorageError
from ledgit.git.packedrefs import PackedRefs, oid_of, packed_refs
from ledgit.git.reflock import OURS, PATIENCE, lock_ref, no_cleaning, remove_if_stale, unlink, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.git.repo import Repo

__all__ = ["RefUpdate", "list_refs", "read_head", "read_ref", "stamp", "update_refs"]

ZERO = "0" * 40
_MOST_FILES = 64  # locks held open at a time; larger updates are Git's
_RACY = 50_000_000  # ns: a directory changed this recently may change again under the same mtime
_TAGS = "refs/tags/"
_FORBIDDEN = frozenset(" ~^:?*[\\\x7f")


class RefUpdate:
    """One change of a ref.

    Attributes:
        name: Full name, such as ``refs/ledgit/runs/<id>``.
        new: Id it is to have, ``None`` to delete it.
        old: Id it must have now; ``None``: it must not exist. :attr:`ANY`: whatever it has.
        durable: Whether it is worth a sync in a step that is synced: not where the step's other refs say the same.
    """

    __slots__ = ("durable", "name", "new", "old")
    ANY = "*"

    def __init__(self, name: str, new: str | None, old: str | None = None, *, durable: bool = True) -> None:
        self.name, self.new, self.old, self.durable = name, new, old, durable

    def __repr__(self) -> str:
        return f"RefUpdate({self.name!r}, {self.new!r}, {self.old!r})"


def read_ref(repo: Repo, name: str) -> str | None:
    """Return the id that the ref *name* has, or ``None`` when it doesn't exist."""
    value = _read_loose(os.path.join(repo.common_dir, name))
    if value is None:
        value = packed_refs(repo, name).get(name)
    return value


def read_head(repo: Repo) -> tuple[str | None, str | None]:
    """Return the commit and the branch that HEAD names, from its file; None for what only Git could tell."""
    try:
        with open(os.path.join(repo.git_dir, "HEAD"), encoding="utf-8", errors="surrogateescape") as file:
            text = file.read().rstrip("\n")
    except OSError:
        return None, None
    if text.startswith("ref: refs/heads/"):
        name = text[5:]
        return read_ref(repo, name), name.removeprefix("refs/heads/")
    return oid_of(text.encode("ascii", "replace")), None


def list_refs(repo: Repo, prefix: str = "refs/ledgit/") -> dict[str, str]:
    """Return the refs below *prefix* (ends in ``/``; or one ref's full name): name → id.

    Symbolic refs are left out. One file is opened for each loose ref: 10-20 µs each.
    """
    if not prefix.endswith("/"):
        value = read_ref(repo, prefix)
        return {} if value is None else {prefix: value}
    # Loose before packed: a ref that is being packed meanwhile is then in at least one of them.
    loose = dict(_walk(os.path.join(repo.common_dir, prefix.rstrip("/")), prefix))
    found = packed_refs(repo, prefix)
    found.update((name, value) for name, value in loose.items() if value is not None)
    return found


def stamp(repo: Repo, prefix: str = "refs/ledgit/") -> tuple[object, ...] | None:
    """Return something that is equal as long as no ref below *prefix* has changed.

    It comes from the time stamps of ``packed-refs`` and of the folders below *prefix*: a ref
    is changed by renaming a file over it, which shows in its folder. ``None`` means "look": a
    folder was changed so recently (50 ms; 2 s where a file system keeps whole seconds) that a
    further change might not show. On a network file system whose clock lags behind, a change
    within the lag may be missed until the next one.
    """
    now = time.time_ns()
    marks: list[object] = []
    try:
        packed = os.stat(os.path.join(repo.common_dir, "packed-refs"))
        marks.append((packed.st_mtime_ns, packed.st_size, packed.st_ino))
    except FileNotFoundError:
        marks.append(None)
    folders = [os.path.join(repo.common_dir, prefix.rstrip("/"))]
    while folders:
        folder = folders.pop()
        try:
            info = os.stat(folder)
            # A folder with two links has no folders in it (its own name and its "."); file
            # systems that don't count them say 1, macOS counts files as well: both are looked at.
            if info.st_nlink != 2:
                with os.scandir(folder) as entries:
                    folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            marks.append((folder, None))
            continue
        changed = info.st_mtime_ns
        if now - changed < (_RACY if changed % 1_000_000_000 else 2_000_000_000):
            return None
        marks.append((folder, changed, info.st_ino))
    return tuple(marks)


def update_refs(repo: Repo, updates: Sequence[RefUpdate], *, durable: bool = True) -> None:
    """Change refs, all of them or, when one doesn't have its old value, none.

    A crash in the middle may leave some changed (Git's files backend can't do better); each
    by itself is old or new, never torn.

    Args:
        repo: Where.
        updates: What; a name may stand there once.
        durable: Sync the files and their folders before returning.

    Raises:
        RefMoved: A ref doesn't have its old value.
        Conflict: Another process holds a ref's lock for more than two seconds.
        InvalidName: A name that can't be a ref.
        StorageError: The disk is full or failing.
        ReadOnlyRepository: The repository can't be written.
    """
    if not updates:
        return
    for update in updates:
        _check_ref_name(update.name)
    if len(updates) <= _MOST_FILES and all(_is_plain(repo, update) for update in updates):
        _update_files(repo, sorted(updates, key=lambda update: update.name), durable)
    else:
        _update_by_git(repo, updates)


def sync_ref(repo: Repo, name: str) -> None:
    """Make a ref durable that was written with ``durable=False``; a packed one is so already.

    Raises:
        StorageError: The disk failed.
    """
    path = os.path.join(repo.common_dir, name)
    try:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            _sync_folder(os.path.dirname(path))
        except FileNotFoundError:  # the ref was deleted meanwhile, and its folder was empty then
            pass
    except OSError as err:
        raise _write_error(repo, err) from err


def _check_ref_name(name: str) -> None:
    """``git check-ref-format``, for names that also become file names."""
    parts = name.split("/")
    if parts[0] != "refs" or len(parts) < 3:
        raise InvalidName("ref", name, "must begin with refs/ and a kind")
    if ".." in name or "@{" in name or any(char in _FORBIDDEN or ord(char) < 32 for char in name):
        raise InvalidName("ref", name, "has a character that Git doesn't allow")
    for part in parts:
        if not part or part.startswith(".") or part.endswith((".", ".lock")):
            raise InvalidName("ref", name, "has a part that is empty, begins or ends with a dot, or ends in .lock")


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str | None]]:
    try:
        with os.scandir(folder) as scan:
            entries = [(entry.name, entry.is_dir()) for entry in scan]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name, is_folder in entries:
        if is_folder:
            yield from _walk(f"{folder}/{name}", f"{prefix}{name}/")
        elif not name.endswith(".lock"):
            yield prefix + name, _read_loose(f"{folder}/{name}")


def _read_loose(path: str) -> str | None:
    """The id in a ref file; ``None`` when there is none, it is torn, or it names another ref."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        raise StorageError(path, err.strerror or str(err)) from err
    try:
        data = os.read(fd, 4096)
    except IsADirectoryError:
        return None
    finally:
        os.close(fd)
    return oid_of(data.strip())


def _is_plain(repo: Repo, update: RefUpdate) -> bool:
    """Whether nobody but Git's files backend has a part in *update*: no hook, no reflog."""
    if update.name.startswith("refs/ledgit/"):
        return True
    return update.name.startswith(_TAGS) and update.new is not None and update.old is None and _tags_are_plain(repo)


def _tags_are_plain(repo: Repo) -> bool:
    config = repo.config()
    if (config.get("core.logAllRefUpdates") or "").lower() == "always":
        return False
    hooks = config.get("core.hooksPath")
    folder = os.path.join(repo.run_dir, os.path.expanduser(hooks)) if hooks else os.path.join(repo.common_dir, "hooks")
    return not os.path.exists(os.path.join(folder, "reference-transaction"))


def _check_room(name: str, path: str, packed: PackedRefs) -> None:
    """Check that no ref stands where *name* needs a folder, and none below it: people choose the names of tags.

    Raises:
        Conflict: One does.
    """
    parts = name.split("/")
    for cut in range(3, len(parts)):
        above = "/".join(parts[:cut])
        if packed.get(above) is not None:
            raise Conflict(f"{name} can't be made: there is a ref {above}")
    below = next(iter(packed.below(f"{name}/")), None) or next(
        (ref for ref, value in _walk(path, f"{name}/") if value is not None), None
    )
    if below is not None:
        raise Conflict(f"{name} can't be made: there is a ref {below}")


def _update_files(repo: Repo, updates: Sequence[RefUpdate], durable: bool) -> None:
    locks: list[tuple[RefUpdate, str, int]] = []  # whose lock file we hold, open for its flock
    folders: set[str] = set()
    by_git: list[RefUpdate] = []
    try:
        for update in updates:
            path = os.path.join(repo.common_dir, update.name)
            fd = lock_ref(repo, path)
            locks.append((update, path, fd))
            if update.new is not None:
                write_all(fd, update.new.encode("ascii") + b"\n")
                if durable and update.durable:
                    os.fsync(fd)
        with PackedRefs(repo) as packed:  # once all are locked
            for update, path, _ in locks:
                if update.old == RefUpdate.ANY:
                    continue
                now = _read_loose(path) or packed.get(update.name)
                if now != update.old:
                    raise RefMoved(update.name)
                if update.name.startswith(_TAGS):
                    _check_room(update.name, path, packed)
        while locks:
            update, path, fd = locks[0]
            if update.new is not None:
                _rename(path)
            elif _delete(repo, update, path):
                by_git.append(update)
            locks.pop(0)
            os.close(fd)
            if update.durable:
                folders.add(os.path.dirname(path))
        if durable:
            for folder in folders:
                _sync_folder(folder)
    except OSError as err:
        raise _write_error(repo, err) from err
    finally:
        for _, path, fd in locks:
            unlink(path + ".lock")
            os.close(fd)
    if by_git:
        _update_by_git(repo, by_git)


def _rename(path: str) -> None:
    try:
        os.rename(path + ".lock", path)
    except IsADirectoryError:
        _remove_empty_folders(path)  # left by refs that once were below this name
        os.rename(path + ".lock", path)


def _delete(repo: Repo, update: RefUpdate, path: str) -> bool:
    """Delete a ref whose lock we hold and release it; return whether Git has to do the rest.

    ``packed-refs`` is locked meanwhile: a ``git pack-refs`` could otherwise put the ref into it
    just after we looked.
    """
    packed = os.path.join(repo.common_dir, "packed-refs")
    # This file is never renamed into place, so it can say whose it is: one left by a killed
    # process would stand in the way of the user's own git.
    fd = lock_ref(repo, packed, OURS)
    try:
        rest = update.name in packed_refs(repo, update.name)
        if not rest or _read_loose(path) is None:
            unlink(path)
    finally:
        unlink(packed + ".lock")
        os.close(fd)
    unlink(path + ".lock")
    return rest


def _remove_empty_folders(path: str) -> None:
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_error(repo: Repo, err: OSError) -> StorageError | ReadOnlyRepository | Conflict:
    where = err.filename or repo.common_dir
    if err.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return ReadOnlyRepository(f"{where} can't be written: {err.strerror}")
    if err.errno in (errno.ENOTEMPTY, errno.EISDIR):
        return Conflict(f"{where} can't be made: other refs are below that name")
    return StorageError(str(where), err.strerror or str(err))


def _update_by_git(repo: Repo, updates: Sequence[RefUpdate], *, again: bool = False) -> None:
    """Change refs by ``git update-ref``, in one transaction."""
    from ledgit.git.command import run_git

    lines = []
    for update in updates:
        name = update.name.encode("utf-8", "surrogateescape")
        old = b"" if update.old == RefUpdate.ANY else (update.old or ZERO).encode("ascii")
        if update.new is None:
            if update.old is None:
                raise RefMoved(update.name)  # "delete what doesn't exist" can't hold
            lines.append(b"delete %s\0%s\0" % (name, old))
        else:
            lines.append(b"update %s\0%s\0%s\0" % (name, update.new.encode("ascii"), old))
    settings = (
        *("-c", "core.fsync=all"),
        *("-c", f"core.filesRefLockTimeout={int(PATIENCE * 1000)}"),
        *("-c", f"core.packedRefsTimeout={int(PATIENCE * 1000)}"),
    )
    try:
        # A large transaction holds its locks for more than a second, and not by flock.
        with no_cleaning(repo):
            run_git(repo, *settings, "update-ref", "-z", "--stdin", stdin=b"".join(lines))
    except GitFailed as err:
        if "Unable to create" in err.stderr and ".lock" in err.stderr:
            paths = [os.path.join(repo.common_dir, name) for name in ("packed-refs", *(u.name for u in updates))]
            removed = [path for path in paths if remove_if_stale(repo, f"{path}.lock")]
            if removed and not again:
                _update_by_git(repo, updates, again=True)
                return
            raise Conflict(str(err)) from err
        if "cannot lock ref" in err.stderr or "already exists" in err.stderr:
            moved = next((update.name for update in updates if f"'{update.name}'" in err.stderr), updates[0].name)
            raise RefMoved(moved) from err
        raise
