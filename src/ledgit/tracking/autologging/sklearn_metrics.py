"""Metrics of scikit-learn estimators: on the training data, and what ``score`` gives later."""

from __future__ import annotations

import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ledgit.tracking import session
from ledgit.tracking.autologging.patching import Options, numbers, safely

__all__ = ["METRIC_ENDINGS", "Data", "LaterScores", "entry_point", "training_metrics"]


METRIC_ENDINGS = ("_score", "_error", "_loss", "_deviance")

#: Predictions that are remembered, to know the metrics computed from them by.
KEPT = 64


@dataclass(frozen=True)
class Data:
    """What ``fit`` was called with."""

    x: Any
    y: Any
    weight: Any


def entry_point() -> str:
    """Return the script that runs."""
    from ledgit.tracking.runs import _entry_point

    return _entry_point(sys.argv)


def training_metrics(estimator: Any, data: Data, pos_label: Any, options: Options) -> dict[str, float]:
    """Return MLflow's ``training_*`` metrics of a fitted estimator; none without labels.

    A metric that can't be computed (ROC of a single class, say) is left out, the others stay.
    """
    if data.x is None or data.y is None:
        return {}
    from sklearn.base import is_classifier, is_regressor

    found: dict[str, Any] = {}

    def put(name: str, compute: Callable[[], Any]) -> None:
        try:
            found[f"training_{name}"] = compute()
        except (ValueError, TypeError, IndexError, AttributeError, NotImplementedError) as error:
            if not options.silent:
                session.report(error, f"autologging sklearn, training_{name}")

    # A class without a prediction makes a metric 0 and scikit-learn warn; nobody asked us for it.
    with safely(options, "training metrics"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_classifier(estimator):
            _classifier(estimator, data, pos_label, put)
        elif is_regressor(estimator):
            _regressor(estimator, data, put)
    if hasattr(estimator, "score"):
        put("score", lambda: _score(estimator, data))
    return numbers(found)


def _classifier(estimator: Any, data: Data, pos_label: Any, put: Callable[[str, Callable[[], Any]], None]) -> None:
    from sklearn import metrics

    x, y, weight = data.x, data.y, data.weight
    predicted = estimator.predict(x)
    shared: dict[str, Any] = {"average": "weighted", "sample_weight": weight}
    if pos_label is not None:
        shared |= {"average": "binary", "pos_label": pos_label}
    put("precision_score", lambda: metrics.precision_score(y, predicted, **shared))
    put("recall_score", lambda: metrics.recall_score(y, predicted, **shared))
    put("f1_score", lambda: metrics.f1_score(y, predicted, **shared))
    put("accuracy_score", lambda: metrics.accuracy_score(y, predicted, sample_weight=weight))
    if hasattr(estimator, "predict_proba"):
        likely = estimator.predict_proba(x)
        put("log_loss", lambda: metrics.log_loss(y, likely, sample_weight=weight))
        scores = likely[:, 1] if likely.shape[1] == 2 else likely
        options = {"average": "weighted", "multi_class": "ovo"}
        put("roc_auc", lambda: metrics.roc_auc_score(y, scores, sample_weight=weight, **options))


def _regressor(estimator: Any, data: Data, put: Callable[[str, Callable[[], Any]], None]) -> None:
    from sklearn import metrics

    y, weight = data.y, data.weight
    predicted = estimator.predict(data.x)
    put("mean_squared_error", lambda: metrics.mean_squared_error(y, predicted, sample_weight=weight))
    put("mean_absolute_error", lambda: metrics.mean_absolute_error(y, predicted, sample_weight=weight))
    put("r2_score", lambda: metrics.r2_score(y, predicted, sample_weight=weight))
    put("root_mean_squared_error", lambda: metrics.mean_squared_error(y, predicted, sample_weight=weight) ** 0.5)


def _score(estimator: Any, data: Data) -> Any:
    if data.weight is not None:
        import inspect

        if "sample_weight" in inspect.signature(estimator.score).parameters:
            return estimator.score(data.x, data.y, sample_weight=data.weight)
    return estimator.score(data.x, data.y)


class _Quiet(threading.local):
    depth = 0


class LaterScores:
    """Logs what is found out about a model later into the run of its training."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._runs: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._names: dict[tuple[str, str], int] = {}
        self._quiet = _Quiet()
        # id of a prediction → itself (weakly, as ids are used again), run, name of its data.
        self._predictions: dict[int, tuple[weakref.ref[Any], str, str]] = {}

    def remember(self, estimator: Any, run_id: str) -> None:
        """Note that *estimator* was trained in the run."""
        self._runs[estimator] = run_id

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Log no scores in this block: they are steps of something else."""
        self._quiet.depth += 1
        try:
            yield
        finally:
            self._quiet.depth -= 1

    def around(self, original: Any, estimator: Any, *args: Any, **kwargs: Any) -> Any:
        """Call ``score``, and log its value if the estimator's training was logged."""
        run_id = self._runs.get(estimator)
        with self.quiet():
            value = original(estimator, *args, **kwargs)
        if run_id is not None and not self._quiet.depth:
            with safely(self._options, "score"):
                data = args[0] if args else kwargs.get("X")
                self._log(run_id, f"{type(estimator).__name__}_score_{_variable(data)}", value)
        return value

    def around_predict(self, original: Any, estimator: Any, *args: Any, **kwargs: Any) -> Any:
        """Call ``predict``, and remember of which run and data its result is."""
        run_id = self._runs.get(estimator)
        with self.quiet():
            result = original(estimator, *args, **kwargs)
        if run_id is not None and not self._quiet.depth:
            with safely(self._options, "predictions"):
                data = args[0] if args else kwargs.get("X")
                while len(self._predictions) >= KEPT:
                    del self._predictions[next(iter(self._predictions))]
                self._predictions[id(result)] = (weakref.ref(result), run_id, _variable(data))
        return result

    def around_metric(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function of ``sklearn.metrics``, and log its value if it is about a known prediction."""
        with self.quiet():
            value = original(*args, **kwargs)
        if not self._quiet.depth and self._predictions:
            with safely(self._options, original.__name__):
                for argument in (*args, *kwargs.values()):
                    known = self._predictions.get(id(argument))
                    if known is not None and known[0]() is argument:
                        self._log(known[1], f"{original.__name__}_{known[2]}", value)
                        break
        return value

    def _log(self, run_id: str, name: str, value: Any) -> None:
        from ledgit.tracking.values import log_metrics

        if not numbers({name: value}):
            return  # a value a class, or the like
        again = self._names[run_id, name] = self._names.get((run_id, name), 0) + 1
        log_metrics(numbers({name if again == 1 else f"{name}-{again}": value}), run_id=run_id)


def _variable(data: Any) -> str:
    """Return the name that the calling code has for *data*, as MLflow does; else ``unknown_dataset``."""
    frame: FrameType | None = sys._getframe(1)
    here = __file__.rpartition("/")[0]
    while frame is not None:
        if not frame.f_code.co_filename.startswith(here) and "/sklearn/" not in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                if value is data:
                    return name
            return "unknown_dataset"
        frame = frame.f_back
    return "unknown_dataset"
