"""A project taken out of a bundle, which is somebody's: no member's name becomes a path, all is hashed before."""

from __future__ import annotations

import os

from ledgit.errors import RecordError, StorageError
from ledgit.projects.manifest import CODE, MANIFEST, OBJECTS, check_manifest
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, BinaryIO
    from zipfile import ZipFile, ZipInfo

    from ledgit.artifacts import Cache
    from ledgit.git import Repo

__all__ = ["OpenedBundle", "is_bundle", "open_bundle", "read_manifest"]

_MOST_MANIFEST = 64 << 20  # bytes
_PIECE = 1 << 20


class OpenedBundle(Values):
    """What a bundle brought.

    Attributes:
        name: The project's.
        version: ``v1.2.0``.
        tag: The tag of the version.
        commit: The commit of code, in the mirror now.
        subdir: The project's folder in it; "" for the top.
        address: Where the project is shared otherwise; "" where nothing says.
        cache: A folder laid out as DVC's cache, with the project's data.
    """

    __slots__ = ("address", "cache", "commit", "name", "subdir", "tag", "version")

    def __init__(
        self, name: str, version: str, tag: str, commit: str, subdir: str, address: str = "", cache: str = ""
    ) -> None:
        self.name, self.version, self.tag, self.commit = name, version, tag, commit
        self.subdir, self.address, self.cache = subdir, address, cache


def is_bundle(path: str) -> bool:
    """Whether the file *path* begins as a project's bundle does."""
    name = MANIFEST.encode("ascii")
    try:
        with open(path, "rb") as file:
            head = file.read(30 + len(name))
    except OSError:
        return False
    return head.startswith(b"PK\x03\x04") and head[30:] == name


def read_manifest(path: str) -> dict[str, Any]:
    """Return what a bundle says that it is, checked; nothing else of it is read.

    Raises:
        RecordError: It is no bundle, is cut off, or its list says something impossible.
        NewerFormat: A newer Ledgit wrote it.
    """
    with _opened(path) as packed:
        return _manifest(path, packed)


def open_bundle(path: str, mirror_folder: str) -> OpenedBundle:
    """Take a project out of the file *path*: its commits into the mirror, its data into a cache beside them.

    Can be repeated: what is there already is not written again.

    Args:
        path: The bundle; somebody's, so nothing in it is trusted.
        mirror_folder: A bare repository of ours; made if it is not there. Where something is wrong with the bundle, it
            is as it was before.

    Raises:
        RecordError: It is no bundle, is cut off, damaged, too large for what it says, or has members that it must not
            have; one sentence says which.
        NewerFormat: A newer Ledgit wrote it.
        StorageError: The disk refused, or has not the room.
    """
    fresh = not os.path.isdir(mirror_folder)
    try:
        with _opened(path) as packed:
            return _open(path, packed, mirror_folder)
    except BaseException:
        if fresh:
            from shutil import rmtree

            rmtree(mirror_folder, ignore_errors=True)
        raise


def _open(path: str, packed: ZipFile, mirror_folder: str) -> OpenedBundle:
    from ledgit.artifacts import Cache
    from ledgit.git import Repo, read_ref, run_git
    from ledgit.store.folder import Folder

    manifest = _manifest(path, packed)
    members = _members(path, packed, manifest)
    if not os.path.isdir(mirror_folder):
        run_git(None, "init", "-q", "--bare", "--template=", "--", mirror_folder)
    repo = Repo.discover(mirror_folder)
    folder = Folder.of(repo)
    cache = Cache(os.path.join(folder.make(folder.path), "bundled"))
    found = OpenedBundle(
        manifest["name"],
        manifest["version"],
        manifest["tag"],
        manifest["commit"],
        manifest["subdir"],
        manifest["address"],
        cache.path,
    )
    todo = [oid for oid in manifest["objects"] if not cache.has(oid)]
    target = f"refs/ledgit/bundled/{found.commit}"
    known = read_ref(repo, target)
    _check_room(path, mirror_folder, sum(manifest["objects"][oid] for oid in todo) + manifest["code"]["size"])
    for oid in todo:
        _take_object(path, packed, members[f"{OBJECTS}{oid[:2]}/{oid[2:]}"], cache, oid)
    if known is None:
        _take_code(path, packed, members[CODE], repo, manifest, target)
    return found


def _take_object(path: str, packed: ZipFile, info: ZipInfo, cache: Cache, oid: str) -> None:
    """Put one object into the cache, where it gets its name only if that is what it holds."""

    def copy(target: BinaryIO) -> None:
        from hashlib import md5

        digest = md5(usedforsecurity=False)
        with _member(path, packed, info) as source:
            for piece in _read(path, info, source):
                digest.update(piece)
                target.write(piece)
        if digest.hexdigest() != oid.removesuffix(".dir"):
            raise RecordError(path, f"has other data than it says: the object {oid[:12]} is damaged")

    if oid.endswith(".dir"):
        import io

        held = io.BytesIO()
        copy(held)
        from ledgit.artifacts import decode_list

        decode_list(held.getvalue(), f"{path}: {oid}")
        cache.put_known(held.getvalue(), oid)
        return
    cache.put_written(copy)


