"""From what ``git status`` reports to a tree: which paths go in, which are left out, and writing it."""

from __future__ import annotations

import os
import stat

from ledgit.errors import GitFailed
from ledgit.git.command import run_git
from ledgit.git.indexfile import Index, IndexFacts
from ledgit.git.pack import collect_loose
from ledgit.git.repo import Repo
from ledgit.git.shared import make_folders
from ledgit.git.status import Status
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DURABLE", "QUIET", "RUN_FOLDER", "LeftOut", "closed_folders", "in_run_folder", "select", "write_tree"]

RUN_FOLDER = b".ledgit/run"
# No daemon or hook of the user's file watcher, no hook that sees an index written, no new shared index,
# no objection to line ends.
QUIET = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.safecrlf=false"),
)
# One sync for all new objects (Git 2.36 and newer): by default loose objects aren't synced at all.
DURABLE = ("-c", "core.fsync=loose-object", "-c", "core.fsyncMethod=batch")
_MAX_REFUSED = 50
_ENVIRONMENT = "an environment of Python's; name it in .gitignore"


class LeftOut(Values):
    """A file that the snapshot doesn't hold as it was.

    Attributes:
        path: Below the top of the work tree; bytes that are no UTF-8 as surrogate escapes.
        size: In bytes; 0 where it isn't known.
        reason: Why, in a few words.
    """

    __slots__ = ("path", "reason", "size")

    def __init__(self, path: str, size: int, reason: str) -> None:
        self.path, self.size, self.reason = path, size, reason


def in_run_folder(path: bytes) -> bool:
    """Whether *path* is ``.ledgit/run`` or below it."""
    return path == RUN_FOLDER or path.startswith(RUN_FOLDER + b"/")


def closed_folders(stderr: bytes) -> list[str]:
    """Folders that ``git status`` warned it couldn't open."""
    folders = []
    for line in stderr.splitlines():
        _, found, rest = line.partition(b"could not open directory '")
        if found:
            folders.append(_text(rest.rpartition(b"'")[0]))
    return folders


def select(repo: Repo, status: Status, max_file: int, max_total: int) -> tuple[list[bytes], list[LeftOut]]:
    """Return the paths to bring into the index, and those that are left out."""
    root = os.fsencode(repo.work_tree or "")
    changes: list[bytes] = []
    left_out: list[LeftOut] = []
    large: list[tuple[bytes, int]] = []
    for path in status.work_tree_changes:
        if in_run_folder(path):
            continue
        size, problem = _look(os.path.join(root, path), gone_is_fine=True)
        if problem:
            left_out.append(LeftOut(_text(path), size, f"{problem}; the committed version is in the snapshot"))
        elif size > max_file:
            large.append((path, size))
        else:
            changes.append(path)
    # What Git LFS and the like store is small however large the file is.
    filtered = _filtered(repo, [path for path, _ in large])
    for path, size in large:
        if path in filtered:
            changes.append(path)
        else:
            reason = f"changed, but larger than {max_file} bytes; the committed version is in the snapshot"
            left_out.append(LeftOut(_text(path), size, reason))
    candidates: list[tuple[int, bytes]] = []
    environments = _environments(status.untracked)
    left_out += [LeftOut(_text(folder), 0, _ENVIRONMENT) for folder in environments]
    for path in status.untracked:
        if in_run_folder(path) or (environments and path.startswith(environments)):
            continue
        if path.endswith(b"/"):
            left_out.append(LeftOut(_text(path), 0, "a Git repository of its own"))
            continue
        size, problem = _look(os.path.join(root, path), gone_is_fine=False)
        if problem:
            left_out.append(LeftOut(_text(path), size, problem))
        elif size > max_file:
            left_out.append(LeftOut(_text(path), size, f"untracked and larger than {max_file} bytes"))
        else:
            candidates.append((size, path))
    total = 0
    for size, path in sorted(candidates):
        if total + size > max_total:
            reason = f"the untracked files are larger than {max_total} bytes together"
            left_out.append(LeftOut(_text(path), size, reason))
        else:
            total += size
            changes.append(path)
    return changes, left_out


