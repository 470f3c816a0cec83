"""PyTorch Lightning: ``Trainer.fit`` logs params, metrics of each epoch, early stopping, a summary.

The callback finds the run by its id, so it also works in the processes that data-parallel
strategies start: rank zero logs, as a process that joins the run.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ledgit.errors import InvalidValue
from ledgit.tracking.autologging.models import ModelOptions
from ledgit.tracking.autologging.patching import Options, Patches, Training, numbers, points, safely, training

__all__ = ["autolog"]

_patches = Patches()
_lock = threading.RLock()


def autolog(
    log_every_n_epoch: int = 1,
    log_every_n_step: int | None = None,
    log_models: bool = True,
    log_datasets: bool = True,  # noqa: ARG001
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    registered_model_name: str | None = None,
    extra_tags: Mapping[str, str] | None = None,
    **_: Any,
) -> None:
    """Log each ``fit`` and ``test`` of a PyTorch Lightning Trainer.

    Params: ``epochs``, ``optimizer_name`` and the optimizer's defaults (``lr`` …), of early
    stopping ``monitor``, ``mode``, ``patience``, ``min_delta``, ``stopped_epoch``. Metrics:
    what the module logs, by epoch; after early stopping ``stopped_epoch``, ``restored_epoch``,
    ``best_score``, ``wait_count``. Artifact ``model_summary.txt``.

    Args:
        log_every_n_epoch: Log the metrics of every n-th epoch.
        log_every_n_step: Also log metrics that the module logs by step, at every n-th step.
        log_models: Log the trained model as ``model``.
        log_datasets: Accepted for MLflow's sake.
        disable: Switch it off, and put the Trainer's own methods back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        registered_model_name: Make the model a version of this registered model.
        extra_tags: Tags for the runs that autologging starts.

    Raises:
        InvalidValue: An interval is less than one.
    """
    for name, value in (("log_every_n_epoch", log_every_n_epoch), ("log_every_n_step", log_every_n_step)):
        if value is not None and value < 1:
            raise InvalidValue(name, value, "a whole number from 1")
    with _lock:
        _patches.restore()
        if disable:
            return
        models = ModelOptions(log_models, registered=registered_model_name)
        options = Options("lightning", exclusive=exclusive, silent=silent, extra_tags=extra_tags, models=models)
        for package in _packages():
            callback = _callback(package.__name__)

            def around_fit(
                original: Any, trainer: Any, *args: Any, package: Any = package, callback: Any = callback, **kwargs: Any
            ) -> Any:
                with training(options) as active:
                    if active is None:
                        return original(trainer, *args, **kwargs)
                    hooks = callback(active, log_every_n_epoch, log_every_n_step)
                    return _fit(active, package, hooks, original, trainer, args, kwargs)

            def around_test(original: Any, trainer: Any, *args: Any, **kwargs: Any) -> Any:
                with training(options) as active:
                    result = original(trainer, *args, **kwargs)
                    if active is not None:
                        with safely(options, "test metrics"):
                            found = numbers(trainer.callback_metrics)
                            active.run.log_batch(metrics=points(found, 0), tags={"Mode": "testing"})
                    return result

            _patches.wrap(package.Trainer, "fit", around_fit)
            _patches.wrap(package.Trainer, "test", around_test)


def _packages() -> list[Any]:
    """Return Lightning under each of its two names that is imported; the new one if neither is."""
    found = []
    if "lightning" in sys.modules or "pytorch_lightning" not in sys.modules:
        import lightning.pytorch

        found.append(lightning.pytorch)
    if "pytorch_lightning" in sys.modules:
        import pytorch_lightning

        found.append(pytorch_lightning)
    return found


def _fit(
    active: Training,
    package: Any,
    hooks: Any,
    original: Any,
    trainer: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    options = active.options
    stopper = next((one for one in trainer.callbacks if isinstance(one, package.callbacks.EarlyStopping)), None)
    if stopper is not None:
        with safely(options, "params of early stopping"):
            names = ("monitor", "mode", "patience", "min_delta", "stopped_epoch")
            active.run.log_params({name: getattr(stopper, name) for name in names})
    trainer.callbacks.append(hooks)
    try:
        result = original(trainer, *args, **kwargs)
    finally:
        trainer.callbacks.remove(hooks)
    with safely(options, "the summary"):
        model = args[0] if args else kwargs.get("model")
        if stopper is not None and stopper.stopped_epoch:
            found = {
                "stopped_epoch": stopper.stopped_epoch,
                "restored_epoch": stopper.stopped_epoch - max(1, stopper.patience),
                "best_score": stopper.best_score,
                "wait_count": stopper.wait_count,
            }
            active.run.log_batch(metrics=points(numbers(found), 0))
        summary = package.utilities.model_summary.ModelSummary(model, max_depth=-1)
        active.run.add_artifact_bytes("model_summary.txt", str(summary).encode())
    if trainer.is_global_zero:
        active.log_model(args[0] if args else kwargs.get("model"))
    return result


@functools.cache
def _callback(package: str) -> Any:
    """Return the callback's class for Lightning under the name *package*; each has its own base."""
    base = importlib.import_module(package).Callback
    return type("LedgitCallback", (_Hooks, base), {"__module__": __name__, "package": package})


def _rebuild(package: str, *args: Any) -> Any:
    return _callback(package)(*args)


class _Hooks:
    """What the Trainer calls while it fits."""

    package: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to the worker processes that a strategy spawns: the class is made anew there."""
        return _rebuild, (self.package, self._active, self._every_epoch, self._every_step)

    def __init__(self, active: Training, every_epoch: int, every_step: int | None) -> None:
        self._active = active
        self._every_epoch = every_epoch
        self._every_step = every_step
        self._by_step: set[str] = set()
        self._by_epoch: set[str] = set()

    def on_train_start(self, trainer: Any, module: Any) -> None:  # noqa: ARG002
        if not trainer.is_global_zero:
            return
        with safely(self._active.options, "params"):
            params: dict[str, Any] = {"epochs": trainer.max_epochs}
            if trainer.optimizers:
                optimizer = trainer.optimizers[0]
                params["optimizer_name"] = type(getattr(optimizer, "_optimizer", optimizer)).__name__
                params.update(getattr(optimizer, "defaults", {}))
            self._active.run.log_batch(params=params, tags={"Mode": "training"})

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        if not trainer.is_global_zero:
            return
        values = {name: value for name, value in trainer.callback_metrics.items() if name not in self._by_step}
        self._by_epoch.update(values)
        if (module.current_epoch + 1) % self._every_epoch == 0:
            self._log(values, module.current_epoch)

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:  # noqa: ARG002
        if self._every_step is None or not trainer.is_global_zero:
            return
        found = trainer.callback_metrics
        # A metric logged both ways shows up thrice: "loss_step" is the one that belongs here.
        values = {name: found[name] for name in found if name not in self._by_epoch and f"{name}_step" not in found}
        self._by_step.update(values)
        if (trainer.global_step // max(1, len(trainer.optimizers))) % self._every_step == 0:
            self._log(values, trainer.global_step)

    def _log(self, values: Mapping[str, Any], step: int) -> None:
        with safely(self._active.options, "metrics"):
            self._active.run.log_batch(metrics=points(numbers(values), step))
