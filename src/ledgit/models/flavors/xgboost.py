"""XGBoost: boosters and the estimators around them, in XGBoost's own format, which holds no code.

``model.ubj`` or ``model.json``, and MLflow's keys: ``data``, ``model_class``, ``model_format``, ``xgb_version``.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidValue, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "XGBoost"]

FORMATS = ("ubj", "json")
BOOSTER = "xgboost.core.Booster"


class XGBoost(BaseFlavor):
    """``Booster`` and ``XGBModel`` with all that derive from it."""

    name = "xgboost"
    loader_module = "mlflow.xgboost"
    package = "xgboost"
    module = "xgboost"
    argument = "xgb_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"model_format": "ubj"})

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``model.ubj``, or ``model.json`` for ``model_format="json"``."""
        xgboost = import_library(self)
        kind = options["model_format"] or "ubj"
        if kind not in FORMATS:
            raise InvalidValue("model_format", kind, " or ".join(FORMATS))
        if not isinstance(model, xgboost.Booster | xgboost.XGBModel):
            raise InvalidValue("the model", model, "an xgboost.Booster or one of XGBoost's estimators")
        file = f"model.{kind}"
        try:
            model.save_model(os.path.join(folder, file))
        except (xgboost.core.XGBoostError, TypeError) as error:
            raise UsageError(f"XGBoost can't save the model: {_first_line(error)}") from error
        except Exception as error:
            # scikit-learn's NotFittedError, which comes with scikit-learn alone.
            if type(error).__name__ != "NotFittedError":
                raise
            raise UsageError("the model is not fitted, so there is nothing to save") from error
        own = _own_class(xgboost, model)
        packages = () if own == BOOSTER else ("scikit-learn",)
        flavor = {"xgb_version": xgboost.__version__, "data": file, "model_class": own, "model_format": kind}
        return Saved(flavor=flavor, pyfunc={"data": file}, packages=packages)

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:  # noqa: ARG002 - no code in it
        """Read the booster or estimator.

        Raises:
            RecordError: The file does not decode, or the MLmodel names a class that is none of XGBoost's.
        """
        xgboost = import_library(self)
        name = str(stored.flavor.get("model_class") or BOOSTER)
        cls = _classes(xgboost).get(name.rpartition(".")[2]) if name.startswith("xgboost.") else None
        if cls is None:
            raise RecordError(trust.model, f"its class {name!r} is none of XGBoost's models")
        file = str(stored.flavor.get("data") or "model.xgb")
        path = inside(stored.folder, file)
        model = cls()
        try:
            model.load_model(path)
        except (xgboost.core.XGBoostError, ValueError, TypeError, KeyError) as error:
            raise RecordError(f"{trust.model} ({file})", f"XGBoost can't read it: {_first_line(error)}") from error
        return model

    def predictor(self, model: Any, stored: Stored) -> Predictor:  # noqa: ARG002 - the protocol's
        """Return ``predict``, on a ``DMatrix`` for a booster; params are its arguments."""
        xgboost = import_library(self)
        allowed = set(inspect.signature(model.predict).parameters)

        def predict(data: Any, params: Mapping[str, Any] | None) -> Any:
            arguments = {key: value for key, value in (params or {}).items() if key in allowed}
            if isinstance(model, xgboost.Booster):
                data = xgboost.DMatrix(data)
            return model.predict(data, **arguments)

        return predict


def _classes(xgboost: Any) -> dict[str, type]:
    """Return the classes that can be loaded, by name: never one that a file makes up."""
    bases = (xgboost.Booster, xgboost.XGBModel)
    found = {name: getattr(xgboost, name) for name in xgboost.__all__}
    return {name: cls for name, cls in found.items() if isinstance(cls, type) and issubclass(cls, bases)}


def _own_class(xgboost: Any, model: Any) -> str:
    """Return the full name of the model's class, or of the one of XGBoost's that it derives from."""
    known = set(_classes(xgboost).values())
    cls = next(cls for cls in type(model).__mro__ if cls in known)
    return f"{cls.__module__}.{cls.__qualname__}"


def _first_line(error: BaseException) -> str:
    """Return what a C++ library says, without its stack."""
    text = str(error).strip()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("Stack trace", "  ["))]
    return (lines[0] if lines else type(error).__name__)[:300]


FLAVOR = XGBoost()
