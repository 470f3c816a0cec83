"""Transformers: ``Trainer.train`` logs its arguments, the model's configuration, and what it reports."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ledgit.tracking.autologging.patching import Options, Patches, Training, numbers, points, safely, training

__all__ = ["autolog"]

_patches = Patches()
_lock = threading.RLock()


def autolog(
    log_input_examples: bool = False,  # noqa: ARG001 - MLflow's signature
    log_model_signatures: bool = False,  # noqa: ARG001
    log_models: bool = False,  # noqa: ARG001
    log_datasets: bool = False,  # noqa: ARG001
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    extra_tags: Mapping[str, str] | None = None,
) -> None:
    """Log each training and evaluation of a Hugging Face Trainer.

    Params: the TrainingArguments and the model's configuration (what both have is the
    arguments'). Metrics: what the Trainer reports (``loss``, ``learning_rate``, ``eval_loss``,
    ``train_runtime`` …) with the global step.

    Args:
        log_input_examples: Accepted for MLflow's sake.
        log_model_signatures: Accepted for MLflow's sake.
        log_models: Accepted for MLflow's sake; models are not logged yet.
        log_datasets: Accepted for MLflow's sake.
        disable: Switch it off, and put the Trainer's own method back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        extra_tags: Tags for the runs that autologging starts.
    """
    with _lock:
        _patches.restore()
        if disable:
            return
        from transformers.trainer import Trainer
        from transformers.trainer_callback import TrainerCallback

        options = Options("transformers", exclusive=exclusive, silent=silent, extra_tags=extra_tags)
        callback = type("LedgitCallback", (_Hooks, TrainerCallback), {"__module__": __name__})

        def around(original: Any, trainer: Any, *args: Any, **kwargs: Any) -> Any:
            with training(options) as active:
                if active is None:
                    return original(trainer, *args, **kwargs)
                hooks = callback(active)
                trainer.add_callback(hooks)
                try:
                    return original(trainer, *args, **kwargs)
                finally:
                    trainer.remove_callback(hooks)

        _patches.wrap(Trainer, "train", around)


class _Hooks:
    """What the Trainer calls while it trains."""

    def __init__(self, active: Training) -> None:
        self._active = active

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        if not state.is_world_process_zero:
            return
        with safely(self._active.options, "params"):
            config = getattr(model, "config", None)
            params = {**(config.to_dict() if config is not None else {}), **args.to_sanitized_dict()}
            self._active.run.log_params({key: _plain(value) for key, value in params.items()})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        if state.is_world_process_zero and logs:
            with safely(self._active.options, "metrics"):
                self._active.run.log_batch(metrics=points(numbers(logs), state.global_step))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)[:6000]
