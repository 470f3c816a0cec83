"""The data of a project that DVC keeps: which objects it needs, whether they are here, how they get to a remote."""

from __future__ import annotations

import os

from ledgit.errors import ArtifactsMissing, Conflict, NoRemote
from ledgit.projects.adding import dvc_root
from ledgit.records.values import Values
from ledgit.tracking.data_dvc import LEGACY, Tracked, outputs_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ledgit.artifacts import Cache
    from ledgit.git import Repo

    Progress = Callable[[str, int, int | None], None]

__all__ = ["DataSent", "ProjectData", "check_data", "find_data", "needed_objects", "push_data"]


class ProjectData(Values):
    """What a DVC project keeps for a project.

    Attributes:
        root: The folder that has ``.dvc``; absolute.
        pointers: The ``.dvc`` files and ``dvc.lock``; absolute.
        tracked: What they name.
    """

    __slots__ = ("pointers", "root", "tracked")

    def __init__(self, root: str, pointers: list[str], tracked: list[Tracked]) -> None:
        self.root, self.pointers, self.tracked = root, pointers, tracked


class DataSent(Values):
    """What became of a project's data.

    Attributes:
        objects: How many it needs.
        sent: How many of them the remote lacked.
        bytes: Bytes that were sent.
        remote: Where to, without credentials; "" where there are no data.
    """

    __slots__ = ("bytes", "objects", "remote", "sent")

    def __init__(self, objects: int = 0, sent: int = 0, bytes: int = 0, remote: str = "") -> None:  # noqa: A002
        self.objects, self.sent, self.bytes, self.remote = objects, sent, bytes, remote


def find_data(repo: Repo, folder: str) -> list[ProjectData]:
    """Return what DVC keeps for the project in *folder*, as Git's index has its pointers; nothing if it has none.

    What ``dvc import`` brought is left out: it comes from where it came from. So is what Git has as well.

    Raises:
        Conflict: A pointer is of a DVC before 3, whose cache is laid out otherwise.
    """
    from ledgit.git import run_git, tracked_files

    top = os.path.realpath(repo.work_tree or folder)
    inner = os.path.relpath(os.path.realpath(folder), top)
    out = run_git(repo, "ls-files", "-z", "--", *([] if inner == "." else [inner]), env={"GIT_LITERAL_PATHSPECS": "1"})
    files = [os.fsdecode(name) for name in out.split(b"\0") if name.endswith((b".dvc", b"dvc.lock"))]
    found: dict[str, ProjectData] = {}
    for where in sorted({os.path.dirname(name) for name in files}):
        here = os.path.join(top, where)
        root = dvc_root(os.path.join(here, "x"), top)
        if root is None:
            continue
        data = found.setdefault(root, ProjectData(root, [], []))
        data.pointers += [os.path.join(top, name) for name in files if os.path.dirname(name) == where]
        data.tracked += [one for one in outputs_in(here, root) if one.pointer in data.pointers]
    for data in found.values():
        in_git = tracked_files(repo, [os.path.relpath(one.output, top) for one in data.tracked])
        imported = {pointer for pointer in data.pointers if _is_import(pointer)}
        data.tracked[:] = [
            one
            for one in data.tracked
            if one.pointer not in imported and os.path.relpath(one.output, top) not in in_git
        ]
        for one in data.tracked:
            if one.kind == LEGACY:
                name = os.path.relpath(one.pointer, top)
                raise Conflict(
                    f"{name} was written by a DVC before 3; 'dvc cache migrate --dvc-files' brings it up to date"
                )
    return [data for data in found.values() if data.pointers]


def _is_import(pointer: str) -> bool:
    from ledgit.errors import LedgitError
    from ledgit.records.documents import load_document

    try:
        with open(pointer, "rb") as file:
            document = load_document(file.read(), pointer)
    except (OSError, LedgitError):
        return False
    deps = document.get("deps") if isinstance(document, dict) else None
    return isinstance(deps, list) and any(isinstance(dep, dict) and "repo" in dep for dep in deps)


