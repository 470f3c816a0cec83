"""The environment that a project runs in: made from what it declares, or from what a run recorded."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.projects.environments.prepared import Prepared
    from ledgit.projects.environments.preparing import MANAGERS, choose_manager, prepare
    from ledgit.projects.environments.recorded import (
        Difference,
        Lacking,
        Wanted,
        differences,
        direct_packages,
        from_recorded,
    )
    from ledgit.projects.environments.store import (
        Cached,
        EnvironmentCache,
        Hold,
        hold,
        list_environments,
        remove_environments,
    )

_MODULES = {
    "prepared": ("Prepared",),
    "preparing": ("MANAGERS", "choose_manager", "prepare"),
    "recorded": ("Difference", "Lacking", "Wanted", "differences", "direct_packages", "from_recorded"),
    "store": ("Cached", "EnvironmentCache", "Hold", "hold", "list_environments", "remove_environments"),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "MANAGERS",
    "Cached",
    "Difference",
    "EnvironmentCache",
    "Hold",
    "Lacking",
    "Prepared",
    "Wanted",
    "choose_manager",
    "differences",
    "direct_packages",
    "from_recorded",
    "hold",
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
