"""New tags are written without git: as Git's files backend does it, and only where nobody else has a part in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.conftest import GitFunction

from ledgit.errors import Conflict, InvalidName, RefMoved
from ledgit.git import RefUpdate, Repo, ref_names, update_refs


@pytest.fixture
def commit(repo: Path, git: GitFunction) -> str:
    return git(repo, "rev-parse", "HEAD")


def make(repo: Path, *names: str, oid: str) -> None:
    update_refs(Repo.discover(str(repo)), [RefUpdate(name, oid) for name in names])


def test_a_new_tag_is_there_for_git(repo: Path, git: GitFunction, commit: str) -> None:
    make(repo, "refs/tags/team/model@v1.0.0", "refs/ledgit/registry/team/model@v1.0.0", oid=commit)

    assert commit == git(repo, "rev-parse", "team/model@v1.0.0")
    git(repo, "pack-refs", "--all", "--prune")
    assert "team/model@v1.0.0" == git(repo, "tag", "-l")
    git(repo, "fsck", "--strict")


@pytest.mark.parametrize("packed", [False, True])
def test_a_tag_that_is_there_is_not_made_again(repo: Path, git: GitFunction, commit: str, packed: bool) -> None:
    git(repo, "tag", "-a", "-m", "x", "model@v1.0.0")
    before = git(repo, "rev-parse", "refs/tags/model@v1.0.0")
    if packed:
        git(repo, "pack-refs", "--all", "--prune")

    with pytest.raises(RefMoved, match="refs/tags/model@v1"):
        make(repo, "refs/ledgit/versions/model/1", "refs/tags/model@v1.0.0", oid=commit)

    assert before == git(repo, "rev-parse", "refs/tags/model@v1.0.0")
    assert "" == git(repo, "for-each-ref", "refs/ledgit")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("there", "new"), [("a/b", "a"), ("a", "a/b"), ("a/b/c", "a"), ("a", "a/b/c")])
def test_a_tag_is_no_folder_of_another(
    repo: Path, git: GitFunction, commit: str, there: str, new: str, packed: bool
) -> None:
    """Nor the other way round; and nothing of the step is left."""
    git(repo, "tag", there)
    if packed:
        git(repo, "pack-refs", "--all", "--prune")

    with pytest.raises(Conflict, match="can't be made"):
        make(repo, "refs/ledgit/registry/x", f"refs/tags/{new}", oid=commit)

    assert there == git(repo, "tag", "-l")
    assert "" == git(repo, "for-each-ref", "refs/ledgit")
    git(repo, "tag", "other")


def test_empty_folders_are_in_nobodys_way(repo: Path, git: GitFunction, commit: str) -> None:
    git(repo, "tag", "a/b/c")
    git(repo, "tag", "-d", "a/b/c")
    (repo / ".git/refs/tags/a/b").mkdir(parents=True, exist_ok=True)

    make(repo, "refs/tags/a", oid=commit)

    assert "a" == git(repo, "tag", "-l")


def test_a_hook_that_wants_to_know_of_refs_hears_of_tags(repo: Path, git: GitFunction, commit: str) -> None:
    hook = repo / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n[ $1 = committed ] && cat >> heard\nexit 0\n")
    hook.chmod(0o755)

    make(repo, "refs/tags/model@v1.0.0", oid=commit)

    heard = next(path for path in (repo / "heard", repo / ".git" / "heard") if path.exists())
    assert "refs/tags/model@v1.0.0" in heard.read_text()


def test_a_hook_of_a_shared_folder_can_refuse_a_tag(repo: Path, git: GitFunction, commit: str, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\ngrep -q refs/tags && exit 1\nexit 0\n")
    hook.chmod(0o755)
    git(repo, "config", "core.hooksPath", str(hook.parent))

    with pytest.raises(Exception, match="hook"):
        make(repo, "refs/ledgit/versions/model/1", "refs/tags/model@v1.0.0", oid=commit)

    assert "" == git(repo, "tag", "-l")
    assert "" == git(repo, "for-each-ref", "refs/ledgit")


def test_tags_with_reflogs_get_theirs(repo: Path, git: GitFunction, commit: str) -> None:
    git(repo, "config", "core.logAllRefUpdates", "always")

    make(repo, "refs/tags/model@v1.0.0", oid=commit)

    assert commit == git(repo, "reflog", "show", "--format=%H", "refs/tags/model@v1.0.0")


@pytest.mark.parametrize("name", ["refs/tags/../../HEAD", "refs/tags/a..b", "refs/tags/a.lock", "refs/tags/a\nb"])
def test_names_that_lead_elsewhere_are_refused(repo: Path, commit: str, name: str) -> None:
    with pytest.raises(InvalidName):
        make(repo, name, oid=commit)


def test_two_processes_make_a_tag_once(repo: Path, git: GitFunction, commit: str) -> None:
    """Ours and git's own take the same lock."""
    repository = Repo.discover(str(repo))
    won = 0
    for number in range(20):
        rival = subprocess.Popen(
            ["git", "update-ref", f"refs/tags/t{number}", commit, "0" * 40], cwd=repo, stderr=subprocess.DEVNULL
        )
        try:
            update_refs(repository, [RefUpdate(f"refs/tags/t{number}", commit)])
            ours = True
        except (RefMoved, Conflict):
            ours = False
        theirs = rival.wait() == 0
        assert ours != theirs
        won += ours

    assert 20 == len(git(repo, "tag", "-l").split())


def test_names_are_found_loose_and_packed_and_after_packing_again(repo: Path, git: GitFunction, commit: str) -> None:
    repository = Repo.discover(str(repo))
    for name in ("m@v1", "m@v2", "m#a/b#1", "mm@v1", "team/m@v1"):
        git(repo, "tag", name)
        expected = {f"refs/tags/{tag}" for tag in git(repo, "tag", "-l", "m@*", "m#*").split()}
        assert expected == ref_names(repository, "refs/tags/m@", "refs/tags/m#")
        git(repo, "pack-refs", "--all", "--prune")
        assert expected == ref_names(repository, "refs/tags/m@", "refs/tags/m#")
    assert {"refs/tags/team/m@v1"} == ref_names(repository, "refs/tags/team/m@")
    assert set() == ref_names(repository, "refs/tags/nobody/m@")
    git(repo, "tag", "-d", "m@v1")
    assert {"refs/tags/m@v2"} == ref_names(repository, "refs/tags/m@")
