"""Facts of a run that its coordinator knows already: collected once, given to any number of runs.

A project's work folder is made from a snapshot, and the trials of a sweep all have the same code
and environment: each run that is started with :class:`Facts` records them without a git command.
"""

from __future__ import annotations

from ledgit.errors import ConfigError, LedgitError
from ledgit.git import Snapshot, SnapshotOptions, identity, protect, release_pack, take_snapshot
from ledgit.git.snapshot import EMPTY_TREE, subtrees_of, tree_of
from ledgit.records.values import Values
from ledgit.store.config import code_paths
from ledgit.store.facts import environment_facts
from ledgit.store.journal import encode, now_ms
from ledgit.store.packs import list_pack
from ledgit.store.patchid import patch_id_of, record_patch_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from typing import Any

    from ledgit.git import Config, Repo
    from ledgit.store.active import ActiveRun

__all__ = ["Facts", "code_facts", "guard", "protect_code", "record_facts", "snapshot_options", "take_facts"]


class Facts(Values):
    """What the thread beside a fresh run would have recorded; plain values, so that they travel to workers.

    Attributes:
        code: The code as ``run.yaml`` has it, or None where it is not known.
        env: The environment, as the fields of :class:`ledgit.records.Environment`.
        identity: ``full``, ``name`` or ``none``: what of the person is told.
        name: Name of the person.
        email: Address of the person.
        pack: Name of the pack with the code's new objects, kept from ``git gc`` until :meth:`release`; "" if none.
        guarded: Another run, such as that of a sweep, keeps the code for as long as these runs last: they need not.
        notes: What could not be recorded; every run has it among its problems.
    """

    __slots__ = ("code", "email", "env", "guarded", "head_tree", "identity", "name", "notes", "pack", "repo")

    def __init__(
        self,
        code: dict[str, Any] | None,
        env: dict[str, Any],
        identity: str = "full",
        name: str = "",
        email: str = "",
        *,
        pack: str = "",
        head_tree: str | None = None,
        notes: tuple[str, ...] = (),
        repo: Repo | None = None,
    ) -> None:
        self.code, self.env, self.identity, self.name, self.email = code, env, identity, name, email
        self.pack, self.head_tree, self.notes, self.repo = pack, head_tree, notes, repo
        self.guarded = False

    def _values(self) -> tuple[object, ...]:
        return self.code, self.env, self.identity, self.name, self.email

    @property
    def tree(self) -> str | None:
        """The tree that the code is, if it was recorded."""
        return None if self.code is None else self.code.get("tree")

    @property
    def commit(self) -> str | None:
        """The commit that was checked out."""
        return None if self.code is None else self.code.get("commit")

    def with_environment(self, env: Mapping[str, Any]) -> Facts:
        """Return the same facts with another environment."""
        fields = {"pack": self.pack, "head_tree": self.head_tree, "notes": self.notes, "repo": self.repo}
        return Facts(self.code, dict(env), self.identity, self.name, self.email, **fields)  # type: ignore[arg-type]

    def release(self) -> None:
        """Let go of the code's objects: from now on only refs, those of finished runs among them, keep them."""
        if self.repo is not None:
            release_pack(self.repo, self.pack)

    def __enter__(self) -> Facts:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def take_facts(
    repo: Repo,
    python: str | None = None,
    tree: str | None = None,
    commit: str | None = None,
    *,
    branch: str | None = None,
    folder: str | None = None,
    pack: str = "",
) -> Facts:
    """Collect what runs that are started now have in common.

    Args:
        repo: The repository that the runs are recorded in.
        python: The interpreter the runs use, if it is not this process's.
        tree: What runs, where it is not the work tree as it is now; it has to be in *repo*.
        commit: With *tree*, the commit that is its parent in history; None: it has none here.
        branch: With *tree*, the branch that was asked for.
        folder: Where a lock file of the environment may be; default: the work tree.
        pack: With *tree*, name of the pack that was made for it, to be released with the facts.

    Raises:
        GitFailed: Not even the commit that is checked out can be found.
        RepositoryError: The repository is changed faster than it can be read.
        ConfigError: A setting of Ledgit's has an impossible value.
    """
    notes: list[str] = []
    config = repo.config()
    options = snapshot_options(repo, config, notes)
    mode = config.get("ledgit.identity") or "full"
    name, email = identity(repo, mode)
    if tree is None:
        snapshot = take_snapshot(repo, options)
    else:
        head_tree = tree_of(repo, commit)
        snapshot = Snapshot(
            commit, head_tree, tree, branch=branch, subtrees=subtrees_of(repo, tree, options.code_paths)
        )
        snapshot.dirty = head_tree is not None and tree != head_tree
        snapshot.pack = pack
    code = code_facts(snapshot)
    code["patch_id"] = patch_id_of(repo, snapshot)[0]
    env = environment_facts(folder or repo.work_tree, python)
    return Facts(
        code, env, mode, name, email, pack=snapshot.pack, head_tree=snapshot.head_tree, notes=tuple(notes), repo=repo
    )


