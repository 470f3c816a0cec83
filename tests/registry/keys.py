"""Keys to sign with, made for a test: SSH's and GPG's, by the real programs."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import run_git


def make_ssh_key(folder: Path, name: str) -> Path:
    """Make a key of SSH without a passphrase and return its private file."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


def sign_with_ssh(repo: Path, key: Path, *, all_tags: bool = True) -> None:
    """Have Git sign tags with *key*."""
    run_git(repo, "config", "gpg.format", "ssh")
    run_git(repo, "config", "user.signingKey", str(key))
    if all_tags:
        run_git(repo, "config", "tag.gpgSign", "true")


def allow(repo: Path, signers: Path, **keys: Path) -> None:
    """Have Git trust *keys*: ``ada=…`` is ada@example.org's."""
    lines = [f"{who}@example.org {key.with_suffix('.pub').read_text()}" for who, key in keys.items()]
    signers.write_text("".join(lines))
    run_git(repo, "config", "gpg.ssh.allowedSignersFile", str(signers))


@contextmanager
def gpg_home(address: str, name: str) -> Iterator[tuple[Path, str]]:
    """A key ring with one key; its folder and the key's fingerprint."""
    # Its sockets need a short path.
    home = Path(tempfile.mkdtemp(prefix="lg", dir="/tmp"))
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        key = ["--passphrase", "", "--quick-generate-key", f"{name} <{address}>", "ed25519", "sign", "never"]
        subprocess.run([*gpg, *key], check=True, capture_output=True)
        listed = subprocess.run([*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True)
        yield home, next(line.split(":")[9] for line in listed.stdout.splitlines() if line.startswith("fpr:"))
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home, ignore_errors=True)
