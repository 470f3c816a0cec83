"""What was sent to an SSH server gets onto its disk: a file at a time, or all of the file system at once.

A file is synced by an extension of the protocol that OpenSSH has; a file system by ``sync``, where the server lets
us run commands, since a thousand small files take seconds one by one. A server that can do neither is trusted.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

__all__ = ["sync_file", "sync_folder"]

_PATIENCE = 600  # seconds: others' data may have to be written, too
_DONE = "ledgit: synced"


def sync_file(fs: Any, path: str) -> bool:
    """Have the server of DVC's file system *fs* put the file *path* on its disk; False if it doesn't know how.

    Raises:
        TimeoutError: It takes too long.
        Exception: What the library raises.
    """
    from asyncssh.sftp import SFTPOpUnsupported

    async def sync() -> None:
        async with fs.fs._pool.get() as channel, channel.open(path, "rb") as file:
            await file.fsync()

    try:
        _run(fs, sync())
    except SFTPOpUnsupported:
        return False
    return True


def sync_folder(fs: Any, path: str) -> bool:
    """Have the server sync the file system that the folder *path* is on; False if it runs no such command.

    Raises:
        TimeoutError: It takes too long.
        Exception: What the library raises, of a connection that broke for instance.
    """
    from asyncssh import ChannelOpenError, ProcessError

    command = f"sync -f {shlex.quote(path)} && echo {shlex.quote(_DONE)}"

    async def sync() -> str:
        done = await fs.fs.client.run(command, input="", check=True)
        return str(done.stdout or "")

    try:
        # One that starts something else, whatever the command, doesn't say so.
        return _DONE in _run(fs, sync())
    except (ProcessError, ChannelOpenError):
        return False


def _run(fs: Any, coroutine: Any) -> Any:
    future = asyncio.run_coroutine_threadsafe(coroutine, fs.fs.loop)
    try:
        return future.result(timeout=_PATIENCE)
    except TimeoutError:
        future.cancel()
        raise
