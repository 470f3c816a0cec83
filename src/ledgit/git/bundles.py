"""Git's bundles: commits as one file, made and taken in with what a shallow clone has, and nothing that runs.

A bundle is a few lines of text (``git bundle``'s format, version 2) and a pack. Git writes bundles of whole histories;
one without history is the same with a pack that ends at a commit, which then stands in the receiver's ``shallow``.
A bundle comes from a stranger, so it is unpacked with every object checked, as a careful host checks a push.
"""

from __future__ import annotations

import os
from shutil import copyfileobj, rmtree

from ledgit.errors import GitFailed, RecordError
from ledgit.git.command import LEAN, start_git, try_git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import BinaryIO

    from ledgit.git.repo import Repo

__all__ = ["bundle_heads", "fetch_bundle", "make_bundle"]

_SIGNATURE = b"# v2 git bundle\n"
_MOST_HEADER = 1 << 20  # bytes before the pack
_HEX = frozenset("0123456789abcdef")


def make_bundle(
    repo: Repo, path: str, refs: Mapping[str, str], basis: Sequence[str] = (), *, history: bool = True
) -> None:
    """Write the file *path*: the objects of *refs*, which Git reads with ``git fetch PATH``.

    Args:
        repo: Where they are.
        path: The file; must not be there.
        refs: Full names → ids of commits or tags. The names need not be refs here.
        basis: Commits that the receiver has: they and what is below them stays out.
        history: With all that is below *refs*; otherwise the pack ends at the commits themselves, and the receiver
            must be told (`fetch_bundle`).

    Raises:
        GitFailed: Something of it is not here.
        StorageError: The file can't be written.
    """
    from ledgit.errors import StorageError

    tips = list(dict.fromkeys(refs.values()))
    wanted = "".join(f"{oid}\n" for oid in tips) + "".join(f"^{oid}\n" for oid in basis)
    if history:
        args: tuple[str, ...] = ("pack-objects", "--revs")
        words = wanted.encode("ascii")
    else:
        listing = ("rev-list", "--objects", "--no-walk", "--stdin")
        code, words, said = try_git(repo, *listing, stdin=wanted.encode("ascii"))
        if code != 0:
            raise GitFailed(listing, code, said)
        args = ("pack-objects",)
    args = (*args, "-q", "--stdout", "--delta-base-offset")
    head = "".join(f"-{oid} \n" for oid in basis) + "".join(f"{oid} {name}\n" for name, oid in refs.items())
    try:
        with open(path, "xb") as file:
            file.write(_SIGNATURE + head.encode() + b"\n")
            _write_pack(repo, args, words, file)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


def _write_pack(repo: Repo, args: Sequence[str], words: bytes, file: BinaryIO) -> None:
    """Have git make a pack of what it is told, straight into *file*: it may be larger than memory."""
    with start_git(repo, *LEAN, "-c", "pack.packSizeLimit=0", *args) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            # It reads all of its list before it writes anything.
            process.stdin.write(words)
            process.stdin.close()
            copyfileobj(process.stdout, file, 1 << 20)
            said = process.stderr.read().decode("utf-8", "replace")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise GitFailed(args, process.returncode, said)


def bundle_heads(path: str) -> dict[str, str]:
    """Return what a bundle brings: full names of refs → ids.

    Raises:
        RecordError: The file is no bundle that this Ledgit reads.
    """
    return _read_header(path)[0]


