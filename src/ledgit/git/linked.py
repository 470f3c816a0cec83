"""Linked work trees of our own: a folder with any tree in it, beside the user's work tree.

They are what ``git worktree add`` makes (gitrepository-layout(5)), written by us: Git's command
costs five processes and runs the user's hooks. Git itself writes the files, by one ``read-tree``,
so that smudge filters, LFS, line-end attributes and sparse checkouts apply. HEAD is detached at
the code's commit and the index has the tree, so ``git status`` and a snapshot in such a folder say
the same as in the user's. ``git gc`` keeps what the index names. The user's HEAD, index, branches,
stash and configuration are not touched; ``git worktree list`` shows the folder while it is there.
"""

from __future__ import annotations

import os

from ledgit.errors import StorageError
from ledgit.git.changes import QUIET
from ledgit.git.command import run_git, try_git
from ledgit.git.helper import reading_environment
from ledgit.git.repo import Repo
from ledgit.git.shared import make_folders

__all__ = ["add_worktree", "fill_submodules", "remove_worktree", "reset_worktree"]

_OURS = (*QUIET, "-c", "submodule.recurse=false")
_ATTEMPTS = 5
_UNBORN = "ref: refs/heads/ledgit-no-commit\n"
_REASON = "ledgit runs a project in it, and removes it afterwards\n"


def add_worktree(repo: Repo, path: str, commit: str | None, tree: str) -> Repo:
    """Make the folder *path* a linked work tree of *repo* that holds *tree*.

    Args:
        repo: The repository, which may be bare or shallow.
        path: An absolute path that is not there yet; its last part names the work tree and has to be unique.
        commit: What HEAD is; None: a branch that has no commit yet, for a tree that stands on nothing.
        tree: Id of a tree or commit.

    Returns:
        The repository as seen from there.

    Raises:
        GitFailed: Git couldn't write the files: an object is missing, or a required filter fails. Nothing is left.
        StorageError: The folder can't be made.
    """
    admin = os.path.join(repo.common_dir, "worktrees", os.path.basename(path))
    try:
        make_folders(os.path.dirname(path))
        _make_admin(admin)
        # First: `git worktree prune` takes no locked one.
        _write(os.path.join(admin, "locked"), _REASON)
        _write(os.path.join(admin, "commondir"), "../..\n")
        _write(os.path.join(admin, "gitdir"), os.path.join(path, ".git") + "\n")
        _write(os.path.join(admin, "HEAD"), _UNBORN if commit is None else f"{commit}\n")
        os.mkdir(path)
        _write(os.path.join(path, ".git"), f"gitdir: {admin}\n")
    except OSError as error:
        remove_worktree(repo, path)
        raise StorageError(path, error.strerror or str(error)) from error
    linked = Repo(admin, repo.common_dir, path, partial=repo.partial)
    try:
        sparse = _take_sparse(repo, linked)
        _read_tree(linked, tree, sparse)
        if sparse:
            _show_hidden(repo, linked)
    except BaseException:
        remove_worktree(repo, path)
        raise
    return linked


def _make_admin(admin: str) -> None:
    for attempt in range(_ATTEMPTS):
        make_folders(os.path.dirname(admin))
        try:
            os.mkdir(admin)
        except FileNotFoundError:  # whoever removed the last of the others removed the folder above
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            return


def reset_worktree(linked: Repo, tree: str) -> None:
    """Make tracked files those of *tree* again; what Git doesn't track stays.

    Raises:
        GitFailed: Git couldn't write the files.
    """
    lock = os.path.join(linked.git_dir, "index.lock")
    if os.path.lexists(lock):  # of a git command that was killed with the program before
        os.unlink(lock)
    _read_tree(linked, tree, _is_sparse(linked))


def remove_worktree(repo: Repo, path: str) -> None:
    """Remove what :func:`add_worktree` made, as far as it is there; never raises.

    Files that a program made unwritable go too.
    """
    admin = os.path.join(repo.common_dir, "worktrees", os.path.basename(path))
    for folder in (path, admin):
        _remove_folder(folder)
    try:
        os.rmdir(os.path.dirname(admin))  # as Git does with the last one
    except OSError:
        pass


def fill_submodules(repo: Repo, linked: Repo) -> list[tuple[str, str]]:
    """Write the files of submodules, at the commits that the tree names, where their objects are here.

    They become plain files: the submodule's own repository is only read.

    Returns:
        Path and reason of each one that stays empty.
    """
    top = linked.work_tree or ""
    if not os.path.lexists(os.path.join(top, ".gitmodules")):
        return []  # the usual case costs one look
    out = run_git(linked, *QUIET, "ls-files", "-s", "-z")
    wanted = _gitlinks(out)
    if not wanted:
        return []
    names = _module_names(linked)
    problems: list[tuple[str, str]] = []
    for at, oid in wanted:
        name = names.get(at, at)
        home = _module_home(repo, at, name)
        if home is None:
            problems.append((at, "its repository is not here; 'git submodule update --init' fetches it"))
            continue
        problems += [(f"{at}/{inner}".rstrip("/"), why) for inner, why in _fill(home, oid, os.path.join(top, at))]
    return problems


def _gitlinks(listed: bytes) -> list[tuple[str, str]]:
    found = []
    for line in listed.split(b"\0"):
        if line.startswith(b"160000 "):
            head, _, path = line.partition(b"\t")
            found.append((os.fsdecode(path), head.split(b" ")[1].decode("ascii")))
    return found


