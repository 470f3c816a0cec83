"""Metrics and files of the user's own, by MLflow's rules."""

from __future__ import annotations

import inspect
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledgit.errors import InvalidValue, MissingDependency
from ledgit.models.evaluation.frame import Frame
from ledgit.models.evaluation.scoring import Scored

__all__ = ["EvaluationMetric", "MetricValue", "as_metrics", "custom_files", "make_metric", "measure_extra"]


@dataclass(frozen=True)
class MetricValue:
    """What a metric function may return instead of a number.

    Attributes:
        scores: One value a row; they become a column of ``eval_results_table``.
        justifications: One text a row.
        aggregate_results: Name → number, logged as metrics ``<metric>/<name>``.
    """

    scores: Sequence[Any] | None = None
    justifications: Sequence[Any] | None = None
    aggregate_results: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationMetric:
    """A metric of the user's own.

    Attributes:
        eval_fn: The function; see :func:`make_metric`.
        name: What it is logged as.
        greater_is_better: Which way is better: for the worst slice, and gates.
        long_name: A name for people.
        version: Logged as ``<name>/<version>`` if there is one.
    """

    eval_fn: Callable[..., Any]
    name: str
    greater_is_better: bool = True
    long_name: str | None = None
    version: str | None = None

    @property
    def key(self) -> str:
        """What the metric is logged as."""
        return f"{self.name}/{self.version}" if self.version else self.name


def make_metric(
    *,
    eval_fn: Callable[..., Any],
    greater_is_better: bool,
    name: str | None = None,
    long_name: str | None = None,
    version: str | None = None,
    metric_details: str | None = None,  # noqa: ARG001 - MLflow's signature
    metric_metadata: Mapping[str, Any] | None = None,  # noqa: ARG001
    genai_metric_args: Mapping[str, Any] | None = None,  # noqa: ARG001
) -> EvaluationMetric:
    """Make a metric out of a function.

    Args:
        eval_fn: Gets by name what it has arguments for: ``predictions``, ``targets`` (pandas Series if pandas is
            installed, else arrays), ``metrics`` (what was computed before), ``sample_weights``, columns of the data,
            and keys of *evaluator_config*; or, as older versions of MLflow had it, ``eval_df`` with the columns
            ``prediction`` and ``target``, and ``builtin_metrics``. Returns a number or a :class:`MetricValue`.
        greater_is_better: Which way is better.
        name: What it is logged as; the function's name if None.
        long_name: A name for people.
        version: A version, which becomes part of the metric's name.
        metric_details: Accepted for MLflow's sake.
        metric_metadata: Accepted for MLflow's sake.
        genai_metric_args: Accepted for MLflow's sake.

    Raises:
        InvalidValue: It is no function, or has no name.
    """
    if not callable(eval_fn):
        raise InvalidValue("eval_fn", eval_fn, "a function of predictions and targets")
    found = name or getattr(eval_fn, "__name__", None)
    if not found or found == "<lambda>":
        raise InvalidValue("the metric's name", found, "given as name=, because the function has none")
    return EvaluationMetric(eval_fn, found, bool(greater_is_better), long_name, version)


def as_metrics(given: Sequence[Any] | None) -> list[EvaluationMetric]:
    """Return ``extra_metrics=`` as metrics; MLflow's own objects and plain functions will do.

    Raises:
        InvalidValue: One is neither.
    """
    found = []
    for one in given or ():
        if isinstance(one, EvaluationMetric):
            found.append(one)
        elif hasattr(one, "eval_fn") and hasattr(one, "name"):
            found.append(EvaluationMetric(one.eval_fn, one.name, bool(one.greater_is_better), version=one.version))
        elif callable(one):
            found.append(make_metric(eval_fn=one, greater_is_better=True))
        else:
            raise InvalidValue("extra_metrics", one, "what make_metric returns, or a function")
    return found


def measure_extra(
    metrics: Sequence[EvaluationMetric],
    scored: Scored,
    frame: Frame,
    known: Mapping[str, float],
    config: Mapping[str, Any],
    mask: Any = None,
) -> tuple[dict[str, float], dict[str, list[Any]]]:
    """Return what the user's metrics say of some rows, and their columns of one value a row.

    Args:
        metrics: The metrics.
        scored: The rows' predictions.
        frame: All rows of the data.
        known: What was computed before.
        config: The user's further arguments.
        mask: Which rows of *frame* are meant; all if None.

    Raises:
        InvalidValue: A metric's function wants what there isn't, or returns no number.
    """
    found: dict[str, float] = {}
    columns: dict[str, list[Any]] = {}
    for metric in metrics:
        value = _call(metric, scored, frame, {**known, **found}, config, mask)
        if value is None:
            continue
        if hasattr(value, "aggregate_results"):
            for name, number in (value.aggregate_results or {}).items():
                found[metric.key if name == metric.name else f"{metric.key}/{name}"] = _number(metric, number)
            if value.scores is not None:
                columns[f"{metric.key}/score"] = list(value.scores)
            if value.justifications is not None:
                columns[f"{metric.key}/justification"] = list(value.justifications)
        else:
            found[metric.key] = _number(metric, value)
    return found, columns


