"""Keras: a ``.keras`` file, read in Keras' safe mode, which runs no code of the file's.

``data/model.keras`` and ``data/keras_module.txt``, and MLflow's keys: ``data``, ``keras_version``, ``keras_backend``,
``save_exported_model``. Only what the file holds as Python code (a lambda in a layer) needs consent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library
from ledgit.models.kinds import is_frame
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "Keras"]

#: Before, files could get around safe mode: CVE-2025-1550, CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058.
SAFE = (3, 12)
DATA, FILE, MODULE = "data", "model.keras", "keras_module.txt"


class Keras(BaseFlavor):
    """``keras.Model`` and all that derives from it, of Keras 3 on any backend."""

    name = "keras"
    loader_module = "mlflow.keras"
    package = "keras"
    module = "keras"
    argument = "model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"save_model_kwargs": None})
    load_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"custom_objects": None, "load_model_kwargs": None})

    def recognizes(self, model: object) -> bool:
        """Whether it is a ``keras.Model``."""
        return any(
            cls.__name__ == "Model" and str(cls.__module__).partition(".")[0] == "keras" for cls in type(model).__mro__
        )

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``data/model.keras``."""
        keras = import_library(self)
        if not isinstance(model, keras.Model):
            raise InvalidValue("the model", model, "a keras.Model")
        data = os.path.join(folder, DATA)
        os.makedirs(data)
        with open(os.path.join(data, MODULE), "w", encoding="utf-8") as stream:
            stream.write("keras")
        try:
            model.save(os.path.join(data, FILE), **(options["save_model_kwargs"] or {}))
        except (ValueError, TypeError, NotImplementedError) as error:
            raise UsageError(f"Keras can't save the model: {error}") from error
        backend = str(keras.backend.backend())
        flavor = {
            "data": DATA,
            "keras_version": keras.__version__,
            "keras_backend": backend,
            "save_exported_model": False,
        }
        return Saved(flavor=flavor, packages=(backend,) if backend in {"torch", "jax", "tensorflow"} else ())

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Read the model.

        Args:
            stored: Where it is.
            trust: Needed for lambdas in layers, and for what TensorFlow exported.
            options: ``custom_objects``: name → class of your own; ``load_model_kwargs``: for Keras' ``load_model``.
        """
        keras = import_library(self)
        data = str(stored.flavor.get("data") or DATA)
        folder = inside(stored.folder, data)
        if stored.flavor.get("save_exported_model"):
            trust.require(f"{data}/ (what TensorFlow exported)")
            return import_library(self, "tensorflow", "tensorflow").saved_model.load(os.path.join(folder, "model"))
        path = os.path.join(folder, FILE) if os.path.isdir(folder) else folder
        given = {"custom_objects": options["custom_objects"], **(options["load_model_kwargs"] or {})}
        if given.pop("safe_mode", True) is False:
            trust.require(f"what layers in {FILE} hold as code")
            return _read(keras, path, trust, {**given, "safe_mode": False})
        version = tuple(int(part) for part in keras.__version__.split(".")[:2])
        if version < SAFE:
            trust.require(f"{FILE} (Keras {keras.__version__} is known to run code in safe mode too, 3.12 is not)")
        try:
            return keras.saving.load_model(path, **given, safe_mode=True)
        except Exception as error:
            # Keras raises what it meets; that safe mode was in the way stands in the text alone.
            if "safe_mode" not in str(error) and "unsafe" not in str(error).lower():
                raise _unreadable(trust, error) from error
        trust.require(f"what layers in {FILE} hold as code")
        return _read(keras, path, trust, {**given, "safe_mode": False})

    def predictor(self, model: Any, stored: Stored) -> Predictor:  # noqa: ARG002 - the protocol's
        """Return ``predict``, without its progress bar: a frame gives a frame, anything else an array."""
        keras = import_library(self)
        exported = not hasattr(model, "predict")  # what TensorFlow exported serves

        def predict(data: Any, params: Mapping[str, Any] | None) -> Any:  # noqa: ARG001 - the protocol's
            rows = data.to_numpy() if is_frame(data) else data
            try:
                found = model.serve(rows) if exported else model.predict(rows, verbose=0)
            except (ValueError, TypeError) as error:
                raise InvalidModelInput("", f"the Keras model did not predict: {error}") from error
            if not is_frame(data):
                return keras.tree.map_structure(keras.ops.convert_to_numpy, found)
            import pandas as pd

            return pd.DataFrame(found, index=data.index)

        return predict


def _read(keras: Any, path: str, trust: Trust, options: Mapping[str, Any]) -> Any:
    try:
        return keras.saving.load_model(path, **options)
    except Exception as error:
        # zipfile's, h5py's, Keras' and built-in errors alike for what does not decode.
        raise _unreadable(trust, error) from error


def _unreadable(trust: Trust, error: BaseException) -> RecordError:
    said = str(error).strip().splitlines()
    first = said[0] if said else type(error).__name__
    return RecordError(
        f"{trust.model} ({FILE})", f"Keras can't read it: {first[:300]} (classes of your own: custom_objects={{...}})"
    )


FLAVOR = Keras()
