"""What XGBoost and LightGBM have in common: params of ``train``, a metric a round, the best round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledgit.tracking.autologging.patching import Training, numbers, points, safely

__all__ = ["Rounds", "log_importance", "log_params"]

# Arguments of train() that are data or functions, no settings.
DATA_ARGUMENTS = {
    "callbacks", "categorical_feature", "custom_metric", "dtrain", "evals", "evals_result", "feature_name", "feval",
    "fobj", "init_model", "keep_training_booster", "obj", "params", "train_set", "valid_names", "valid_sets",
    "xgb_model",
}  # fmt: skip


def log_params(active: Training, params: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Log the booster's params and the settings among the arguments of ``train``."""
    found = {**params, **{key: value for key, value in arguments.items() if key not in DATA_ARGUMENTS}}
    active.run.log_params({key: _plain(value) for key, value in found.items()})


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


class Rounds:
    """Metrics of each boosting round as they come, and the best round at the end."""

    def __init__(self, active: Training) -> None:
        self._active = active
        self._history: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Log one round's metrics."""
        found = numbers(values)
        self._history.append(found)
        with safely(self._active.options, "metrics"):
            self._active.run.log_batch(metrics=points(found, step))

    def finish(self, best: int | None) -> None:
        """Log what early stopping found: ``stopped_iteration``, ``best_iteration``, the best metrics again.

        As in MLflow the best round's metrics follow behind the last one, so that they are what
        lists show.
        """
        if best is None or not self._history:
            return
        with safely(self._active.options, "the best iteration"):
            last = len(self._history) - 1
            found = {"stopped_iteration": float(last), "best_iteration": float(best)}
            values = self._history[best] if 0 <= best <= last else {}
            self._active.run.log_batch(metrics=[*points(found, 0), *points(values, last + 1)])


def log_importance(active: Training, kind: str, importance: Mapping[str, Any]) -> None:
    """Log feature importances as ``feature_importance_<kind>.json``, greatest first."""
    ordered = dict(sorted(importance.items(), key=lambda item: (-float(item[1]), item[0])))
    text = json.dumps({key: float(value) for key, value in ordered.items()}, indent=2, ensure_ascii=False)
    active.run.add_artifact_bytes(f"feature_importance_{kind}.json", text.encode())
