"""What the file systems of a dozen libraries raise, as one of Ledgit's errors.

By the names of their classes: none of these libraries need be installed, and all of them are behind
``fsspec``, which raises what they raise. The sentences are ours: what a library says may hold an
address with its password.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from ledgit.errors import AccessDenied, LedgitError, RemoteError, RemoteFull, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["chain", "remote_failure"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_LONGEST = 200

_DENIED = {
    "asyncssh.PermissionDenied": "the host takes neither our keys nor a password for this user",
    "asyncssh.HostKeyNotVerifiable": (
        "the host's key is not the one in ~/.ssh/known_hosts, or there is none of it;"
        " compare it and connect once with 'ssh'"
    ),
    "asyncssh.KeyImportError": "the SSH key can't be read; a passphrase may be missing or wrong",
    "asyncssh.KeyEncryptionError": "the SSH key can't be read; a passphrase may be missing or wrong",
    "asyncssh.SFTPPermissionDenied": "the host does not let us write there",
    "botocore.NoCredentialsError": "no credentials were found; 'aws configure' or .dvc/config.local gives them",
    "botocore.PartialCredentialsError": "the credentials are not complete",
    "botocore.ProfileNotFound": "there is no such profile in the AWS configuration",
    "ssl.SSLCertVerificationError": "the host's certificate can't be verified",
    "aiohttp.ClientConnectorCertificateError": "the host's certificate can't be verified",
}
_FULL = {
    "asyncssh.SFTPNoSpaceOnFilesystem": "there is no room left",
    "asyncssh.SFTPQuotaExceeded": "the quota is used up",
    "asyncssh.SFTPWriteProtect": "it is read-only",
}
# The base classes; what is above is among their children.
_UNREACHABLE = {
    "asyncio.CancelledError",
    "asyncssh.ConnectionLost",
    "asyncssh.DisconnectError",
    "asyncssh.ChannelOpenError",
    "asyncssh.SFTPConnectionLost",
    "asyncssh.SFTPNoConnection",
    "botocore.HTTPClientError",
    "botocore.ConnectionError",
    "botocore.ResponseParserError",
    "botocore.IncompleteReadError",
    "http.IncompleteRead",
    "aiohttp.ClientConnectionError",
    "aiohttp.ClientPayloadError",
    "fsspec.FSTimeoutError",
    "requests.ConnectionError",
    "requests.Timeout",
    "httpx.TransportError",
    "socket.gaierror",
}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ESHUTDOWN}
_NO_ROOM = {errno.ENOSPC: "there is no room left", errno.EDQUOT: "the quota is used up", errno.EROFS: "it is read-only"}
_FULL_CODES = {"XMinioStorageFull", "QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageQuotaExceeded"}
_BUSY_CODES = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"}
_WRONG_CLOCK = {"RequestTimeTooSkewed"}


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it came from, the nearest first."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen and len(seen) < 16:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def remote_failure(shown: str, error: BaseException, doing: str = "") -> LedgitError:
    """Return the error that says what went wrong with the remote *shown*.

    Args:
        shown: Its address, without credentials.
        error: What a file system raised. One of Ledgit's own comes back as it is.
        doing: "read" or "write", where that tells more about a refusal.
    """
    causes = list(chain(error))
    for found in causes:
        if isinstance(found, LedgitError):
            return found
    # What is under it says more: a PermissionError may be a wrong password or a folder that is not ours.
    for kind in (*map(_by_name, causes), *map(_by_code, causes), *(_by_class(found, doing) for found in causes)):
        if kind is not None:
            return kind[0](shown, kind[1])
    return RemoteError(shown, _said(error))


def _by_name(error: BaseException) -> tuple[type[RemoteError], str] | None:
    for table, kind in ((_DENIED, AccessDenied), (_FULL, RemoteFull)):
        for name in _names(type(error)):
            if name in table:
                return kind, table[name]
    return None


def _by_class(error: BaseException, doing: str) -> tuple[type[RemoteError], str] | None:
    names = list(_names(type(error)))
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return RemoteFull, _NO_ROOM[error.errno]
    if isinstance(error, PermissionError):
        return AccessDenied, f"it does not let us {doing or 'in'}; check the credentials, and what they permit"
    lost = isinstance(error, (ConnectionError, TimeoutError, EOFError)) or not _UNREACHABLE.isdisjoint(names)
    if lost or (isinstance(error, OSError) and error.errno in _NO_WAY):
        return Unreachable, _unreachable(error, names)
    if isinstance(error, ValueError) and "SFTP connections" in str(error):
        return Unreachable, "the host opens no SFTP channel"
    if isinstance(error, FileNotFoundError):
        return RemoteError, "there is no such bucket or folder"
    return None


def _by_code(error: BaseException) -> tuple[type[RemoteError], str] | None:
    """Tell by what an HTTP server or S3 answered."""
    response = getattr(error, "response", None)
    code = ""
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        code = str(response["Error"].get("Code", ""))
    status = getattr(error, "status", getattr(error, "status_code", None))
    if code == "NoSuchBucket":
        return RemoteError, "there is no such bucket"
    if code in _WRONG_CLOCK:
        return AccessDenied, "it says that this machine's clock is wrong"
    if code in _FULL_CODES or status == 507:
        return RemoteFull, "there is no room left"
    if code in _BUSY_CODES or (isinstance(status, int) and status in (429, 500, 502, 503, 504)):
        return Unreachable, f"it is busy or out of order ({_plain(code) or status}); repeat it later"
    if status in (401, 403, 407) or code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"):
        return AccessDenied, "it refuses our credentials, or they don't permit this"
    if status in (405, 501):
        return RemoteFull, "it is read-only: this server takes no uploads"
    return None


def _unreachable(error: BaseException, names: Iterable[str]) -> str:
    if "socket.gaierror" in names or "aiohttp.ClientConnectorDNSError" in names:
        return "there is no host of this name, or no network"
    if isinstance(error, ConnectionRefusedError) or "aiohttp.ClientConnectorError" in names:
        return "nobody answers there"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "it doesn't answer in time"
    if "Endpoint" in type(error).__name__ or (isinstance(error, OSError) and error.errno in _NO_WAY):
        return "it can't be reached"
    return "the connection broke"


def _names(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        yield f"{base.__module__.partition('.')[0].lstrip('_')}.{base.__name__}"


def _said(error: BaseException) -> str:
    """Return one line of what an unknown error says, without addresses; they may hold a password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _plain(_ADDRESS.sub("…", lines[0]) if lines else "")[:_LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
