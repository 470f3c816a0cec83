"""One UI that a browser looks at: a process of its own, which goes when the browser does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from ledgit.git.background import python_command
from ledgit.records.harmless import clean

__all__ = ["BUSY", "FAILED", "IDLE", "QUIT", "STOPPED", "Terminal", "within"]

# Why a WebSocket was closed, as page/page.js tells people.
QUIT, IDLE, STOPPED, BUSY, FAILED = 1000, 4001, 4002, 4003, 4004

PATIENCE = 3.0
"""Seconds that a UI gets to end by itself, and again between SIGTERM and SIGKILL."""

_WIDTHS, _HEIGHTS = range(10, 1001), range(3, 501)
_STDERR_KEPT = 16_384


def within(value: object, allowed: range, otherwise: int) -> int:
    """Return *value* as a whole number within *allowed*; *otherwise* if it is none."""
    try:
        number = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return max(allowed.start, min(int(number), allowed.stop - 1))


class Terminal(AppService):
    """The process behind one WebSocket.

    textual-serve's own starts a shell, waits without end for a process that hangs, and prints what it says; this one
    starts Python itself, in a session of its own and tied to the server's life, and is gone after at most two times
    `PATIENCE` seconds.

    Args:
        arguments: The module that is run and its arguments.
        websocket: The browser's, prepared.
        environment: The process's.
    """

    def __init__(self, arguments: Sequence[str], websocket: web.WebSocketResponse, environment: dict[str, str]) -> None:
        super().__init__(
            "",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=self._ended,
            download_manager=DownloadManager(),
        )
        self.arguments, self.websocket, self.environment = tuple(arguments), websocket, environment
        self.last_input = 0.0
        self.said = bytearray()
        """The end of what the process wrote to its standard error."""
        self.reason = 0
        """Why this side closed the WebSocket first; 0: it didn't."""
        self._ready = False
        self._lifeline: int | None = None
        self._stopping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, which is its session's and group's, too; None before it has started."""
        return self._process.pid if self._process else None

    # ------------------------------------------------------------------ start

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        made = super()._build_environment(width, height)
        ours = ("TEXTUAL_DRIVER", "TEXTUAL_FPS", "TEXTUAL_COLOR_SYSTEM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION")
        # A variable for developers of Textual would open a connection, or a log in the user's folder.
        kept = {key: value for key, value in self.environment.items() if key not in ("TEXTUAL", "TEXTUAL_LOG")}
        return kept | {key: made[key] for key in (*ours, "COLUMNS", "ROWS")}

    async def start(self, width: int, height: int) -> None:
        """Start the process on a screen of *width* times *height* cells."""
        await self._open_app_process(width, height)
        self._task = asyncio.create_task(self.run())

    async def _open_app_process(self, width: int = 80, height: int = 24) -> asyncio.subprocess.Process:
        reader, self._lifeline = os.pipe()
        try:
            command = python_command("ledgit.tui.serving.tied", str(reader), *self.arguments)
            if command is None:
                raise FileNotFoundError("python")
            self._process = process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._build_environment(width, height),
                pass_fds=(reader,),
                start_new_session=True,  # a Ctrl-C is the server's, and what the UI starts can be ended with it
            )
        finally:
            os.close(reader)
        self._stdin = process.stdin
        return process

    # ------------------------------------------------------------------ from the process

    async def run(self) -> None:
        """Pass on what the process draws until it ends, and then say so to the browser."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        assert process.stderr is not None
        keep = asyncio.create_task(self._keep_errors(process.stderr))
        try:
            self._ready = await self._is_textual(process.stdout)
            while self._ready:
                head = await process.stdout.readexactly(5)
                payload = await process.stdout.readexactly(int.from_bytes(head[1:], "big"))
                if head[:1] == b"D":
                    await self.on_data(payload)
                elif head[:1] == b"M":
                    await self.on_meta(payload)
            await keep
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            keep.cancel()
        await self.close(QUIT if self._ready and await process.wait() == 0 else FAILED)

    @staticmethod
    async def _is_textual(stream: asyncio.StreamReader) -> bool:
        for _ in range(10):
            line = await stream.readline()
            if line == b"__GANGLION__\n":
                return True
            if not line:
                break
        return False

    async def _keep_errors(self, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(4096):
            self.said += data
            del self.said[:-_STDERR_KEPT]

    def why(self) -> str:
        """Return the last line that the process wrote as it failed, fit for a terminal."""
        lines = self.said.decode(errors="replace").split("\n")
        return clean(next((line for line in reversed(lines) if line.strip()), ""))[:300]

    async def on_data(self, payload: bytes) -> None:
        """Send what was drawn to the browser; to nobody, once it is gone: the process must get to its end."""
        with contextlib.suppress(ConnectionError):
            await super().on_data(payload)

    async def on_meta(self, data: bytes) -> None:
        """Do what the app asks the browser for: to open a web page. Nothing is downloaded through the browser."""
        asked = json.loads(data)
        if asked.get("type") == "open_url" and urlsplit(str(asked.get("url"))).scheme in ("http", "https"):
            with contextlib.suppress(ConnectionError):
                await super().on_meta(data)

    async def on_packed(self, payload: bytes) -> None:
        """Take no file."""

    async def _ended(self) -> None:
        """Do nothing: `run` sees the end of the process's output."""

    # ------------------------------------------------------------------ from the browser

    async def listen(self, now: float) -> None:
        """Pass on what the browser sends until it is gone; *now* is the loop's time.

        Whatever is not as textual-serve's page sends it ends the connection.
        """
        self.last_input = now
        loop = asyncio.get_running_loop()
        async for message in self.websocket:
            if message.type != WSMsgType.TEXT:
                continue
            try:
                kind, *values = json.loads(message.data)
                if kind == "stdin":
                    self.last_input = loop.time()
                    await self.send_bytes(values[0].encode(errors="replace"))
                elif kind == "resize":
                    size = values[0]
                    await self.set_terminal_size(
                        within(size["width"], _WIDTHS, 80), within(size["height"], _HEIGHTS, 24)
                    )
                elif kind == "ping":
                    await self.websocket.send_json(["pong", str(values[0])[:40]])
                elif kind in ("blur", "focus"):
                    await (self.blur() if kind == "blur" else self.focus())
                else:
                    raise ValueError(kind)
            except (ValueError, TypeError, LookupError, AttributeError):
                await self.close(1007)
            except ConnectionError:
                break

    async def close(self, code: int) -> None:
        """Close the WebSocket for the reason *code*, if it is open."""
        self.reason = self.reason or code
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.websocket.close(code=code)

    # ------------------------------------------------------------------ end

    async def stop(self) -> None:
        """End the process and all it started, and wait until they are gone. Can be called again, and at once."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        if self._process is not None:
            await self._end(self._process)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):
            # It may not read what it is sent.
            await asyncio.wait_for(self.send_meta({"type": "quit"}), 1.0)
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), PATIENCE)
                break
        self._signal(signal.SIGKILL)  # what it started and left behind
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
