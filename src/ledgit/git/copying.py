"""Copy objects from one repository into another, as they are stored."""

from __future__ import annotations

import os

from ledgit.errors import GitFailed
from ledgit.git.command import start_git
from ledgit.git.leftovers import KEEP_MARK
from ledgit.git.pack import ObjectSet, Pack
from ledgit.git.parsing import GITLINK, TREE, parse_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.git.objects import Objects
    from ledgit.git.repo import Repo

__all__ = ["copy_objects", "lacking"]

# Up to here they are copied one by one into a pack of ours, which can be merged with others.
_FEW = 256


def copy_objects(objects: Objects, target: Repo, oids: Sequence[str]) -> Pack:
    """Store the objects *oids* in *target* as one pack, which keeps a ``.keep`` until it is released.

    Args:
        objects: Where they are. What *target* has itself is stored again, too.
        target: Where they are to be.
        oids: Which. What they refer to is not copied by itself.

    Raises:
        NotFound: One of them is not in *objects*.
        GitFailed: Git couldn't read or write them.
        StorageError: The disk is full or failing.
    """
    if len(oids) <= _FEW:
        few = ObjectSet()
        for oid in oids:
            few.add(*objects.read(oid))
        return few.write(target, keep=True)
    # Deltas are copied as they are, and none are looked for.
    args = ("-c", "pack.packSizeLimit=0", "pack-objects", "-q", "--stdout", "--delta-base-offset", "--window=0")
    source = start_git(objects.repo, *args, isolate=True)
    assert source.stdin is not None
    assert source.stdout is not None
    assert source.stderr is not None
    keep = KEEP_MARK.decode("ascii").rstrip("\n")
    sink = start_git(target, "index-pack", "--stdin", f"--keep={keep}", stdin=source.stdout, isolate=True)
    source.stdout.close()
    with source, sink:
        try:
            try:
                source.stdin.write("".join(f"{oid}\n" for oid in oids).encode("ascii"))
                source.stdin.close()
            except BrokenPipeError:
                pass  # it says why
            said = source.stderr.read()
            if source.wait() != 0:
                sink.kill()
                raise GitFailed(("pack-objects",), source.returncode, said.decode("utf-8", "replace"))
            out, err = sink.communicate()
        except BaseException:
            source.kill()
            sink.kill()
            raise
    if sink.returncode != 0:
        raise GitFailed(("index-pack",), sink.returncode, err.decode("utf-8", "replace"))
    name = out.split()[-1].decode("ascii")
    return Pack(os.path.join(target.objects_dir, "pack", f"pack-{name}"), keep=True)


def lacking(objects: Objects, fresh: ObjectSet, before: str | None, tree: str) -> Iterator[str]:
    """Yield the objects of *tree* that the tree *before* doesn't have in the same place; one may come twice.

    Args:
        objects: Where both trees are, unless they are in *fresh*.
        fresh: New objects, not stored yet.
        before: A tree; None: the empty one.
        tree: Another one.
    """
    yield tree
    had = _entries(objects, fresh, before)
    for name, (mode, oid) in _entries(objects, fresh, tree).items():
        old = had.get(name)
        if old == (mode, oid) or mode == GITLINK:
            continue
        if mode == TREE:
            yield from lacking(objects, fresh, old[1] if old is not None and old[0] == TREE else None, oid)
        else:
            yield oid


def _entries(objects: Objects, fresh: ObjectSet, tree: str | None) -> dict[str, tuple[str, str]]:
    if tree is None:
        return {}
    found = fresh.get(tree)
    data = found[1] if found is not None else objects.read(tree)[1]
    return {entry.name: (entry.mode, entry.oid) for entry in parse_tree(data, tree)}
