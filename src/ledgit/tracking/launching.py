"""What a process that is started for a run gets to know, and where Ledgit keeps what all repositories share."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["cache_folder", "child_environment", "parent_run", "repetition_tags"]


def child_environment(run_id: str, repository_path: str, **more: str) -> dict[str, str]:
    """Return the environment of a command that is tracked as a run: ours, and which run it is.

    ``MLFLOW_RUN_ID`` is set only where MLflow itself would look in Ledgit: a script that logs to
    an MLflow store of its own would fail to find the run there.

    Args:
        run_id: The run that the command's process logs to.
        repository_path: The repository it is in, as ``LEDGIT_REPO`` names it.
        **more: Variables to set besides.
    """
    found = {**os.environ, "LEDGIT_RUN_ID": run_id, "LEDGIT_REPO": repository_path, **more}
    found.pop("MLFLOW_RUN_ID", None)
    if os.environ.get("MLFLOW_TRACKING_URI", "").startswith("ledgit"):
        found["MLFLOW_RUN_ID"] = run_id
    return found


def parent_run(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the id of the run that this process was started in, if any."""
    source = os.environ if environ is None else environ
    return source.get("LEDGIT_RUN_ID") or source.get("MLFLOW_RUN_ID") or None


def repetition_tags() -> dict[str, str]:
    """Return the tags of every new run of a command that ``ledgit repro`` repeats; none otherwise.

    The first run that the command starts joins the repetition; these say of the further ones what they belong to.
    """
    by = os.environ.get("LEDGIT_REPRO_BY")
    return {"ledgit.repro.by": by} if by else {}


def cache_folder() -> str:
    """Return Ledgit's folder for what can be made again: environments, mirrors of projects.

    ``LEDGIT_CACHE``, else ``$XDG_CACHE_HOME/ledgit``, else ``~/.cache/ledgit``; it need not exist.
    """
    named = os.environ.get("LEDGIT_CACHE")
    if named:
        return os.path.abspath(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "ledgit")
