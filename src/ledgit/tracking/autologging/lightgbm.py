"""LightGBM: ``lightgbm.train`` and the scikit-learn estimators log params, a metric a round, importances."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from typing import Any

from ledgit.tracking.autologging.boosting import Rounds, log_importance, log_params
from ledgit.tracking.autologging.models import ModelOptions
from ledgit.tracking.autologging.patching import Options, Patches, Training, safely, training

__all__ = ["autolog"]

_patches = Patches()
_lock = threading.RLock()


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    registered_model_name: str | None = None,
    extra_tags: Mapping[str, str] | None = None,
) -> None:
    """Log each training with LightGBM: ``train`` and the scikit-learn estimators.

    Params are the booster's and those of ``train``; metrics ``<data set>-<metric>`` with the
    round as step; with early stopping ``best_iteration`` and ``stopped_iteration``; artifacts
    ``feature_importance_split.json`` and ``feature_importance_gain.json``.

    Args:
        log_input_examples: Log the first rows of the training data with the model.
        log_model_signatures: Log the model's signature, told from the training data.
        log_models: Log the trained model as ``model``.
        log_datasets: Record the training data's digest and shape.
        disable: Switch it off, and put LightGBM's own functions back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        registered_model_name: Make the model a version of this registered model.
        extra_tags: Tags for the runs that autologging starts.
    """
    with _lock:
        _patches.restore()
        if disable:
            return
        import lightgbm

        models = ModelOptions(log_models, log_input_examples, log_model_signatures, registered_model_name)
        options = Options("lightgbm", log_datasets, exclusive, silent, extra_tags, models)

        def around(original: Any, *args: Any, **kwargs: Any) -> Any:
            with training(options) as active:
                if active is None:
                    return original(*args, **kwargs)
                return _train(active, original, args, kwargs)

        _patches.wrap(lightgbm, "train", around)
        if hasattr(lightgbm.sklearn, "train"):
            _patches.put(lightgbm.sklearn, "train", lightgbm.train)


def _train(active: Training, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    rounds = Rounds(active)
    stops_early = False
    train_set: Any = None
    features: Any = None
    with safely(active.options, "params"):
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        params = bound.arguments.get("params") or {}
        log_params(active, params, bound.arguments)
        callbacks = list(bound.arguments.get("callbacks") or [])
        stops_early = _stops_early(params, callbacks)
        train_set = bound.arguments.get("train_set")
        bound.arguments["callbacks"] = [*callbacks, _callback(rounds)]
        args, kwargs = bound.args, bound.kwargs
    features = getattr(train_set, "data", None)
    if active.options.log_datasets and train_set is not None:
        _log_data(active, train_set)  # before training, which may free the raw data
    model = original(*args, **kwargs)
    rounds.finish(model.best_iteration - 1 if stops_early and model.best_iteration > 0 else None)
    for kind in ("split", "gain"):
        with safely(active.options, "feature importance"):
            values = model.feature_importance(importance_type=kind)
            log_importance(active, kind, dict(zip(model.feature_name(), values, strict=True)))
    active.log_model(model, data=features)
    return model


def _stops_early(params: Mapping[str, Any], callbacks: list[Any]) -> bool:
    """Whether a best round is looked for, by a param (LightGBM has four names for it) or a callback."""
    names = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")
    if any((params.get(name) or 0) > 0 for name in names):
        return True
    return any(type(callback).__name__ == "_EarlyStoppingCallback" for callback in callbacks)


def _log_data(active: Training, train_set: Any) -> None:
    from ledgit.tracking import data

    with safely(active.options, "the data set"):
        # The attributes, not get_data(): that refuses before LightGBM has built its own copy, and
        # after that the raw data may be gone.
        features, label = train_set.data, train_set.label
        if features is None:
            return
        if isinstance(features, str):
            dataset = data.from_file(features)
        elif type(features).__module__.partition(".")[0] == "pandas":
            dataset = data.from_pandas(features)
        else:
            dense = features.data if hasattr(features, "toarray") else features
            dataset = data.from_numpy(dense, targets=label)
        active.run.log_input(data.record_of(dataset, "train"))


def _callback(rounds: Rounds) -> Any:
    def log_round(environment: Any) -> None:
        results = environment.evaluation_result_list or ()
        # Cross-validation has five items (with a deviation), training four.
        rounds.log(environment.iteration, {f"{item[0]}-{item[1]}": item[2] for item in results})

    log_round.order = 1  # type: ignore[attr-defined]  # before early stopping (30), which leaves by an exception
    return log_round
