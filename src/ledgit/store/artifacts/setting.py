"""Where Ledgit's artifact remote is, or is to be: found, set for this clone, written for everybody, tried out."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ledgit.errors import ArtifactDamaged, GitFailed, LedgitError, StorageError, UsageError

if TYPE_CHECKING:
    from ledgit.artifacts import Place
    from ledgit.git import Objects, ObjectSet, Repo
    from ledgit.store.folder import Folder

__all__ = ["beside_pointers", "is_committed", "place_of", "probe", "set_remote", "unset_remote", "write_remote"]

SETTING = "ledgit.artifactRemote"
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def place_of(repo: Repo) -> Place | None:
    """Return where Ledgit's artifact remote is, as this clone is set up; None if nothing says so."""
    from ledgit.artifacts import find_place
    from ledgit.store.config import committed_config

    chosen = repo.config().get("ledgit.artifactRemote")
    settings = {"ledgit.artifactRemote": chosen} if chosen else {}
    return find_place(settings, committed_config(repo, "artifacts"), repo.work_tree)


def set_remote(repo: Repo, url: str, base: str) -> Place:
    """Set this clone's artifact remote in its Git configuration, after the address was understood.

    Args:
        repo: The clone.
        url: An address as DVC has it, or a path.
        base: Folder that a relative path counts from.

    Raises:
        ConfigError: The address can't be understood.
        GitFailed: The configuration can't be written.
    """
    from ledgit.artifacts import find_place
    from ledgit.git import run_git

    if not url.strip():
        raise UsageError("an artifact remote needs an address, such as s3://bucket/folder or a path")
    if not _SCHEME.match(url) and not os.path.isabs(os.path.expanduser(url)) and "@" not in url.partition("/")[0]:
        url = os.path.join(base, url)
    found = find_place({SETTING: url}, {}, repo.work_tree)
    assert found is not None
    run_git(repo, "config", "--local", SETTING, url)
    repo._config = None  # it was read before
    return found


def unset_remote(repo: Repo) -> bool:
    """Remove what :func:`set_remote` set; return whether there was something."""
    from ledgit.git import try_git

    code, _, err = try_git(repo, "config", "--local", "--unset-all", SETTING)
    repo._config = None
    if code not in (0, 5):  # 5: it was not set
        raise GitFailed(("config", "--unset-all", SETTING), code, err)
    return code == 0


def is_committed(place: Place) -> bool:
    """Whether everybody who has the work tree's files finds the remote *place*."""
    return place.public and place.source != "DVC's default remote"


def write_remote(repo: Repo, place: Place) -> list[str]:
    """Write the remote into the work tree's ``.dvc/config``, without credentials; return the files that changed.

    They are the user's to look at and commit.

    Raises:
        UsageError: There is no work tree.
        ConfigError: The file there is none of DVC's.
        StorageError: It can't be written.
    """
    from ledgit.artifacts import DVC_GITIGNORE, dvc_config
    from ledgit.records.dvcfiles import DVC_CONFIG, DVC_IGNORE

    if repo.work_tree is None:
        raise UsageError("a bare repository has no work tree to write .dvc/config into")
    before = _read(os.path.join(repo.work_tree, DVC_CONFIG))
    wanted = {DVC_CONFIG: dvc_config(place, before)}
    if _read(os.path.join(repo.work_tree, DVC_IGNORE)) is None:
        wanted[DVC_IGNORE] = DVC_GITIGNORE
    changed = []
    for name, data in wanted.items():
        path = os.path.join(repo.work_tree, name)
        if _read(path) == data:
            continue
        scratch = f"{path}.{os.urandom(4).hex()}.tmp"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(scratch, "xb") as file:
                file.write(data)
            os.replace(scratch, path)
        except OSError as error:
            raise StorageError(path, error.strerror or str(error)) from error
        changed.append(name)
    return changed


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def probe(folder: Folder, place: Place) -> None:
    """Write an object there, read it back and delete it.

    Raises:
        RemoteError, MissingDependency: One of these can't be done.
        ArtifactDamaged: What came back was something else.
    """
    import shutil

    from ledgit.artifacts import Cache, open_remote

    scratch = os.path.join(folder.make(folder.scratch), f"probe-{os.urandom(6).hex()}")
    try:
        cache = Cache(scratch)
        oid = cache.put_bytes(b"ledgit was here " + os.urandom(16))
        with open_remote(place) as remote:
            moved = remote.upload(cache, [oid])
            if moved.errors:
                raise moved.errors[oid]
            whole = remote.verify(oid)
            moved = remote.delete([oid])
            if moved.errors:
                raise moved.errors[oid]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not whole:
        raise ArtifactDamaged(place.shown, "what was written there came back as something else")


def beside_pointers(repo: Repo, objects: Objects, fresh: ObjectSet, root: str | None) -> str | None:
    """Return the tree *root* of a run that has pointers, with the ``.dvc/config`` by which DVC alone finds them.

    Where nothing says where the remote is, or DVC's configuration in the tree can't be read, it stays as it is.

    Args:
        repo: The clone, whose settings count.
        objects: Reads the tree.
        fresh: Takes what is new.
        root: The run's tree; None: empty.
    """
    from ledgit.artifacts import DVC_GITIGNORE, dvc_config
    from ledgit.git import FILE, edit_tree
    from ledgit.records.dvcfiles import DVC_CONFIG, DVC_IGNORE, mark, unmark

    try:
        place = place_of(repo)
        if place is None:
            return root
        there = objects.find(root, DVC_CONFIG) if root is not None else None
        data = objects.read(there.oid)[1] if there is not None and there.mode == FILE else None
        ours = unmark(data) if data is not None else None
        before = data if ours is None else ours.config
        config = dvc_config(place, before)
    except LedgitError:
        return root  # a push says what is wrong with it
    if (there is not None and there.mode != FILE) or config == before:
        return root
    ignore = objects.find(root, DVC_IGNORE) is not None if root is not None else False
    made = not ignore or (ours is not None and not ours.ignore)
    changes: dict[str, tuple[str, str] | None] = {
        DVC_CONFIG: (FILE, fresh.blob(mark(config, before, ignore=made))),
    }
    if not ignore:
        changes[DVC_IGNORE] = (FILE, fresh.blob(DVC_GITIGNORE))
    return edit_tree(objects, fresh, root, changes)
