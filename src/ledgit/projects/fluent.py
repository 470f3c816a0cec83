"""``ledgit.projects.run``: a project run from Python, with MLflow's signature."""

from __future__ import annotations

import os

from ledgit.errors import ProjectFailed, UsageError
from ledgit.projects.running import Request, execute, make_plan, repository_around
from ledgit.projects.submitted import SubmittedRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ledgit.projects.launching import Launched
    from ledgit.repository import Repository

__all__ = ["run"]


def run(
    uri: str,
    entry_point: str = "main",
    version: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    docker_args: None = None,
    experiment_name: str | None = None,
    experiment_id: str | None = None,
    backend: str = "local",
    backend_config: None = None,
    storage_dir: None = None,
    synchronous: bool = True,
    run_id: str | None = None,
    run_name: str | None = None,
    env_manager: str | None = None,
    build_image: bool = False,
    docker_auth: None = None,
    *,
    in_place: bool = False,
    timeout: float | None = None,
    keep: tuple[str, ...] = (),
    tags: Mapping[str, str] | None = None,
    capture_args: bool = False,
) -> SubmittedRun:
    """Run a project in a work folder of its own, and record it.

    ``mlflow.projects.run`` with the same arguments does the same; those that only mean something to MLflow's other
    backends are refused. Called within a run, the project's run is nested in it.

    Args:
        uri: A folder, a Git address (``#FOLDER`` behind it), a bundle file, ``NAME@VERSION`` of the registry, or a run.
        entry_point: Name of an entry point, or a script of the project.
        version: A branch, tag or commit.
        parameters: Of the entry point, by name.
        docker_args: Not supported.
        experiment_name: Experiment of the run; by default the current one.
        experiment_id: The same by its id.
        backend: ``local``; a sweep has executors for others.
        backend_config: Not supported.
        storage_dir: Not supported: parameters that are addresses are downloaded into the cache folder.
        synchronous: Wait until it has ended.
        run_id: Not supported: a run is made by the project that runs.
        run_name: Name of the run.
        env_manager: ``local``, ``virtualenv``, ``uv``, ``conda`` or ``docker``; by default what fits the project.
        build_image: Build a container image with the project's files in it.
        docker_auth: Not supported.
        in_place: Run in the folder itself, not in a copy.
        timeout: Seconds after which it is ended.
        keep: Files and folders to keep as artifacts.
        tags: Tags of the run.
        capture_args: Record what the program's own argument parser reads.

    Returns:
        The run, ended if *synchronous*.

    Raises:
        ProjectFailed: It failed, and *synchronous* is set.
        LedgitError: It could not be started: nothing was recorded.
    """
    _refuse({"docker_args": docker_args, "backend_config": backend_config, "docker_auth": docker_auth})
    _refuse({"storage_dir": storage_dir, "run_id": run_id, "backend": None if backend == "local" else backend})
    from ledgit.tracking.launching import cache_folder

    repository = _repository()
    request = Request(
        uri=uri,
        entry_point=entry_point,
        parameters=dict(parameters or {}),
        version=version or "",
        manager=env_manager or "",
        in_place=in_place,
        experiment=_experiment(repository, experiment_name, experiment_id),
        name=run_name,
        tags=dict(tags or {}),
        parent_run=_parent(),
        timeout=timeout,
        keep=keep,
        capture=capture_args,
        build_image=build_image,
    )
    submitted = SubmittedRun()

    def work(found: SubmittedRun) -> Launched:
        with make_plan(request, repository, cache_folder(), os.getcwd()) as plan:
            return execute(plan, found._started)

    submitted._do(work) if synchronous else submitted._start(work)
    if synchronous and not submitted.wait():
        raise ProjectFailed(submitted.run_id, submitted.get_status(), submitted.exit_code or 1)
    return submitted


def _refuse(given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name}= is MLflow's alone; leave it out")


def _repository() -> Repository | None:
    from ledgit.errors import NotARepository
    from ledgit.tracking import session

    try:
        return session.repository()
    except NotARepository:
        return repository_around(None)


def _experiment(repository: Repository | None, name: str | None, by_id: str | None) -> str:
    if name is not None and by_id is not None:
        raise UsageError("experiment_name= and experiment_id= are two ways to say the same; leave out one")
    if name is None:
        if repository is None:
            return "Default"
        from ledgit.tracking import experiments

        return experiments.for_new_run(by_id)
    from ledgit.store import check_experiment

    check_experiment(name)
    known = None if repository is None else repository.known_experiment(name)
    return name if known is None else known.label


def _parent() -> str | None:
    from ledgit.tracking.launching import parent_run
    from ledgit.tracking.runs import active_run

    active = active_run()
    return active.id if active is not None else parent_run()
