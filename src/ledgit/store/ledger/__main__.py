"""``python -m ledgit.store.ledger GIT_DIR``: the automatic compaction, in the background.

What it leaves in packs is made small then (`store/packs.shrink`).
"""

from __future__ import annotations

import sys
from contextlib import suppress

from ledgit.errors import LedgitError
from ledgit.git import Repo
from ledgit.store.folder import Folder
from ledgit.store.ledger.due import compact_quietly
from ledgit.store.ledger.graph import write_graph
from ledgit.store.packs import shrink

if __name__ == "__main__":
    # Nobody would read a message: what can't be done now is done by the next compaction or push.
    with suppress(LedgitError, OSError):
        repo = Repo.discover(sys.argv[1])
        folder = Folder.of(repo)
        compact_quietly(repo, folder)
        with suppress(LedgitError, OSError):
            shrink(repo, folder)
        write_graph(repo)
