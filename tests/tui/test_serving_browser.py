"""The page of the served UI in a real browser: drawn, driven by keys, and silent towards the rest of the world."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from tests.tui.test_serving import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# What a browser does of its own accord is off, so that the log of the network has what the page asks for.
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--hide-scrollbars", "--remote-debugging-port=0", "--window-size=900,500"),
]
OWN = r"https?://[^/]*\.(google|googleapis|gvt1)\.com/|chrome|data:|wss?://127.0.0.1|about:"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: the served page is not drawn")


class Tab:
    """A page in Chromium, driven by its own protocol."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket, self.count = socket, 0
        self.complaints: list[str] = []

    async def send(self, method: str, **words: Any) -> Any:
        self.count += 1
        await self.socket.send_json({"id": self.count, "method": method, "params": words})
        async for message in self.socket:
            said = json.loads(message.data)
            params = said.get("params", {})
            if said.get("method") == "Runtime.exceptionThrown" or params.get("entry", {}).get("level") == "error":
                self.complaints.append(json.dumps(params))
            if said.get("id") == self.count:
                assert "error" not in said, said
                return said["result"]
        pytest.fail("Chromium is gone")

    async def tell(self, script: str) -> Any:
        return (await self.send("Runtime.evaluate", expression=script, awaitPromise=True))["result"].get("value")

    async def wait_for(self, script: str) -> Any:
        while not (found := await self.tell(script)):
            await asyncio.sleep(0.05)
        return found

    async def picture(self, **words: Any) -> bytes:
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png", **words))["data"])

    async def color(self, x: int, y: int) -> tuple[int, ...]:
        """The colour of one point: the only pixel of a picture, before which there is nothing to tell it from."""
        picture = await self.picture(clip={"x": x, "y": y, "width": 1, "height": 1, "scale": 1})
        at, data = 8, b""
        while at < len(picture):  # length, kind, content, checksum
            length = int.from_bytes(picture[at : at + 4], "big")
            data += picture[at + 8 : at + 8 + length] if picture[at + 4 : at + 8] == b"IDAT" else b""
            at += length + 12
        return tuple(zlib.decompress(data)[1:4])

    async def key(self, letter: str) -> None:
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=letter, text=letter if kind == "keyDown" else "")


@contextlib.asynccontextmanager
async def chromium(folder: Path, log: Path) -> AsyncIterator[Tab]:
    """A browser with one empty tab; its log of the network is whole once it has gone."""
    assert CHROMIUM is not None
    line = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", f"--log-net-log={log}", "about:blank"]
    process = await asyncio.create_subprocess_exec(*line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = folder / "DevToolsActivePort"
        while not (port.exists() and len(port.read_text().split()) == 2):
            await asyncio.sleep(0.05)
        address = f"http://127.0.0.1:{port.read_text().split()[0]}"
        async with ClientSession() as session:
            pages: list[dict[str, str]] = []
            while not pages:
                async with session.get(f"{address}/json") as answer:
                    pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=1 << 26) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.send(f"{domain}.enable")
                yield tab
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(tab.send("Browser.close"), 5)
        await asyncio.wait_for(process.wait(), 20)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_the_page_shows_the_app_and_takes_keys(tmp_path: Path) -> None:
    """The link leads there, the app's colour fills the window, a key ends it, and another page gets nothing."""
    log = tmp_path / "net.json"

    async def use() -> None:
        async with served() as one, chromium(tmp_path / "profile", log) as tab:
            link = one.server.link()
            await tab.send("Page.navigate", url=link)
            await tab.wait_for("document.body?.classList.contains('-first-byte')")
            assert await tab.tell("document.cookie") == ""
            assert await tab.tell("location.search") == ""
            assert await tab.tell("document.fonts.check(\"15px 'Roboto Mono'\")") is True
            while await tab.color(450, 250) != (255, 0, 0):
                await asyncio.sleep(0.05)
            (tmp_path / "page.png").write_bytes(await tab.picture())
            assert await tab.tell("history.length") <= 2
            await tab.key("q")
            await tab.wait_for("document.body.classList.contains('-closed')")
            assert await tab.tell("document.getElementById('why').textContent") == "You have quit."
            assert tab.complaints == []
            # The same browser, which has the cookie, shows somebody else's page.
            own = one.server.address.replace("http", "ws") + (await tab.tell("location.pathname")) + "ws"
            await tab.send("Page.navigate", url="data:text/html,<h1>elsewhere</h1>")
            script = "new Promise(done => { const s = new WebSocket(OWN); s.onopen = s.onerror = e => done(e.type) })"
            assert await tab.tell(script.replace("OWN", repr(own))) == "error"
            assert one.server.terminals == set()

    asyncio.run(asyncio.wait_for(use(), 120))
    asked = set(re.findall(r'"url":"([a-z]+:[^"]*)"', log.read_text(encoding="utf-8", errors="replace")))
    assert {one for one in asked if not re.match(OWN, one) and not one.startswith("http://127.0.0.1:")} == set()
