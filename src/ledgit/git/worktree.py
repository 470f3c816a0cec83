"""Write a run's code into the work tree, or make it a branch.

Git writes the files (``git checkout-index`` from an index of our own), so that smudge filters
and line-end attributes apply. HEAD, the user's index and the run files stay as they are.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledgit.errors import Conflict, GitFailed, InvalidName, RefMoved, RepositoryError, WorkTreeChanged
from ledgit.git.changes import QUIET, in_run_folder
from ledgit.git.command import run_git, try_git
from ledgit.git.helper import reading_environment
from ledgit.git.objects import Objects
from ledgit.git.pack import ObjectSet
from ledgit.git.refs import RefUpdate, update_refs
from ledgit.git.repo import Repo
from ledgit.git.runcode import users_dvc_files
from ledgit.git.shared import make_folders
from ledgit.git.status import parse_status
from ledgit.git.trees import check_path
from ledgit.records.dvcfiles import DVC_CONFIG

__all__ = ["Applied", "apply_tree", "create_branch"]

_GITLINK = b"160000"


class Applied(NamedTuple):
    """What :func:`apply_tree` did; paths below the top of the work tree.

    Attributes:
        written: Files made or changed.
        deleted: Tracked files that the tree doesn't have.
        submodules: Submodules at another commit than the tree names; they were left alone.
    """

    written: tuple[str, ...]
    deleted: tuple[str, ...]
    submodules: tuple[str, ...]


def apply_tree(repo: Repo, tree: str, paths: Sequence[str] | None = None, force: bool = False) -> Applied:
    """Make the work tree's files those of *tree*; untracked files that it doesn't have stay.

    Args:
        repo: A repository with a work tree.
        tree: A commit or tree. ``.ledgit/run`` in it is passed over.
        paths: Files and folders to limit it to, relative to the top; default: all.
        force: Overwrite uncommitted changes.

    Raises:
        WorkTreeChanged: Files with uncommitted changes would be overwritten; nothing was written.
        UnsafePath: The tree has a path that must not be written.
        GitFailed: Git couldn't write the files.
    """
    if repo.work_tree is None:
        raise RepositoryError(f"{repo.git_dir} is a bare repository, which has no files to change")
    folder = os.path.join(repo.common_dir, "ledgit")
    make_folders(folder)
    scratch = os.path.join(folder, f"index-{os.urandom(6).hex()}")
    try:
        return _apply(repo, tree, _limits(paths), scratch, force=force)
    finally:
        for leftover in (scratch, f"{scratch}.lock"):
            if os.path.lexists(leftover):
                os.unlink(leftover)


def _limits(paths: Sequence[str] | None) -> list[bytes] | None:
    if paths is None:
        return None
    limits = [path.strip("/").encode("utf-8", "surrogateescape") for path in paths]
    return None if b"" in limits or b"." in limits else limits


def _apply(repo: Repo, tree: str, limits: list[bytes] | None, scratch: str, *, force: bool) -> Applied:
    root = os.fsencode(repo.work_tree or "")
    target = _with_users_files(repo, tree, _tree_entries(repo, tree))
    present, hidden = _index_entries(repo)
    out = run_git(
        repo,
        *QUIET,
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=no",
        "--no-renames",
        "--ignore-submodules=all",
    )
    status = parse_status(out)
    changed = {*status.staged, *status.work_tree_changes}
    write: list[bytes] = []
    delete: list[bytes] = []
    submodules: list[bytes] = []
    for path, entry in target.items():
        if path in hidden or not _within(path, limits):
            continue
        if entry[0] == _GITLINK:
            if present.get(path) != entry:
                submodules.append(path)
        elif present.get(path) != entry or path in changed:
            write.append(path)
    for path, entry in present.items():
        if path not in target and path not in hidden and _within(path, limits) and not in_run_folder(path):
            if entry[0] == _GITLINK:
                submodules.append(path)
            elif _is_there(root, path):
                delete.append(path)
    have = _on_disk(repo, root, [*write, *delete])
    write = [path for path in write if have.get(path) != target[path]]
    if not force:
        # Neither what `git status` reports nor what `assume-unchanged` hides from it may be lost.
        changed |= {path for path, entry in have.items() if path in present and entry[1] != present[path][1]}
        going = set(delete)
        blocked = [path for path in delete if path in changed]
        blocked += [path for path in write if _would_lose(root, path, present, changed, going)]
        if blocked:
            raise WorkTreeChanged(sorted(_text(path) for path in blocked))
    for path in delete:
        _delete(root, path)
    # Attributes first: Git takes them from the work tree when it writes the other files.
    attributes = [path for path in write if path.rpartition(b"/")[2] == b".gitattributes"]
    _check_out(repo, scratch, target, attributes)
    _check_out(repo, scratch, target, [path for path in write if path not in set(attributes)])
    return Applied(_sorted(write), _sorted(delete), _sorted(submodules))


def _tree_entries(repo: Repo, tree: str) -> dict[bytes, tuple[bytes, bytes]]:
    """Path → (mode, id) of all files of *tree* but run files."""
    env = reading_environment(repo)
    out = run_git(repo, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree, env=env)
    entries: dict[bytes, tuple[bytes, bytes]] = {}
    for line in out.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            if not in_run_folder(path):
                check_path(_text(path))
                mode, _, oid = head.split(b" ")
                entries[path] = (mode, oid)
    return entries


def _with_users_files(
    repo: Repo, tree: str, entries: dict[bytes, tuple[bytes, bytes]]
) -> dict[bytes, tuple[bytes, bytes]]:
    """Put back what Ledgit changed in a run's ``.dvc`` folder."""
    if DVC_CONFIG.encode() not in entries:
        return entries
    oid = run_git(repo, "rev-parse", "--verify", "--end-of-options", f"{tree}^{{tree}}", env=reading_environment(repo))
    for path, data in users_dvc_files(Objects(repo), oid.decode("ascii").strip()).items():
        if data is None:
            entries.pop(path.encode(), None)
        else:
            blob = run_git(repo, "hash-object", "-w", "--no-filters", "--stdin", stdin=data).strip()
            entries[path.encode()] = (entries[path.encode()][0], blob)
    return entries


