"""Any Python class or function, as cloudpickle, or as a file of code; what MLflow calls ``python_function``.

Three ways to say what predicts: an object or function (``python_model.pkl``), a Python file that calls
``set_model`` (models from code), or a module with ``_load_pyfunc(path)`` (``loader_module``). All of them
are code, so loading one needs consent.
"""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Iterator, Mapping
from types import FunctionType, MappingProxyType, MethodType
from typing import Any, ClassVar

from ledgit.errors import FlavorNotFound, InvalidValue, MissingDependency, RecordError, UsageError
from ledgit.models import python_model
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library
from ledgit.models.flavors.from_code import load_code
from ledgit.models.kinds import is_frame
from ledgit.models.paths import inside
from ledgit.models.python_model import FunctionModel, ObjectModel, PythonModelContext

__all__ = ["FLAVOR", "Loaded", "PyFunc"]

FILE = "python_model.pkl"
PICKLED, FROM_CODE = "mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model"
_COMPRESSED = {"gzip": "gzip", "bzip2": "bz2", "lzma": "lzma"}
_BASES = {("ledgit.models.python_model", "PythonModel"), ("mlflow.pyfunc.model", "PythonModel")}


class Loaded:
    """A Python model with its context.

    Attributes:
        python_model: The object that predicts; the user's own function or object if that is what was saved.
        context: Its artifacts and configuration.
    """

    def __init__(self, model: Any, context: PythonModelContext) -> None:
        self._model, self.context = model, context

    @property
    def python_model(self) -> Any:
        """The user's own object or function."""
        inside = {"FunctionModel": "func", "ObjectModel": "model"}
        # Pickled with their code, these are classes of their own: their names are what tells.
        name = inside.get(type(self._model).__name__)
        return self._model if name is None else getattr(self._model, name)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the model's prediction."""
        return self._call(self._model.predict, data, params)

    @property
    def predict_stream(self) -> Any:
        """What yields the prediction piece by piece.

        Raises:
            AttributeError: The model has none.
        """
        found = self._model.predict_stream
        if getattr(found, "__qualname__", "").startswith("PythonModel."):
            raise AttributeError("this model does not predict piece by piece")

        def stream(data: Any, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
            yield from self._call(found, data, params)

        return stream

    def _call(self, function: Any, data: Any, params: Mapping[str, Any] | None) -> Any:
        names = list(inspect.signature(function).parameters)
        more = {"params": dict(params) if params is not None else None} if "params" in names else {}
        given = self._converted(data)
        # MLflow's rule: the first of two arguments besides params is the context.
        if "context" in names or len([name for name in names if name != "params"]) > 1:
            return function(self.context, given, **more)
        return function(given, **more)

    def _converted(self, data: Any) -> Any:
        """Return a frame as the list that the type hint of ``predict`` asks for."""
        hint = getattr(getattr(self._model, "predict_type_hints", None), "input", None)
        if hint is None or not is_frame(data):
            return data
        text = (
            next((name for name, value in data.iloc[0].items() if isinstance(value, str)), None) if len(data) else None
        )
        if hint == list[str] and text is not None:
            return data[text].tolist()
        if hint == list[dict[str, str]]:
            return data.to_dict(orient="records")
        return data


class PyFunc(BaseFlavor):
    """What predicts in Python: a ``PythonModel``, any object with ``predict``, a function, a file of code."""

    name = "pyfunc"
    loader_module = PICKLED
    package = ""
    module = "cloudpickle"
    argument = "python_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "artifacts": None,
            "model_config": None,
            "streamable": None,
            "loader_module": None,
            "data_path": None,
        }
    )

    def recognizes(self, model: object) -> bool:
        """Whether it predicts: last in the row, so anything that does."""
        if isinstance(model, str):
            return model.endswith(".py") and os.path.isfile(model)
        return isinstance(model, FunctionType | MethodType) or callable(getattr(model, "predict", None))

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``python_model.pkl``, the file of code, or the data that a loader module reads."""
        config = _config(options["model_config"])
        common = {"config": config, "artifacts": _copy_artifacts(options["artifacts"], folder)}
        if options["loader_module"] is not None:
            return self._of_module(options, folder, common)
        if isinstance(model, str | os.PathLike):
            return self._of_code(os.fspath(model), folder, common)
        wrapped = wrap(model)
        version = import_library(self, "cloudpickle").__version__
        _dump(wrapped, os.path.join(folder, FILE))
        stream = getattr(type(wrapped), "predict_stream", None)
        streams = stream is not None and not getattr(stream, "__qualname__", "").startswith("PythonModel.")
        entry = {
            "python_model": FILE,
            "cloudpickle_version": version,
            "streamable": streams if options["streamable"] is None else bool(options["streamable"]),
            **common,
        }
        return Saved({}, _without_none({"loader_module": PICKLED, **entry}), ("cloudpickle",))

    def _of_code(self, path: str, folder: str, common: dict[str, Any]) -> Saved:
        if not os.path.isfile(path):
            raise InvalidValue("the model's file of code", path, "a Python file, which calls set_model")
        name = os.path.basename(path)
        try:
            shutil.copyfile(path, os.path.join(folder, name))
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from None
        loaded = load_code(os.path.join(folder, name), common["config"])
        entry = {"loader_module": FROM_CODE, "model_code_path": name, "streamable": False, **common}
        return Saved({}, _without_none(entry), ("cloudpickle",), (loaded,))

    def _of_module(self, options: Mapping[str, Any], folder: str, common: dict[str, Any]) -> Saved:
        entry = {"loader_module": str(options["loader_module"]), **common}
        if options["data_path"] is not None:
            source = os.fspath(options["data_path"])
            if not os.path.exists(source):
                raise InvalidValue("data_path", source, "a file or folder that exists")
            entry["data"] = os.path.join("data", os.path.basename(os.path.abspath(source)))
            _copy(source, os.path.join(folder, entry["data"]))
        return Saved({}, _without_none(entry))

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:  # noqa: ARG002 - it has none
        """Return the model with its context, after consent."""
        entry = stored.pyfunc
        loader = entry.get("loader_module")
        context = _context(stored)
        if loader == PICKLED:
            model = _read(stored, trust)
        elif loader == FROM_CODE:
            path = inside(stored.folder, os.path.basename(str(entry.get("model_code_path"))))
            trust.require(os.path.basename(path))
            model = wrap(load_code(path, context.model_config))
        elif isinstance(loader, str) and not loader.startswith("mlflow."):
            return Loaded(_of_loader(stored, loader, trust), context)
        else:
            raise FlavorNotFound(f"the loader {loader}")
        if hasattr(model, "load_context"):
            model.load_context(context)
        return Loaded(model, context)

    def predictor(self, model: Any, stored: Stored) -> Predictor:
        """Return what calls the model's ``predict`` with what it wants of context, data and params."""
        if isinstance(model, Loaded):
            return model.predict
        if isinstance(model, str | os.PathLike) or model is None:  # just saved from code or by a loader module
            from ledgit.models.consent import ALWAYS

            found: Loaded = self.load(stored, ALWAYS, {})
            return found.predict
        wrapped, context = wrap(model), _context(stored)
        if hasattr(wrapped, "load_context"):
            wrapped.load_context(context)
        return Loaded(wrapped, context).predict


