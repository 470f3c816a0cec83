"""scikit-learn: estimators and pipelines, as skops by default, which holds no code.

``model.skops`` or ``model.pkl``, and MLflow's keys in the MLmodel: ``pickled_model``, ``serialization_format``,
``sklearn_version``, ``skops_trusted_types``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidValue, MissingDependency, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library, types_from
from ledgit.models.flavors.skops_names import settle_names
from ledgit.models.flavors.skops_types import is_harmless
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "Sklearn"]

SKOPS, PICKLE, CLOUDPICKLE = "skops", "pickle", "cloudpickle"
FORMATS = (SKOPS, CLOUDPICKLE, PICKLE)
PREDICT = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba", "score", "transform")


class Sklearn(BaseFlavor):
    """Everything with scikit-learn's ``BaseEstimator`` among its classes."""

    name = "sklearn"
    loader_module = "mlflow.sklearn"
    package = "scikit-learn"
    module = "sklearn"
    argument = "sk_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"serialization_format": SKOPS, "skops_trusted_types": None, "pyfunc_predict_fn": "predict"}
    )
    load_options: ClassVar[Mapping[str, Any]] = MappingProxyType({"skops_trusted_types": None})

    def recognizes(self, model: object) -> bool:
        """Whether it is an estimator of scikit-learn's, or one made like them."""
        return "sklearn" in types_from(model) and hasattr(model, "get_params")

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``model.skops``, or ``model.pkl`` for ``serialization_format="cloudpickle"`` or ``"pickle"``."""
        kind = options["serialization_format"] or SKOPS
        if kind not in FORMATS:
            raise InvalidValue("serialization_format", kind, " or ".join(FORMATS))
        version = import_library(self).__version__
        trusted = _types(options["skops_trusted_types"])
        file = "model.skops" if kind == SKOPS else "model.pkl"
        path = os.path.join(folder, file)
        if kind == SKOPS:
            import_library(self, "skops.io", "skops")
            trusted += _dump_skops(model, path, trusted)
        else:
            _dump_pickle(model, path, kind)
        predict = options["pyfunc_predict_fn"] or "predict"
        return Saved(
            flavor={
                "pickled_model": file,
                "sklearn_version": version,
                "serialization_format": kind,
                "skops_trusted_types": trusted or None,
            },
            pyfunc={"model_path": file, "predict_fn": predict} if hasattr(model, predict) else None,
            packages=(kind,) if kind in (SKOPS, CLOUDPICKLE) else (),
        )

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Read the estimator; a pickle needs consent, and so do types that skops does not know to be safe."""
        file = stored.flavor.get("pickled_model") or "model.pkl"
        path = inside(stored.folder, file)
        kind = stored.flavor.get("serialization_format", PICKLE)
        import_library(self)
        if kind == SKOPS:
            import_library(self, "skops.io", "skops")
            return _load_skops(path, file, stored.flavor.get("skops_trusted_types"), trust, options)
        if kind not in FORMATS:
            raise RecordError(trust.model, f"its format is {kind!r}, and only {', '.join(FORMATS)} can be read")
        trust.require(file)
        if kind == CLOUDPICKLE:
            import_library(self, "cloudpickle")
        import pickle

        try:
            with open(path, "rb") as stream:
                return pickle.load(stream)  # noqa: S301 - the user agreed to it
        except OSError as error:
            raise RecordError(path, error.strerror or str(error)) from None
        except ModuleNotFoundError as error:
            raise MissingDependency(f"model {trust.model}", str(error.name)) from error

    def predictor(self, model: Any, stored: Stored) -> Predictor:
        """Return ``predict``, or what ``pyfunc_predict_fn`` named."""
        name = stored.pyfunc.get("predict_fn", "predict")
        if name not in PREDICT:  # it is read from a file
            raise RecordError("MLmodel", f"predict_fn is {name!r}, which is no way to predict")
        predict = getattr(model, name)
        return lambda data, params: predict(data)  # noqa: ARG005 - the protocol's


def _types(given: Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str) or not all(isinstance(name, str) for name in given):
        raise InvalidValue("skops_trusted_types", given, "a list of full type names")
    return list(given)


def _dump_skops(model: Any, path: str, trusted: Sequence[str]) -> list[str]:
    """Write *model*; return which types whoever loads it has to trust, besides those of *trusted*.

    Raises:
        UsageError: It can't be written, or holds types that nobody is known to be able to trust.
    """
    import skops.io

    try:
        skops.io.dump(model, path)
        settle_names(path)
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(trusted))
    except Exception as error:
        # Whatever it is: skops raises what the objects inside raise.
        raise UsageError(
            f"the model can't be written as skops ({error}); serialization_format='cloudpickle' writes anything,"
            " and whoever loads it has to trust you"
        ) from error
    odd = [name for name in unknown if not is_harmless(name)]
    if odd:
        raise UsageError(
            f"the model holds types that skops does not know to be safe: {', '.join(odd)}; if they are, name them"
            f" with skops_trusted_types={odd!r}"
        )
    return unknown


def _load_skops(path: str, file: str, recorded: Any, trust: Trust, options: Mapping[str, Any]) -> Any:
    import skops.io

    try:
        listed = set(skops.io.get_untrusted_types(file=path))
    except Exception as error:  # whatever a file that is none makes of it
        raise RecordError(f"{trust.model} ({file})", f"it is no skops file ({error})") from error
    given = _types(options["skops_trusted_types"])
    unknown = sorted(name for name in listed if name not in given and not is_harmless(name))
    if unknown:
        # What the MLmodel calls trusted is its maker's word, not the user's.
        trust.require(f"types in {file} that skops does not know to be safe ({', '.join(unknown)})")
        known = set(_types(recorded if isinstance(recorded, list) else []))
        if missing := [name for name in unknown if name not in known]:
            raise UsageError(
                f"{trust.model} holds types that it does not name as trusted: {', '.join(missing)};"
                f" load it with skops_trusted_types={unknown!r} if they are"
            )
    return skops.io.load(path, trusted=sorted(listed))


def _dump_pickle(model: Any, path: str, kind: str) -> None:
    import pickle

    library: Any = pickle
    if kind == CLOUDPICKLE:
        library = import_library(FLAVOR, "cloudpickle")
    try:
        with open(path, "wb") as stream:
            library.dump(model, stream, protocol=pickle.DEFAULT_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(f"the model can't be pickled: {error}") from error


FLAVOR = Sklearn()
