"""What is evaluated (a model, a URI, a function, or predictions made before), as one kind of thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.models.evaluation.frame import Frame, missing, numpy, vector
from ledgit.models.evaluation.scoring import Scored

__all__ = ["Predictor", "make_predictor", "score"]

_LABELS = ("label", "labels", "predicted_label", "prediction", "predictions", "output_label", "predict")
_SHARES = ("probabilities", "probability", "output_probability", "predict_proba", "scores")


@dataclass(frozen=True)
class Predictor:
    """How to ask a model.

    Attributes:
        predict: Features → predictions, whatever form the model gives them.
        shares: Features → rows × classes of probabilities; None if the model has no such method.
        classes: The classes in the order of *shares*; empty if not known.
        columns: The features' names that the model wants, empty if it does not say.
        own_score: The model's own ``score(X, y, sample_weight)``, which MLflow logs as ``score``.
    """

    predict: Callable[[Any], Any]
    shares: Callable[[Any], Any] | None = None
    classes: tuple[Any, ...] = ()
    columns: tuple[str, ...] = ()
    own_score: Callable[..., Any] | None = None


def make_predictor(model: Any, trust: bool | None = None) -> Predictor:
    """Return how to ask *model*.

    Args:
        model: A model's URI or folder, what ``load_model`` returns, a library's model with ``predict``,
            or a function of the features.
        trust: Whether a pickle behind a URI may be loaded; see :mod:`ledgit.models.consent`.

    Raises:
        InvalidValue: It is none of these.
    """
    if isinstance(model, str) or hasattr(model, "__fspath__"):
        from ledgit.models.loading import load_model

        model = load_model(model, trust=trust)
    native = _native(model)
    columns = _signature_columns(model) or tuple(
        str(name) for name in getattr(native, "feature_names_in_", getattr(model, "feature_names_in_", ()))
    )
    predict = _by_flavor(model) or getattr(model, "predict", None)
    if predict is None and callable(model):
        predict = model
    if predict is None:
        raise InvalidValue("the model", model, "a model's URI, a model with a predict method, or a function")
    shares = getattr(native, "predict_proba", None)
    classes = tuple(getattr(native, "classes_", ())) if shares is not None else ()
    scorer = getattr(native, "score", None) if _is_sklearn(native) else None
    return Predictor(predict, shares, tuple(_item(label) for label in classes), columns, scorer)


def score(
    task: str,
    frame: Frame,
    predictor: Predictor | None,
    given: Any,
    shares: Any,
    options: Mapping[str, Any],
    averages: tuple[str, ...],
) -> Scored:
    """Ask the model, or take the predictions *given*, and put them beside the labels.

    Args:
        task: ``classifier`` or ``regressor``.
        frame: The rows.
        predictor: The model, or None.
        given: The predictions, if there is no model; else the name of the column they have in its output.
        shares: Probabilities made before, rows × classes, or those of the positive class; or None.
        options: ``label_list`` and ``pos_label``, as MLflow's evaluator_config has them.
        averages: See :class:`Scored`.

    Raises:
        InvalidValue: The predictions don't fit the rows, or the task.
    """
    raw = given
    if predictor is not None:
        raw = predictor.predict(frame.features.copy())  # some models write into what they are given
        if shares is None and task == "classifier" and predictor.shares is not None:
            shares = predictor.shares(frame.features.copy())
    elif given is None:
        raise UsageError("evaluate needs a model or predictions; predictions= takes a column's name or the values")
    column = given if predictor is not None and isinstance(given, str) else None
    said, found_shares = _split(raw, column)
    shares = found_shares if shares is None else shares
    if task == "regressor":
        return Scored(task, _numbers(frame.targets, "the targets"), _numbers(_counted(said, frame), "the predictions"),
                      weights=frame.weights)  # fmt: skip
    return _classified(frame, said, shares, predictor.classes if predictor else (), options, averages)


def _classified(
    frame: Frame, said: Any, shares: Any, known: tuple[Any, ...], options: Mapping[str, Any], averages: tuple[str, ...]
) -> Scored:
    np = numpy()
    targets = frame.targets
    classes = _ordered(options.get("label_list") or known or (), targets)
    table = None if shares is None else _matrix(shares)
    array = _array(said)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] > 1:
        # Scores of each class, as networks give them: the greatest one is the prediction.
        if len(classes) < array.shape[1] and all(isinstance(label, int) for label in classes):
            classes = tuple(range(array.shape[1])) if set(classes) <= set(range(array.shape[1])) else classes
        if array.shape[1] != len(classes):
            raise InvalidValue(
                "the predictions", f"{array.shape[1]} values a row",
                f"one label a row, or a value for each of the {len(classes)} classes (label_list names them all)",
            )  # fmt: skip
        if table is None and _are_shares(np, array):
            table = array.astype(float)
        array = _taken(np, classes, array.argmax(axis=1))
    elif array.ndim == 1 and array.dtype.kind == "f" and len(classes) <= 2 and not _are_labels(array, classes):
        low, high = float(np.nanmin(array)), float(np.nanmax(array))
        if not (low >= 0 and high <= 1 and len(classes) == 2):
            raise InvalidValue(
                "the predictions", f"numbers from {low:g} to {high:g}",
                "labels, or probabilities of the positive class; for numbers choose model_type='regressor'",
            )  # fmt: skip
        if table is None:
            table = np.column_stack([1 - array, array])
        array = _taken(np, classes, (array >= 0.5).astype(int))
    array = _aligned(vector(array, "the predictions"), classes)
    _counted(array, frame)
    if int(missing(np, array).sum()):
        raise InvalidValue("the predictions", "without a value in some rows", "a label in every row")
    kinds = [{isinstance(label, str) for label in set(values.tolist())} for values in (targets, array)]
    if kinds[0].isdisjoint(kinds[1]):
        raise InvalidValue(
            "the predictions", array[:3].tolist(), f"of the labels' type, such as {targets[:3].tolist()}"
        )
    names = known if known and table is not None and table.shape[1] == len(known) else classes
    classes = _ordered([*classes, *names], array)
    if len(classes) < 2:
        raise InvalidValue("the labels", f"all {classes[0]!r}", "at least two classes; label_list= names all there are")
    if table is not None:
        table = _columns_for(np, table, names, classes, frame)
    positive = options.get("pos_label")
    if positive is not None:
        if len(classes) == 2 and positive not in classes:
            raise InvalidValue("pos_label", positive, f"one of {classes[0]!r} and {classes[1]!r}")
        if len(classes) == 2 and positive == classes[0]:
            classes = (classes[1], classes[0])
            table = None if table is None else table[:, ::-1]
    return Scored("classifier", targets, array, table, frame.weights, classes, averages)


def _columns_for(np: Any, table: Any, names: tuple[Any, ...], classes: tuple[Any, ...], frame: Frame) -> Any:
    """Return probabilities of *names* with a column for each of *classes*; of a class the model never saw it is 0."""
    if table.shape[0] != len(frame):
        raise InvalidValue("the probabilities", f"{table.shape[0]:,} rows", f"{len(frame):,}, as the data have")
    if table.shape[1] == 1 and len(classes) == 2:
        return np.column_stack([1 - table[:, 0], table[:, 0]])
    if table.shape[1] != len(names):
        if table.shape[1] != len(classes):
            raise InvalidValue(
                "the probabilities", f"{table.shape[1]} columns", f"one for each of the {len(classes)} classes"
            )
        return table
    wide = np.zeros((len(table), len(classes)))
    for position, label in enumerate(names):
        wide[:, classes.index(label)] = table[:, position]
    return wide


def _split(raw: Any, column: str | None) -> tuple[Any, Any]:
    """Tell labels from probabilities where a model gives both under names."""
    names = list(raw.columns) if hasattr(raw, "columns") else list(raw) if isinstance(raw, Mapping) else None
    if names is None:
        return raw, None
    if column is not None:
        if column not in names:
            raise InvalidValue("predictions", column, f"one of the model's outputs: {', '.join(map(str, names))}")
        return raw[column], None
    if len(names) == 1:
        return raw[names[0]], None
    label = next((name for name in _LABELS if name in names), None)
    shares = next((name for name in _SHARES if name in names), None)
    if label is not None:
        return raw[label], None if shares is None else raw[shares]
    if shares is not None:
        return raw[shares], None
    if hasattr(raw, "columns"):
        return raw.to_numpy(), None
    raise InvalidValue("the model's output", f"named {', '.join(map(str, names))}", "one of them named by predictions=")


def _matrix(shares: Any) -> Any:
    """Return probabilities as rows × classes; ONNX's list of dictionaries too."""
    np = numpy()
    if hasattr(shares, "tolist") and getattr(getattr(shares, "dtype", None), "kind", "") == "O":
        shares = shares.tolist()
    if isinstance(shares, Sequence) and shares and isinstance(shares[0], Mapping):
        return np.array([[row[key] for key in sorted(shares[0])] for row in shares], dtype=float)
    array = _array(shares).astype(float)
    return array[:, None] if array.ndim == 1 else array


