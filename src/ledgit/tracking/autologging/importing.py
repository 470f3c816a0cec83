"""Do something when a library is imported later: ``autolog()`` stands at the top of scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["forget", "when_imported"]

_waiting: dict[str, Callable[[], None]] = {}


def when_imported(library: str, action: Callable[[], None]) -> None:
    """Call *action* once, right after the module *library* was imported."""
    _waiting[library] = action
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def forget(library: str) -> None:
    """Wait no longer for *library*."""
    _waiting.pop(library, None)


class _Finder(MetaPathFinder):
    """Asks the other finders, and puts a loader of our own around the one they name."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in _waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(Loader):
    """The library's own loader, and then what waits for the library."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader  # the library sees itself as always
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        action = _waiting.pop(module.__name__, None)
        if action is not None:
            from ledgit.tracking import session

            try:
                action()
            except Exception as error:
                session.report(error, f"autologging of {module.__name__} could not be switched on")
