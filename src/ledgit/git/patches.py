"""Patch-ids: what tells a change after its commit was rebased or squashed.

A thread beside a young run comes here, see :mod:`ledgit.records.values` for what it does not import.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ledgit.errors import GitFailed
from ledgit.git.command import run_git, spawn_git, try_git
from ledgit.git.refs import read_ref
from ledgit.git.spawn import can_spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledgit.git.repo import Repo

__all__ = ["EMPTY_TREE", "base_ref", "code_patch_ids", "find_base", "patch_id", "patch_ids", "tree_id"]

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_DIFF = (
    "diff-tree",
    "-p",
    "-r",
    "-U3",
    "--full-index",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-color",
    "--ignore-submodules=none",
)
_CODE_ONLY = ("--", ".", ":(exclude).ledgit/run")
_CHUNK = 100  # requests a process gets at once: less than a pipe holds, so nobody waits for ever


def base_ref(repo: Repo) -> tuple[str, str] | None:
    """Return (full name, commit) of the branch that others start from: the remote's default, else main or master.

    Read from Git's files, without a process: a run's start asks for it.
    """
    names = ["refs/remotes/origin/main", "refs/remotes/origin/master", "refs/heads/main", "refs/heads/master"]
    try:
        with open(os.path.join(repo.common_dir, "refs/remotes/origin/HEAD"), "rb") as file:
            target = file.read(4096).strip().decode("utf-8", "surrogateescape")
    except OSError:
        target = ""
    if target.startswith("ref: refs/remotes/origin/") and ".." not in target:
        names.insert(0, target.removeprefix("ref: "))
    for name in names:
        commit = read_ref(repo, name)
        if commit is not None:
            return name, commit
    return None


def find_base(repo: Repo) -> str | None:
    """Return the commit of the branch that others start from; see :func:`base_ref`."""
    found = base_ref(repo)
    return None if found is None else found[1]


def patch_id(repo: Repo, base: str | None, tree: str) -> str | None:
    """Return an id of the change from *base* to *tree* that doesn't depend on where it is made.

    Args:
        repo: Where both are.
        base: A commit or tree; ``None`` for the empty tree.
        tree: A commit or tree. Run files in it don't count.

    Returns:
        40 hex digits, or ``None`` when nothing differs.

    Raises:
        GitFailed: One of them isn't here.
    """
    found = patch_ids(repo, [], (base or EMPTY_TREE, tree))
    return found[0][0] if found else None


def code_patch_ids(repo: Repo, codes: Iterable[tuple[str, str]], base: str | None) -> dict[tuple[str, str], str | None]:
    """Return the cumulative patch-id of each (commit, tree), as a run started there would have recorded it.

    Args:
        repo: Where.
        codes: A commit that was checked out, and the tree of the files as they were.
        base: Where branches start from: a commit, such as :func:`find_base` returns.

    Returns:
        By (commit, tree): the patch-id, None where nothing was changed. Those are missing of which
        not all is in this clone.
    """
    wanted = list(dict.fromkeys(codes))
    here = _present(repo, {oid for code in wanted for oid in code})
    by_start: dict[str, list[tuple[str, str]]] = {}
    starts: dict[str, str | None] = {}
    for commit, tree in wanted:
        if commit not in here or tree not in here:
            continue
        if commit not in starts:
            starts[commit] = _start(repo, commit, base)
        start = starts[commit]
        if start is not None:
            by_start.setdefault(start, []).append((commit, tree))
    found: dict[tuple[str, str], str | None] = {}
    for start, own in by_start.items():
        start_tree = tree_id(repo, start)
        trees = {tree for _, tree in own if tree != start_tree}
        try:
            rows = patch_ids(repo, [f"{tree} {start_tree}" for tree in sorted(trees)])
        except GitFailed:
            continue  # a file's content is not in this clone
        patches = {tree: patch for patch, tree in rows}
        found |= {(commit, tree): patches.get(tree) for commit, tree in own}
    return found


def _start(repo: Repo, commit: str, base: str | None) -> str | None:
    """Return where *commit*'s changes begin; None if that part of the history is not in this clone."""
    if base is None:
        return EMPTY_TREE
    code, out, _ = try_git(repo, "merge-base", "--end-of-options", commit, base)
    if code == 0:
        return out.decode("ascii").split("\n")[0]
    return EMPTY_TREE if code == 1 else None


def _present(repo: Repo, oids: Iterable[str]) -> set[str]:
    """Return those of *oids* that are in this clone."""
    data = "".join(f"{oid}\n" for oid in sorted(oids)).encode("ascii", "replace")
    if not data:
        return set()
    out = run_git(repo, "cat-file", "--batch-check=%(objectname)", stdin=data)
    return {line for line in out.decode("ascii", "replace").splitlines() if " " not in line}


def tree_id(repo: Repo, oid: str) -> str:
    """Return the id of the tree of a commit or tree."""
    if oid == EMPTY_TREE:
        return oid
    return run_git(repo, "rev-parse", f"{oid}^{{tree}}").decode("ascii").strip()


def patch_ids(repo: Repo, requests: Iterable[str], pair: tuple[str, str] | None = None) -> list[tuple[str, str]]:
    """Return (patch-id, object) of commits (``<id>``), of two trees (``<new> <old>``), or of one *pair* (old, new)."""
    if pair is not None:
        return _pipeline(repo, (*pair, *_CODE_ONLY), None)
    requests = list(requests)
    found: list[tuple[str, str]] = []
    backwards = ("-R", "--src-prefix=b/", "--dst-prefix=a/") if requests and " " in requests[0] else ("--root",)
    for at in range(0, len(requests), _CHUNK):
        data = "".join(f"{request}\n" for request in requests[at : at + _CHUNK]).encode("ascii")
        found += _pipeline(repo, (*backwards, "--stdin", *_CODE_ONLY), data)
    return found


def _pipeline(repo: Repo, args: tuple[str, ...], data: bytes | None) -> list[tuple[str, str]]:
    """``git diff-tree | git patch-id``, without the diff passing through Python."""
    if not can_spawn():
        code, diff, problem = try_git(repo, *_DIFF, *args, stdin=data or b"")
        ended, out, trouble = try_git(repo, "patch-id", "--stable", stdin=diff)
        return _rows(code, problem, ended, out, trouble)
    said: list[bytes] = []
    problems: list[bytes] = []
    with spawn_git(repo, *_DIFF, *args, feed=data is not None) as differ:
        with spawn_git(repo, "patch-id", "--stable", source=differ.fd("out")) as digest:
            differ.close_one("out")  # else it would never hear that its reader is gone
            if data is not None:
                with suppress(BrokenPipeError):  # it has ended, and says why
                    os.write(differ.fd("in"), data)  # _CHUNK requests: less than a pipe holds
                differ.close_one("in")
            ended = digest.listen(said.append, problems.append)
        with open(os.dup(differ.fd("err")), "rb") as file:
            problem = file.read().decode("utf-8", "replace")
        code = differ.wait()
    return _rows(code, problem, ended, b"".join(said), b"".join(problems).decode("utf-8", "replace"))


def _rows(code: int, problem: str, ended: int, out: bytes, trouble: str) -> list[tuple[str, str]]:
    if code != 0:
        raise GitFailed(_DIFF[:1], code, problem)
    if ended != 0:
        raise GitFailed(("patch-id",), ended, trouble)
    rows = [line.split(" ") for line in out.decode("ascii").splitlines()]
    return [(row[0], row[1]) for row in rows]