def _read_header(path: str) -> tuple[dict[str, str], list[str], int]:
    """Return refs, the commits that must be there, and where the pack begins."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_HEADER)
    except OSError as error:
        raise RecordError(path, f"can't be read: {error.strerror}") from error
    end = data.find(b"\n\n")
    if not data.startswith(_SIGNATURE) or end < 0:
        raise RecordError(path, "is no Git bundle")
    refs: dict[str, str] = {}
    basis: list[str] = []
    for line in data[len(_SIGNATURE) : end].decode("utf-8", "replace").split("\n"):
        oid, _, name = line.removeprefix("-").partition(" ")
        if len(oid) != 40 or not _HEX.issuperset(oid):
            raise RecordError(path, "is a Git bundle with a broken list of refs")
        if line.startswith("-"):
            basis.append(oid)
        else:
            refs[name] = oid
    return refs, basis, end + 2


def fetch_bundle(
    repo: Repo, path: str, refspec: str, shallow: Sequence[str] = (), needed: Mapping[str, str] | None = None
) -> str:
    """Take in the objects of a bundle, and make one ref; return the object it names.

    Every object is hashed and checked (``git fsck``'s rules: no ``.git`` in trees, no broken links), and what is
    missing is found out, before any of it counts. Where something is wrong the repository stays as it was.

    Args:
        repo: A repository of ours: its ``shallow`` may be written.
        path: The bundle.
        refspec: ``source:target``: name in the bundle, and the ref to make.
        shallow: Commits whose parents the bundle leaves out.
        needed: What else must be there afterwards: ``COMMIT:PATH`` as Git has it → kind of object.

    Raises:
        RecordError: It is no bundle, has not this ref, is broken, or lacks objects.
        GitFailed: The ref can't be made.
    """
    from ledgit.git.refs import RefUpdate, update_refs

    source, _, target = refspec.partition(":")
    refs, basis, at = _read_header(path)
    oid = refs.get(source)
    if oid is None:
        raise RecordError(path, f"has no {source[:80]}")
    for commit in basis:
        if try_git(repo, "cat-file", "-e", f"{commit}^{{commit}}")[0] != 0:
            raise RecordError(path, f"needs the commit {commit[:12]}, which is not here")
    objects = os.path.join(repo.common_dir, "objects")
    aside = os.path.join(objects, f"tmp_objdir-ledgit-{os.urandom(6).hex()}")  # Git's gc removes folders of this name
    env = {"GIT_OBJECT_DIRECTORY": aside, "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}
    cut = _cut(repo, shallow)
    try:
        os.makedirs(os.path.join(aside, "pack"))
        _unpack(repo, path, at, env)
        code, _, said = try_git(repo, "rev-list", "--objects", "--quiet", oid, "--not", "--all", env=env)
        if code != 0:
            raise RecordError(path, f"is not whole: {_first(said)}")
        for spec, kind in (needed or {}).items():
            code, out, _ = try_git(repo, "cat-file", "-t", spec, env=env)
            if code != 0 or out.decode("ascii", "replace").strip() != kind:
                raise RecordError(path, f"has no {kind} {spec.partition(':')[2] or spec[:12]}")
        _move_in(aside, objects)
        update_refs(repo, [RefUpdate(target, oid, RefUpdate.ANY)])
    except BaseException:
        if cut is not None:
            _write_shallow(repo, cut)
        raise
    finally:
        rmtree(aside, ignore_errors=True)
    return oid


def _unpack(repo: Repo, path: str, at: int, env: Mapping[str, str]) -> None:
    """Have git index the pack that begins at byte *at*."""
    # Without --strict: that would look for the parents that are left out on purpose.
    arguments = ("index-pack", "--stdin", "--fix-thin", "--fsck-objects")
    with open(path, "rb", buffering=0) as file:
        file.seek(at)
        with start_git(repo, *LEAN, *arguments, stdin=file, env=env) as process:
            try:
                _, err = process.communicate()
            except BaseException:
                process.kill()
                raise
    if process.returncode != 0:
        raise RecordError(path, f"has a pack that Git refuses: {_first(err.decode('utf-8', 'replace'))}")


def _move_in(aside: str, objects: str) -> None:
    """Let the pack be the repository's: its index last, because by that Git sees it."""
    folder = os.path.join(aside, "pack")
    os.makedirs(os.path.join(objects, "pack"), exist_ok=True)
    for name in sorted(os.listdir(folder), key=lambda name: name.endswith(".idx")):
        os.replace(os.path.join(folder, name), os.path.join(objects, "pack", name))


def _first(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    found = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")
    return found.removeprefix("fatal: ").removeprefix("error: ")[:200] or "no reason was given"


def _cut(repo: Repo, shallow: Sequence[str]) -> bytes | None:
    """Add commits to ``shallow``; return what the file was, or None if it was not changed.

    One that is here with its parents stays whole.
    """
    todo = []
    for commit in shallow:
        code, _, _ = try_git(repo, "cat-file", "-e", f"{commit}^{{commit}}")
        if code != 0:
            todo.append(commit)
    if not todo:
        return None
    before = _read_shallow(repo)
    lines = before.decode("ascii", "replace").split()
    if set(todo) <= set(lines):
        return None
    _write_shallow(repo, "".join(f"{oid}\n" for oid in dict.fromkeys([*lines, *todo])).encode("ascii"))
    return before


def _read_shallow(repo: Repo) -> bytes:
    try:
        with open(os.path.join(repo.common_dir, "shallow"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _write_shallow(repo: Repo, data: bytes) -> None:
    path = os.path.join(repo.common_dir, "shallow")
    if not data:
        if os.path.exists(path):
            os.unlink(path)
        return
    scratch = f"{path}.{os.urandom(4).hex()}"
    with open(scratch, "wb") as file:
        file.write(data)
    os.replace(scratch, path)
