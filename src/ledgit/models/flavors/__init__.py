"""Flavors, and how they are found: by name, by entry point ``ledgit.flavors``, by the model itself.

One small module each, imported when it is asked for; what they share is in ``protocol``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from ledgit.errors import FlavorNotFound, MissingDependency
from ledgit.models.flavors.protocol import BaseFlavor, Flavor, Predictor, Saved, Stored, types_from

__all__ = [
    "BUILT_IN",
    "BaseFlavor",
    "Flavor",
    "Predictor",
    "Saved",
    "Stored",
    "all_flavors",
    "flavor_for",
    "get_flavor",
    "import_library",
    "types_from",
]

#: In the order in which a model is recognized: XGBoost's and LightGBM's estimators are scikit-learn's too, and
#: the models of Keras and Transformers are also PyTorch's.
BUILT_IN = ("xgboost", "lightgbm", "onnx", "transformers", "keras", "pytorch", "sklearn", "pyfunc")
#: What MLflow calls them otherwise.
_ALIASES = {"python_function": "pyfunc", "tensorflow": "keras"}
GROUP = "ledgit.flavors"
_TORCH_OF_SKLEARN = "sklearn.externals.array_api_compat.torch"


@cache
def _third_party() -> dict[str, Any]:
    from importlib.metadata import entry_points  # 10 ms; a model of ours never comes here

    return {point.name: point for point in entry_points(group=GROUP)}


@cache
def get_flavor(name: str) -> Flavor:
    """Return the flavor *name*: one of ours, or a third party's.

    Raises:
        FlavorNotFound: There is none of this name.
    """
    name = _ALIASES.get(name, name)
    if name in BUILT_IN:
        flavor: Flavor = importlib.import_module(f"ledgit.models.flavors.{name}").FLAVOR
        return flavor
    point = _third_party().get(name)
    if point is None:
        raise FlavorNotFound(name, [other for other in (*BUILT_IN, *_third_party()) if name[:3] and name[:3] in other])
    found: Flavor = point.load()
    return found


def all_flavors() -> Iterator[Flavor]:
    """Yield every flavor there is, in the order in which a model is recognized: third parties' first."""
    for name in (*_third_party(), *BUILT_IN):
        yield get_flavor(name)


def flavor_for(model: object) -> Flavor:
    """Return the flavor that *model* is of, without importing its library.

    Raises:
        FlavorNotFound: None knows it.
    """
    for flavor in all_flavors():
        if flavor.recognizes(model):
            return flavor
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise FlavorNotFound(f"a model of type {kind}")


def import_library(flavor: Flavor, module: str | None = None, package: str | None = None) -> Any:
    """Import the flavor's library, or the *module* that comes with pip's *package*.

    Raises:
        MissingDependency: It is not installed.
    """
    wanted = module or flavor.module
    # skops asks for a list of all of scikit-learn's estimators, which imports torch on the way where it is
    # installed: 1.5 of 1.9 s of CPU time. None says that there is no such module; the list goes on without.
    hidden = wanted.startswith("skops") and _TORCH_OF_SKLEARN not in sys.modules
    if hidden:
        sys.modules[_TORCH_OF_SKLEARN] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(wanted)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != wanted.partition(".")[0]:
            raise
        needed = package or (wanted.partition(".")[0] if module else flavor.package)
        raise MissingDependency(f"a {flavor.name} model", needed) from None
    finally:
        if hidden:
            sys.modules.pop(_TORCH_OF_SKLEARN, None)
