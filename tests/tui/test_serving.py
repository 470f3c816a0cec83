"""The UI in a browser: who gets in, who doesn't, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, CookieJar, WSMsgType, WSServerHandshakeError

from ledgit.errors import InvalidValue, MissingDependency, UsageError
from ledgit.tui import serving
from ledgit.tui.serving import ServeOptions, guard, serve_ui, terminal
from ledgit.tui.serving.server import Server

HERE = Path(__file__).parent
APP = ["served", "--read-only"]


def environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(HERE)}


class Served:
    """A server, what it said, and a browser that is not in yet."""

    def __init__(self, server: Server, browser: ClientSession, said: list[str]) -> None:
        self.server, self.browser, self.said = server, browser, said
        self.path = ""

    @property
    def url(self) -> str:
        return self.server.address + self.path

    @property
    def cookie(self) -> str:
        """What the browser's only cookie says."""
        (morsel,) = self.browser.cookie_jar
        return morsel.value

    async def enter(self) -> Served:
        """Open the link, as a browser does, and note where it leads."""
        async with self.browser.get(self.server.link()) as answer:
            found = re.search(r"url=(/[\w-]+/)\"", await answer.text())
            assert answer.status == 200
            assert found is not None
            self.path = found[1]
        return self

    async def socket(self, **headers: str) -> ClientWebSocketResponse:
        """Connect as the page does, but for *headers*."""
        given = {"Origin": self.server.address} | headers
        return await self.browser.ws_connect(
            f"{self.url}ws?width=60&height=10", headers={k: v for k, v in given.items() if v}
        )

    async def refused(self, **headers: str) -> int:
        """Connect, and return the status with which that was refused."""
        with pytest.raises(WSServerHandshakeError) as error:
            await self.socket(**headers)
        return error.value.status


@contextlib.asynccontextmanager
async def served(*arguments: str, **options: object) -> AsyncIterator[Served]:
    """A server at a free port, stopped at the end; nothing it started is left then."""
    said: list[str] = []
    server = Server(arguments or APP, ServeOptions(port=0, **options), said.append, environment())  # type: ignore[arg-type]
    runner = await server.start()
    pids: set[int] = set()
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
            yield Served(server, browser, said)
            pids = {one.pid for one in server.terminals if one.pid}
    finally:
        await server.stop()
        await runner.cleanup()
    assert server.terminals == set()
    assert [pid for pid in pids if is_there(pid)] == []


def is_there(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    while is_there(pid):
        await asyncio.sleep(0.02)


async def shown(socket: ClientWebSocketResponse, pattern: str) -> re.Match[str]:
    """Read what is drawn until it has *pattern*."""
    text = ""
    async for message in socket:
        if message.type == WSMsgType.BINARY:
            text += message.data.decode()
            if found := re.search(pattern, text):
                return found
    pytest.fail(f"closed with {socket.close_code} before {pattern!r} was shown: {text[-400:]!r}")


async def ended(socket: ClientWebSocketResponse) -> int | None:
    """Read until the server closes, and return why."""
    async for _ in socket:
        pass
    return socket.close_code


def check(test: Callable[[], Awaitable[None]], seconds: float = 60) -> None:
    async def limited() -> None:
        await asyncio.wait_for(test(), seconds)  # type: ignore[arg-type]

    asyncio.run(limited())


# ---------------------------------------------------------------------- the guard


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8421", "LOCALHOST:1", "[::1]:80"])
def test_names_of_this_machine_are_allowed_with_any_port(host: str) -> None:
    """The near end of an SSH tunnel has a port of its own."""
    assert guard.Guard().allows_host([host])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example:8421"],
        ["127.0.0.1.evil.example"],
        ["localhost."],
        ["localhost:8421", "evil.example"],
        ["user@127.0.0.1"],
        ["127.0.0.1:8421:1"],
        ["127.0.0.1:abc"],
        ["0.0.0.0"],
        ["127.0.0.1\u00a0"],
    ],
)
def test_other_names_are_refused(hosts: list[str]) -> None:
    """A name of the attacker's may well point here: DNS rebinding."""
    assert not guard.Guard().allows_host(hosts)


