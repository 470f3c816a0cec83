"""The registry as people use it: versions and stages of models, who may do what, and whether it is genuine.

::

    from ledgit.registry import Registry

    registry = Registry(ledgit.open())
    version = registry.register("calm-owl-417", "churn", bump="minor", reason="more data")
    registry.promote(version, "prod", reason="passed the trial")
    registry.which("churn", "prod")
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.registry.registry import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> object:
    if name != "Registry":
        raise AttributeError(f"module 'ledgit.registry' has no attribute {name!r}")
    from ledgit.registry.registry import Registry

    globals()[name] = Registry
    return Registry
