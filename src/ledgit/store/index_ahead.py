"""Reading the ledger ahead: Git unpacks the next segments while those before are being taken in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ledgit.git import BatchReader, Repo

__all__ = ["blobs_ahead"]

_WORTH = 4
"""Batches from which on a thread pays."""


def blobs_ahead(
    repo: Repo | None, reader: BatchReader, batches: Sequence[Sequence[str]]
) -> Generator[list[bytes | None], None, None]:
    """Yield the contents of the blobs of each batch of ids, in order; None where one is not here.

    Of many batches in *repo* another thread reads, at most two ahead, by a git process of its own.
    """

    def read(reader: BatchReader, batch: Sequence[str]) -> list[bytes | None]:
        return [None if found is None else found[2] for found in reader.read_many(batch)]

    if repo is None or len(batches) < _WORTH:
        for batch in batches:
            yield read(reader, batch)
        return

    from queue import Queue
    from threading import Thread

    from ledgit.git import BatchReader

    done: Queue[list[bytes | None] | BaseException] = Queue(2)
    stopped = False

    def work() -> None:
        try:
            with BatchReader(repo) as own:
                for batch in batches:
                    done.put(read(own, batch))
                    if stopped:
                        return
        except BaseException as error:  # raised where the batch is waited for
            done.put(error)

    thread = Thread(target=work, name="ledgit-read-ahead", daemon=True)
    thread.start()
    try:
        for _ in batches:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield found
    finally:
        stopped = True
        while thread.is_alive():  # it may be waiting for room
            while not done.empty():
                done.get()
            thread.join(0.01)
