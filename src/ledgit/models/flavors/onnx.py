"""ONNX: a graph of known operators, which holds no code; onnxruntime predicts.

``model.onnx`` (weights above 1 KiB beside it, in files of their own), and MLflow's keys: ``data``, ``onnx_version``,
``providers``, ``onnx_session_options``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from ledgit.errors import InvalidModelInput, InvalidValue, RecordError, UsageError
from ledgit.models.consent import Trust
from ledgit.models.flavors import BaseFlavor, Predictor, Saved, Stored, import_library
from ledgit.models.kinds import is_array, is_frame
from ledgit.models.paths import inside

__all__ = ["FLAVOR", "Onnx"]

FILE = "model.onnx"
CPU = "CPUExecutionProvider"
PROVIDERS = ("CUDAExecutionProvider", CPU)
_MODES = {"SEQUENTIAL": "ORT_SEQUENTIAL", "PARALLEL": "ORT_PARALLEL"}
_OPTIONS = frozenset(
    ("inter_op_num_threads", "intra_op_num_threads", "execution_mode", "graph_optimization_level",
     "extra_session_config")
)  # fmt: skip
#: The session's settings that name files to load code from.
_LIBRARIES = ("custom_op", "library", "plugin")


class Onnx(BaseFlavor):
    """``onnx.ModelProto``."""

    name = "onnx"
    loader_module = "mlflow.onnx"
    package = "onnx"
    module = "onnx"
    argument = "onnx_model"
    save_options: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"onnx_execution_providers": None, "onnx_session_options": None, "save_as_external_data": True}
    )

    def recognizes(self, model: object) -> bool:
        """Whether it is a ``ModelProto``: its class comes from generated code of no certain module."""
        cls = type(model)
        return cls.__name__ == "ModelProto" and str(cls.__module__).partition(".")[0] in {"onnx", "onnx_ml_pb2"}

    def save(self, model: Any, folder: str, options: Mapping[str, Any]) -> Saved:
        """Write ``model.onnx`` and the weights beside it."""
        onnx = import_library(self)
        if not isinstance(model, onnx.ModelProto):
            raise InvalidValue("the model", model, "an onnx.ModelProto; onnx.load reads one from a file")
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL and not tensor.HasField("raw_data"):
                raise UsageError(
                    f"the weights {tensor.name!r} are not in the model but in a file; onnx.load reads them too"
                )
        providers = _providers(options["onnx_execution_providers"])
        settings = _settings(options["onnx_session_options"])
        copy = onnx.ModelProto()
        copy.CopyFrom(model)  # saving with external data takes the weights out of the object
        try:
            onnx.save_model(
                copy, os.path.join(folder, FILE), save_as_external_data=bool(options["save_as_external_data"]),
                location="model.onnx.data",
            )  # fmt: skip
        except ValueError as error:  # above 2 GB, which protobuf can't hold
            raise UsageError(
                f"ONNX can't write the model in one file ({error}); leave save_as_external_data"
            ) from error
        return Saved(
            flavor={
                "onnx_version": onnx.__version__,
                "data": FILE,
                "providers": providers,
                "onnx_session_options": settings,
            },
            pyfunc={"data": FILE},
            packages=("onnxruntime",),
        )

    def load(self, stored: Stored, trust: Trust, options: Mapping[str, Any]) -> Any:  # noqa: ARG002 - no code in it
        """Read and check the graph.

        Raises:
            RecordError: The file does not decode, or is no valid graph.
        """
        onnx = import_library(self)
        file = str(stored.flavor.get("data") or FILE)
        path = inside(stored.folder, file)
        try:
            # By its path: that checks too that weights beside it stay in the folder.
            onnx.checker.check_model(path)
            return onnx.load(path)
        except Exception as error:
            # onnx raises protobuf's, the checker's and built-in errors alike for what does not decode.
            raise RecordError(f"{trust.model} ({file})", f"it is no valid ONNX model ({_first_line(error)})") from error

    def predictor(self, model: Any, stored: Stored) -> Predictor:
        """Return onnxruntime's session: a frame gives a frame, arrays a dictionary of the outputs."""
        runtime = import_library(self, "onnxruntime")
        path = inside(stored.folder, str(stored.flavor.get("data") or FILE))
        try:
            session = runtime.InferenceSession(
                path,
                sess_options=_session_options(runtime, stored.flavor.get("onnx_session_options")),
                providers=_available(runtime, stored.flavor.get("providers")),
            )
        except Exception as error:
            # onnxruntime has no base class of its errors.
            name = stored.metadata.artifact_path if stored.metadata is not None else None
            where = f"{name or 'the model'} ({FILE})"
            raise RecordError(where, f"onnxruntime can't run it ({_first_line(error)})") from error
        del model
        return _Session(session)


