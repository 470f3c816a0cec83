"""Whether anybody listens at an address: found out at once, where libraries try for half a minute or longer."""

from __future__ import annotations

from ledgit.errors import Unreachable, UsageError

__all__ = ["check_listens"]

_CONNECT = 10.0  # s


def check_listens(address: str, what: str, example: str) -> None:
    """Connect to ``[scheme://]host:port`` and leave again.

    Args:
        address: The address.
        what: What is to be there, for messages.
        example: An address as it should look.

    Raises:
        UsageError: It is no such address.
        Unreachable: Nobody listens there.
    """
    import socket

    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"{address!r} is no address of {what}, expected something like {example}")
    try:
        socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), _CONNECT).close()
    except OSError as error:
        raise Unreachable(address, f"{what} does not answer there: {error.strerror or error}") from None
