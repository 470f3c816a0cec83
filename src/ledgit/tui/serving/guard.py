"""Who may use the served UI: one-time tokens, the session each becomes, and what Host and Origin may say.

The server runs a program for whoever gets in, so these stand in the way of:

- **another web page** in the same browser: it sends its own Origin, and no cookie of ours (SameSite=Strict);
- **DNS rebinding**: a name of the attacker's that points to this machine is not among the names that ``Host`` may say;
- **other users of this machine**, who can all reach 127.0.0.1: the token is 256 bits, and known to the terminal alone;
- **another server on this machine**: a browser sends cookies to all ports of a host, but this one only below a path
  that nobody else knows;
- **who reads the link later** (the browser's history, a log): it works once.

No network and no I/O here.
"""

from __future__ import annotations

import hmac
import re
import secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["COOKIE", "LOOPBACK", "Guard", "Visitor", "host_name", "is_loopback"]

COOKIE = "ledgit"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""What ``Host`` says, without the port, of a server that only this machine reaches. The port may be another one's:
that of the near end of an SSH tunnel."""

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::[0-9]{1,5})?", re.ASCII)


def host_name(header: str) -> str:
    """Return the name or address that a ``Host`` header has, in lower case and without the port; "" if it is none."""
    found = _HOST.fullmatch(header.lower())
    return found[1] if found else ""


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach a server at *address*; names but ``localhost`` don't count."""
    if address == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


class Visitor:
    """A browser that showed a token: *path* is where the UI is for it, *secret* is in its cookie."""

    __slots__ = ("path", "secret")

    def __init__(self) -> None:
        self.path, self.secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)


class Guard:
    """Tokens handed out, visitors let in.

    Args:
        hosts: What ``Host`` may say, in lower case, without a port.
    """

    def __init__(self, hosts: Collection[str] = LOOPBACK) -> None:
        self.hosts = frozenset(hosts)
        self._token: str | None = None
        self._visitors: dict[str, Visitor] = {}

    def new_token(self) -> str:
        """Return a token that lets one browser in, once; the one before is void, used or not."""
        self._token = secrets.token_urlsafe(32)
        return self._token

    def redeem(self, token: str) -> Visitor | None:
        """Return who the bearer of *token* is from now on, and make it void; None if it is not the one that counts."""
        if self._token is None or not _same(token, self._token):
            return None
        self._token = None
        visitor = Visitor()
        self._visitors[visitor.path] = visitor
        return visitor

    def knows(self, path: str, secret: str) -> bool:
        """Whether a request for *path* comes from the browser that it was made for."""
        visitor = self._visitors.get(path)
        # A comparison is made either way: how long it takes doesn't tell which paths there are.
        return _same(secret, visitor.secret if visitor else secrets.token_urlsafe(32)) and visitor is not None

    def allows_host(self, headers: Collection[str], local_address: str = "") -> bool:
        """Whether the ``Host`` headers of a request are one, and name this server.

        Args:
            headers: All that the request has.
            local_address: The address at which the connection arrived, where others than loopback are served: a
                request may name it, as no DNS was asked then.
        """
        if len(headers) != 1:
            return False
        name = host_name(next(iter(headers)))
        return bool(name) and (name in self.hosts or name.strip("[]") == local_address)

    @staticmethod
    def allows_origin(origins: Collection[str], host: str) -> bool:
        """Whether the ``Origin`` of a WebSocket is the page that this server, named *host* (with port), sent.

        One without Origin is no browser's, and refused as well.
        """
        return len(origins) == 1 and next(iter(origins)).lower() == f"http://{host.lower()}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
