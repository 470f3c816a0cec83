"""The steps of verifying a version of a project: its code, its folder, and every object of Git's in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from ledgit.git import Commit
    from ledgit.registry.verify import Step
    from ledgit.repository import Repository

__all__ = ["verify_code", "verify_folder"]


def verify_code(step: Step, parent: Commit | None) -> None:
    """Say which commit of code it was."""
    if parent is None:
        return  # said of the tag
    subject = parent.message.partition("\n")[0].strip()
    step.text = f"{parent.oid[:8]} {subject}"
    step.facts |= {"commit": parent.oid, "tree": parent.tree}


def verify_folder(repository: Repository, step: Step, commit: Commit, path: str, said: str | None) -> None:
    """Compare the project's folder with the id that the tag says, and hash each of its objects.

    Args:
        repository: Where.
        step: Takes what is found.
        commit: The registration commit.
        path: The project's folder in it.
        said: The digest in the tag's message.
    """
    from ledgit.git import try_git
    from ledgit.store.registry import folder_digest

    try:
        digest = folder_digest(repository.objects, commit.oid, path)
    except LedgitError as error:
        step.findings.append(f"the project's folder can't be read: {error}")
        return
    step.text = f"{path or 'the whole tree'}, {digest[:17]}"
    step.facts |= {"path": path, "digest": digest}
    if said != digest:
        step.findings.append(f"the project's folder is {digest}, and the tag says {said}: it was altered")
        return
    code, out, err = try_git(
        repository.repo, "rev-list", "--objects", "--no-object-names", digest.removeprefix("tree:")
    )
    if code != 0:
        step.findings.append(f"objects of the project are not here: {_first(err)}")
        return
    count = 0
    for oid in dict.fromkeys(out.decode("ascii").split()):
        if not _intact(repository, oid):
            step.findings.append(f"the object {oid[:8]} is missing or damaged")
        count += 1
    step.text += f": {count:,} objects of Git hashed"
    step.facts["git_objects"] = count


def _intact(repository: Repository, oid: str) -> bool:
    from hashlib import sha1

    try:
        kind, data = repository.objects.read(oid)
    except LedgitError:
        return False
    head = b"%s %d\0" % (kind.encode("ascii"), len(data))
    return sha1(head + data, usedforsecurity=False).hexdigest() == oid


def _first(said: str) -> str:
    return next((line.strip() for line in said.splitlines() if line.strip()), "git can't list them")
