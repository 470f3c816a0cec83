"""Autologging: ``fit`` and ``train`` of the machine-learning libraries log themselves.

One module a library; each replaces a few methods while it is switched on, and puts them back
when it is switched off. Nothing that goes wrong in here reaches the training: it is said once
as a LedgitWarning. Where a run is active it is logged into; else one is started for the
training and ended after it. Names of params and metrics are MLflow's.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ledgit.errors import InvalidValue

__all__ = ["autolog"]

#: Module whose import makes a library trainable → the module here that knows it. It is the
#: deepest that will do: ``import transformers`` alone does not load torch, and need not by us.
LIBRARIES = {
    "sklearn": "sklearn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "lightning": "lightning",
    "pytorch_lightning": "lightning",
    "keras": "keras",
    "transformers.trainer": "transformers",
}


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    log_traces: bool = True,  # noqa: ARG001 - MLflow's signature
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    extra_tags: Mapping[str, str] | None = None,
    exclude_flavors: Sequence[str] | None = None,
) -> None:
    """Switch autologging on (or off) for every library it knows: those imported, and those to come.

    scikit-learn, XGBoost, LightGBM, PyTorch Lightning, Keras and Transformers.

    Args:
        log_input_examples: Log the first rows of the training data with the model.
        log_model_signatures: Log the model's signature, told from the training data.
        log_models: Log the trained model as ``model``, and a search's best one as ``best_estimator``.
        log_datasets: Record the training data's name, digest and shape.
        log_traces: Accepted for MLflow's sake.
        disable: Switch it off, and put the libraries' own methods back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        extra_tags: Tags for the runs that autologging starts.
        exclude_flavors: Libraries to leave alone.

    Raises:
        InvalidValue: *exclude_flavors* names a library that is not known.
    """
    from ledgit.tracking.autologging import importing

    excluded = {"lightning" if name in {"pytorch", "pytorch_lightning"} else name for name in exclude_flavors or ()}
    if unknown := excluded - set(LIBRARIES.values()):
        raise InvalidValue("exclude_flavors", sorted(unknown), f"some of {', '.join(sorted(set(LIBRARIES.values())))}")
    options: dict[str, Any] = {
        "log_models": log_models,
        "log_input_examples": log_input_examples,
        "log_model_signatures": log_model_signatures,
        "log_datasets": log_datasets,
        "exclusive": exclusive,
        "silent": silent,
        "extra_tags": extra_tags,
    }
    for library, module in LIBRARIES.items():
        if module in excluded:
            continue
        if disable:
            importing.forget(library)
            _switch(module, disable=True)
        elif library in sys.modules:
            _switch(module, **options)
        else:
            importing.when_imported(library, lambda module=module: _switch(module, **options))  # type: ignore[misc]


def _switch(module: str, **options: Any) -> None:
    from importlib import import_module

    import_module(f"ledgit.tracking.autologging.{module}").autolog(**options)
