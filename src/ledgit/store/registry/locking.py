"""The lock for whoever makes tags of the registry in a clone."""

from __future__ import annotations

import os

from ledgit.store.ledger.lock import LedgerLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.folder import Folder

__all__ = ["RegistryLock"]


class RegistryLock(LedgerLock):
    """Lets one process at a time make tags in a clone: of several that try, each would else take the same names.

    Git and GTO know nothing of it; what they take meanwhile is found by the refs' own locks.
    """

    _busy = "another ledgit process registers or signs in this repository"

    def __init__(self, folder: Folder, wait: float = 60.0) -> None:
        super().__init__(folder, wait)
        self._path = os.path.join(folder.path, "registry.lock")
