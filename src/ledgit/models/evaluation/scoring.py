"""The metrics of a task, under MLflow's names, computed by scikit-learn.

A :class:`Scored` holds what they need: labels, predictions, probabilities and weights of the same
rows. A part of the rows is a slice, so that every metric is defined once for both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledgit.errors import InvalidValue, MissingDependency
from ledgit.models.evaluation.frame import numpy

__all__ = ["Scored", "check_averages", "classifier_metrics", "metrics_of", "per_class", "rates", "regressor_metrics"]

Metrics = dict[str, float]


@dataclass(frozen=True)
class Scored:
    """Labels beside what a model said.

    Attributes:
        task: ``classifier`` or ``regressor``.
        targets: The labels.
        predictions: What was predicted for each.
        probabilities: Rows × classes, in the order of *classes*; None if not known.
        weights: One weight a row, or None.
        classes: All classes there are, sorted; the positive one last if there are two.
        averages: How classes are averaged where there are more than two, MLflow's first.
    """

    task: str
    targets: Any
    predictions: Any
    probabilities: Any = None
    weights: Any = None
    classes: tuple[Any, ...] = ()
    averages: tuple[str, ...] = ("weighted",)
    _codes: tuple[Any, ...] | None = field(default=None, repr=False, compare=False)

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    def part(self, mask: Any) -> Scored:
        """Return the rows where *mask* is true."""
        return Scored(
            self.task,
            self.targets[mask],
            self.predictions[mask],
            None if self.probabilities is None else self.probabilities[mask],
            None if self.weights is None else self.weights[mask],
            self.classes,
            self.averages,
            None if self.task == "regressor" else tuple(numbers[mask] for numbers in self.codes),
        )

    @property
    def codes(self) -> tuple[Any, ...]:
        """The numbers of the labels' and the predictions' classes; scikit-learn is spared classes of mixed types."""
        if self._codes is None:
            np = numpy()
            number = {label: code for code, label in enumerate(self.classes)}
            found = tuple(
                np.fromiter(map(number.__getitem__, values.tolist()), dtype=np.int64, count=len(values))
                for values in (self.targets, self.predictions)
            )
            object.__setattr__(self, "_codes", found)  # once for all metrics, and slices are parts of it
            return found
        return self._codes


def sklearn_metrics() -> Any:
    """Import ``sklearn.metrics``.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingDependency("evaluating models", "scikit-learn") from error
    return metrics


def metrics_of(scored: Scored, *, strict: bool = False) -> Metrics:
    """Return the metrics of the task.

    Args:
        scored: The rows.
        strict: Leave out what is not defined for these rows (the precision where nothing was
            predicted positive) instead of calling it 0, as MLflow does: in a small slice that would be
            a difference which isn't there.
    """
    if scored.task == "regressor":
        return regressor_metrics(scored, strict=strict)
    return classifier_metrics(scored, strict=strict)


def classifier_metrics(scored: Scored, *, strict: bool = False) -> Metrics:
    """Return accuracy, recall, precision, F1, the counts of two classes, and what probabilities allow."""
    np, sk = numpy(), sklearn_metrics()
    (true, said), weights = scored.codes, scored.weights
    found: dict[str, Callable[[], Any]] = {}
    undefined = np.nan if strict else 0
    labels = list(range(len(scored.classes)))
    plain: Metrics = {}
    if scored.binary:
        table = sk.confusion_matrix(true, said, labels=labels).ravel().tolist()
        names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
        plain.update(zip(names, table, strict=True))
    plain["example_count"] = len(true)
    found["accuracy_score"] = lambda: sk.accuracy_score(true, said, sample_weight=weights)
    averages = ("binary",) if scored.binary else scored.averages
    for position, average in enumerate(averages):
        ending = f"_{average}" if position else ""
        for name in ("recall_score", "precision_score", "f1_score"):
            found[f"{name}{ending}"] = _averaged(
                getattr(sk, name), true, said, weights, average=average, undefined=undefined
            )
    if scored.probabilities is not None:
        shares = scored.probabilities
        found["log_loss"] = lambda: sk.log_loss(true, shares, labels=labels, sample_weight=weights)
        if scored.binary:
            found["roc_auc"] = lambda: sk.roc_auc_score(true, shares[:, 1], sample_weight=weights)
            found["precision_recall_auc"] = lambda: (
                sk.average_precision_score(true, shares[:, 1], sample_weight=weights) if true.any() else np.nan
            )
        else:
            for position, average in enumerate(kind for kind in scored.averages if kind in {"macro", "weighted"}):
                ending = f"_{average}" if position else ""
                found[f"roc_auc{ending}"] = _auc_of_many(sk, scored, true, average)
    return {**plain, **_computed(found)}


