"""Models read back: as the library's own object, or as something that predicts on whatever fits its signature."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ledgit.errors import FlavorNotFound, RecordError, StorageError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.enforce import enforce_params, enforce_schema
from ledgit.models.flavors import Flavor, Predictor, Stored, get_flavor
from ledgit.models.mlmodel import PYFUNC, Model, ModelInfo
from ledgit.models.paths import inside
from ledgit.models.requirements import check_requirements
from ledgit.models.schema import Schema
from ledgit.models.sources import ModelSource
from ledgit.models.uris import find_model
from ledgit.tracking import session

__all__ = ["Opened", "PyFuncModel", "get_model_info", "load_model", "load_native", "open_model"]

#: Loader modules of MLflow's that no flavor of the same name stands for.
_LOADERS = {"mlflow.pyfunc.model": "pyfunc", "mlflow.pyfunc.loaders.code_model": "pyfunc", "mlflow.tensorflow": "keras"}
#: Loaders that Ledgit writes along for MLflow; the flavor reads the model without.
_ALONG = {"ledgit_pytorch": "pytorch"}


class Opened:
    """A model's files, ready to be loaded.

    Attributes:
        source: Where they come from.
        folder: Where they are: a private copy, or the user's own folder.
        metadata: What the MLmodel says.
        trust: Whether code of its maker may run.
    """

    def __init__(self, source: ModelSource, folder: str, metadata: Model, trust: Trust) -> None:
        self.source, self.folder, self.metadata, self.trust = source, folder, metadata, trust
        self.keep = not source.private

    def stored(self, flavor: Flavor) -> Stored:
        """Return what the MLmodel says of it as a model of *flavor*.

        Raises:
            FlavorNotFound: It is none.
        """
        flavors = self.metadata.flavors
        entry = flavors.get(PYFUNC, {}) if flavor.name == "pyfunc" else flavors.get(flavor.name)
        if entry is None or (flavor.name == "pyfunc" and PYFUNC not in flavors):
            raise FlavorNotFound(f"{flavor.name} in {self.source.uri}", sorted(flavors))
        return Stored(self.folder, entry, flavors.get(PYFUNC, {}), self.metadata)

    def add_code(self, stored: Stored) -> None:
        """Make the code that goes along importable, if its maker may run any.

        Raises:
            UntrustedModel: There is some, and nobody vouches for it.
        """
        name = stored.flavor.get("code") or stored.pyfunc.get("code")
        if not name or (name == "loader" and stored.pyfunc.get("loader_module") in _ALONG):
            return
        path = inside(self.folder, name)
        if not os.path.isdir(path):
            return
        self.trust.require(f"its {name}/ folder")
        self.keep = True  # what is imported later is read from there
        if path not in sys.path:
            sys.path.insert(0, path)


@contextmanager
def open_model(model_uri: str, trust: bool | None = None, dst_path: str | None = None) -> Iterator[Opened]:
    """Give a model's files for the time of a ``with`` block; a private copy goes with it unless ``keep`` is set.

    Args:
        model_uri: See :func:`ledgit.models.uris.find_model`.
        trust: What the user said of its code; None to find out.
        dst_path: Keep the files in this folder.

    Raises:
        ModelNotFound: There is none.
        ArtifactsMissing, ArtifactDamaged: Its files are not to be had, or not what was logged.
        RecordError: The MLmodel does not decode.
    """
    source = find_model(model_uri)
    target = _target(dst_path) if dst_path is not None else ""
    scratch = not target and source.private
    if scratch:
        target = tempfile.mkdtemp(prefix="ledgit-model-")
    opened = None
    try:
        folder = source.folder(target)
        opened = Opened(source, folder, Model.load(folder), source.trust(folder, trust))
        yield opened
    finally:
        if scratch and (opened is None or not opened.keep):
            shutil.rmtree(target, ignore_errors=True)
        elif scratch and opened is not None:
            weakref.finalize(opened, shutil.rmtree, target, ignore_errors=True)


def _target(dst_path: str) -> str:
    target = os.path.abspath(dst_path)
    try:
        os.makedirs(target, exist_ok=True)
    except OSError as error:
        raise StorageError(target, error.strerror or str(error)) from error
    return target


def load_native(
    model_uri: str,
    flavor: Flavor | None = None,
    trust: bool | None = None,
    options: Mapping[str, Any] | None = None,
    dst_path: str | None = None,
) -> Any:
    """Load a model as the library's own object; see :meth:`ledgit.models.faces.Face.load_model`.

    Args:
        model_uri: Where it is.
        flavor: As what to load it; by default what the MLmodel says.
        trust: What the user said of its code; None to find out.
        options: A value for each of the flavor's ``load_options``.
        dst_path: Keep the files in this folder.
    """
    with open_model(model_uri, trust, dst_path) as opened:
        wanted = flavor or native_flavor(opened.metadata)
        stored = opened.stored(wanted)
        warn_of_mismatches(opened)
        opened.add_code(stored)
        model = wanted.load(stored, opened.trust, options if options is not None else dict(wanted.load_options))
        if opened.keep and opened.source.private:
            _tie(model, opened)
        return model


def _tie(model: Any, opened: Opened) -> None:
    """Keep the private copy as long as there is the model; where that can't be told, until the process ends."""
    try:
        weakref.finalize(model, _let_go, opened)
    except TypeError:
        _kept.append(opened)


