"""Ask an HTTP server that broke a connection whether that was its way of saying no."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.remote_errors import remote_failure
from ledgit.artifacts.unfinished import FOLDER, new_name, release
from ledgit.errors import AccessDenied, RemoteFull

if TYPE_CHECKING:
    from ledgit.artifacts.remote import ObjectRemote
    from ledgit.errors import LedgitError

__all__ = ["refusal"]

_ANSWER = 60  # seconds


def refusal(fs: Any, remote: ObjectRemote) -> LedgitError | None:
    """Return what *remote* says of an empty file; None if it takes it, or says nothing.

    Many servers answer a large upload that they refuse at once and close while it is still sent: the answer
    is lost, and what is seen is a connection that broke (RFC 9112, section 9.6).

    Args:
        fs: DVC's file system, for HTTP.
        remote: What it is the file system of.
    """
    from fsspec.asyn import sync

    name = new_name()
    url = fs.fs.encode_url(fs.join(remote.connection.path, FOLDER, name))

    async def ask() -> None:
        session = await fs.fs.set_session()
        async with getattr(session, fs.fs.upload_method.lower())(url, data=b"") as answer:
            answer.raise_for_status()
        with contextlib.suppress(Exception):  # it took it, and need not keep it
            async with session.delete(url):
                pass

    try:
        sync(fs.fs.loop, ask, timeout=_ANSWER)
    except Exception as error:
        found = remote_failure(remote.shown, error, "write")
        return found if isinstance(found, AccessDenied | RemoteFull) else None
    finally:
        release(name)
    return None
