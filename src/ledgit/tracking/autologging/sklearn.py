"""scikit-learn: every ``fit`` logs params, training metrics, data sets; searches log child runs."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from ledgit.errors import InvalidValue
from ledgit.tracking.autologging import sklearn_metrics as scoring
from ledgit.tracking.autologging.models import ModelOptions
from ledgit.tracking.autologging.patching import Options, Patches, Training, numbers, points, safely, training

__all__ = ["autolog"]

# Preparing data is no training: such an estimator is logged as a step of a pipeline only.
EXCLUDED_MODULES = (
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.feature_extraction",
    "sklearn.feature_selection",
)
EXCLUDED_CLASSES = {"sklearn.compose._column_transformer.ColumnTransformer"}
FITTING = ("fit", "fit_transform", "fit_predict")
PREDICTING = ("predict", "predict_proba", "decision_function")

_patches = Patches()
_lock = threading.RLock()


def autolog(
    log_input_examples: bool = False,
    log_model_signatures: bool = True,
    log_models: bool = True,
    log_datasets: bool = True,
    disable: bool = False,
    exclusive: bool = False,
    disable_for_unsupported_versions: bool = False,  # noqa: ARG001
    silent: bool = False,
    max_tuning_runs: int | None = 5,
    log_post_training_metrics: bool = True,
    serialization_format: str = "skops",
    registered_model_name: str | None = None,
    pos_label: Any = None,
    extra_tags: Mapping[str, str] | None = None,
) -> None:
    """Log each training of a scikit-learn estimator: params, training metrics, data, search results.

    Params are those of ``get_params(deep=True)``; metrics ``training_score`` and, for
    classifiers, ``training_accuracy_score``, ``_precision_score``, ``_recall_score``,
    ``_f1_score``, ``_log_loss``, ``_roc_auc``; for regressors ``training_mean_squared_error``,
    ``_mean_absolute_error``, ``_r2_score``, ``_root_mean_squared_error``. A parameter search logs
    ``best_cv_score``, its best params as ``best_*``, ``cv_results.csv`` and child runs.

    Args:
        log_input_examples: Log the first rows of the training data with the model.
        log_model_signatures: Log the model's signature, told from the training data.
        log_models: Log the trained estimator as ``model``, and a search's best one as ``best_estimator``.
        log_datasets: Record the training data's digest and shape.
        disable: Switch it off, and put scikit-learn's own methods back.
        exclusive: Leave runs alone that the script started itself.
        disable_for_unsupported_versions: Accepted for MLflow's sake.
        silent: Do not warn when something could not be logged.
        max_tuning_runs: Child runs of a parameter search, the best first; None for all.
        log_post_training_metrics: Log what is found out later into the training's run: by
            ``estimator.score(X_test, …)`` as ``<Class>_score_<name of the variable>``, by
            ``sklearn.metrics.accuracy_score(y_test, estimator.predict(X_test))`` and its like
            as ``accuracy_score_<name of the variable>``.
        serialization_format: ``skops``, ``cloudpickle`` or ``pickle``.
        registered_model_name: Make the model a version of this registered model.
        pos_label: The positive class: precision, recall and F1 are then those of this class
            instead of a weighted mean.
        extra_tags: Tags for the runs that autologging starts.

    Raises:
        InvalidValue: *max_tuning_runs* is negative.
    """
    if max_tuning_runs is not None and max_tuning_runs < 0:
        raise InvalidValue("max_tuning_runs", max_tuning_runs, "a number from 0, or None for all")
    with _lock:
        _patches.restore()
        if disable:
            return
        models = ModelOptions(
            log_models,
            log_input_examples,
            log_model_signatures,
            registered_model_name,
            {"serialization_format": serialization_format},
        )
        options = Options("sklearn", log_datasets, exclusive, silent, extra_tags, models)
        _install(_Logger(options, max_tuning_runs, pos_label), score=log_post_training_metrics)


def _install(logger: _Logger, *, score: bool) -> None:
    """Patch the estimators there are, and those that further imports will define."""
    from sklearn.base import BaseEstimator

    patched: set[type] = set()
    later = []
    if score:
        later = [("score", logger.scores.around), *((name, logger.scores.around_predict) for name in PREDICTING)]

    def patch(cls: type) -> None:
        if not cls.__module__.startswith("sklearn.") or cls.__module__.startswith(EXCLUDED_MODULES):
            return
        if f"{cls.__module__}.{cls.__qualname__}" in EXCLUDED_CLASSES:
            return
        for name in FITTING:
            if name in vars(cls):
                _wrap_method(cls, name, logger.around_fit)
        # These are often inherited from a mixin, which is no estimator of its own.
        for base in cls.__mro__:
            if base.__module__.startswith("sklearn.") and base not in patched:
                patched.add(base)
                for name, around in later:
                    if name in vars(base):
                        _wrap_method(base, name, around)

    for cls in _subclasses(BaseEstimator):
        patch(cls)

    inherited = BaseEstimator.__init_subclass__.__func__

    def init_subclass(cls: Any, /, **kwargs: Any) -> None:
        inherited(cls, **kwargs)
        patch(cls)

    _patches.put(BaseEstimator, "__init_subclass__", classmethod(init_subclass))
    if score:
        _wrap_metrics(logger)


def _wrap_metrics(logger: _Logger) -> None:
    """Patch the functions of ``sklearn.metrics`` that compare labels with predictions."""
    from sklearn import metrics

    for name in metrics.__all__:
        function = getattr(metrics, name)
        if inspect.isfunction(function) and name.endswith(scoring.METRIC_ENDINGS):
            _patches.wrap(metrics, name, logger.scores.around_metric)


def _wrap_method(cls: type, name: str, around: Any) -> None:
    original = vars(cls)[name]
    check = getattr(original, "check", None)
    function = getattr(original, "fn", None) if check is not None else original
    if not inspect.isfunction(function):
        return

    @functools.wraps(function)
    def replaced(self: Any, *args: Any, **kwargs: Any) -> Any:
        return around(function, self, *args, **kwargs)

    if check is not None:  # a method that is there only if an inner estimator has it
        from sklearn.utils.metaestimators import available_if

        _patches.put(cls, name, available_if(check)(replaced))
    else:
        _patches.put(cls, name, replaced)


def _subclasses(cls: type) -> Iterator[type]:
    seen: set[type] = set()
    todo: list[type] = [cls]
    while todo:
        children: list[type] = todo.pop().__subclasses__()
        for child in children:
            if child not in seen:
                seen.add(child)
                todo.append(child)
                yield child


class _Logger:
    """What happens around ``fit`` and ``score``."""

    def __init__(self, options: Options, max_tuning_runs: int | None, pos_label: Any) -> None:
        self.options = options
        self.max_tuning_runs = max_tuning_runs
        self.pos_label = pos_label
        self.scores = scoring.LaterScores(options)

    def around_fit(self, original: Any, estimator: Any, *args: Any, **kwargs: Any) -> Any:
        with self.scores.quiet(), training(self.options) as active:
            if active is None:
                return original(estimator, *args, **kwargs)
            data = _data(original, estimator, args, kwargs)
            with safely(self.options, "params"):
                self._before(active, estimator, data)
            result = original(estimator, *args, **kwargs)
            with safely(self.options, "training metrics"):
                values = scoring.training_metrics(estimator, data, self.pos_label, self.options)
                active.run.log_batch(metrics=points(values, 0))
            if _is_search(estimator):
                with safely(self.options, "search results"):
                    self._search(active, estimator)
                if hasattr(estimator, "best_estimator_"):
                    active.log_model(estimator.best_estimator_, "best_estimator", data.x)
            active.log_model(estimator, data=data.x)
            self.scores.remember(estimator, active.run.id)
            return result

    def _before(self, active: Training, estimator: Any, data: scoring.Data) -> None:
        # The estimator inside a search is only its seed: its params are not what is trained.
        params = estimator.get_params(deep=not _is_search(estimator))
        active.run.log_batch(params=_texts(params), tags=_tags(estimator))
        if self.options.log_datasets and data.x is not None:
            with safely(self.options, "the data set"):
                _log_data(active, data)

    def _search(self, active: Training, search: Any) -> None:
        import csv
        import io

        run = active.run
        best = {f"best_{key}": value for key, value in getattr(search, "best_params_", {}).items()}
        found = numbers({"best_cv_score": search.best_score_}) if hasattr(search, "best_score_") else {}
        run.log_batch(metrics=points(found, 0), params=_texts(best))
        results = search.cv_results_
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(results)
        rows = [dict(zip(results, values, strict=True)) for values in zip(*results.values(), strict=True)]
        writer.writerows(list(row.values()) for row in rows)
        run.add_artifact_bytes("cv_results.csv", stream.getvalue().encode())
        self._children(run, search, rows)

    def _children(self, run: Any, search: Any, rows: list[dict[str, Any]]) -> None:
        """Start and end a child run for each of the best candidates; they share the search's start."""
        from ledgit.store import RunStart
        from ledgit.tracking.autologging.patching import AUTOLOGGING_TAG
        from ledgit.tracking.launching import repetition_tags

        rank = (
            next((key for key in ("rank_test_score", *rows[0]) if key.startswith("rank_test_")), None) if rows else None
        )
        if rank is not None:
            rows = sorted(rows, key=lambda row: int(row[rank]))
        seed = search.estimator
        base = seed.get_params(deep=not _is_search(seed))
        again = repetition_tags()
        for row in rows[: self.max_tuning_runs]:
            start = RunStart(
                experiment=run.experiment,
                parent_run=run.id,
                start=run.start,
                entry_point=scoring.entry_point(),
                tags={AUTOLOGGING_TAG: "sklearn", **_tags(seed), **(self.options.extra_tags or {}), **again},
            )
            child = type(run).create(run.repo, start)
            status = "FAILED"
            try:
                shown = {key: value for key, value in row.items() if not key.startswith(("param", "split"))}
                child.log_batch(metrics=points(numbers(shown), 0), params=_texts({**base, **row.get("params", {})}))
                status = "FINISHED"
            finally:
                child.finish(status)