def wrap(model: Any) -> Any:
    """Return *model* as something with ``predict`` and ``load_context``.

    Raises:
        InvalidValue: It is nothing that predicts.
    """
    if any((cls.__module__, cls.__name__) in _BASES or cls.__name__ == "PythonModel" for cls in type(model).__mro__):
        return model
    if isinstance(model, type):
        raise InvalidValue("the model", model, "an object: call the class")
    if callable(getattr(model, "predict", None)):
        return model if hasattr(model, "load_context") else ObjectModel(model)
    if callable(model):
        return FunctionModel(model)
    raise InvalidValue("the model", model, "an object with predict(), a function, or a Python file")


def _dump(model: Any, path: str) -> None:
    import cloudpickle

    cloudpickle.register_pickle_by_value(python_model)
    try:
        with open(path, "wb") as stream:
            cloudpickle.dump(model, stream)
    except OSError:
        raise
    except Exception as error:
        # Whatever an object raises that can't be pickled.
        raise UsageError(
            f"the model can't be pickled: {error}; a Python file that calls set_model needs no pickle"
        ) from error
    finally:
        cloudpickle.unregister_pickle_by_value(python_model)


def _read(stored: Stored, trust: Trust) -> Any:
    name = stored.pyfunc.get("python_model") or FILE
    path = inside(stored.folder, name)
    trust.require(str(name))
    import_library(FLAVOR, "cloudpickle")
    import cloudpickle

    try:
        with _opener(stored.pyfunc.get("python_model_compression"))(path, "rb") as stream:
            return cloudpickle.load(stream)
    except ModuleNotFoundError as error:
        raise MissingDependency(f"model {trust.model}", str(error.name)) from error
    except OSError as error:
        raise RecordError(path, error.strerror or str(error)) from error


