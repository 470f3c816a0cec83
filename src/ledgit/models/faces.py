"""What each flavor's module has, with MLflow's arguments: ``save_model``, ``log_model``, ``load_model``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from ledgit.errors import UsageError
from ledgit.models.flavors import Flavor, get_flavor
from ledgit.models.mlmodel import Model, ModelInfo
from ledgit.models.names import check_model_path
from ledgit.models.saving import SaveOptions
from ledgit.models.saving import log_model as _log
from ledgit.models.saving import save_model as _save

__all__ = ["Face", "Register", "face"]

#: ``register(info, name)``: makes a version of what was logged; returns its number.
Register = Callable[[ModelInfo, str], "int | None"]

#: Arguments of MLflow's that say nothing here, and those whose value is kept in the MLmodel.
_IGNORED = frozenset({"await_registration_for", "validate_serving_input"})
_KEPT = frozenset({"params", "tags", "model_type", "step"})


class Face:
    """One flavor's functions; made by :func:`face`."""

    def __init__(self, name: str, register: Register | None = None) -> None:
        self._name, self._register = name, register

    @property
    def flavor(self) -> Flavor:
        """The flavor itself."""
        return get_flavor(self._name)

    def save_model(
        self,
        model: Any = None,
        path: str | os.PathLike[str] | None = None,
        *,
        mlflow_model: Model | None = None,
        **kwargs: Any,
    ) -> Model:
        """Save a model into a new folder.

        Args:
            model: The model; MLflow's own name for it (``sk_model`` …) will do as well.
            path: The folder, which must not exist, or be empty.
            mlflow_model: What to begin the MLmodel with.
            **kwargs: ``signature``, ``input_example``, ``pip_requirements``, ``extra_pip_requirements``,
                ``conda_env``, ``code_paths``, ``extra_files``, ``metadata``, and what only this flavor has.

        Returns:
            What the MLmodel says.

        Raises:
            Conflict: There is something at *path*.
            UsageError: An argument that the flavor does not have, or a model it can't save.
            MissingDependency: The library is not installed.
        """
        flavor = self.flavor
        model = _given(flavor, model, kwargs)
        if path is None:
            raise UsageError("save_model needs the path of a folder to save to; log_model takes a name")
        options, own, others = _split(flavor, kwargs)
        if others:
            raise _unknown("save_model", flavor, others)
        return _save(flavor, model, path, options, own, mlflow_model)

    def log_model(
        self,
        model: Any = None,
        name: str | None = None,
        *,
        artifact_path: str | None = None,
        registered_model_name: str | None = None,
        run_id: str | None = None,
        **kwargs: Any,
    ) -> ModelInfo:
        """Log a model as artifacts of the active run; one is started if there is none.

        Args:
            model: The model; MLflow's own name for it (``sk_model`` …) will do as well.
            name: Its folder among the run's artifacts.
            artifact_path: MLflow's older word for *name*.
            registered_model_name: Make it a version of this registered model, too.
            run_id: Log to this run instead of the active one.
            **kwargs: As for :meth:`save_model`; ``params``, ``tags``, ``model_type`` and ``step`` are kept in the
                MLmodel.

        Returns:
            The model in a few words; ``model_uri`` is what :meth:`load_model` takes.

        Raises:
            UsageError: An argument that the flavor does not have, or a model it can't save.
            MissingDependency: The library is not installed.
        """
        flavor = self.flavor
        model = _given(flavor, model, kwargs)
        if name is not None and artifact_path is not None and name != artifact_path:
            raise UsageError("the model's name is given twice: name is the one, artifact_path its older word")
        wanted = check_model_path(name or artifact_path or "model")
        options, own, others = _split(flavor, kwargs)
        if unknown := others.keys() - _KEPT - {"model_id", "prompts", "resources", "auth_policy"}:
            raise _unknown("log_model", flavor, unknown)
        kept = {key: value for key, value in others.items() if key in _KEPT and value}
        info = _log(flavor, model, wanted, options, own, run_id, {"ledgit": kept} if kept else None)
        if registered_model_name is not None:
            if self._register is None:
                raise UsageError("this function does not register models; ledgit.register does")
            info.registered_model_version = self._register(info, registered_model_name)
        return info

    def load_model(
        self, model_uri: str, dst_path: str | None = None, *, trust: bool | None = None, **kwargs: Any
    ) -> Any:
        """Load a model as the library's own object.

        Args:
            model_uri: ``runs:/<run>/<name>``, ``models:/<name>/<version>``, ``models:/<name>@<stage>``,
                ``git:<revision>#<path>``, a folder, or just a name: the active run's model, else the newest
                run's of the experiment.
            dst_path: Keep the model's files in this folder.
            trust: Whether code of the model's maker may run; None: what :mod:`ledgit.models.consent` finds.
            **kwargs: What only this flavor has.

        Raises:
            ModelNotFound: There is none.
            FlavorNotFound: It is no model of this flavor.
            UntrustedModel: Loading it would run code that nobody vouches for.
            MissingDependency: The library is not installed.
            RecordError: Its files do not decode.
        """
        from ledgit.models.loading import load_native

        flavor = self.flavor
        if unknown := kwargs.keys() - flavor.load_options.keys():
            raise _unknown("load_model", flavor, unknown)
        return load_native(model_uri, flavor, trust, {**flavor.load_options, **kwargs}, dst_path)


def face(name: str, register: Register | None = None) -> Face:
    """Return the functions of the flavor *name*; nothing of its library is imported.

    Args:
        name: The flavor's name.
        register: What ``registered_model_name=`` calls.
    """
    return Face(name, register)


def _given(flavor: Flavor, model: Any, kwargs: dict[str, Any]) -> Any:
    if model is None and flavor.argument in kwargs:
        model = kwargs.pop(flavor.argument)
    if model is None and not _needs_no_model(kwargs):
        raise UsageError(f"there is no model to save: give it as the first argument, or as {flavor.argument}=")
    return model


def _needs_no_model(kwargs: Mapping[str, Any]) -> bool:
    """A python_function may be a module that loads it."""
    return kwargs.get("loader_module") is not None


def _split(flavor: Flavor, kwargs: Mapping[str, Any]) -> tuple[SaveOptions, dict[str, Any], dict[str, Any]]:
    """Return what every flavor takes, what this one takes, and the rest."""
    common = {key: value for key, value in kwargs.items() if key in SaveOptions.names()}
    own = {**flavor.save_options, **{key: value for key, value in kwargs.items() if key in flavor.save_options}}
    rest = {key: value for key, value in kwargs.items() if key not in common and key not in own and key not in _IGNORED}
    return SaveOptions(**common), own, rest


def _unknown(function: str, flavor: Flavor, names: Any) -> UsageError:
    known = sorted({*SaveOptions.names(), *(flavor.load_options if function == "load_model" else flavor.save_options)})
    return UsageError(
        f"{function} of {flavor.name} models has no argument {', '.join(sorted(names))}; it has {', '.join(known)}"
    )
