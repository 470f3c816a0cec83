"""The models that trainings end in: what autolog was told of them, and who logs them.

How a model is logged is the business of the layer above, :mod:`ledgit.models.autologging`, which says so
here when it is imported: ``ledgit.autolog`` and ``ledgit.sklearn.autolog`` come from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ModelOptions", "log_model", "set_model_logger"]


@dataclass(frozen=True)
class ModelOptions:
    """What ``autolog`` was told of models.

    Attributes:
        log: Log them at all.
        examples: With the first rows of the training data as the input example.
        signatures: With the signature told from the training data.
        registered: Make each a version of this registered model.
        save: What the flavor is to be told.
    """

    log: bool = False
    examples: bool = False
    signatures: bool = True
    registered: str | None = None
    save: Mapping[str, Any] = field(default_factory=dict)


#: ``logger(run id, model, name, data, options)``.
Logger = Callable[[str, Any, str, Any, ModelOptions], None]
_logger: Logger | None = None


def set_model_logger(logger: Logger) -> None:
    """Say how a model is logged."""
    global _logger  # noqa: PLW0603 - one for the process
    _logger = logger


def log_model(run_id: str, model: Any, name: str, data: Any, options: ModelOptions) -> None:
    """Log the *model* that a training ended in, if that is wanted and somebody said how.

    Args:
        run_id: The training's run.
        model: The model.
        name: Its folder among the run's artifacts.
        data: What it was trained on; None where that is not known.
        options: What ``autolog`` was told.
    """
    if options.log and _logger is not None:
        _logger(run_id, model, name, data, options)
