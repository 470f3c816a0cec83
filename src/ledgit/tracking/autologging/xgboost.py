"""XGBoost: ``xgboost.train`` and the scikit-learn estimators log params, a metric a round, importances."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ledgit.tracking.autologging.boosting import Rounds, log_importance, log_params
from ledgit.tracking.autologging.models import ModelOptions
from ledgit.tracking.autologging.patching import Options, Patches, Training, safely, training

__all__ = ["autolog"]

_patches = Patches()
_lock = threading.RLock()


def autolog(
    importance_types: Sequence[str] | None = None,
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    registered_model_name: str | None = None,
    model_format: str = "ubj",
    extra_tags: Mapping[str, str] | None = None,
) -> None:
    """Log each training with XGBoost: ``train`` and the scikit-learn estimators.

    Params are the booster's and those of ``train``; metrics ``<data set>-<metric>`` with the
    round as step; with early stopping ``best_iteration`` and ``stopped_iteration``; artifacts
    ``feature_importance_<type>.json``.

    Args:
        importance_types: Of ``weight gain cover total_gain total_cover``; ``["weight"]`` if None.
        log_input_examples: Log the first rows of the training data with the model.
        log_model_signatures: Log the model's signature, told from the training data.
        log_models: Log the trained model as ``model``.
        log_datasets: Record the training data's digest and shape.
        disable: Switch it off, and put XGBoost's own functions back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        registered_model_name: Make the model a version of this registered model.
        model_format: ``ubj`` or ``json``.
        extra_tags: Tags for the runs that autologging starts.
    """
    with _lock:
        _patches.restore()
        if disable:
            return
        import xgboost

        models = ModelOptions(
            log_models, log_input_examples, log_model_signatures, registered_model_name, {"model_format": model_format}
        )
        options = Options("xgboost", log_datasets, exclusive, silent, extra_tags, models)
        kinds = tuple(importance_types) if importance_types is not None else ("weight",)

        def around(original: Any, *args: Any, **kwargs: Any) -> Any:
            with training(options) as active:
                if active is None:
                    return original(*args, **kwargs)
                return _train(active, kinds, original, args, kwargs)

        _patches.wrap(xgboost, "train", around)
        if hasattr(xgboost, "sklearn") and hasattr(xgboost.sklearn, "train"):
            _patches.put(xgboost.sklearn, "train", xgboost.train)


def _train(active: Training, kinds: Sequence[str], original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    rounds = Rounds(active)
    with safely(active.options, "params"):
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        log_params(active, bound.arguments.get("params") or {}, bound.arguments)
        if active.options.log_datasets:
            _log_data(active, bound.arguments.get("dtrain"))
        bound.arguments["callbacks"] = [*(bound.arguments.get("callbacks") or []), _callback(rounds)]
        args, kwargs = bound.args, bound.kwargs
    model = original(*args, **kwargs)
    rounds.finish(_best(model))
    for kind in kinds:
        with safely(active.options, "feature importance"):
            log_importance(active, kind, model.get_score(importance_type=kind))
    active.log_model(model)
    return model


def _best(model: Any) -> int | None:
    """Return the best round if early stopping looked for one."""
    try:
        return int(model.best_iteration)
    except AttributeError:
        return None


def _log_data(active: Training, matrix: Any) -> None:
    from ledgit.tracking import data

    with safely(active.options, "the data set"):
        features = matrix.get_data()
        label = matrix.get_label()
        shape = [int(matrix.num_row()), int(matrix.num_col())]
        dataset = data.from_numpy(features.data, targets=label if len(label) else None)
        profile = {**dataset.profile, "features_shape": shape}
        active.run.log_input(data.record_of(data.Dataset("dataset", dataset.digest, profile=profile), "train"))


def _callback(rounds: Rounds) -> Any:
    from xgboost.callback import TrainingCallback

    class LogRounds(TrainingCallback):
        """Logs the evaluation results of each round."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            values = {
                f"{name}-{metric}": series[-1][0] if isinstance(series[-1], tuple) else series[-1]
                for name, results in evals_log.items()
                for metric, series in results.items()
            }
            rounds.log(epoch, values)
            return False

    return LogRounds()
