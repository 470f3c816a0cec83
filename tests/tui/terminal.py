"""A real terminal, by tmux: keys go in, the screen comes out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

#: Whether there is a tmux to test with.
HAS_TMUX = shutil.which("tmux") is not None


class Terminal:
    """A command in a terminal of its own, with its own tmux server.

    Args:
        command: The command and its arguments.
        columns: Width.
        rows: Height.
        cwd: Where it starts.
        environ: Added to this process's environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        columns: int = 100,
        rows: int = 30,
        *,
        cwd: str | os.PathLike[str] = ".",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.mkdtemp(prefix="ledgit-tmux-")  # short: a socket's path has little room
        self._socket = os.path.join(self._folder, "s")
        self.code_file = Path(self._folder) / "code"
        self._environ = {
            **os.environ,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            **(environ or {}),
        }
        for name in ("TMUX", "TMUX_PANE"):
            self._environ.pop(name, None)
        script = '"$@"; code=$?; echo $code > "$CODE_FILE"; echo "ended with $code"; exec sh'
        self._environ["CODE_FILE"] = str(self.code_file)
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(cwd),
            "sh", "-c", script, "sh", *command,
        )  # fmt: skip
        self._tmux("set-option", "-g", "status", "off")
        self._tmux("set-option", "-s", "escape-time", "0")
        self.resize(columns, rows)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the terminal and what runs in it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False, env=self._environ)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *args], capture_output=True, text=True, check=False, env=self._environ
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names: ``Enter``, ``Escape``, ``C-c``, ``j``."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        """Type *text* as it is."""
        self._tmux("send-keys", "-l", "--", text)

    def screen(self, *, colors: bool = False) -> str:
        """Return what stands on the screen; with escape sequences for *colors*."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colors else []))

    def wait_for(self, *texts: str, seconds: float = 60.0) -> str:
        """Wait until all *texts* stand on the screen, and return it."""
        return self.wait_until(lambda screen: all(text in screen for text in texts), f"{texts} to come", seconds)

    def wait_gone(self, text: str, seconds: float = 60.0) -> str:
        """Wait until *text* stands on the screen no more, and return it."""
        return self.wait_until(lambda screen: text not in screen, f"{text!r} to go", seconds)

    def wait_until(self, true: Callable[[str], bool], what: str = "it", seconds: float = 60.0) -> str:
        """Wait until the screen is as it must be, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if true(screen):
                return screen
            assert time.monotonic() < deadline, f"waited for {what}; there is\n{screen}"
            time.sleep(0.05)

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def hang_up(self) -> None:
        """Take the terminal away, as a lost SSH connection does."""
        self._tmux("kill-pane")

    def children(self) -> list[int]:
        """Return the ids of the processes that run in the terminal, the shell's own not among them."""
        shell = int(self._tmux("display-message", "-p", "#{pane_pid}"))
        done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(shell)], capture_output=True, text=True, check=False)
        return [int(line) for line in done.stdout.split()]
