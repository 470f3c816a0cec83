"""The repository a command works on. Commands read the environment only through here."""

from __future__ import annotations

import os

from ledgit.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledgit.cli.progress import Progress
    from ledgit.opened import Opened
    from ledgit.repository import Repository
    from ledgit.review import Place, PullRequest
    from ledgit.runset import RunSet
    from ledgit.sharing import Sharing


def repository(*, writing: bool = False) -> Repository:
    """Open the repository around the working directory, or the one ``LEDGIT_REPO`` names.

    Args:
        writing: The command changes something: runs that dead processes left are finalized first.

    Raises:
        NotARepository: There is none.
    """
    from ledgit.repository import open_repository

    found = open_repository(_named())
    _prepare(found, writing)
    return found


def selected(
    repository: Repository,
    view: str,
    *,
    filter: str | None = None,  # noqa: A002 - as the option
    branch: str | None = None,
    experiment: Sequence[str] = (),
    since: str | None = None,
    mine: bool = False,
) -> RunSet:
    """Return the runs that ``--filter``, ``--branch``, ``--experiment``, ``--since`` and ``--mine`` leave."""
    runs = repository.runs.view(view)
    if filter:
        runs = runs.filter(filter)
    if branch:
        runs = runs.branch(branch)
    if experiment:
        runs = runs.experiment(*experiment)
    if since:
        from ledgit.records.times import parse_since

        runs = runs.since(parse_since(since))
    return runs.mine() if mine else runs


