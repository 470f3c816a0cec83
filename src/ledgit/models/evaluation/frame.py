"""The rows that a model is evaluated on: features, labels, weights, and columns to slice by.

Tables (pandas, polars, a mapping of columns) and arrays look the same from here on: labels are a
NumPy array, features are what the model is called with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledgit.errors import InvalidValue, MissingDependency, UsageError

__all__ = ["Frame", "make_frame", "numpy", "vector"]


@dataclass(frozen=True)
class Frame:
    """Rows to evaluate a model on.

    Attributes:
        data: All that was given: a pandas DataFrame or a NumPy array.
        features: The part of it that the model is called with.
        names: Names of the features' columns; empty for arrays of other than two dimensions.
        targets: The labels; None if there are none.
        weights: One weight a row, or None.
        targets_name: The labels' column, "" if they came apart from the data.
    """

    data: Any
    features: Any
    names: tuple[str, ...]
    targets: Any
    weights: Any
    targets_name: str = ""

    def __len__(self) -> int:
        return len(self.features)

    def column(self, name: str) -> Any:
        """Return a column of all that was given, as an array.

        Raises:
            InvalidValue: There is none of this name.
        """
        if _is_table(self.data):
            if name in self.data.columns:
                found = _plain(self.data[name])
                if found.ndim != 1:
                    raise InvalidValue("the column", name, "there once; the data have several of that name")
                return found
            known = [str(column) for column in self.data.columns]
        else:
            if name in self.names:
                return self.features[:, self.names.index(name)]
            known = list(self.names)
        raise InvalidValue("the column", name, f"one of {', '.join(known[:20]) or 'none (the data are an array)'}")

    def restricted(self, names: Sequence[str]) -> Frame:
        """Return the same rows with only the features *names*, in that order, if all are there."""
        if not names or not _is_table(self.features) or not set(names) <= {str(name) for name in self.names}:
            return self
        return Frame(self.data, self.features[list(names)], tuple(names), self.targets, self.weights, self.targets_name)


def numpy() -> Any:
    """Import NumPy.

    Raises:
        MissingDependency: It is not installed.
    """
    try:
        import numpy as np
    except ImportError as error:
        raise MissingDependency("evaluating models", "scikit-learn") from error
    return np


def make_frame(
    data: Any,
    targets: Any,
    feature_names: Sequence[str] | None = None,
    weights: Any = None,
    leave_out: Sequence[str] = (),
) -> Frame:
    """Return *data* as a :class:`Frame`.

    Args:
        data: A pandas or polars DataFrame, a mapping of columns, an array, a list of rows, or one
            of MLflow's data sets.
        targets: Name of the labels' column, or the labels.
        feature_names: The columns the model is called with; all but those of labels, weights and
            *leave_out* if None. For an array: its columns' names.
        weights: Name of the weights' column, or the weights.
        leave_out: Columns that are no features.

    Raises:
        InvalidValue: Not as many labels or weights as rows, no rows, missing labels, a column that is not there.
    """
    np = numpy()
    data, targets = _unwrapped(data, targets)
    if _is_table(data):
        frame = _from_table(data, targets, feature_names, weights, leave_out)
    else:
        for what, given in (("the targets", targets), ("the sample weights", weights)):
            if isinstance(given, str):
                raise InvalidValue(what, given, "an array: the data are no table with named columns")
        names = tuple(map(str, feature_names or ()))
        shape: tuple[int, ...] = tuple(getattr(data, "shape", ()))
        if names and (len(shape) != 2 or shape[1] != len(names)):
            raise InvalidValue(
                "feature_names", list(names), f"one for each column of the data, which have shape {shape}"
            )
        if not names and len(shape) == 2:
            names = tuple(f"feature_{number + 1}" for number in range(shape[1]))
        frame = Frame(data, data, names, _labels(targets), _weights(weights), "")
    rows = len(frame)
    if not rows:
        raise InvalidValue("the data", "empty", "at least one row")
    for what, values in (("the targets", frame.targets), ("the sample weights", frame.weights)):
        if values is not None and len(values) != rows:
            raise InvalidValue(what, f"{len(values):,} values", f"{rows:,}, one a row of the data")
    if frame.targets is not None and (lost := int(missing(np, frame.targets).sum())):
        raise InvalidValue("the targets", f"without a value in {lost:,} of {rows:,} rows", "a label in every row")
    return frame


def vector(values: Any, what: str) -> Any:
    """Return *values* as a one-dimensional array of Python's or NumPy's own types.

    Raises:
        InvalidValue: They have more dimensions than one.
    """
    array = _plain(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise InvalidValue(what, f"an array of shape {array.shape}", "one value a row")
    return array


def missing(np: Any, values: Any) -> Any:
    """Return a mask of what is None or NaN in an array."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    # NaN, NaT and pandas' NA are the values that do not equal themselves for sure.
    return np.fromiter((_is_missing(value) for value in values), dtype=bool, count=len(values))


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - that is how NaN is known
    except (TypeError, ValueError):  # pandas.NA has no truth value
        return type(value).__name__ == "NAType"


