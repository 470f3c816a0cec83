"""A run's code, used again: compared, put into the work tree, made a branch."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledgit.errors import CodeNotFound, GitFailed, NotHere, RunStateError, UsageError, WorkTreeChanged
from ledgit.store.chain import RUN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledgit.git import Repo
    from ledgit.records.record import RunRecord
    from ledgit.records.scalars import Scalar

__all__ = [
    "FileChange",
    "check_paths",
    "code_changes",
    "code_patch",
    "has_tree",
    "make_branch",
    "needs_code",
    "needs_commit",
    "page_patch",
    "parent_commit",
    "write_params",
]

_OUTSIDE_RUN = ("--", ":(top)", f":(top,exclude){RUN_FOLDER}")
# Neither the user's diff program nor a textconv filter: what is shown is what is stored.
_PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs between two trees; the counts are lines, None for a binary file."""

    path: str
    added: int | None
    removed: int | None
    old_path: str | None = None


def has_tree(repo: Repo, oid: str | None) -> bool:
    """Whether the commit or tree *oid* is in this clone."""
    from ledgit.git import reading_environment, try_git

    args = ("rev-parse", "--verify", "--quiet", f"{oid}^{{tree}}")
    return bool(oid) and try_git(repo, *args, env=reading_environment(repo))[0] == 0


def code_changes(repo: Repo, old: str, new: str) -> list[FileChange]:
    """Return which files of the code differ between two runs' commits (or trees).

    What is below ``.ledgit/run`` is no code and left out. Paths are relative to the top; bytes
    that are no UTF-8 stand as surrogate escapes.

    Raises:
        GitFailed: One of them is not in this clone.
    """
    from ledgit.git import reading_environment, run_git

    args = ("diff", "--numstat", "-z", *_PLAIN, old, new, *_OUTSIDE_RUN, *_ours(repo, old, new))
    out = run_git(repo, *args, env=reading_environment(repo))
    changes = []
    words = iter(out.split(b"\0"))
    for word in words:
        if not word:
            continue
        added, removed, path = word.split(b"\t", 2)
        old_path = None
        if not path:  # a rename: the two names follow
            old_path, path = os.fsdecode(next(words)), next(words)
        changes.append(FileChange(os.fsdecode(path), _count(added), _count(removed), old_path))
    return changes


def _count(digits: bytes) -> int | None:
    return None if digits == b"-" else int(digits)


def code_patch(repo: Repo, old: str, new: str, paths: Sequence[str] = ()) -> str:
    """Return the difference of the code between two runs' commits (or trees) as a unified diff.

    Args:
        repo: Where.
        old: A commit or tree.
        new: The other.
        paths: Files and folders that it is limited to, from the top; default: all.
    """
    from ledgit.git import reading_environment, run_git

    out = run_git(repo, "diff", *_PLAIN, *_between(repo, old, new, paths), env=reading_environment(repo))
    return out.decode("utf-8", "surrogateescape")


def page_patch(repo: Repo, old: str, new: str, paths: Sequence[str] = ()) -> int:
    """Show the same on the terminal, with the pager, the colours and the diff program its user likes.

    Returns:
        Git's exit code.
    """
    from ledgit.git import page_git

    return page_git(repo, "diff", "--find-renames", *_between(repo, old, new, paths))


def _between(repo: Repo, old: str, new: str, paths: Sequence[str]) -> list[str]:
    within = ("--", *(f":(top,literal){path}" for path in paths), *_OUTSIDE_RUN[2:]) if paths else _OUTSIDE_RUN
    return [old, new, *within, *_ours(repo, old, new)]


def _ours(repo: Repo, old: str, new: str) -> list[str]:
    """Return what leaves out the files of ``.dvc`` that differ by what Ledgit wrote alone."""
    from ledgit.git import Objects, reading_environment, run_git, users_dvc_files

    out = run_git(repo, "rev-parse", f"{old}^{{tree}}", f"{new}^{{tree}}", env=reading_environment(repo))
    objects = Objects(repo)
    trees = out.decode("ascii").split()
    written = [users_dvc_files(objects, tree) for tree in trees]
    found = []
    for path in {**written[0], **written[1]}:
        sides = []
        for tree, files in zip(trees, written, strict=True):
            entry = objects.find(tree, path) if path not in files else None
            sides.append(files[path] if path in files else objects.read(entry.oid)[1] if entry is not None else None)
        if sides[0] == sides[1]:
            found.append(f":(top,exclude,literal){path}")
    return found


