"""artifacts.yaml: every file a run produced, and the pointers of those that DVC holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledgit.errors import RecordError, UnsafePath
from ledgit.records.documents import dump_document, load_document
from ledgit.records.fields import Fields
from ledgit.records.names import path_problem

__all__ = [
    "DVC",
    "GIT",
    "ArtifactRecord",
    "decode_artifacts",
    "decode_pointers",
    "dvc_pointer",
    "dvc_pointers",
    "encode_artifacts",
]

GIT = "git"
DVC = "dvc"


_SIZES = 1 << 63  # more than any file has bytes


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One artifact.

    Attributes:
        path: its true path, ``/`` between parts. Bytes that are no UTF-8 stand as surrogate escapes.
        size: bytes; of a folder in DVC the sum.
        digest: ``<algorithm>:<hex>``, as ``md5:…`` for DVC's objects.
        stored: ``git`` (in the run's tree) or ``dvc`` (a pointer in the tree).
        file: where it stands below ``artifacts/`` if that is not *path*, without ``.dvc``.
        nfiles: how many files a folder in DVC has; None for a file.
    """

    path: str
    size: int
    digest: str
    stored: str = GIT
    file: str | None = None
    nfiles: int | None = None

    @property
    def tree_path(self) -> str:
        """Where it, or its pointer, stands below ``.ledgit/run/artifacts/``."""
        return (self.file or self.path) + (".dvc" if self.stored == DVC else "")


def encode_artifacts(records: Iterable[ArtifactRecord]) -> bytes:
    """Return artifacts.yaml, sorted by path."""
    listed = []
    for record in sorted(records, key=lambda record: record.path.encode("utf-8", "surrogateescape")):
        item: dict[str, object] = {"path": record.path}
        try:
            record.path.encode()
        except UnicodeEncodeError:  # "path" is spelled out then; these are its bytes
            item["bytes"] = record.path.encode("utf-8", "surrogateescape").hex()
        item |= {"size": record.size, "digest": record.digest, "stored": record.stored}
        if record.file is not None and record.file != record.path:
            item["file"] = record.file
        if record.nfiles is not None:
            item["nfiles"] = record.nfiles
        listed.append(item)
    return dump_document({"artifacts": listed})


def decode_artifacts(data: bytes, where: str = "artifacts.yaml") -> list[ArtifactRecord]:
    """Return the artifacts.

    Raises:
        UnsafePath: a path that would leave its folder.
        RecordError: it does not decode.
    """
    result = []
    for item in Fields(load_document(data, where), where).sections("artifacts"):
        path = item.text("path")
        raw = item.optional_text("bytes")
        if raw is not None:
            try:
                path = bytes.fromhex(raw).decode("utf-8", "surrogateescape")
            except ValueError:
                raise RecordError(where, f"the bytes of {path!r} are no hex digits") from None
        file = item.optional_text("file")
        for name in (path, file):
            problem = path_problem(name) if name is not None else None
            if problem is not None:
                raise UnsafePath(where, f"the path {name!r} {problem}")
        stored = item.text("stored", GIT)
        if stored not in (GIT, DVC):
            raise RecordError(where, f"{path!r} is stored in {stored[:20]!r}, expected git or dvc")
        size, nfiles = item.integer("size", 0), item.optional_integer("nfiles")
        if not (0 <= size < _SIZES and 0 <= (nfiles or 0) < _SIZES):
            raise RecordError(where, f"{path!r} has an impossible size or number of files")
        result.append(
            ArtifactRecord(
                path=path,
                size=size,
                digest=item.text("digest", ""),
                stored=stored,
                file=file,
                nfiles=nfiles,
            )
        )
    return result


def dvc_pointers(outs: Iterable[tuple[str, str, int]], remote: str = "ledgit") -> bytes:
    """Return the ``.dvc`` file that points to several files beside it: name, MD5, size of each."""
    listed = [{"md5": md5, "size": size, "hash": "md5", "path": name, "remote": remote} for name, md5, size in outs]
    return dump_document({"outs": listed})


def decode_pointers(data: bytes, where: str) -> list[tuple[str, str, int]]:
    """Return name, MD5 and size of what a ``.dvc`` file points to. Nothing of it is checked but its shape.

    Raises:
        RecordError: It does not decode.
    """
    outs = Fields(load_document(data, where), where).sections("outs")
    return [(out.text("path"), out.text("md5"), out.integer("size", 0)) for out in outs]


def dvc_pointer(name: str, md5: str, size: int, nfiles: int | None = None, remote: str = "ledgit") -> bytes:
    """Return the ``.dvc`` file that points to *name* beside it, as DVC 3 writes one.

    *md5* of a folder ends in ``.dir`` and needs *nfiles*. *remote* names Ledgit's own DVC remote,
    so that no ``dvc gc`` of the user's remote takes the object.
    """
    out: dict[str, object] = {"md5": md5, "size": size}
    if nfiles is not None:
        out["nfiles"] = nfiles
    out |= {"hash": "md5", "path": name}
    if remote:
        out["remote"] = remote
    return dump_document({"outs": [out]})
