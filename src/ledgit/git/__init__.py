"""Git: the only package that imports pygit2 or runs git.

Names are looked up when first used, so that ``from ledgit.git import Repo`` loads neither
pygit2 nor ``subprocess``.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing.TYPE_CHECKING without importing typing (3 ms)
if TYPE_CHECKING:
    from typing import Any

    from ledgit.git.attributes import ensure_attributes, set_driver
    from ledgit.git.batch import BatchReader
    from ledgit.git.bundles import bundle_heads, fetch_bundle, make_bundle
    from ledgit.git.command import (
        LEAN,
        git_environment,
        git_version,
        outside_environment,
        run_git,
        spawn_git,
        start_git,
        try_git,
    )
    from ledgit.git.committing import (
        changed_files,
        commit_files,
        current_branch,
        ignored_by,
        init_repository,
        mend_index,
        not_committed,
        push_branch,
        read_head,
        tracked_files,
    )
    from ledgit.git.covering import has_files_of
    from ledgit.git.gcrunning import gc_is_running, repack_is_running
    from ledgit.git.helper import Helper, helper_objects, reading_environment
    from ledgit.git.history import (
        History,
        HistoryCommit,
        Tip,
        ahead_behind,
        head_of,
        list_tips,
        resolve_commit,
    )
    from ledgit.git.leftovers import release_leftovers
    from ledgit.git.linked import add_worktree, fill_submodules, remove_worktree, reset_worktree
    from ledgit.git.links import (
        Branch,
        CodeFacts,
        Link,
        merge_base,
        reachable,
        resolve_links,
    )
    from ledgit.git.mirror import Fetched, Mirror
    from ledgit.git.objects import Objects, read_loose
    from ledgit.git.pack import ObjectSet, Pack, release_pack
    from ledgit.git.packmerge import merge_packs
    from ledgit.git.paging import page_git
    from ledgit.git.parsing import (
        EXECUTABLE,
        FILE,
        GITLINK,
        SYMLINK,
        TREE,
        Commit,
        Signature,
        TreeEntry,
        parse_commit,
        parse_tree,
    )
    from ledgit.git.patches import base_ref, code_patch_ids, find_base, patch_id
    from ledgit.git.reflock import remove_left_lock
    from ledgit.git.refnames import NameWatch, ref_names
    from ledgit.git.refs import RefUpdate, list_refs, read_ref, stamp, sync_ref, update_refs
    from ledgit.git.repo import Config, Repo, identity
    from ledgit.git.runcode import code_tree_without_run, users_dvc_files
    from ledgit.git.snapshot import LeftOut, Snapshot, SnapshotOptions, Submodule, protect, take_snapshot
    from ledgit.git.transport import (
        Address,
        Fetching,
        PushResult,
        PushUpdate,
        address,
        fetch,
        list_remote,
        push,
        start_fetch,
    )
    from ledgit.git.trees import build, check_name, check_path, edit_tree, encode_tree, graft, without
    from ledgit.git.upstream import default_branch, fetch_branch
    from ledgit.git.worktree import Applied, apply_tree, create_branch

__all__ = [
    "Address",
    "Applied",
    "EXECUTABLE",
    "FILE",
    "GITLINK",
    "Helper",
    "History",
    "HistoryCommit",
    "LEAN",
    "SYMLINK",
    "TREE",
    "BatchReader",
    "Branch",
    "CodeFacts",
    "Commit",
    "Config",
    "Fetched",
    "Fetching",
    "LeftOut",
    "Link",
    "Mirror",
    "NameWatch",
    "ObjectSet",
    "Objects",
    "Pack",
    "PushResult",
    "PushUpdate",
    "RefUpdate",
    "Repo",
    "Signature",
    "Snapshot",
    "SnapshotOptions",
    "Submodule",
    "TreeEntry",
    "Tip",
    "add_worktree",
    "address",
    "ahead_behind",
    "apply_tree",
    "base_ref",
    "build",
    "bundle_heads",
    "changed_files",
    "check_name",
    "check_path",
    "code_patch_ids",
    "code_tree_without_run",
    "commit_files",
    "create_branch",
    "current_branch",
    "default_branch",
    "edit_tree",
    "encode_tree",
    "ensure_attributes",
    "fetch",
    "fetch_branch",
    "fetch_bundle",
    "fill_submodules",
    "find_base",
    "git_environment",
    "git_version",
    "graft",
    "has_files_of",
    "head_of",
    "helper_objects",
    "identity",
    "ignored_by",
    "init_repository",
    "list_refs",
    "list_remote",
    "list_tips",
    "make_bundle",
    "gc_is_running",
    "mend_index",
    "merge_base",
    "merge_packs",
    "not_committed",
    "outside_environment",
    "page_git",
    "parse_commit",
    "parse_tree",
    "patch_id",
    "protect",
    "push",
    "push_branch",
    "reachable",
    "reading_environment",
    "read_head",
    "read_loose",
    "read_ref",
    "ref_names",
    "release_leftovers",
    "release_pack",
    "remove_left_lock",
    "remove_worktree",
    "reset_worktree",
    "repack_is_running",
    "resolve_commit",
    "resolve_links",
    "run_git",
    "set_driver",
    "stamp",
    "start_fetch",
    "spawn_git",
    "start_git",
    "sync_ref",
    "take_snapshot",
    "tracked_files",
    "try_git",
    "update_refs",
    "users_dvc_files",
    "without",
]

_MODULES = {
    "attributes": "ensure_attributes set_driver",
    "batch": "BatchReader",
    "bundles": "bundle_heads fetch_bundle make_bundle",
    "command": "LEAN git_environment git_version outside_environment run_git spawn_git start_git try_git",
    "committing": "changed_files commit_files current_branch ignored_by init_repository"
    " mend_index not_committed push_branch read_head tracked_files",
    "covering": "has_files_of",
    "gcrunning": "gc_is_running repack_is_running",
    "helper": "Helper helper_objects reading_environment",
    "history": "History HistoryCommit Tip ahead_behind head_of list_tips resolve_commit",
    "linked": "add_worktree fill_submodules remove_worktree reset_worktree",
    "links": "Branch CodeFacts Link merge_base reachable resolve_links",
    "mirror": "Fetched Mirror",
    "objects": "Objects read_loose",
    "leftovers": "release_leftovers",
    "pack": "ObjectSet Pack release_pack",
    "packmerge": "merge_packs",
    "paging": "page_git",
    "parsing": "EXECUTABLE FILE GITLINK SYMLINK TREE Commit Signature TreeEntry parse_commit parse_tree",
    "patches": "base_ref code_patch_ids find_base patch_id",
    "reflock": "remove_left_lock",
    "refnames": "NameWatch ref_names",
    "refs": "RefUpdate list_refs read_ref stamp sync_ref update_refs",
    "repo": "Config Repo identity",
    "runcode": "code_tree_without_run users_dvc_files",
    "snapshot": "LeftOut Snapshot SnapshotOptions Submodule protect take_snapshot",
    "transport": "Address Fetching PushResult PushUpdate address fetch list_remote push start_fetch",
    "trees": "build check_name check_path edit_tree encode_tree graft without",
    "upstream": "default_branch fetch_branch",
    "worktree": "Applied apply_tree create_branch",
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names.split():
            value = getattr(__import__(f"ledgit.git.{module}", fromlist=[name]), name)  # see ledgit/__init__.py
            globals()[name] = value
            return value
    raise AttributeError(f"module 'ledgit.git' has no attribute {name!r}")
