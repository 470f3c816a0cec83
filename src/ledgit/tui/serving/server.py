"""The server: a page, its few files and a WebSocket, for the browser that had the link."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import textual_serve
from aiohttp import web

from ledgit.errors import UsageError
from ledgit.tui.serving.guard import COOKIE, LOOPBACK, Guard, host_name, is_loopback
from ledgit.tui.serving.terminal import BUSY, FAILED, IDLE, STOPPED, Terminal, within

if TYPE_CHECKING:
    from ledgit.tui.serving import ServeOptions

__all__ = ["Server", "run_server"]

_PAGE = Path(__file__).parent / "page"
_THEIRS = Path(textual_serve.__file__).parent / "static"
# These and no others: no path is ever made from a request.
_FILES = {
    "page.css": (_PAGE / "page.css", "text/css"),
    "page.js": (_PAGE / "page.js", "text/javascript"),
    "xterm.css": (_THEIRS / "css" / "xterm.css", "text/css"),
    "textual.js": (_THEIRS / "js" / "textual.js", "text/javascript"),
    "mono.ttf": (_THEIRS / "fonts" / "RobotoMono-VariableFont_wght.ttf", "font/ttf"),
    "mono-italic.ttf": (_THEIRS / "fonts" / "RobotoMono-Italic-VariableFont_wght.ttf", "font/ttf"),
}
# xterm.js makes style elements of its own; scripts are files of this server's only, and nothing comes from elsewhere.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:;"
    " connect-src 'self'{socket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Server": "ledgit",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_LARGEST_MESSAGE = 1 << 20  # what is pasted
_HEARTBEAT = 15.0  # seconds; a browser that doesn't answer within half of it is gone
_REFUSED = "Open the link that 'ledgit ui --serve' printed. It works once: press Enter there for another."


class Server:
    """Lets browsers in by *guard* and runs a UI for each, at most so many at a time.

    Args:
        arguments: The module that is run for each, and its arguments.
        options: Where, and how much.
        say: Is given lines for the user.
        environment: That of the UIs' processes.
    """

    def __init__(
        self, arguments: Sequence[str], options: ServeOptions, say: Callable[[str], None], environment: dict[str, str]
    ) -> None:
        self.arguments, self.options, self.say, self.environment = tuple(arguments), options, say, environment
        self.guard = Guard(_hosts(options.host))
        self.address = ""
        self.stopped = asyncio.Event()
        self.terminals: set[Terminal] = set()
        self._coming = 0
        self._room = asyncio.Condition()
        self._loopback = is_loopback(options.host)
        self._link_file: str | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> web.AppRunner:
        """Listen; `address` says where."""
        app = web.Application(middlewares=[self._check])
        app.on_response_prepare.append(self._add_headers)
        app.on_shutdown.append(self._on_shutdown)
        app.router.add_get("/", self._enter, allow_head=False)
        app.router.add_get("/{path}/", self._index, allow_head=False)
        app.router.add_get("/{path}/ws", self._websocket, allow_head=False)
        app.router.add_get("/{path}/{name}", self._file, allow_head=False)
        # No access log: it would have the token.
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=10.0)
        await runner.setup()
        listening = _listen(self.options.host, self.options.port)
        port = listening.getsockname()[1]
        shown = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        self.address = f"http://{'127.0.0.1' if shown == 'localhost' else shown}:{port}"
        await web.SockSite(runner, listening, backlog=32).start()
        return runner

    async def stop(self) -> None:
        """End all UIs and wait until they are gone."""
        self.stopped.set()
        terminals = list(self.terminals)
        # A browser that is told doesn't take it for a lost connection.
        await asyncio.gather(*(asyncio.wait_for(one.close(STOPPED), 1.0) for one in terminals), return_exceptions=True)
        await asyncio.gather(*(one.stop() for one in terminals))
        self._forget_link()

    async def _on_shutdown(self, _: web.Application) -> None:
        await self.stop()

    def link(self) -> str:
        """Return a link that lets one browser in, once."""
        return f"{self.address}/?token={self.guard.new_token()}"

    def open_browser(self, link: str) -> None:
        """Open *link* on this machine.

        By way of a file that only this user reads: who else is on this machine sees a browser's command line.
        """
        import tempfile
        import webbrowser

        with tempfile.NamedTemporaryFile("w", prefix="ledgit-", suffix=".html", delete=False) as file:
            file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={link}"><title>Ledgit</title>')
        self._link_file = file.name
        if not webbrowser.open(Path(file.name).as_uri()):
            self.say("No browser could be started here; open the link in one.")

    def _forget_link(self) -> None:
        if self._link_file:
            with contextlib.suppress(OSError):
                os.unlink(self._link_file)
            self._link_file = None

    # ------------------------------------------------------------------ every request

    @web.middleware
    async def _check(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        local = request.transport.get_extra_info("sockname") if request.transport else None
        address = "" if self._loopback or not local else str(local[0])
        if not self.guard.allows_host(request.headers.getall("Host", []), address):
            return _message(403, "This server goes by another name.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _message(error.status, error.reason)
        except ConnectionError:
            raise
        except Exception as error:
            # A page is no place for what went wrong inside: texts of errors have paths and values.
            self.say(f"request failed: {type(error).__name__}")
            return _message(500, "Something went wrong here.")

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        # The name was checked, so that it can stand in a header. Older browsers don't take 'self' for WebSockets.
        socket_ = f" ws://{request.host}" if host_name(request.host) else ""
        response.headers.update(_HEADERS)
        response.headers["Content-Security-Policy"] = _POLICY.format(socket=socket_)

    def _check_visitor(self, request: web.Request) -> None:
        if not self.guard.knows(request.match_info["path"], request.cookies.get(COOKIE, "")):
            raise web.HTTPForbidden(reason=_REFUSED)

    # ------------------------------------------------------------------ the requests there are

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """Exchange a token for a cookie."""
        visitor = self.guard.redeem(request.query.get("token", ""))
        if visitor is None:
            return _message(403, _REFUSED)
        self._forget_link()
        # Not a redirection: one that another page began would come without the strict cookie. This one's own
        # refresh is of the same site, and takes the link's place in the history.
        where = f"/{visitor.path}/"
        response = _page(200, f'<meta http-equiv="refresh" content="0;url={where}">', "Opening …")
        response.set_cookie(COOKIE, visitor.secret, path=where, httponly=True, samesite="Strict")
        return response

    async def _index(self, request: web.Request) -> web.StreamResponse:
        self._check_visitor(request)
        return web.Response(body=(_PAGE / "index.html").read_bytes(), content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self._check_visitor(request)
        found = _FILES.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        path, kind = found
        return web.Response(body=await asyncio.to_thread(path.read_bytes), content_type=kind)

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self._check_visitor(request)
        if not self.guard.allows_origin(request.headers.getall("Origin", []), request.host):
            raise web.HTTPForbidden(reason="Only this server's own page may do that.")
        websocket = web.WebSocketResponse(heartbeat=_HEARTBEAT, max_msg_size=_LARGEST_MESSAGE, timeout=3.0)
        if not websocket.can_prepare(request):
            raise web.HTTPBadRequest
        await websocket.prepare(request)
        if self.stopped.is_set() or not await self._take_room():
            await websocket.close(code=STOPPED if self.stopped.is_set() else BUSY)
            return websocket
        terminal = Terminal(self.arguments, websocket, self.environment)
        self.terminals.add(terminal)
        self._coming -= 1
        try:
            await self._run(terminal, request)
        finally:
            await self._leave(terminal)
        return websocket

    async def _run(self, terminal: Terminal, request: web.Request) -> None:
        loop = asyncio.get_running_loop()
        try:
            await terminal.start(
                within(request.query.get("width"), range(10, 1001), 80),
                within(request.query.get("height"), range(3, 501), 24),
            )
        except OSError as error:
            self.say(f"the UI can't be started: {error.strerror or error}")
            await terminal.close(FAILED)
            return
        if self.stopped.is_set():  # while it was being started
            await terminal.stop()
        watch = asyncio.create_task(self._watch_idle(terminal))
        try:
            await terminal.listen(loop.time())
        finally:
            watch.cancel()
        if terminal.reason == FAILED:
            self.say(f"a session failed: {terminal.why() or 'it said nothing'}")

    async def _watch_idle(self, terminal: Terminal) -> None:
        if not self.options.idle:
            return
        loop = asyncio.get_running_loop()
        while (left := terminal.last_input + self.options.idle - loop.time()) > 0:
            await asyncio.sleep(left)
        await terminal.close(IDLE)

    # ------------------------------------------------------------------ room

    async def _take_room(self) -> bool:
        """Count one UI more, if there is room for it; one that is just ending (a page loaded again) is waited for."""

        def free() -> bool:
            return len(self.terminals) + self._coming < self.options.sessions

        async with self._room:
            if not free() and any(one.websocket.closed for one in self.terminals):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._room.wait_for(free), 10.0)
            if not free():
                return False
            self._coming += 1
            return True

    async def _leave(self, terminal: Terminal) -> None:
        try:
            await terminal.stop()
        finally:
            self.terminals.discard(terminal)
            async with self._room:
                self._room.notify_all()


def run_server(
    arguments: Sequence[str], options: ServeOptions, say: Callable[[str], None], environment: dict[str, str]
) -> int:
    """Serve until a signal says to end; see `ledgit.tui.serving.serve_ui`."""
    asyncio.run(_serve(arguments, options, say, environment))
    return 0


async def _serve(
    arguments: Sequence[str], options: ServeOptions, say: Callable[[str], None], environment: dict[str, str]
) -> None:
    import signal

    server = Server(arguments, options, say, environment)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, server.stopped.set)
    runner = await server.start()
    try:
        link = server.link()
        say(f"Open {link}")
        if not is_loopback(options.host):
            say("Other machines can reach this, and everything is plain HTTP: who is on the way can take it over.")
        if options.terminal is not None:
            _links_on_enter(server, options.terminal)
        say(
            f"The link works once{'; Enter makes another' if options.terminal is not None else ''}. Ctrl-C ends it all."
        )
        if options.open_browser:
            await asyncio.to_thread(server.open_browser, link)
        await server.stopped.wait()
    finally:
        await server.stop()
        await runner.cleanup()


def _links_on_enter(server: Server, terminal: int) -> None:
    """Print another link whenever Enter is pressed: somebody closed the browser, or a link went to the wrong one."""
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        try:
            # In the background, reading would stop the process.
            read = os.read(terminal, 4096) if os.tcgetpgrp(terminal) == os.getpgrp() else b""
        except OSError:
            read = b""
        if read:
            server.say(f"Open {server.link()}")
        else:
            loop.remove_reader(terminal)

    with contextlib.suppress(OSError):  # a file, where there is nothing to wait for
        loop.add_reader(terminal, pressed)


def _hosts(host: str) -> frozenset[str]:
    if is_loopback(host):
        return LOOPBACK
    return LOOPBACK | {host.lower(), f"[{host.lower()}]", socket.gethostname().lower()}


def _listen(host: str, port: int | None) -> socket.socket:
    from ledgit.tui.serving import PORT

    try:
        try:
            return socket.create_server((host, PORT if port is None else port), family=_family(host))
        except OSError:
            if port is not None:
                raise
            return socket.create_server((host, 0), family=_family(host))
    except OSError as error:
        what = f"port {port} of {host}" if port else host
        hint = "; take another --port, or 0 for any that is free" if port else ""
        raise UsageError(f"can't serve at {what}: {error.strerror or error}{hint}") from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _message(status: int, text: str) -> web.Response:
    return _page(status, "", text)


def _page(status: int, head: str, text: str) -> web.Response:
    """Return a page of one sentence; *head* and *text* are ours, never a request's."""
    style = "body{background:#111;color:#ccc;font:16px monospace;text-align:center;margin-top:40vh}"
    icon = '<link rel="icon" href="data:,">'  # else a browser asks for one
    body = f"<!doctype html><meta charset=utf-8>{icon}{head}<title>Ledgit</title><style>{style}</style><p>{text}</p>"
    return web.Response(status=status, text=body, content_type="text/html")