def snapshot_options(repo: Repo, config: Config, notes: list[str]) -> SnapshotOptions:
    """Return what a snapshot takes in, as the settings say; what can't be had is added to *notes*.

    Raises:
        ConfigError: A setting has an impossible value.
    """
    mode = config.get("ledgit.snapshot") or "full"
    if mode not in ("full", "tracked", "none"):
        raise ConfigError("ledgit.snapshot", mode, "full, tracked or none")
    defaults = SnapshotOptions()
    paths: tuple[str, ...] = ()
    try:
        paths = code_paths(repo)
    except LedgitError as error:  # the rest of the code is worth having without them
        notes.append(f"the declared code paths could not be recorded: {error}")
    return SnapshotOptions(
        mode=mode,  # type: ignore[arg-type]  # checked above
        max_file=config.get_int("ledgit.snapshotMaxFile", defaults.max_file),
        max_total=config.get_int("ledgit.snapshotMaxTotal", defaults.max_total),
        code_paths=paths,
        keep=True,
    )


def code_facts(snapshot: Snapshot) -> dict[str, Any]:
    """Return *snapshot* as the journal has it."""
    return {
        "commit": snapshot.commit,
        "tree": snapshot.tree,
        "branch": snapshot.branch,
        "upstream": snapshot.upstream,
        "dirty": snapshot.dirty,
        "operation": snapshot.operation,
        "submodules": {
            _printable(item.path): {"dirty": item.modified or item.untracked} for item in snapshot.submodules
        },
        "subtrees": snapshot.subtrees,
        "left_out": [[_printable(item.path), item.size, item.reason] for item in snapshot.left_out],
    }


def _printable(path: str) -> str:
    """Journals and YAML hold Unicode: bytes of a path that are none are shown as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def record_facts(run: ActiveRun, facts: Facts) -> None:
    """Write *facts* into the journal of *run*; no git command, no look at the repository."""
    for note in facts.notes:
        run.note_problem(note)
    run._append(encode("env", {"at": now_ms(), "env": facts.env}))
    known: dict[str, Any] = {
        "identity": facts.identity,
        "name": facts.name,
        "email": facts.email,
        "threshold": run.threshold,
    }
    if facts.code is not None:
        # Whoever finalizes the run releases the pack: by then the run's commit holds the code. So a
        # coordinator that was killed leaves nothing behind.
        known |= {"code": facts.code, "pack": facts.pack}
    run._append(encode("code", {"at": now_ms(), **known}))


def guard(run: ActiveRun, facts: Facts, stop: threading.Event, after: float) -> None:
    """Do for a run that lasts what others go without: its patch-id, and a ref of its own. Never raises."""
    if stop.wait(after) or not facts.tree:
        return
    snapshot = Snapshot(facts.commit, facts.head_tree, facts.tree, branch=(facts.code or {}).get("branch"))
    snapshot.dirty = bool((facts.code or {}).get("dirty"))
    try:
        known, tree = patch_id_of(run.repo, snapshot)
        if tree is not None and not (facts.code or {}).get("patch_id"):
            record_patch_id(run, snapshot, tree, stop)
        elif known and not (facts.code or {}).get("patch_id"):
            run._append(encode("patch", {"at": now_ms(), "patch_id": known}))
        _protect(run, snapshot)
    except (LedgitError, OSError) as error:
        run.note_problem(f"the code could not be protected from git gc: {error}")


def protect_code(run: ActiveRun, facts: Facts) -> None:
    """Keep the code from ``git gc`` as long as *run* lasts: for other runs that are given the same facts.

    Raises:
        StorageError: The disk is full or failing.
    """
    if facts.tree:
        _protect(run, Snapshot(facts.commit, facts.head_tree, facts.tree))


def _protect(run: ActiveRun, snapshot: Snapshot) -> None:
    if snapshot.tree == EMPTY_TREE:
        return
    ref = f"refs/ledgit/active/{run.id}"
    message = f"Work tree of the active run {run.name}"
    protect(run.repo, ref, snapshot, message, run.start // 1000, note=lambda pack: list_pack(run.folder, pack))
    run._append(encode("protected", {"at": now_ms(), "ref": ref}))
