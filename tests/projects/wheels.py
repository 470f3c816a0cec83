"""Tiny packages as wheels, written by hand: environments are made from them without any index."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def write_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> Path:
    """Write a wheel of one module that knows its version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    described = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{described}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{described}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    listed = "".join(f"{file},,\n" for file in [*files, f"{described}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{described}/RECORD": listed}.items():
            archive.writestr(file, text)
    return path


def private_tools(monkeypatch: pytest.MonkeyPatch, wheels: Path, cache: Path) -> None:
    """Let pip and uv see *wheels* alone, and neither the machine's settings nor what they kept before."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CACHE_DIR", str(cache / "pip"))
    monkeypatch.setenv("UV_CACHE_DIR", str(cache / "uv"))


@contextlib.contextmanager
def serving(wheels: Path) -> Iterator[str]:
    """Serve *wheels* as an index on this machine's loopback address; yields its address."""

    class Index(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            part = self.path.strip("/").split("/")
            file = wheels / part[-1]
            listed = "".join(f'<a href="/files/{one.name}">{one.name}</a>' for one in wheels.glob(f"{part[-1]}-*.whl"))
            found = part[0] == "files" and file.is_file()
            self.send_response(200 if found or (part[0] == "index" and listed) else 404)
            self.send_header("Content-Type", "application/octet-stream" if found else "text/html")
            self.send_header("Cache-Control", "no-cache")  # what is kept counts only where nobody can be asked
            self.end_headers()
            self.wfile.write(file.read_bytes() if found else f"<!DOCTYPE html><html>{listed}</html>".encode())

        def log_message(self, *args: object) -> None:
            """Be quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/index"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_index(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Point pip and uv to an index that nobody answers at, and to no wheels."""
    address = f"http://127.0.0.1:{port}/wheels"
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("UV_DEFAULT_INDEX", address)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