def rates(scored: Scored) -> Metrics:
    """Return what is compared between groups of people: how often the positive class is chosen, rightly or wrongly."""
    if scored.task != "classifier" or not scored.binary:
        return {}
    np = numpy()
    true, said = (numbers == 1 for numbers in scored.codes)
    weights = np.ones(len(true)) if scored.weights is None else scored.weights

    def share(of: Any, among: Any) -> float:
        total = float(weights[among].sum())
        return float(weights[of & among].sum()) / total if total else float("nan")

    everybody = np.ones(len(true), dtype=bool)
    found = {"selection_rate": share(said, everybody), "false_positive_rate": share(said, ~true)}
    return {name: value for name, value in found.items() if value == value}  # noqa: PLR0124 - not NaN


def regressor_metrics(scored: Scored, *, strict: bool = False) -> Metrics:
    """Return the errors of numbers, their r2, and sum and mean of the labels."""
    np, sk = numpy(), sklearn_metrics()
    true, said, weights = scored.targets, scored.predictions, scored.weights
    total = float((true * weights).sum() if weights is not None else true.sum())
    found: dict[str, Callable[[], Any]] = {
        "mean_absolute_error": lambda: sk.mean_absolute_error(true, said, sample_weight=weights),
        "mean_squared_error": lambda: sk.mean_squared_error(true, said, sample_weight=weights),
        "root_mean_squared_error": lambda: sk.mean_squared_error(true, said, sample_weight=weights) ** 0.5,
        "sum_on_target": lambda: total,
        "mean_on_target": lambda: total / len(true),  # MLflow's: by the number of rows also where they have weights
        "r2_score": lambda: sk.r2_score(true, said, sample_weight=weights) if len(true) > 1 else np.nan,
        "max_error": lambda: sk.max_error(true, said),
        "mean_absolute_percentage_error": lambda: sk.mean_absolute_percentage_error(true, said, sample_weight=weights),
    }
    if strict and float(np.ptp(true)) == 0.0:
        del found["r2_score"]  # compared with a mean that is no worse than anything
    return {"example_count": len(true), **_computed(found)}


def per_class(scored: Scored) -> dict[str, list[Any]]:
    """Return MLflow's table of each class against the rest, as columns."""
    true, said = scored.codes
    rows = []
    for code, label in enumerate(scored.classes):
        shares = None
        if scored.probabilities is not None:
            one = scored.probabilities[:, code]
            shares = numpy().column_stack([1 - one, one])
        alone = Scored("classifier", true == code, said == code, shares, scored.weights, (False, True))
        values = classifier_metrics(alone)
        values.pop("log_loss", None)
        rows.append({"positive_class": getattr(label, "item", lambda label=label: label)(), **values})
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def check_averages(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the averages asked for, MLflow's ``weighted`` if none.

    Raises:
        InvalidValue: One is not ``weighted``, ``macro`` or ``micro``.
    """
    names = (given,) if isinstance(given, str) else tuple(given or ("weighted",))
    for name in names:
        if name not in {"weighted", "macro", "micro"}:
            raise InvalidValue("average", name, "weighted, macro or micro, or a list of these")
    return names or ("weighted",)


def _averaged(function: Any, true: Any, said: Any, weights: Any, *, average: str, undefined: Any) -> Callable[[], Any]:
    return lambda: function(true, said, average=average, sample_weight=weights, zero_division=undefined)


def _auc_of_many(sk: Any, scored: Scored, true: Any, average: str) -> Callable[[], Any]:
    labels = list(range(len(scored.classes)))
    return lambda: sk.roc_auc_score(
        true, scored.probabilities, sample_weight=scored.weights, average=average, multi_class="ovr", labels=labels
    )


def _computed(found: dict[str, Callable[[], Any]]) -> Metrics:
    """Call each; what is not defined for these rows (an AUC with one class) is left out."""
    values: Metrics = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of what is not defined: it is left out instead
        for name, function in found.items():
            try:
                value = float(function())
            except (ValueError, ZeroDivisionError):
                continue
            if value == value:  # noqa: PLR0124 - not NaN
                values[name] = value
    return values