def _let_go(opened: Opened) -> None:
    """Do nothing: that the argument is held until then is the point."""
    del opened


_kept: list[Opened] = []


def native_flavor(metadata: Model) -> Flavor:
    """Return the flavor that the MLmodel is of, the first that is known besides ``python_function``.

    Raises:
        FlavorNotFound: None is known.
    """
    names = [name for name in metadata.flavors if name != PYFUNC]
    for name in names:
        try:
            return get_flavor(name)
        except FlavorNotFound:
            continue
    if PYFUNC in metadata.flavors:
        return get_flavor("pyfunc")
    raise FlavorNotFound(" or ".join(names) or "a model without flavors")


def pyfunc_flavor(metadata: Model, uri: str) -> Flavor:
    """Return the flavor that predicts: the one whose loader the ``python_function`` entry names.

    Raises:
        FlavorNotFound: The model has none, or it is not known.
    """
    entry = metadata.flavors.get(PYFUNC)
    if entry is None:
        raise FlavorNotFound(f"{PYFUNC} in {uri}", sorted(metadata.flavors))
    loader = entry.get("loader_module")
    if not isinstance(loader, str):
        raise RecordError(f"{uri} (MLmodel)", "its python_function has no loader_module")
    if loader in _LOADERS or loader in _ALONG:
        return get_flavor(_LOADERS.get(loader) or _ALONG[loader])
    for name in metadata.flavors:
        if name != PYFUNC:
            try:
                flavor = get_flavor(name)
            except FlavorNotFound:
                continue
            if flavor.loader_module == loader:
                return flavor
    if loader.startswith("mlflow."):
        return get_flavor(loader.removeprefix("mlflow.").partition(".")[0])
    return get_flavor("pyfunc")  # a module of the user's own


def warn_of_mismatches(opened: Opened) -> None:
    """Say, once for each model, what it wants installed and this environment does not have."""
    found = check_requirements(opened.folder)
    if found:
        listed = "; ".join(map(str, found[:8])) + (f"; and {len(found) - 8} more" if len(found) > 8 else "")
        session.report(listed, f"model {opened.source.uri} was made in another environment")


