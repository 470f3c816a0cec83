"""History of other trackers: read where it lies, stored as runs with the ids, times and users they had."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.importing.bringing import Brought as Brought
    from ledgit.importing.bringing import bring_mlflow as bring_mlflow

__all__ = ["Brought", "bring_mlflow"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'ledgit.importing' has no attribute {name!r}")
    from ledgit.importing import bringing

    globals()[name] = getattr(bringing, name)
    return globals()[name]
