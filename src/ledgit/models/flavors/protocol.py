"""What a flavor is: how the models of one library become files, and files models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, runtime_checkable

from ledgit.models.consent import Trust

__all__ = ["BaseFlavor", "Flavor", "Predictor", "Saved", "Stored", "types_from"]

#: ``predictor(data, params)``: what ``python_function`` calls, on data that fits the signature.
Predictor = Callable[[Any, Mapping[str, Any] | None], Any]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Saved:
    """What a flavor wrote, as the MLmodel has to say it.

    Attributes:
        flavor: The flavor's own entry; None values are left out. Plain YAML types only.
        pyfunc: What its ``python_function`` entry has besides ``loader_module``, ``env`` and ``code``, which are
            added (``model_path``, ``data``, ``predict_fn`` …); None if the model has nothing to predict with.
        packages: Distributions that loading needs, besides the flavor's own and what the model's modules import.
        objects: What requirements are resolved from, where it is more than the model (a wrapped function, say).
    """

    flavor: Mapping[str, Any]
    pyfunc: Mapping[str, Any] | None = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    objects: tuple[object, ...] = ()


@dataclass(frozen=True)
class Stored:
    """A saved model, as its MLmodel tells it.

    Attributes:
        folder: The model's folder: a private copy, or the user's own.
        flavor: The flavor's own entry.
        pyfunc: The ``python_function`` entry; empty where there is none.
        metadata: The whole MLmodel (:class:`ledgit.models.mlmodel.Model`), None while it is being saved.
    """

    folder: str
    flavor: Mapping[str, Any]
    pyfunc: Mapping[str, Any] = field(default_factory=dict)
    metadata: Any = None


@runtime_checkable
class Flavor(Protocol):
    """How the models of one library are saved and loaded.

    One small module each below ``ledgit/models/flavors``, with the flavor as ``FLAVOR``; a third party's is an
    entry point of the group ``ledgit.flavors``. Nothing of the library is imported before a model is
    saved or loaded. :class:`BaseFlavor` has what most have in common.
    """

    name: ClassVar[str]
    """Key among the MLmodel's flavors, and the module's name: ``sklearn``."""
    loader_module: ClassVar[str]
    """What MLflow loads the model's ``python_function`` with: ``mlflow.sklearn``."""
    package: ClassVar[str]
    """The distribution a model of this flavor can't do without, as pip knows it: ``scikit-learn``."""
    module: ClassVar[str]
    """The same as Python imports it: ``sklearn``."""
    argument: ClassVar[str]
    """What MLflow calls the model in ``save_model``: ``sk_model``."""
    save_options: ClassVar[Mapping[str, Any]]
    """Keyword arguments of ``save_model`` and ``log_model`` that only this flavor has, with their defaults."""
    load_options: ClassVar[Mapping[str, Any]]
    """Keyword arguments of ``load_model`` that only this flavor has, with their defaults."""

    def recognizes(self, model: object) -> bool:
        """Whether this is a model of the library, told from its type's modules without importing anything."""
        ...

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write the model's files into *folder*, which exists.

        Args:
            model: What :meth:`recognizes` said yes to, or the user said is one.
            folder: The model's folder; MLmodel, requirements and examples are written by the caller.
            options: A value for each of :attr:`save_options`.
        """
        ...

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:
        """Return the library's own model.

        Before anything is read that can run code (a pickle), ``trust.require(file)`` is called, which raises.

        Args:
            stored: Where its files are and what the MLmodel says.
            trust: Whether code of the model's maker may run.
            options: A value for each of :attr:`load_options`.
        """
        ...

    def predictor(self, model: Any, stored: Stored) -> Predictor:
        """Return what predicts with *model*, loaded or about to be saved: MLflow's ``_load_pyfunc(...).predict``."""
        ...


class BaseFlavor:
    """Defaults of a flavor; a subclass sets the names and writes ``save`` and ``load``."""

    name: ClassVar[str]
    loader_module: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    argument: ClassVar[str] = "model"
    save_options: ClassVar[Mapping[str, Any]] = _NOTHING
    load_options: ClassVar[Mapping[str, Any]] = _NOTHING

    def recognizes(self, model: object) -> bool:
        """Whether a class of the library is among the model's."""
        return self.module in types_from(model)

    def predictor(self, model: Any, stored: Stored) -> Predictor:  # noqa: ARG002 - the protocol's
        """Return ``model.predict``, which gets the data alone."""
        return lambda data, params: model.predict(data)  # noqa: ARG005 - the protocol's


def types_from(model: object) -> list[str]:
    """Return the top-level packages that the classes of *model* come from, most derived first."""
    return list(dict.fromkeys(str(cls.__module__).partition(".")[0] for cls in type(model).__mro__))