def parent_commit(repo: Repo, commit: str) -> str | None:
    """Return the first parent of *commit*; None for a first commit or one that is not here."""
    from ledgit.git import reading_environment, try_git

    args = ("rev-parse", "--verify", "--quiet", f"{commit}^")
    code, out, _ = try_git(repo, *args, env=reading_environment(repo))
    return out.decode().strip() if code == 0 else None


def make_branch(repo: Repo, record: RunRecord, head: str, branch: str, *, run_files_below: str | None = None) -> str:
    """Make a branch of a run's code and return its commit: the run's tree without ``.ledgit/run``.

    The parent is the code commit, where there is one; the trailer ``Ledgit-Run`` names the run.
    Nothing is checked out.

    Args:
        repo: The repository.
        record: The run.
        head: Its head.
        branch: Name of the new branch.
        run_files_below: Also put the run's files into this folder of the tree, for readers of a
            pull request.

    Raises:
        InvalidName, Conflict: The branch can't be made, or is there.
        NotHere: The code commit is not in this clone, which lacks history.
    """
    from ledgit.git import Objects, ObjectSet, code_tree_without_run, create_branch, graft, identity
    from ledgit.git.copying import copy_objects, lacking

    objects, own, fresh = Objects(repo), Objects(repo, own=True), ObjectSet()
    code = record.info.code.commit
    parents = [code] if code and own.exists(code) else []
    is_own = own.exists(head)
    if code and not parents and not is_own:
        what = f"commit {code[:12]}, which the code of run {record.info.name} stands on,"
        raise NotHere(what, reason=_way(repo, code))
    tree = code_tree_without_run(objects, fresh, head)
    if run_files_below is not None:
        entry = objects.find(head, RUN_FOLDER)
        if entry is None:
            raise RunStateError(f"commit {head[:12]} holds no run")
        tree = graft(objects, fresh, tree, run_files_below, entry.oid)
    name, email = identity(repo, "full")
    who = (name, email, int(time.time()), time.strftime("%z"))
    base = f" on top of {code[:12]}" if code else ""
    message = (
        f"Code of run {record.info.name}\n\nThe files as they were when the run started{base}.\n\n"
        f"Ledgit-Run: {record.info.id}\n"
    )
    commit = fresh.commit(tree, parents, who, who, message)
    packs = []
    try:
        if not is_own:  # it was fetched beside the clone, which must not depend on that
            here = own.commit(parents[0]).tree if parents else None
            needed = dict.fromkeys(lacking(objects, fresh, here, tree))
            packs.append(copy_objects(objects, repo, [oid for oid in needed if oid not in fresh]))
        packs.append(fresh.write(repo, keep=True))
        create_branch(repo, branch, commit)
    finally:
        for pack in packs:
            pack.release()
    return commit


def _way(repo: Repo, commit: str) -> str:
    """Return what gets a commit of the code into the clone."""
    if repo.shallow:
        return "'git fetch --unshallow' gets it"
    return f"'git fetch REMOTE {commit}' gets it"


def write_params(repo: Repo, path: str, params: Mapping[str, Scalar], *, force: bool = False) -> list[str]:
    """Set *params* in the file *path*: values change in place, new ones are added at the end.

    YAML and JSON files whose params are top-level keys are understood; comments in YAML stay.

    Args:
        repo: The repository, to see whether the file has changes of its own.
        path: The file, relative to the current folder.
        params: What to write.
        force: Also if the file has uncommitted changes.

    Returns:
        The names whose value changed.

    Raises:
        WorkTreeChanged: The file has uncommitted changes.
        UsageError: It is no YAML or JSON mapping.
    """
    if os.path.exists(path) and not force and _changed(repo, path):
        raise WorkTreeChanged([path])
    try:
        with open(path, "rb") as file:
            old = file.read()
    except FileNotFoundError:
        old = b""
    if path.endswith(".json"):
        new, changed = _json_params(path, old, params)
    elif path.endswith((".yaml", ".yml")):
        new, changed = _yaml_params(path, old, params)
    else:
        raise UsageError(f"{path} is neither .yaml, .yml nor .json; params can be written into those")
    if changed:
        scratch = f"{path}.{os.urandom(3).hex()}.tmp"
        with open(scratch, "wb") as file:
            file.write(new)
        if old:
            os.chmod(scratch, os.stat(path).st_mode & 0o7777)
        os.replace(scratch, path)
    return changed


