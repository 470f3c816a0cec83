"""What a sweep's coordinator does for a trial on a worker, for tests of workers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import ledgit
from ledgit.projects.executors.orders import Code, TrialOrder, code_of
from ledgit.records.words import new_run_id
from ledgit.repository import Repository
from ledgit.store import Facts, take_facts

TRAIN = """\
import os, sys, time
import ledgit

lr = float(sys.argv[1])
print("training", lr, flush=True)
with ledgit.start_run():
    for step in range(3):
        ledgit.log_metric("loss", lr / (step + 1), step=step)
"""


class Coordinator:
    """A repository with a sweep's run in it, and the orders for its trials."""

    def __init__(self, path: Path, address: str = "") -> None:
        self.repository: Repository = ledgit.open(path)
        self.facts: Facts = take_facts(self.repository.repo)
        assert self.facts.tree is not None
        self.code: Code = code_of(self.repository, self.facts.commit, self.facts.tree, address)
        self.parent = new_run_id()

    def order(self, number: int, **changes: Any) -> TrialOrder:
        """Return an order for ``train.py`` with a learning rate that the number says."""
        lr = (number + 1) / 10
        given: dict[str, Any] = {
            "run_id": new_run_id(),
            "code": self.code,
            "parent_run": self.parent,
            "number": number,
            "command": (sys.executable, "train.py", str(lr)),
            "entry_point": "train.py",
            "params": {"lr": lr},
            "experiment": "search",
            "code_facts": self.facts.code,
            "identity": (self.facts.identity, self.facts.name, self.facts.email),
            "grace": 2.0,
        }
        return TrialOrder(**(given | changes))
