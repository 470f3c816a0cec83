"""Signing a tag as the user's Git does it, without a ref: ``git tag -s`` in a repository of a moment.

It is made in Ledgit's folder, sees the objects of the user's and reads the same settings. So what was
signed gets its refs in one step with all others, and nothing is left where the signature can't be made.
"""

from __future__ import annotations

import os

from ledgit.errors import GitFailed
from ledgit.records.registry_message import is_signed
from ledgit.store.registry.events import tag_headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import ObjectSet, Repo, Signature
    from ledgit.store.folder import Folder

__all__ = ["sign_tag"]


def sign_tag(
    repo: Repo, folder: Folder, fresh: ObjectSet, tag: str, commit: str, tagger: Signature, message: bytes
) -> bytes:
    """Return the signed tag object *tag* for *commit*, which is in *fresh* or in the repository.

    Raises:
        GitFailed: It can't be signed.
        StorageError: The disk refused.
    """
    from ledgit.git import Objects, ObjectSet, Repo, read_ref, try_git

    scratch = folder.make(os.path.join(folder.scratch, f"sign-{os.urandom(6).hex()}"))
    try:
        _make_repository(scratch)
        place = Repo(scratch, scratch, None)
        known = fresh.get(commit)
        if known is not None:
            alone = ObjectSet()
            alone.add(*known)
            alone.write(place, keep=False, durable=False)
        name, email, date, zone = tagger
        env = {
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(repo.objects_dir),
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
            "GIT_COMMITTER_DATE": f"@{date} {zone}",
        }
        args = ("tag", "-s", "--cleanup=verbatim", "-F", "-", "--", tag, commit)
        code, _, said = try_git(place, *_settings(repo), *args, stdin=message, env=env, cwd=repo.run_dir)
        oid = read_ref(place, f"refs/tags/{tag}")
        if code or oid is None:
            raise GitFailed(args, code, said)
        with Objects(place, own=True) as objects:
            data = objects.read(oid)[1]
        # Git (2.39) makes an unsigned tag, and no ado, where ssh-keygen has no such key.
        if not is_signed(tag_headers(data)[1]):
            raise GitFailed(args, code, said or "error: the tag was not signed")
        return data
    finally:
        folder.discard(scratch)


def _make_repository(path: str) -> None:
    for name in ("objects/pack", "refs/tags"):
        os.makedirs(os.path.join(path, name))
    for name, text in (
        ("HEAD", "ref: refs/heads/none\n"),
        ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"),
    ):
        with open(os.path.join(path, name), "w", encoding="ascii") as file:
            file.write(text)


def _settings(repo: Repo) -> list[str]:
    """Return the ``-c`` options for what of the user's settings has to do with signing; and for no hooks.

    They are read anew: who is asked for a key that does not work sets another one, and tries again.
    """
    from ledgit.git import Config

    found = ["-c", "core.hooksPath=/dev/null"]
    config = Config.read(repo)
    for section in ("gpg.", "user."):
        for name, value in config.items(section):
            found += ["-c", f"{name}={value}"]
    return found


def _quoted(path: str) -> str:
    """Spell a path so that a colon, or a quote at its beginning, doesn't end it (git(1))."""
    if ":" not in path and not path.startswith('"'):
        return path
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
