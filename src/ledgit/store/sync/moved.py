"""Remotes that are pointed elsewhere (``git remote set-url``): what was seen before says nothing of the new place.

The remote's ledger as last seen, its branches as last seen and what it refused are kept by the
remote's *name*. Were they taken for those of another repository, a push would call code published
that is not, and put a ledger "back" where it never was. So the address that they belong to is
noted, in ``remotes.json`` in Ledgit's folder, and with it the ledger's name there, where it is not
the usual one (``ledgit.ledgerRef``): another ref is another ledger.

A remote with a ``pushurl`` has two addresses, mostly of one repository by two protocols. Its branches as last
seen are those of the place that is fetched from; so each push that has runs to look at asks the other one
for its branches. Where they are two repositories, runs are pulled from the one and pushed to the other.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.remote import Remote

__all__ = ["branches_elsewhere", "is_elsewhere", "look_again", "settle_address"]


_MOST = 1 << 20  # bytes of the note that are looked at


def settle_address(line: Line) -> None:
    """Before *line* is used: forget what was seen under its remote's name at another address.

    Costs a small file; where the address has changed, one connection, once.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used; then the next call does this.
        StorageError: The note can't be written.
    """
    from ledgit.git import RefUpdate, list_refs, update_refs

    repo, folder, remote = line.repo, line.folder, line.remote
    address = _digest(remote)
    if _is_noted(folder, remote, address):
        return
    from ledgit.store.sync.held import REFUSED, read_held, release

    known = _note(folder, remote)
    if known.get("address") == address:
        return
    note: dict[str, Any] = {"address": address}
    if known:
        note["elsewhere"] = _absent(line, list_refs(repo, remote.branches))
        for where in (repo, line.where):
            seen = list_refs(where, remote.tracking.removesuffix("ledger"))
            update_refs(where, [RefUpdate(name, None, RefUpdate.ANY) for name in seen])
        held = read_held(folder).items()
        release(folder, [run for run, why in held if why.kind == REFUSED and why.remote == remote.name])
    _write(folder, remote, note)


def look_again(line: Line) -> None:
    """Find out which branches as last seen are not where a push goes.

    Those of an earlier address may be at the new one by now: the user may have pushed them. Those of a remote with
    two addresses may be at one alone. Costs a connection in these cases, two if the two addresses differ, else nothing.

    Raises:
        Unreachable, AccessDenied, RemoteError: The remote can't be used.
        StorageError: The note can't be written.
    """
    from ledgit.git import list_refs

    old = branches_elsewhere(line.folder, line.remote)
    if line.remote.has_two_places:
        left = _absent(line, list_refs(line.repo, line.remote.branches))
        if left and _is_one(line):
            left = {}  # what is seen here is only older than what is there
    elif old:
        branches = list_refs(line.repo, line.remote.branches)
        left = _absent(line, {name: oid for name, oid in old.items() if branches.get(name) == oid})
    else:
        return
    if left != old:
        _write(line.folder, line.remote, {"address": _digest(line.remote), "elsewhere": left})


def is_elsewhere(folder: Folder, remote: Remote) -> bool:
    """Whether what was seen last under the remote's name was at another address."""
    known = _note(folder, remote)
    return bool(known) and known.get("address") != _digest(remote)


def branches_elsewhere(folder: Folder, remote: Remote) -> dict[str, str] | None:
    """Return the remote-tracking branches (name → commit) that are of an earlier address; None: it was never moved."""
    found = _note(folder, remote).get("elsewhere")
    return found if isinstance(found, dict) else None


def _absent(line: Line, branches: dict[str, str]) -> dict[str, str]:
    """Return those of *branches* whose commit no branch of the remote has as its newest."""
    from ledgit.git import list_remote

    if not branches:
        return {}
    there = set(list_remote(line.repo, line.remote.url, ["refs/heads/*"], prompt=line.prompt).values())
    return {name: oid for name, oid in branches.items() if oid not in there}


def _is_one(line: Line) -> bool:
    """Whether both addresses of the remote have the same branches: then they are of one repository, or as good as."""
    from ledgit.git import list_remote

    places = (line.remote.settings, line.remote.url)
    first, second = (list_remote(line.repo, place, ["refs/heads/*"], prompt=line.prompt) for place in places)
    return first == second


def _is_noted(folder: Folder, remote: Remote, address: str) -> bool:
    """Whether the note says *address*, spelled as we write it: saves to load what reads and writes JSON.

    No name of a ref, which the file has too, has a space or an unescaped quote in it.
    """
    try:
        with open(_path(folder), "rb") as file:
            return f'"{remote.name}": {{"address": "{address}"'.encode("ascii") in file.read(_MOST)
    except OSError:
        return False


def _write(folder: Folder, remote: Remote, note: dict[str, Any]) -> None:
    from ledgit.store.sync.held import update_json

    def change(document: dict[str, Any]) -> None:
        remotes = document.get("remotes")
        document["remotes"] = {**(remotes if isinstance(remotes, dict) else {}), remote.name: note}

    update_json(folder, _path(folder), change)


def _note(folder: Folder, remote: Remote) -> dict[str, Any]:
    from ledgit.store.sync.held import read_json

    remotes = read_json(_path(folder)).get("remotes")
    note = remotes.get(remote.name) if isinstance(remotes, dict) else None
    return note if isinstance(note, dict) else {}


def _digest(remote: Remote) -> str:
    """Return what stands for address and ledger, without the credentials that CI services put there for each job."""
    from ledgit.git.transport_errors import shown_url
    from ledgit.store.sync.remote import DEFAULT_LEDGER

    both = f"{shown_url(remote.settings.url)}\n{shown_url(remote.settings.push_url)}"
    if remote.ledger_ref != DEFAULT_LEDGER:
        both += f"\n{remote.ledger_ref}"
    return _sha256(both.encode("utf-8", "surrogateescape"))[:16]


def _sha256(data: bytes) -> str:
    """Return the digest of *data*. As the module random does it: hashlib loads OpenSSL, which takes 3 ms."""
    for name in ("_sha2", "_sha256"):  # since Python 3.12, and before
        try:
            return str(__import__(name).sha256(data).hexdigest())
        except ImportError:
            continue
    from hashlib import sha256

    return sha256(data).hexdigest()


def _path(folder: Folder) -> str:
    return os.path.join(folder.path, "remotes.json")
