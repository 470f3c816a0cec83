"""An app that is served in tests: red, says what it was started with, and does by keys what a bad one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from textual.app import App, ComposeResult
from textual.events import Resize
from textual.widgets import Static


class Served(App[int]):
    """``x`` fails, ``h`` hangs, ``c`` starts a process, ``q`` quits, ``o`` opens pages, ``d`` gives a file."""

    CSS = "Screen { background: #ff0000; color: white; }"
    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield Static("served " + " ".join(sys.argv[1:]), id="said")

    def on_resize(self, event: Resize) -> None:
        self.query_one("#said", Static).update(f"size {event.size.width}x{event.size.height} pid {os.getpid()}")

    def on_key(self, event: object) -> None:
        key = getattr(event, "key", "")
        if key == "q":
            self.exit(0)
        elif key == "x":
            raise ValueError("\x1b[31msecret-local-value")
        elif key == "h":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.query_one("#said", Static).update("hanging")
            self.set_timer(0.1, lambda: time.sleep(3600))
        elif key == "c":
            child = subprocess.Popen(["sleep", "3600"])
            self.query_one("#said", Static).update(f"child {child.pid}")
        elif key == "o":
            self.open_url("file:///etc/passwd")
            self.open_url("javascript:alert(1)")
            self.open_url("https://example.org/commit")
        elif key == "d":
            self.deliver_text(__file__)


if __name__ == "__main__":
    app = Served()
    app.run()
    sys.exit(app.return_code or 0)
