"""From a journal to the record of a run: a pure function, so that a repeat gives the same commit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ledgit.errors import InvalidValue, LedgitError, RecordError
from ledgit.records.clock import Clock, Clocks
from ledgit.records.environment import Environment
from ledgit.records.history import union
from ledgit.records.inputs import InputRecord
from ledgit.records.record import RunRecord
from ledgit.records.run import CodeInfo, RunInfo
from ledgit.records.scalars import Scalar, from_json
from ledgit.store.journal import JournalState

__all__ = ["Built", "build_record", "has_artifacts", "lost_files", "message", "staged_files"]

_MOST_TOLD = 20  # params, and metrics, that a commit message names
_LONGEST_TOLD = 60  # characters of a param's value in it


class Built:
    """A record made from a journal, and what the commit needs besides."""

    __slots__ = (
        "added", "code_commit", "email", "problems", "record", "refused", "session", "status", "threshold", "tree",
        "user",
    )  # fmt: skip

    def __init__(self) -> None:
        self.record: RunRecord
        self.session = ""
        self.status = "KILLED"
        self.user = ""
        self.email = ""
        self.threshold = 256 * 1024
        self.code_commit: str | None = None
        self.tree: str | None = None
        self.added: list[str] = []  # params that a resumed session was the first to log
        self.refused: list[str] = []
        self.problems: list[str] = []


def build_record(state: JournalState, base: RunRecord | None) -> Built:
    """Fold the journal *state*, on top of *base* when the run is resumed, into a record.

    Raises:
        InvalidValue: It has no start.
        RecordError: It says something that no journal of ours does.
    """
    try:
        return _build(state, base)
    except LedgitError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        reason = f"says what this Ledgit can't read ({type(error).__name__}: {str(error)[:80]}); upgrade it"
        raise RecordError("a run's journal", reason) from error


def _build(state: JournalState, base: RunRecord | None) -> Built:
    built = Built()
    start = state.first("start")
    if start is None:
        raise InvalidValue("journal", "without a start", "a start record")
    built.session = str(start["session"])
    facts = state.latest("code") or {}
    patch = state.latest("patch")
    if patch is not None and facts.get("code"):
        facts = {**facts, "code": {**facts["code"], "patch_id": patch["patch_id"]}}
    command = state.first("command")
    if command is not None:
        start = {**start, "command": command["command"]}
    end = state.latest("end") or {}
    identity = str(facts.get("identity", "none"))
    built.user = str(facts.get("name", ""))
    built.email = str(facts.get("email", ""))
    built.threshold = int(facts.get("threshold", built.threshold))
    built.status = str(end.get("status", "KILLED"))
    # A clock that was set back must not make a run end before it began.
    finished = max(int(end.get("end", state.last)), int(start["start"]))
    info = _info(start, facts, identity, built)
    info = replace(info, status=built.status, end=finished)
    if base is not None:
        info = replace(base.info, status=built.status, end=max(finished, base.info.end or 0))
    code = info.code
    built.code_commit = code.commit if code else None
    built.tree = code.tree if code else None

    clone = str(start["clone"])
    tick = (1, clone) if base is None else base.clocks.next(clone)
    clocks = Clocks((1, clone), {}) if base is None else base.clocks.copy()
    fold = _Fold(info, base, clocks, tick)
    for kind, item in state.events:
        fold.apply(kind, item)
    histories = dict(base.histories) if base else {}
    metrics = dict(base.metrics) if base else {}
    for key, points in state.histories.items():
        histories[key] = union(histories[key], points) if key in histories else points.sorted_unique()
        metrics[key] = histories[key].latest()[0]
        fold.touch(f"metrics.{key}")
    fold.touch("status")
    fold.touch("end")
    env = state.latest("env")
    built.added = [key for key in fold.params if key not in base.params] if base else []
    built.refused = fold.refused
    notes = (str(item["text"]) for kind, item in state.events if kind == "note")
    built.problems = list(dict.fromkeys(_nameless(text, start, identity) for text in notes))
    built.record = RunRecord(
        info=fold.info,
        params=fold.params,
        metrics=metrics,
        histories=histories,
        tags=fold.tags,
        inputs=fold.inputs,
        environment=base.environment if base else _environment(env),
        artifacts=list(base.artifacts) if base else [],
        clocks=clocks,
        full=base.full if base else (),
    )
    return built


class _Fold:
    """The events of a journal, applied one by one."""

    def __init__(self, info: RunInfo, base: RunRecord | None, clocks: Clocks, clock: Clock) -> None:
        self.info = info
        self.params: dict[str, Scalar] = dict(base.params) if base else {}
        self.tags: dict[str, str] = dict(base.tags) if base else {}
        self.inputs: list[InputRecord] = list(base.inputs) if base else []
        self.refused: list[str] = []
        self._clocks = clocks
        self._clock = clock
        self._fresh = base is None

    def touch(self, key: str) -> None:
        """Give *key* the clock of this session; a fresh run's keys all have the default one."""
        if not self._fresh:
            self._clocks.set(key, self._clock)

    def apply(self, kind: str, item: dict[str, Any]) -> None:
        if kind == "params":
            for key, tagged in item["values"].items():
                value = from_json(tagged)
                if key not in self.params:
                    self.params[key] = value
                    self.touch(f"params.{key}")
                elif str(self.params[key]) != str(value):
                    self.refused.append(f"param {key}: {str(value)!r} came after {str(self.params[key])!r}")
        elif kind == "tags":
            for key, value in item["values"].items():
                self.tags[key] = str(value)
                self.touch(f"tags.{key}")
        elif kind == "untag":
            self.tags.pop(item["key"], None)
            # A removed tag keeps a clock even in a fresh run: the removal is what wins a join.
            self._clocks.set(f"tags.{item['key']}", self._clock)
        elif kind == "field":
            self.info = replace(self.info, **{item["field"]: item["value"]})
            self.touch(item["field"])
        elif kind == "input":
            record = InputRecord(**item["input"])
            if record not in self.inputs:
                self.inputs.append(record)


