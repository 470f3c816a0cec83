"""Where nothing can be written, there is one clear sentence; where reading can work, it does."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.faults.kit import Forks, run_refs

NOBODY = 65534


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory, git: GitFunction, forks: Forks) -> Iterator[Path]:
    """A repository with one run, in a folder that everybody may look into."""
    path = Path("/tmp") / f"ledgit-shared-{os.getpid()}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o755)
    git(path, "init", "-q")
    (path / "train.py").write_text("print()\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    forks.run("make_run", cwd=path)
    yield path
    shutil.rmtree(path)


def trusting(path: Path) -> dict[str, str]:
    """An environment whose Git trusts *path*, with a home folder that anybody can use."""
    config = path.parent / f"{path.name}-config"
    config.write_text(f"[safe]\n\tdirectory = {path}\n[user]\n\tname = N\n\temail = n@example.org\n")
    config.chmod(0o644)
    return {"GIT_CONFIG_GLOBAL": str(config), "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}


def one_sentence(said: list[str]) -> str:
    """Return the error's text, which must be one line of plain words."""
    kind, text = said[:2]
    assert kind
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_somebody_elses_repository_is_refused_with_the_way_out(shared: Path, forks: Forks) -> None:
    """Git's own rule: a repository is a program, and its owner decides what it runs."""
    os.chown(shared / ".git", NOBODY, NOBODY)

    text = one_sentence(forks.run("try_run", cwd=shared))

    assert "belongs to another user" in text
    assert "safe.directory" in text


def test_a_trusted_one_of_somebody_else_is_used(shared: Path, forks: Forks) -> None:
    os.chown(shared / ".git", NOBODY, NOBODY)

    kind, commit, *problems = forks.run("try_run", cwd=shared, env=trusting(shared))

    assert ("", []) == (kind, problems)
    assert commit in run_refs_trusting(shared).values()


def run_refs_trusting(path: Path) -> dict[str, str]:
    os.chown(path / ".git", os.getuid(), os.getgid())
    return run_refs(path)


def test_without_the_right_to_write_reading_works_and_logging_says_why(shared: Path, forks: Forks) -> None:
    """As another user: the runs are listed, a new one is refused in one sentence."""
    env = trusting(shared)

    text = one_sentence(forks.run("try_run", None, NOBODY, cwd=shared, env=env))
    [[_, status]] = forks.run("read_runs", str(shared), NOBODY, cwd=shared, env=env)

    assert "can't" in text
    assert "Permission denied" in text
    assert "FINISHED" == status


def test_on_a_read_only_file_system_too(shared: Path, forks: Forks) -> None:
    """A snapshot, a container's layer, a backup."""
    subprocess.run(["mount", "--bind", str(shared), str(shared)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(shared)], check=True)
        text = one_sentence(forks.run("try_run", cwd=shared))
        [[_, status]] = forks.run("read_runs", str(shared), 0, cwd=shared)
    finally:
        subprocess.run(["umount", str(shared)], check=True)

    assert "Read-only file system" in text
    assert "FINISHED" == status


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"core.repositoryFormatVersion": "1", "extensions.shiny": "true"}, "shiny"),
        ({"core.repositoryFormatVersion": "2"}, "format 2"),
    ],
)
def test_a_newer_repository_format_is_named(
    repo: Path, git: GitFunction, forks: Forks, settings: dict[str, str], said: str
) -> None:
    for key, value in settings.items():
        subprocess.run(["git", "config", "--file", repo / ".git/config", key, value], check=True)

    kind, text = forks.run("try_run")

    assert "UnsupportedRepository" == kind
    assert said in one_sentence([kind, text])


def test_a_sha256_repository_is_named(tmp_path: Path, git: GitFunction, forks: Forks) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "new")

    kind, text = forks.run("try_run", cwd=tmp_path / "new")

    assert "UnsupportedRepository" == kind
    assert "sha256" in one_sentence([kind, text])


def test_outside_of_any_repository_the_way_in_is_told(tmp_path: Path, forks: Forks) -> None:
    kind, text = forks.run("try_run", cwd=tmp_path)

    assert "NotARepository" == kind
    assert "git init" in one_sentence([kind, text])
