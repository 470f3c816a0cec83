"""What was decoded of the registry, kept for the next process: ``registry.json`` in Ledgit's folder. Disposable."""

from __future__ import annotations

import os
from zlib import crc32

from ledgit.errors import LedgitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.registry.events import Row

__all__ = ["Kept", "load_kept", "look_back", "save_kept"]

_FORMAT = 2
_looked: set[str] = set()  # folders in which this process has looked for what a power cut took


def look_back(repo: Repo, folder: Folder, wait: float = 0.0) -> None:
    """Once a process: make tags again that a power cut took before they were on the disk; see `settling`."""
    if folder.path in _looked:
        return
    try:
        if os.stat(os.path.join(folder.path, "tagging")).st_size:
            from ledgit.store.registry.settling import settle_tags

            if not settle_tags(repo, folder, wait):
                return
    except FileNotFoundError:
        pass
    except (OSError, LedgitError):
        return  # the disk refuses: whoever writes hears of it
    _looked.add(folder.path)


class Kept:
    """What an earlier process decoded.

    Attributes:
        mark: What the stamp of ``refs/tags/`` was, as text; "" if it may have been changing.
        ledger: The ledger whose records these are; "" if there was none.
        rows: Of all tags.
        records: Model → what its record says.
        wrong: What of the ledger's records does not decode.
    """

    __slots__ = ("ledger", "mark", "records", "rows", "wrong")

    def __init__(
        self, mark: str, ledger: str, rows: list[Row], records: dict[str, dict[str, Any]], wrong: list[str]
    ) -> None:
        self.mark, self.ledger, self.rows, self.records, self.wrong = mark, ledger, rows, records, wrong


def load_kept(path: str) -> Kept | None:
    """Return what was kept; None if there is nothing, or it is torn or of another Ledgit."""
    try:
        with open(path, "rb") as file:
            head, _, data = file.read().partition(b"\n")
    except OSError:
        return None
    if head != b"%d %08x" % (_FORMAT, crc32(data)):
        return None
    from orjson import loads

    return Kept(*loads(data))


def save_kept(
    path: str, mark: str, ledger: str, rows: list[Row], records: dict[str, dict[str, Any]], wrong: list[str]
) -> None:
    """Keep it; where that is not possible, it is read again next time."""
    from orjson import JSONEncodeError, dumps

    scratch = f"{path}.{os.getpid()}"
    try:
        data = dumps([mark, ledger, rows, records, wrong])
        with open(scratch, "wb") as file:
            file.write(b"%d %08x\n" % (_FORMAT, crc32(data)) + data)
        os.replace(scratch, path)
    except (OSError, JSONEncodeError):
        pass  # read-only, no folder yet, or a value that JSON has no form for
