"""Autologging that logs models, too: the functions of ``tracking.autologging``, told how a model is logged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ledgit.errors import UsageError
from ledgit.tracking.autologging import autolog
from ledgit.tracking.autologging.models import ModelOptions, set_model_logger

if TYPE_CHECKING:
    from ledgit.models.faces import Register
    from ledgit.models.signature import ModelSignature

__all__ = ["autolog", "autolog_of"]

_TOLD = 1_000
"""Rows of the training data that the types of its columns are told from."""
_SHOWN = 5
"""Rows that are an input example, as in MLflow."""
_register: Register | None = None


def autolog_of(library: str, register: Register | None = None) -> Callable[..., None]:
    """Return the ``autolog`` of *library*.

    Args:
        library: A module of ``tracking.autologging``.
        register: What ``registered_model_name=`` calls.
    """
    global _register  # noqa: PLW0603 - one for the process
    _register = register or _register
    found: Callable[..., None] = importlib.import_module(f"ledgit.tracking.autologging.{library}").autolog
    return found


def _log(run_id: str, model: Any, name: str, data: Any, options: ModelOptions) -> None:
    """Log the *model* that a training ended in; *data* is what it was trained on, if known."""
    from ledgit.models.faces import Face
    from ledgit.models.flavors import flavor_for

    flavor = flavor_for(model)
    own = {key: value for key, value in options.save.items() if key in flavor.save_options}
    sample = _head(data, _SHOWN)
    if options.signatures and data is not None:
        signature = _signature(model, data, sample)
        own["signature"] = signature if signature is not None else False
    if options.examples and sample is not None:
        own["input_example"] = sample
    if options.registered is not None and _register is None:
        raise UsageError("registered_model_name needs the autolog of a library: ledgit.sklearn.autolog(...)")
    registered = {} if options.registered is None else {"registered_model_name": options.registered}
    Face(flavor.name, _register).log_model(model, name, run_id=run_id, **own, **registered)


def _signature(model: Any, data: Any, sample: Any) -> ModelSignature | None:
    from ledgit.models.kinds import is_array, is_frame
    from ledgit.models.signature import infer_signature

    told = _head(data, _TOLD)
    if told is None:
        return None
    predict = getattr(model, "predict", None)
    output = None
    if predict is not None:
        output = predict(sample)
        if is_frame(told) and is_array(output) and output.ndim == 1:
            import pandas as pd

            output = pd.Series(output)  # a row for each row, so a column
    return infer_signature(told, output)


def _head(data: Any, rows: int) -> Any:
    """Return the first *rows* of a frame, array or sparse matrix; None of anything else."""
    from ledgit.models.kinds import is_array, is_frame, is_sparse

    if is_frame(data):
        return data.head(rows)
    if is_sparse(data) or (is_array(data) and data.ndim):
        return data[:rows]
    return None


set_model_logger(_log)
