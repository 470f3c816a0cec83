"""The registry as it is here: tags and records, read, folded, and kept as long as nothing changes.

A tag object never changes, so what was decoded is kept in ``registry.json`` of Ledgit's folder
(disposable), and only tags that are new are read. Nothing at all is read while neither ``refs/tags``
nor the ledger has changed.
"""

from __future__ import annotations

import os

from ledgit.errors import InvalidValue, ModelNotFound, VersionNotFound
from ledgit.records.registry_names import Semver, slug_of
from ledgit.records.registry_state import Event, ModelVersion, RegisteredModel, fold
from ledgit.records.values import Values
from ledgit.store.ledger import LEDGER_REF
from ledgit.store.registry.events import Row, event_of, row_of
from ledgit.store.registry.kept import load_kept, look_back, save_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from ledgit.git import Repo
    from ledgit.store.folder import Folder

__all__ = ["Problem", "RegistryState", "read_registry", "registry_tags"]

TAGS = "refs/tags/"
_MOST_KNOWN = 4  # repositories whose registry stays in memory


class Problem(Values):
    """Something in the registry that is not as it should be.

    Attributes:
        name: The tag, version (``churn@v1.2.0``), model, or file of the ledger.
        what: The sentence that goes on from there.
    """

    __slots__ = ("name", "what")

    def __init__(self, name: str, what: str) -> None:
        self.name, self.what = name, what

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


class RegistryState:
    """All models, as of one moment. What others see too: don't change it.

    Attributes:
        models: Name → model, in alphabetical order. Deleted and deprecated ones are among them.
        events: All that was done, in no order.
        problems: What is wrong, in the order of names.
        records: Model → what its record says.
    """

    __slots__ = ("events", "models", "problems", "records", "refs")

    def __init__(
        self,
        events: list[Event],
        records: Mapping[str, Mapping[str, Any]],
        refs: Mapping[str, str] | None = None,
        problems: Iterable[Problem] = (),
    ) -> None:
        self.events, self.records = events, records
        self.refs: Mapping[str, str] = refs or {}
        self.models = fold(events, records)
        self.problems = sorted([*problems, *_problems(self)], key=lambda one: one.name)

    def at(self, time: int) -> RegistryState:
        """Return the registry as it was at *time* (ms since the epoch), by the dates of its tags.

        What people wrote about models has no history here and is as it is now.
        """
        return RegistryState([event for event in self.events if event.time * 1000 <= time], self.records)

    def find(self, name: str) -> RegisteredModel:
        """Return the model *name*: as it was given, or as it stands in tags.

        Raises:
            ModelNotFound: There is none, with the names that are like it.
        """
        found = self.models.get(name)
        if found is None:
            found = next((model for model in self.models.values() if model.slug == name and model.events), None)
        if found is None:
            from difflib import get_close_matches

            raise ModelNotFound(name, near=get_close_matches(name, self.models, 3))
        return found

    def version(self, name: str, selector: str, *, deregistered: bool = False) -> ModelVersion:
        """Return one version of the model *name*.

        Args:
            name: The model.
            selector: ``v1.2.0`` or ``1.2.0``; ``3``, the number; ``latest``, registered last; ``greatest``, by
                semantic versioning; ``@prod``, where the stage stands.
            deregistered: Also one that was deregistered, if it is named by version or number.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotFound: It has no such version, or none at this stage.
        """
        model = self.find(name)
        found = _select(model, selector)
        if found is None or (found.deregistered is not None and not deregistered):
            known = [f"@{stage}" for stage in model.stages] if selector.startswith("@") else []
            raise VersionNotFound(name, selector, known or [one.version for one in reversed(model.active)])
        return found


def _select(model: RegisteredModel, selector: str) -> ModelVersion | None:
    if selector.startswith("@"):
        return model.stages.get(selector[1:])
    if selector == "latest":
        return model.latest
    if selector == "greatest":
        return model.greatest
    if selector.isascii() and selector.isdigit() and len(selector) < 16:
        return model.by_number(int(selector))
    try:
        return model.versions.get(str(Semver.parse(selector)))
    except InvalidValue:
        return None


def _problems(state: RegistryState) -> list[Problem]:
    found = []
    for model in state.models.values():
        found += [Problem(model.name, what) for what in model.problems]
        found += [Problem(event.tag, event.problem) for event in model.events if event.problem]
        found += [
            Problem(f"{slug_of(model.name)}@{version.version}", version.problem)
            for version in model.versions.values()
            if version.problem and version.problem != version.event.problem
        ]
    return found


