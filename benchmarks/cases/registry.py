"""Versions of models: listed and registered, beside GTO, tags by bare pygit2, and MLflow's SQLite store."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.case import Case, Command, Subject, Target
from benchmarks.measure import Timing, repeated, timed
from benchmarks.repository import git, small_repository

FEW, MANY = 1_000, 10_000
MODELS = 10
LARGE = "large"  # the repository with many versions, below the one with few
TIMES = 15
REGISTERED = 50


def prepare(folder: Path, python: str) -> None:
    """Two repositories, with 1,000 and 10,000 versions of ten models; refs are packed, as ``git gc`` leaves them."""
    large = folder / LARGE
    large.mkdir()
    for where, versions in ((folder, FEW), (large, MANY)):
        small_repository(where)
        subprocess.run([python, "-c", FILL, str(versions), str(MODELS)], cwd=where, check=True)
        git(where, "pack-refs", "--all", "--prune")


FILL = """
import sys
import ledgit
from ledgit.git import Objects
from ledgit.records.registry import REGISTER, RegistryMessage, tag_name
from ledgit.store.registry.tagging import Tagging

versions, models = map(int, sys.argv[1:])
with ledgit.start_run() as run:
    ledgit.log_text("flavors: {}", "model/MLmodel")
repository = ledgit.open()
state = repository.run(run.info.run_id).state
repo, objects = repository.repo, Objects.of(repository.repo)
commit = objects.commit(state.commit)
step = Tagging(repo, repository.folder, ("Benchmark", "benchmark@example.org"), sign=False)
start = commit.committer[2]
for number in range(versions):
    model, version = f"model-{number % models}", f"v0.{number // models}.0"
    tag, date = tag_name(model, REGISTER, version=version), start + number
    text = f"Register {model} {version}\\n\\nLedgit-Run: {state.id}\\nLedgit-Version: {tag}\\n"
    made = step.fresh.commit(commit.tree, [state.commit], step.who(date), step.who(date), text)
    count = number // models + 1
    summary = f"Register {model} {version} (version {count}) from run {state.name}"
    message = RegistryMessage(summary, model, version, count, state.id, "model", "sha256:" + "0" * 64)
    step.add(tag, made, date, message)
step.write()
repository.registered()
"""


def ledgit(folder: Path) -> dict[str, Timing]:
    """All models with their versions and stages, as another process left them; then a few more versions."""
    import ledgit
    from ledgit.store.registry import reading

    def listing(where: Path) -> Timing:
        repository = ledgit.open(where)
        expected = MANY if where.name == LARGE else FEW

        def work() -> None:
            reading._known.clear()  # as in a process that has not asked yet
            models = repository.registered().models.values()
            rows = [(one.model, one.version, one.number, one.stages) for m in models for one in m.versions.values()]
            assert len(rows) >= expected

        return repeated(work, TIMES)

    found = {f"list {FEW:,}": listing(folder), f"list {MANY:,}": listing(folder / LARGE)}
    repository = ledgit.open(folder)
    repository.registered()
    found["list again, unchanged"] = repeated(repository.registered, TIMES)
    run = repository.runs.first()
    assert run is not None
    found["register"] = repeated(lambda: repository.register(run, "model-0", "model"), REGISTERED)
    return found


def bare_pygit2(folder: Path) -> dict[str, Timing]:
    """Every tag's message and tagger, not parsed; a tag made on a commit."""
    import pygit2

    def listing(where: Path) -> Timing:
        repository = pygit2.Repository(str(where))

        def work() -> None:
            rows = []
            for reference in repository.references.iterator(pygit2.enums.ReferenceFilter.TAGS):
                tag = repository[reference.target]
                if isinstance(tag, pygit2.Tag):
                    rows.append((tag.name, tag.message, tag.tagger.time))
            assert len(rows) >= FEW

        return repeated(work, TIMES)

    found = {f"list {FEW:,}": listing(folder), f"list {MANY:,}": listing(folder / LARGE)}
    repository = pygit2.Repository(str(folder))
    who = pygit2.Signature("Benchmark", "benchmark@example.org")
    count = iter(range(10_000_000))
    first = sum(1 for _ in repository.references.iterator())

    def work() -> None:
        name = f"bare-{first + next(count)}"
        repository.create_tag(name, repository.head.target, pygit2.enums.ObjectType.COMMIT, who, "a version\n")

    found["register"] = repeated(work, REGISTERED)
    return found


def gto(folder: Path) -> dict[str, Timing]:
    """``gto.api``, once each: it takes seconds."""
    import gto.api

    listed = timed(lambda: [gto.api.show(str(folder), name=f"model-{number}") for number in range(1)])
    commit = git(folder, "commit-tree", "HEAD^{tree}", "-m", str(git(folder, "rev-parse", "HEAD")), "-p", "HEAD")
    count = len(git(folder, "tag", "-l", "model-0@*").splitlines())
    made = timed(lambda: gto.api.register(str(folder), "model-0", commit, version=f"v9.{count}.0"))
    return {f"list {FEW:,}": listed, "register": made}


def mlflow_sqlite(folder: Path) -> dict[str, Timing]:
    """``search_model_versions`` and ``create_model_version`` of the client."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    source = (folder / "model").as_uri()  # nothing looks at it
    if not client.search_registered_models():
        for number in range(MODELS):
            client.create_registered_model(f"model-{number}")
        for number in range(FEW):
            client.create_model_version(f"model-{number % MODELS}", source)

    def listing() -> None:
        assert len(client.search_model_versions(max_results=FEW)) >= FEW

    return {
        f"list {FEW:,}": repeated(listing, TIMES),
        "register": repeated(lambda: client.create_model_version("model-0", source), REGISTERED),
    }


CASE = Case(
    title="Versions of models",
    note=f"{MODELS} models, {FEW:,} and {MANY:,} versions, refs packed. *List*: all models with versions, numbers and"
    " stages, in process, from what an earlier process decoded; *unchanged*: asked again in the same process. GTO is"
    " asked for one model's versions, once. A version of MLflow's is a row, one of Ledgit's a commit, a signed or"
    " unsigned tag and two refs, synced to the disk.",
    prepare=prepare,
    shared=True,
    rounds=3,
    subjects=[
        Subject("ledgit", ledgit, "ledgit"),
        Subject("bare pygit2", bare_pygit2, "ledgit"),
        Subject("gto", gto, "ledgit"),
        Subject("mlflow sqlite", mlflow_sqlite, "mlflow"),
        Command(f"ledgit registry ls ({FEW:,})", ["{bin}/ledgit", "registry", "ls"]),
        Command("python -c pass", ["{python}", "-c", "pass"]),
    ],
    targets=[
        Target(f"listing {FEW:,} versions, in process ≤ 12 ms", f"list {FEW:,}", "ledgit", 0.012),
        Target(f"listing {MANY:,} versions, in process ≤ 110 ms", f"list {MANY:,}", "ledgit", 0.110),
        Target("registering a version ≤ 3 ms", "register", "ledgit", 0.003),
        Target("registering a version beside MLflow's store", "register", "ledgit", 1, "mlflow sqlite", rate=True),
        Target(f"`ledgit registry ls` with {FEW:,} versions ≤ 0.2 s", "process", f"ledgit registry ls ({FEW:,})", 0.2),
    ],
)
