"""Where a project comes from: a folder, a Git address, a bundle, the registry, or a run."""

from __future__ import annotations

import os

from ledgit.errors import LedgitError, NotARepository, NotFound, RevisionNotFound, UsageError
from ledgit.git import Mirror, Objects, Repo, try_git
from ledgit.git.copying import copy_objects
from ledgit.records.harmless import clean
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledgit.git import Pack
    from ledgit.repository import Repository

    Progress = Callable[[str, int, int | None], None]

__all__ = ["Source", "bring_here", "is_address", "resolve"]

_BUNDLE = b"# v2 git bundle\n"
_BUNDLES = (_BUNDLE, b"# v3 git bundle\n")


class Source(Values):
    """A project, found.

    Attributes:
        kind: ``folder``, ``git``, ``bundle``, ``version`` or ``run``.
        address: What people call it, without credentials; of a folder of one's own its path below the top.
        repo: The repository that has its files.
        tree: What is to run; None: the work tree of *repo* as it is.
        commit: The commit that *tree* was checked out from.
        branch: The branch that was asked for.
        subdir: The project's folder below the top of the tree, "" for the top.
        foreign: Whether *repo* is another than the one that its run is recorded in.
        caches: Folders laid out as DVC's cache is, which may have its data.
        notes: What is to be said, such as that nobody could be reached.
        entry_point: The entry point that goes with it: that of the run it is.
        packs: What keeps its objects from ``git gc``, see :meth:`release`.
    """

    __slots__ = (
        "address",
        "branch",
        "caches",
        "commit",
        "entry_point",
        "foreign",
        "kind",
        "notes",
        "packs",
        "repo",
        "subdir",
        "tree",
    )

    def __init__(
        self,
        kind: str,
        address: str,
        repo: Repo,
        tree: str | None = None,
        commit: str | None = None,
        branch: str | None = None,
        subdir: str = "",
        *,
        foreign: bool = False,
        caches: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        entry_point: str = "",
    ) -> None:
        self.kind, self.address, self.repo, self.tree, self.commit = kind, address, repo, tree, commit
        self.branch, self.subdir, self.foreign, self.caches = branch, subdir, foreign, caches
        self.notes, self.entry_point = notes, entry_point
        self.packs: list[Pack] = []

    def called(self) -> str:
        """Return what its folder is called where it came from, "" where that says nothing."""
        top = self.address.partition("#")[0] if self.foreign else self.repo.work_tree or ""
        return os.path.basename((self.subdir or top).rstrip("/")).removesuffix(".git").removesuffix(".ledgit")

    def release(self) -> None:
        """Let go of its objects: from now on only refs keep them."""
        while self.packs:
            self.packs.pop().release()

    def _values(self) -> tuple[object, ...]:
        return self.kind, self.address, self.tree, self.commit, self.branch, self.subdir, self.foreign


def resolve(
    uri: str, version: str, cache: str, repository: Repository | None, progress: Progress | None = None
) -> Source:
    """Find the project that *uri* names.

    Args:
        uri: A folder; a Git address, with ``#FOLDER`` behind it for one below its top; a bundle file; the name of a
            project in *repository*; ``NAME@VERSION`` of the registry; the name or id of a run. What is there as a
            file or folder is that.
        version: A branch, tag or commit; "": the work tree as it is, or the default branch of another repository.
        cache: Ledgit's cache folder, where other repositories are mirrored.
        repository: The one that the run is to be recorded in; None: there is none, so it is the project's own.
        progress: Is told (what, done, total or None) while something is fetched.

    Raises:
        UsageError: It can't be a project, or *version* has no meaning for it.
        NotFound: There is nothing of this name, or no such revision; its `near` has similar names.
        RemoteError: The other repository can't be used.
        NotARepository: It is a folder in no repository, and *repository* is None.
    """
    if not uri:
        raise UsageError("the project has no name; '.' is this folder")
    path, _, subdir = uri.partition("#")
    if not is_address(uri):
        if os.path.isdir(path):
            if _is_bare(path):
                return _foreign(f"file://{os.path.abspath(path)}", version, subdir, cache, repository, progress)
            return _folder(path, version, subdir, repository)
        if os.path.isfile(path):
            return _file(path, version, subdir, cache, repository)
    elif uri.startswith("file://") and os.path.isdir(_path_of(path)) and not _is_repository(_path_of(path)):
        return _folder(_path_of(path), version, subdir, repository)
    else:
        return _foreign(path, version, subdir, cache, repository, progress)
    return _named(uri, version, subdir, repository)