_known: dict[str, tuple[object, str | None, RegistryState]] = {}


def read_registry(repo: Repo, folder: Folder) -> RegistryState:
    """Return all models, versions and stages of the repository.

    Tags that anybody made by hand or with GTO are read as well. Nothing is written but what was
    decoded, for the next time, into Ledgit's folder; where that can't be written, it is read again.
    """
    from ledgit.git import read_ref, stamp

    look_back(repo, folder)
    mark, ledger = stamp(repo, TAGS), read_ref(repo, LEDGER_REF)
    if mark is not None:
        known = _known.get(repo.common_dir)
        if known is not None and known[0] == mark and known[1] == ledger:
            return known[2]
    state = _read(repo, folder, mark, ledger)
    if mark is not None:
        while len(_known) >= _MOST_KNOWN and repo.common_dir not in _known:
            _known.pop(next(iter(_known)))
        _known[repo.common_dir] = (mark, ledger, state)
    return state


def registry_tags(repo: Repo) -> dict[str, str]:
    """Return the tags that may be the registry's: name → what the ref names. Releases are left out."""
    from ledgit.git import list_refs

    cut = len(TAGS)
    refs = list_refs(repo, TAGS)
    return {name[cut:]: oid for name, oid in refs.items() if ("@" in name or "#" in name) and name.isascii()}


def _read(repo: Repo, folder: Folder, mark: tuple[object, ...] | None, ledger: str | None) -> RegistryState:
    # Some 100,000 objects come to be here and nearly all stay: looking through them for circles again and again would
    # be a third of the time.
    import gc

    paused = gc.isenabled()
    gc.disable()
    try:
        return _read_all(repo, folder, mark, ledger)
    finally:
        if paused:
            gc.enable()


def _read_all(repo: Repo, folder: Folder, mark: tuple[object, ...] | None, ledger: str | None) -> RegistryState:
    path = os.path.join(folder.path, "registry.json")
    seen = None if mark is None else repr(mark)
    kept = load_kept(path)
    fresh = kept is None or seen is None or kept.mark != seen
    rows: list[Row] = [] if kept is None else kept.rows
    if fresh:
        rows = _read_tags(repo, registry_tags(repo), {(row[0], row[1]): row for row in rows})
    if kept is None or kept.ledger != (ledger or ""):
        from ledgit.git import Objects
        from ledgit.store.registry.described import read_models

        records, wrong = read_models(Objects.of(repo), ledger)
        fresh = True
    else:
        records, wrong = kept.records, kept.wrong
    if fresh:
        save_kept(path, seen or "", ledger or "", rows, records, wrong)
    problems = [Problem(text.partition(":")[0], text.partition(": ")[2] or text) for text in wrong]
    problems += [Problem(row[0], row[2]) for row in rows if len(row) == 3 and row[2]]
    events = [event_of(row) for row in rows if len(row) > 3]
    return RegistryState(events, records, {row[0]: row[1] for row in rows}, problems)


def _read_tags(repo: Repo, refs: Mapping[str, str], known: Mapping[tuple[str, str], Row]) -> list[Row]:
    """Return a row for each of *refs*; one that is no tag of the registry's has nothing but its name and object."""
    rows: dict[str, Row] = {}
    todo: list[tuple[str, str]] = []
    for item in refs.items():
        row = known.get(item)
        if row is None or (len(row) == 3 and row[2] == "its object is not here"):
            todo.append(item)
        else:
            rows[item[0]] = row
    if todo:
        from ledgit.git import BatchReader

        with BatchReader(repo) as reader:
            reader.work_ahead()
            answers = reader.read_many((oid for _, oid in todo), most=_LARGEST)
            for (tag, oid), answer in zip(todo, answers, strict=True):
                kind, data = (None, b"") if answer is None else (answer[1], answer[2])
                if answer is not None and not data and kind == "tag":
                    rows[tag] = [tag, oid, f"it has {reader.size:,} bytes, which is more than any tag needs"]
                    continue
                rows[tag] = row_of(tag, oid, kind, data) or [tag, oid, ""]
    return [rows[tag] for tag in sorted(rows)]


_LARGEST = 1 << 20  # bytes of a tag object that is read
