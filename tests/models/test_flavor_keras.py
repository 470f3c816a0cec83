"""Keras: the ``.keras`` file, the same in Ledgit and MLflow, in both directions; no code of the file's runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pandas as pd
import pytest
from tests.models.real_mlflow import real_mlflow

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UntrustedModel
from ledgit.models.faces import face
from ledgit.models.flavors import flavor_for
from ledgit.models.loading import load_model

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.usefixtures("repo"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras and NumPy 2
]

DATA = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
KERAS = face("keras")


@keras.saving.register_keras_serializable("mine")
class Double(keras.layers.Layer):
    """A layer of the user's own."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


def small(*layers: Any) -> Any:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(2)])


def test_a_saved_model_predicts_the_same_everywhere(tmp_path: Path) -> None:
    model = small(keras.layers.Dense(4, activation="relu"))
    model.compile("adam", "mse")
    want = model.predict(DATA, verbose=0)
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    with real_mlflow(tmp_path) as mlflow:
        info = KERAS.save_model(model, here, input_example=DATA)
        mlflow.keras.save_model(model, there, pip_requirements=["keras"])

        for folder in (here, there):
            for native in (KERAS.load_model(folder, trust=False), mlflow.keras.load_model(folder)):
                np.testing.assert_allclose(want, native.predict(DATA, verbose=0), rtol=1e-6)
                assert "mse" == native.loss
            for loaded in (load_model(folder, trust=False), mlflow.pyfunc.load_model(folder)):
                np.testing.assert_allclose(want, loaded.predict(DATA), rtol=1e-6)

    assert "keras" == flavor_for(model).name
    assert (-1, 3) == info.get_input_schema().inputs[0].shape
    needed = {line.partition("==")[0] for line in Path(here, "requirements.txt").read_text().split()}
    assert {"keras", "torch"} <= needed


def test_a_frame_gives_a_frame_and_nothing_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not even Keras' progress bar."""
    model = small()
    KERAS.save_model(model, tmp_path / "model")
    loaded = load_model(str(tmp_path / "model"))
    frame = pd.DataFrame(DATA, index=list("abcde"))

    found = loaded.predict(frame)

    assert ("", "") == tuple(capsys.readouterr())
    assert list("abcde") == list(found.index)
    np.testing.assert_allclose(model.predict(DATA, verbose=0), found.to_numpy(), rtol=1e-6)
    with pytest.raises(InvalidModelInput, match="did not predict"):
        loaded.predict(DATA[:, :2])


def test_classes_of_ones_own_are_named_or_registered(tmp_path: Path) -> None:
    model = small(Double())
    KERAS.save_model(model, tmp_path / "model")

    np.testing.assert_allclose(
        model.predict(DATA, verbose=0), KERAS.load_model(str(tmp_path / "model"), trust=False).predict(DATA, verbose=0)
    )


def test_code_in_a_layer_needs_consent(tmp_path: Path) -> None:
    """A lambda is stored as Python's bytecode, and runs."""
    model = small(keras.layers.Lambda(lambda x: x + 1))
    KERAS.save_model(model, tmp_path / "model")

    with pytest.raises(UntrustedModel, match=r"what layers in model\.keras hold as code"):
        KERAS.load_model(str(tmp_path / "model"), trust=False)
    with pytest.raises(UntrustedModel):
        KERAS.load_model(str(tmp_path / "model"), trust=False, load_model_kwargs={"safe_mode": False})

    again = KERAS.load_model(str(tmp_path / "model"), trust=True)
    np.testing.assert_allclose(model.predict(DATA, verbose=0), again.predict(DATA, verbose=0), rtol=1e-6)


def test_a_keras_whose_safe_mode_is_not_safe_needs_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KERAS.save_model(small(), tmp_path / "model")
    monkeypatch.setattr(keras, "__version__", "3.8.0")

    with pytest.raises(UntrustedModel, match=r"Keras 3\.8\.0 is known to run code"):
        KERAS.load_model(str(tmp_path / "model"), trust=False)


def test_damaged_files_and_what_is_no_model_are_said_to_be(tmp_path: Path) -> None:
    KERAS.save_model(small(), tmp_path / "model")
    (tmp_path / "model" / "data" / "model.keras").write_bytes(b"nonsense")

    with pytest.raises(RecordError, match=r"model\.keras"):
        load_model(str(tmp_path / "model"))
    with pytest.raises(InvalidValue, match=r"keras\.Model"):
        KERAS.save_model(3, tmp_path / "other")
