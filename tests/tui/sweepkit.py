"""Sweeps and models as a repository has them, made by the thousand."""

from __future__ import annotations

import random
from pathlib import Path

from ledgit.projects.sweeps import SweepPlan
from ledgit.records import ArtifactRecord, Clocks, RunInfo, RunRecord
from ledgit.repository import Repository, open_repository
from ledgit.store import ActiveRun, RunStart

START = 1_795_392_000_000
CLOCKS = Clocks((1, "c" * 16))


def plan_of(trials: int, **more: object) -> SweepPlan:
    """A plan of three parameters whose metric is ``loss``."""
    space = {"lr": "log(1e-4,1e-1)", "layers": "int(1,8)", "kind": "relu,gelu,tanh"}
    values: dict[str, object] = {"entry_point": "train", "sampler": "random", "trials": trials, "metric": "loss"}
    return SweepPlan(**{"space": space, **values, **more})  # type: ignore[arg-type]


def values_of(number: int) -> tuple[dict[str, object], float]:
    """The params of a trial and its loss, the same at each call."""
    chance = random.Random(number)
    lr, layers = 10 ** chance.uniform(-4, -1), chance.randint(1, 8)
    kind = chance.choice(["relu", "gelu", "tanh"])
    loss = (abs(lr - 0.01) * 5) ** 0.5 + 0.02 * layers + chance.random() * 0.05 + 0.1 * (kind == "tanh")
    return {"lr": lr, "layers": layers, "kind": kind}, loss


def trial_record(sweep: str, number: int, *, run_id: str = "", state: str = "complete", attempt: int = 0) -> RunRecord:
    """One trial's run, ended."""
    params, loss = values_of(number)
    start = START + 1000 * (number + 1)
    tags = {"ledgit.sweep.trial": str(number), "ledgit.sweep.attempt": str(attempt), "ledgit.sweep.state": state}
    info = RunInfo(
        run_id or f"{int(sweep[:6], 16) * 10**7 + number * 10 + attempt:032x}",
        f"trial-{number}", "sweeps", "FAILED" if state == "failed" else "FINISHED", start, start + 900 + number % 70,
        "Ada", parent_run=sweep,
    )  # fmt: skip
    return RunRecord(info, params=dict(params), metrics={"loss": loss}, tags=tags, clocks=CLOCKS)  # type: ignore[arg-type]


def make_sweep(
    path: Path, trials: int, *, planned: int = 0, sweep: str = "5" * 32, name: str = "calm-sweep", reason: str = ""
) -> Repository:
    """Store a sweep that has ended, of which each 17th trial failed and each 11th was pruned."""
    repository = open_repository(path)
    plan = plan_of(planned or trials)
    content = plan.to_json().encode()
    tags = {"ledgit.sweep": "train by random", **({"ledgit.sweep.reason": reason} if reason else {})}
    info = RunInfo(sweep, name, "sweeps", "FINISHED", START, START + 1000 * (trials + 5), "Ada")
    parent = RunRecord(info, params={"sampler": "random", "trials": plan.trials}, tags=tags, clocks=CLOCKS)
    parent.artifacts = [ArtifactRecord("sweep.json", len(content), "md5:0")]
    with repository.bulk() as bulk:
        bulk.add(parent, {"sweep.json": content})
        for number in range(trials):
            state = "failed" if number % 17 == 16 else "pruned" if number % 11 == 10 else "complete"
            bulk.add(trial_record(sweep, number, state=state))
    return repository


def start_trial(repository: Repository, sweep: str, number: int, attempt: int = 0) -> ActiveRun:
    """Begin a trial's run in this process."""
    tags = {"ledgit.sweep.trial": str(number), "ledgit.sweep.attempt": str(attempt)}
    run = ActiveRun.create(
        repository.repo, RunStart(experiment="sweeps", name=f"trial-{number}", parent_run=sweep, tags=tags)
    )
    params, _ = values_of(number)
    run.log_params(params)  # type: ignore[arg-type]
    return run