def check_data(found: Sequence[ProjectData], top: str) -> list[str]:
    """Return the data, from *top*, that are not what their pointers say."""
    from ledgit.artifacts import changed_data

    changed = []
    for data in found:
        pointers = [pointer for pointer in data.pointers if pointer.endswith(".dvc")]
        changed += [os.path.relpath(os.path.join(data.root, path), top) for path in changed_data(data.root, pointers)]
    return changed


def needed_objects(data: ProjectData, cache: Cache) -> dict[str, str]:
    """Return the objects that *data* needs → the file or folder of the project that does.

    A folder's list that is not in *cache* is there, and what it lists is not.
    """
    from ledgit.artifacts import decode_list

    found: dict[str, str] = {}
    for one in data.tracked:
        name = os.path.relpath(one.output, data.root)
        if one.md5.endswith(".dir") and cache.has(one.md5):
            for member in decode_list(cache.read(one.md5), name):
                found.setdefault(member.md5, os.path.join(name, member.path))
        found.setdefault(one.md5, name)
    return found


def push_data(found: Sequence[ProjectData], progress: Progress | None = None) -> DataSent:
    """Send what the DVC remotes lack of the projects' data: each to its own project's default remote, or the one named.

    Each object is hashed before; what is there already is not sent.

    Raises:
        NoRemote: There are data, and no remote for them.
        ConfigError: It can't be used this way.
        ArtifactsMissing: Data are neither here nor there.
        RemoteError, MissingDependency: The remote can't be used.
        ArtifactDamaged: The cache has something else than the pointer says.
    """
    done = DataSent()
    for data in found:
        by_remote: dict[str, list[Tracked]] = {}
        for one in data.tracked:
            by_remote.setdefault(one.remote, []).append(one)
        for name, tracked in by_remote.items():
            _push(ProjectData(data.root, data.pointers, tracked), name, done, progress)
    return done


def _push(data: ProjectData, name: str, done: DataSent, progress: Progress | None) -> None:
    from ledgit.artifacts import Cache, data_cache, data_place, open_remote

    place = data_place(data.root, name)
    if place is None:
        files = ", ".join(os.path.relpath(one.output, data.root) for one in data.tracked[:3])
        text = (
            f"DVC keeps {files}, and has no default remote to send data to; 'dvc remote add --default NAME ADDRESS'"
            " sets one, then commit .dvc/config"
        )
        raise NoRemote("", text)
    cache = Cache(data_cache(data.root))
    needed = needed_objects(data, cache)
    with open_remote(place) as remote:
        lacking = remote.missing(needed)
        gone = [oid for oid in lacking if not cache.has(oid)]
        if gone:
            why = f"neither DVC's cache nor {place.shown} has it"
            raise ArtifactsMissing([needed[oid] for oid in gone], [], why, "'dvc add' it again")
        moved = remote.upload(cache, [oid for oid in needed if oid in lacking], progress)
        if moved.errors:
            raise next(iter(moved.errors.values()))
    done.objects += len(needed)
    done.sent += len(moved.done)
    done.bytes += moved.bytes
    done.remote = place.shown


def objects_here(found: Sequence[ProjectData]) -> Iterator[tuple[Cache, Mapping[str, str]]]:
    """Yield each DVC cache with the objects that the project needs of it.

    Raises:
        ArtifactsMissing: Some are not here.
    """
    from ledgit.artifacts import Cache, data_cache

    for data in found:
        cache = Cache(data_cache(data.root))
        needed = needed_objects(data, cache)
        gone = [oid for oid in needed if not cache.has(oid)]
        if gone:
            paths = [needed[oid] for oid in gone]
            raise ArtifactsMissing(paths, [], "DVC's cache does not have it", "'dvc pull' gets it")
        yield cache, needed
