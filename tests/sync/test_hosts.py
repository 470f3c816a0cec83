"""What hosts take is told by the name in an address."""

from __future__ import annotations

import pytest

from ledgit.store.sync.hosts import HOSTS, host_of


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://github.com/owner/repo.git", "github"),
        ("https://ada:token@GitHub.com:443/owner/repo", "github"),
        ("git@github.com:owner/repo.git", "github"),
        ("ssh://git@ssh.github.com:443/owner/repo.git", "github"),
        ("https://acme.ghe.com/owner/repo", "github"),
        ("https://github.acme.example/owner/repo", "github"),
        ("git@gitlab.com:group/sub/repo.git", "gitlab"),
        ("https://git-gitlab.acme.example/x", "gitlab"),
        ("https://bitbucket.org/team/repo", "bitbucket"),
        ("git@ssh.dev.azure.com:v3/org/project/repo", "azure"),
        ("https://org.visualstudio.com/project/_git/repo", "azure"),
        ("https://codeberg.org/x/y", "gitea"),
        ("ssh://git@forgejo.acme.example:2222/x/y.git", "gitea"),
        ("https://codeup.aliyun.com/x/y.git", "codeup"),
        ("https://chromium.googlesource.com/x", "gerrit"),
        ("https://notgithub.com/owner/repo", "other"),
        ("git://127.0.0.1:9418/r.git", "other"),
        ("ssh://[::1]:22/r.git", "other"),
        ("file:///srv/git/github.com/r.git", "file"),
        ("/srv/git/r.git", "file"),
        ("../r.git", "file"),
        ("./a:b", "file"),
        ("folder/with:colon", "file"),
        ("", "file"),
    ],
)
def test_a_host_is_known_by_its_name(url: str, key: str) -> None:
    """However the address is written; a folder called like a host is none."""
    assert host_of(url) is HOSTS[key]


def test_the_table_says_what_decides() -> None:
    """GitHub refuses 100 MB; a folder refuses nothing; one host is known to refuse custom refs."""
    assert HOSTS["github"].max_object == 100 << 20
    assert HOSTS["github"].tag_events == 3
    assert (HOSTS["file"].max_object, HOSTS["file"].warn_object) == (0, 0)
    assert [key for key, host in HOSTS.items() if host.custom_refs is False] == ["codeup"]
    assert all(key == host.key and host.name for key, host in HOSTS.items())
