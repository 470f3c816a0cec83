"""LightGBM: a booster as LightGBM's own text, an estimator as skops; neither holds code.

``model.lgb`` or ``model.skops``, and MLflow's keys: ``data``, ``model_class``, ``lgb_version``,
``serialization_format``, ``skops_trusted_types``. With ``serialization_format="cloudpickle"`` an estimator becomes
``model.pkl``, which needs consent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidValue, RecordError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Saved, Stored, get_flavor, import_library
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "LightGBM"]

BOOSTER = "lightgbm.basic.Booster"
FILE = "model.lgb"
#: What LightGBM's estimators are made of. None of these runs code of the file's: a booster reads its text.
TRUSTED = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMModel",
    "lightgbm.sklearn.LGBMRanker",
    "lightgbm.sklearn.LGBMRegressor",
)


class LightGBM(BaseFlavor):
    """``Booster`` and ``LGBMModel`` with all that derive from it."""

    name = "lightgbm"
    loader_module = "mlflow.lightgbm"
    package = "lightgbm"
    module = "lightgbm"
    argument = "lgb_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"serialization_format": "skops", "skops_trusted_types": None}
    )
    load_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"skops_trusted_types": None})

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``model.lgb`` for a booster, else ``model.skops`` or what ``serialization_format`` says."""
        lightgbm = import_library(self)
        if not isinstance(model, lightgbm.Booster | lightgbm.LGBMModel):
            raise InvalidValue("the model", model, "a lightgbm.Booster or one of LightGBM's estimators")
        version = {"lgb_version": lightgbm.__version__}
        if isinstance(model, lightgbm.Booster):
            model.save_model(os.path.join(folder, FILE))
            return Saved(flavor={**version, "data": FILE, "model_class": BOOSTER}, pyfunc={"data": FILE})
        kind = options["serialization_format"] or "skops"
        trusted = sorted({*TRUSTED, *(options["skops_trusted_types"] or ())}) if kind == "skops" else None
        sklearn = get_flavor("sklearn")
        own = {"serialization_format": kind, "skops_trusted_types": trusted}
        saved = sklearn.save(model, folder, {**sklearn.save_options, **own})
        file = str(saved.flavor["pickled_model"])
        name = f"{type(model).__module__}.{type(model).__qualname__}"
        flavor = {**version, "data": file, "model_class": name, **own}
        return Saved(flavor=flavor, pyfunc={"data": file}, packages=("scikit-learn", *saved.packages))

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Read the booster or estimator; a pickle needs consent.

        Raises:
            RecordError: The file does not decode.
        """
        lightgbm = import_library(self)
        entry = stored.flavor
        file = str(entry.get("data") or FILE)
        if entry.get("model_class", BOOSTER) != BOOSTER:
            kind = entry.get("serialization_format") or "cloudpickle"
            inner = {**entry, "pickled_model": file, "serialization_format": kind}
            given = [*TRUSTED, *(options["skops_trusted_types"] or ())]
            return get_flavor("sklearn").load(
                Stored(stored.folder, inner, stored.pyfunc, stored.metadata), trust, {"skops_trusted_types": given}
            )
        try:
            return lightgbm.Booster(model_file=inside(stored.folder, file))
        except (lightgbm.basic.LightGBMError, ValueError, OSError) as error:
            raise RecordError(f"{trust.model} ({file})", f"LightGBM can't read it: {error}") from error


FLAVOR = LightGBM()
