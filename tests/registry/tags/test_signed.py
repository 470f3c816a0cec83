"""Signed tags: by Git's own configuration, and Git verifies them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.registry.tags.kit import Shop

from ledgit.errors import GitFailed
from ledgit.store.registry import move_version


@pytest.fixture(params=["ssh", "openpgp"])
def signer(
    request: pytest.FixtureRequest, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """A repository whose user signs tags."""
    sign_by(shop, str(request.param), tmp_path, monkeypatch)
    yield shop
    if request.param == "openpgp":
        subprocess.run(["gpgconf", "--kill", "all"], check=False)  # its agent would stay
        shutil.rmtree(os.environ["GNUPGHOME"], ignore_errors=True)


def sign_by(shop: Shop, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.git("config", "tag.gpgSign", "true")
    if kind == "ssh":
        key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        allowed = folder / "allowed"
        allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
        shop.git("config", "gpg.format", "ssh")
        shop.git("config", "user.signingKey", str(key))
        shop.git("config", "gpg.ssh.allowedSignersFile", str(allowed))
        return
    assert shutil.which("gpg"), "GnuPG is needed to test that Git's default way of signing works"
    home = Path("/tmp") / f"ledgit-gpg-{folder.name[-20:]}"  # a socket's path must be short
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "Ada <ada@example.org>", "ed25519"],
        check=True,
        capture_output=True,
    )
    shop.git("config", "user.signingKey", "ada@example.org")


def test_versions_and_stages_are_signed_and_git_verifies_them(signer: Shop) -> None:
    version = signer.register(signer.train(), reason="signed: 'yes'")
    event = signer.assign("churn", "1", "prod")

    assert version.event.signed
    assert event.signed
    signer.git("verify-tag", "churn@v0.0.1")
    signer.git("verify-tag", "churn#prod#1")
    (read,) = signer.read().find("churn").active
    assert ("signed: 'yes'", 1, version.run) == (read.event.reason, read.number, read.run)
    assert [] == signer.problems()
    assert {"registry/churn@v0.0.1", "registry/churn#prod#1", "versions/churn/1"} == set(signer.refs("refs/ledgit")) - {
        name for name in signer.refs("refs/ledgit") if name.startswith("runs/")
    }


def test_who_does_not_sign_can_ask_for_it_and_the_other_way_round(signer: Shop) -> None:
    run = signer.train()
    assert not signer.register(run, sign=False).event.signed
    signer.git("config", "tag.gpgSign", "false")
    signer.repo._config = None

    assert not signer.register(run).event.signed
    assert signer.register(run, sign=True).event.signed


def test_a_signature_that_can_not_be_made_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.git("config", "gpg.format", "ssh")
    shop.git("config", "user.signingKey", str(tmp_path / "nobody"))
    run = shop.train()
    before = shop.git("for-each-ref")

    with pytest.raises(GitFailed):
        shop.register(run, sign=True)

    assert before == shop.git("for-each-ref")
    assert [] == list(Path(shop.folder.scratch).iterdir())
    sign_by(shop, "ssh", tmp_path, pytest.MonkeyPatch())
    assert shop.register(run, sign=True).event.signed  # in the same process


def test_what_has_to_be_made_anew_is_signed_anew(
    ada: Shop, ben: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that somebody else took, and a version that is moved."""
    sign_by(ben, "ssh", tmp_path, monkeypatch)
    ada.register(ada.train(), version="1.0.0")
    ben.register(ben.train(), version="2.0.0")
    ben.assign("churn", "1", "prod")
    ada.push()

    done = ben.push()

    assert done.tags is not None
    assert {} == done.tags.held
    ben.git("verify-tag", "churn@v2.0.0")
    assert 2 == ben.read().version("churn", "v2.0.0").number
    third = ben.register(ben.train())
    move_version(ben.repo, ben.folder, third, "3.0.0")
    ben.git("verify-tag", "churn@v3.0.0")
    assert "v2.0.1" not in ben.read().find("churn").versions


def test_a_tag_that_was_tampered_with_is_no_signed_one_any_more(shop: Shop, tmp_path: Path) -> None:
    """Reading takes it as it is; Git says what it is worth."""
    sign_by(shop, "ssh", tmp_path, pytest.MonkeyPatch())
    shop.register(shop.train())
    data = subprocess.run(
        ["git", "cat-file", "tag", "churn@v0.0.1"], cwd=shop.path, capture_output=True, check=True
    ).stdout
    forged = run_git(
        shop.path, "hash-object", "-t", "tag", "-w", "--stdin", stdin=data.replace(b"number: 1", b"number: 7")
    )
    shop.git("update-ref", "refs/tags/churn@v0.0.1", forged)

    assert 7 == shop.read().version("churn", "latest").number
    with pytest.raises(AssertionError):
        shop.git("verify-tag", "churn@v0.0.1")
