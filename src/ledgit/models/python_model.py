"""Models written in Python: what users subclass, and what functions and plain objects are wrapped in.

A class of this module is pickled with its code, not by its name, so that MLflow reads what is saved without
Ledgit. Nothing here may need another module of Ledgit's.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["FunctionModel", "ObjectModel", "PythonModel", "PythonModelContext", "TypeHints"]


class TypeHints:
    """What ``predict`` says of its input and output; None where it says nothing."""

    def __init__(self, given: Any = None, output: Any = None) -> None:
        self.input, self.output = given, output

    def __repr__(self) -> str:
        return f"<input: {self.input}, output: {self.output}>"


class PythonModelContext:
    """What a model gets when it is loaded, and with each prediction.

    Attributes:
        artifacts: Name → path of the files that were saved with it.
        model_config: The configuration that was saved with it, or None.
    """

    def __init__(self, artifacts: dict[str, str], model_config: dict[str, Any] | None) -> None:
        self.artifacts, self.model_config = artifacts, model_config


class PythonModel:
    """A model of the user's own: a subclass says how it predicts.

    ``predict(self, context, model_input, params=None)``, or without *context*, or without *params*.
    """

    def load_context(self, context: Any) -> None:
        """Read what the model needs from ``context.artifacts``; called once, when it is loaded."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the predictions for *model_input*."""
        raise NotImplementedError("a PythonModel says in predict() how it predicts")

    def predict_stream(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        """Yield the prediction for *model_input*, piece by piece."""
        raise NotImplementedError("this model does not predict piece by piece")

    @property
    def predict_type_hints(self) -> Any:
        """What ``predict`` says of its input and output."""
        return _hints(self.predict)


class FunctionModel(PythonModel):
    """A function ``f(data)`` or ``f(data, params)`` as a model."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # type: ignore[override]
        """Call the function."""
        return self.func(model_input, params) if "params" in _names(self.func) else self.func(model_input)

    @property
    def predict_type_hints(self) -> Any:
        """What the function says."""
        return _hints(self.func)


class ObjectModel(PythonModel):
    """Any object with a method ``predict`` as a model."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # type: ignore[override]
        """Call the object's own."""
        if "params" in _names(self.model.predict):
            return self.model.predict(model_input, params=params)
        return self.model.predict(model_input)

    @property
    def predict_type_hints(self) -> Any:
        """What the object's own says."""
        return _hints(self.model.predict)


def _names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a builtin may have none
        return []


def _hints(function: Any) -> TypeHints:
    names = [name for name in _names(function) if name not in {"self", "context"}]
    try:
        known = typing.get_type_hints(function)
    except (TypeError, NameError, AttributeError):
        return TypeHints()
    return TypeHints(known.get(names[0]) if names else None, known.get("return"))
