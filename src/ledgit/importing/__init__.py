"""History of other trackers: read where it lies, stored as runs with the ids, times and users they had."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.importing.bringing import Brought as Brought
    from ledgit.importing.bringing import bring as bring
    from ledgit.importing.bringing import bring_mlflow as bring_mlflow
    from ledgit.importing.sources import open_source as open_source

_WHERE = {"Brought": "bringing", "bring": "bringing", "bring_mlflow": "bringing", "open_source": "sources"}

__all__ = ["Brought", "bring", "bring_mlflow", "open_source"]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'ledgit.importing' has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = getattr(import_module(f"ledgit.importing.{_WHERE[name]}"), name)
    return globals()[name]
