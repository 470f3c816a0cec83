"""The registry of a repository: everything that can be asked of it and done in it."""

from __future__ import annotations

from ledgit.registry.acting import RegistryActing

__all__ = ["Registry"]


class Registry(RegistryActing):
    """The registry of a repository. Opening reads nothing; every question looks whether a tag has changed.

    Args:
        repository: As :func:`ledgit.open` gives it.
    """