def is_address(uri: str) -> bool:
    """Say whether *uri* has the form of a Git address: ``scheme://…`` or ``host:path``, as MLflow decides it."""
    if "://" in uri:
        return True
    head, colon, rest = uri.partition(":")
    return bool(colon) and bool(rest) and "/" not in head and not os.path.exists(uri) and len(head) > 1


def _path_of(uri: str) -> str:
    from urllib.parse import unquote

    return unquote(uri.removeprefix("file://"))


def _is_bare(path: str) -> bool:
    """Whether *path* is a Git directory itself."""
    return all(os.path.exists(os.path.join(path, name)) for name in ("HEAD", "objects", "refs"))


def _is_repository(path: str) -> bool:
    return _is_bare(path) or os.path.exists(os.path.join(path, ".git"))


# ---------------------------------------------------------------------- folders


def _folder(path: str, version: str, subdir: str, repository: Repository | None) -> Source:
    full = os.path.realpath(os.path.join(path, *_parts(subdir)) if subdir else path)
    if not os.path.isdir(full):
        raise UsageError(f"there is no folder {subdir!r} in {path}")
    try:
        repo = Repo.discover(full)
    except NotARepository:
        reason = f"the project {path!r} is in no Git repository, so its code can't be recorded; 'git init' makes one"
        raise UsageError(reason) from None
    if repo.work_tree is None:
        raise UsageError(f"{path!r} lies inside of a Git directory")
    below = os.path.relpath(full, os.path.realpath(repo.work_tree)).replace(os.sep, "/")
    below = "" if below == "." else below
    foreign = repository is not None and repository.repo.common_dir != repo.common_dir
    address = f"file://{os.path.realpath(repo.work_tree)}" if foreign else below or "."
    if not version:
        return Source("folder", address, repo, None, None, None, below, foreign=foreign)
    commit, tree, branch = _revision(repo, version)
    _check_subdir(repo, tree, below, version)
    return Source("folder", address, repo, tree, commit, branch, below, foreign=foreign)


def _revision(repo: Repo, version: str) -> tuple[str, str, str | None]:
    """Return commit, tree and branch of a revision.

    Raises:
        RevisionNotFound: There is none.
    """
    if not version.startswith("-"):
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        for name, branch in (
            (f"refs/heads/{version}", version),
            (version, None),
            (f"refs/remotes/origin/{version}", None),
        ):
            code, out, _ = try_git(repo, *args, f"{name}^{{commit}}")
            if code != 0:
                continue
            commit = out.decode("ascii").strip()
            code, out, _ = try_git(repo, *args, f"{commit}^{{tree}}")
            if code == 0:
                return commit, out.decode("ascii").strip(), branch
    from difflib import get_close_matches

    from ledgit.git import list_refs

    known = [ref.split("/", 2)[2] for ref in list_refs(repo, "refs/") if ref.startswith(("refs/heads/", "refs/tags/"))]
    raise RevisionNotFound(version, get_close_matches(version, known, 3, 0.5))


