"""Reading where Python lacks what other systems have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.ledger.kit import make_runs, run_id

from ledgit.git import Repo
from ledgit.store import Folder
from ledgit.store.ledger import compact

# Windows has none of these, and Ledgit reads and lists there.
WITHOUT = """
import multiprocessing, os, subprocess, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pwd", "resource"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
for name in ("fcntl", "grp", "pwd", "resource"):
    sys.modules.pop(name, None)
for name in ("register_at_fork", "O_CLOEXEC", "uname", "fork", "fchmod", "O_TMPFILE", "getuid", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
from ledgit.cli import main
sys.exit(main(["ls", "--json"]))
"""


def test_runs_are_listed_without_what_windows_lacks(repo: Path) -> None:
    """A missing module must not be noticed before somebody writes."""
    opened = Repo.discover(str(repo))
    make_runs(opened, [run_id(1)])
    compact(opened, Folder.of(opened))
    make_runs(opened, [run_id(2)])

    done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=repo, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert run_id(1) in done.stdout
    assert run_id(2) in done.stdout
