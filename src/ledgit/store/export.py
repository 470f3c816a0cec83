"""Runs as plain files, written and read again; ids are kept, so reading twice changes nothing.

An export is a folder, or a tar file of one, with a folder for each run::

    <run id>/
      export.json       format, commit and head it was made from, author, commit message
      run.yaml params.yaml metrics.yaml tags.yaml history/ …   as in the run's commit
      artifacts/        every artifact's content; one that is not in the clone stays a .dvc pointer

Code is named by its ids and does not travel along.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ledgit.errors import (
    ArtifactDamaged,
    ArtifactNotFound,
    NewerFormat,
    RecordError,
    RunPurged,
    RunStateError,
    StorageError,
    UnsafePath,
    UsageError,
)
from ledgit.records.artifacts import DVC, GIT, ArtifactRecord, dvc_pointer
from ledgit.records.names import path_problem
from ledgit.records.record import RunRecord, decode_record, make_entry, run_files
from ledgit.records.words import new_run_id
from ledgit.store.artifacts.files import copy_artifact, take_back, take_back_folder
from ledgit.store.bulk import AT_ONCE, Bulk
from ledgit.store.chain import read_base, run_texts
from ledgit.store.contents import keep_artifact
from ledgit.store.lines import run_line

if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.store.chain import Base
    from ledgit.store.folder import Folder

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Exported", "Imported", "export_runs", "import_runs"]

FORMAT = 1
_ABOUT = "export.json"
_LARGEST_RECORD = 256 << 20


@dataclass(slots=True)
class Exported:
    """What was written.

    Attributes:
        ids: Ids of the runs.
        missing: Artifacts, and long histories, whose content could not be had: a pointer stands for it.
        why: What kept it away, if it was to be fetched.
    """

    ids: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    why: str = ""


@dataclass(slots=True)
class Imported:
    """What was read.

    Attributes:
        ids: Ids of the new runs, in the order they were read.
        known: Ids of those that were here already.
        renewed: Old id → new one, of runs that were purged here.
    """

    ids: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    renewed: dict[str, str] = field(default_factory=dict)


def export_runs(
    repo: Repo,
    folder: Folder,
    heads: Mapping[str, Sequence[str]],
    target: str,
    *,
    fetch: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write runs as files; of one with several heads what they hold together.

    Args:
        repo: The repository.
        folder: Ledgit's folder, for artifacts in the cache.
        heads: Run id → all its heads.
        target: A folder (made if need be), or a file whose name ends in ``.tar``, ``.tar.gz`` or ``.tgz``.
        fetch: Artifacts and long histories that are not in the cache come from the artifact remote, as far as it
            has them.
        progress: Is told (what, done, total) of that.

    Raises:
        RunStateError: A run is active and has no commit yet.
        NotFound: A run's commit is not in this clone.
        UsageError: The tar file is there already.
        StorageError: The target can't be written.
    """
    import shutil

    from ledgit.git import Objects
    from ledgit.store.artifacts.fetching import bring_objects
    from ledgit.store.artifacts.naming import objects_of

    for run_id, known in heads.items():
        if not known:
            raise RunStateError(f"run {run_id[:8]} is active; it can be exported when it has ended")
    objects = Objects(repo)
    done = Exported()

    def bring(runs: Mapping[str, Sequence[str]]) -> None:
        if fetch:
            needs = objects_of(repo, folder, runs, members=False)
            done.why = bring_objects(repo, folder, needs, progress) if needs else ""

    try:
        with _folder_for(target) as place:
            bring(heads)
            for run_id, known in heads.items():
                base, inside = read_base(objects, run_id, known), os.path.join(place, run_id)
                missing = _export_one(objects, folder, base, inside)
                if missing and fetch:  # it was here, and damaged: now it is absent
                    bring({run_id: known})
                    shutil.rmtree(inside)
                    missing = _export_one(objects, folder, base, inside)
                done.missing += missing
                done.ids.append(run_id)
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
    return done


