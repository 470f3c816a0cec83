"""Autologging XGBoost, LightGBM, Lightning, Keras and Transformers: the real libraries, tiny trainings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledgit
from ledgit.errors import InvalidValue, UsageError

os.environ.setdefault("KERAS_BACKEND", "torch")

pytestmark = [
    pytest.mark.frameworks,
    # The libraries' own: about loggers, workers, GPUs, and deprecations among themselves.
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::ledgit.errors.LedgitWarning"),
]


@pytest.fixture(autouse=True)
def _off(repo: Path) -> Iterator[None]:
    yield
    ledgit.autolog(disable=True)


@pytest.fixture
def data() -> tuple[Any, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 4))
    return x, (x[:, 0] + 0.1 * generator.normal(size=80) > 0).astype(int)


def only() -> ledgit.Run:
    (run,) = ledgit.open().runs
    assert "FINISHED" == run.status
    return run


def test_xgboost_train_logs_params_rounds_and_importance(data: tuple[Any, Any]) -> None:
    """A metric a round under ``<data set>-<metric>``."""
    import xgboost as xgb

    ledgit.xgboost.autolog(importance_types=["weight", "gain"])
    matrix = xgb.DMatrix(data[0], label=data[1])
    params = {"objective": "binary:logistic", "max_depth": 2, "nthread": 1}
    result: dict[str, Any] = {}
    xgb.train(params, matrix, num_boost_round=5, evals=[(matrix, "train")], evals_result=result, verbose_eval=False)

    run = only()
    assert ("binary:logistic", 2, 5) == (
        run.params["objective"],
        run.params["max_depth"],
        run.params["num_boost_round"],
    )
    assert result["train"]["logloss"] == list(run.history("train-logloss").values)
    assert [0, 1, 2, 3, 4] == list(run.history("train-logloss").steps)
    for kind in ("weight", "gain"):
        assert "f0" in json.loads(run.read_artifact(f"feature_importance_{kind}.json"))
    assert [80, 4] == json.loads(run.record().inputs[0].profile)["features_shape"]
    assert "xgboost" == run.tags["mlflow.autologging"]


def test_xgboost_estimators_log_with_early_stopping(data: tuple[Any, Any]) -> None:
    """Through scikit-learn's interface; the best round's metrics come last."""
    from xgboost import XGBClassifier

    ledgit.xgboost.autolog()
    model = XGBClassifier(n_estimators=60, max_depth=2, early_stopping_rounds=2, n_jobs=1, learning_rate=1.0)
    model.fit(data[0][:50], data[1][:50], eval_set=[(data[0][50:], data[1][50:])], verbose=False)

    run = only()
    best = model.best_iteration
    assert (best, best + 2) == (run.metrics["best_iteration"], run.metrics["stopped_iteration"])
    history = model.evals_result()["validation_0"]["logloss"]
    assert history[best] == run.metrics["validation_0-logloss"]
    assert [*history, history[best]] == list(run.history("validation_0-logloss").values)
    assert (2, 60) == (run.params["max_depth"], run.params["num_boost_round"])


def test_a_search_over_xgboost_is_one_search(data: tuple[Any, Any]) -> None:
    """Its many fits are steps of it, not runs."""
    from sklearn.model_selection import GridSearchCV
    from xgboost import XGBClassifier

    ledgit.autolog()
    GridSearchCV(XGBClassifier(n_estimators=2, n_jobs=1), {"max_depth": [1, 2]}, cv=2).fit(*data)

    parents = [run for run in ledgit.open().runs if run.parent_run is None]
    assert ["GridSearchCV"] == [run.tags["estimator_name"] for run in parents]
    assert 3 == len(ledgit.open().runs)


def test_lightgbm_train_logs_params_rounds_and_importance(data: tuple[Any, Any]) -> None:
    """As XGBoost; early stopping by its callback."""
    import lightgbm as lgb

    ledgit.lightgbm.autolog()
    train = lgb.Dataset(data[0][:50], label=data[1][:50], params={"verbose": -1})
    valid = lgb.Dataset(data[0][50:], label=data[1][50:], reference=train)
    result: dict[str, Any] = {}
    model = lgb.train(
        {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1, "learning_rate": 0.9},
        train,
        num_boost_round=40,
        valid_sets=[valid],
        valid_names=["valid"],
        callbacks=[lgb.record_evaluation(result), lgb.early_stopping(2, verbose=False)],
    )

    run = only()
    assert ("binary", 4, 40) == (run.params["objective"], run.params["num_leaves"], run.params["num_boost_round"])
    history = result["valid"]["binary_logloss"]
    best = model.best_iteration - 1
    assert [*history, history[best]] == list(run.history("valid-binary_logloss").values)
    assert (best, len(history) - 1) == (run.metrics["best_iteration"], run.metrics["stopped_iteration"])
    for kind in ("split", "gain"):
        assert 4 == len(json.loads(run.read_artifact(f"feature_importance_{kind}.json")))
    assert [50, 4] == json.loads(run.record().inputs[0].profile)["features_shape"]


def test_lightgbm_estimators_log_too(data: tuple[Any, Any]) -> None:
    """And with both switched on a fit is still one run."""
    from lightgbm import LGBMRegressor

    ledgit.autolog()
    LGBMRegressor(n_estimators=3, num_leaves=3, verbose=-1, n_jobs=1).fit(*data, eval_set=[(data[0][:9], data[1][:9])])

    run = only()
    assert 3 == run.params["num_boost_round"]
    assert 3 == len(run.history("valid_0-l2"))


def lightning_parts(name: str) -> tuple[Any, Any, Any]:
    import importlib

    import torch

    pl = importlib.import_module(name)

    class Net(pl.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def training_step(self, batch: Any, index: int) -> Any:
            loss = self.layer(batch[0]).pow(2).mean()
            self.log("loss", loss)
            self.log("by_step", loss, on_step=True, on_epoch=False)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", torch.tensor(1.0))

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test_loss", torch.tensor(0.5))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.02)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 2)), batch_size=4)
    return pl, Net(), loader


QUIET = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "accelerator": "cpu",
}


@pytest.mark.parametrize("name", ["lightning.pytorch", "pytorch_lightning"])
def test_lightning_logs_params_epochs_and_a_summary(name: str) -> None:
    """Under either of its names."""
    pl, net, loader = lightning_parts(name)
    ledgit.lightning.autolog(log_models=False)
    trainer = pl.Trainer(max_epochs=3, **QUIET)
    callbacks = list(trainer.callbacks)
    trainer.fit(net, loader, loader)

    run = only()
    assert (3, "Adam", 0.02) == (run.params["epochs"], run.params["optimizer_name"], run.params["lr"])
    assert [0, 1, 2] == list(run.history("val_loss").steps) == list(run.history("loss").steps)
    assert "Linear" in run.read_artifact("model_summary.txt").decode()
    assert "training" == run.tags["Mode"]
    assert callbacks == trainer.callbacks


def test_lightning_logs_early_stopping_steps_and_tests() -> None:
    """The validation loss never improves, so it stops at once."""
    pl, net, loader = lightning_parts("lightning.pytorch")
    ledgit.pytorch.autolog(log_every_n_step=1, log_models=False)
    stop = pl.callbacks.EarlyStopping("val_loss", patience=1, min_delta=0.1)
    trainer = pl.Trainer(max_epochs=9, callbacks=[stop], **QUIET)
    with ledgit.start_run():
        trainer.fit(net, loader, loader)
        trainer.test(net, loader, verbose=False)

    run = only()
    assert ("val_loss", "min", 1) == (run.params["monitor"], run.params["mode"], run.params["patience"])
    assert (1.0, 0.0, 1.0) == tuple(run.metrics[key] for key in ("stopped_epoch", "restored_epoch", "best_score"))
    assert 4 == len(run.history("by_step"))
    assert (0.5, "testing") == (run.metrics["test_loss"], run.tags["Mode"])
    with pytest.raises(InvalidValue):
        ledgit.lightning.autolog(log_every_n_epoch=0)


def test_a_callback_that_goes_to_another_process_joins_the_run() -> None:
    """Strategies that spawn workers pickle the Trainer with its callbacks."""
    import pickle

    from ledgit.tracking.autologging.lightning import _callback
    from ledgit.tracking.autologging.patching import Options, Training

    with ledgit.start_run() as run:
        here = _callback("lightning.pytorch")(Training(run.store, Options("lightning"), own=True), 1, None)
        there = pickle.loads(pickle.dumps(here))
        there._log({"m": 1.0}, 3)
        there._active.run.finish()
        assert "RUNNING" == run.status

    assert (type(here), [3]) == (type(there), list(run.history("m").steps))


def test_libraries_imported_later_log_too_and_cost_nothing_before(script: Any) -> None:
    """``autolog()`` imports none of them; ``import transformers`` still does not load torch."""
    script(
        """
        import sys, ledgit
        ledgit.autolog()
        heavy = {"sklearn", "xgboost", "lightgbm", "lightning", "keras", "transformers", "torch", "numpy"}
        assert not heavy & sys.modules.keys()
        import transformers
        assert "torch" not in sys.modules
        from transformers import Trainer
        import lightning.pytorch, xgboost
        for method in (Trainer.train, lightning.pytorch.Trainer.fit, xgboost.train):
            assert method.__wrapped__.__name__ == method.__name__
        """
    )


def keras_model() -> Any:
    import keras

    assert "torch" == keras.backend.backend()
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.125), loss="mse", metrics=["mae"])
    return model


def test_keras_logs_params_epochs_and_a_summary(data: tuple[Any, Any]) -> None:
    """With the torch backend."""
    model = keras_model()
    ledgit.keras.autolog()
    history = model.fit(*data, epochs=2, batch_size=40, validation_split=0.25, verbose=0)

    run = only()
    assert (2, 40, 0.25) == (run.params["epochs"], run.params["batch_size"], run.params["validation_split"])
    assert ("sgd", 0.125) == (run.params["optimizer_name"], run.params["optimizer_learning_rate"])
    assert {"loss", "mae", "val_loss", "val_mae"} == set(run.metrics)
    assert history.history["val_loss"] == list(run.history("val_loss").values)
    assert "dense" in run.read_artifact("model_summary.txt").decode()
    assert [80, 4] == json.loads(run.record().inputs[0].profile)["features_shape"]


def test_keras_logs_early_stopping_and_steps(data: tuple[Any, Any]) -> None:
    """The user's own callbacks stay."""
    import keras

    model = keras_model()
    stop = keras.callbacks.EarlyStopping("loss", min_delta=100, patience=1, restore_best_weights=True)
    ledgit.keras.autolog(log_every_epoch=False, log_every_n_steps=2)
    model.fit(*data, None, 9, 0, [stop])

    run = only()
    assert ("loss", 1, True) == tuple(run.params[key] for key in ("monitor", "patience", "restore_best_weights"))
    assert (1.0, 0.0) == (run.metrics["stopped_epoch"], run.metrics["restored_epoch"])
    assert [2, 4, 6] == list(run.history("loss").steps)
    for options in ({"log_every_epoch": False}, {"log_every_n_steps": 3}):
        with pytest.raises(UsageError):
            ledgit.keras.autolog(**options)


