"""What gets loaded when: start-up time, held by the modules that are not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "asyncio", "dvc", "lark", "matplotlib", "multiprocessing", "numpy", "orjson", "pandas", "psutil", "pygit2", "rich",
    "sklearn", "sqlite3", "textual", "torch", "yaml",
}  # fmt: skip
# For these even the standard library's slower modules are too much.
SLOW_STANDARD = {"argparse", "dataclasses", "email", "inspect", "logging", "subprocess", "tempfile", "urllib.request"}


def loaded_by(code: str, cwd: Path) -> set[str]:
    """Run *code* in a bare interpreter and return the modules it loaded besides the interpreter's own."""
    report = "import sys; before = set(sys.modules)\n{}\nprint('\\n'.join(set(sys.modules) - before), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", report.format(code)], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    return f"import ledgit.cli\ntry: ledgit.cli.main({list(arguments)!r})\nexcept SystemExit: pass"


def test_importing_ledgit_loads_nothing_heavy(tmp_path: Path) -> None:
    """Whoever imports it and does nothing pays for nothing."""
    loaded = loaded_by("import ledgit", tmp_path)

    assert "ledgit" in loaded
    assert set() == loaded & (HEAVY | SLOW_STANDARD)


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asking_for_words_loads_nothing_heavy(tmp_path: Path, option: str) -> None:
    """The version and the help are text."""
    loaded = loaded_by(command(option), tmp_path)

    assert "ledgit.cli" in loaded
    assert set() == loaded & HEAVY


def test_listing_runs_loads_neither_libgit2_nor_dvc_nor_textual(repo: Path) -> None:
    """The list comes from the index and from Git's own process."""
    subprocess.run(
        [sys.executable, "-c", "import ledgit\nledgit.log_param('a', 1)\nledgit.log_metric('b', 2)"],
        cwd=repo,
        check=True,
    )

    loaded = loaded_by(command("ls"), repo)

    assert "ledgit.cli" in loaded
    assert set() == loaded & {"asyncio", "dvc", "lark", "numpy", "pandas", "pygit2", "rich", "textual", "yaml"}


def test_a_pull_without_news_loads_next_to_nothing(repo: Path) -> None:
    """It is one connection, and little else: each of these takes a tenth of what git itself needs, or more."""
    remote = repo.parent / "remote.git"
    for line in (
        ["git", "init", "-q", "--bare", str(remote)],
        ["git", "remote", "add", "origin", str(remote)],
        ["git", "config", "ledgit.publish", "all"],
        [sys.executable, "-c", "import ledgit\nledgit.log_param('a', 1)"],
        [sys.executable, "-m", "ledgit", "push"],
        [sys.executable, "-m", "ledgit", "pull"],
    ):
        subprocess.run(line, cwd=repo, check=True, capture_output=True)
    slow = {"hashlib", "json", "ledgit.store.sync.exchange", "ledgit.tracking.runs", "re", "threading", "typing"}
    for program in ("ledgit", "/opt/venv/bin/git-ledgit"):
        code = f"import sys\nsys.argv = ['{program}', 'pull']\n{command('pull')}"

        loaded = loaded_by(code, repo)

        assert "ledgit.store.sync.pull" in loaded
        assert set() == loaded & (HEAVY | SLOW_STANDARD | slow)