def _index_entries(repo: Repo) -> tuple[dict[bytes, tuple[bytes, bytes]], set[bytes]]:
    """Path → (mode, id) of the index, and the paths that a sparse checkout leaves out."""
    out = run_git(repo, *QUIET, "ls-files", "-s", "-t", "-z")
    entries: dict[bytes, tuple[bytes, bytes]] = {}
    hidden: set[bytes] = set()
    for line in out.split(b"\0"):
        if line:
            head, _, path = line.partition(b"\t")
            tag, mode, oid, _ = head.split(b" ")
            entries[path] = (mode, oid)
            if tag == b"S":
                hidden.add(path)
    return entries, hidden


def _within(path: bytes, limits: list[bytes] | None) -> bool:
    return limits is None or any(path == limit or path.startswith(limit + b"/") for limit in limits)


def _check_out(repo: Repo, scratch: str, target: dict[bytes, tuple[bytes, bytes]], paths: list[bytes]) -> None:
    if not paths:
        return
    env = {"GIT_INDEX_FILE": scratch}
    info = b"".join(b"%s %s\t%s\0" % (*target[path], path) for path in paths)
    run_git(repo, *QUIET, "update-index", "-z", "--index-info", stdin=info, env=env)
    run_git(repo, *QUIET, "checkout-index", "--force", "--all", env=env | reading_environment(repo))
    os.unlink(scratch)


def _on_disk(repo: Repo, root: bytes, paths: list[bytes]) -> dict[bytes, tuple[bytes, bytes]]:
    """Path → (mode, id) of the files and links among *paths* as Git would store them (clean filters applied)."""
    have: dict[bytes, tuple[bytes, bytes]] = {}
    files: list[tuple[bytes, bytes]] = []
    for path in paths:
        full = os.path.join(root, path)
        if not _is_there(root, path):
            continue
        mode = os.lstat(full).st_mode
        if stat.S_ISLNK(mode):
            have[path] = (b"120000", ObjectSet().blob(os.readlink(full)).encode("ascii"))
        elif stat.S_ISREG(mode) and b"\n" not in path:
            files.append((path, b"100755" if mode & stat.S_IXUSR else b"100644"))
    if files:
        asked = b"".join(path + b"\n" for path, _ in files)
        out = run_git(repo, *QUIET, "hash-object", "--stdin-paths", stdin=asked)
        have |= {path: (mode, oid) for (path, mode), oid in zip(files, out.split(b"\n"), strict=False)}
    return have


def _is_there(root: bytes, path: bytes) -> bool:
    """Whether a file or link is at *path*, in the work tree itself and not behind a link."""
    try:
        return _link_above(root, path) is None and not stat.S_ISDIR(os.lstat(os.path.join(root, path)).st_mode)
    except OSError:
        return False


def _link_above(root: bytes, path: bytes) -> bytes | None:
    """The first folder of *path* that is no folder but a link or a file, if any."""
    at = path.find(b"/")
    while at >= 0:
        try:
            if not stat.S_ISDIR(os.lstat(os.path.join(root, path[:at])).st_mode):
                return path[:at]
        except FileNotFoundError:
            return None
        at = path.find(b"/", at + 1)
    return None


def _would_lose(
    root: bytes, path: bytes, present: dict[bytes, tuple[bytes, bytes]], changed: set[bytes], going: set[bytes]
) -> bool:
    """Whether writing *path* destroys something that is in no commit."""
    if path in changed:
        return True
    above = _link_above(root, path)
    if above is not None:
        return above not in going
    full = os.path.join(root, path)
    if not os.path.lexists(full) or path in present:
        return False
    if os.path.islink(full) or not os.path.isdir(full):
        return True  # untracked or ignored
    # A folder in a file's place: fine if all that is in it goes away anyway.
    for folder, _, names in os.walk(full):
        if any(os.path.relpath(os.path.join(folder, name), root) not in going for name in names):
            return True
    return False


def _delete(root: bytes, path: bytes) -> None:
    """Remove a tracked file, and the folders that this leaves empty."""
    try:
        os.unlink(os.path.join(root, path))
        folder = os.path.dirname(path)
        while folder:
            os.rmdir(os.path.join(root, folder))
            folder = os.path.dirname(folder)
    except OSError:
        return  # gone already, or the folder is still in use


def create_branch(repo: Repo, name: str, commit: str) -> None:
    """Make the branch *name* at *commit*, without checking it out.

    Raises:
        InvalidName: Git doesn't allow that name.
        Conflict: A branch of this name, or one that is its folder, exists.
        GitFailed: There is no such commit.
    """
    code, _, _ = try_git(repo, "check-ref-format", "--branch", name)
    if code != 0 or name.startswith("-"):
        raise InvalidName("branch", name, "is not allowed by Git")
    try:
        update_refs(repo, [RefUpdate(f"refs/heads/{name}", commit, None)])
    except RefMoved as err:
        raise Conflict(
            f"there is a branch {name!r} already, or one whose name is in the way; take another name"
        ) from err
    except GitFailed as err:
        if "exists" in err.stderr:
            raise Conflict(f"a branch whose name is in the way of {name!r} exists; take another name") from err
        raise


def _sorted(paths: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(sorted(_text(path) for path in paths))


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
