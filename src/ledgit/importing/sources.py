"""Which reader is for which tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgit.errors import UsageError

if TYPE_CHECKING:
    from ledgit.importing.found import Source

__all__ = ["open_source"]


def open_source(tracker: str, path: str, *, experiment: str | None = None, login: tuple[str, str] = ("", "")) -> Source:
    """Open the runs of another tracker.

    Args:
        tracker: ``mlflow``, ``dvc``, ``tensorboard`` or ``wandb``.
        path: Where they are.
        experiment: Which experiment runs of DVC, TensorBoard and W&B belong to; None: their project or folder.
        login: User and password for a server of MLflow's.

    Raises:
        UsageError: There are none.
    """
    if tracker == "mlflow":
        from ledgit.importing.bringing import open_mlflow

        return open_mlflow(path, login)
    if tracker == "dvc":
        from ledgit.importing.dvc import open_dvc

        return open_dvc(path, experiment)
    if tracker == "tensorboard":
        from ledgit.importing.tensorboard import TensorboardSource

        return TensorboardSource(path, experiment)
    if tracker == "wandb":
        from ledgit.importing.wandb import WandbSource

        return WandbSource(path, experiment)
    raise UsageError(f"{tracker} is no tracker that can be imported; it is mlflow, dvc, tensorboard or wandb")
