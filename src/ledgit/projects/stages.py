"""What a ``dvc repro`` in a run did: read from ``dvc.lock`` before and after, without DVC.

DVC writes of each stage that succeeded what went in and what came out. Of those that belong to the run, the data they
began with become its inputs, and the params and metrics they declare its own. They belong to it if they ran, or if
the command was ``dvc repro`` and found them up to date; stages that something of it was made by belong to it, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ledgit.errors import LedgitError
from ledgit.projects.dvc_words import Repro, repro_of
from ledgit.projects.flatten import flatten
from ledgit.records.inputs import InputRecord
from ledgit.records.scalars import Scalar
from ledgit.records.values import Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.store.runlog import RunLog

__all__ = ["StageFacts", "Stages", "before", "record_stages"]

_LARGEST_LOCK = 16 << 20
_LARGEST_METRICS = 1 << 20
_MOST_FOLDERS = 5_000
_CODE = (".py", ".pyx", ".sh", ".bash", ".r", ".R", ".jl", ".ipynb", ".lua", ".pl", ".js", ".rb", ".sql")
_SKIPPED = frozenset((".git", ".dvc", ".venv", "venv", "node_modules", "__pycache__", ".tox"))


class StageFacts(Values):
    """What the stages of a run say.

    Attributes:
        inputs: What they began with and none of them made, with DVC's hash; programs are code and no data.
        params: The params that they declare, with the values they ran with; another value of the same name in another
            file is named ``FILE:NAME``.
        metrics: The numbers in the metrics files that they declare; one that several files have is named after its
            file, too (``eval/us.accuracy``).
        lock: The ``dvc.lock`` files: path below DVC's root, and where it is.
        ran: Stages that DVC wrote anew, as ``NAME`` or ``PATH/dvc.yaml:NAME``.
        kept: Those that were up to date.
    """

    __slots__ = ("inputs", "kept", "lock", "metrics", "params", "ran")

    def __init__(self) -> None:
        self.inputs: tuple[InputRecord, ...] = ()
        self.params: dict[str, Scalar] = {}
        self.metrics: dict[str, float] = {}
        self.lock: dict[str, str] = {}
        self.ran: tuple[str, ...] = ()
        self.kept: tuple[str, ...] = ()


def before(folder: str, command: Sequence[str] = (), top: str | None = None) -> Stages | None:
    """Look at the stages before a command runs; None where no DVC project is.

    Args:
        folder: Where it will run.
        command: Program and arguments, to see whether it is ``dvc repro``.
        top: Top of the Git work tree, which sources of inputs are relative to; DVC's root by default.
    """
    from ledgit.tracking.data_dvc import dvc_root

    folder = os.path.abspath(folder)
    root = dvc_root(folder)
    return None if root is None else Stages(folder, root, top or root, repro_of(command))


class Stages:
    """The stages of a DVC project as they are before a command runs."""

    def __init__(self, folder: str, root: str, top: str, repro: Repro | None) -> None:
        self._folder = folder if repro is None else os.path.normpath(os.path.join(folder, repro.folder))
        self._began, self._root, self._top, self._repro = folder, root, top, repro
        self._before = {path: _read(path, _LARGEST_LOCK) for path in self._locks()}

    def after(self, *, succeeded: bool = True) -> StageFacts:
        """Return what the command did; nothing if none of the stages have to do with it.

        Args:
            succeeded: Whether the command did. After a failure only what ran counts: the rest may be out of date.
        """
        facts = StageFacts()
        contents = {path: _read(path, _LARGEST_LOCK) for path in self._locks()}
        if self._repro is None and all(data == self._before.get(path) for path, data in contents.items()):
            return facts
        stages = [stage for path, data in contents.items() for stage in _stages(path, data)]
        old = {(path, name): entry for path, data in self._before.items() for name, entry in _entries(path, data)}
        ran = {stage for stage in stages if old.get((stage.lock, stage.name)) != stage.entry}
        chosen = ran if self._repro is None or not succeeded else {*ran, *self._asked_for(stages, self._repro)}
        mine = _with_upstream(stages, chosen)
        if not mine:
            return facts
        facts.lock = {self._relative(path): path for path in sorted({stage.lock for stage in mine})}
        facts.ran = tuple(self._label(stage) for stage in mine if stage in ran)
        facts.kept = tuple(self._label(stage) for stage in mine if stage not in ran)
        facts.inputs = tuple(self._inputs(mine))
        facts.params = _params(mine)
        facts.metrics = self._metrics(mine)
        return facts

    def _locks(self) -> list[str]:
        """Return the ``dvc.lock`` files; all of the project's if the command is DVC's, else the two nearest."""
        near = [os.path.join(folder, "dvc.lock") for folder in dict.fromkeys((self._folder, self._root))]
        if self._repro is None:
            return [path for path in near if os.path.isfile(path)]
        found = []
        for number, (here, folders, names) in enumerate(os.walk(self._root)):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED)
            if "dvc.lock" in names:
                found.append(os.path.join(here, "dvc.lock"))
            if number >= _MOST_FOLDERS:
                break
        return list(dict.fromkeys([*found, *(path for path in near if os.path.isfile(path))]))

    def _asked_for(self, stages: Sequence[_Stage], repro: Repro) -> list[_Stage]:
        here = [stage for stage in stages if repro.everything or os.path.dirname(stage.lock) == self._folder]
        if not repro.targets:
            return here
        # A target that is no stage's name (a .dvc file, a glob) is not looked up.
        return [stage for stage in stages if any(self._is_target(stage, target) for target in repro.targets)]

    def _is_target(self, stage: _Stage, target: str) -> bool:
        file, colon, name = target.rpartition(":")
        folder = os.path.dirname(os.path.join(self._folder, file)) if colon and file else self._folder
        if not colon and os.path.basename(target) in ("dvc.yaml", "dvc.lock"):
            return os.path.dirname(stage.lock) == os.path.normpath(os.path.join(self._folder, os.path.dirname(target)))
        if os.path.dirname(stage.lock) != os.path.normpath(folder):
            return os.path.normpath(os.path.join(self._folder, target)) in stage.outs
        names = (stage.name, stage.name.partition("@")[0])
        return name in names or os.path.normpath(os.path.join(self._folder, target)) in stage.outs

    def _relative(self, path: str, base: str = "") -> str:
        return os.path.relpath(path, base or self._root).replace(os.sep, "/")

    def _label(self, stage: _Stage) -> str:
        folder = os.path.dirname(stage.lock)
        return stage.name if folder == self._folder else f"{self._relative(folder)}/dvc.yaml:{stage.name}"

    def _inputs(self, mine: Sequence[_Stage]) -> Iterator[InputRecord]:
        made = {out for stage in mine for out in stage.outs}
        seen: set[tuple[str, str]] = set()
        for stage in mine:
            for item in _items(stage.entry.get("deps")):
                path = item.get("path")
                if not isinstance(path, str) or path.endswith(_CODE):
                    continue
                place = path if "://" in path else os.path.normpath(os.path.join(stage.folder, path))
                if place in made or any(
                    place.startswith(out + os.sep) or out.startswith(place + os.sep) for out in made
                ):
                    continue
                record = self._input(place, item)
                if (record.name, record.digest) not in seen:
                    seen.add((record.name, record.digest))
                    yield record

    def _input(self, place: str, item: Mapping[str, Any]) -> InputRecord:
        digest = next((str(item[key]) for key in ("md5", "etag", "checksum") if item.get(key)), "")
        kind = "" if "md5" not in item else "md5" if item.get("hash") == "md5" else "md5-dos2unix"
        if "://" in place:
            return InputRecord(place, digest, place.partition("://")[0], place, kind=kind)
        name = self._relative(place)
        pointer = f"{place}.dvc"
        if os.path.isfile(pointer):
            import json

            facts = {"path": self._relative(place, self._top), "pointer": self._relative(pointer, self._top)}
            return InputRecord(name, digest, "dvc", json.dumps({**facts, "md5": digest}), kind=kind)
        return InputRecord(name, digest, "local", self._relative(place, self._began), kind=kind)

    def _metrics(self, mine: Sequence[_Stage]) -> dict[str, float]:
        values: list[tuple[str, str, float]] = []
        counts: dict[str, int] = {}
        for path in dict.fromkeys(path for stage in mine for path in stage.metrics_files()):
            for name, value in _numbers(path):
                values.append((path, name, value))
                counts[name] = counts.get(name, 0) + 1
        found: dict[str, float] = {}
        for path, name, value in values:
            stem = os.path.splitext(self._relative(path))[0]
            found[name if counts[name] == 1 else f"{stem}.{name}"] = value
        return found


def record_stages(run: RunLog, facts: StageFacts) -> None:
    """Log *facts* to *run*: what it has already, logged by the command itself, stays as it is."""
    if not facts.lock:
        return
    state = run.read()
    known = {key for kind, data in state.events if kind == "params" for key in data["values"]}
    for name, value in facts.params.items():
        if name not in known:
            _try(run, lambda name=name, value=value: run.log_params({name: value}))
    for name, number in facts.metrics.items():
        if name not in state.histories:
            _try(run, lambda name=name, number=number: run.log_batch([(name, number, 0, None)]))
    for record in facts.inputs:
        run.log_input(record)
    for path, place in facts.lock.items():
        _try(run, lambda path=path, place=place: run.add_artifact(place, path))


def _try(run: RunLog, log: Any) -> None:
    """A name that can't be stored is said, and the rest is recorded."""
    try:
        log()
    except LedgitError as error:
        run.note_problem(str(error))


