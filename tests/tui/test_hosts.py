"""Where a commit is on the web, and that no secret is in its address."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git

from ledgit.git import Repo
from ledgit.tui.hosts import commit_address, commit_page, has_browser

OID = "4f2a91c0" * 5


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://github.com/ada/code.git", f"https://github.com/ada/code/commit/{OID}"),
        ("https://ada:ghp_secret@github.com/ada/code", f"https://github.com/ada/code/commit/{OID}"),
        ("git@github.com:ada/code.git", f"https://github.com/ada/code/commit/{OID}"),
        ("ssh://git@ssh.github.com:443/ada/code.git", f"https://github.com/ada/code/commit/{OID}"),
        ("git@gitlab.com:group/sub/code.git", f"https://gitlab.com/group/sub/code/-/commit/{OID}"),
        ("https://gitlab.example.org:8443/a/b.git/", f"https://gitlab.example.org:8443/a/b/-/commit/{OID}"),
        ("ssh://git@gitlab.example.org:2222/a/b.git", f"https://gitlab.example.org/a/b/-/commit/{OID}"),
        ("git@bitbucket.org:team/code.git", f"https://bitbucket.org/team/code/commits/{OID}"),
        (
            "ssh://git@bitbucket.example.org:7999/ml/code.git",
            f"https://bitbucket.example.org/projects/ML/repos/code/commits/{OID}",
        ),
        (
            "https://bitbucket.example.org/scm/~ada/code.git",
            f"https://bitbucket.example.org/users/ada/repos/code/commits/{OID}",
        ),
        ("https://codeberg.org/ada/code", f"https://codeberg.org/ada/code/commit/{OID}"),
        ("http://gitea.example.org:3000/ada/code", f"http://gitea.example.org:3000/ada/code/commit/{OID}"),
        ("https://org@dev.azure.com/org/proj/_git/code", f"https://dev.azure.com/org/proj/_git/code/commit/{OID}"),
        ("git@ssh.dev.azure.com:v3/org/proj/code", f"https://dev.azure.com/org/proj/_git/code/commit/{OID}"),
        ("https://org.visualstudio.com/proj/_git/code", f"https://dev.azure.com/org/proj/_git/code/commit/{OID}"),
        (
            "https://org.visualstudio.com/DefaultCollection/proj/_git/code",
            f"https://dev.azure.com/org/proj/_git/code/commit/{OID}",
        ),
        ("https://dev.azure.com/org/_git/code", f"https://dev.azure.com/org/code/_git/code/commit/{OID}"),
        ("https://x.googlesource.com/tools/code", f"https://x.googlesource.com/tools/code/+/{OID}"),
        ("git@github.com:ada/co de\u202e.git", None),
        ("git@github.com:../../x.git", None),
        ("https://me:pa/ss@github.com/ada/code", None),
        ("https://git.example.org/ada/code", None),
        ("/srv/git/code.git", None),
        ("../code", None),
        ("file:///srv/code", None),
        ("ext::sh -c evil", None),
    ],
)
def test_the_page_of_a_commit_is_made_of_the_remotes_address(url: str, page: str | None) -> None:
    assert commit_address(url, OID) == page


def test_the_remote_of_the_runs_branch_is_asked_and_settings_win(repo: Path) -> None:
    assert "no remote" in commit_page(Repo.discover(str(repo)), OID).why
    run_git(repo, "remote", "add", "origin", "https://git.example.org/a/b")
    run_git(repo, "remote", "add", "fork", "https://tok@github.com/me/b")
    run_git(repo, "config", "branch.aug.remote", "fork")

    there = Repo.discover(str(repo))
    assert commit_page(there, OID, "aug").address == f"https://github.com/me/b/commit/{OID}"
    assert "ledgit.commitUrl" in commit_page(there, OID, "main").why
    assert "no commit" in commit_page(there, None).why

    run_git(repo, "config", "ledgit.commitUrl", "https://git.example.org/view?id={commit}")
    assert commit_page(Repo.discover(str(repo)), OID).address == f"https://git.example.org/view?id={OID}"
    run_git(repo, "config", "ledgit.commitUrl", "javascript:alert('{commit}')")
    assert commit_page(Repo.discover(str(repo)), OID).address == ""


def test_over_ssh_without_a_display_there_is_no_browser() -> None:
    assert not has_browser({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"})