def _module_names(linked: Repo) -> dict[str, str]:
    """Return path → name of the submodules."""
    args = ("config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    code, out, _ = try_git(linked, *args, cwd=linked.work_tree)
    rows = (item.partition(b"\n") for item in out.split(b"\0")) if code == 0 else ()
    return {
        os.fsdecode(path): os.fsdecode(key)[len("submodule.") : -len(".path")]
        for key, _, path in rows
        if key.lower().startswith(b"submodule.") and key.lower().endswith(b".path")
    }


def _module_home(repo: Repo, at: str, name: str) -> str | None:
    """Return the Git directory of the submodule at the path *at*: that in the user's work tree, or the one kept."""
    places = []
    if repo.work_tree is not None:
        dot_git = os.path.join(repo.work_tree, at, ".git")
        if os.path.isdir(dot_git):
            places.append(dot_git)
    parts = name.split("/")
    if name and ".." not in parts and "" not in parts:
        places += [os.path.join(folder, "modules", *parts) for folder in (repo.git_dir, repo.common_dir)]
    return next((place for place in places if os.path.isfile(os.path.join(place, "HEAD"))), None)


def _fill(home: str, oid: str, target: str) -> list[tuple[str, str]]:
    """Write the files of *oid* in the repository *home* into *target*, submodules of it as well."""
    scratch = os.path.join(os.path.dirname(target), f".ledgit-index-{os.urandom(6).hex()}")
    inner = Repo(home, home, target)
    env = {"GIT_INDEX_FILE": scratch}
    try:
        os.makedirs(target, exist_ok=True)
        code, _, err = try_git(inner, *_OURS, "read-tree", "-u", "--reset", oid, env=env, cwd=target)
        if code != 0:
            why = f"commit {oid[:12]} of it is not here; 'git submodule update --init' fetches it"
            known, _, _ = try_git(inner, "cat-file", "-e", f"{oid}^{{tree}}", cwd=target)
            return [("", why if known != 0 else f"git could not write it: {err.strip().splitlines()[-1:]}")]
        if not os.path.lexists(os.path.join(target, ".gitmodules")):
            return []
        out = run_git(inner, *QUIET, "ls-files", "-s", "-z", env=env, cwd=target)
        names = _module_names(inner)
        problems = []
        for at, commit in _gitlinks(out):
            below = _module_home(inner, at, names.get(at, at))
            if below is None:
                problems.append((at, "its repository is not here; 'git submodule update --init --recursive' does it"))
            else:
                found = _fill(below, commit, os.path.join(target, at))
                problems += [(f"{at}/{path}".rstrip("/"), why) for path, why in found]
        return problems
    finally:
        for leftover in (scratch, f"{scratch}.lock"):
            if os.path.lexists(leftover):
                os.unlink(leftover)


def _read_tree(linked: Repo, tree: str, sparse: tuple[str, ...]) -> None:
    # What a partial clone lacks of a tree that is to run is fetched, as any checkout there does.
    env = {"GIT_NO_LAZY_FETCH": "0"} if linked.partial else {}
    run_git(linked, *_OURS, *sparse, "read-tree", "-u", "--reset", tree, env=env | reading_environment(linked))


def _is_sparse(linked: Repo) -> tuple[str, ...]:
    if not os.path.exists(os.path.join(linked.git_dir, "info", "sparse-checkout")):
        return ()
    cone = linked.config().get_bool("core.sparsecheckoutcone")
    return ("-c", "core.sparseCheckout=true", "-c", f"core.sparseCheckoutCone={str(cone).lower()}")


def _take_sparse(repo: Repo, linked: Repo) -> tuple[str, ...]:
    """Limit *linked* to the part of the tree that the user's work tree shows; return the options for git."""
    try:
        with open(
            os.path.join(repo.git_dir, "info", "sparse-checkout"), encoding="utf-8", errors="surrogateescape"
        ) as f:
            patterns = f.read()
    except OSError:
        return ()
    config = repo.config()
    if repo.work_tree is None or not config.get_bool("core.sparsecheckout"):
        return ()
    os.makedirs(os.path.join(linked.git_dir, "info"), exist_ok=True)
    _write(os.path.join(linked.git_dir, "info", "sparse-checkout"), patterns)
    cone = str(config.get_bool("core.sparsecheckoutcone")).lower()
    if os.path.exists(os.path.join(repo.git_dir, "config.worktree")):
        text = f"[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = {cone}\n"
        _write(os.path.join(linked.git_dir, "config.worktree"), text)
    return ("-c", "core.sparseCheckout=true", "-c", f"core.sparseCheckoutCone={cone}")


def _show_hidden(repo: Repo, linked: Repo) -> None:
    """Write the files that the user's work tree has although its sparse checkout leaves them out."""
    hidden = _skipped(linked) - _skipped(repo)
    if not hidden:
        return
    names = b"".join(path + b"\0" for path in sorted(hidden))
    run_git(linked, *_OURS, "update-index", "-z", "--no-skip-worktree", "--stdin", stdin=names)
    run_git(linked, *_OURS, "checkout-index", "-f", "-u", "-z", "--stdin", stdin=names, env=reading_environment(linked))


def _skipped(repo: Repo) -> set[bytes]:
    out = run_git(repo, *QUIET, "ls-files", "-t", "-z", "--full-name", cwd=repo.work_tree)
    return {line[2:] for line in out.split(b"\0") if line[:2] == b"S "}


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _remove_folder(path: str) -> None:
    import stat
    from shutil import rmtree

    if os.path.islink(path) or not os.path.isdir(path):
        return
    rmtree(path, ignore_errors=True)
    if not os.path.lexists(path):
        return
    for folder, _, _ in os.walk(path):  # top down: each is made readable before it is looked into
        try:
            os.chmod(folder, stat.S_IRWXU)
        except OSError:
            continue
    rmtree(path, ignore_errors=True)
