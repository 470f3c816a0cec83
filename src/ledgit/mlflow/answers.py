"""How the plugin answers: one call at a time, and Ledgit's errors as MLflow's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2 as codes

from ledgit.errors import (
    AccessDenied,
    Ambiguous,
    ArtifactNotFound,
    Conflict,
    ExperimentExists,
    LedgitError,
    NotFound,
    PolicyRefused,
    UsageError,
    VersionExists,
)

__all__ = ["answer", "lock", "refuse"]

F = TypeVar("F", bound=Callable[..., Any])
lock = threading.RLock()
"""MLflow shares one store among threads; a repository's index and the runs being written are not made for that."""

_CODES: tuple[tuple[type[LedgitError], int], ...] = (
    (ExperimentExists, codes.RESOURCE_ALREADY_EXISTS),
    (VersionExists, codes.RESOURCE_ALREADY_EXISTS),
    (PolicyRefused, codes.PERMISSION_DENIED),
    (AccessDenied, codes.PERMISSION_DENIED),
    (ArtifactNotFound, codes.RESOURCE_DOES_NOT_EXIST),
    (NotFound, codes.RESOURCE_DOES_NOT_EXIST),
    (Ambiguous, codes.RESOURCE_DOES_NOT_EXIST),
    (Conflict, codes.INVALID_PARAMETER_VALUE),
    (UsageError, codes.INVALID_PARAMETER_VALUE),
)


def answer(method: F) -> F:
    """Let *method* be called from any thread, and raise what MLflow's callers expect.

    What the caller got wrong is INVALID_PARAMETER_VALUE, what isn't there RESOURCE_DOES_NOT_EXIST; what Git or the disk
    refuse is INTERNAL_ERROR, which MLflow's client tries again.
    """

    @functools.wraps(method)
    def called(*args: Any, **words: Any) -> Any:
        try:
            with lock:
                return method(*args, **words)
        except LedgitError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), codes.INTERNAL_ERROR)
            raise MlflowException(str(error), error_code=code) from error

    return called  # type: ignore[return-value]


def refuse(what: str) -> MlflowException:
    """Return MLflow's error (HTTP 501) for what Ledgit has no place for; *what* begins the sentence."""
    return MlflowException(f"{what} not supported by Ledgit's MLflow plugin", error_code=codes.NOT_IMPLEMENTED)