def _parts(subdir: str) -> list[str]:
    parts = [part for part in subdir.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in subdir:
        raise UsageError(f"the project's folder {clean(subdir)!r} leads out of its repository")
    return parts


def _check_subdir(repo: Repo, tree: str, subdir: str, version: str) -> None:
    """See that *tree* has the folder *subdir*.

    Raises:
        UsageError: It doesn't, with the folders there are.
    """
    from ledgit.git import TREE

    if not subdir:
        return
    objects = Objects.of(repo)
    entry = objects.find(tree, subdir)
    if entry is not None and entry.mode == TREE:
        return
    folders = sorted(item.name for item in objects.tree(tree) if item.mode == TREE and not item.name.startswith("."))
    shown = f"; it has {', '.join(map(clean, folders[:8]))}" if folders else ""
    raise UsageError(f"there is no folder {clean(subdir)!r} in the project{f' at {version}' if version else ''}{shown}")


# ---------------------------------------------------------------------- other repositories


def _foreign(
    address: str, version: str, subdir: str, cache: str, repository: Repository | None, progress: Progress | None
) -> Source:
    below = "/".join(_parts(subdir))
    mirror = Mirror.open(os.path.join(cache, "projects"), address)
    fetched = mirror.fetch(version, progress)
    _check_subdir(mirror, fetched.tree, below, version)
    shown = mirror.address.shown + (f"#{below}" if below else "")
    notes = (f"{fetched.stale}; what was fetched earlier is run",) if fetched.stale else ()
    return Source(
        *("git", shown, mirror, fetched.tree, fetched.commit, fetched.branch, below),
        foreign=repository is not None,
        notes=notes,
    )


def _file(path: str, version: str, subdir: str, cache: str, repository: Repository | None) -> Source:
    from ledgit.projects.unbundling import is_bundle

    if is_bundle(path):
        return _shared(path, version, subdir, cache, repository)
    with open(path, "rb") as file:
        begins = file.read(32)
    if not begins.startswith(_BUNDLES):
        hint = "to run a script give its folder and '-e', as in 'ledgit run . -e train.py'"
        raise UsageError(f"{path!r} is a file, and neither a folder nor a project's bundle; {hint}")
    return _bundle(path, version, "/".join(_parts(subdir)), cache, repository)


def _shared(path: str, version: str, subdir: str, cache: str, repository: Repository | None) -> Source:
    """Open a file that ``ledgit project share --bundle`` wrote: code and data of one version."""
    from ledgit.projects.unbundling import open_bundle, read_manifest

    # By what it is, not where it lies: the same project from a stick and from a download is there once.
    mirror = os.path.join(cache, "projects", f"bundle-{read_manifest(path)['commit'][:16]}.git")
    found = open_bundle(path, mirror)
    if version and version not in (found.tag, found.version, found.version[1:], found.commit):
        raise UsageError(f"{path} has {found.tag} and nothing else; leave out '-v {version}'")
    repo = Repo.discover(mirror)
    below = "/".join([*_parts(found.subdir), *_parts(subdir)])
    tree = Objects.of(repo).commit(found.commit).tree
    _check_subdir(repo, tree, below, "")
    address = found.address or found.tag
    return Source(
        *("bundle", address, repo, tree, found.commit, None, below),
        foreign=repository is not None,
        caches=(found.cache,),
    )


def _bundle(path: str, version: str, subdir: str, cache: str, repository: Repository | None) -> Source:
    from ledgit.git import bundle_heads, fetch_bundle

    heads = bundle_heads(path)
    mirror = Mirror.open(os.path.join(cache, "projects"), f"file://{os.path.abspath(path)}")
    if not version:
        wanted = next((name for name in ("HEAD", *heads) if name in heads), None)
    else:
        wanted = next(
            (name for name in (f"refs/heads/{version}", f"refs/tags/{version}", version) if name in heads), None
        )
    if wanted is None:
        raise RevisionNotFound(version, [name.split("/", 2)[-1] for name in heads][:3])
    oid = fetch_bundle(mirror, path, f"{wanted}:refs/ledgit/fetched/bundle", list(heads.values()))
    commit, tree, _ = _revision(mirror, oid)
    _check_subdir(mirror, tree, subdir, version)
    name = os.path.basename(path) + (f"#{subdir}" if subdir else "")
    return Source("bundle", name, mirror, tree, commit, None, subdir, foreign=repository is not None)


# ---------------------------------------------------------------------- the registry, runs


def _named(uri: str, version: str, subdir: str, repository: Repository | None) -> Source:
    """Find a project by its name, a version of the registry, or a run."""
    missing = UsageError(
        f"there is no project {uri!r}: no folder, no bundle, and no Git address (https://…, git@host:path)"
        + (", nor a run or a version of a project of this name" if repository is not None else "")
    )
    if repository is None:
        raise missing
    name, at, selector = uri.rpartition("@")
    if at and name:
        try:
            return _registered(repository, name, selector, version, subdir)
        except NotFound as error:
            if "@" in uri and not _has_run(repository, uri):
                raise error
    folders = [] if repository.repo.work_tree is None else _folders_named(repository.repo, uri)
    if len(folders) > 1:
        raise UsageError(f"several projects are named {clean(uri)!r}; give the folder: {', '.join(folders)}")
    if folders:
        return _folder(folders[0], version, subdir, repository)
    if not _has_run(repository, uri):
        near = _near_run(repository, uri)
        raise UsageError(f"{missing}{f' (did you mean the run {near}?)' if near else ''}")
    return _of_run(repository, uri, version, subdir)


def _folders_named(repo: Repo, name: str) -> list[str]:
    from ledgit.projects.finding import all_projects

    return [project.folder for project in all_projects(repo) if project.name == name]


def _registered(repository: Repository, name: str, selector: str, version: str, subdir: str) -> Source:
    if version:
        raise UsageError(f"{name}@{selector} names its version already; leave out '-v {version}'")
    from ledgit.registry.references import parse_reference

    named = parse_reference(f"{name}@{selector}")  # also of what stands at a stage
    found = repository.registered().version(named.model, named.selector)
    if found.kind != "project":
        raise UsageError(f"{name}@{selector} is a {found.kind}, not a project")
    objects = Objects.of(repository.repo)
    commit = objects.commit(found.commit)
    below = "/".join([*_parts(found.path or ""), *_parts(subdir)])
    _check_subdir(repository.repo, commit.tree, below, "")
    # The version's own commit stands above the code's, with the same files: history goes on from the code.
    parent = commit.parents[0] if commit.parents else None
    address = f"{found.model}@{found.version}"
    return Source("version", address, repository.repo, commit.tree, parent, None, below)


def _has_run(repository: Repository, ref: str) -> bool:
    try:
        repository.run(ref)
    except NotFound:
        return False
    return True


def _near_run(repository: Repository, ref: str) -> str:
    try:
        repository.run(ref)
    except NotFound as error:
        return error.near[0] if error.near else ""
    except LedgitError:
        return ""
    return ""


def _of_run(repository: Repository, ref: str, version: str, subdir: str) -> Source:
    from ledgit.projects.repro.codetree import code_tree
    from ledgit.projects.repro.recipe import recipe_of

    if version:
        raise UsageError(f"run {ref!r} has its code with it; leave out '-v {version}'")
    run = repository.run(ref)
    recipe = recipe_of(run)
    below = "/".join(_parts(subdir)) if subdir else recipe.directory
    info = run.record().info
    entry_point = info.entry_point if info.source_type == "PROJECT" else ""
    code = code_tree(repository.repo, recipe)
    found = Source("run", f"run {run.id}", repository.repo, code.tree, code.commit, None, below)
    found.entry_point, found.packs = entry_point, list(code.packs)
    _check_subdir(repository.repo, code.tree, below, "")
    return found


# ---------------------------------------------------------------------- into the user's repository


def bring_here(source: Source, target: Repo, tree: str) -> None:
    """Copy the files of a foreign project into *target*, without its history, unless they are there."""
    if Objects.of(target).exists(tree):
        return
    objects = Objects.of(source.repo)
    source.packs.append(copy_objects(objects, target, list(dict.fromkeys(_reachable(objects, tree)))))


def _reachable(objects: Objects, tree: str) -> Iterator[str]:
    from ledgit.git import GITLINK, TREE

    yield tree
    for entry in objects.tree(tree):
        if entry.mode == TREE:
            yield from _reachable(objects, entry.oid)
        elif entry.mode != GITLINK:
            yield entry.oid
