"""The environment that a project runs in: made from what it declares, or from what a run recorded."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.environments.prepared import Prepared
    from ledgit.projects.environments.preparing import MANAGERS, choose_manager, prepare
    from ledgit.projects.environments.store import (
        Cached,
        EnvironmentCache,
        Hold,
        list_environments,
        remove_environments,
    )

_MODULES = {
    "prepared": ("Prepared",),
    "preparing": ("MANAGERS", "choose_manager", "prepare"),
    "store": ("Cached", "EnvironmentCache", "Hold", "list_environments", "remove_environments"),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "MANAGERS",
    "Cached",
    "EnvironmentCache",
    "Hold",
    "Prepared",
    "choose_manager",
    "list_environments",
    "prepare",
    "remove_environments",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'ledgit.projects.environments' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"ledgit.projects.environments.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
