"""What looks like a secret in a project's files: by names of files, and by what they hold, as for pushes."""

from __future__ import annotations

import os

from ledgit.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ledgit.git import Repo

__all__ = ["SecretFound", "check_secrets"]

_NAMES = frozenset(
    (".env", ".netrc", "_netrc", ".pypirc", ".pgpass", "credentials.json", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
)
_ENDINGS = (".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx")


class SecretFound(Conflict):
    """Files look as if they had secrets in them; *places* are ``FILE:LINE: what``, never the secret."""

    def __init__(self, places: Sequence[str]) -> None:
        Exception.__init__(self, tuple(places))
        self.places = tuple(places)

    def __str__(self) -> str:
        shown = "\n  ".join(self.places[:10])
        more = f"\n  … and {len(self.places) - 10} more" if len(self.places) > 10 else ""
        return (
            "these look like secrets, which everybody who gets the project would have; take them out, or say that they"
            " are none ('pragma: allowlist secret' on the line, or secrets: {allow: [FILE]} in .ledgit/config.yaml):"
            f"\n  {shown}{more}"
        )


def check_secrets(repo: Repo, files: Mapping[str, str]) -> None:
    """Look for secrets in *files* (path from the top → file to read).

    Files larger than 5 MiB are data and not read. Nothing is looked at where ``ledgit.secretScan`` is false.

    Raises:
        SecretFound: There are some that the repository does not allow.
    """
    config = repo.config()
    if config.get("ledgit.secretScan", "true") != "thorough" and not config.get_bool("ledgit.secretScan", True):
        return
    found = [place for path, file in files.items() for place in _look(repo, path, file)]
    if found:
        raise SecretFound(found)


def _look(repo: Repo, path: str, file: str) -> Iterator[str]:
    from ledgit.store.sync.publish import read_allowed
    from ledgit.store.sync.secrets import MAX_BYTES, Hit, is_scanned, scan_blob

    name = os.path.basename(path).lower()
    if (name in _NAMES or name.endswith(_ENDINGS)) and not read_allowed(repo).covers(path, Hit(0, "", "")):
        yield f"{path}: a file of this name holds keys or passwords"
    if not is_scanned(path) or not os.path.isfile(file) or os.path.getsize(file) > MAX_BYTES:
        return
    with open(file, "rb") as opened:
        hits = scan_blob(path, opened.read())
    if hits:
        allowed = read_allowed(repo)
        for hit in hits:
            if not allowed.covers(path, hit):
                yield f"{path}:{hit.line}: what looks like {hit.kind} ({hit.shown})"