class PyFuncModel:
    """A model that predicts on data that fits its signature, whatever library it is of.

    Attributes:
        metadata: What its MLmodel says.
        model_uri: Where it was loaded from.
        flavor: Its flavor's name.
    """

    def __init__(self, model: Any, predict: Predictor, metadata: Model, model_uri: str, flavor: str) -> None:
        self._model, self._predict = model, predict
        self.metadata, self.model_uri, self.flavor = metadata, model_uri, flavor
        self._opened: Opened | None = None

    def __repr__(self) -> str:
        return f"<PyFuncModel {self.model_uri} ({self.flavor})>"

    @property
    def input_schema(self) -> Schema | None:
        """The signature's inputs, or None."""
        return self.metadata.get_input_schema()

    @property
    def loader_module(self) -> str | None:
        """What MLflow would load it with."""
        found = self.metadata.flavors.get(PYFUNC, {}).get("loader_module")
        return None if found is None else str(found)

    @property
    def model_config(self) -> Mapping[str, Any] | None:
        """The configuration that was saved with it."""
        found = self.metadata.flavors.get(PYFUNC, {}).get("config")
        return found if isinstance(found, Mapping) else None

    def get_raw_model(self) -> Any:
        """Return the library's own model."""
        return self._model

    def unwrap_python_model(self) -> Any:
        """Return the ``PythonModel`` that was saved.

        Raises:
            UsageError: It is another kind of model.
        """
        if self.flavor != "pyfunc":
            raise UsageError(f"{self.model_uri} is a {self.flavor} model, no PythonModel; get_raw_model() returns it")
        return getattr(self._model, "python_model", self._model)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return what the model predicts for *data*.

        Where it has a signature, data is checked against it first: columns that are missing or of a type that
        would lose something are refused, extra ones are ignored, integers become floats where those are wanted.

        Args:
            data: A frame, array, dictionary, list or scalar.
            params: Params of prediction that the signature names; others are ignored with a warning.

        Raises:
            InvalidModelInput: It does not fit; its ``name`` is the column's.
        """
        schema, allowed = self.input_schema, self.metadata.get_params_schema()
        if schema is not None:
            data = enforce_schema(data, schema)
        if params or allowed is not None:
            params = enforce_params(params, allowed)
        return self._predict(data, params)

    def predict_stream(self, data: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        """Yield what the model predicts, piece by piece.

        Raises:
            UsageError: It can't.
        """
        stream = getattr(self._model, "predict_stream", None)
        if stream is None:
            raise UsageError(f"{self.model_uri} has no predict_stream; predict gives its answer at once")
        schema, allowed = self.input_schema, self.metadata.get_params_schema()
        checked = data if schema is None else enforce_schema(data, schema)
        yield from stream(checked, enforce_params(params, allowed) if params or allowed else params)


def load_model(
    model_uri: str,
    flavor: str | None = None,
    trust: bool | None = None,
    *,
    model_config: Mapping[str, Any] | None = None,
    dst_path: str | None = None,
    **options: Any,
) -> PyFuncModel:
    """Load a model of any flavor as something that predicts.

    Args:
        model_uri: ``runs:/<run>/<name>``, ``models:/<name>/<version>``, ``models:/<name>@<stage>``,
            ``git:<revision>#<path>``, a folder, or a name; see :mod:`ledgit.models.uris`.
        flavor: As what to load it, if the MLmodel has several; its ``python_function`` by default.
        trust: Whether code of the model's maker may run; None: what :mod:`ledgit.models.consent` finds.
        model_config: Values instead of those saved in its configuration.
        dst_path: Keep the model's files in this folder.
        **options: What only its flavor has.

    Raises:
        ModelNotFound: There is none.
        FlavorNotFound: Its flavor is not known here.
        UntrustedModel: Loading it would run code that nobody vouches for.
        MissingDependency: A library is not installed.
        RecordError: Its files do not decode.
        ArtifactDamaged: They are not what was logged.
    """
    with open_model(model_uri, trust, dst_path) as opened:
        metadata = opened.metadata
        wanted = get_flavor(flavor) if flavor is not None else pyfunc_flavor(metadata, opened.source.uri)
        stored = opened.stored(wanted)
        unknown = options.keys() - wanted.load_options.keys()
        if unknown:
            raise UsageError(f"{wanted.name} models have no option {', '.join(sorted(unknown))} for loading")
        if model_config is not None:
            merged = {**(stored.pyfunc.get("config") or {}), **model_config}
            metadata.flavors[PYFUNC] = {**stored.pyfunc, "config": merged}
            stored = opened.stored(wanted)
        warn_of_mismatches(opened)
        opened.add_code(stored)
        native = wanted.load(stored, opened.trust, {**wanted.load_options, **options})
        model = PyFuncModel(native, wanted.predictor(native, stored), metadata, opened.source.uri, wanted.name)
        if wanted.name == "pyfunc":
            opened.keep = True  # its artifacts are files that it may open at any time
        model._opened = opened
        return model


def get_model_info(model_uri: str) -> ModelInfo:
    """Return what a model is, in a few words, without loading it.

    Raises:
        ModelNotFound: There is none.
        RecordError: Its MLmodel does not decode.
    """
    source = find_model(model_uri)
    info = source.metadata().get_model_info(source.uri)
    info.registered_model_version = None if source.version is None else source.version.number
    return info


def load_input_example(model_uri: str) -> Any:
    """Return the input example that was saved with a model, as the model takes it; None without one."""
    with open_model(model_uri) as opened:
        return opened.metadata.load_input_example(opened.folder)