def _array(values: Any) -> Any:
    np = numpy()
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if isinstance(values, Sequence) and values and isinstance(values[0], Mapping):
        # A Transformers pipeline: [{"label": "POSITIVE", "score": 0.99}, …]
        values = [row.get("label", row) for row in values]
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    return array.astype(object) if array.dtype.kind in "US" else array


def _counted(values: Any, frame: Frame) -> Any:
    """Return *values* if there is one for each row.

    Raises:
        InvalidValue: There are more or fewer.
    """
    scalar = getattr(values, "shape", None) == () or not hasattr(values, "__len__")
    count = 1 if scalar else len(values)
    if count != len(frame):
        raise InvalidValue("the predictions", f"{count:,} values", f"{len(frame):,}, one a row of the data")
    return values


def _numbers(values: Any, what: str) -> Any:
    np = numpy()
    try:
        numbers = vector(_array(values), what).astype(float)
    except (TypeError, ValueError):
        raise InvalidValue(what, "text", "numbers; for classes choose model_type='classifier'") from None
    bad = int((~np.isfinite(numbers)).sum())
    if bad:
        raise InvalidValue(what, f"NaN or infinite in {bad:,} of {len(numbers):,} rows", "numbers in every row")
    return numbers


def _ordered(labels: Any, values: Any) -> tuple[Any, ...]:
    """Return the classes there are, sorted; of mixed types by their text."""
    found = {_item(label) for label in {*labels, *values.tolist()}}
    try:
        return tuple(sorted(found))
    except TypeError:
        return tuple(sorted(found, key=str))


