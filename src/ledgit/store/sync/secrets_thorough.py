"""A second look for secrets, by Kingfisher's some 500 rules: ``ledgit.secretScan thorough``.

Kingfisher (Apache 2.0) keeps its own rules and those of Betterleaks, which go on where Gitleaks stopped.
It is an extra, not what every push does: it is 36 MB, has no wheels for musl, and takes 0.3 s to
begin (3 s the first time), where the whole of our own scan of a run takes 1 ms. It runs in this
process, asks nobody whether a secret is valid, and its compiled rules are kept in Ledgit's folder.
"""

from __future__ import annotations

import os

from ledgit.errors import MissingDependency
from ledgit.store.sync.secrets import Hit, as_text, is_excused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.folder import Folder

__all__ = ["Thorough"]


class Thorough:
    """Kingfisher's scanner, with our idea of what is excused.

    Raises:
        MissingDependency: It isn't installed.
    """

    def __init__(self, folder: Folder) -> None:
        try:
            from kingfisher_sdk import Rules, Scanner
        except ImportError:
            raise MissingDependency("ledgit.secretScan = thorough", "ledgit[secrets]") from None
        self._scanner = Scanner(Rules(cache_dir=os.path.join(folder.path, "secret-rules")))

    def scan(self, data: bytes) -> list[Hit]:
        """Return the suspicious places in a file; none in what is no text."""
        text = as_text(data)
        if text is None:
            return []
        return [
            Hit(found.location["line"], f"'{found.rule_id.rpartition('.')[2]}' of Kingfisher's rules", found.secret)
            for found in self._scanner.scan(text)
            if found.visible and not is_excused(text, found.location["start_offset"])
        ]