def _environments(untracked: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the folders of virtual environments of Python and conda among *untracked* files, with a slash.

    ``python -m venv`` writes a .gitignore from 3.13 on. Before that a beginner's first run would take in 11,000 files.
    """
    marks = (b"/pyvenv.cfg", b"/conda-meta/history")
    return tuple(path[: -len(mark) + 1] for path in untracked for mark in marks if path.endswith(mark))


def _look(path: bytes, *, gone_is_fine: bool) -> tuple[int, str]:
    """Return (size, what is wrong with it or ``""``)."""
    try:
        info = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return 0, "" if gone_is_fine else "gone before it could be read"
    except OSError as err:
        return 0, f"can't be read ({err.strerror})"
    if stat.S_ISDIR(info.st_mode):  # a submodule, or a folder where a file was
        return 0, ""
    if stat.S_ISLNK(info.st_mode):
        return info.st_size, ""
    if not stat.S_ISREG(info.st_mode):
        return 0, "neither a file nor a link"
    effective = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK, effective_ids=effective):
        return info.st_size, "can't be read (Permission denied)"
    return info.st_size, ""


def _filtered(repo: Repo, paths: list[bytes]) -> set[bytes]:
    """Those of *paths* that go through a clean filter."""
    if not paths:
        return set()
    out = run_git(repo, "check-attr", "-z", "--stdin", "filter", stdin=b"\0".join(paths) + b"\0", isolate=True)
    fields = out.split(b"\0")
    rows = zip(fields[0::3], fields[2::3], strict=False)
    return {path for path, value in rows if value not in (b"unspecified", b"unset", b"set")}


def write_tree(
    repo: Repo, index: Index, facts: IndexFacts, changes: list[bytes], scratch_folder: str | None, *, keep: bool
) -> tuple[str, list[LeftOut], str]:
    """Apply *changes* to a copy of *index*; return its tree, what Git refused to add, and the pack.

    New objects go into a folder of their own first and then, as one pack, into the repository:
    loose ones would be gone, or worse, half gone, when a ``git prune`` comes before a ref does.
    """
    folder = scratch_folder or os.path.join(repo.common_dir, "ledgit")
    make_folders(folder)
    scratch = os.path.join(folder, f"index-{os.urandom(6).hex()}")
    objects = f"{scratch}.objects"
    os.mkdir(objects)
    env = {
        "GIT_INDEX_FILE": scratch,
        "GIT_OBJECT_DIRECTORY": objects,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(repo.objects_dir),
    }
    left_out: list[LeftOut] = []
    try:
        if index.data is not None and index.times is not None:
            with open(scratch, "xb") as file:
                file.write(index.data)
            # Git looks again at files as new as the index: the copy must be as old as the original.
            os.utime(scratch, ns=(index.times[0], index.times[0]))
        if facts.flagged:
            _update_index(repo, env, "--no-assume-unchanged", paths=facts.flagged)
            changes = [*facts.flagged, *changes]
        if facts.run_files:
            _update_index(repo, env, "--force-remove", paths=facts.run_files)
        wanted = list(dict.fromkeys(path for path in changes if not in_run_folder(path)))
        while wanted:
            try:
                _update_index(
                    repo, env, "--add", "--remove", "--replace", "--ignore-skip-worktree-entries", paths=wanted
                )
                break
            except GitFailed as err:
                path = _refused_path(err.stderr, wanted)
                if path is None or len(left_out) >= _MAX_REFUSED:
                    raise
                wanted.remove(path)
                left_out.append(LeftOut(_text(path), 0, _first_error(err.stderr)))
        out = run_git(repo, *QUIET, "write-tree", "--missing-ok", env=env, isolate=True)
        pack = collect_loose(objects).write(repo, keep=keep)
        return out.decode("ascii").strip(), left_out, os.path.basename(pack.path)
    finally:
        _remove_tree(objects)
        for leftover in (scratch, f"{scratch}.lock"):
            if os.path.lexists(leftover):
                os.unlink(leftover)


def _remove_tree(path: str) -> None:
    """Remove a folder as ``shutil.rmtree`` does, which takes 5 ms to import; what can't be removed stays."""
    for folder, folders, files in os.walk(path, topdown=False):
        for remove, names in ((os.unlink, files), (os.rmdir, folders)):
            for name in names:
                try:
                    remove(os.path.join(folder, name))
                except OSError:
                    pass
    try:
        os.rmdir(path)
    except OSError:
        pass


def _quoted(path: str) -> str:
    """Write *path* for a list that is separated by colons (git(1), GIT_ALTERNATE_OBJECT_DIRECTORIES)."""
    if ":" not in path and "\n" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _update_index(repo: Repo, env: dict[str, str], *flags: str, paths: Sequence[bytes]) -> None:
    data = b"\0".join(paths) + b"\0"
    run_git(repo, *QUIET, "update-index", *flags, "-z", "--stdin", stdin=data, env=env, isolate=True)


def _refused_path(stderr: str, wanted: list[bytes]) -> bytes | None:
    """The path that made ``git update-index`` give up."""
    for line in stderr.splitlines():
        _, found, rest = line.partition("Unable to process path ")
        if found:
            return next((path for path in wanted if path.decode("utf-8", "replace") == rest), None)
    for line in stderr.splitlines():  # a required filter that failed: "fatal: <path>: clean filter 'x' failed"
        if line.startswith("fatal: ") and "filter" in line:
            name = line.removeprefix("fatal: ").rpartition(": ")[0]
            return next((path for path in wanted if path.decode("utf-8", "replace") == name), None)
    return None


def _first_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("error:", "fatal:"))]
    return "Git can't add it: " + (lines[0].partition(": ")[2] if lines else "no reason given")


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