def _changed(repo: Repo, path: str) -> bool:
    from ledgit.git import run_git

    full = os.path.realpath(path)
    if repo.work_tree is None or not full.startswith(os.path.realpath(repo.work_tree) + os.sep):
        return False  # outside of the repository nothing is committed
    try:
        return bool(run_git(repo, "status", "--porcelain", "-z", "--ignored", "--", full).strip(b"\0"))
    except GitFailed:
        return True


def _json_params(path: str, old: bytes, params: Mapping[str, Scalar]) -> tuple[bytes, list[str]]:
    import json

    try:
        document = json.loads(old) if old.strip() else {}
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path} holds no JSON object")
    changed = [key for key, value in params.items() if key not in document or document[key] != value]
    document.update(params)
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(), changed


def _yaml_params(path: str, old: bytes, params: Mapping[str, Scalar]) -> tuple[bytes, list[str]]:
    """Replace the values of top-level keys line by line, so that comments and order stay."""
    from ledgit.records import dump_flat, load_document

    document = load_document(old, path) if old.strip() else {}
    if not isinstance(document, dict):
        raise UsageError(f"{path} holds no YAML mapping")
    nested = [key for key in params if isinstance(document.get(key), dict | list)]
    if nested:
        raise UsageError(f"{nested[0]!r} in {path} is no single value; write that one by hand")
    lines = old.decode("utf-8", "surrogateescape").splitlines()
    changed = []
    for key, value in params.items():
        if key in document and type(document[key]) is type(value) and document[key] == value:
            continue
        changed.append(key)
        written = dump_flat({key: value}).decode().rstrip("\n")
        place = _line_of(lines, key)
        if place is None:
            lines.append(written)
        else:
            lines[place] = written + _comment(lines[place])
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"), changed


def _line_of(lines: Sequence[str], key: str) -> int | None:
    from ledgit.errors import RecordError
    from ledgit.records import load_document

    for place, line in enumerate(lines):
        if not line or line[0] in " \t#-":
            continue
        try:
            found = load_document(line.encode("utf-8", "surrogateescape"))
        except RecordError:
            continue
        if isinstance(found, dict) and list(found) == [key]:
            return place
    return None


def _comment(line: str) -> str:
    """Return the comment at the end of a line; a ``#`` in a quoted value is none."""
    _, mark, rest = line.rpartition(" #")
    return f"  #{rest}" if mark and "'" not in rest and '"' not in rest else ""


def needs_commit(run_id: str, commit: str | None) -> str:
    """Return *commit*.

    Raises:
        RunStateError: The run is active and has none yet.
    """
    if commit is None:
        raise RunStateError(f"run {run_id[:8]} is active; its code can be used when it has ended")
    return commit


def needs_code(repo: Repo, name: str, commit: str) -> str:
    """Return *commit* if its tree holds the code of the run *name* and not only what that logged.

    Raises:
        RunStateError: The run was imported without its code, or recorded without.
    """
    from ledgit.git import Objects, users_dvc_files
    from ledgit.records.dvcfiles import DVC_CONFIG

    objects = Objects(repo)
    tops = [entry.name for entry in objects.tree(objects.commit(commit).tree)]
    if ".dvc" in tops and users_dvc_files(objects, commit).get(DVC_CONFIG, b"") is None:
        tops.remove(".dvc")
    if tops not in ([], [os.path.dirname(RUN_FOLDER)]):
        return commit
    inner = objects.find(commit, os.path.dirname(RUN_FOLDER))
    if inner is not None and len(objects.tree(inner.oid)) > 1:
        return commit
    raise RunStateError(
        f"run {name} holds no files of code: there were none, or they were left out "
        "(by 'ledgit.snapshot = none', or because it was imported from another repository)"
    )


def check_paths(repo: Repo, commit: str, paths: Sequence[str]) -> list[str]:
    """Return *paths* (relative to the current folder) as paths from the top of the tree.

    Raises:
        CodeNotFound: The run's tree has no such file or folder.
        UsageError: A path leaves the work tree, or names the run's own files.
    """
    from ledgit.git import reading_environment, try_git

    found = []
    for path in paths:
        top = os.path.normpath(os.path.join(repo.prefix, path))
        if top.startswith("..") or os.path.isabs(top):
            raise UsageError(f"{path} is outside of the repository")
        if top == ".":
            return []
        if (top + "/").startswith(RUN_FOLDER + "/"):
            raise UsageError(f"{RUN_FOLDER} holds what the run logged and never goes into the work tree")
        if try_git(repo, "cat-file", "-e", f"{commit}:{top}", env=reading_environment(repo))[0] != 0:
            raise CodeNotFound(path)
        found.append(top.replace(os.sep, "/"))
    return found