@pytest.mark.parametrize(
    "origins",
    [
        [],
        ["null"],
        ["http://evil.example"],
        ["http://127.0.0.1"],
        ["http://127.0.0.1:84210"],
        ["https://127.0.0.1:8421"],
        ["http://localhost:8421"],
        ["http://127.0.0.1:8421", "http://127.0.0.1:8421"],
        ["http://127.0.0.1:8421.evil.example"],
    ],
)
def test_only_the_own_page_is_an_origin(origins: list[str]) -> None:
    """Another port of this machine is another page, too."""
    assert not guard.Guard.allows_origin(origins, "127.0.0.1:8421")
    assert guard.Guard.allows_origin(["http://127.0.0.1:8421"], "127.0.0.1:8421")


def test_a_token_lets_one_in_and_is_void() -> None:
    """Neither a second use, nor an older one, nor none, nor one with letters from elsewhere."""
    one = guard.Guard()
    assert one.redeem("") is None
    old, new = one.new_token(), one.new_token()
    assert one.redeem(old) is None
    assert one.redeem("ä" + new) is None
    visitor = one.redeem(new)
    assert visitor is not None
    assert one.redeem(new) is None
    assert one.knows(visitor.path, visitor.secret)
    assert not one.knows(visitor.path, "")
    assert not one.knows(visitor.path, visitor.path)
    assert not one.knows("elsewhere", visitor.secret)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "machine.example"])
def test_addresses_that_others_reach_have_to_be_asked_for(host: str) -> None:
    """Plain HTTP is for this machine."""
    with pytest.raises(UsageError, match=r"ssh -L .*--insecure"):
        serving.check(ServeOptions(host=host))
    serving.check(ServeOptions(host=host, insecure=True))


@pytest.mark.parametrize("bad", [{"port": -1}, {"port": 65536}, {"sessions": 0}, {"idle": -1.0}])
def test_numbers_that_cannot_be_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(InvalidValue):
        serving.check(ServeOptions(**bad))  # type: ignore[arg-type]


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve", None)

    with pytest.raises(MissingDependency, match=r"pip install 'ledgit\[web\]'"):
        serve_ui(APP, ServeOptions(), print, environment={})


# ---------------------------------------------------------------------- the attack


def test_nobody_gets_in_without_the_link() -> None:
    """Pages, files and the WebSocket alike; the path alone is not enough, and neither is the cookie."""

    async def attack() -> None:
        async with served() as one:
            for path in ("/", "/?token=", "/?token=guess", "/ws", "/static/js/textual.js", "/download/1", "/x/"):
                async with one.browser.get(one.server.address + path) as answer:
                    assert answer.status in (403, 404), path
            await one.enter()
            cookie = one.cookie
            one.browser.cookie_jar.clear()
            assert await one.refused() == 403
            async with one.browser.get(one.url) as answer:
                assert answer.status == 403
            one.path = "/elsewhere/"
            assert await one.refused(Cookie=f"ledgit={cookie}") == 403
            assert one.server.terminals == set()

    check(attack)