def _take_code(path: str, packed: ZipFile, info: ZipInfo, repo: Repo, manifest: Mapping[str, Any], target: str) -> None:
    from hashlib import sha256

    from ledgit.git import bundle_heads, fetch_bundle
    from ledgit.store.folder import Folder

    folder = Folder.of(repo)
    scratch = os.path.join(folder.make(folder.scratch), f"bundle-{os.urandom(6).hex()}")
    try:
        digest = sha256()
        with open(scratch, "xb") as file, _member(path, packed, info) as source:
            for piece in _read(path, info, source):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != manifest["code"]["sha256"]:
            raise RecordError(path, "has other code than it says: it is damaged")
        commit, subdir = manifest["commit"], manifest["subdir"]
        needed = {commit: "commit"} | ({f"{commit}:{subdir}": "tree"} if subdir else {})
        try:
            if bundle_heads(scratch).get("refs/ledgit/code") != commit:
                raise RecordError(path, f"has another commit than {commit[:12]}, which it says")
            fetch_bundle(repo, scratch, f"refs/ledgit/code:{target}", manifest["shallow"], needed)
        except RecordError as error:
            raise RecordError(path, f"has code that can't be used: it {error.reason}") from error
    except OSError as error:
        raise StorageError(repo.git_dir, error.strerror or str(error)) from error
    finally:
        if os.path.lexists(scratch):
            os.unlink(scratch)


# ---------------------------------------------------------------------- what is let in


def _opened(path: str) -> ZipFile:
    from zipfile import BadZipFile, ZipFile

    if not is_bundle(path):
        if not os.path.isfile(path):
            raise RecordError(path, "is no file")
        raise RecordError(path, "is no bundle of a project")
    try:
        return ZipFile(path)
    except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise RecordError(path, "is cut off or damaged; get the bundle once more") from error


def _member(path: str, packed: ZipFile, info: ZipInfo) -> Any:
    from zipfile import BadZipFile

    try:
        return packed.open(info)
    except (BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise RecordError(path, f"is damaged at {info.filename[:60]!r}; get the bundle once more") from error


def _read(path: str, info: ZipInfo, source: Any) -> Iterator[bytes]:
    """Yield what a member holds: never more than it says, and never something else than its checksum."""
    import zlib
    from zipfile import BadZipFile

    left = info.file_size
    try:
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                break
            yield piece
    except (BadZipFile, EOFError, zlib.error, OSError, ValueError) as error:
        raise RecordError(path, f"is damaged at {info.filename[:60]!r}; get the bundle once more") from error
    if left:
        raise RecordError(path, f"is damaged at {info.filename[:60]!r}: it has another size than it says")


def _manifest(path: str, packed: ZipFile) -> dict[str, Any]:
    from json import loads

    infos = [info for info in packed.infolist() if info.filename == MANIFEST]
    if len(infos) != 1 or infos[0].file_size > _MOST_MANIFEST:
        raise RecordError(path, "is no bundle of a project: its list of contents is missing, or too large")
    with _member(path, packed, infos[0]) as source:
        data = b"".join(_read(path, infos[0], source))
    try:
        manifest = loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(path, "has a list of contents that can't be read") from error
    return check_manifest(path, manifest)


def _members(path: str, packed: ZipFile, manifest: Mapping[str, Any]) -> dict[str, ZipInfo]:
    """Return the members by name, after each was found to be one that the list has, a plain file, of the right size."""
    import stat
    from zipfile import ZIP_DEFLATED, ZIP_STORED

    sizes = {f"{OBJECTS}{oid[:2]}/{oid[2:]}": size for oid, size in manifest["objects"].items()}
    sizes[CODE] = manifest["code"]["size"]
    found: dict[str, ZipInfo] = {}
    for info in packed.infolist():
        name, mode = info.filename, info.external_attr >> 16
        if name == MANIFEST:
            continue
        if name not in sizes:
            raise RecordError(path, f"has the file {name[:80]!r}, which does not belong into a project's bundle")
        if name in found:
            raise RecordError(path, f"has {name[:80]!r} twice")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or info.is_dir():
            raise RecordError(path, f"has {name[:80]!r} as something else than a plain file")
        if info.flag_bits & 1 or info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise RecordError(path, f"has {name[:80]!r} packed in a way that Ledgit does not write")
        if info.file_size != sizes[name]:
            raise RecordError(path, f"says that {name[:80]!r} has {sizes[name]:,} bytes; it has {info.file_size:,}")
        found[name] = info
    lacking = [name for name in sizes if name not in found]
    if lacking:
        raise RecordError(path, f"lacks {lacking[0][:80]!r}, which its list of contents has")
    return found


def _check_room(path: str, folder: str, wanted: int) -> None:
    from shutil import disk_usage

    free = disk_usage(folder).free
    if wanted > free:
        from ledgit.records.harmless import size

        raise StorageError(folder, f"{path} holds {size(wanted)}, and {size(free)} are free")
