"""Keras 3 (any backend): ``Model.fit`` logs params, metrics of each epoch, early stopping, a summary."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Mapping
from typing import Any

from ledgit.errors import UsageError
from ledgit.tracking.autologging.models import ModelOptions
from ledgit.tracking.autologging.patching import Options, Patches, Training, numbers, points, safely, training

__all__ = ["autolog"]

# Arguments of fit() that are data or functions, no settings.
DATA_ARGUMENTS = {"self", "x", "y", "callbacks", "validation_data", "sample_weight", "class_weight", "verbose"}

_patches = Patches()
_lock = threading.RLock()


def autolog(
    log_every_epoch: bool = True,
    log_every_n_steps: int | None = None,
    log_models: bool = True,
    log_model_signatures: bool = True,
    save_exported_model: bool = False,  # noqa: ARG001
    log_datasets: bool = True,
    log_input_examples: bool = False,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    registered_model_name: str | None = None,
    save_model_kwargs: Mapping[str, Any] | None = None,
    extra_tags: Mapping[str, str] | None = None,
) -> None:
    """Log each ``fit`` of a Keras model.

    Params: the settings among the arguments of ``fit`` (``epochs``, ``batch_size`` …) and
    ``optimizer_<setting>``; of an ``EarlyStopping`` callback ``monitor``, ``min_delta``,
    ``patience``, ``baseline``, ``restore_best_weights``. Metrics: Keras' logs, by epoch or
    step; ``stopped_epoch`` and ``restored_epoch``. Artifact ``model_summary.txt``.

    Args:
        log_every_epoch: Log the metrics of each epoch.
        log_every_n_steps: Log at every n-th step instead.
        log_models: Log the trained model as ``model``.
        log_model_signatures: Log the model's signature, told from the training data.
        save_exported_model: Accepted for MLflow's sake.
        log_datasets: Record the training data's digest and shape, where it is arrays.
        log_input_examples: Log the first rows of the training data with the model.
        disable: Switch it off, and put Keras' own method back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        registered_model_name: Make the model a version of this registered model.
        save_model_kwargs: What saving the model is told.
        extra_tags: Tags for the runs that autologging starts.

    Raises:
        UsageError: Epochs or steps: not both, and not neither.
    """
    if log_every_epoch == (log_every_n_steps is not None):
        raise UsageError("keras.autolog needs log_every_epoch=True, or log_every_n_steps with log_every_epoch=False")
    with _lock:
        _patches.restore()
        if disable:
            return
        import keras

        models = ModelOptions(
            log_models, log_input_examples, log_model_signatures, registered_model_name, dict(save_model_kwargs or {})
        )
        options = Options("keras", log_datasets, exclusive, silent, extra_tags, models)
        callback = type("LedgitCallback", (_Hooks, keras.callbacks.Callback), {"__module__": __name__})

        def around(original: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            with training(options) as active:
                if active is None:
                    return original(model, *args, **kwargs)
                return _fit(active, callback, log_every_n_steps, original, (model, *args), kwargs)

        _patches.wrap(keras.Model, "fit", around)


def _fit(
    active: Training, callback: Any, every: int | None, original: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    given: list[Any] = []
    fitted_on: Any = None
    with safely(active.options, "params"):
        bound = inspect.signature(original).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = bound.arguments
        given = _listed(arguments.get("callbacks"))
        arguments["callbacks"] = [*given, callback(active, every)]
        settings = {key: value for key, value in arguments.items() if key not in DATA_ARGUMENTS}
        args, kwargs = bound.args, bound.kwargs
        active.run.log_params({**_plain(settings), **_early_stopping(given)})
        fitted_on = arguments.get("x")
        if active.options.log_datasets:
            _log_data(active, arguments.get("x"), arguments.get("y"))
    history = original(*args, **kwargs)
    with safely(active.options, "early stopping"):
        _log_stop(active, given)
    active.log_model(args[0], data=fitted_on)
    return history


def _listed(callbacks: Any) -> list[Any]:
    if callbacks is None:
        return []
    if hasattr(callbacks, "callbacks"):  # a keras.callbacks.CallbackList
        return list(callbacks.callbacks)
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if value is None or isinstance(value, bool | int | float | str) else str(value)[:6000]
        for key, value in values.items()
    }


def _early_stopping(callbacks: list[Any]) -> dict[str, Any]:
    stopper = _stopper(callbacks)
    if stopper is None:
        return {}
    names = ("monitor", "min_delta", "patience", "baseline", "restore_best_weights")
    return _plain({name: getattr(stopper, name) for name in names})


def _stopper(callbacks: list[Any]) -> Any:
    import keras

    return next((one for one in callbacks if isinstance(one, keras.callbacks.EarlyStopping)), None)


def _log_stop(active: Training, callbacks: list[Any]) -> None:
    stopper = _stopper(callbacks)
    if stopper is None or not stopper.stopped_epoch:
        return
    found = {"stopped_epoch": float(stopper.stopped_epoch)}
    if stopper.restore_best_weights and stopper.best_epoch is not None:
        found["restored_epoch"] = float(stopper.best_epoch)
    active.run.log_batch(metrics=points(found, 0))


def _log_data(active: Training, x: Any, y: Any) -> None:
    from ledgit.tracking import data

    if isinstance(x, dict) or (hasattr(x, "shape") and hasattr(x, "dtype")):
        with safely(active.options, "the data set"):
            build = data.from_torch if hasattr(x, "detach") else data.from_numpy
            active.run.log_input(data.record_of(build(x, targets=y), "train"))


class _Hooks:
    """What Keras calls while it fits."""

    model: Any

    def __init__(self, active: Training, every: int | None) -> None:
        super().__init__()
        self._active = active
        self._every = every
        self._steps = 0

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        with safely(self._active.options, "the optimizer's params"):
            config = self.model.optimizer.get_config()
            self._active.run.log_params(_plain({f"optimizer_{key}": value for key, value in config.items()}))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._steps += 1
        if self._every is not None and logs and self._steps % self._every == 0:
            self._log(logs, self._steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._every is None and logs:
            self._log(logs, epoch)

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        # At the end, because a model without an input shape is built by its first batch.
        with safely(self._active.options, "the summary"):
            lines: list[str] = []
            self.model.summary(print_fn=lambda line, *_, **__: lines.append(line))
            self._active.run.add_artifact_bytes("model_summary.txt", "\n".join(lines).encode())

    def _log(self, logs: Mapping[str, Any], step: int) -> None:
        with safely(self._active.options, "metrics"):
            self._active.run.log_batch(metrics=points(numbers(logs), step))
