"""``mlflow.pyfunc`` by the same name: models written in Python, and any model as something that predicts."""

from __future__ import annotations

import os
from typing import Any

from ledgit.models.faces import face
from ledgit.models.loading import PyFuncModel, load_model
from ledgit.models.mlmodel import Model, ModelInfo
from ledgit.models.python_model import PythonModel, PythonModelContext
from ledgit.register import register_logged

__all__ = ["PyFuncModel", "PythonModel", "PythonModelContext", "load_model", "log_model", "save_model"]

_FACE = face("pyfunc", register_logged)


def save_model(
    path: Any = None, loader_module: str | None = None, data_path: str | None = None, **kwargs: Any
) -> Model:
    """Save a model written in Python into a new folder.

    Args:
        path: The folder. The model may come first, too: ``save_model(model, path)``.
        loader_module: A module with ``_load_pyfunc(path)``, instead of a model.
        data_path: What that reads.
        **kwargs: ``python_model`` (an object with ``predict``, a function, or a Python file that calls ``set_model``),
            ``artifacts``, ``model_config``, ``streamable``, and what :func:`ledgit.models.save` takes.

    Raises:
        UsageError: An argument that there is not, or a model that can't be saved.
    """
    if not isinstance(path, str | os.PathLike | None):
        model, path, loader_module = path, loader_module, None
        kwargs = {"python_model": model, **kwargs}
    return _FACE.save_model(path=path, **kwargs, **_given(loader_module, data_path))


def log_model(
    name: Any = None, loader_module: str | None = None, data_path: str | None = None, **kwargs: Any
) -> ModelInfo:
    """Log a model written in Python to the active run; one is started if there is none.

    Args:
        name: Its folder among the run's artifacts. The model may come first, too: ``log_model(model, name)``.
        loader_module: A module with ``_load_pyfunc(path)``, instead of a model.
        data_path: What that reads.
        **kwargs: As for :func:`save_model`, and ``registered_model_name``, ``run_id``.

    Raises:
        UsageError: An argument that there is not, or a model that can't be saved.
    """
    if not isinstance(name, str | None):
        model, name, loader_module = name, loader_module, None
        kwargs = {"python_model": model, **kwargs}
    return _FACE.log_model(name=name, **kwargs, **_given(loader_module, data_path))


def _given(loader_module: str | None, data_path: str | None) -> dict[str, Any]:
    more = {"loader_module": loader_module, "data_path": data_path}
    return {key: value for key, value in more.items() if value is not None}
