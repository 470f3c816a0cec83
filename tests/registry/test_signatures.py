"""Signatures of tags, made and checked by the real programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.registry.keys import allow, gpg_home, make_ssh_key, sign_with_ssh

from ledgit.git import Repo, run_git
from ledgit.registry.signatures import BAD, GOOD, NONE, UNKNOWN, Signature, check_signature


def signature(repo: Path, tag: str) -> Signature:
    found = Repo.discover(str(repo))
    oid = run_git(found, "rev-parse", f"refs/tags/{tag}").decode().strip()
    return check_signature(found, oid, run_git(found, "cat-file", "tag", oid))


def alter(repo: Path, git: GitFunction, tag: str, old: str, new: str) -> None:
    """Change the text of a signed tag, as who forges one would."""
    text = git(repo, "cat-file", "tag", tag)
    assert old in text
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=(text.replace(old, new) + "\n").encode())
    git(repo, "update-ref", f"refs/tags/{tag}", oid)


def test_a_tag_without_a_signature(repo: Path, git: GitFunction) -> None:
    """Starts no process either."""
    git(repo, "tag", "-am", "plain", "one")

    found = signature(repo, "one")

    assert NONE == found.state
    assert "is not signed" == found.shown


def test_an_ssh_signature_of_somebody_we_trust_is_good(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """The signer is who the list of allowed signers says, not who the tag says."""
    key = make_ssh_key(tmp_path / "keys", "ada")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", ada=key)
    git(repo, "tag", "-m", "signed", "one")

    found = signature(repo, "one")

    assert (GOOD, "ssh", "ada@example.org") == (found.state, found.kind, found.address)
    assert found.key.startswith("SHA256:")


def test_an_ssh_key_that_nobody_vouches_for_is_unknown(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """With a list that lacks it, and without any list."""
    mine, other = (make_ssh_key(tmp_path / "keys", name) for name in ("ada", "bob"))
    sign_with_ssh(repo, mine)
    git(repo, "tag", "-m", "signed", "one")

    without = signature(repo, "one")
    allow(repo, tmp_path / "signers", bob=other)
    lacking = signature(repo, "one")

    assert [UNKNOWN, UNKNOWN] == [without.state, lacking.state]
    assert "allowedSignersFile" in without.said
    assert "no allowed signer has the key SHA256:" in lacking.said


def test_an_ssh_signature_of_another_text_is_bad(repo: Path, tmp_path: Path, git: GitFunction) -> None:
    """A word was changed after signing."""
    key = make_ssh_key(tmp_path / "keys", "ada")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", ada=key)
    git(repo, "tag", "-m", "promote v1.0.0", "one")
    alter(repo, git, "one", "v1.0.0", "v6.6.6")

    found = signature(repo, "one")

    assert BAD == found.state
    assert "not good" in found.shown


def test_gpg_signatures(repo: Path, git: GitFunction, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good with the key in the ring, bad when altered, unknown without the key."""
    with gpg_home("ada@example.org", "Ada Lovelace") as (home, key), gpg_home("bob@example.org", "Bob") as (empty, _):
        monkeypatch.setenv("GNUPGHOME", str(home))
        git(repo, "config", "user.signingKey", key)
        git(repo, "tag", "-s", "-m", "promote v1.0.0", "one")
        good = signature(repo, "one")
        monkeypatch.setenv("GNUPGHOME", str(empty))
        unknown = signature(repo, "one")
        monkeypatch.setenv("GNUPGHOME", str(home))
        alter(repo, git, "one", "v1.0.0", "v6.6.6")
        bad = signature(repo, "one")

    assert (GOOD, "gpg", "ada@example.org", key) == (good.state, good.kind, good.address, good.key)
    assert UNKNOWN == unknown.state
    assert "not in the key ring" in unknown.said
    assert BAD == bad.state
    assert "it is of another text" in bad.said
