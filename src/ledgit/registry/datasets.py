"""The data sets that a run used: whether what is here is still what it was."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledgit.git import Objects, Repo
    from ledgit.records.inputs import InputRecord

__all__ = ["Surveyed", "read_inputs", "survey"]


@dataclass(slots=True)
class Surveyed:
    """What was found of one data set.

    Attributes:
        text: For people.
        facts: For programs; ``state`` is ``same``, ``changed``, ``damaged``, ``elsewhere`` or ``untold``.
        findings: What is wrong.
        notes: What can't be told.
    """

    text: str
    facts: dict[str, Any]
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_inputs(objects: Objects, commit: str) -> list[InputRecord]:
    """Return the data sets that a run commit lists.

    Raises:
        RecordError: The list does not decode.
    """
    from ledgit.records.inputs import decode_inputs
    from ledgit.records.names import RUN_FOLDER

    entry = objects.find(commit, f"{RUN_FOLDER}/inputs.yaml")
    return [] if entry is None else decode_inputs(objects.read(entry.oid)[1])


def survey(repo: Repo, objects: Objects, commit: str, inputs: Sequence[InputRecord]) -> Iterator[Surveyed]:
    """Look at each data set: hash what is at its place, in the run's own tree, and in DVC's cache."""
    for record in inputs:
        yield _look(repo, objects, commit, record)


def _look(repo: Repo, objects: Objects, commit: str, record: InputRecord) -> Surveyed:
    from ledgit.records.inputs import kind_of_digest

    used = f" for {record.context}" if record.context else ""
    kind = kind_of_digest(record)
    label = f"{kind}:{record.digest}" if kind else record.digest or "no digest"
    found = Surveyed(f"{record.name}{used}: {label}", {"name": record.name, "digest": record.digest, "kind": kind})
    found.facts |= {"context": record.context or None, "state": "untold"}
    source = _source(record.source)
    if kind != "md5" or not record.digest:
        found.notes.append(
            f"the digest of {record.name} is of its values ({kind or 'nothing says how'}), not of a file"
        )
        return found
    cached = _cached(repo, record.digest)
    if cached is not None:
        found.facts["state"] = "same" if cached else "damaged"
        if not cached:
            found.findings.append(f"{record.name} is damaged in DVC's cache: it is not md5:{record.digest}")
            return found
    place = _place(repo, source)
    if cached is None and _in_tree(repo, objects, commit, place) == record.digest:
        found.facts["state"] = "same"
        found.text += ", hashed in the run's own tree"
        return found
    if place is None or not os.path.exists(place):
        if cached is None:
            found.facts["state"] = "elsewhere"
            found.notes.append(f"{record.name} is not here, so its bytes were not hashed")
        else:
            found.text += ", hashed in DVC's cache"
        return found
    from ledgit.tracking.data_files import read_content

    try:
        digest = read_content(place).digest
    except LedgitError as error:
        found.notes.append(f"{record.name} can't be read: {error}")
        return found
    if digest == record.digest:
        found.facts["state"] = "same"
        found.text += ", hashed again"
    elif cached is None:
        found.facts["state"] = "changed"
        found.notes.append(f"{os.path.relpath(place, repo.run_dir)} has other data now than the run used")
    return found


def _source(text: str) -> dict[str, Any]:
    import json

    try:
        found = json.loads(text)
    except ValueError:
        found = {"uri": text}
    return found if isinstance(found, dict) else {}


def _place(repo: Repo, source: dict[str, Any]) -> str | None:
    """Return the path on this machine that a source names: in the work tree, or a file's URI."""
    path = source.get("path") or source.get("uri") or source.get("url")
    if not isinstance(path, str) or not path:
        return None
    if path.startswith("file://"):
        from urllib.parse import unquote

        path = unquote(path.removeprefix("file://"))
    elif "://" in path:
        return None
    place = os.path.join(repo.run_dir, path)
    if os.path.isdir(place) and not _is_inside(place, repo.run_dir):
        return None  # what a stranger's run names need not be read from end to end
    return place


def _is_inside(place: str, top: str) -> bool:
    place, top = os.path.realpath(place), os.path.realpath(top)
    return place.startswith(top + os.sep)


def _in_tree(repo: Repo, objects: Objects, commit: str, place: str | None) -> str | None:
    """Return the MD5 of the file that the tree of *commit* has at *place*; None if it has none."""
    from hashlib import md5

    if place is None or not _is_inside(place, repo.run_dir):
        return None
    path = os.path.relpath(os.path.realpath(place), os.path.realpath(repo.run_dir)).replace(os.sep, "/")
    entry = objects.find(commit, path)
    if entry is None or entry.is_tree:
        return None
    return md5(objects.read(entry.oid)[1], usedforsecurity=False).hexdigest()


def _cached(repo: Repo, digest: str) -> bool | None:
    """Whether DVC's own cache has the object, whole; None if it has none."""
    from ledgit.artifacts.hashing import digest_file

    if repo.work_tree is None:
        return None
    cache = os.path.join(repo.work_tree, ".dvc", "cache")
    for path in (
        os.path.join(cache, "files", "md5", digest[:2], digest[2:]),
        os.path.join(cache, digest[:2], digest[2:]),
    ):
        try:
            if os.path.isfile(path):
                return digest_file(path) == digest.removesuffix(".dir")
        except OSError:
            return False
    return None
