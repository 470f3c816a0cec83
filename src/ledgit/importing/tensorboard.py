"""TensorBoard's event files: scalars, hyperparameters, texts and images; the files themselves come along too."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from ledgit.errors import UsageError
from ledgit.importing.flattening import keep_params
from ledgit.importing.found import FoundExperiment, FoundRun, Source
from ledgit.importing.wire import Message, event_records, unpack_doubles, unpack_floats

__all__ = ["TensorboardSource"]

_FILE = "tfevents"
# torch's add_hparams makes a folder named after the time, which belongs to the run above.
_OF_HPARAMS = re.compile(r"\d{9,}(?:\.\d+)?$")
_FIRST = re.compile(r"tfevents\.(\d{9,11})")
_MOST_PICTURES = 1_000
_SESSION_START, _SESSION_END = "_hparams_/session_start_info", "_hparams_/session_end_info"


class TensorboardSource(Source):
    """A folder with event files, at any depth: each folder that has some is a run, within the one above it.

    Args:
        path: The folder, or one file.
        experiment: Which experiment the runs belong to; None: the folder's name.

    Raises:
        UsageError: There is no event file.
    """

    def __init__(self, path: str, experiment: str | None = None) -> None:
        self._top = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
        self._folders = _folders(path)
        if not self._folders:
            raise UsageError(f"{path} has no event files of TensorBoard's (*{_FILE}*)")
        self._experiment = experiment or os.path.basename(self._top) or "tensorboard"
        self._others: dict[str, int] = {}
        self._ids = {folder: _run_id(folder, files[0]) for folder, files in self._folders.items()}

    def experiments(self) -> list[FoundExperiment]:
        """Return the one experiment."""
        return [FoundExperiment("", self._experiment)]

    def count(self) -> int:
        """Return how many runs there are."""
        return sum(1 for folder in self._folders if not self._belongs(folder))

    def left(self) -> list[str]:
        """Return what stays in the event files alone."""
        return []

    def runs(self) -> Iterator[FoundRun]:
        """Yield a run a folder."""
        for folder, files in self._folders.items():
            if self._belongs(folder):
                continue
            run = FoundRun(self._ids[folder], self._experiment, _name(self._top, folder))
            reading = _Reading(run)
            for file in files:
                reading.read(os.path.join(folder, file))
                run.more[f"tensorboard/{file}"] = os.path.join(folder, file)
            for inner in self._folders:
                if self._belongs(inner) == folder:
                    for file in self._folders[inner]:
                        reading.read(os.path.join(inner, file))
                        run.more[f"tensorboard/{os.path.basename(inner)}/{file}"] = os.path.join(inner, file)
            reading.finish()
            above = self._above(folder)
            if above:
                run.tags["mlflow.parentRunId"] = self._ids[above]
            yield run

    def _above(self, folder: str) -> str:
        while folder != self._top and os.path.dirname(folder) != folder:
            folder = os.path.dirname(folder)
            if folder in self._folders:
                return folder
        return ""

    def _belongs(self, folder: str) -> str:
        """Return the run whose hyperparameters are in *folder*; "" where it is a run of its own."""
        above = os.path.dirname(folder)
        return above if _OF_HPARAMS.match(os.path.basename(folder)) and above in self._folders else ""


def _folders(path: str) -> dict[str, list[str]]:
    if os.path.isfile(path):
        return {os.path.abspath(os.path.dirname(path) or "."): [os.path.basename(path)]}
    found = {}
    for here, folders, names in os.walk(os.path.abspath(path)):
        folders.sort()
        files = sorted(name for name in names if _FILE in name and not os.path.islink(os.path.join(here, name)))
        if files:
            found[here] = files
    return found


def _run_id(folder: str, first: str) -> str:
    """Return an id that stays the same when the folder is moved, and is another's for another file."""
    with open(os.path.join(folder, first), "rb") as file:
        beginning = file.read(256)
    return sha256(f"tensorboard\0{first}\0".encode("utf-8", "surrogateescape") + beginning).hexdigest()[:32]


def _name(top: str, folder: str) -> str:
    return os.path.basename(top) if folder == top else os.path.relpath(folder, top).replace(os.sep, "/")