def _export_one(objects: Objects, folder: Folder, base: Base, place: str) -> list[str]:
    """Write one run; return what of it is missing."""
    import json
    import shutil

    record = base.record
    missing: list[str] = []
    commit = base.past[0]
    # The run's own commit may be on the remote alone, where a later one is here.
    first = objects.commit(commit if objects.kind(commit) == "commit" else base.heads[0])
    name, email, _, _ = first.author
    about = {
        "format": FORMAT,
        "id": record.info.id,
        "commit": commit,
        "head": base.heads[0],
        "author": {"name": name, "email": email},
        "message": first.message,
    }
    files = _files_of(folder, objects, base, missing)
    files[_ABOUT] = (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
    for path, data in files.items():
        _write(os.path.join(place, path), data)
    for artifact in record.artifacts:
        stored = f"artifacts/{artifact.tree_path}"
        _, content = keep_artifact(artifact, artifact.file or artifact.path, base.blobs)
        kept = objects.read(content)[1] if isinstance(content, str) else content
        if artifact.stored == GIT:
            if kept is not None:
                _write(os.path.join(place, stored), kept)
            else:
                missing.append(f"{artifact.path} of {record.info.name}")
            continue
        target = os.path.join(place, "artifacts", artifact.file or artifact.path)
        try:
            copy_artifact(folder, artifact, target)
        except (ArtifactNotFound, ArtifactDamaged, FileNotFoundError):
            if os.path.isdir(target):
                shutil.rmtree(target)
            _write(os.path.join(place, stored), kept or b"")
            missing.append(f"{artifact.path} of {record.info.name}")
    return missing


def _files_of(folder: Folder, objects: Objects, base: Base, missing: list[str]) -> dict[str, bytes]:
    """Return the run's files but for the artifacts; as they are where one commit has all.

    Histories that had no room in the tree are whole, where all their points are here.
    """
    record = base.record
    if record.full:
        from ledgit.artifacts import Cache
        from ledgit.store.artifacts.histories import whole_histories

        histories, complete = whole_histories(Cache(folder.cache), record)
        if complete:
            info = replace(record.info, reduced=False)
            record = replace(record, info=info, histories=histories, full=())
        else:
            missing.append(f"all points of the histories of {record.info.name}")
    if len(base.heads) == 1 and record is base.record:
        return run_texts(objects, base.tree)
    return run_files(record, run_line(objects, base.tree, make_entry(record, base.past)))


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def _is_tar(path: str) -> bool:
    return path.endswith((".tar", ".tar.gz", ".tgz"))


@contextmanager
def _folder_for(target: str) -> Iterator[str]:
    """Give a folder to write into; for a tar file a temporary one that is packed at the end."""
    if not _is_tar(target):
        os.makedirs(target, exist_ok=True)
        yield target
        return
    if os.path.lexists(target):
        raise UsageError(f"{target} is there already; choose another name")
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ledgit-", dir=os.path.dirname(os.path.abspath(target))) as scratch:
        inside = os.path.join(scratch, "runs")
        os.mkdir(inside)
        yield inside
        packed = os.path.join(scratch, "packed")
        # Who packed it and when is nobody's business: the same runs give the same file.
        with tarfile.open(packed, "w:gz" if target.endswith("gz") else "w") as tar:
            for name in sorted(os.listdir(inside)):
                tar.add(os.path.join(inside, name), name, filter=_anonymous)
        os.replace(packed, target)


def _anonymous(member: Any) -> Any:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o755 if member.isdir() else 0o644
    return member


# ---------------------------------------------------------------------- reading


def import_runs(
    repo: Repo,
    folder: Folder,
    source: str,
    known: Callable[[str], bool] = lambda _: False,
    purged: Callable[[str], bool] = lambda _: False,
    *,
    new_ids: bool = False,
) -> Imported:
    """Read runs from an export, into the clone's ledger; one that is here already stays as it is.

    A run's commit gets the code commit as its parent where that is in this repository, and its
    author and dates as they were. A thousand runs are read and checked before any of them is
    stored, so a smaller export is stored whole or not at all.

    Args:
        repo: The repository.
        folder: Ledgit's folder.
        source: A folder or tar file made by `export_runs`, or one run's folder in it.
        known: Says whether the run of an id is here.
        purged: Says whether the run of an id was purged here.
        new_ids: Give runs that were purged here new ids; else they are refused.

    Raises:
        UsageError: It holds no run.
        RecordError, UnsafePath: A file is not what it must be; nothing of that run is stored.
        RunPurged: Runs were purged here.
    """
    done = Imported()
    with _opened(source) as place:
        found = _runs_in(place)
        if not found:
            raise UsageError(f"{source} holds no exported run (a folder with a run.yaml)")
        for start in range(0, len(found), AT_ONCE):
            runs = [_Read(path) for path in found[start : start + AT_ONCE]]
            _store_all(repo, folder, _choose(runs, done, known, purged, new_ids))
    return done


def _choose(
    runs: Sequence[_Read], done: Imported, known: Callable[[str], bool], purged: Callable[[str], bool], new_ids: bool
) -> list[_Read]:
    """Return the runs to store, and note in *done* what becomes of each."""
    seen = set(done.ids) | done.renewed.keys()
    gone = [run.id for run in runs if purged(run.id)]
    if gone and not new_ids:
        raise RunPurged(gone)
    chosen = []
    for run in runs:
        if run.id in seen or known(run.id):
            done.known.append(run.id)
            continue
        seen.add(run.id)
        if run.id in gone:
            old = run.id
            done.renewed[old] = run.renew()
        done.ids.append(run.id)
        chosen.append(run)
    return chosen


def _store_all(repo: Repo, folder: Folder, runs: Sequence[_Read]) -> None:
    with Bulk(repo, folder) as bulk:
        for run in runs:
            author, message = run.about.get("author"), run.about.get("message")
            name, email = (author.get("name"), author.get("email")) if isinstance(author, dict) else ("", "")
            bulk.add(
                run.record,
                _contents(folder, run),
                author=(str(name or ""), str(email or "")),
                message=message if isinstance(message, str) else "",
            )


@contextmanager
def _opened(source: str) -> Iterator[str]:
    if not _is_tar(source):
        if not os.path.isdir(source):
            raise UsageError(f"{source} is no folder and no .tar, .tar.gz or .tgz file")
        yield source
        return
    import tarfile
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ledgit-") as scratch:
        try:
            with tarfile.open(source) as tar:
                _unpack(tar, scratch)
        except FileNotFoundError:
            raise UsageError(f"there is no file {source}") from None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise RecordError(source, f"can't be unpacked: {error}") from None
        yield scratch


def _unpack(tar: Any, scratch: str) -> None:
    """Unpack regular files only, each below *scratch*: no links, devices or ``..``."""
    import shutil

    for member in tar:
        if member.isdir():
            continue
        if not member.isreg():
            raise UnsafePath(member.name, "is no regular file")
        target = os.path.join(scratch, *_safe_parts(member.name))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        content = tar.extractfile(member)
        with open(target, "xb") as file:
            shutil.copyfileobj(content, file, 1 << 20)


def _safe_parts(name: str) -> list[str]:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or not parts or "\0" in name:
        raise UnsafePath(name, "would leave the folder it is unpacked to")
    return parts


def _runs_in(place: str) -> list[str]:
    if os.path.isfile(os.path.join(place, "run.yaml")):
        return [place]
    folders = [os.path.join(place, name) for name in sorted(os.listdir(place))]
    return [path for path in folders if os.path.isfile(os.path.join(path, "run.yaml"))]


class _Read:
    """One exported run: its record, and where its artifacts' contents are."""

    def __init__(self, place: str) -> None:
        self.place = place
        files = dict(_record_files(place))
        self.about = _about(files.pop(_ABOUT, b"{}"), place)
        self.record: RunRecord = decode_record(files)
        self.contents = {artifact.path: self._content(artifact) for artifact in self.record.artifacts}

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record.info.id

    def renew(self) -> str:
        """Give the run another id, and return that."""
        self.record = replace(self.record, info=replace(self.record.info, id=new_run_id()))
        return self.id

    def _content(self, artifact: ArtifactRecord) -> str | None:
        """Return the file with an artifact's content; None where only its pointer is here."""
        name = artifact.file or artifact.path
        problem = path_problem(name)
        if problem:
            raise UnsafePath(name, problem)
        path = os.path.join(self.place, "artifacts", *_safe_parts(name))
        inside = os.path.realpath(os.path.join(self.place, "artifacts"))
        if os.path.islink(path) or not os.path.realpath(path).startswith(inside + os.sep):
            raise UnsafePath(name, "is a link")
        if os.path.isdir(path) if artifact.nfiles is not None else os.path.isfile(path):
            return path
        if artifact.stored == DVC:
            return None
        raise RecordError(f"{self.place}/artifacts", f"lacks {name}")


def _record_files(place: str) -> Iterator[tuple[str, bytes]]:
    for here, folders, names in os.walk(place):
        folders.sort()
        inside = os.path.relpath(here, place).replace(os.sep, "/")
        if inside == "artifacts":
            folders.clear()
            continue
        for name in names:
            path = os.path.join(here, name)
            shown = name if inside == "." else f"{inside}/{name}"
            if os.path.islink(path) or not os.path.isfile(path):
                raise UnsafePath(shown, "is no regular file")
            if os.path.getsize(path) > _LARGEST_RECORD:
                raise RecordError(path, "is too large for a run's file")
            with open(path, "rb") as file:
                yield shown, file.read()


def _about(data: bytes, place: str) -> dict[str, Any]:
    import json

    where = os.path.join(place, _ABOUT)
    try:
        about = json.loads(data)
    except ValueError as error:
        raise RecordError(where, f"is no JSON: {error}") from None
    if not isinstance(about, dict):
        raise RecordError(where, "holds no object")
    version = about.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        raise NewerFormat(where, version if isinstance(version, int) else 0, FORMAT)
    return about


def _contents(folder: Folder, run: _Read) -> dict[str, bytes]:
    """Return what stands in the tree for each artifact; large ones go into the cache, all are checked."""
    from ledgit.artifacts import digest_file

    contents: dict[str, bytes] = {}
    for artifact in run.record.artifacts:
        source = run.contents[artifact.path]
        if artifact.nfiles is not None:
            if source is not None:
                take_back_folder(folder, source, artifact)
        elif source is not None and artifact.digest.startswith("md5:"):
            md5 = digest_file(source)
            if md5 != artifact.digest.removeprefix("md5:"):
                raise RecordError(source, f"has the digest {md5}, expected {artifact.digest}")
            if artifact.stored == DVC:
                take_back(folder, source, md5)
        if artifact.stored == DVC:
            md5 = artifact.digest.removeprefix("md5:")
            base = os.path.basename(artifact.file or artifact.path)
            contents[artifact.path] = dvc_pointer(base, md5, artifact.size, artifact.nfiles)
        elif source is not None:
            with open(source, "rb") as file:
                contents[artifact.path] = file.read()
    return contents
