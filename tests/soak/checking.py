"""Is everything there that was acknowledged? ``python checking.py CLONE FOLDER`` prints what is not."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import ledgit
from ledgit.errors import LedgitError


def main(clone: str, folder: str) -> None:
    """Compare the runs of *clone* with what all programs were told."""
    told: dict[str, list[Any]] = defaultdict(list)
    for path in sorted(Path(folder).glob("*.acks")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                kind, run, *words = json.loads(line)
            except ValueError:
                continue
            told[run].append((kind, *words))
    repository = ledgit.open(clone)
    tombstones = repository.index.tombstones()
    for run_id, items in told.items():
        if ("purging",) in items and run_id in tombstones:
            continue
        try:
            run = repository.run(run_id)
            points = {(step, value) for step, _, value in run.history("loss")} if run.metrics else set()
            artifacts = {one.path: len(run.read_artifact(one.path)) for one in run.artifacts()}
        except LedgitError as error:
            print(f"{run_id}: {error}")
            continue
        if run.status == "RUNNING":
            print(f"{run_id}: still runs")
        for kind, *words in items:
            there = {
                "metric": lambda words=words, points=points: (words[1], words[2]) in points,
                "param": lambda words=words, run=run: run.params.get(words[0]) == words[1],
                "tag": lambda words=words, run=run: run.tags.get(words[0]) == words[1],
                "artifact": lambda words=words, artifacts=artifacts: artifacts.get(words[0]) == words[1],
                "end": lambda run=run: run.status == "FINISHED",
            }.get(kind)
            if there is not None and not there():
                print(f"{run_id}: {kind} {words} is not there")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