def _is_search(estimator: Any) -> bool:
    from sklearn.model_selection._search import BaseSearchCV

    return isinstance(estimator, BaseSearchCV)


def _tags(estimator: Any) -> dict[str, str]:
    cls = type(estimator)
    return {"estimator_name": cls.__name__, "estimator_class": f"{cls.__module__}.{cls.__name__}"}


def _texts(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* without names that no param can have; long values (a whole pipeline) are cut."""
    found = {}
    for key, value in params.items():
        plain = value if value is None or isinstance(value, bool | int | float | str) else str(value)
        found[str(key)] = plain[:6000] if isinstance(plain, str) else plain
    return found


def _data(original: Any, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> scoring.Data:
    """Find X, y and the sample weights among the arguments of ``fit``."""
    try:
        bound = inspect.signature(original).bind(estimator, *args, **kwargs).arguments
    except TypeError:  # fit() itself will say what is wrong with its arguments
        return scoring.Data(None, None, None)
    names = [name for name in bound if name != "self"]
    given = {**bound, **bound.get("kwargs", {}), **bound.get("fit_params", {}), **bound.get("params", {})}
    x = given.get("X", given.get(names[0]) if names else None)
    return scoring.Data(x, given.get("y", given.get("Y")), given.get("sample_weight"))


def _log_data(active: Training, data: scoring.Data) -> None:
    from ledgit.tracking import data as datasets

    x = data.x
    if hasattr(x, "toarray"):
        x = x.data  # a sparse matrix: its stored values
    if type(x).__module__.partition(".")[0] == "pandas" and hasattr(x, "dtypes"):
        dataset = datasets.from_pandas(x)
    else:
        import numpy as np

        y = None if data.y is None else np.asarray(data.y)
        dataset = datasets.from_numpy(np.asarray(x), targets=y)
    active.run.log_input(datasets.record_of(dataset, "train"))
