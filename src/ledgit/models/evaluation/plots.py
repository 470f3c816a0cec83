"""The plots of an evaluation, as PNG, under MLflow's names. Without matplotlib there are none.

Figures are drawn beside pyplot: what the user has open there, and the backend, stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ledgit.models.evaluation.frame import numpy
from ledgit.models.evaluation.scoring import Scored, sklearn_metrics

__all__ = ["available", "draw", "draw_importance"]

CURVES = 10  # classes up to which each has a curve of its own
NAMED = 30  # classes up to which a confusion matrix names them
POINTS = 5_000  # of a scatter plot


def available() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def draw(scored: Scored) -> Iterator[tuple[str, bytes]]:
    """Yield the name and picture of each plot that these predictions allow."""
    drawn: list[tuple[str, Callable[[Any, Scored], bool]]]
    if scored.task == "regressor":
        drawn = [("residuals_plot", _residuals), ("prediction_error_plot", _prediction_error)]
    else:
        drawn = [("confusion_matrix", _confusion)]
        if scored.probabilities is not None and len(scored.classes) <= CURVES:
            drawn += [
                ("roc_curve_plot", _roc),
                ("precision_recall_curve_plot", _precision_recall),
                ("calibration_curve_plot", _calibration),
            ]
            if scored.binary:
                drawn.append(("lift_curve_plot", _lift))
    for name, function in drawn:
        figure, axes = _figure()
        if function(axes, scored):
            yield name, _png(figure)


def draw_importance(table: Mapping[str, list[Any]], most: int = 20) -> bytes:
    """Return the picture of a table of permutation importance, its first *most* features."""
    figure, axes = _figure()
    names = [_text(name) for name in table["feature"][:most]][::-1]
    axes.barh(names, table["importance_mean"][:most][::-1], xerr=table["importance_std"][:most][::-1], color="#4878a8")
    axes.set_xlabel("loss of the score when the column is shuffled")
    axes.set_title("Permutation importance")
    return _png(figure)


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.0), dpi=150, layout="constrained")
    return figure, figure.add_subplot()


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    # Without the version of matplotlib and the date, the same data give the same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _text(label: object) -> str:
    """Return a label that matplotlib draws as it is: a dollar sign would begin a formula."""
    text = str(label)
    return (text if len(text) <= 40 else text[:39] + "…").replace("$", r"\$")


def _confusion(axes: Any, scored: Scored) -> bool:
    np, sk = numpy(), sklearn_metrics()
    labels = list(range(len(scored.classes)))
    shares = sk.confusion_matrix(*scored.codes, labels=labels, normalize="true", sample_weight=scored.weights)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.figure.colorbar(image, ax=axes)
    axes.set(xlabel="Predicted label", ylabel="True label", title="Normalized confusion matrix")
    if len(labels) <= NAMED:
        names = [_text(label) for label in scored.classes]
        size = min(9.0, 90.0 / len(labels))
        axes.set_xticks(labels, names, rotation=45 if max(map(len, names)) > 4 else 0, fontsize=size)
        axes.set_yticks(labels, names, fontsize=size)
        for row, column in np.ndindex(shares.shape):
            value = shares[row, column]
            color = "white" if value > 0.5 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=size)
    return True


def _curves(scored: Scored) -> Iterator[tuple[str, Any, Any]]:
    """Yield a name, the labels as 0 and 1, and the probabilities, for each class that needs a curve."""
    true, shares = scored.codes[0], scored.probabilities
    for code in [1] if scored.binary else range(len(scored.classes)):
        one = true == code
        if one.any() and not one.all():
            yield _text(scored.classes[code]), one, shares[:, code]


def _roc(axes: Any, scored: Scored) -> bool:
    sk = sklearn_metrics()
    drawn = False
    for name, one, share in _curves(scored):
        wrong, right, _ = sk.roc_curve(one, share, sample_weight=scored.weights)
        area = sk.roc_auc_score(one, share, sample_weight=scored.weights)
        axes.plot(wrong, right, drawstyle="steps-post", linewidth=1, label=f"{name}, AUC={area:.3f}")
        drawn = True
    axes.plot([0, 1], [0, 1], color="gray", alpha=0.3, linestyle="dashed")
    axes.set(xlabel="False Positive Rate", ylabel="True Positive Rate", title="ROC curve")
    return drawn and _legend(axes)


def _precision_recall(axes: Any, scored: Scored) -> bool:
    sk = sklearn_metrics()
    drawn = False
    for name, one, share in _curves(scored):
        precision, recall, _ = sk.precision_recall_curve(one, share, sample_weight=scored.weights)
        area = sk.average_precision_score(one, share, sample_weight=scored.weights)
        axes.plot(recall, precision, drawstyle="steps-post", linewidth=1, label=f"{name}, AP={area:.3f}")
        drawn = True
    axes.set(xlabel="Recall", ylabel="Precision", title="Precision recall curve")
    return drawn and _legend(axes)


def _calibration(axes: Any, scored: Scored) -> bool:
    np = numpy()
    drawn = False
    for name, one, share in _curves(scored):
        weights = np.ones(len(one)) if scored.weights is None else scored.weights
        bins = np.clip((share * 10).astype(int), 0, 9)
        total = np.bincount(bins, weights, 10)
        used = total > 0
        said = np.bincount(bins, weights * share, 10)[used] / total[used]
        true = np.bincount(bins, weights * one, 10)[used] / total[used]
        axes.plot(said, true, marker="o", markersize=3, linewidth=1, label=name)
        drawn = True
    axes.plot([0, 1], [0, 1], color="gray", linestyle="dotted")
    axes.set(xlabel="Mean predicted probability", ylabel="Fraction of positives", title="Calibration curve")
    return drawn and _legend(axes)


def _lift(axes: Any, scored: Scored) -> bool:
    np = numpy()
    drawn = False
    for name, one, share in _curves(scored):
        weights = np.ones(len(one)) if scored.weights is None else scored.weights
        order = np.argsort(-share, kind="stable")
        part = np.cumsum(weights[order]) / weights.sum()
        gain = np.cumsum((weights * one)[order]) / (weights * one).sum() if (weights * one).sum() else None
        if gain is None:
            continue
        seen = part > 0
        axes.plot(part[seen], gain[seen] / part[seen], linewidth=1, label=name)
        drawn = True
    axes.axhline(1.0, color="gray", linestyle="dashed")
    axes.set(xlabel="Percentage of sample", ylabel="Lift", title="Lift curve")
    return drawn and _legend(axes)


def _residuals(axes: Any, scored: Scored) -> bool:
    said, true = _some(scored)
    axes.scatter(said, true - said, s=8, alpha=0.5)
    axes.axhline(0.0, color="gray", linestyle="dashed")
    axes.set(xlabel="Predicted", ylabel="Target minus predicted", title="Residuals")
    return True


def _prediction_error(axes: Any, scored: Scored) -> bool:
    said, true = _some(scored)
    axes.scatter(true, said, s=8, alpha=0.5)
    ends = [float(min(true.min(), said.min())), float(max(true.max(), said.max()))]
    axes.plot(ends, ends, color="gray", linestyle="dashed")
    axes.set(xlabel="Target", ylabel="Predicted", title="Predicted and true values")
    return True


def _some(scored: Scored) -> tuple[Any, Any]:
    """Return predictions and labels, every n-th of very many."""
    every = -(-len(scored.targets) // POINTS)
    return scored.predictions[::every], scored.targets[::every]


def _legend(axes: Any) -> bool:
    axes.legend(loc="best", fontsize=8)
    return True
