"""Git's part of a verification: each object of runs' commits is read and hashed, each small artifact compared."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple

from ledgit.errors import GitFailed, LedgitError, RecordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ledgit.git import Repo

__all__ = ["Wrong", "artifacts_in_trees", "check_commits"]

_AT_ONCE = 2000  # objects that are asked for together
_MOST = 64 << 20  # bytes of an object in memory; larger ones come in pieces
_PIECE = 1 << 20
_LINK = "160000"  # a submodule: its commits are not here


class Wrong(NamedTuple):
    """Something in Git that is not what it must be.

    Attributes:
        run: Id of the run in which it was met first.
        path: Where in the run's tree; "" for its commit.
        oid: Git's id of it.
        damaged: Else it can't be read, or is missing.
        why: More about it.
        decodes: Else it is as it was written, and is not what it should be: no other copy is better.
    """

    run: str
    path: str
    oid: str
    damaged: bool
    why: str = ""
    decodes: bool = True


class _Want(NamedTuple):
    oid: str
    run: str
    path: str


def check_commits(repo: Repo, runs: Mapping[str, Sequence[str]], count: Callable[[int], None]) -> Iterator[Wrong]:
    """Read and hash all that the heads of *runs* hold: commits, trees and files, each once.

    Args:
        repo: The repository.
        runs: Run id → heads.
        count: Is told the bytes of each object.
    """
    from ledgit.git.parsing import parse_commit, parse_tree

    seen: set[int] = set()
    level = [_Want(head, run_id, "") for run_id, heads in runs.items() for head in heads if _is_new(seen, head)]
    while level:
        below: list[_Want] = []
        for want, answer in _answers(repo, level):
            if answer is None and repo.partial and want.path:
                continue  # the code of a partial clone is elsewhere
            if answer is None:
                yield Wrong(want.run, want.path or "its commit", want.oid, damaged=False, why="Git can't read it")
                continue
            kind, data, digest = answer
            count(len(data))
            if digest != want.oid:
                why = "its content is not what its id says"
                yield Wrong(want.run, want.path or "its commit", want.oid, damaged=True, why=why)
                continue
            try:
                if kind == "commit":
                    tree = parse_commit(want.oid, data).tree
                    below += [_Want(tree, want.run, want.path)] if _is_new(seen, tree) else []
                elif kind == "tree":
                    above = f"{want.path}/" if want.path else ""
                    below += [
                        _Want(entry.oid, want.run, above + entry.name)
                        for entry in parse_tree(data, want.oid)
                        if entry.mode != _LINK and _is_new(seen, entry.oid)
                    ]
            except RecordError as error:
                yield Wrong(want.run, want.path, want.oid, damaged=True, why=str(error))
        level = below


def _is_new(seen: set[int], oid: str) -> bool:
    key = int(oid[:15], 16)  # half the memory of the whole
    if key in seen:
        return False
    seen.add(key)
    return True


def _answers(repo: Repo, wanted: Sequence[_Want]) -> Iterator[tuple[_Want, tuple[str, bytes, str] | None]]:
    """Yield (kind, content, digest) of each; None of what Git can't read. What is very large has no content."""
    from ledgit.git import BatchReader

    at = 0
    while at < len(wanted):
        chunk = wanted[at : at + _AT_ONCE]
        with BatchReader(repo) as reader:
            try:
                for answer in reader.read_many((want.oid for want in chunk), most=_MOST):
                    want = wanted[at]
                    at += 1
                    if answer is None:
                        yield want, None
                    elif not answer[2] and reader.size:
                        yield want, _large(repo, want.oid, answer[1], reader.size)
                    else:
                        digest = sha1(f"{answer[1]} {len(answer[2])}\0".encode(), usedforsecurity=False)
                        digest.update(answer[2])
                        yield want, (answer[1], answer[2], digest.hexdigest())
            except GitFailed:  # it ends at an object that it can't unpack
                want = wanted[at]
                at += 1
                yield want, None


def _large(repo: Repo, oid: str, kind: str, size: int) -> tuple[str, bytes, str] | None:
    """Hash an object piece by piece."""
    from ledgit.git.command import start_git

    digest = sha1(f"{kind} {size}\0".encode(), usedforsecurity=False)
    with start_git(repo, "cat-file", kind, oid, stdin=False) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(_PIECE):
            digest.update(piece)
        process.communicate()
    return (kind, b"", digest.hexdigest()) if process.returncode == 0 else None


def artifacts_in_trees(repo: Repo, runs: Mapping[str, Sequence[str]], count: Callable[[int], None]) -> Iterator[Wrong]:
    """Compare the artifacts in the runs' trees with the digests that artifacts.yaml has of them.

    Args:
        repo: The repository.
        runs: Run id → heads.
        count: Is told the bytes of each.
    """
    from ledgit.git import BatchReader
    from ledgit.records.names import RUN_FOLDER

    pairs = [(run_id, head) for run_id, heads in runs.items() for head in heads]
    known: dict[str, str] = {}  # blob → MD5
    for at in range(0, len(pairs), _AT_ONCE):
        chunk = pairs[at : at + _AT_ONCE]
        with BatchReader(repo) as reader:
            try:
                lists = list(reader.read_many(f"{head}:{RUN_FOLDER}/artifacts.yaml" for _, head in chunk))
            except GitFailed:
                continue  # reading the commits told which
            for (run_id, head), found in zip(chunk, lists, strict=True):
                if found is not None:
                    yield from _compare(repo, run_id, head, found, known, count)


def _compare(
    repo: Repo,
    run_id: str,
    head: str,
    listed: tuple[str, str, bytes],
    known: dict[str, str],
    count: Callable[[int], None],
) -> Iterator[Wrong]:
    from hashlib import md5

    from ledgit.git import Objects
    from ledgit.records.artifacts import GIT, decode_artifacts
    from ledgit.records.names import RUN_FOLDER

    objects = Objects.of(repo)
    try:
        records = [record for record in decode_artifacts(listed[2]) if record.stored == GIT]
    except RecordError as error:
        path = f"{RUN_FOLDER}/artifacts.yaml"
        yield Wrong(run_id, path, listed[0], damaged=False, why=f"it {error.reason}", decodes=False)
        return
    for record in records:
        path = f"{RUN_FOLDER}/artifacts/{record.tree_path}"
        try:
            entry = objects.find(head, path)
        except LedgitError:
            entry = None
        if entry is None:
            yield Wrong(run_id, record.path, head, damaged=False, why="it is not in the run's tree")
            continue
        if entry.oid not in known:
            try:
                data = objects.read(entry.oid)[1]
            except LedgitError:
                continue  # reading the commits told
            known[entry.oid] = md5(data, usedforsecurity=False).hexdigest()
            count(len(data))
        if record.digest.startswith("md5:") and record.digest != f"md5:{known[entry.oid]}":
            why = f"artifacts.yaml says {record.digest}, its content is md5:{known[entry.oid]}"
            yield Wrong(run_id, record.path, entry.oid, damaged=True, why=why)
