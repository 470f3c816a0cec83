"""A project as one file, for machines that can't reach its remote: code, version and data, each with its digest.

A zip file with these members and no others::

    ledgit-project.json     what it is: name, version, commit, folder, digests and sizes of the rest; always the first
    code.bundle             a Git bundle: the version's tag, its commits, and all their files
    objects/ab/cdef…        the data that DVC keeps for the project, by their MD5, as in DVC's cache

Git's history stays out unless it is asked for: then the bundle ends at the commit of code, whose id is the same all
the same. Whoever opens a bundle trusts nothing in it: no member's name becomes a path, all is hashed before it counts.
"""

from __future__ import annotations

import os

from ledgit.errors import Conflict, StorageError
from ledgit.projects.datafiles import DataSent, ProjectData, objects_here
from ledgit.projects.manifest import CODE, FORMAT, MANIFEST, OBJECTS
from ledgit.projects.unbundling import is_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any
    from zipfile import ZipFile, ZipInfo

    from ledgit.artifacts import Cache
    from ledgit.git import Repo
    from ledgit.records.registry_state import ModelVersion

__all__ = ["write_bundle"]

_PIECE = 1 << 20
_SAMPLE = 64 << 10  # bytes that say whether compressing helps
_WHEN = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


def write_bundle(
    repo: Repo,
    path: str,
    version: ModelVersion,
    commit: str,
    found: Sequence[ProjectData],
    *,
    address: str = "",
    history: bool = False,
) -> DataSent:
    """Write the file *path*: a version of a project with all it needs. A bundle that is there is replaced.

    Args:
        repo: The repository.
        path: Absolute.
        version: The version.
        commit: The commit of code it was made from.
        found: The project's data.
        address: Where it is shared otherwise.
        history: With all earlier commits.

    Returns:
        How many objects of how many bytes are in it.

    Raises:
        Conflict: Another file is there.
        ArtifactsMissing, ArtifactDamaged: Data are not here, or not what they should be.
        StorageError: The disk refused; what was there is still there.
    """
    if os.path.lexists(path) and not is_bundle(path):
        raise Conflict(f"{path} is there already, and is no bundle of a project; name another file")
    scratch = f"{path}.{os.urandom(4).hex()}.tmp"
    code = f"{scratch}.code"
    try:
        _make_code(repo, code, version, commit, history=history)
        done = _write(scratch, code, version, commit, found, address, history=history)
        os.replace(scratch, path)
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    finally:
        for left in (scratch, code):
            if os.path.lexists(left):
                os.unlink(left)
    return done


def _make_code(repo: Repo, path: str, version: ModelVersion, commit: str, *, history: bool) -> None:
    from ledgit.git import make_bundle

    ref = f"refs/tags/{version.tag}"
    refs = {ref: version.event.oid, "refs/ledgit/code": commit}
    make_bundle(repo, path, refs, history=history)


def _write(
    path: str,
    code: str,
    version: ModelVersion,
    commit: str,
    found: Sequence[ProjectData],
    address: str,
    *,
    history: bool,
) -> DataSent:
    from hashlib import sha256
    from json import dumps
    from zipfile import ZipFile

    objects = {oid: cache for cache, needed in objects_here(found) for oid in needed}
    sizes = {oid: cache.size(oid) for oid, cache in objects.items()}
    with open(code, "rb") as file:
        digest = sha256()
        for piece in _pieces(file):
            digest.update(piece)
    manifest = {
        "ledgit_project": FORMAT,
        "name": version.model,
        "version": version.version,
        "tag": version.tag,
        "commit": commit,
        "registration": version.commit,
        "subdir": version.path or "",
        "address": address,
        "shallow": [] if history else [commit],
        "code": {"sha256": digest.hexdigest(), "size": os.path.getsize(code)},
        "objects": sizes,
    }
    with ZipFile(path, "x", allowZip64=True) as packed:
        packed.writestr(_info(MANIFEST, compress=True), dumps(manifest, indent=1) + "\n")
        with open(code, "rb") as file, packed.open(_info(CODE), "w", force_zip64=True) as target:
            for piece in _pieces(file):
                target.write(piece)
        for oid, cache in objects.items():
            _add_object(packed, cache, oid)
    return DataSent(len(objects), len(objects), sum(sizes.values()))


def _add_object(packed: ZipFile, cache: Cache, oid: str) -> None:
    """Copy an object out of *cache*, which hashes it before; what compressing makes smaller is compressed."""
    import zlib

    with cache.open(oid) as file:
        sample = file.read(_SAMPLE)
        file.seek(0)
        compress = len(zlib.compress(sample, 1)) < 0.9 * len(sample)
        name = f"{OBJECTS}{oid[:2]}/{oid[2:]}"
        with packed.open(_info(name, compress=compress), "w", force_zip64=True) as target:
            for piece in _pieces(file):
                target.write(piece)


def _info(name: str, *, compress: bool = False) -> ZipInfo:
    from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipInfo

    info = ZipInfo(name, _WHEN)
    info.compress_type = ZIP_DEFLATED if compress else ZIP_STORED
    info.external_attr = 0o644 << 16
    return info


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece
