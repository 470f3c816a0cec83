"""What a command prints, kept up to a limit and as long as the disk takes it: neither may stop the command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

__all__ = ["MOST_KEPT", "KeptOutput"]

#: Output beyond this is still shown, but no longer kept.
MOST_KEPT = 256 << 20


class KeptOutput:
    """Writes into *log*, if there is one.

    Attributes:
        problem: Why the log is not whole; mostly empty.
    """

    def __init__(self, log: IO[bytes] | None, most: int = MOST_KEPT) -> None:
        self.log, self.most = log, most
        self.problem = ""
        self._kept = 0

    def write(self, data: bytes) -> None:
        """Keep *data*, or as much of it as there is room for."""
        left = self.most - self._kept
        if self.log is None or not data or left <= 0 or self.problem:
            return
        self._kept += len(data)
        end = b"\n[ledgit: further output was not kept]\n" if self._kept >= self.most else b""
        view = memoryview(data[:left] + end)
        try:
            while view:
                view = view[self.log.write(view) or 0 :]
        except OSError as error:
            self.problem = f"the output was not kept any further: {error.strerror}"
