"""A commit of exactly some files, made as ``git commit`` makes it: with the user's hooks, signature and identity.

What the user has staged otherwise stays staged, and is not in the commit.
"""

from __future__ import annotations

import os

from ledgit.errors import Conflict, GitFailed, UsageError
from ledgit.git.command import run_git, try_git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.git.repo import Repo

__all__ = [
    "changed_files",
    "commit_files",
    "current_branch",
    "ignored_by",
    "init_repository",
    "mend_index",
    "not_committed",
    "push_branch",
    "read_head",
    "tracked_files",
]

_IN_BETWEEN = {
    "merge": "a merge",
    "rebase": "a rebase",
    "cherry-pick": "a cherry-pick",
    "revert": "a revert",
    "bisect": "a bisect",
}


def init_repository(folder: str) -> Repo:
    """Make a Git repository of *folder*, as ``git init`` does with the user's settings, and return it."""
    from ledgit.git.repo import Repo

    run_git(None, "init", "-q", "--", folder)
    return Repo.discover(folder)


def read_head(repo: Repo) -> str | None:
    """Return the commit that is checked out; None before the first one."""
    code, out, _ = try_git(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    return out.decode("ascii").strip() if code == 0 else None


def not_committed(repo: Repo, paths: Sequence[str]) -> list[str]:
    """Return those of *paths* (from the top) that the last commit does not have, whatever it has of the others."""
    from ledgit.git.objects import Objects

    head = read_head(repo)
    if head is None:
        return list(paths)
    objects = Objects.of(repo)
    return [path for path in paths if objects.find(head, path) is None]


def current_branch(repo: Repo) -> str | None:
    """Return the full name of the branch that is checked out; None where HEAD is detached."""
    code, out, _ = try_git(repo, "symbolic-ref", "--quiet", "HEAD")
    return out.decode("utf-8", "surrogateescape").strip() if code == 0 else None


def changed_files(repo: Repo, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Return (state, path) of what is not committed below *paths* (from the top; "": everything), as ``git status``.

    States are Git's two letters: ``??`` is a file that Git doesn't know. Nothing is changed.
    """
    args = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
    wanted = [path for path in paths if path] if all(paths) else []
    out = run_git(repo, *args, "--", *wanted, env={"GIT_LITERAL_PATHSPECS": "1"}, cwd=repo.work_tree)
    return [(item[:2].decode("ascii"), os.fsdecode(item[3:])) for item in out.split(b"\0") if item]


def commit_files(repo: Repo, paths: Sequence[str], message: str) -> str | None:
    """Commit the files *paths* (from the top of the work tree) as they are there, and nothing else.

    The commit is made from a copy of the last commit's index, so whatever else is staged stays so. It can be repeated
    after a crash: files that are in the last commit already make no new one, and their place in the index is mended.

    Args:
        repo: The repository.
        paths: The files; one that is gone is committed as deleted.
        message: The commit's message.

    Returns:
        The commit; None if they all are in the last commit as they are.

    Raises:
        Conflict: A merge, rebase or the like has not ended.
        UsageError: Git was not told who the user is.
        GitFailed: A hook refused, or the disk did; the files stay as they are, uncommitted.
    """
    if repo.operation:
        what = _IN_BETWEEN.get(repo.operation, repo.operation)
        raise Conflict(f"{what} has not ended in this repository; finish or abort it, then repeat the command")
    folder = os.path.join(repo.common_dir, "ledgit", "scratch")  # where what a killed process left is cleaned up
    os.makedirs(folder, exist_ok=True)
    scratch = os.path.join(folder, f"index-{os.urandom(6).hex()}")
    env = {"GIT_INDEX_FILE": scratch, "GIT_LITERAL_PATHSPECS": "1"}
    listed = b"".join(os.fsencode(path) + b"\0" for path in dict.fromkeys(paths))
    has_head = read_head(repo) is not None
    try:
        if has_head:
            run_git(repo, "read-tree", "HEAD", env=env)
        run_git(repo, "update-index", "-z", "--add", "--remove", "--stdin", env=env, stdin=listed)
        if has_head and try_git(repo, "diff-index", "--cached", "--quiet", "HEAD", "--", env=env)[0] == 0:
            mend_index(repo, paths)
            return None
        _check_identity(repo)
        quiet = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
        code, _, said = try_git(repo, *quiet, "commit", "-q", "-F", "-", env=env, stdin=message.encode())
        if code != 0:
            raise GitFailed(("commit",), code, said)
    finally:
        for name in (scratch, f"{scratch}.lock"):
            if os.path.exists(name):
                os.unlink(name)
    mend_index(repo, paths)
    return run_git(repo, "rev-parse", "HEAD").decode("ascii").strip()


def mend_index(repo: Repo, paths: Sequence[str]) -> None:
    """Let the index have *paths* as the last commit has them: they are not staged any more, and not missing."""
    listed = b"".join(os.fsencode(path) + b"\0" for path in dict.fromkeys(paths))
    args = ("reset", "-q", "--pathspec-from-file=-", "--pathspec-file-nul")
    run_git(repo, *args, env={"GIT_LITERAL_PATHSPECS": "1"}, stdin=listed)


def _check_identity(repo: Repo) -> None:
    code, _, _ = try_git(repo, "var", "GIT_COMMITTER_IDENT")
    if code != 0:
        raise UsageError(
            "Git was not told who you are, so nothing can be committed; 'git config --global user.name NAME' and"
            " 'git config --global user.email ADDRESS' say so"
        )


def tracked_files(repo: Repo, paths: Sequence[str]) -> set[str]:
    """Return those of *paths* (from the top) that Git's index has."""
    if not paths:
        return set()
    out = run_git(repo, "ls-files", "-z", "--", *paths, env={"GIT_LITERAL_PATHSPECS": "1"})
    return {os.fsdecode(name) for name in out.split(b"\0") if name}


def ignored_by(repo: Repo, paths: Sequence[str]) -> dict[str, str]:
    """Return those of *paths* (from the top) that Git ignores → the rule: ``.gitignore:3: *.csv``."""
    if not paths:
        return {}
    listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
    _, out, _ = try_git(repo, "check-ignore", "-z", "-v", "--stdin", stdin=listed)
    fields = out.split(b"\0")
    found = {}
    for at in range(0, len(fields) - 3, 4):
        source, line, pattern, path = map(os.fsdecode, fields[at : at + 4])
        if not pattern.startswith("!"):
            found[path] = f"{source}:{line}: {pattern}"
    return found


def push_branch(repo: Repo, remote: str, commit: str, ref: str, *, prompt: bool = False) -> None:
    """Push *commit* to the branch *ref* of a remote, as ``git push`` does it: with the user's hooks, never forced.

    Hooks matter here: by one Git LFS sends its files.

    Args:
        repo: The repository.
        remote: Name or address.
        commit: What the branch is to be.
        ref: Full name there, ``refs/heads/main``.
        prompt: Git may ask for a password.

    Raises:
        Conflict: The branch there has commits that are not below *commit*.
        PushRefused: The host's rules, or a hook, forbid it.
        Unreachable, AccessDenied, RemoteError: The other repository can't be used.
    """
    from ledgit.errors import PushRefused
    from ledgit.git.transport import address, push_results
    from ledgit.git.transport_errors import remote_failure

    there = address(repo, remote)
    args = (*there.settings(), "push", "--porcelain", "--no-follow-tags", "--", remote, f"{commit}:{ref}")
    env = {"GIT_TERMINAL_PROMPT": "1" if prompt else "0"}
    code, out, err = try_git(repo, "-c", "color.ui=false", "-c", "gc.auto=0", *args, env=env, cwd=there.cwd)
    if code == 0:
        return
    found = next(iter(push_results(out, err)), None)
    if found is None or found.ok:
        raise remote_failure(there.shown, "push", err)
    if found.status == "stale":
        branch = ref.removeprefix("refs/heads/")
        raise Conflict(
            f"{branch} on {there.shown} has commits that are not here; 'git pull' gets them, then repeat the command"
        )
    raise PushRefused(there.shown, f"it does not take the push to {ref}: {found.explain()}")
