"""When a remote's ledger was fetched last, so that a push can do without: ``fetched/`` in Ledgit's folder.

A push onto the ledger as last seen arrives over one connection, if nobody else has pushed since; the
host itself says whether that is so. What it does not say is what lies beside the ledger: inboxes. So
only a few pushes in a row, and only for a while, go without a fetch.

Beside it, in a file of its own, stands what the remote's ledger said about models when the registry's tags
were fetched last: whoever pushes tags changes that, so a pull asks for tags only where it has changed.

The note is a hint. One that is missing, torn, of a copied clone or about another ledger than the
tracking ref names costs a fetch, and is never synced to the disk.
"""

from __future__ import annotations

import os

from ledgit.errors import LedgitError
from ledgit.store.journal import now_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.git import Repo
    from ledgit.store.folder import Folder
    from ledgit.store.sync.line import Line
    from ledgit.store.sync.remote import Remote

__all__ = ["has_unshared", "known_lately", "note_fetched", "note_models", "note_pushed", "note_tags", "tags_due"]

#: Pushes without a fetch, and milliseconds since the last one, after which a push fetches first.
MOST_PUSHES = 10
LONGEST = 600_000
_MOST_BYTES = 200
_NONE = "-"


def note_fetched(folder: Folder, remote: Remote, tip: str | None) -> None:
    """Note that the ledger *tip* of *remote* was fetched now and checked; None: it has none."""
    _write(folder, remote, tip or _NONE, now_ms(), 0)


def note_pushed(folder: Folder, remote: Remote, tip: str, *, ahead: bool) -> None:
    """Note that the ledger of *remote* is *tip* now because it was pushed there: *ahead* of a fetch, or after one."""
    _, when, pushes = _read(folder, remote) or (_NONE, 0, 0)
    _write(folder, remote, tip, when, pushes + ahead)


def known_lately(line: Line) -> str | None:
    """Return the remote's ledger as it was lately, if a push can be tried onto it without a fetch.

    None where that is not known well enough, where inboxes wait to be taken in, or where there is
    probably nothing to push: then only a fetch can say whether there is something to take.
    """
    from ledgit.git import helper_objects, list_refs, read_ref

    repo, folder, remote = line.repo, line.folder, line.remote
    if not line.has_runs or helper_objects(repo) is not None:  # the tip alone, now or before
        return None
    tip, note = read_ref(repo, remote.tracking), _read(folder, remote)
    if tip is None or note is None:
        return None
    seen, when, pushes = note
    if seen != tip or pushes >= MOST_PUSHES or not when <= now_ms() < when + LONGEST or list_refs(repo, remote.inboxes):
        return None
    return tip if _has_more(line, tip) else None


def _has_more(line: Line, tip: str) -> bool:
    """Whether the clone seems to have more than the ledger *tip*."""
    from ledgit.store.ledger import local_ledger
    from ledgit.store.ledger.loose import loose_runs
    from ledgit.store.sync.held import read_held

    if local_ledger(line.repo) not in (None, tip):
        return True
    loose = loose_runs(line.repo)
    held = read_held(line.folder) if loose else {}
    return any(run_id not in held or not held[run_id].is_about([head]) for run_id, head in loose.items())


def _read(folder: Folder, remote: Remote) -> tuple[str, int, int] | None:
    """Return (ledger commit, ms since the epoch of the last fetch, pushes since)."""
    try:
        with open(_path(folder, remote), "rb") as file:
            tip, when, pushes, end = file.read(_MOST_BYTES).decode("ascii").split(" ")
        return (tip, int(when), int(pushes)) if end == "\n" else None
    except (OSError, ValueError):
        return None


def _write(folder: Folder, remote: Remote, tip: str, when: int, pushes: int) -> None:
    path = _path(folder, remote)
    try:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb", buffering=0) as file:
            file.write(f"{tip} {when} {pushes} \n".encode("ascii"))
    except OSError:
        pass  # then the next push fetches


def _path(folder: Folder, remote: Remote) -> str:
    # The name is one part of a path, or "url/" and one: see `remote`.
    return os.path.join(folder.path, "fetched", remote.name.replace("/", "~"))


def note_models(line: Line, tip: str | None = None) -> None:
    """Look whether the remote's ledger says other things about models than when tags were fetched last.

    If so, tags are due. A pull calls it before it takes the ledger over, so that one that breaks off is made up for.
    Of a ledger that was looked at before nothing is read.

    Args:
        line: The remote.
        tip: Its ledger; None: as last seen.
    """
    from ledgit.git import read_ref

    tip = tip or read_ref(line.where, line.remote.tracking)
    if tip is None or not line.has_runs:
        return
    due, known, looked = _noted(line)
    if looked == tip:
        return
    try:
        entry = line.objects.find(tip, "models")
    except LedgitError:
        return  # nothing is known of it: the next pull takes it over, or says what is wrong
    models = _NONE if entry is None else entry.oid
    _note(line, due or models not in (known, _NONE), models, tip)


def has_unshared(repo: Repo) -> bool:
    """Whether the clone has tags of the registry that were not seen on a remote: a look at refs."""
    from ledgit.git import ref_names

    return bool(ref_names(repo, "refs/ledgit/registry/"))


def tags_due(line: Line) -> bool:
    """Whether the remote may have tags of the registry that this clone hasn't: a look at one small file."""
    return _noted(line)[0]


def note_tags(line: Line) -> None:
    """Note that all tags were fetched that the ledger spoke of."""
    _, models, tip = _noted(line)
    _note(line, False, models, tip)


def _noted(line: Line) -> tuple[bool, str, str]:
    """Return (tags are due, what was said about models, the ledger that said so)."""
    try:
        with open(_path(line.folder, line.remote) + ".tags", "rb") as file:
            due, models, tip, end = file.read(_MOST_BYTES).decode("ascii").split(" ")
        return (due == "due", models, tip) if end == "\n" else (False, _NONE, _NONE)
    except (OSError, ValueError):
        return False, _NONE, _NONE


def _note(line: Line, due: bool, models: str, tip: str) -> None:
    path = _path(line.folder, line.remote) + ".tags"
    scratch = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(scratch, "wb", buffering=0) as file:
            file.write(f"{'due' if due else 'had'} {models} {tip} \n".encode("ascii"))
        os.replace(scratch, path)
    except OSError:
        pass  # then the next pull looks again
