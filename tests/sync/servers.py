"""Real hosts on loopback: ``git daemon``, ``git http-backend``, and a line that can be cut."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PATIENCE = 20.0


@contextlib.contextmanager
def git_daemon(base: Path) -> Iterator[str]:
    """Serve the repositories below *base* by ``git daemon``; yields the address they begin with."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [
                *("git", "daemon", f"--base-path={base}", "--export-all", "--enable=receive-pack", "--reuseaddr"),
                *("--listen=127.0.0.1", f"--port={port}", "--verbose", "--max-connections=0", str(base)),
            ],
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = process.stderr.readline()
        if b"Ready to rumble" in said:
            break
        process.wait()  # somebody else took the port meanwhile
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    drain.start()
    try:
        yield f"git://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        drain.join()
        process.stderr.close()


class _Backend(BaseHTTPRequestHandler):
    """``git http-backend`` behind Python's own server: as a host has it behind nginx."""

    protocol_version = "HTTP/1.1"
    base: Path
    password = ""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _serve(self, body: bytes) -> None:
        if self.password and self.headers.get("Authorization") != f"Basic {self.password}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="runs"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.base),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "REMOTE_USER": "ada",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status = 200
        headers = []
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def http_backend(base: Path, password: str = "") -> Iterator[str]:
    """Serve the repositories below *base* over HTTP; *password* is ``user:password`` in base 64."""
    handler = type("Handler", (_Backend,), {"base": base, "password": password})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Cable:
    """A TCP line to another port that is cut after so many bytes.

    Attributes:
        limit: Bytes that still go through to the server and back together; None: any number.
        carried: How many have gone through since `limit` was set last.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.limit: int | None = None
        self.carried = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._workers: list[threading.Thread] = []
        self._thread.start()

    def cut_after(self, limit: int | None) -> None:
        """From now on let *limit* bytes through."""
        with self._lock:
            self.limit, self.carried = limit, 0

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for worker in self._workers:
            worker.join(_PATIENCE)

    def _listen(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            worker = threading.Thread(target=self._carry, args=(here,))
            worker.start()
            self._workers.append(worker)

    def _carry(self, here: socket.socket) -> None:
        there = socket.create_connection(("127.0.0.1", self._port))
        with here, there, selectors.DefaultSelector() as selector:  # not select(): it knows 1,024 descriptors
            selector.register(here, selectors.EVENT_READ, there)
            selector.register(there, selectors.EVENT_READ, here)
            while selector.get_map():
                for key, _ in selector.select():
                    ready, other = key.fileobj, key.data
                    assert isinstance(ready, socket.socket)
                    try:
                        data = ready.recv(1 << 14)
                        if data and not self._allow(len(data)):
                            return  # both sockets are closed: the line is dead
                        if data:
                            other.sendall(data)
                        else:
                            selector.unregister(ready)
                            other.shutdown(socket.SHUT_WR)
                    except OSError:
                        return

    def _allow(self, size: int) -> bool:
        with self._lock:
            self.carried += size
            return self.limit is None or self.carried <= self.limit


@contextlib.contextmanager
def cable(url: str) -> Iterator[tuple[str, Cable]]:
    """Put a line that can be cut in front of *url*; yields the new address and the line."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    line = Cable(int(host.rpartition(":")[2]))
    try:
        yield f"{scheme}://127.0.0.1:{line.port}" + (f"/{path}" if path else ""), line
    finally:
        line.close()