def _call(
    metric: EvaluationMetric, scored: Scored, frame: Frame, known: Mapping[str, float], config: Mapping[str, Any],
    mask: Any,
) -> Any:  # fmt: skip
    wanted = list(inspect.signature(metric.eval_fn).parameters.values())
    names = [one.name for one in wanted if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if names and names[0] == "eval_df":
        return metric.eval_fn(*(_eval_table(scored), dict(known))[: len(names)])
    there: dict[str, Callable[[], Any]] = {
        "predictions": lambda: _series(scored.predictions),
        "targets": lambda: _series(scored.targets),
        "metrics": lambda: dict(known),
        "sample_weights": lambda: scored.weights,
        "probabilities": lambda: scored.probabilities,
    }
    arguments = {}
    mapping = config.get("col_mapping") or {}
    for one in wanted:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        name = one.name
        if name in there:
            arguments[name] = there[name]()
            continue
        if name in config:
            arguments[name] = config[name]
            continue
        try:
            column = frame.column(mapping.get(name, name))
        except InvalidValue:
            if one.default is not one.empty:
                continue
            raise InvalidValue(
                f"the argument {name!r} of the metric {metric.name!r}", "unknown",
                "predictions, targets, metrics, sample_weights, probabilities, a column, or a key of evaluator_config",
            ) from None  # fmt: skip
        arguments[name] = _series(column if mask is None else column[mask])
    return metric.eval_fn(**arguments)


def custom_files(
    functions: Sequence[Callable[..., Any]] | None, scored: Scored, metrics: Mapping[str, float], folder: str
) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, file name and bytes of what the user's functions make.

    Args:
        functions: Each gets ``eval_df, builtin_metrics, artifacts_dir`` and returns name → a path, a DataFrame,
            an array, a figure, or what JSON can hold.
        scored: The predictions.
        metrics: What was computed.
        folder: Where they may write.

    Raises:
        InvalidValue: A function returns something else.
    """
    for function in functions or ():
        made = function(_eval_table(scored), dict(metrics), folder)
        if not isinstance(made, Mapping):
            name = getattr(function, "__name__", "?")
            raise InvalidValue(f"the result of {name!r} among custom_artifacts", made, "a dictionary of artifacts")
        for name, value in made.items():
            ending, data = _file(str(name), value)
            yield str(name), f"{name}{ending}", data


def _file(name: str, value: Any) -> tuple[str, bytes]:
    if isinstance(value, str | os.PathLike) and os.path.isfile(value):
        with open(value, "rb") as stream:
            return os.path.splitext(os.fspath(value))[1], stream.read()
    if hasattr(value, "savefig"):
        pictured = io.BytesIO()
        value.savefig(pictured, format="png")
        return ".png", pictured.getvalue()
    if hasattr(value, "to_csv"):
        return ".csv", value.to_csv(index=False).encode()
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "shape"):
        import numpy as np

        stored = io.BytesIO()
        np.save(stored, value, allow_pickle=False)
        return ".npy", stored.getvalue()
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            raise InvalidValue(f"the artifact {name!r}", value, "a file that exists, or JSON") from None
        return ".json", value.encode()
    try:
        # MLflow would pickle what JSON can't hold; nobody could read that safely.
        return ".json", json.dumps(value, default=lambda item: item.tolist()).encode()
    except (TypeError, ValueError, AttributeError):
        expected = "a path, DataFrame, array, figure or what JSON can hold"
        raise InvalidValue(f"the artifact {name!r}", value, expected) from None


def _number(metric: EvaluationMetric, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidValue(f"what the metric {metric.name!r} returned", value, "a number or a MetricValue") from None


def _eval_table(scored: Scored) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("functions of eval_df", "pandas") from error
    return pd.DataFrame({"prediction": scored.predictions, "target": scored.targets})


def _series(values: Any) -> Any:
    """Return a pandas Series where pandas is in use, as MLflow's metrics expect one."""
    import sys

    pandas = sys.modules.get("pandas")
    return values if pandas is None else pandas.Series(values)
