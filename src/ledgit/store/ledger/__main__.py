"""``python -m ledgit.store.ledger GIT_DIR``: the automatic compaction, in the background."""

from __future__ import annotations

import sys
from contextlib import suppress

from ledgit.errors import LedgitError
from ledgit.git import Repo
from ledgit.store.folder import Folder
from ledgit.store.ledger.due import compact_quietly
from ledgit.store.ledger.graph import write_graph

if __name__ == "__main__":
    # Nobody would read a message: what can't be done now is done by the next compaction or push.
    with suppress(LedgitError, OSError):
        repo = Repo.discover(sys.argv[1])
        compact_quietly(repo, Folder.of(repo))
        write_graph(repo)
