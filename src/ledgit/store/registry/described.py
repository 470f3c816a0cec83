"""What people write about models and versions: ``models/<safe name>.yaml`` in the ledger, a clock on every key.

As with experiments, two clones' edits join key by key. Keys: ``description``, ``tags.<key>``, ``created``,
``deleted``, ``version.<v1.2.0>.description``,
``version.<v1.2.0>.tags.<key>``; and ``shared`` (a digest of the tags that were pushed
last) and ``highest`` (the greatest number whose claim was purged), which are not for people.
"""

from __future__ import annotations

from ledgit.errors import LedgitError, NotFound, RecordError, RefMoved
from ledgit.records.clocked import decode_clocked, encode_clocked
from ledgit.records.names import safe_file
from ledgit.records.registry_names import check_model_name
from ledgit.store.journal import now_ms
from ledgit.store.ledger import LEDGER_REF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.git import Objects, Repo
    from ledgit.store.folder import Folder

__all__ = ["FOLDER", "edit_model", "read_model", "read_models"]

FOLDER = "models"
_ATTEMPTS = 8


def read_models(objects: Objects, ledger: str | None) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the ledger commit *ledger* says about models: name → values; and what does not decode."""
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    try:
        top = objects.find(ledger, FOLDER) if ledger is not None else None
        entries = objects.tree(top.oid) if top is not None and top.is_tree else []
    except LedgitError as error:  # `doctor` says more; the tags can be read all the same
        return found, [f"{FOLDER}: can't be read from the ledger ({error})"]
    for entry in entries:
        path = f"{FOLDER}/{entry.name}"
        if entry.is_tree or not entry.name.endswith(".yaml"):
            continue
        try:
            kind, data = objects.read(entry.oid)
            label, values, _ = decode_clocked(data, path)
            if kind != "blob" or f"{safe_file(label)}.yaml" != entry.name:
                problems.append(f"{path}: is about another model, {label[:60]!r}")
                continue
        except NotFound:
            problems.append(f"{path}: is not here")
            continue
        except RecordError as error:
            problems.append(str(error))
            continue
        found[label] = values
    return found, problems


def read_model(objects: Objects, ledger: str, name: str) -> dict[str, Any]:
    """Return what the ledger commit *ledger* says about the model *name*; nothing where that does not decode."""
    path = f"{FOLDER}/{safe_file(name)}.yaml"
    try:
        entry = objects.find(ledger, path)
        label, values, _ = decode_clocked(objects.read(entry.oid)[1], path) if entry is not None else ("", {}, {})
    except LedgitError:
        return {}
    return values if label == name else {}


def edit_model(
    repo: Repo, folder: Folder, name: str, values: Mapping[str, Any], when: int | None = None
) -> dict[str, Any]:
    """Set *values* (None removes a key) of a model's record, as one commit of the clone's ledger.

    Args:
        repo: The repository.
        folder: Ledgit's folder, for this clone's id.
        name: The model's name; it need not have versions.
        values: Keys as above; any scalar.
        when: Milliseconds since the epoch; now if None.

    Returns:
        All values now.

    Raises:
        InvalidName: It can't be a model's name.
        RecordError: What the ledger has about it does not decode.
        RefMoved: Others moved the ledger at the same moment, again and again.
    """
    check_model_name(name)
    for attempt in range(_ATTEMPTS):
        try:
            return _edit_once(repo, folder, name, values, now_ms() if when is None else when)
        except RefMoved:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _edit_once(repo: Repo, folder: Folder, name: str, values: Mapping[str, Any], now: int) -> dict[str, Any]:
    from ledgit.git import FILE, Objects, ObjectSet, edit_tree, identity, read_ref
    from ledgit.store.ledger import LedgerLock, check_writable, commit_ledger, move_ledger, union_trees

    path = f"{FOLDER}/{safe_file(name)}.yaml"
    objects = Objects.of(repo)
    with LedgerLock(folder):
        tip = read_ref(repo, LEDGER_REF)
        entry = objects.find(tip, path) if tip else None
        said: dict[str, Any] = {}
        clocks: dict[str, tuple[int, str]] = {}
        if entry is not None:
            label, said, clocks = decode_clocked(objects.read(entry.oid)[1], path)
            if label != name:
                raise RecordError(path, f"is about another model, {label[:60]!r}")
        if "created" not in clocks:
            values = {"created": now, **values}
        counter = 1 + max((clock[0] for clock in clocks.values()), default=0)
        changed = False
        for key, value in values.items():
            if value is None and key not in said:
                continue
            if value is not None and said.get(key) == value and type(said.get(key)) is type(value):
                continue
            if value is None:
                del said[key]
            else:
                said[key] = value
            clocks[key] = (counter, folder.clone_id)
            changed = True
        if not changed:
            return said
        fresh = ObjectSet()
        base = objects.commit(tip).tree if tip else union_trees(objects, fresh, None, None).tree
        check_writable(objects, base, fresh)
        tree = edit_tree(objects, fresh, base, {path: (FILE, fresh.blob(encode_clocked(name, said, clocks)))})
        who, email = identity(repo)
        shown = ", ".join(sorted(key for key in values if key != "created")) or "created"
        commit = commit_ledger(
            objects,
            fresh,
            tree,
            tip,
            (),
            who=(who or "ledgit", email),
            when=now // 1000,
            subject=f"model {name}: {shown}",
        )
        move_ledger(repo, folder, fresh, commit, tip)
    return said
