"""Models from code: a Python file that builds a model and calls ``set_model`` with it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from typing import Any

from ledgit.errors import MissingDependency, UsageError

__all__ = ["ModelConfig", "load_code", "set_model"]

_MLFLOW = "mlflow.models.model"
_set: list[Any] = []
_config: Mapping[str, Any] | None = None


def set_model(model: Any) -> None:
    """Say, in a file of code, which object is the model.

    Args:
        model: A ``PythonModel``, an object with ``predict``, or a function.

    Raises:
        UsageError: It is none of these.
    """
    if not callable(model) and not callable(getattr(model, "predict", None)):
        raise UsageError(f"set_model got a {type(model).__name__}, expected something that predicts")
    _set.append(model)
    other = sys.modules.get(_MLFLOW)  # where MLflow looks for it, if it is MLflow that runs the file
    if other is not None:
        other.__mlflow_model__ = model  # type: ignore[attr-defined]


class ModelConfig:
    """The configuration a file of code runs with: the model's own, or *development_config* while it is written.

    Args:
        development_config: A mapping, or the path of a YAML file.
    """

    def __init__(self, *, development_config: Mapping[str, Any] | str | None = None) -> None:
        # Where MLflow says it, if it is MLflow that runs the file.
        other = getattr(sys.modules.get(f"{_MLFLOW}_config"), "__mlflow_model_config__", None)
        found: Any = _config if _config is not None else other or development_config
        if isinstance(found, str):
            from ledgit.records.documents import load_document

            with open(found, "rb") as stream:
                found = load_document(stream.read(), found)
        self._values: dict[str, Any] = dict(found or {})

    def get(self, key: str) -> Any:
        """Return a value.

        Raises:
            KeyError: There is none.
        """
        return self._values[key]

    def to_dict(self) -> dict[str, Any]:
        """Return all values."""
        return dict(self._values)


def load_code(path: str, config: Mapping[str, Any] | None = None) -> Any:
    """Run the Python file *path* and return the model it sets.

    Raises:
        UsageError: It fails, or sets none.
        MissingDependency: It imports what is not installed.
    """
    global _config  # noqa: PLW0603 - what ModelConfig() in the file finds
    name = f"ledgit_model_{os.urandom(6).hex()}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    before, _config = _config, config
    count = len(_set)
    others = _mlflows(None)
    write, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # not into the model's folder
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependency(f"the model's code {os.path.basename(path)}", str(error.name)) from error
    except Exception as error:
        # It is the user's code: whatever it raises.
        raise UsageError(f"the model's code {os.path.basename(path)} failed: {error!r}") from error
    finally:
        _config = before
        sys.dont_write_bytecode = write
        found = [_mlflows(others), *_set[count:]]
        del _set[count:]
    if found[-1] is not None:
        return found[-1]
    raise UsageError(f"the model's code {os.path.basename(path)} sets no model; it should call set_model(...)")


def _mlflows(model: Any) -> Any:
    """Put *model* where MLflow's own ``set_model`` puts it; return what was there. None, where MLflow is not loaded."""
    module = sys.modules.get(_MLFLOW)
    if module is None:
        return None
    before = getattr(module, "__mlflow_model__", None)
    module.__mlflow_model__ = model  # type: ignore[attr-defined]
    return before
