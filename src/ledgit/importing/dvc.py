"""Experiments of DVC (``refs/exps/…``) and folders of DVCLive, read without DVC.

A commit's params, metrics and plots are the files that its ``dvc.yaml`` and ``dvc.lock`` name, and DVCLive's own.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import posixpath
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ledgit.errors import LedgitError, UsageError
from ledgit.importing.flattening import as_number, flatten, keep_params
from ledgit.importing.found import FoundExperiment, FoundRun, Source
from ledgit.importing.making import walk

if TYPE_CHECKING:
    from ledgit.git import Objects

__all__ = ["DvcSource", "LiveSource", "open_dvc"]

_REF = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)$")
_LARGEST = 16 << 20
_DEEPEST = 32
_LIVE = ("metrics.json", "params.yaml", "plots")
_MD5 = re.compile(r"[0-9a-f]{32}$")


def open_dvc(path: str, experiment: str | None = None) -> Source:
    """Open a repository with experiments, or a folder of DVCLive's.

    Raises:
        UsageError: It is neither.
    """
    folders = _live_folders(path)
    if folders:
        return LiveSource(folders, experiment or os.path.basename(os.path.abspath(path)))
    return DvcSource(path, experiment)


def _live_folders(path: str) -> list[str]:
    if _is_live(path):
        return [path]
    if os.path.exists(os.path.join(path, ".git")) or not os.path.isdir(path):
        return []
    inside = [os.path.join(path, name) for name in sorted(os.listdir(path))]
    return [one for one in inside if not os.path.islink(one) and _is_live(one)]


def _is_live(path: str) -> bool:
    return os.path.isfile(os.path.join(path, "metrics.json")) and any(
        os.path.exists(os.path.join(path, name)) for name in _LIVE[1:]
    )


class LiveSource(Source):
    """Folders that DVCLive wrote: a run each."""

    def __init__(self, folders: list[str], experiment: str) -> None:
        self._folders, self._experiment = folders, experiment or "dvclive"

    def experiments(self) -> list[FoundExperiment]:
        """Return the one experiment."""
        return [FoundExperiment("", self._experiment)]

    def count(self) -> int:
        """Return how many there are."""
        return len(self._folders)

    def runs(self) -> Iterator[FoundRun]:
        """Yield a run a folder; its id is what is in it, so that a folder that was moved is the same run."""
        for folder in self._folders:
            files = dict(walk(folder))
            small = {path: _read(source) for path, source in files.items() if os.path.getsize(source) <= _LARGEST}
            digest = sha256(b"dvclive\0")
            for path in sorted(small):
                digest.update(path.encode("utf-8", "surrogateescape") + b"\0" + small[path] + b"\0")
            run = FoundRun(digest.hexdigest()[:32], self._experiment, os.path.basename(os.path.abspath(folder)))
            times = [os.path.getmtime(source) for source in files.values()]
            run.start, run.end = round(min(times) * 1000), round(max(times) * 1000)
            _live(run, small)
            for path, source in files.items():
                run.more[f"dvclive/{path}"] = source
            yield run


def _live(run: FoundRun, files: dict[str, bytes]) -> None:
    """Take a DVCLive folder's params, histories and last values."""
    values = flatten(_parsed("params.yaml", files.get("params.yaml", b"")))
    text, typed = keep_params(values)
    run.params.update(text)
    run.typed.update(typed)
    for path, data in files.items():
        if path.startswith("plots/metrics/") and path.endswith(".tsv"):
            _series(run, path.removeprefix("plots/metrics/").removesuffix(".tsv"), data)
    for name, value in flatten(_parsed("metrics.json", files.get("metrics.json", b"")), "/").items():
        number = as_number(value)
        if number is not None and name != "step" and name not in run.points:
            run.points[name] = [(0, run.end or 0, number)]
    times = [when for rows in run.points.values() for _, when, _ in rows if when]
    if times:
        run.start, run.end = min(*times, run.start or times[0]), max(*times, run.end or 0)


def _series(run: FoundRun, name: str, data: bytes) -> None:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8", "replace")), delimiter="\t")
    key = posixpath.basename(name)
    try:
        for row in rows:
            value, step = row.get(key), row.get("step")
            if value is None or step is None:
                continue
            try:
                when = float(row.get("timestamp") or 0)
                point = (int(step), int(when) if math.isfinite(when) else 0, float(value))
            except ValueError:  # a line that was torn
                continue
            run.points.setdefault(name, []).append(point)
    except csv.Error:
        return