class _Stage:
    """A stage of a ``dvc.lock``: its name there, what stands there, and where it works."""

    def __init__(self, lock: str, name: str, entry: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
        self.lock, self.name, self.entry = lock, name, entry
        self._declared = declared
        stage = _mapping(_mapping(declared.get("stages")).get(name.partition("@")[0]))
        # foreach has the stage below "do", matrix beside it.
        self._stage = _mapping(stage.get("do")) or stage
        wdir = self._stage.get("wdir")
        inner = wdir if isinstance(wdir, str) and "${" not in wdir else "."
        self.folder = os.path.normpath(os.path.join(os.path.dirname(lock), inner))
        self.outs = self._paths("outs")
        self.deps = self._paths("deps")

    def _paths(self, kind: str) -> list[str]:
        paths = (item.get("path") for item in _items(self.entry.get(kind)))
        return [os.path.normpath(os.path.join(self.folder, path)) for path in paths if isinstance(path, str)]

    def metrics_files(self) -> Iterator[str]:
        """Yield the files that it made and that ``dvc.yaml`` calls metrics, of the stage or of the whole file."""
        listed = self._stage.get("metrics")
        for text in _names(listed):
            yield from (out for out in self.outs if _matches(text, os.path.relpath(out, self.folder)))
        here = os.path.dirname(self.lock)
        for text in _names(self._declared.get("metrics")):
            path = os.path.normpath(os.path.join(here, text))
            for out in self.outs:
                if _matches(text, os.path.relpath(out, here)):
                    yield out
                elif path.startswith(out + os.sep):
                    yield path


def _with_upstream(stages: Sequence[_Stage], chosen: Iterable[_Stage]) -> list[_Stage]:
    """Return *chosen* and the stages that made what they used, and so on, in the order of *stages*."""
    makers = {out: stage for stage in stages for out in stage.outs}
    found: set[_Stage] = set()
    wanted = list(chosen)
    while wanted:
        stage = wanted.pop()
        if stage not in found:
            found.add(stage)
            wanted += [maker for dep in stage.deps for maker in _makers(dep, makers)]
    return [stage for stage in stages if stage in found]


def _makers(dep: str, makers: Mapping[str, _Stage]) -> Iterator[_Stage]:
    """Yield the stages that made *dep*: it is an output, lies in one, or has some in it."""
    if dep in makers:
        yield makers[dep]
        return
    for out, maker in makers.items():
        if dep.startswith(out + os.sep) or out.startswith(dep + os.sep):
            yield maker


def _params(mine: Sequence[_Stage]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for stage in mine:
        for file, values in _mapping(stage.entry.get("params")).items():
            for name, value in flatten(_mapping(values)):
                key = name if name not in found or found[name] == value else f"{file}:{name}"
                if key not in found or found[key] == value:
                    found[key] = value
                else:
                    found.setdefault(f"{stage.name}:{name}", value)
    return found


def _stages(lock: str, data: bytes | None) -> list[_Stage]:
    declared = _mapping(_document(_read(os.path.join(os.path.dirname(lock), "dvc.yaml"), _LARGEST_LOCK), lock))
    return [_Stage(lock, name, entry, declared) for name, entry in _entries(lock, data)]


def _entries(lock: str, data: bytes | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    document = _mapping(_document(data, lock))
    listed = document.get("stages") if "schema" in document else document
    return ((name, _mapping(entry)) for name, entry in _mapping(listed).items())


def _numbers(path: str) -> Iterator[tuple[str, float]]:
    data = _read(path, _LARGEST_METRICS)
    document = _document(data, path) if not path.endswith(".toml") else _toml(data)
    for name, value in flatten(_mapping(document)):
        if isinstance(value, str):
            # YAML's 1e-3 is text to a reader of version 1.1, and a number to DVC's.
            try:
                value = float(value)
            except ValueError:
                continue
        if value is not None and not isinstance(value, bool):
            yield name, float(value)


def _toml(data: bytes | None) -> Any:
    import tomllib

    try:
        return tomllib.loads((data or b"").decode())
    except ValueError:
        return None


def _document(data: bytes | None, where: str) -> Any:
    if data is None:
        return None
    from ledgit.records.documents import load_document

    try:
        return load_document(data, where)
    except LedgitError:
        return None


def _read(path: str, limit: int) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    return None if len(data) > limit else data


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(listed: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in listed if isinstance(item, dict)) if isinstance(listed, list) else iter(())


def _names(listed: Any) -> Iterator[str]:
    """Yield the paths of a list of outputs: plain, or with settings (``- metrics.json: {cache: false}``)."""
    for item in listed if isinstance(listed, list) else [listed] if isinstance(listed, str) else ():
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            yield from (key for key in item if isinstance(key, str))


def _matches(template: str, path: str) -> bool:
    """Say whether *path* is what *template* names; ``${item}`` stands for anything."""
    import re

    if "${" not in template:
        return os.path.normpath(template) == os.path.normpath(path)
    parts = re.split(r"\$\{[^}]*\}", os.path.normpath(template).replace(os.sep, "/"))
    return re.fullmatch(".+".join(map(re.escape, parts)), path.replace(os.sep, "/")) is not None
