"""A repository with runs and models in it, as the registry's tests need it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.conftest import run_git

from ledgit.git import Repo
from ledgit.records.registry import Event, ModelVersion
from ledgit.records.state import RunState
from ledgit.repository import Repository
from ledgit.store import Folder
from ledgit.store.active import ActiveRun, RunStart
from ledgit.store.registry import (
    Registration,
    RegistryState,
    assign,
    deprecate,
    deregister,
    edit_model,
    read_registry,
    register,
    unassign,
)
from ledgit.store.sync import Pulled, PullOptions, Pushed, PushOptions

T0 = 1_900_000_000_000  # ms; after all runs of the tests


class Shop:
    """One clone and what is done in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repository = Repository(Repo.discover(str(path)))

    @property
    def repo(self) -> Repo:
        return self.repository.repo

    @property
    def folder(self) -> Folder:
        return self.repository.folder

    def git(self, *args: str, stdin: bytes | None = None) -> str:
        return run_git(self.path, *args, stdin=stdin)

    def start(self, name: str = "calm-owl", model: str = "my_model", content: bytes = b"weights") -> ActiveRun:
        """An active run that has logged a model."""
        run = ActiveRun.create(self.repo, RunStart(name=name))
        if model:
            run.add_artifact_bytes(f"{model}/MLmodel", b"flavors: {}\n")
            run.add_artifact_bytes(f"{model}/model.bin", content)
        return run

    def train(self, name: str = "calm-owl", model: str = "my_model", content: bytes = b"weights") -> RunState:
        """A finished run that has logged a model."""
        run = self.start(name, model, content)
        run.finish()
        return self.state(run.id)

    def state(self, run_id: str) -> RunState:
        self.repository.index.refresh()
        found = self.repository.index.get(run_id)
        assert found is not None
        return found

    def register(self, run: RunState, model: str = "churn", path: str = "my_model", **options: Any) -> ModelVersion:
        return register(self.repo, self.folder, Registration(model, run, path, **options))

    def assign(self, model: str, version: str, stage: str, **options: Any) -> Event:
        return assign(self.repo, self.folder, self.read().version(model, version), stage, **options)

    def unassign(self, model: str, stage: str, **options: Any) -> list[Event]:
        return unassign(self.repo, self.folder, self.read().find(model), stage, **options)

    def deregister(self, model: str, version: str, **options: Any) -> Event:
        return deregister(self.repo, self.folder, self.read().version(model, version), **options)

    def deprecate(self, model: str, **options: Any) -> Event:
        return deprecate(self.repo, self.folder, self.read().find(model), **options)

    def read(self) -> RegistryState:
        return read_registry(self.repo, self.folder)

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.read().problems]

    def tag(self, name: str, message: str, commit: str = "HEAD", date: int | None = None) -> None:
        """An annotated tag as somebody makes it by hand; *date* in seconds since the epoch."""
        env = dict(os.environ)
        if date is not None:
            env["GIT_COMMITTER_DATE"] = f"@{date} +0000"
        subprocess.run(
            ["git", "tag", "-a", "--cleanup=verbatim", "-F", "-", "--", name, commit],
            cwd=self.path,
            env=env,
            input=message.encode(),
            check=True,
        )

    def push(self, **options: Any) -> Pushed:
        return self.repository.push(options=PushOptions(**{"policy": "all", **options}))

    def pull(self, **options: Any) -> Pulled:
        return self.repository.pull(options=PullOptions(**options))

    def refs(self, prefix: str = "refs/tags") -> dict[str, str]:
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
        return {name.removeprefix(f"{prefix}/"): oid for name, oid in (line.split(" ") for line in lines)}

    def describe(self, model: str, **values: Any) -> None:
        edit_model(self.repo, self.folder, model, values)

    def gto(self, *args: str) -> Any:
        """What GTO's command says, as JSON. It orders tags by the second, and dates its own with the clock's."""
        dates = self.git("for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/").split()
        while args[0] not in {"show", "history"} and max(map(int, dates), default=0) >= int(time.time()):
            time.sleep(0.05)
        done = subprocess.run(
            [sys.executable, "-c", "from gto.cli import app; app()", *args],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in args else done.stdout