class _Reading:
    """What the event files of one run say."""

    def __init__(self, run: FoundRun) -> None:
        self.run = run
        self._plugins: dict[str, str] = {}
        self._times: list[float] = []
        self._hparams: dict[str, Any] = {}
        self._status: int | None = None
        self._others: dict[str, set[str]] = {}
        self._pictures = 0

    def read(self, path: str) -> None:
        """Read one file, up to where it is whole."""
        with open(path, "rb") as file:
            for record in event_records(file):
                try:
                    self._event(Message(record))
                except ValueError:  # one event that is none; the next may be
                    continue

    def finish(self) -> None:
        """Say of the run what all its files say together."""
        run = self.run
        if self._times:
            run.start, run.end = round(min(self._times) * 1000), round(max(self._times) * 1000)
        run.params, run.typed = keep_params(self._hparams)
        run.status = {2: "FAILED"}.get(self._status or 0, "FINISHED")
        if self._others:
            kept = [f"{kind}: {', '.join(sorted(tags)[:20])}" for kind, tags in sorted(self._others.items())]
            run.tags["ledgit.import.in_event_files"] = "; ".join(kept)[:4000]

    def _event(self, event: Message) -> None:
        time, step = event.double(1), event.number(2)
        if time is not None and math.isfinite(time) and 0 < time < 253_402_300_799:
            self._times.append(time)
        else:
            time = 0.0
        for value in event.message(5).messages(1) if 5 in event else ():
            self._value(value, step, round(time * 1000))

    def _value(self, value: Message, step: int, when: int) -> None:
        tag, about = value.text(1), value.message(9)
        plugin = about.message(1).text(1) if 1 in about else ""
        plugin = self._plugins.setdefault(tag, plugin) or plugin
        number = value.double(2)
        if number is not None:
            self._point(tag, step, when, number)
        elif 4 in value:
            self._picture(tag, step, value.message(4).raw(4))
        elif tag in (_SESSION_START, _SESSION_END):
            self._session(about.message(1).message(2))
        elif plugin == "hparams":
            return
        elif 8 in value:
            self._tensor(tag, step, when, plugin, value.message(8))
        elif tag:
            self._others.setdefault("histograms" if 5 in value else "audio" if 6 in value else "other", set()).add(tag)

    def _tensor(self, tag: str, step: int, when: int, plugin: str, tensor: Message) -> None:
        texts = tensor.all(8)
        if plugin == "scalars":
            number = _number(tensor)
            if number is not None:
                self._point(tag, step, when, number)
                return
        if plugin == "text" and texts:
            self._keep("text", tag, step, "md", b"\n\n".join(texts) + b"\n")
        elif plugin == "images" and len(texts) > 2:  # width, height, pictures
            for picture in texts[2:]:
                self._picture(tag, step, picture)
        else:
            self._others.setdefault(plugin or "tensors", set()).add(tag)

    def _point(self, tag: str, step: int, when: int, number: float) -> None:
        self.run.points.setdefault(tag or "value", []).append((step, when, number))

    def _picture(self, tag: str, step: int, data: bytes) -> None:
        kinds = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif", b"RIFF": "webp"}
        ending = next((name for magic, name in kinds.items() if data.startswith(magic)), "")
        if ending and self._pictures < _MOST_PICTURES:
            self._pictures += 1
            self._keep("images", tag, step, ending, data)
        else:
            self._others.setdefault("images", set()).add(tag)

    def _keep(self, kind: str, tag: str, step: int, ending: str, data: bytes) -> None:
        """Put a file among the artifacts; a tag is text of anybody's, so of its path only plain names stay."""
        parts = [re.sub(r"[^\w.-]+", "_", part).strip(".")[:60] for part in tag.split("/")]
        place = "/".join([kind, *(part for part in parts if part)])
        path = f"{place}/{step}.{ending}"
        number = 2
        while path in self.run.more:
            path, number = f"{place}/{step}-{number}.{ending}", number + 1
        self.run.more[path] = data

    def _session(self, data: Message) -> None:
        if 3 in data:
            for pair in data.message(3).messages(1):
                value = _plain(pair.message(2))
                self._hparams[pair.text(1)] = value
        if 4 in data:
            self._status = data.message(4).number(1)


def _plain(value: Message) -> Any:
    """Return a ``google.protobuf.Value``: null, number, text or truth."""
    if 2 in value:
        number = value.double(2)
        return int(number) if number is not None and number.is_integer() and abs(number) < 1 << 53 else number
    if 3 in value:
        return value.text(3)
    return bool(value.number(4)) if 4 in value else None


def _number(tensor: Message) -> float | None:
    """Return the one number of a tensor, as writers of TensorFlow 2 and of torch's put it."""
    kind, content = tensor.number(1), tensor.raw(4)
    if kind == 1:
        numbers = unpack_floats(tensor.raw(5) or content)
    elif kind == 2:
        numbers = unpack_doubles(tensor.raw(6) or content)
    elif kind == 19 and len(content) == 2:  # half
        import struct

        numbers = [float(struct.unpack("<e", content)[0])]
    else:
        return None
    return numbers[0] if len(numbers) == 1 else None