def _opener(compression: Any) -> Any:
    if compression is None:
        return open
    if compression not in _COMPRESSED:
        raise RecordError("MLmodel", f"the compression {compression!r} is not known")
    import importlib

    return importlib.import_module(_COMPRESSED[compression]).open


def _of_loader(stored: Stored, loader: str, trust: Trust) -> Any:
    """Return what a module of the user's own loads."""
    trust.require(f"the module {loader}")
    import importlib

    try:
        module = importlib.import_module(loader)
    except ModuleNotFoundError as error:
        raise MissingDependency(f"model {trust.model}", str(error.name)) from error
    load = getattr(module, "_load_pyfunc", None)
    if load is None:
        raise RecordError(f"{trust.model} (MLmodel)", f"its loader_module {loader} has no _load_pyfunc")
    data = stored.pyfunc.get("data")
    return load(stored.folder if data is None else inside(stored.folder, data))


def _context(stored: Stored) -> PythonModelContext:
    listed = stored.pyfunc.get("artifacts") or {}
    if not isinstance(listed, Mapping) or not all(isinstance(one, Mapping) for one in listed.values()):
        raise RecordError(os.path.join(stored.folder, "MLmodel"), "its artifacts do not decode")
    paths = {str(name): inside(stored.folder, one.get("path")) for name, one in listed.items()}
    config = stored.pyfunc.get("config")
    return PythonModelContext(paths, dict(config) if isinstance(config, Mapping) else None)


def _config(given: Any) -> dict[str, Any] | None:
    if isinstance(given, str | os.PathLike):
        from ledgit.records.documents import load_document

        try:
            with open(given, "rb") as stream:
                given = load_document(stream.read(), os.fspath(given))
        except OSError as error:
            raise UsageError(f"model_config {os.fspath(given)!r} can't be read: {error.strerror}") from None
    if given is not None and not isinstance(given, Mapping):
        raise InvalidValue("model_config", given, "a mapping, or the path of a YAML file")
    return None if given is None else dict(given)


def _copy_artifacts(given: Mapping[str, str] | None, folder: str) -> dict[str, dict[str, str]] | None:
    """Copy what *artifacts* names into the model; return what the MLmodel says of it."""
    if not given:
        return None
    from ledgit.tracking.uris import download_artifacts

    entries: dict[str, dict[str, str]] = {}
    for name, uri in given.items():
        source = download_artifacts(os.fspath(uri))
        base = os.path.basename(os.path.abspath(source))
        path = f"artifacts/{base}"
        if any(entry["path"] == path for entry in entries.values()):
            path = f"artifacts/{name}/{base}"
        _copy(source, os.path.join(folder, path))
        entries[str(name)] = {"path": path, "uri": str(uri) if ":/" in str(uri) else base}
    return entries


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value is not None}


FLAVOR = PyFunc()