class _Session:
    """Predicts with onnxruntime, as MLflow does."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = {one.name: one.type for one in session.get_inputs()}
        self._outputs = [one.name for one in session.get_outputs()]

    def __call__(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002 - the protocol's
        import numpy as np

        found = self._session.run(self._outputs, self._narrowed(self._named(data)))
        if not is_frame(data):
            return dict(zip(self._outputs, found, strict=True))
        import pandas as pd

        return pd.DataFrame({name: _column(np, part) for name, part in zip(self._outputs, found, strict=True)})

    def _named(self, data: Any) -> dict[str, Any]:
        """Return the arrays by the name of the input that each is for."""
        names = list(self._inputs)
        if isinstance(data, dict):
            return data
        if is_frame(data):
            if len(names) == 1:
                return {names[0]: data.to_numpy()}
            if absent := [name for name in names if name not in data.columns]:
                raise InvalidModelInput(absent[0], f"the model's input {absent[0]!r} is no column of the data")
            return {name: data[name].to_numpy() for name in names}
        if is_array(data):
            if len(names) > 1:
                raise InvalidModelInput(
                    "", f"the model has {len(names)} inputs ({', '.join(names)}), the data one array"
                )
            return {names[0]: data}
        raise InvalidModelInput("", f"the data are {type(data).__name__}: no array, dictionary of arrays or frame")

    def _narrowed(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Return the arrays with 32 bits where the model wants them: NumPy and pandas make 64 of every number."""
        import numpy as np

        found = {}
        for name, array in arrays.items():
            made = np.asarray(array)
            wide = made.dtype.kind == "O" or made.dtype == np.float64
            found[name] = made.astype(np.float32) if wide and self._inputs.get(name) == "tensor(float)" else made
        return found


def _column(np: Any, part: Any) -> Any:
    """Return one output as a column; of several values a row, a list each."""
    array = np.asarray(part)
    if array.ndim > 1 and array.size != array.shape[0]:
        return list(array)
    return array.reshape(-1)


def _providers(given: Any) -> list[Any]:
    names = [given] if isinstance(given, str) else list(given or PROVIDERS)
    return [list(one) if isinstance(one, tuple) else one for one in names]


def _available(runtime: Any, wanted: Any) -> list[Any]:
    there = set(runtime.get_available_providers())
    listed = [tuple(one) if isinstance(one, list) else one for one in _providers(wanted)]
    return [one for one in listed if (one[0] if isinstance(one, tuple) else one) in there] or [CPU]


def _settings(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    if unknown := given.keys() - _OPTIONS:
        raise InvalidValue("onnx_session_options", sorted(unknown), f"some of {', '.join(sorted(_OPTIONS))}")
    mode = given.get("execution_mode")
    if mode is not None and str(mode).upper() not in _MODES:
        raise InvalidValue("execution_mode", mode, "sequential or parallel")
    return dict(given)


def _session_options(runtime: Any, given: Any) -> Any:
    options = runtime.SessionOptions()
    settings: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    for name in ("inter_op_num_threads", "intra_op_num_threads"):
        if settings.get(name):
            setattr(options, name, int(settings[name]))
    mode = _MODES.get(str(settings.get("execution_mode") or "").upper())
    if mode:
        options.execution_mode = getattr(runtime.ExecutionMode, mode)
    level = settings.get("graph_optimization_level")
    if level:
        options.graph_optimization_level = runtime.GraphOptimizationLevel(level)
    extra: Sequence[Any] | Mapping[str, Any] = settings.get("extra_session_config") or {}
    for key, value in extra.items() if isinstance(extra, Mapping) else ():
        if not any(word in str(key) for word in _LIBRARIES):  # the file is read from who knows where
            options.add_session_config_entry(str(key), str(value))
    return options


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


FLAVOR = Onnx()
