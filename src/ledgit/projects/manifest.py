"""The list of contents of a project's bundle, which came from somebody: each value is what it must be."""

from __future__ import annotations

from ledgit.errors import LedgitError, NewerFormat, RecordError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CODE", "FORMAT", "MANIFEST", "OBJECTS", "check_manifest"]

FORMAT = 1
MANIFEST, CODE, OBJECTS = "ledgit-project.json", "code.bundle", "objects/"
"""Names in a bundle: the list of contents, Git's bundle, and what the data begin with."""

_MOST_OBJECTS = 1_000_000
_MOST_BYTES = 1 << 50
_HEX = frozenset("0123456789abcdef")


def check_manifest(path: str, manifest: object) -> dict[str, Any]:
    """Return *manifest*, read from the bundle *path*, if all that Ledgit uses of it is possible.

    Raises:
        RecordError: Something is not.
        NewerFormat: A newer Ledgit wrote it.
    """
    if not isinstance(manifest, dict):
        raise _wrong(path, "is no mapping")
    version = manifest.get("ledgit_project")
    if type(version) is not int or version < 1:
        raise _wrong(path, f"has the format {version!r:.40}")
    if version > FORMAT:
        raise NewerFormat(path, version, FORMAT)
    found: dict[str, Any] = {}
    for key in ("name", "version", "tag", "commit", "subdir", "address"):
        value = manifest.get(key)
        if not isinstance(value, str) or len(value) > 4000 or not (value.isprintable() or not value):
            raise _wrong(path, f"has {value!r:.40} as {key}")
        found[key] = value
    _check_names(path, found)
    shallow, code, objects = manifest.get("shallow"), manifest.get("code"), manifest.get("objects")
    if not isinstance(shallow, list) or not set(map(str, shallow)) <= {found["commit"]}:
        raise _wrong(path, "cuts history at other commits than its own")
    found["shallow"] = [str(oid) for oid in shallow]
    if not isinstance(code, dict) or not _is_hex(code.get("sha256"), 64) or not _is_size(code.get("size")):
        raise _wrong(path, "says nothing of the code")
    found["code"] = {"sha256": code["sha256"], "size": code["size"]}
    if not isinstance(objects, dict) or len(objects) > _MOST_OBJECTS:
        raise _wrong(path, "has no list of data")
    for oid, size in objects.items():
        if not _is_hex(oid.removesuffix(".dir"), 32) or not _is_size(size):
            raise _wrong(path, f"has {oid!r:.60} among the data")
    found["objects"] = dict(objects)
    return found


def _check_names(path: str, found: dict[str, Any]) -> None:
    from ledgit.git import check_path
    from ledgit.records.registry_names import REGISTER, Semver, check_model_name, tag_name

    try:
        check_model_name(found["name"])
        if found["subdir"]:
            check_path(found["subdir"])
        expected = tag_name(found["name"], REGISTER, version=str(Semver.parse(found["version"])))
    except LedgitError as error:
        raise _wrong(path, f"says something impossible: {error}") from error
    if not _is_hex(found["commit"], 40) or found["tag"] != expected:
        raise _wrong(path, "names another commit or tag than there can be")


def _is_hex(value: object, length: int) -> bool:
    return isinstance(value, str) and len(value) == length and _HEX.issuperset(value)


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_BYTES


def _wrong(path: str, reason: str) -> RecordError:
    return RecordError(path, f"has a list of contents that {reason}")