def _unwrapped(data: Any, targets: Any) -> tuple[Any, Any]:
    """Take a table or array out of what holds it."""
    np = numpy()
    if data is None:
        raise UsageError("evaluate needs data: a table or an array to call the model with")
    kind = type(data).__module__.partition(".")[0]
    if kind == "mlflow":  # a PandasDataset, NumpyDataset …
        if targets is not None:
            raise UsageError("the data set says which its targets are; leave out targets=")
        if hasattr(data, "df"):
            return _unwrapped(data.df, data.targets)
        return _unwrapped(data.features, data.targets)
    if kind == "ledgit":
        raise InvalidValue("the data", data, "the table or array itself: a Dataset only describes it")
    if kind == "polars":
        return _table({name: data[name].to_numpy() for name in data.columns}), targets
    if isinstance(data, Mapping):
        return _table(data), targets
    if kind == "torch" and hasattr(data, "detach"):
        return data.detach().cpu().numpy(), targets
    if _is_table(data) or hasattr(data, "shape"):
        return data, targets
    if isinstance(data, list | tuple):
        if any(isinstance(row, str | Mapping) for row in data[:1]):
            return _table(list(data) if isinstance(data[0], Mapping) else {"text": list(data)}), targets
        return np.asarray(data), targets
    raise InvalidValue("the data", data, "a DataFrame, a mapping of columns, an array or a list of rows")


def _table(columns: Any) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("evaluating models on tables", "pandas") from error
    return pd.DataFrame(columns)


def _is_table(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns")


def _from_table(
    data: Any, targets: Any, feature_names: Sequence[str] | None, weights: Any, leave_out: Sequence[str]
) -> Frame:
    out = set(leave_out)
    named = {"the targets": targets, "the sample weights": weights}
    for what, given in named.items():
        if isinstance(given, str):
            if given not in data.columns:
                columns = ", ".join(map(str, data.columns[:20]))
                raise InvalidValue(what, given, f"a column of the data ({columns})")
            out.add(given)
    if feature_names is not None:
        absent = [name for name in feature_names if name not in data.columns]
        if absent:
            raise InvalidValue("feature_names", absent[0], "columns of the data")
        features = data[list(feature_names)]
    else:
        features = data[[name for name in data.columns if name not in out]] if out else data
    labels = data[targets] if isinstance(targets, str) else targets
    weight = data[weights] if isinstance(weights, str) else weights
    names = tuple(str(name) for name in features.columns)
    return Frame(data, features, names, _labels(labels), _weights(weight), targets if isinstance(targets, str) else "")


def _labels(targets: Any) -> Any:
    return None if targets is None else vector(targets, "the targets")


def _weights(weights: Any) -> Any:
    if weights is None:
        return None
    np = numpy()
    try:
        values = vector(weights, "the sample weights").astype(float)
    except (TypeError, ValueError):
        raise InvalidValue("the sample weights", weights, "numbers") from None
    if not np.isfinite(values).all() or (values < 0).any() or not values.sum() > 0:
        raise InvalidValue("the sample weights", "negative, missing or all zero", "numbers from 0, not all of them 0")
    return values


def _plain(values: Any) -> Any:
    """Return *values* as an array: text as objects, pandas' categories and nullable types as what they hold."""
    np = numpy()
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    kind = type(values).__module__.partition(".")[0]
    if kind == "pandas" and hasattr(values, "dtype") and hasattr(values, "to_numpy"):
        array = values.to_numpy()
        if array.dtype.kind == "O":
            array = _narrowed(array)
        return array
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "US" else array


def _narrowed(array: Any) -> Any:
    """Give an array of objects that are all ints, floats or bools the type of those."""
    kinds = {type(value) for value in array}
    for kind in (bool, int, float):
        if kinds == {kind}:
            try:
                return array.astype(kind)
            except OverflowError:
                return array
    return array
