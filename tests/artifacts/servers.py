"""Real servers on loopback for the artifact remotes: SSH, S3, HTTP, and a wire between that can be cut."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
S3_USER = {"access_key_id": "ledgit", "secret_access_key": "sesame-sesame"}
BUCKET = "artifacts"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def process(command: list[str], port: int, log: Path, env: dict[str, str] | None = None) -> Iterator[int]:
    """Run a server until it answers on *port*, and to the end of the block; yields its process id."""
    with log.open("ab") as out:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield server.pid
    finally:
        server.kill()
        server.wait()


class Sshd:
    """A server for SFTP that knows one key, as the current user; its key is in ``known_hosts``."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder, self.port, self.user, self.settings = folder, free_port(), getpass.getuser(), settings
        self.keyfile = folder / "id"
        self.known_hosts = folder / "known_hosts"

    @contextlib.contextmanager
    def run(self) -> Iterator[Sshd]:
        for name in ("host", "id", "stranger"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(self.folder / name)]
            subprocess.run(command, check=True)
        host = (self.folder / "host.pub").read_text().split()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n")
        (self.folder / "authorized").write_text((self.folder / "id.pub").read_text())
        if os.getuid() == 0:  # where it keeps its rights apart
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder}/host\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {self.folder}/authorized\nPasswordAuthentication no\nUsePAM no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
            f"{self.settings}"
        )
        assert SSHD is not None
        log = self.folder / "sshd.log"
        with process([SSHD, "-D", "-e", "-f", str(config)], self.port, log):
            yield self

    def url(self, path: Path | str, port: int | None = None) -> str:
        return f"ssh://{self.user}@127.0.0.1:{port or self.port}{path}"

    def trust(self, home: Path, port: int | None = None) -> None:
        """Put the host's key where SSH clients look for it."""
        (home / ".ssh").mkdir(exist_ok=True)
        text = self.known_hosts.read_text()
        with (home / ".ssh" / "known_hosts").open("a") as file:
            file.write(text.replace(str(self.port), str(port)) if port else text)


class S3:
    """moto's server: one bucket, in a process of its own."""

    user = S3_USER

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def run(self, *, refuse_after: int | None = None) -> Iterator[S3]:
        """Serve; from the request *refuse_after* on, only to who has credentials it knows (it knows none)."""
        env = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
        if refuse_after is not None:
            env["INITIAL_NO_AUTH_ACTION_COUNT"] = str(refuse_after)
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with process(command, self.port, self.folder / "s3.log", env):
            self.client().create_bucket(Bucket=BUCKET)
            yield self

    def client(self):  # type: ignore[no-untyped-def]
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.user["access_key_id"],
            aws_secret_access_key=self.user["secret_access_key"],
        )

    def keys(self, prefix: str = "") -> dict[str, int]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", ())}


class S3rver(S3):
    """s3rver, of Node: another hand's reading of S3, which keeps files on the disk and knows one user."""

    user = {"access_key_id": "S3RVER", "secret_access_key": "S3RVER"}
    program = Path(sys.prefix) / "s3rver" / "node_modules" / ".bin" / "s3rver"

    @contextlib.contextmanager
    def run(self, *, refuse_after: int | None = None) -> Iterator[S3rver]:
        assert refuse_after is None
        command = [str(self.program), "-d", str(self.folder / "data"), "-a", "127.0.0.1", "-p", str(self.port), "-s"]
        with process(command, self.port, self.folder / "s3rver.log"):
            self.client().create_bucket(Bucket=BUCKET)
            yield self


def why_no_s3rver() -> str:
    """Return what is missing for s3rver; "" if nothing is."""
    if shutil.which("node") is None:
        return "no Node here, which s3rver runs on"
    return "" if S3rver.program.exists() else "no s3rver here; 'make s3rver' installs it"


_READS = """
import functools, http.server, socket, struct, sys
class Reading(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_error(501)
class Resetting(Reading):
    def do_POST(self):
        if self.headers.get("Content-Length") == "0":
            return super().do_POST()
        # As one whose answer is lost: it closes while it is still sent to.
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
kind = Resetting if "resets" in sys.argv else Reading
handler = functools.partial(kind, directory=sys.argv[2])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
"""


@contextlib.contextmanager
def http_server(folder: Path, log: Path, *how: str) -> Iterator[str]:
    """Serve the files below *folder*, for reading; yields the address. One that ``"resets"`` reads no upload."""
    port = free_port()
    command = [sys.executable, "-c", _READS, str(port), str(folder), *how]
    with process(command, port, log):
        yield f"http://127.0.0.1:{port}"


class Wire:
    """Passes a TCP port on, until it is cut or stalls after a number of bytes that were sent."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.sent = 0  # bytes from the client
        self.received = 0  # bytes to it
        self.connections = 0
        self._cut_at: int | None = None
        self._stall_at: int | None = None
        self._open: list[socket.socket] = []
        self._guard = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]

    @contextlib.contextmanager
    def run(self) -> Iterator[Wire]:
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            yield self
        finally:
            self._listener.close()
            self.reset()

    def cut_after(self, count: int) -> None:
        """Break every connection, and take no other, once *count* more bytes have been sent."""
        self._cut_at = self.sent + count

    def stall_after(self, count: int) -> None:
        """Pass nothing on any more, without ending a connection, once *count* more bytes have been sent."""
        self._stall_at = self.sent + count

    def mend(self) -> None:
        """Let everything through again."""
        self._cut_at = self._stall_at = None

    def reset(self) -> None:
        """Break all connections, as a router does that forgets them."""
        with self._guard:
            broken, self._open = self._open, []
        for end in broken:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @property
    def is_cut(self) -> bool:
        return self._cut_at is not None and self.sent >= self._cut_at

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.is_cut:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):  # else each small answer waits for 40 ms
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._guard:
                self._open += [client, server]
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(65536):
                if counted:
                    self.sent += len(data)
                else:
                    self.received += len(data)
                if self.is_cut:
                    self.reset()
                    return
                while self._stall_at is not None and self.sent >= self._stall_at:
                    time.sleep(0.05)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            source.close()


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "8m") -> Iterator[Path]:
    """Mount a small file system at *folder*; needs root."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def make_read_only(folder: Path) -> None:
    """Let nothing be written any more to the file system mounted at *folder*."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


def why_no_sharing(kind: str) -> str:
    """Return what is missing for a file system of this kind, whose files can share blocks; "" if nothing is."""
    if kind not in Path("/proc/filesystems").read_text().split():
        return f"this machine's kernel has no {kind}"
    if shutil.which(f"mkfs.{kind}", path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")) is None:
        return (
            f"no mkfs.{kind} here; CI installs {kind}progs" if kind == "xfs" else "no mkfs.btrfs here; CI installs it"
        )
    return "" if os.getuid() == 0 else "only root can mount a file system"


@contextlib.contextmanager
def sharing_disk(folder: Path, kind: str) -> Iterator[Path]:
    """Mount a file system of 320 MB whose files can share blocks (btrfs or xfs) at *folder*; needs root."""
    folder.mkdir()
    image = folder.with_suffix(f".{kind}")
    with image.open("xb") as file:
        file.truncate(320 << 20)
    path = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
    environment = {**os.environ, "PATH": path}
    subprocess.run([f"mkfs.{kind}", "-q", str(image)], check=True, env=environment, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True, env=environment)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, env=environment)
        image.unlink()
