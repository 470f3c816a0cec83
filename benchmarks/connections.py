"""Connections to another repository on this machine: a local ``git daemon``, and one that is farther away.

Run as a script (``python -m benchmarks.connections FROM TO MILLISECONDS``) it is the distance: it
listens on port FROM of the loopback and passes everything on to port TO, late. A connection costs
one round trip before its first byte, as TCP's own beginning does, and each byte half a round trip
in its direction. Bandwidth is not limited, nothing is lost, and there is no name to look up and no
TLS, SSH or authentication, which take one to ten round trips more with real hosts.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAR = 20  # ms of a round trip to a host in the same country


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def daemon(folder: Path, port: int | None = None) -> Iterator[str]:
    """Serve what is in *folder*, for pushes too, on *port* or any free one; the address."""
    port = free_port() if port is None else port
    line = ["git", "daemon", "--listen=127.0.0.1", f"--port={port}", "--reuseaddr", "--export-all"]
    line += ["--enable=receive-pack", f"--base-path={folder}", str(folder)]
    with _server(line, port):
        yield f"git://127.0.0.1:{port}"


@contextmanager
def distance(to: int, port: int, milliseconds: float = FAR) -> Iterator[None]:
    """Let *port* lead to the port *to*, with *milliseconds* for a round trip."""
    with _server([sys.executable, "-m", "benchmarks.connections", str(port), str(to), str(milliseconds)], port):
        yield


@contextmanager
def _server(line: list[str], port: int) -> Iterator[None]:
    root = Path(__file__).parent.parent
    process = subprocess.Popen(line, stderr=subprocess.DEVNULL, cwd=root)
    try:
        for _ in range(5000):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: float) -> None:
    """Write what *reader* gets, each piece *late* seconds after it came, and its end too."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"?"
        while data:
            try:
                data = await reader.read(1 << 16)
            except ConnectionError:
                data = b""
            pieces.put_nowait((loop.time() + late, data))

    reading = loop.create_task(read())
    data = b"?"
    try:
        while data:
            when, data = await pieces.get()
            await asyncio.sleep(when - loop.time())
            if data:
                writer.write(data)
                await writer.drain()
            elif writer.can_write_eof():
                writer.write_eof()
    except ConnectionError:
        pass
    finally:
        reading.cancel()


async def _serve(port: int, to: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        there = await asyncio.open_connection("127.0.0.1", to)
        try:
            await asyncio.gather(_pass_on(reader, there[1], seconds / 2), _pass_on(there[0], writer, seconds / 2))
        finally:
            writer.close()
            there[1].close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000))
