"""Looks once at every file that a push would bring, a few thousand at a time: its size, and what it says.

Of a file that is as it should be nothing is kept: a first push of 100,000 runs brings a million.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ledgit.git import BatchReader, Repo
    from ledgit.store.sync.outgoing import Outgoing
    from ledgit.store.sync.secrets import Hit

    Progress = Callable[[str, int, int | None], None]
    Scan = Callable[[str, bytes], list[Hit]]

__all__ = ["AT_ONCE", "Place", "look"]

AT_ONCE = 20_000  #: files that are looked at together; one that comes again among them is read once
_FEW = 16  # files that are rather read than asked about by another process
_SOME = 64  # files that are read without a process for them alone
_OFTEN = 200  # files after which progress is told


class Place:
    """A file that something is to be said about.

    Attributes:
        path: Where its first commit has it, from the top of the repository.
        blob: Its content's id.
        commits: The commits that add it, newest first.
        size: Bytes.
        hits: What looks like a secret in it; None: it is too large to be scanned.
    """

    __slots__ = ("blob", "commits", "hits", "path", "size")

    def __init__(self, path: str, blob: str, commits: list[str], size: int, hits: list[Hit] | None) -> None:
        self.path, self.blob, self.commits, self.size, self.hits = path, blob, commits, size, hits


def look(
    where: Repo,
    outgoing: Outgoing,
    within: Collection[str],
    *,
    least: int = 0,
    scan: Scan | None = None,
    progress: Progress | None = None,
) -> list[Place]:
    """Return the remarkable ones of the files that the commits *within* bring, in the order in which they bring them.

    A file that is not here (a partial clone's: it is on a remote) is passed over.

    Args:
        where: The repository that has them.
        outgoing: The commits.
        within: Ids of those of them that count.
        least: Bytes above which a file is remarkable; 0: none is for its size.
        scan: Returns what looks like a secret in a file (path, content); None: don't look.
        progress: Told how far the scan is.
    """
    if not (least or scan):
        return []
    work = _Look(where, outgoing, least, scan)
    total = outgoing.count(within) if progress is not None else 0
    some: dict[bytes, int] = {}
    for done, number in enumerate(outgoing.numbers(within)):
        if progress is not None and scan is not None and done % _OFTEN == 0:
            progress("scanning for secrets", done, total)
        some.setdefault(outgoing.blob(number), number)
        if len(some) == AT_ONCE:
            work.take(some)
            some = {}
    work.take(some)
    work.close()
    return work.places(within)


class _Look:
    def __init__(self, where: Repo, outgoing: Outgoing, least: int, scan: Scan | None) -> None:
        self._where, self._outgoing, self._least, self._scan = where, outgoing, least, scan
        self._reader: BatchReader | None = None
        self._found: dict[int, tuple[bytes, int, list[Hit] | None]] = {}

    def take(self, some: dict[bytes, int]) -> None:
        """Look at files: id as bytes → its first number among them."""
        from ledgit.store.sync.secrets import MAX_BYTES, is_scanned

        read: list[tuple[bytes, int]] = []
        rest: list[tuple[bytes, int]] = []
        for blob, number in some.items():
            scanned = self._scan is not None and is_scanned(self._outgoing.path(number))
            (read if scanned else rest).append((blob, number))
        if not self._least:
            rest = []
        elif len(rest) <= _FEW:
            read, rest = read + rest, []
        answers = self._read([blob.hex() for blob, _ in read], MAX_BYTES)
        for (blob, number), answer in zip(read, answers, strict=True):
            if answer is None:
                continue
            size, data = answer
            hits: list[Hit] | None = []
            if self._scan is not None and is_scanned(path := self._outgoing.path(number)):
                hits = self._scan(path, data) if size <= MAX_BYTES else None
            self._note(blob, number, size, hits)
        if rest:
            from ledgit.store.sync.outgoing import sizes

            told = sizes(self._where, [blob.hex() for blob, _ in rest])
            for (blob, number), known in zip(rest, told, strict=True):
                if known is not None:
                    self._note(blob, number, known, [])

    def _read(self, oids: list[str], most: int) -> Iterator[tuple[int, bytes] | None]:
        """Yield (size, content) of each; of one larger than *most* bytes no content; None: it is not here."""
        from ledgit.git import BatchReader, Objects

        if len(oids) <= _SOME and self._reader is None and not self._where.partial:
            yield from Objects.of(self._where).sized(oids, most)  # needs no process of its own
            return
        if self._reader is None:
            self._reader = BatchReader(self._where)
        for answer in self._reader.read_many(oids, most=most):
            yield None if answer is None else (self._reader.size, answer[2])

    def _note(self, blob: bytes, number: int, size: int, hits: list[Hit] | None) -> None:
        if hits is None or hits or (self._least and size > self._least):
            self._found[number] = (blob, size, hits)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def places(self, within: Collection[str]) -> list[Place]:
        """Return what was found, but for files that were looked at before, under another name perhaps."""
        found = []
        where = self._outgoing.places({blob for blob, _, _ in self._found.values()}, within)
        for number, (blob, size, hits) in self._found.items():
            first, commits = where[blob]
            if number == first:
                found.append(Place(self._outgoing.path(number), blob.hex(), commits, size, hits))
        return sorted(found, key=lambda place: where[bytes.fromhex(place.blob)][0])