def test_a_link_works_once_and_only_when_it_is_opened() -> None:
    """HEAD, or a wrong name for the server, doesn't use it up; a second browser learns that it was used."""

    async def attack() -> None:
        async with served() as one:
            link = one.server.link()
            async with one.browser.head(link) as answer:
                assert answer.status == 405
            async with one.browser.get(link, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
            async with one.browser.get(link) as answer:
                assert answer.status == 200
                cookie = answer.headers["Set-Cookie"]
                assert re.fullmatch(r"ledgit=[\w-]{43}; HttpOnly; Path=/[\w-]{16}/; SameSite=Strict", cookie)
                assert link.partition("=")[2] not in await answer.text()
            async with one.browser.get(link) as answer:
                assert answer.status == 403
                assert "works once" in await answer.text()

    check(attack)


def test_another_page_in_the_same_browser_cannot_drive_it() -> None:
    """With the very cookie: a foreign Origin, none, or a name that was made to point here."""

    async def attack() -> None:
        async with served() as one:
            await one.enter()
            port = one.server.address.rpartition(":")[2]
            for origin in ("https://evil.example", "null", "", f"http://localhost:{port}", "http://127.0.0.1:1"):
                assert await one.refused(Origin=origin) == 403, origin
            evil = f"evil.example:{port}"
            assert await one.refused(Host=evil, Origin=f"http://{evil}", Cookie=f"ledgit={one.cookie}") == 403
            assert one.server.terminals == set()

    check(attack)


def test_no_path_leads_out_of_the_few_files() -> None:
    """Raw requests: a client would tidy them up. Nothing lists a folder, either."""

    async def attack() -> None:
        async with served() as one:
            await one.enter()
            host, port = one.server.address.removeprefix("http://").split(":")
            beginning = one.path.encode()
            for path in (
                *(b"../../../etc/passwd", b"%2e%2e%2fetc%2fpasswd", b"/etc/passwd", b"..%2fserver.py"),
                *(b"static/", b"js/textual.js", b"page.js%00", b"index.html", b"download/x"),
            ):
                reader, writer = await asyncio.open_connection(host, int(port))
                words = b"GET " + beginning + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                writer.write(words + b"Cookie: ledgit=" + one.cookie.encode() + b"\r\n\r\n")
                answer = await reader.read()
                writer.close()
                assert answer.split()[1] in (b"404", b"400", b"403"), path
                assert b"root:" not in answer
            for name in ("", "page.js", "page.css", "textual.js", "xterm.css", "mono.ttf", "mono-italic.ttf"):
                async with one.browser.get(one.url + name) as good:
                    assert good.status == 200, name

    check(attack)


def test_every_answer_carries_the_headers() -> None:
    """Pages, files and refusals."""

    async def look() -> None:
        async with served() as one:
            await one.enter()
            for path in (one.path, one.path + "page.js", "/", "/nowhere/at/all"):
                async with one.browser.get(one.server.address + path) as answer:
                    headers = answer.headers
                    assert headers["X-Frame-Options"] == "DENY"
                    assert headers["Referrer-Policy"] == "no-referrer"
                    assert headers["Cache-Control"] == "no-store"
                    assert headers["X-Content-Type-Options"] == "nosniff"
                    assert "Python" not in headers["Server"]
                    policy = headers["Content-Security-Policy"]
                    assert policy.startswith("default-src 'none'; script-src 'self';")
                    assert "frame-ancestors 'none'" in policy
                    assert "http" not in policy

    check(look)


def test_what_goes_wrong_inside_stays_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the page nor the terminal gets a traceback, with asyncio's debugging on, too."""
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")

    async def look() -> None:
        async with served() as one:
            await one.enter()
            monkeypatch.setattr(one.server.guard, "knows", lambda *_: 1 / 0)
            async with one.browser.get(one.url) as answer:
                text = await answer.text()
                assert answer.status == 500
                assert "Traceback" not in text
                assert "division" not in text
            assert one.said == ["request failed: ZeroDivisionError"]

    check(look)


# ---------------------------------------------------------------------- sessions


def test_the_app_is_driven_by_the_page_and_quits() -> None:
    """Size, keys, pings; only web pages are opened, no file is handed out, and bad messages end it."""

    async def use() -> None:
        async with served() as one:
            await one.enter()
            socket = await one.socket()
            await shown(socket, "size 60x10")
            await socket.send_json(["resize", {"width": 10**9, "height": 20}])
            await shown(socket, "size 1000x20")
            await socket.send_json(["ping", "17"])
            await socket.send_json(["stdin", "d"])
            await socket.send_json(["stdin", "o"])
            await socket.send_json(["stdin", "q"])
            texts = [json.loads(one.data) async for one in socket if one.type == WSMsgType.TEXT]
            assert texts == [["pong", "17"], ["open_url", {"url": "https://example.org/commit", "new_tab": True}]]
            assert socket.close_code == terminal.QUIT
            for bad in (
                "[",
                '{"a": 1}',
                '["stdin"]',
                '["stdin", 5]',
                '["resize", 1]',
                "[]",
                '["resize", {"width": 1}]',
            ):
                socket = await one.socket()
                await socket.send_str(bad)
                assert await ended(socket) == 1007, bad

    check(use)


def test_a_closed_browser_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own children go as well, and an app that hangs and ignores SIGTERM."""
    monkeypatch.setattr(terminal, "PATIENCE", 0.3)

    async def use() -> None:
        async with served(sessions=1) as one:
            await one.enter()
            for key, pattern in (("c", r"child (\d+)"), ("h", "hanging")):
                socket = await one.socket()
                pid = int((await shown(socket, r"pid (\d+)"))[1])
                await socket.send_json(["stdin", key])
                found = await shown(socket, pattern)
                await socket.close()
                await gone(pid)
                if found.groups():
                    await gone(int(found[1]))

    check(use)


def test_there_are_no_more_sessions_than_allowed() -> None:
    """One too many is told so and costs no process; a page that is loaded again gets its own place back."""

    async def use() -> None:
        async with served(sessions=2) as one:
            await one.enter()
            first, second = await one.socket(), await one.socket()
            await shown(first, "size")
            await shown(second, "size")
            sockets = await asyncio.gather(*(one.socket() for _ in range(5)))
            assert await asyncio.gather(*(ended(socket) for socket in sockets)) == [terminal.BUSY] * 5
            assert len(one.server.terminals) == 2
            await first.close()
            await shown(await one.socket(), "size")

    check(use)


def test_a_session_that_nobody_uses_is_ended() -> None:
    async def use() -> None:
        async with served(idle=0.2) as one:
            await one.enter()
            assert await ended(await one.socket()) == terminal.IDLE

    check(use)


@pytest.mark.parametrize("module", ["nowhere", "served"])
def test_an_app_that_fails_is_told_of_without_its_insides(module: str) -> None:
    """The browser gets a code, the terminal the last line, with nothing in it that could steer it."""

    async def use() -> None:
        async with served(module) as one:
            await one.enter()
            socket = await one.socket()
            with contextlib.suppress(ConnectionError):
                await socket.send_json(["stdin", "x"])
            assert await ended(socket) == terminal.FAILED
            while not one.said:
                await asyncio.sleep(0.01)
            assert one.said[0].startswith("a session failed: ")
            assert "\x1b" not in one.said[0]

    check(use)


# ---------------------------------------------------------------------- the whole process

PROGRAM = """
import os, sys
from ledgit.tui.serving import ServeOptions, serve_ui
sys.exit(serve_ui(["served"], ServeOptions(port=0), lambda line: print(line, flush=True), environment=dict(os.environ)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_ends_the_server_and_all_it_started(number: signal.Signals) -> None:
    """Not even SIGKILL, which it can't notice, leaves a UI behind."""

    async def use() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        link = (await process.stdout.readline()).decode().split()[1]
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:
            address = link.partition("/?")[0]
            async with browser.get(link) as answer:
                path = re.findall(r"url=(/[\w-]+/)\"", await answer.text())[0]
            socket = await browser.ws_connect(f"{address}{path}ws?width=60&height=10", headers={"Origin": address})
            pid = int((await shown(socket, r"pid (\d+)"))[1])
            process.send_signal(number)
            why, _, _ = await asyncio.gather(ended(socket), gone(pid), process.communicate())
        stopped = number is not signal.SIGKILL
        assert process.returncode == (0 if stopped else -number)
        assert why == (terminal.STOPPED if stopped else 1006)

    check(use)
