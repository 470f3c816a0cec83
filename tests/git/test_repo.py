"""Finding the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import ConfigError, NotARepository, RepositoryError, UnsupportedRepository
from ledgit.git import Repo, identity

Git = Callable[..., str]
SLOW = {"GIT_CEILING_DIRECTORIES": "/nonexistent"}


def facts(repo: Repo) -> tuple[str, str, str | None, str, bool]:
    return repo.git_dir, repo.common_dir, repo.work_tree, repo.prefix, repo.bare


def asking_git(path: Path) -> Repo:
    return Repo.discover(str(path), {**os.environ, **SLOW})


def test_the_common_case_starts_no_process(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works on a machine without git on the PATH."""
    (repo / "a" / "b").mkdir(parents=True)
    monkeypatch.setenv("PATH", "/nonexistent")

    found = Repo.discover(str(repo / "a" / "b"))

    assert facts(found) == (str(repo / ".git"), str(repo / ".git"), str(repo), "a/b", False)


def test_finding_a_repository_loads_neither_pygit2_nor_subprocess(repo: Path) -> None:
    code = (
        "import sys; from ledgit.git import Repo; Repo.discover();"
        "print([m for m in ('pygit2', 'subprocess', 're', 'typing') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_without_a_path_it_is_the_current_folder(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "sub").mkdir()
    monkeypatch.chdir(repo / "sub")

    assert Repo.discover().prefix == "sub"


def test_a_file_stands_for_its_folder(repo: Path) -> None:
    assert Repo.discover(str(repo / "train.py")).work_tree == str(repo)


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_the_quick_way_agrees_with_git(repo: Path, git: Git, below: str) -> None:
    (repo / "deep" / "er").mkdir(parents=True)

    assert facts(Repo.discover(str(repo / below))) == facts(asking_git(repo / below))


def test_a_linked_work_tree_shares_the_common_directory(repo: Path, git: Git, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(repo, "worktree", "add", "-q", str(linked), "-b", "other")
    (linked / "sub").mkdir()

    found = Repo.discover(str(linked / "sub"))

    assert facts(found) == (str(repo / ".git/worktrees/linked"), str(repo / ".git"), str(linked), "sub", False)
    assert facts(found) == facts(asking_git(linked / "sub"))


def test_a_submodule_is_a_repository_of_its_own(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(repo), "library")
    git(repo, "submodule", "add", "-q", str(tmp_path / "library"), "lib")

    found = Repo.discover(str(repo / "lib"))

    assert facts(found) == facts(asking_git(repo / "lib"))
    assert found.work_tree == str(repo / "lib")


def test_a_git_directory_elsewhere_is_followed(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "store"), str(tmp_path / "work"))

    found = Repo.discover(str(tmp_path / "work"))

    assert (found.git_dir, found.work_tree) == (str(tmp_path / "store"), str(tmp_path / "work"))


def test_a_link_to_a_folder_in_the_repository_is_resolved(repo: Path, tmp_path: Path) -> None:
    (repo / "sub").mkdir()
    (tmp_path / "link").symlink_to(repo / "sub")

    assert facts(Repo.discover(str(tmp_path / "link"))) == facts(asking_git(tmp_path / "link"))


def test_a_bare_repository_has_no_work_tree(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--bare", "b.git")

    found = Repo.discover(str(tmp_path / "b.git"))

    assert facts(found) == (str(tmp_path / "b.git"), str(tmp_path / "b.git"), None, "", True)


def test_inside_the_git_directory_there_is_no_work_tree(repo: Path) -> None:
    found = Repo.discover(str(repo / ".git" / "refs"))

    assert (found.git_dir, found.work_tree) == (str(repo / ".git"), None)


def test_git_dir_and_work_tree_of_the_environment_are_honoured(repo: Path, tmp_path: Path) -> None:
    """As inside a hook, or for somebody who keeps his dot files in Git."""
    (tmp_path / "elsewhere").mkdir()
    environ = {**os.environ, "GIT_DIR": str(repo / ".git"), "GIT_WORK_TREE": str(tmp_path / "elsewhere")}

    found = Repo.discover(str(tmp_path), environ)

    assert (found.git_dir, found.work_tree) == (str(repo / ".git"), str(tmp_path / "elsewhere"))


def test_git_dir_alone_makes_the_current_folder_the_work_tree(repo: Path) -> None:
    found = Repo.discover(str(repo), {**os.environ, "GIT_DIR": ".git"})

    assert facts(found) == (str(repo / ".git"), str(repo / ".git"), str(repo), "", False)


def test_core_worktree_is_honoured(repo: Path, git: Git, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    git(repo, "config", "core.worktree", str(tmp_path / "moved"))

    found = Repo.discover(str(repo / ".git"))

    assert found.git_dir == str(repo / ".git")
    assert Repo.discover(str(repo)).work_tree in (None, str(tmp_path / "moved"))


def test_a_folder_outside_of_any_repository_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(NotARepository) as caught:
        Repo.discover(str(tmp_path))

    assert str(tmp_path) in str(caught.value)
    assert "git init" in str(caught.value)


def test_an_empty_folder_named_dot_git_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    with pytest.raises(NotARepository):
        Repo.discover(str(tmp_path))


def test_sha256_repositories_get_one_sentence(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256", "r")

    with pytest.raises(UnsupportedRepository, match="stores sha256 objects; Ledgit needs SHA-1 ones"):
        Repo.discover(str(tmp_path / "r"))


def set_extension(repo: Path, text: str) -> None:
    with (repo / ".git/config").open("a") as file:
        file.write(f"[core]\n\trepositoryformatversion = 1\n[extensions]\n\t{text}\n")


def test_reftable_repositories_are_told_how_to_migrate(repo: Path) -> None:
    set_extension(repo, "refStorage = reftable")

    with pytest.raises(UnsupportedRepository, match="git refs migrate --ref-format=files"):
        Repo.discover(str(repo))


def test_unknown_extensions_are_refused_by_name(repo: Path) -> None:
    set_extension(repo, "futureThing = yes")

    with pytest.raises(UnsupportedRepository, match="futurething"):
        Repo.discover(str(repo))


def test_an_unknown_extension_that_git_refuses_is_the_same_kind_of_error(repo: Path) -> None:
    set_extension(repo, "futureThing = yes")

    with pytest.raises(UnsupportedRepository):
        asking_git(repo)


def test_a_newer_format_is_refused(repo: Path, git: Git) -> None:
    git(repo, "config", "core.repositoryformatversion", "7")

    with pytest.raises(UnsupportedRepository, match="format 7"):
        Repo.discover(str(repo))


@pytest.mark.parametrize(
    "text", ["partialClone = origin", "worktreeConfig = true", "preciousObjects = true", "noop = x"]
)
def test_harmless_extensions_are_fine(repo: Path, text: str) -> None:
    set_extension(repo, text)

    assert Repo.discover(str(repo)).partial == ("partialClone" in text)


def test_somebody_elses_repository_gets_the_command_to_run(repo: Path) -> None:
    environ = {**os.environ, **SLOW, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}

    with pytest.raises(RepositoryError) as caught:
        Repo.discover(str(repo), environ)

    assert f"git config --global --add safe.directory {repo}" in str(caught.value)


def test_somebody_elses_repository_is_fine_once_trusted(repo: Path, git: Git) -> None:
    git(repo, "config", "--global", "--add", "safe.directory", str(repo))

    found = Repo.discover(str(repo), {**os.environ, **SLOW, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})

    assert found.work_tree == str(repo)


def test_git_decides_when_the_folder_is_not_ours(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way is only for what belongs to the user: without git it can't go on."""
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(RepositoryError, match="git command was not found"):
        Repo.discover(str(repo))


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
        ("BISECT_LOG", "bisect"),
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
    ],
)
def test_an_operation_in_progress_is_recognised(repo: Path, opened: Repo, name: str, operation: str) -> None:
    assert opened.operation == ""

    (repo / ".git" / name).touch()

    assert opened.operation == operation


def test_a_shallow_clone_says_so(repo: Path, git: Git, tmp_path: Path, opened: Repo) -> None:
    (repo / "x").write_text("x")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "second")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", "shallow")

    assert Repo.discover(str(tmp_path / "shallow")).shallow
    assert not opened.shallow


def test_settings_come_from_every_scope_and_the_last_one_wins(repo: Path, git: Git, opened: Repo) -> None:
    git(repo, "config", "--global", "ledgit.publish", "all")
    git(repo, "config", "ledgit.publish", "ask")
    git(repo, "config", "ledgit.limit", "10m")
    git(repo, "config", "ledgit.broken", "x")
    git(repo, "config", "branch.Feature/X.remote", "up\nstream")
    with (repo / ".git/config").open("a") as file:
        file.write("[ledgit]\n\tbareword\n")

    config = opened.config()

    assert config.get("ledgit.publish") == "ask"
    assert config.get("ledgit.nothing") is None
    assert config.get("ledgit.nothing", "x") == "x"
    assert config.get("branch.Feature/X.remote") == "up\nstream"
    assert config.get_int("ledgit.limit", 1) == 10 << 20
    assert config.get_int("ledgit.nothing", 7) == 7
    assert config.get_bool("ledgit.bareword")
    assert not config.get_bool("ledgit.nothing")
    assert config.get("ledgit.bareword") == "true"
    assert ("ledgit.publish", "ask") in config.items("ledgit.")
    with pytest.raises(ConfigError, match=r"ledgit\.broken is 'x'"):
        config.get_bool("ledgit.broken")


def test_settings_are_read_once(opened: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened.config()
    monkeypatch.setenv("PATH", "/nonexistent")

    assert opened.config() is first


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("full", ("Ada Lovelace", "ada@example.org")), ("name", ("Ada Lovelace", "")), ("none", ("", ""))],
)
def test_the_user_decides_how_much_of_his_name_is_recorded(
    repo: Path, git: Git, mode: str, expected: tuple[str, str]
) -> None:
    git(repo, "config", "ledgit.identity", mode)

    assert identity(Repo.discover()) == expected


def test_without_a_configured_user_the_account_signs(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")

    name, email = identity(Repo.discover())

    assert name
    assert email == ""


def test_another_identity_mode_is_an_error(repo: Path, git: Git) -> None:
    git(repo, "config", "ledgit.identity", "secret")

    with pytest.raises(ConfigError, match="full, name or none"):
        identity(Repo.discover())


def test_settings_are_found_however_their_case_is_spelled(repo: Path, git: Git) -> None:
    """Git tells sections and keys in lower case; a subsection's case counts."""
    git(repo, "config", "ledgit.snapshotMaxFile", "1k")
    git(repo, "config", "branch.Main.mergeOptions", "--no-ff")
    config = Repo.discover(str(repo)).config()

    assert config.get_int("ledgit.snapshotMaxFile", 0) == config.get_int("ledgit.snapshotmaxfile", 0) == 1024
    assert config.get("branch.Main.mergeOptions") == "--no-ff"
    assert config.get("branch.main.mergeOptions") is None