def _info(start: dict[str, Any], facts: dict[str, Any], identity: str, built: Built) -> RunInfo:
    code = facts.get("code")
    return RunInfo(
        id=str(start["id"]),
        name=str(start["name"]),
        experiment=str(start["experiment"]),
        status=built.status,
        start=int(start["start"]),
        end=None,
        user=built.user,
        host=str(start.get("host", "")) if identity == "full" else "",
        command=tuple(_nameless(str(word), start, identity) for word in start.get("command") or ()),
        entry_point=_nameless(str(start.get("entry_point", "")), start, identity),
        parent_run=start.get("parent_run"),
        source=_nameless(str(start.get("source", "")), start, identity),
        source_type=str(start.get("source_type", "LOCAL")),
        directory=str(start.get("directory", "")),
        code=_code(code, lambda text: _nameless(text, start, identity)) if code else CodeInfo(),
    )


def _nameless(text: str, start: dict[str, Any], identity: str) -> str:
    """Return *text* without the home folder where the user's name is not to be told: it is mostly in there."""
    home = str(start.get("home", "")).rstrip("/")
    if identity == "full" or home.count("/") < 2:  # "/root" names nobody
        return text
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)


def _code(facts: dict[str, Any], nameless: Callable[[str], str]) -> CodeInfo:
    return CodeInfo(
        commit=facts["commit"],
        tree=facts["tree"],
        branch=facts.get("branch"),
        upstream=facts.get("upstream"),
        dirty=bool(facts["dirty"]),
        patch_id=facts.get("patch_id"),
        subtrees=facts.get("subtrees") or {},
        state=facts.get("operation") or "",
        submodules=facts.get("submodules") or {},
        left_out=tuple((path, size, nameless(reason)) for path, size, reason in facts.get("left_out") or ()),
    )


def _environment(event: dict[str, Any] | None) -> Environment | None:
    if event is None:
        return None
    return Environment(**{**event["env"], "gpus": tuple(event["env"]["gpus"])})


def has_artifacts(state: JournalState) -> bool:
    """Whether anything was logged that is not in the journal itself."""
    return any(kind in ("file", "bundle", "object", "tree") for kind, _ in state.events)


def staged_files(state: JournalState, directory: str) -> dict[str, str]:
    """Return artifact path → staged file; the last one logged under a path wins."""
    return {item["path"]: os.path.join(directory, item["file"]) for kind, item in state.events if kind == "file"}


def lost_files(state: JournalState, staged: dict[str, str], directory: str) -> list[str]:
    """Say which of the *staged* files a power cut took or cut short."""
    sizes = {item["path"]: int(item["size"]) for kind, item in state.events if kind == "file"}
    bundles = [item for kind, item in state.events if kind == "bundle"]
    hashed = {str(item["file"]) for kind, item in state.events if kind == "hashed"}
    lost = []
    for path, source in sorted(staged.items()):
        if os.path.basename(source) in hashed:
            continue  # it is in the cache, or will be said to be gone from there
        try:
            size = os.path.getsize(source)
        except FileNotFoundError:
            lost.append(f"artifact {path} is lost")
            continue
        if size < sizes[path]:  # -1: it was still being written
            lost.append(f"of artifact {path} only {size} of {sizes[path]} bytes are left")
    for item in bundles:
        try:
            size = os.path.getsize(os.path.join(directory, item["file"]))
        except FileNotFoundError:
            size = 0
        lost += [f"artifact {path} is lost" for path, offset, length in item["members"] if offset + length > size]
    return lost


def message(built: Built, *, resumed: bool) -> str:
    """Return the commit message of a run: what ``git log`` should tell a person."""
    record = built.record
    info = record.info
    verb = "resume" if resumed else "run"
    lines = [f"{verb}: {info.name} ({info.experiment})", ""]
    shown = [f"param {key}={_short(str(record.params[key]))}" for key in built.added[:_MOST_TOLD]]
    shown += [f"{key} = {value:.6g}" for key, value in sorted(record.metrics.items())[:_MOST_TOLD]]
    lines.extend(shown)
    if shown:
        lines.append("")
    lines.extend(f"Refused: {text}" for text in built.refused)
    lines.extend("Problem: " + " ".join(text.split()) for text in built.problems)
    lines.append(f"Ledgit-Run: {info.id}")
    lines.append(f"Ledgit-Status: {info.status}")
    lines.append(f"Ledgit-Session: {built.session}")
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    """Return *text* on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TOLD else text[: _LONGEST_TOLD - 3] + "..."
