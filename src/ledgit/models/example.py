"""Input examples: saved as JSON, read back, and as the body of a request to a server; files as MLflow has them."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ledgit.errors import RecordError, UsageError
from ledgit.models.inference import infer_params
from ledgit.models.kinds import is_array, is_frame, is_missing, is_sparse

__all__ = ["Example", "convert_input_example_to_serving_input", "read_example", "read_example_params"]

FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"
_MOST = 256 << 20
# Keys of a request that language models take as it is.
_UNIFIED = frozenset({"messages", "prompt", "input"})


class Example:
    """An input example, ready to be saved.

    Attributes:
        data: What a model can predict on.
        params: Params that go with it, or None.
        info: What the MLmodel says of it.
        content: What ``input_example.json`` holds.
        serving: The body of a request.

    Raises:
        UsageError: It is of no type that can be saved.
    """

    def __init__(self, given: Any) -> None:
        self.params: dict[str, Any] | None = None
        self.data = deepcopy(given)
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict):
            self.data, self.params = deepcopy(given)
            infer_params(self.params)
        self.info: dict[str, Any] = {"artifact_path": FILE}
        if self.params:
            self.info["params"] = "true"
        content, serving = self._describe(self.data)
        if self.params is not None:
            content = {"inputs": content, "params": self.params}
            unified = isinstance(self.data, dict) and _UNIFIED & self.data.keys()
            serving = {**serving, **(self.params if unified else {"params": self.params})}
        self.content, self.serving = _dumps(content), _dumps(serving, indent=2)
        self.info["serving_input_path"] = SERVING_FILE

    def save(self, folder: str) -> dict[str, Any]:
        """Write both files into *folder*; return :attr:`info`."""
        for name, text in ((FILE, self.content), (SERVING_FILE, self.serving)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                stream.write(text)
        return self.info

    def _describe(self, data: Any) -> tuple[Any, dict[str, Any]]:
        """Return what to save and what to send; say in :attr:`info` what it is."""
        if is_frame(data):
            split = _split(data)
            self.info |= {"type": "dataframe", "pandas_orient": "split" if "columns" in split else "values"}
            return split, {"dataframe_split": split}
        if is_sparse(data):
            self.info["type"] = f"sparse_matrix_{data.format}"
            content = {"data": _rows(data.data), "indices": data.indices.tolist(), "indptr": data.indptr.tolist()}
            return {**content, "shape": list(data.shape)}, {"inputs": data.toarray()}
        if is_array(data):
            self.info["type"] = "ndarray"
            return _rows(data), {"inputs": _rows(data)}
        if isinstance(data, dict) and any(is_array(value) for value in data.values()):
            if not all(is_array(value) for value in data.values()):
                raise UsageError("the input example is a dictionary of arrays and of something else")
            self.info["type"] = "ndarray"
            rows = {name: _rows(value) for name, value in data.items()}
            return rows, {"inputs": rows}
        self.info["type"] = "json_object"
        if isinstance(data, dict):
            return data, data if _UNIFIED & data.keys() else {"inputs": data}
        if isinstance(data, list):
            if _has_array(data):
                raise UsageError("the input example is a list with NumPy arrays in it; make one array of them")
            return data, {"inputs": data}
        if isinstance(data, str | bytes | int | float | dt.datetime) or hasattr(data, "dtype"):
            return data, {"inputs": data}
        raise UsageError(
            f"the input example is a {type(data).__name__}; a data frame, an array, a dictionary of arrays, a sparse"
            " matrix, a dictionary, list or scalar can be saved"
        )


def _split(frame: Any) -> dict[str, Any]:
    rows = frame.astype(object).where(frame.notna(), None).values.tolist()
    columns = list(frame.columns)
    return {"data": rows} if columns == list(range(len(columns))) else {"columns": columns, "data": rows}


def _rows(array: Any) -> Any:
    """Return an array as nested lists, None for NaN."""
    import numpy as np

    if np.issubdtype(array.dtype, np.inexact):
        array = np.where(np.isnan(array), np.array(None), array)
    return array.tolist()


def _has_array(data: Any) -> bool:
    if isinstance(data, list):
        return any(_has_array(one) for one in data)
    if isinstance(data, dict):
        return any(_has_array(one) for one in data.values())
    return is_array(data)


def _dumps(data: Any, indent: int | None = None) -> str:
    try:
        return json.dumps(data, default=_plain, indent=indent)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the input example can't be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.encodebytes(value).decode("ascii")
    if is_missing(value):
        return None
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if hasattr(value, "dtype"):
        import numpy as np

        if isinstance(value, np.datetime64):
            return str(np.datetime_as_string(value))
        return value.tolist()
    if hasattr(value, "model_dump"):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} has no JSON")


def convert_input_example_to_serving_input(input_example: Any) -> str | None:
    """Return *input_example* as the body of a request to a server, JSON; None for None.

    Raises:
        UsageError: It is of no type that can be sent.
    """
    return None if input_example is None else Example(input_example).serving


def read_example(model: Any, folder: str) -> Any:
    """Return the input example saved in *folder*, as the model takes it; None if there is none.

    Raises:
        RecordError: It does not decode.
    """
    content = _content(model, folder)
    if content is None:
        return None
    info: Mapping[str, Any] = model.saved_input_example_info
    if info.get("params"):
        content = content.get("inputs") if isinstance(content, dict) else None
    kind, schema = info.get("type"), model.get_input_schema()
    try:
        if kind == "json_object":
            return content
        from ledgit.models import payload

        if kind == "ndarray":
            return payload.inputs_from_json(content, schema)
        if kind == "dataframe":
            return payload.frame_from_json(content, "split", schema)
        if kind in {"sparse_matrix_csr", "sparse_matrix_csc"}:
            import scipy.sparse

            make = getattr(scipy.sparse, f"{kind[-3:]}_matrix")
            return make((content["data"], content["indices"], content["indptr"]), shape=tuple(content["shape"]))
    except (UsageError, KeyError, TypeError, ValueError) as error:
        raise RecordError(os.path.join(folder, FILE), f"it does not decode: {error}") from None
    raise RecordError(os.path.join(folder, "MLmodel"), f"an input example of type {kind!r} is not known")


def read_example_params(model: Any, folder: str) -> dict[str, Any] | None:
    """Return the params saved with the input example in *folder*, or None."""
    info = model.saved_input_example_info
    if info is None or not info.get("params"):
        return None
    content = _content(model, folder)
    found = content.get("params") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else None


def read_serving_input(model: Any, folder: str) -> str | None:
    """Return the body of a request that is saved in *folder*, or None."""
    info = model.saved_input_example_info
    name = None if info is None else info.get("serving_input_path")
    return None if name is None else _read(folder, name).decode("utf-8", "replace")


def _content(model: Any, folder: str) -> Any:
    info = model.saved_input_example_info
    if info is None:
        return None
    name = info.get("artifact_path", FILE)
    try:
        return json.loads(_read(folder, name))
    except ValueError as error:
        raise RecordError(os.path.join(folder, str(name)), f"it is no JSON: {error}") from None


def _read(folder: str, name: Any) -> bytes:
    from ledgit.models.paths import inside

    path = inside(folder, name)
    try:
        with open(path, "rb") as stream:
            return stream.read(_MOST)
    except OSError as error:
        raise RecordError(path, error.strerror or str(error)) from None
