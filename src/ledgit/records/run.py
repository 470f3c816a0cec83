"""run.yaml: what a run is, who made it, when, from which code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.errors import NewerFormat, RecordError
from ledgit.records.basics import (
    DEFAULT_EXPERIMENT,
    FAILED,
    FINISHED,
    KILLED,
    RUNNING,
    SCHEDULED,
    STATUSES,
    CodeRef,
    from_iso,
    is_commit_id,
    is_run_id,
    is_time,
    iso,
    new_run_id,
    random_name,
)
from ledgit.records.documents import dump_document, load_document
from ledgit.records.fields import Fields

TYPE_CHECKING = False  # typing takes 3 ms to import
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "DEFAULT_EXPERIMENT",
    "FAILED",
    "FINISHED",
    "KILLED",
    "RUNNING",
    "SCHEDULED",
    "STATUSES",
    "CodeInfo",
    "CodeRef",
    "RunInfo",
    "decode_run",
    "encode_run",
    "from_iso",
    "is_commit_id",
    "is_run_id",
    "is_time",
    "iso",
    "new_run_id",
    "random_name",
]

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """The code a run was made from.

    Attributes:
        commit: the commit that was checked out.
        tree: root tree of the snapshot: the code as it was, with uncommitted changes.
        branch: short name of the branch; None when detached.
        upstream: the branch's upstream, as ``origin/main``.
        dirty: the snapshot differs from the commit.
        patch_id: cumulative patch-id since the merge base.
        subtrees: tree ids of the declared code paths.
        left_out: (path, bytes, reason) of files that the snapshot has not.
        submodules: by path, their ``commit`` and whether they are ``dirty``.
        state: what Git was in the middle of: ``rebase``, ``merge``, ``bisect``; mostly empty.
    """

    commit: str | None = None
    tree: str | None = None
    branch: str | None = None
    upstream: str | None = None
    dirty: bool = False
    patch_id: str | None = None
    subtrees: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[tuple[str, int, str], ...] = ()
    submodules: Mapping[str, Mapping[str, str | bool | None]] = field(default_factory=dict)
    state: str = ""

    @property
    def ref(self) -> CodeRef:
        """The part that entries carry."""
        return CodeRef(self.commit, self.tree, self.branch, self.dirty, self.patch_id, self.subtrees)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run without its values. Times are ms since the epoch, UTC; ``end`` is None while it runs.

    Attributes:
        id: 32 hex digits for ours; imported runs keep theirs.
        command: the command line, redacted.
        entry_point: the project's entry point or the script.
        parent_run: id of the run this one is nested in.
        source: what was run (a file, a notebook, a project's address).
        source_type: ``LOCAL``, ``NOTEBOOK``, ``PROJECT`` or ``JOB``.
        directory: where below the top of the tree the command ran; empty at the top.
        reduced: the histories in the tree are a reduction; the full ones are in DVC.
        schema: the format of run.yaml.
    """

    id: str
    name: str = ""
    experiment: str = DEFAULT_EXPERIMENT
    status: str = RUNNING
    start: int = 0
    end: int | None = None
    user: str = ""
    host: str = ""
    command: tuple[str, ...] = ()
    entry_point: str = ""
    parent_run: str | None = None
    source: str = ""
    source_type: str = "LOCAL"
    directory: str = ""
    deleted: bool = False
    reduced: bool = False
    schema: int = SCHEMA
    code: CodeInfo = field(default_factory=CodeInfo)


def encode_run(info: RunInfo) -> bytes:
    """Return run.yaml; what is empty is left out."""
    code = info.code
    document: dict[str, Any] = {
        "id": info.id,
        "name": info.name,
        "experiment": info.experiment,
        "status": info.status,
        "start": iso(info.start),
        "end": None if info.end is None else iso(info.end),
        "user": info.user,
        "host": info.host,
        "command": info.command,
        "entry_point": info.entry_point,
        "parent_run": info.parent_run,
        "source": info.source,
        "source_type": info.source_type,
        "directory": info.directory,
        "deleted": info.deleted,
        "reduced": info.reduced,
        "code": _filled(
            {
                "commit": code.commit,
                "tree": code.tree,
                "branch": code.branch,
                "upstream": code.upstream,
                "dirty": code.dirty,
                "patch_id": code.patch_id,
                "state": code.state,
                "subtrees": {path: code.subtrees[path] for path in sorted(code.subtrees)},
                "submodules": [{"path": path, **_filled(code.submodules[path])} for path in sorted(code.submodules)],
                "left_out": [{"path": path, "size": size, "reason": reason} for path, size, reason in code.left_out],
            }
        ),
        "schema": info.schema,
    }
    return dump_document(_filled(document))


def _oid(code: Fields, key: str, where: str) -> str | None:
    """Return an object id: one that is none would reach git as an argument, or end a commit's header."""
    oid = code.optional_text(key)
    if oid is not None and not is_commit_id(oid):
        raise RecordError(where, f"the code's {key} {oid[:40]!r} is no object id")
    return oid


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or type(value) is int}


def decode_run(data: bytes, where: str = "run.yaml") -> RunInfo:
    """Return the run that run.yaml describes; what is missing has its default, what is unknown is ignored.

    Raises:
        RecordError: it does not decode, or has no valid id.
        NewerFormat: it was written by a newer Ledgit.
    """
    top = Fields(load_document(data, where), where)
    schema = top.integer("schema", SCHEMA)
    if schema > SCHEMA:
        raise NewerFormat(where, schema, SCHEMA)
    run_id = top.text("id")
    if not is_run_id(run_id):
        raise RecordError(where, f"the id {run_id[:40]!r} is no run id")
    status = top.text("status", FINISHED)
    if status not in STATUSES:
        raise RecordError(where, f"the status {status[:20]!r} is none of {', '.join(STATUSES)}")
    code = top.section("code")
    end = top.optional_text("end")
    return RunInfo(
        id=run_id,
        name=top.text("name", ""),
        experiment=top.text("experiment", DEFAULT_EXPERIMENT),
        status=status,
        start=from_iso(top.text("start", "1970-01-01T00:00:00Z")),
        end=None if end is None else from_iso(end),
        user=top.text("user", ""),
        host=top.text("host", ""),
        command=top.texts("command"),
        entry_point=top.text("entry_point", ""),
        parent_run=top.optional_text("parent_run"),
        source=top.text("source", ""),
        source_type=top.text("source_type", "LOCAL"),
        directory=top.text("directory", ""),
        deleted=top.flag("deleted"),
        reduced=top.flag("reduced"),
        schema=schema,
        code=CodeInfo(
            commit=_oid(code, "commit", where),
            tree=_oid(code, "tree", where),
            branch=code.optional_text("branch"),
            upstream=code.optional_text("upstream"),
            dirty=code.flag("dirty"),
            patch_id=code.optional_text("patch_id"),
            subtrees=code.text_map("subtrees"),
            left_out=tuple(
                (item.text("path"), item.integer("size", 0), item.text("reason", ""))
                for item in code.sections("left_out")
            ),
            submodules={
                item.text("path"): {"commit": item.optional_text("commit"), "dirty": item.flag("dirty")}
                for item in code.sections("submodules")
            },
            state=code.text("state", ""),
        ),
    )
