"""Remotes with odd names, several of them, and addresses with credentials."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import Clone, lines_of
from tests.sync.publish_kit import Clone as Coder

from ledgit.git.transport_errors import shown_url
from ledgit.store.sync import find_remote


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:secret@example.org/runs.git", "https://example.org/runs.git"),
        ("https://secret@example.org", "https://example.org"),
        ("ssh://git:secret@example.org/runs.git", "ssh://git@example.org/runs.git"),
        ("ssh://git@example.org/runs.git", "ssh://git@example.org/runs.git"),
        ("git@example.org:team/runs.git", "git@example.org:team/runs.git"),
        ("../runs.git", "../runs.git"),
    ],
)
def test_addresses_are_shown_without_credentials(url: str, shown: str) -> None:
    assert shown == shown_url(url)


@pytest.mark.parametrize("url", ["https://ann:secret@example.org", "https://ann:secret@example.org/"])
def test_no_ref_is_named_after_credentials(ada: Clone, url: str) -> None:
    remote = find_remote(ada.repo, url)

    assert "secret" not in remote.tracking + remote.shown
    assert remote.tracking == find_remote(ada.repo, url.replace("secret", "another")).tracking


def test_a_remote_among_the_names_of_another_is_none_of_its(ada: Clone, host: Path, tmp_path: Path) -> None:
    """``origin/old`` is a name that Git allows."""
    run_git(tmp_path, "clone", "-q", "--mirror", str(host), str(tmp_path / "old.git"))
    for name, value in (("url", str(tmp_path / "old.git")), ("fetch", "+refs/heads/*:refs/remotes/origin/old/*")):
        ada.git("config", f"remote.origin/old.{name}", value)
    old = find_remote(ada.repo, "origin/old")
    origin = find_remote(ada.repo, "origin")
    assert "origin/old" == old.shown
    assert not old.tracking.startswith(origin.tracking.rpartition("/")[0])
    assert not old.incoming.startswith(origin.incoming)
    run = ada.log()

    ada.git("config", "ledgit.remote", "origin/old")
    ada.push()
    ada.git("config", "ledgit.remote", "origin")
    ada.push()

    assert {run} == lines_of(host) == lines_of(tmp_path / "old.git")


def test_code_on_a_remote_among_the_names_of_another_is_not_public_there(clone: Coder, tmp_path: Path) -> None:
    clone.git(tmp_path, "init", "-q", "--bare", "private.git")
    clone.git(clone.path, "config", "remote.origin/private.url", str(tmp_path / "private.git"))
    clone.commit("private", model__py="secret\n")
    clone.git(clone.path, "push", "-q", str(tmp_path / "private.git"), "HEAD:refs/heads/main")
    clone.git(clone.path, "update-ref", "refs/remotes/origin/private/main", "HEAD")
    run = clone.run("private")

    assert [run] == list(clone.review().held)


@pytest.mark.parametrize("name", ["team/runs", "url"])
def test_an_oddly_named_remote_that_is_pointed_elsewhere_is_looked_at_anew(
    ada: Clone, host: Path, tmp_path: Path, name: str
) -> None:
    """What it had at the old address is not put back at the new one."""
    run_git(tmp_path, "init", "-q", "--bare", "elsewhere.git")
    ada.git("remote", "rename", "origin", name)
    ada.git("config", "ledgit.remote", name)
    run = ada.log()
    ada.push()
    ada.git("config", f"remote.{name}.url", str(tmp_path / "elsewhere.git"))

    done = ada.push()

    assert [run] == done.sent.new
    assert [] == done.notes