def test_transformers_logs_arguments_configuration_and_reports(tmp_path: Path) -> None:
    """A random model of a few hundred weights; nothing is downloaded."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=2
    )
    rows = [{"input_ids": torch.tensor([1, 2, 3]), "labels": torch.tensor(n % 2)} for n in range(8)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, logging_steps=2, eval_strategy="steps", eval_steps=2, report_to=[],
        per_device_train_batch_size=2, disable_tqdm=True, use_cpu=True, save_strategy="no", learning_rate=0.25,
    )  # fmt: skip
    trainer = Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows, eval_dataset=rows)
    ledgit.transformers.autolog()
    trainer.train()

    run = only()
    assert (8, 0.25, 4) == tuple(run.params[key] for key in ("hidden_size", "learning_rate", "max_steps"))
    assert [2, 4] == list(run.history("loss").steps) == list(run.history("eval_loss").steps)
    assert "train_runtime" in run.metrics


def test_a_training_that_fails_fails_its_run(data: tuple[Any, Any]) -> None:
    """In each library the run is the training's."""
    import lightgbm as lgb
    import xgboost as xgb

    ledgit.autolog()
    with pytest.raises(xgb.core.XGBoostError):
        xgb.train({"objective": "none"}, xgb.DMatrix(data[0], label=data[1]))
    with pytest.raises(lgb.basic.LightGBMError):
        lgb.train({"objective": "none at all", "verbose": -1}, lgb.Dataset(data[0], label=data[1]))

    assert ["FAILED", "FAILED"] == [run.status for run in ledgit.open().runs]


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "keras", "transformers", "lightning"])
def test_switching_off_puts_everything_back(library: str) -> None:
    """However often it was switched on."""
    import keras
    import lightgbm
    import lightning.pytorch
    import transformers
    import xgboost

    owner, name = {
        "xgboost": (xgboost, "train"),
        "lightgbm": (lightgbm, "train"),
        "keras": (keras.Model, "fit"),
        "transformers": (transformers.Trainer, "train"),
        "lightning": (lightning.pytorch.Trainer, "fit"),
    }[library]
    autolog = getattr(ledgit, library).autolog
    autolog(disable=True)
    original = getattr(owner, name)
    autolog()
    autolog()
    assert original is not getattr(owner, name)
    autolog(disable=True)

    assert original is getattr(owner, name)
