"""Whether a tag's signature is good, and whose: what ``git verify-tag`` says, as values.

Git checks, with the settings of the person or the server (``gpg.ssh.allowedSignersFile``, the GPG key ring):
nothing that comes out of the repository has a say in whom to trust.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledgit.git import Repo

__all__ = ["BAD", "GOOD", "NONE", "UNKNOWN", "Signature", "check_signature", "is_signed", "read_verdict"]

GOOD, BAD, UNKNOWN, NONE = "good", "bad", "unknown", "none"
_BEGINNINGS = (b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----", b"-----BEGIN SIGNED MESSAGE-----")
_KINDS = dict(zip(_BEGINNINGS, ("gpg", "ssh", "x509"), strict=True))


@dataclass(frozen=True, slots=True)
class Signature:
    """A tag's signature.

    Attributes:
        state: `GOOD`; `BAD`: made by another text, or with an expired or revoked key; `UNKNOWN`: by a key that
            nobody here vouches for; `NONE`.
        kind: ``gpg``, ``ssh``, ``x509``, or "".
        signer: Who, as the key or the list of allowed signers names them; "" if unknown.
        key: The key's fingerprint; "" if unknown.
        said: Git's own words where it is not good, on one line.
    """

    state: str
    kind: str = ""
    signer: str = ""
    key: str = ""
    said: str = ""

    @property
    def address(self) -> str:
        """The signer's e-mail address; the principal as it is where that is all there is."""
        _, angle, rest = self.signer.rpartition("<")
        return rest.removesuffix(">") if angle else self.signer

    @property
    def shown(self) -> str:
        """The signature for people, as the end of a sentence that begins with "it"."""
        if self.state == GOOD:
            return f"has a good signature of {self.signer or 'a key without a name'} ({self.key})"
        if self.state == NONE:
            return "is not signed"
        if self.state == BAD:
            return f"has a signature that is not good: {self.said}"
        return f"is signed by a key that nobody here vouches for: {self.said}"


def is_signed(content: bytes) -> str:
    """Return the kind of signature that a tag object has, or ""."""
    found = [(content.rfind(b"\n" + start), kind) for start, kind in _KINDS.items()]
    place, kind = max(found)
    return kind if place >= 0 else ""


def check_signature(repo: Repo, tag: str, content: bytes, env: Mapping[str, str] | None = None) -> Signature:
    """Have Git check the signature of a tag object.

    Args:
        repo: Where it is.
        tag: The tag object's id.
        content: The object's content: one without a signature starts no process.
        env: Variables for git, as where objects are that a push brings.
    """
    kind = is_signed(content)
    if not kind:
        return Signature(NONE)
    from ledgit.git import try_git

    code, _, said = try_git(repo, "verify-tag", "--raw", tag, env=env)
    return read_verdict(kind, code, said)


def read_verdict(kind: str, code: int, said: str) -> Signature:
    """Return what ``git verify-tag --raw`` said with exit code *code*, as a value."""
    return _ssh(code, said) if kind == "ssh" else _gpg(kind, code, said)


def _ssh(code: int, said: str) -> Signature:
    signer = key = ""
    good = False
    for line in said.splitlines():
        words = line.split()
        if line.startswith('Good "git" signature'):
            good = True
            key = words[-1]
            before, found, _ = line.partition(" with ")
            signer = before.partition(" for ")[2] if found else ""
    if code == 0 and good and signer:
        return Signature(GOOD, "ssh", signer, key)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if good or any("allowedSignersFile" in line or "No principal matched" in line for line in lines):
        why = next((line for line in lines if "allowedSignersFile" in line), "")
        why = why.removeprefix("error: ") or f"no allowed signer has the key {key}"
        return Signature(UNKNOWN, "ssh", "", key, why)
    return Signature(BAD, "ssh", "", key, _first(lines))


def _gpg(kind: str, code: int, said: str) -> Signature:
    status: dict[str, str] = {}
    others = []
    for line in said.splitlines():
        if line.startswith("[GNUPG:] "):
            word, _, rest = line.removeprefix("[GNUPG:] ").partition(" ")
            status.setdefault(word, rest)
        elif line.strip():
            others.append(line.strip())
    key = status.get("VALIDSIG", "").partition(" ")[0]
    for word, why in (
        ("GOODSIG", ""),
        ("EXPSIG", "the signature has expired"),
        ("EXPKEYSIG", "the key has expired"),
        ("REVKEYSIG", "the key was revoked"),
        ("BADSIG", "it is of another text"),
    ):
        if word in status:
            number, _, signer = status[word].partition(" ")
            good = word == "GOODSIG" and code == 0
            said = why or "the key is not trusted enough (gpg.minTrustLevel)"
            state = GOOD if good else UNKNOWN if word == "GOODSIG" else BAD
            return Signature(state, kind, signer, key or number, "" if good else said)
    if "NO_PUBKEY" in status or "ERRSIG" in status:
        number = (status.get("NO_PUBKEY") or status["ERRSIG"]).split(" ")[0]
        return Signature(UNKNOWN, kind, "", number, f"its key {number} is not in the key ring")
    return Signature(UNKNOWN if "cannot run" in said else BAD, kind, "", key, _first(others))


def _first(lines: list[str]) -> str:
    found = next((line for line in lines if line.startswith(("error:", "fatal:"))), lines[0] if lines else "")
    return found.removeprefix("error: ").removeprefix("fatal: ") or "git does not say why"
