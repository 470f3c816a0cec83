"""Do lines say what their own commits say? Compared by ids: nothing of 100,000 commits is unpacked for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledgit.errors import NotFound, RecordError
from ledgit.git import LEAN, BatchReader, try_git
from ledgit.git.helper import reading_environment
from ledgit.records.entry import with_head
from ledgit.records.names import RUN_FOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Objects, Repo
    from ledgit.records.table import Line

__all__ = ["check_heads"]

_ENTRY = f"{RUN_FOLDER}/entry.json"
_AT_ONCE = 5_000  # lines that one git process is asked about
_MOST = 4 << 20  # bytes of a commit or of an entry that anything is read of: 10 MB of a fetch can unpack to 10 GB
_FEW = 16  # lines whose commits are rather read than asked about by another process


def check_heads(objects: Objects, lines: Iterable[Line]) -> None:
    """Refuse lines that their own commits don't bear out; what is not here can't be compared.

    A line must be its commit's ``.ledgit/run/entry.json`` with the head. Tombstones are left out,
    and so are lines that don't decode.

    Raises:
        RecordError: One is not.
    """
    with BatchReader(objects.repo) as reader:
        some: list[Line] = []
        for line in lines:
            if line.head and not line.purged:
                some.append(line)
            if len(some) >= _AT_ONCE:
                _check(reader, objects, some)
                some = []
        _check(reader, objects, some)


def _check(reader: BatchReader, objects: Objects, lines: list[Line]) -> None:
    if len(lines) > _FEW and not objects.repo.partial:  # git would look for what a partial clone lacks
        lines = _unproven(objects.repo, lines)
    for at in range(0, len(lines), 1000):
        _compare(reader, objects, [line for line in lines[at : at + 1000] if not line.opaque])


def _unproven(repo: Repo, lines: Sequence[Line]) -> list[Line]:
    """Return the lines whose commit is here, and has another file than they would make of themselves.

    A line without its head, hashed as a file, is the id that the commit's tree must have for it.
    """
    from hashlib import sha1

    asked = "".join(f"{line.head}\n{line.head}:{_ENTRY}\n" for line in lines).encode("ascii")
    args = (*LEAN, "cat-file", "--batch-check=%(objectname) %(objecttype)", "--buffer")
    code, out, _ = try_git(repo, *args, stdin=asked, env=reading_environment(repo))
    answers = out.split(b"\n")
    if code != 0 or len(answers) != 2 * len(lines) + 1:
        return list(lines)
    left = []
    for line, found, file in zip(lines, answers[::2], answers[1::2], strict=False):
        head = line.head.encode("ascii")
        if found == head + b" missing":
            continue
        raw = line.raw
        if found == head + b" commit" and raw[39:49] == b'","head":"' and raw[49:89] == head:
            data = b"blob %d\0%b%b\n" % (len(raw) - 49, raw[:40], raw[90:])
            if file == sha1(data, usedforsecurity=False).hexdigest().encode("ascii") + b" blob":
                continue
        left.append(line)
    return left


def _refuse_vast(objects: Objects, line: Line) -> None:
    """Refuse a line whose commit, or what it says of itself, is too large to be read at all."""
    if (objects.size(line.head) or 0) <= _MOST:
        try:
            entry = objects.find(line.head, _ENTRY)
        except (NotFound, RecordError):
            return  # nothing to compare with, or said by the comparison
        if entry is None or (objects.size(entry.oid) or 0) <= _MOST:
            return
    raise RecordError("the ledger", f"has run {line.id[:12]}, whose commit {line.head[:12]} is larger than any run's")


def _compare(reader: BatchReader, objects: Objects, lines: Sequence[Line]) -> None:
    for line in lines:
        _refuse_vast(objects, line)
    specs = [spec for line in lines for spec in (line.head, f"{line.head}:{_ENTRY}")]
    answers = iter(reader.read_many(specs))
    for line, found, entry in zip(lines, answers, answers, strict=True):
        if found is None:
            continue
        try:
            written = with_head(entry[2].rstrip(b"\n"), line.head) if entry is not None else b""
        except RecordError:
            written = b""
        if found[1] != "commit" or written != line.raw:
            raise RecordError(
                "the ledger",
                f"says of run {line.id[:12]} what its commit {line.head[:12]} doesn't; it was forged or damaged",
            )
