"""A small server that speaks the comment APIs of GitHub and GitLab, and refuses in all the ways that hosts do."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# In place of a status: done, but the answer is lost; an answer that is no HTTP.
LOST, GARBAGE = -1, -2


class Host(ThreadingHTTPServer):
    """Keeps comments; *refuse* answers the next requests of a method with a status instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.user: dict[str, Any] | None = {"id": 7, "login": "ledgit", "type": "User"}  # None: it may not ask
        self.comments: list[dict[str, Any]] = []
        self.refuse: list[tuple[str, int]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def answer(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"{self.server.address}/stolen")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        self.server.seen.append((self.command, self.path, dict(self.headers)))
        if self.server.refuse and self.server.refuse[0][0] == self.command:
            _, status = self.server.refuse.pop(0)
            if status <= 0:
                self.close_connection = True
                if status == LOST:
                    self.server.comments.append({"id": len(self.server.comments) + 1, "body": body["body"]})
                elif status == GARBAGE:
                    self.wfile.write(b"no HTTP at all\r\n\r\n")
                return
            self.answer(status, {"message": f"no, {self.headers.get('Authorization', '')}"})
            return
        number = re.search(r"(?:comments|notes)/(\d+)$", self.path)
        ours = self.server.user or {"id": 41898282, "login": "github-actions[bot]", "type": "Bot"}
        if self.path == "/user":
            self.answer(*((200, ours) if self.server.user else (403, {"message": "not accessible by integration"})))
        elif self.command == "GET":
            page = int(re.search(r"[?&]page=(\d+)", self.path).group(1))  # type: ignore[union-attr]
            self.answer(200, self.server.comments[(page - 1) * 100 : page * 100])
        elif self.command == "POST":
            row = {"id": len(self.server.comments) + 1, "body": body["body"]}
            row["user"] = row["author"] = ours
            row["html_url"] = f"{self.server.address}/c/{row['id']}"
            self.server.comments.append(row)
            self.answer(201, row)
        elif number and self.command in ("PATCH", "PUT"):
            row = self.server.comments[int(number.group(1)) - 1]
            row["body"] = body["body"]
            self.answer(200, row)
        else:
            self.answer(404, {"message": "Not Found"})

    do_GET = do_POST = do_PATCH = do_PUT = handle_any  # noqa: N815
