"""The registry in the repository: tags read, made, shared and restored; what people wrote beside them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.registry.described import edit_model, read_models
    from ledgit.store.registry.digest import model_digest, model_files
    from ledgit.store.registry.fetching import pull_tags
    from ledgit.store.registry.moving import move_version, unshared_tags
    from ledgit.store.registry.projectpush import share_version
    from ledgit.store.registry.projects import ProjectRegistration, folder_digest, register_project
    from ledgit.store.registry.pushing import push_tags
    from ledgit.store.registry.reading import Problem, RegistryState, read_registry
    from ledgit.store.registry.restoring import lost_tags, restore_tags
    from ledgit.store.registry.writing import (
        Registration,
        assign,
        deprecate,
        deregister,
        register,
        unassign,
    )

_WHERE = {
    "described": "edit_model read_models",
    "digest": "model_digest model_files",
    "fetching": "pull_tags",
    "moving": "move_version unshared_tags",
    "projectpush": "share_version",
    "projects": "ProjectRegistration folder_digest register_project",
    "pushing": "push_tags",
    "reading": "Problem RegistryState read_registry",
    "restoring": "lost_tags restore_tags",
    "writing": "Registration assign deprecate deregister register unassign",
}
_HOME = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "Problem",
    "ProjectRegistration",
    "Registration",
    "RegistryState",
    "assign",
    "deprecate",
    "deregister",
    "edit_model",
    "folder_digest",
    "lost_tags",
    "model_digest",
    "model_files",
    "move_version",
    "pull_tags",
    "push_tags",
    "read_models",
    "read_registry",
    "register",
    "register_project",
    "restore_tags",
    "share_version",
    "unassign",
    "unshared_tags",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'ledgit.store.registry' has no attribute {name!r}")
    value: object = getattr(__import__(f"ledgit.store.registry.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value