def _aligned(array: Any, classes: tuple[Any, ...]) -> Any:
    """Give predictions the type of the labels: 1.0 is the class 1."""
    if array.dtype.kind in "fiu" and any(isinstance(label, bool) for label in classes):
        return array.astype(bool)
    if array.dtype.kind == "f" and all(isinstance(label, int) for label in classes) and (array == array // 1).all():
        return array.astype(int)
    return array


def _are_labels(array: Any, classes: tuple[Any, ...]) -> bool:
    if not all(isinstance(label, int | float) for label in classes):
        return False
    return bool(numpy().isin(array, list(classes)).all())


def _are_shares(np: Any, array: Any) -> bool:
    if array.dtype.kind != "f":
        return False
    return bool((array >= 0).all() and np.allclose(array.sum(axis=1), 1.0, atol=1e-3))


def _taken(np: Any, classes: tuple[Any, ...], codes: Any) -> Any:
    table = np.empty(len(classes), dtype=object)
    table[:] = classes
    taken = table[codes]
    return taken.astype(type(classes[0])) if isinstance(classes[0], int | float) else taken


def _item(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _by_flavor(model: Any) -> Callable[[Any], Any] | None:
    """Return how to ask a library's model that does not take tables and arrays by itself, or prints."""
    from ledgit.errors import FlavorNotFound
    from ledgit.models.flavors import Stored, flavor_for

    try:
        flavor = flavor_for(model)
    except FlavorNotFound:
        return None
    if flavor.name not in {"xgboost", "pytorch", "keras", "transformers"}:
        return None
    ask = flavor.predictor(model, Stored("", {}))
    return lambda data: ask(data, None)


def _native(model: Any) -> Any:
    """Return the library's own model inside of a loaded one."""
    inside = getattr(model, "_model_impl", None)  # MLflow's
    if inside is not None and hasattr(inside, "get_raw_model"):
        return inside.get_raw_model()
    if type(model).__name__ == "PyFuncModel" and hasattr(model, "get_raw_model"):  # ours
        return model.get_raw_model()
    return model


def _signature_columns(model: Any) -> tuple[str, ...]:
    metadata: Any = getattr(model, "metadata", None)
    schema = metadata.get_input_schema() if hasattr(metadata, "get_input_schema") else None
    if schema is None or not schema.has_input_names():
        return ()
    return tuple(str(name) for name in schema.input_names())


def _is_sklearn(model: Any) -> bool:
    """Whether it is scikit-learn's or somebody's estimator of that kind, but no other library's imitation."""
    if type(model).__module__.partition(".")[0] in {"xgboost", "lightgbm", "catboost"}:
        return False
    return any(base.__module__.startswith("sklearn.") for base in type(model).__mro__)
