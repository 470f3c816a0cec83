"""``evaluate``: a model's metrics on some data, by slices of it, with plots, logged to a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ledgit.errors import InvalidValue, UsageError
from ledgit.models.evaluation import plots
from ledgit.models.evaluation.custom import EvaluationMetric, as_metrics, custom_files, measure_extra
from ledgit.models.evaluation.frame import Frame, make_frame
from ledgit.models.evaluation.importance import REPEATS, permutation_importance
from ledgit.models.evaluation.predicting import Predictor, make_predictor, score
from ledgit.models.evaluation.result import EvaluationArtifact, EvaluationResult, csv_text, table_text
from ledgit.models.evaluation.scoring import Scored, check_averages, metrics_of, per_class, rates
from ledgit.models.evaluation.slicing import Slice, find_slices, slice_metrics, slice_table
from ledgit.tracking import session
from ledgit.tracking.runs import active_run, open_run, start_run

__all__ = ["evaluate"]

TASKS = ("classifier", "regressor")
EVALUATORS = ("default", *TASKS)
LOGGED_ARTIFACTS = "mlflow.loggedArtifacts"


@dataclass
class _Made:
    """What an evaluation has found so far."""

    metrics: dict[str, float] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tables: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)


def evaluate(
    model: Any = None,
    data: Any = None,
    *,
    model_type: str | None = None,
    targets: Any = None,
    predictions: Any = None,
    dataset_path: str | None = None,
    feature_names: Sequence[str] | None = None,
    evaluators: str | Sequence[str] | None = None,
    evaluator_config: Mapping[str, Any] | None = None,
    extra_metrics: Sequence[Any] | None = None,
    custom_artifacts: Sequence[Callable[..., Any]] | None = None,
    env_manager: str = "local",
    model_config: Mapping[str, Any] | None = None,  # noqa: ARG001 - MLflow's signature
    inference_params: Mapping[str, Any] | None = None,  # noqa: ARG001
    model_id: str | None = None,  # noqa: ARG001
    slices: Any = None,
    sample_weights: Any = None,
    probabilities: Any = None,
    average: str | Sequence[str] | None = None,
    min_slice_rows: int = 1,
    permutation_importance: bool | int = True,
    log_plots: bool = True,
    run_id: str | None = None,
    trust: bool | None = None,
) -> EvaluationResult:
    """Measure a model on data, and log metrics, tables and plots to the active run.

    Everything is computed before anything is logged, so a mistake in the call leaves no half of it. A run is
    started, and ended, if none is active.

    Args:
        model: A model's URI or folder, what a ``load_model`` returned, a library's model with ``predict``, or a
            function of the features; None if *predictions* are given.
        data: A pandas or polars DataFrame, a mapping of columns, a NumPy array, a list of rows, or MLflow's data set.
        model_type: ``classifier`` or ``regressor``; None computes *extra_metrics* alone.
        targets: The labels' column, or the labels.
        predictions: Without a model: the predictions' column, or the predictions. With one: the name of its output
            that has them, where it has several.
        dataset_path: Where the data came from, for the record.
        feature_names: The columns the model is called with; all but the labels' if None, or those the model's
            signature names. For an array: names of its columns.
        evaluators: ``default``, or the task's name; accepted for MLflow's sake.
        evaluator_config: ``label_list``, ``pos_label``, ``average``, ``sample_weights``, ``metric_prefix``,
            ``col_mapping``, as in MLflow, and what functions of *extra_metrics* ask for.
        extra_metrics: Further metrics: what :func:`make_metric` returns, or functions.
        custom_artifacts: Functions that make further files; see MLflow.
        env_manager: Only ``local``: the model runs in this process.
        model_config: Accepted for MLflow's sake.
        inference_params: Accepted for MLflow's sake.
        model_id: Accepted for MLflow's sake.
        slices: Parts of the data to measure each: a column's name, a list of names, or name → limits of bins, a
            number of bins, a mask or a function of the data. A metric of a slice is
            ``accuracy_score/sex:female``, the difference of the best and the worst ``accuracy_score_gap/sex``, the
            worst ``accuracy_score_worst/sex``.
        sample_weights: A column, or one number a row.
        probabilities: Without a model: rows × classes in sorted order, those of the positive class, or their column.
        average: ``weighted`` (the default), ``macro`` or ``micro``, for more than two classes; of a list, metrics of
            all but the first end in ``_macro`` and so on.
        min_slice_rows: Smaller slices have metrics, but don't count for gap and worst: in few rows chance decides.
        permutation_importance: How often each column is shuffled to see what the model relies on; True: 5, False or
            0: not at all. Takes at most 1,000 rows and 64 columns; True takes two columns or more.
        log_plots: Draw plots, if matplotlib is installed.
        run_id: Log to this run instead of the active one.
        trust: Whether a pickle behind a URI may be loaded; see ``load_model``.

    Returns:
        What was found; ``result.metrics["accuracy_score"]``.

    Raises:
        UsageError: Neither model nor predictions, or no task.
        InvalidValue: Data, labels, predictions or slices don't fit together; the sentence says which.
        MissingDependency: scikit-learn, or pandas where the data are a table, is not installed.
        UntrustedModel: Loading the model would run code that nobody agreed to.
    """
    config = _config(evaluator_config)
    _check_call(model_type, evaluators, env_manager, extra_metrics)
    extra = as_metrics(extra_metrics)
    averages = check_averages(average or config.get("average"))
    prefix = str(config.get("metric_prefix") or "")
    weights = sample_weights if sample_weights is not None else config.get("sample_weights")
    frame = make_frame(data, targets, feature_names, weights, _columns(model, predictions, probabilities))
    if frame.targets is None:
        raise UsageError("evaluate needs targets: the name of the labels' column, or the labels")
    predictor = None if model is None else make_predictor(model, trust)
    if predictor is not None and feature_names is None:
        frame = frame.restricted(predictor.columns)
    given, shares = _given(frame, model, predictions, probabilities)
    task = model_type or ("regressor" if _numeric(frame, given) else "classifier")
    scored = score(task, frame, predictor, given, shares, config, averages)
    found = _Made()
    _measure(found, frame, scored, predictor, extra, config, only_extra=model_type is None)
    if slices is not None:
        _measure_slices(found, frame, scored, extra, config, slices, min_slice_rows)
    several = len(frame.names) > 1 or permutation_importance is not True  # one column is all there is to rely on
    if model_type is not None and predictor is not None and permutation_importance and several:
        repeats = REPEATS if permutation_importance is True else permutation_importance
        _measure_importance(found, frame, scored, predictor, given, repeats, draw=log_plots)
    if model_type is not None and log_plots and plots.available():
        for name, picture in plots.draw(scored):
            found.files[name] = (f"{name}.png", picture)
    with tempfile.TemporaryDirectory() as folder:
        for name, file, content in custom_files(custom_artifacts, scored, found.metrics, folder):
            if name in found.files:
                raise InvalidValue("the artifact", name, "a name that no other artifact of the evaluation has")
            found.files[name] = (file, content)
    return _log(found, frame, prefix, run_id, dataset_path)


def _measure(
    found: _Made, frame: Frame, scored: Scored, predictor: Predictor | None, extra: Sequence[EvaluationMetric],
    config: Mapping[str, Any], *, only_extra: bool,
) -> None:  # fmt: skip
    if not only_extra:
        if predictor is not None and predictor.own_score is not None:
            found.metrics.update(_own_score(predictor.own_score, frame))
        found.metrics.update(metrics_of(scored))
        if scored.task == "classifier" and not scored.binary:
            _add_table(found, "per_class_metrics", per_class(scored), csv=True)
    more, columns = measure_extra(extra, scored, frame, found.metrics, config)
    found.metrics.update(more)
    if columns:
        table = {name: frame.column(name).tolist() for name in frame.names}
        table[frame.targets_name or "target"] = frame.targets.tolist()
        _add_table(found, "eval_results_table", {**table, "outputs": scored.predictions.tolist(), **columns})


def _own_score(function: Callable[..., Any], frame: Frame) -> dict[str, float]:
    try:
        value = function(frame.features, frame.targets, **_weighted(frame))
        return {"score": float(value)}
    except (TypeError, ValueError):  # an estimator whose score takes other arguments; its metrics say the same
        return {}


def _weighted(frame: Frame) -> dict[str, Any]:
    return {} if frame.weights is None else {"sample_weight": frame.weights}


def _measure_slices(
    found: _Made, frame: Frame, scored: Scored, extra: Sequence[EvaluationMetric], config: Mapping[str, Any],
    slices: Any, least: int,
) -> None:  # fmt: skip
    if not isinstance(least, int) or least < 1:
        raise InvalidValue("min_slice_rows", least, "a number of rows from 1")

    def measure(part: Scored, mask: Any) -> dict[str, float]:
        values = {**metrics_of(part, strict=True), **rates(part)}
        more, _ = measure_extra(extra, part, frame, values, config, mask)
        return {**values, **more}

    ways = {one.key: "maximize" if one.greater_is_better else "minimize" for one in extra}
    # Of these rates neither more nor less is better; what counts is how far apart they are.
    ways = {"selection_rate": "none", "false_positive_rate": "minimize", **ways}
    found.metrics.update(rates(scored))
    overall = dict(found.metrics)
    found.slices, logged = slice_metrics(scored, find_slices(slices, frame), measure, least, ways)
    found.metrics.update(logged)
    _add_table(found, "slice_metrics", slice_table(found.slices, overall))


def _measure_importance(
    found: _Made, frame: Frame, scored: Scored, predictor: Predictor, given: Any, repeats: int, *, draw: bool
) -> None:
    quick = replace(predictor, shares=None)
    options = {"label_list": list(scored.classes)}
    main = "r2_score" if scored.task == "regressor" else "accuracy_score"
    table = permutation_importance(
        frame,
        lambda rows: score(scored.task, rows, quick, given, None, options, scored.averages),
        lambda part: metrics_of(part).get(main, 0.0),
        repeats,
    )
    if table:
        _add_table(found, "permutation_importance", table)
        if draw and plots.available():
            found.files["permutation_importance_plot"] = (
                "permutation_importance_plot.png",
                plots.draw_importance(table),
            )


def _add_table(found: _Made, name: str, table: dict[str, list[Any]], *, csv: bool = False) -> None:
    found.tables[name] = table
    text = csv_text(table) if csv else table_text(table)
    found.files[name] = (f"{name}.{'csv' if csv else 'json'}", text.encode())


def _log(found: _Made, frame: Frame, prefix: str, run_id: str | None, path: str | None) -> EvaluationResult:
    metrics = {f"{prefix}{name}": value for name, value in found.metrics.items()}
    with _run(run_id) as (store, written):
        # First of all: it refuses a metric's name that can't be stored, and then nothing is.
        store.log_batch(metrics=[(name, value, 0, None) for name, value in metrics.items()])
        store.log_input(_dataset(frame, prefix, path))
        artifacts = {}
        for name, (file, content) in found.files.items():
            place = f"{prefix}{file}"
            try:
                store.add_artifact_bytes(place, content)
            except session.TROUBLE as error:
                session.report_in(store, error, f"artifact {place} was not logged")
                continue
            artifacts[name] = EvaluationArtifact(place, content, written)
        _note_tables(store, [artifacts[name].path for name in found.tables if name in artifacts])
    return EvaluationResult(metrics, artifacts, written, found.slices, found.tables)


def _note_tables(store: Any, paths: Sequence[str]) -> None:
    """Say in the tag that MLflow looks at which artifacts are tables."""
    import json

    listed = json.loads(store.tags.get(LOGGED_ARTIFACTS, "[]"))
    new = [{"path": path, "type": "table"} for path in paths if path.endswith(".json")]
    if new := [item for item in new if item not in listed]:
        store.set_tags({LOGGED_ARTIFACTS: json.dumps([*listed, *new])})


def _dataset(frame: Frame, prefix: str, path: str | None) -> Any:
    from ledgit.tracking import data as datasets

    if hasattr(frame.data, "columns"):
        described = datasets.from_pandas(frame.data, source=path, targets=frame.targets_name or None)
    else:
        described = datasets.from_numpy(frame.data, source=path, targets=frame.targets)
    return datasets.record_of(described, prefix.rstrip("_-/. ") or "evaluation")


@contextmanager
def _run(run_id: str | None) -> Iterator[tuple[Any, str]]:
    """Give the run to log to, and its id: the one named, the active one, or one for this evaluation."""
    if run_id is not None:
        with open_run(run_id) as store:
            yield store, store.id
        return
    active = active_run()
    if active is not None:
        yield active.store, active.id
        return
    with start_run() as started:
        yield started.store, started.id


def _check_call(task: str | None, evaluators: Any, env_manager: str, extra: Any) -> None:
    if task is None and not extra:
        raise UsageError("evaluate needs model_type='classifier' or 'regressor', or extra_metrics")
    if task is not None and task not in TASKS:
        raise InvalidValue("model_type", task, "classifier or regressor")
    names = [evaluators] if isinstance(evaluators, str) else list(evaluators or ())
    for name in names:
        if name not in EVALUATORS:
            raise InvalidValue("evaluators", name, f"one of {', '.join(EVALUATORS)}; extra_metrics= takes further ones")
    if env_manager != "local":
        raise InvalidValue("env_manager", env_manager, "local: the model is run in this process")


def _config(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings; of MLflow's form with a mapping for each evaluator, all of them."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidValue("evaluator_config", given, "a mapping of settings")
    if given and all(name in EVALUATORS and isinstance(value, Mapping) for name, value in given.items()):
        return {key: value for one in given.values() for key, value in one.items()}
    return dict(given)


def _columns(model: Any, predictions: Any, shares: Any) -> list[str]:
    """Return the columns that hold what a model said."""
    given = [predictions if model is None else None, shares]
    named = [one for one in given if isinstance(one, str)]
    if isinstance(shares, list | tuple) and shares and all(isinstance(name, str) for name in shares):
        named += shares
    return named


def _given(frame: Frame, model: Any, predictions: Any, shares: Any) -> tuple[Any, Any]:
    """Return predictions and probabilities as values where they were named by columns."""
    if isinstance(shares, str):
        shares = frame.column(shares)
    elif isinstance(shares, list | tuple) and shares and all(isinstance(name, str) for name in shares):
        import numpy as np

        shares = np.column_stack([frame.column(name) for name in shares])
    if model is None and isinstance(predictions, str):
        return frame.column(predictions), shares
    if model is None and predictions is None and shares is not None:
        return shares, None
    return predictions, shares


def _numeric(frame: Frame, given: Any) -> bool:
    """Whether labels, and predictions if there are any yet, are numbers: then nothing is assumed of classes."""
    kinds = [getattr(values, "dtype", None) for values in (frame.targets, given)]
    return all(kind is None or getattr(kind, "kind", "O") in "fiu" for kind in kinds)
