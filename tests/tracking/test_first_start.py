"""The first start of a process: what it may import, in which thread, and what a fork meanwhile finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import GitFunction

# Says of each import who asked for it. "loading" is the time in which a fork waits for the thread.
SPY = """
import sys, threading, time
import ledgit
from ledgit.store import active

class Spy:
    def find_spec(self, name, path=None, target=None):
        main = threading.current_thread() is threading.main_thread()
        found.append((name, "main" if main else "loading" if active._importing.locked() else "later"))

found = []
sys.meta_path.insert(0, Spy())
"""
# Only what the operating system's own modules cost.
ALLOWED = {"atexit", "collections.abc", "fcntl", "ledgit.tracking.values"}


def python(code: str, cwd: Path, *arguments: str) -> str:
    script = cwd.parent / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, script, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "call", ["start_run()", "start_run(run_name='a', tags={'b': 'c'}, description='d')", "log_param('a', 0.1)"]
)
def test_a_first_start_imports_next_to_nothing_on_its_callers_time(repo: Path, call: str) -> None:
    """5 ms of training are the limit; re alone takes 3, dataclasses 9, orjson 5."""
    code = f"{SPY}\nwith active._importing:\n    ledgit.{call}\n    print(*(n for n, who in found if who == 'main'))"

    assert set() == set(python(code, repo).split()) - ALLOWED


def test_the_thread_beside_a_run_imports_neither_typing_nor_what_costs_most(repo: Path, git: GitFunction) -> None:
    """A dataclass that training defines while another thread imports typing fails (Python 3.11)."""
    git(repo, "switch", "-q", "-c", "feature")  # so that a patch-id is looked for
    (repo / "train.py").write_text("print('changed')\n")
    (repo / "requirements.txt").write_text("numpy\n")
    code = f"""{SPY}
import os
run = ledgit.start_run()
run.store._facts.join()
parts = [os.path.join(run.store.directory, name) for name in os.listdir(run.store.directory) if name.endswith(".log")]
while not any(b" patch\\t" in open(part, "rb").read() for part in parts):
    time.sleep(0.01)
print(*sys.modules, *(f"later:{{name}}" for name, who in found if who == "later"))
"""

    loaded = set(python(code, repo).split())

    assert {"subprocess", "ledgit.git.snapshot", "ledgit.git.patches"} <= loaded
    assert set() == loaded & {"dataclasses", "inspect", "json", "orjson", "shutil", "typing", "uuid"}
    assert [] == [name for name in loaded if name.startswith("later:")]


def test_a_fork_waits_until_the_thread_has_imported_what_it_needs(repo: Path) -> None:
    """A module that was half imported at the fork would stay so in the child, which waits for it for ever."""
    code = """
import os, signal, sys, threading, time
import ledgit

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "subprocess":
            importing.set()
            time.sleep(0.3)

importing = threading.Event()
sys.meta_path.insert(0, Slow())
ledgit.start_run()
importing.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    import subprocess
    ledgit.log_metric("from the child", 1.0)
    os._exit(0 if hasattr(subprocess, "Popen") else 1)
print(os.waitpid(child, 0)[1])
"""

    assert python(code, repo) == "0\n"


def test_a_command_line_is_not_written_before_its_secrets_are_gone(repo: Path) -> None:
    """Not even for the moment until the thread comes to it."""
    code = """
import pathlib
import ledgit
from ledgit.store import active
def written():
    return b"".join(file.read_bytes() for file in pathlib.Path(".git/ledgit").rglob("*") if file.is_file())
with active._importing:
    run = ledgit.start_run()
    before = written()
run.store._facts.join()
after = written()
assert run.id.encode() in before
assert b"hunter2" not in before + after
assert b'"--password","***"' in after, after
"""

    python(code, repo, "--password", "hunter2")


@pytest.mark.parametrize("how", ["the journal vanishes", "it has no snapshot"])
def test_the_command_line_is_in_the_record_however_the_journal_came_about(repo: Path, how: str) -> None:
    """The thread adds it; a journal that begins anew has it at its start, and so has a run without a thread."""
    snapshot = how != "it has no snapshot"
    code = f"""
import os, shutil
from ledgit import open
from ledgit.store import RunStart
repository = open()
run = repository.start_run(RunStart(command=("train.py", "--lr", "0.1"), snapshot={snapshot}))
if {snapshot}:
    run._facts.join()
    shutil.rmtree(run.directory)
    run.tick()
run.finish()
print(*repository.run(run.id).record().info.command)
"""

    assert python(code, repo) == "train.py --lr 0.1\n"
    assert os.listdir(repo / ".git/ledgit/active") == []