class DvcSource(Source):
    """The experiments of a Git repository with DVC.

    Args:
        path: The repository, or a folder in it.
        experiment: Which experiment the runs belong to; None: the repository's name.

    Raises:
        UsageError: It has none.
    """

    def __init__(self, path: str, experiment: str | None = None) -> None:
        from ledgit.git import Objects, Repo, list_refs

        try:
            self._repo = Repo.discover(path)
        except LedgitError as error:
            raise UsageError(f"{path} is no folder of DVCLive's and no Git repository: {error}") from None
        refs = list_refs(self._repo, "refs/exps/")
        self._found = sorted(
            (match[3], oid) for name, oid in refs.items() if (match := _REF.match(name)) and not match[3].endswith("/")
        )
        if not self._found:
            raise UsageError(f"{path} has no experiments of DVC (refs/exps/…); 'dvc exp pull' gets those of a remote")
        self._objects = Objects(self._repo)
        top = self._repo.work_tree or self._repo.git_dir
        self._experiment = experiment or os.path.basename(os.path.abspath(top)) or "dvc"
        self._cache = os.path.join(top, ".dvc", "cache", "files", "md5")

    def close(self) -> None:
        """Close the object database."""
        self._objects.close()

    def experiments(self) -> list[FoundExperiment]:
        """Return the one experiment."""
        return [FoundExperiment("", self._experiment)]

    def count(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def left(self) -> list[str]:
        """Return what is not brought along."""
        from ledgit.git import read_ref

        return ["queued experiments"] if read_ref(self._repo, "refs/exps/stash") else []

    def runs(self) -> Iterator[FoundRun]:
        """Yield a run an experiment; its id begins as its commit's."""
        for name, oid in self._found:
            try:
                yield self._run(name, oid)
            except LedgitError as error:
                yield FoundRun(oid[:32], self._experiment, name, problem=str(error))

    def _run(self, name: str, oid: str) -> FoundRun:
        commit = self._objects.commit(oid)
        who, _, when, _ = commit.author
        run = FoundRun(oid[:32], self._experiment, name, start=when * 1000, end=commit.committer[2] * 1000, user=who)
        run.commit, run.tree = oid, commit.tree
        run.tags["dvc.experiment"] = name
        baseline = commit.parents[0] if commit.parents else ""
        if baseline:
            run.tags["dvc.baseline"] = baseline
        _Reading(run, _Tree(self._objects, oid, self._cache)).read()
        return run


class _Tree:
    """The files of one commit, and those of DVC's cache that its ``dvc.lock`` names."""

    def __init__(self, objects: Objects, commit: str, cache: str) -> None:
        self._objects, self._commit, self._cache = objects, commit, cache
        self.outs: dict[str, str] = {}

    def read(self, path: str) -> bytes | None:
        """Return a file; None where there is none here, or a huge one."""
        entry = self._objects.find(self._commit, path)
        if entry is None or entry.is_tree:
            md5 = self.outs.get(path, "")
            stored = os.path.join(self._cache, md5[:2], md5[2:])
            small = _MD5.match(md5) and os.path.isfile(stored) and os.path.getsize(stored) <= _LARGEST
            return _read(stored) if small else None
        if (self._objects.size(entry.oid) or 0) > _LARGEST:
            return None
        kind, data = self._objects.read(entry.oid)
        return data if kind == "blob" else None

    def below(self, folder: str) -> list[str]:
        """Return the paths of all files below a folder."""
        entry = self._objects.find(self._commit, folder)
        return self._walk(folder, entry.oid, 0) if entry is not None and entry.is_tree else []

    def _walk(self, folder: str, oid: str, depth: int) -> list[str]:
        found = []
        for entry in self._objects.tree(oid) if depth < _DEEPEST else ():
            path = f"{folder}/{entry.name}"
            found += self._walk(path, entry.oid, depth + 1) if entry.is_tree else [path]
        return found


class _Reading:
    """Reads one commit's files by what ``dvc.yaml`` and ``dvc.lock`` say."""

    def __init__(self, run: FoundRun, tree: _Tree) -> None:
        self.run, self._tree = run, tree
        self._seen: set[str] = set()

    def read(self) -> None:
        """Take all there is."""
        project = _mapping(self._yaml("dvc.yaml"))
        lock = _mapping(self._yaml("dvc.lock"))
        for stage in _mapping(lock.get("stages")).values():
            outs = _mapping(stage).get("outs")
            for out in map(_mapping, outs if isinstance(outs, list) else ()):
                self._tree.outs[str(out.get("path"))] = str(out.get("md5"))
        stages = [_mapping(one) for one in _mapping(project.get("stages")).values()]
        locked = [_mapping(one) for one in _mapping(lock.get("stages")).values()]
        params = {path for path, _ in _named(project.get("params"))}
        metrics = {path for path, _ in _named(project.get("metrics"))}
        plots = {path for path, _ in _named(project.get("plots"))}
        for stage in stages:
            metrics |= {path for path, _ in _named(stage.get("metrics"))}
            plots |= {path for path, _ in _named(stage.get("plots"))}
            params |= {path for path, about in _named(stage.get("params")) if about or "." in posixpath.basename(path)}
        self._params("params.yaml")
        for stage in locked:
            for path, values in _mapping(stage.get("params")).items():
                self._take(str(path), flatten(_mapping(values)))
        for path in sorted(params):
            self._params(path)
        for path in sorted(metrics):
            self._metrics(path)
        live = ["dvclive", *(posixpath.dirname(path) for path in metrics if posixpath.basename(path) == "metrics.json")]
        for folder in sorted({one for one in live if one}):
            self._live(folder)
        for path in sorted(plots):
            self._keep(path)

    def _yaml(self, path: str) -> Any:
        data = self._tree.read(path)
        return None if data is None else _parsed(path, data)

    def _params(self, path: str) -> None:
        if path.endswith((".yaml", ".yml", ".json", ".toml")):
            data = self._tree.read(path)
            self._take(path, flatten(_parsed(path, data)) if data is not None else {})

    def _take(self, path: str, values: dict[str, Any]) -> None:
        text, typed = keep_params(values)
        usual = posixpath.basename(path) == "params.yaml"
        for name in text:
            key = name if usual or self.run.params.get(name, text[name]) == text[name] else f"{path}:{name}"
            if key not in self.run.params:
                self.run.params[key], self.run.typed[key] = text[name], typed[name]

    def _metrics(self, path: str) -> None:
        data = self._tree.read(path)
        if data is None or path in self._seen:
            return
        self._seen.add(path)
        if _is_live_path(path):
            return  # with its histories, below
        for name, value in flatten(_parsed(path, data)).items():
            number = as_number(value)
            key = name if name not in self.run.points else f"{path}:{name}"
            if number is not None:
                self.run.points[key] = [(0, self.run.end or 0, number)]

    def _live(self, folder: str) -> None:
        files = {}
        for name in ("metrics.json", "params.yaml"):
            data = self._tree.read(f"{folder}/{name}")
            if data is not None:
                files[name] = data
        for path in self._tree.below(f"{folder}/plots/metrics"):
            data = self._tree.read(path)
            if data is not None:
                files[path.removeprefix(f"{folder}/")] = data
        _live(self.run, files)

    def _keep(self, path: str) -> None:
        data = self._tree.read(path)
        if data is not None:
            self.run.more[f"plots/{path}"] = data


def _is_live_path(path: str) -> bool:
    return posixpath.basename(path) == "metrics.json" and posixpath.dirname(path) != ""


def _named(value: Any) -> list[tuple[str, Any]]:
    """Return (path, what is said of it) of a list as ``dvc.yaml`` has them; a path that leaves the tree is none."""
    found: list[tuple[str, Any]] = []
    items = list(value.items()) if isinstance(value, dict) else value if isinstance(value, list) else []
    for item in items:
        if isinstance(item, str):
            found.append((item, None))
        elif isinstance(item, tuple):
            found.append((str(item[0]), item[1]))
        elif isinstance(item, dict):
            found += [(str(key), about or True) for key, about in item.items()]
    clean = [(posixpath.normpath(path), about) for path, about in found]
    return [(path, about) for path, about in clean if not path.startswith(("../", "/")) and path not in ("..", ".")]


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _parsed(path: str, data: bytes) -> Any:
    """Return what a file of params or metrics says; {} where it is damaged."""
    try:
        if path.endswith(".json"):
            return json.loads(data)
        if path.endswith(".toml"):
            import tomllib

            return tomllib.loads(data.decode("utf-8"))
        from ledgit.records import load_document

        return load_document(data, path)
    except (LedgitError, ValueError, RecursionError):
        return {}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
