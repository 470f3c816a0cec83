"""Clones that log, sync, are killed and clean up at the same time; and whether all is there in the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import BinaryIO

ROOT = Path(__file__).parent.parent.parent
LEDGIT = [sys.executable, "-m", "ledgit"]
_KILLED = -signal.SIGKILL

# What happens in a clone beside its training, and how often. What is killed now and then is ours: a `git gc` that is
# killed leaves locks which Git itself asks people to remove.
JOBS: tuple[tuple[tuple[str, ...], int, bool], ...] = (
    (("ledgit", "push"), 8, True),
    (("ledgit", "pull"), 4, True),
    (("ledgit", "pull", "--accept-purges"), 2, True),  # of runs that this clone made, people are asked first
    (("ledgit", "tag"), 6, True),
    (("ledgit", "ls"), 4, True),
    (("ledgit", "gc", "--auto"), 4, True),
    (("ledgit", "doctor", "--mend"), 2, True),
    (("ledgit", "gc", "--caches", "--yes"), 1, True),
    (("ledgit", "gc", "--purge", "--yes"), 1, True),
    (("git", "commit"), 4, False),
    (("git", "gc", "--auto"), 2, False),
    (("git", "gc", "--prune=now", "--quiet"), 1, False),
    (("git", "repack", "-a", "-d", "-q"), 1, False),
)


class Soak:
    """A bare remote behind a server of Git's, and clones of it.

    Args:
        folder: Where all of it is made.
        clones: How many.
        seed: What happens when follows from it, as far as two machines are alike.
    """

    def __init__(self, folder: Path, clones: int = 3, seed: int = 1) -> None:
        self.folder, self.random = folder, Random(seed)
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.odd: list[str] = []  # what went wrong otherwise, to look at: a lock held, a race lost
        self.said: dict[int, BinaryIO] = {}
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "LEDGIT_", "MLFLOW_"))},
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "home" / ".config"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LEDGIT_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(ROOT / "src"),
        }
        (folder / "home").mkdir(parents=True)
        (folder / "home" / ".gitconfig").write_text(
            "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
            "[ledgit]\n\tpublish = all\n"
        )
        self.remote = folder / "server" / "team.git"
        self.git(folder, "init", "-q", "--bare", str(self.remote))
        self.git(self.remote, "config", "http.receivepack", "true")
        port = _free_port()
        # The server is none of the processes that are killed, as on any host.
        self.server = subprocess.Popen(
            ["git", "daemon", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--enable=receive-pack",
             "--export-all", f"--base-path={folder / 'server'}", "--log-destination=none"],
            env=self.environment, start_new_session=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _wait_for(port)
        self.clones: list[Path] = []
        for number in range(clones):
            clone = folder / f"clone{number}"
            self.git(folder, "clone", "-q", f"git://127.0.0.1:{port}/team.git", str(clone))
            if number == 0:
                (clone / "train.py").write_text("pass\n")
                self.git(clone, "add", ".")
                self.git(clone, "commit", "-q", "-m", "first")
                self.git(clone, "push", "-q", "origin", "HEAD:main")
            else:
                self.git(clone, "switch", "-q", "-c", f"work{number}")
            self.git(clone, "config", "ledgit.artifactRemote", str(folder / "artifacts"))
            self.clones.append(clone)

    def close(self) -> None:
        """End the server."""
        os.killpg(self.server.pid, signal.SIGTERM)
        self.server.wait()

    # ------------------------------------------------------------------ what happens

    def run(self, seconds: float) -> None:
        """Let everything happen at once for *seconds*."""
        end = time.monotonic() + seconds
        running: list[tuple[subprocess.Popen[bytes], float, str, Path]] = []
        while time.monotonic() < end:
            for clone in self.clones:
                mine = [one for one in running if one[3] == clone]
                if sum(one[2] == "train" for one in mine) < 2:
                    running.append(self._train(clone))
                if sum(one[2] != "train" for one in mine) < 2:
                    running.append(self._job(clone))
            running = [one for one in running if not self._ended(*one)]
            time.sleep(0.01)
        while running:
            running = [one for one in running if not self._ended(*one)]
            time.sleep(0.01)

    def _train(self, clone: Path) -> tuple[subprocess.Popen[bytes], float, str, Path]:
        number = self.counts["train started"]
        self.counts["train started"] += 1
        acks = self.folder / f"{clone.name}.acks"
        line = [sys.executable, str(Path(__file__).with_name("worker.py")), str(clone), str(acks), str(number)]
        return self._start(line, clone, "train", may_be_killed=True, most=3.0)

    def _job(self, clone: Path) -> tuple[subprocess.Popen[bytes], float, str, Path]:
        words, _, may_be_killed = self.random.choices(JOBS, [job[1] for job in JOBS])[0]
        name, line = " ".join(words), list(words)
        if words[1] == "commit":
            line += ["-q", "--allow-empty", "-m", f"more {self.random.random()}"]
        elif words[1] == "tag":
            run = self._an_ended_run()
            if run is None:
                name, line = "ledgit ls", ["ledgit", "ls"]
            else:
                key = f"edit-{self.counts['jobs']}"
                line += [run, f"{key}=yes"]
                name = f"tag {run} {key}"
        elif words == ("ledgit", "gc", "--purge", "--yes") and self.random.randrange(3) == 0:
            run = self._an_ended_run()
            if run is not None:
                self._tell(clone, "purging", run)  # from now on it may be gone
                line.append(run)
        self.counts["jobs"] += 1
        if line[0] == "ledgit":
            line[:1] = LEDGIT
        return self._start(line, clone, name, may_be_killed=may_be_killed, most=2.0)

    def _start(
        self, line: list[str], clone: Path, name: str, *, may_be_killed: bool, most: float
    ) -> tuple[subprocess.Popen[bytes], float, str, Path]:
        killed = may_be_killed and self.random.randrange(3) == 0
        # A file, because children that live on keep it open.
        said = (self.folder / f"said-{self.counts['jobs']}-{self.counts['train started']}").open("wb+")
        process = subprocess.Popen(
            line, cwd=clone, env=self.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        self.said[process.pid] = said
        return process, time.monotonic() + self.random.random() * most if killed else float("inf"), name, clone

    def _ended(self, process: subprocess.Popen[bytes], kill_at: float, name: str, clone: Path) -> bool:
        kind = name.split(" ", maxsplit=1)[0] if name.startswith("tag ") else name
        if process.poll() is None:
            if time.monotonic() > kill_at:
                try:
                    if self.random.randrange(2):
                        os.killpg(process.pid, signal.SIGKILL)
                    else:
                        process.kill()  # its children live on
                except ProcessLookupError:
                    pass
            return False
        with self.said.pop(process.pid) as file:
            os.unlink(file.name)
            file.seek(0)
            said = file.read().decode(errors="replace")
        if process.returncode == _KILLED:
            self.counts[f"{kind} killed"] += 1
        else:
            self.counts[f"{kind} done" if process.returncode == 0 else f"{kind} exit {process.returncode}"] += 1
            if process.returncode == 0 and kind == "tag":
                _, run, key = name.split(" ")
                self._tell(clone, "tag", run, key, "yes")
            if process.returncode in (6, 128):
                self.odd.append(f"{clone.name}: {kind} exit {process.returncode}: {' '.join(said.split())[:300]}")
            if "Traceback" in said or "unexpected" in said:
                self.failures.append(f"{name}: {said[-2000:]}")
        return True

    def _tell(self, clone: Path, *words: object) -> None:
        with open(self.folder / f"{clone.name}.acks", "ab", buffering=0) as file:
            file.write(json.dumps(words).encode() + b"\n")

    def _an_ended_run(self) -> str | None:
        ended = [words[1] for words in self.acknowledged() if words[0] == "end"][-200:]
        return str(self.random.choice(ended)) if ended else None

    def acknowledged(self) -> list[list[object]]:
        """What the programs were told, in all clones; a line that was cut off told nothing."""
        found = []
        for path in sorted(self.folder.glob("*.acks")):
            for line in path.read_bytes().split(b"\n")[:-1]:
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    # ------------------------------------------------------------------ what is left

    def settle(self) -> None:
        """End what is running and share all of it, until nothing moves."""
        for clone in self.clones:
            self.ledgit(clone, "doctor", "--mend", check=False)
        for _ in range(6):
            before = self.ledgers()
            for clone in self.clones:
                self.ledgit(clone, "gc", "--purge", "--yes", check=False)
                self.ledgit(clone, "pull", "--accept-purges")
                self.ledgit(clone, "push")
            for clone in self.clones:
                self.ledgit(clone, "pull", "--accept-purges")
            if before == self.ledgers() and len(set(before.values())) == 1:
                return

    def ledgers(self) -> dict[str, str]:
        """The ledger's commit in each clone, and on the remote."""
        found = {
            clone.name: self.git(clone, "for-each-ref", "--format=%(objectname)", "refs/ledgit/ledger")
            for clone in self.clones
        }
        return found | {"remote": self.git(self.remote, "rev-parse", "refs/ledgit/ledger")}

    def doctor(self) -> list[str]:
        """All problems that are found; hints are none."""
        found = []
        for clone in self.clones:
            said = json.loads(self.ledgit(clone, "doctor", "--json", check=False))
            found += [f"{clone.name}: {one}" for one in said["findings"] if one["level"] == "problem"]
            checked = self._run(["git", "fsck", "--connectivity-only"], clone)
            lines = (checked.stdout + checked.stderr).splitlines()
            found += [
                f"{clone.name}: {line}" for line in lines if line.startswith(("missing", "broken", "error", "fatal"))
            ]
        return found

    def missing(self) -> list[str]:
        """What was acknowledged and is not in each clone."""
        script = str(Path(__file__).with_name("checking.py"))
        found = []
        for clone in self.clones:
            done = self._run([sys.executable, script, str(clone), str(self.folder)], clone)
            found += [f"{clone.name}: {line}" for line in (done.stdout + done.stderr[-2000:]).splitlines()]
        return found

    # ------------------------------------------------------------------ commands

    def git(self, folder: Path, *args: str) -> str:
        """Run git, and return what it printed."""
        done = self._run(["git", *args], folder)
        if done.returncode:
            raise RuntimeError(f"git {' '.join(args)}: {done.stderr}")
        return done.stdout.strip()

    def ledgit(self, clone: Path, *args: str, check: bool = True) -> str:
        """Run ledgit, and return what it printed."""
        done = self._run([*LEDGIT, *args], clone)
        if check and done.returncode:
            raise RuntimeError(f"ledgit {' '.join(args)} in {clone.name}: {done.stderr}{done.stdout}")
        return done.stdout

    def _run(self, line: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(line, cwd=folder, env=self.environment, capture_output=True, text=True, check=False)


def acknowledged_by(words: list[list[object]]) -> Mapping[str, int]:
    """Count what was acknowledged, by kind."""
    return Counter(str(one[0]) for one in words)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
