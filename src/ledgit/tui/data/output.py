"""What a run's command printed: any number of lines, read where they are looked at.

Of a log of a gigabyte a few megabytes are in memory: where every 64th line begins, and the blocks around the lines
that were asked for last.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from ledgit.repository import Run

__all__ = ["OUTPUT", "OutputLog", "open_output", "shown_part"]

#: The artifact that ``ledgit run`` keeps what the command prints in.
OUTPUT = "output.log"
_STRIDE = 64  # lines of a block
_BLOCK = 256 << 10  # bytes after which a block ends with the next line
_MOST = 1 << 20  # bytes of a block that are read: it ends with a very long line
_TAIL = 64 << 10  # bytes at the end of a very long line
_LONGEST = 20_000  # bytes of a line
_STEP = 4 << 20  # bytes that are looked through at once
_KEPT = 32  # blocks


class OutputLog:
    """The lines of a file that may grow, by position.

    Attributes:
        ended: The file does not grow any more.
        size: Bytes that were looked through.
    """

    def __init__(self, file: BinaryIO, *, ended: bool = False) -> None:
        self.ended = ended
        self.size = 0
        self._file = file
        self._guard = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._starts = array("Q", [0])  # where blocks begin
        self._firsts = array("Q", [0])  # the number of the first line of each
        self._newlines = 0
        self._open = False  # the last line has no end yet
        self._blocks: OrderedDict[int, list[str]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return self._newlines + self._open

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._file.close()

    def read_on(self, most: int = _STEP) -> bool:
        """Look through what was appended, *most* bytes of it; return whether there was anything. Called in a thread.

        A file that is shorter than before was begun anew, and so is this.
        """
        with self._guard:
            if self._file.closed:
                return False
            end = self._file.seek(0, os.SEEK_END)
            if end < self.size:
                self._forget()
            if end == self.size:
                return False
            self._file.seek(self.size)
            data = self._file.read(min(most, end - self.size))
            if not data:
                return False
            self._index(data)
            self._blocks.pop(len(self._starts) - 1, None)  # its last line may be longer now
            return True

    def _index(self, data: bytes) -> None:
        base, at = self.size, 0
        start, first = self._starts[-1], self._firsts[-1]
        newlines = self._newlines
        while (found := data.find(b"\n", at)) >= 0:
            at = found + 1
            newlines += 1
            if newlines - first >= _STRIDE or base + at - start >= _BLOCK:
                start, first = base + at, newlines
                if self._starts[-1] != start:
                    self._blocks.pop(len(self._starts) - 1, None)
                    self._starts.append(start)
                    self._firsts.append(first)
        self.size = base + len(data)
        self._open = at < len(data)
        self._newlines = newlines

    def line(self, position: int) -> str:
        """Return a line as it was printed, without its end; "" where there is none. One of megabytes is cut."""
        number = bisect_right(self._firsts, position) - 1
        with self._guard:
            if self._file.closed:
                return ""
            lines = self._blocks.get(number)
            if lines is None:
                lines = self._blocks[number] = self._read(number)
                if len(self._blocks) > _KEPT:
                    self._blocks.popitem(last=False)
            else:
                self._blocks.move_to_end(number)
        offset = position - self._firsts[number]
        return lines[offset] if 0 <= offset < len(lines) else ""

    def _read(self, number: int) -> list[str]:
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else self.size
        self._file.seek(start)
        data = self._file.read(min(end - start, _MOST))
        lines = data.split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        if end - start > _MOST and lines:  # its last line is very long: what a progress bar says last is at its end
            self._file.seek(max(end - _TAIL, start))
            tail = self._file.read(min(_TAIL, end - start)).rstrip(b"\n")
            if b"\r" in tail.rstrip(b"\r"):
                lines[-1] = tail
        return [shown_part(line).decode("utf-8", "replace") for line in lines]


def shown_part(line: bytes) -> bytes:
    r"""Return what a terminal would show of *line* in the end: what follows the last ``\r``, if it says anything."""
    line = line.rstrip(b"\r")
    if b"\r" in line:
        line = next((part for part in reversed(line.split(b"\r")) if part.strip()), b"")
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " … (cut)".encode()


def open_output(run: Run, path: str = OUTPUT, *, fetch: bool = False) -> OutputLog | None:
    """Open the log *path* of a run, also one that is being written; None if the run has none.

    Raises:
        ArtifactsMissing: Its content is not in this clone, and is not to be fetched.
        ArtifactDamaged, RemoteError: It can't be had.
    """
    from ledgit.errors import ArtifactNotFound, ArtifactsMissing

    try:
        file = run.open_artifact(path, fetch=fetch)
    except ArtifactsMissing:
        raise
    except ArtifactNotFound:
        if any(record.path == path for record in run.artifacts()):
            raise
        return None
    return OutputLog(file, ended=run.status != "RUNNING")