def mlflow_login() -> tuple[str, str]:
    """Return user and password for a server of MLflow's, as MLflow's own variables have them; a token has no user."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if token:
        return "", token
    return os.environ.get("MLFLOW_TRACKING_USERNAME", ""), os.environ.get("MLFLOW_TRACKING_PASSWORD", "")


def sharing(*, writing: bool = False) -> Sharing:
    """Open the same repository for a pull or push: quick, and with no other verbs.

    Args:
        writing: Runs that dead processes left are finalized first.

    Raises:
        NotARepository: There is none.
    """
    from ledgit.git import Repo
    from ledgit.sharing import Sharing

    found = Sharing(Repo.discover(_named()))
    _prepare(found, writing)
    return found


def opened() -> Opened:
    """Open the same repository for what needs no runs: quick, and with no verbs.

    Raises:
        NotARepository: There is none.
    """
    from ledgit.git import Repo
    from ledgit.opened import Opened

    return Opened(Repo.discover(_named()))


def _named() -> str | None:
    named = os.environ.get("LEDGIT_REPO")
    if not named:
        return None
    from ledgit.tracking.session import path_of

    return path_of(named)


def _prepare(found: Opened, writing: bool) -> None:
    found.progress = _show
    if writing:
        recover(found)


_bars: list[Progress] = []


def _show(what: str, done: int, total: int | None) -> None:
    """Draw how far the index is; what reads no more than usual never comes here."""
    from ledgit.cli.progress import Progress

    if not _bars:
        _bars.append(Progress())
    _bars[0](what, done, total)
    if done == total:
        _bars.pop().clear()


def recover(found: Opened) -> list[str]:
    """Finalize what dead processes left, say so, and return the ids of the runs."""
    from ledgit.cli import terminal

    recovered = found.recover()
    ids = list(recovered.commits)
    if ids:
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        terminal.note(
            f"ledgit: finalized what killed processes left: {', '.join(run_id[:8] for run_id in ids[:5])}{more}"
        )
    for run_id, why in recovered.failed.items():
        terminal.note(f"ledgit: run {run_id[:8]} could not be finalized and stays as it is: {why}")
    return ids


def current_run() -> str | None:
    """Return the id of the run this process was started in by ``ledgit run``, if any."""
    return _first("LEDGIT_RUN_ID", "MLFLOW_RUN_ID")


def edit(text: str, name: str) -> str:
    """Let the person edit *text* in their editor, as ``git commit`` does, and return the result.

    Raises:
        UsageError: Nobody can be asked, or the editor failed.
    """
    import shlex
    import subprocess
    import tempfile

    from ledgit.cli.terminal import interactive

    editor = os.environ.get("GIT_EDITOR") or os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        if not interactive():
            raise UsageError("standard input is no terminal, so no editor can be opened; give the text with -m")
        editor = "vi"
    with tempfile.TemporaryDirectory(prefix="ledgit-") as folder:
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            code = subprocess.run([*shlex.split(editor), path], check=False).returncode
        except OSError as error:
            raise UsageError(
                f"the editor {editor!r} can't be started: {error.strerror}; give the text with -m"
            ) from None
        if code:
            raise UsageError(f"the editor {editor!r} ended with {code}; nothing was changed")
        with open(path, encoding="utf-8") as file:
            return file.read()


def experiment(repository: Repository, given: str | None) -> str:
    """Return the label of the experiment for a new run: the one *given*, the environment's, or Default.

    Raises:
        InvalidName: It can't be one.
        ExperimentNotFound: The environment names an id that is not here.
    """
    from ledgit.store import check_experiment

    name = given or _first("LEDGIT_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME")
    if name is None:
        by_id = _first("LEDGIT_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_ID")
        return repository.experiment(by_id).label if by_id else "Default"
    check_experiment(name)
    known = repository.known_experiment(name)
    return name if known is None else known.label


def ci_tags() -> dict[str, str]:
    """Return what a new run is tagged with in CI: the head of the pull request it is made for."""
    if "GITHUB_EVENT_PATH" not in os.environ and "CI_MERGE_REQUEST_IID" not in os.environ:
        return {}
    from ledgit.tracking.ci import ci_tags as found

    return found()


def pull_request() -> PullRequest | None:
    """Return the pull request that CI runs this command for, if any."""
    from ledgit.tracking.ci import pull_request_facts

    facts = pull_request_facts()
    if facts is None:
        return None
    from ledgit.review import PullRequest

    return PullRequest(**facts)


def comment_place(number: int) -> Place | None:
    """Return where the pull request *number* takes comments, as CI's environment says; None outside of CI.

    The token is ``GITHUB_TOKEN`` or ``GH_TOKEN``; for GitLab ``GITLAB_TOKEN`` (a project's token that may use the API),
    else ``CI_JOB_TOKEN``, which most instances let read alone.
    """
    from ledgit.review import Place

    project = os.environ.get("GITHUB_REPOSITORY")
    if project:
        api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
        return Place("github", api, project, number, _first("GITHUB_TOKEN", "GH_TOKEN") or "")
    server, project = os.environ.get("CI_API_V4_URL"), _first("CI_MERGE_REQUEST_PROJECT_ID", "CI_PROJECT_ID")
    if server and project:
        token = os.environ.get("GITLAB_TOKEN")
        job = os.environ.get("CI_JOB_TOKEN", "")
        return Place("gitlab", server, project, number, token or job, job_token=not token)
    return None


def named_experiment() -> str | None:
    """Return the experiment that the environment names, where there is no repository to look it up in."""
    return _first("LEDGIT_EXPERIMENT", "MLFLOW_EXPERIMENT_NAME")


def _first(*names: str) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def directions(found: Repository) -> dict[str, str]:
    """Return which way metrics are better, as ``.ledgit/config.yaml`` in the work tree says.

    Raises:
        ConfigError: It says something else than maximize, minimize or none.
        RecordError: It does not decode.
    """
    from ledgit.errors import ConfigError
    from ledgit.store import CONFIG, committed_config

    metrics = committed_config(found.repo, "metrics").get("metrics")
    chosen = {}
    for name, settings in (metrics or {}).items() if isinstance(metrics, dict) else ():
        way = settings.get("direction") if isinstance(settings, dict) else settings
        if way is None:
            continue
        if str(way) not in ("maximize", "minimize", "none"):
            raise ConfigError(f"metrics.{name}.direction in {CONFIG}", str(way), "maximize, minimize or none")
        chosen[str(name)] = str(way)
    return chosen
