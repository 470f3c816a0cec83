"""log_metric, log_param, set_tag and their plurals: values that go into the current run.

Each takes ``run_id=`` to write into another run instead. MLflow's ``synchronous`` is accepted
and changes nothing: every call is one appended record, on its way to the disk when it returns.
Wrong values raise; what the disk or Git refuse is recorded and said once as a LedgitWarning.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledgit.errors import InvalidValue
from ledgit.tracking import session
from ledgit.tracking.runs import current, open_run
from ledgit.tracking.session import Local, local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

__all__ = [
    "delete_tag",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "log_batch",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "set_tag",
    "set_tags",
]


def log_metric(
    key: str,
    value: Any,
    step: int | None = None,
    synchronous: bool | None = None,  # noqa: ARG001 - MLflow's signature
    timestamp: int | None = None,
    run_id: str | None = None,
    model_id: str | None = None,  # noqa: ARG001
    dataset: Any = None,  # noqa: ARG001
) -> None:
    """Log one point of a metric.

    Args:
        key: Its name: letters, digits, ``_ - . : /`` and spaces, at most 250 characters.
        value: A number; NaN, ±inf, bools, numeric strings, NumPy and torch scalars will do.
        step: Any 64-bit integer; 0 if None.
        synchronous: Accepted for MLflow's sake; logging never waits.
        timestamp: Milliseconds since the epoch; now if None.
        run_id: Log to this run instead of the active one.
        model_id: Accepted for MLflow's sake.
        dataset: Accepted for MLflow's sake; :func:`log_input` records data sets.

    Raises:
        InvalidName: The key can't be stored.
        InvalidValue: The value is no number, or the step no integer.
    """
    if run_id is None:
        local.log_metric(key, value, 0 if step is None else step, timestamp)
    else:
        with open_run(run_id) as run:
            run.log_metric(key, value, 0 if step is None else step, timestamp)


def log_metric_slowly(key: str, value: Any, step: int, timestamp: int | None) -> None:
    """Log a metric from a thread that has no run of its own: look it up, or start one."""
    current().store.log_metric(key, value, step, timestamp)


Local.log_metric = staticmethod(log_metric_slowly)


def log_metrics(
    metrics: Mapping[str, Any],
    step: int | None = None,
    synchronous: bool | None = None,  # noqa: ARG001
    run_id: str | None = None,
    timestamp: int | None = None,
    model_id: str | None = None,  # noqa: ARG001
    dataset: Any = None,  # noqa: ARG001
) -> None:
    """Log one point each of several metrics, with one timestamp: all of them or, if one is wrong, none.

    Args:
        metrics: Name → number.
        step: For all of them; 0 if None.
        synchronous: Accepted for MLflow's sake.
        run_id: Log to this run instead of the active one.
        timestamp: Milliseconds since the epoch; now if None.
        model_id: Accepted for MLflow's sake.
        dataset: Accepted for MLflow's sake.

    Raises:
        InvalidName, InvalidValue: A key or value can't be stored.
    """
    number = 0 if step is None else step
    points = [(key, value, number, timestamp) for key, value in _mapping("metrics", metrics).items()]
    with open_run(run_id) as run:
        run.log_batch(metrics=points)


def log_param(key: str, value: Any, synchronous: bool | None = None, run_id: str | None = None) -> Any:  # noqa: ARG001
    """Log a param: what the run was started with.

    Types are kept (numbers, bools, None, text); anything else is stored as ``str(value)``.

    Args:
        key: Its name, with the rules of a metric's.
        value: Its value; the same text again is no change.
        synchronous: Accepted for MLflow's sake.
        run_id: Log to this run instead of the active one.

    Returns:
        *value*.

    Raises:
        ParamConflict: The run has another value under this name.
        InvalidName: The key can't be stored.
    """
    with open_run(run_id) as run:
        run.log_params({key: value})
    return value


def log_params(params: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:  # noqa: ARG001
    """Log several params: all of them or, if one is wrong or changed, none.

    Raises:
        ParamConflict: The run has another value under one of the names.
        InvalidName: A key can't be stored.
    """
    with open_run(run_id) as run:
        run.log_params(_mapping("params", params))


def log_batch(
    metrics: Iterable[Any] = (),
    params: Mapping[str, Any] | Iterable[Any] = (),
    tags: Mapping[str, Any] | Iterable[Any] = (),
    run_id: str | None = None,
) -> None:
    """Log metrics, params and tags in one step: all of them or, if one is wrong, none.

    Args:
        metrics: Tuples ``(key, value, step, timestamp)``, the last two optional, or objects
            with those attributes such as MLflow's ``Metric``; or a mapping name → value.
        params: Name → value, or objects with ``key`` and ``value``.
        tags: Name → text, or such objects.
        run_id: Log to this run instead of the active one.

    Raises:
        ParamConflict: A param is there with another value, or twice in this batch.
        InvalidName, InvalidValue: A key or value can't be stored.
    """
    points = [_point(item) for item in (metrics.items() if isinstance(metrics, Mapping) else metrics)]
    given, labels = _pairs("param", params), _pairs("tag", tags)
    with open_run(run_id) as run:
        run.log_batch(metrics=points, params=given, tags=labels)


def set_tag(key: str, value: Any, synchronous: bool | None = None, run_id: str | None = None) -> None:  # noqa: ARG001
    """Set a tag: a label that may change. *value* is stored as ``str(value)``.

    Raises:
        InvalidName: The key can't be stored.
    """
    set_tags({key: value}, run_id=run_id)


def set_tags(tags: Mapping[str, Any], synchronous: bool | None = None, run_id: str | None = None) -> None:  # noqa: ARG001
    """Set several tags.

    Raises:
        InvalidName: A key can't be stored.
    """
    labels = dict(_mapping("tags", tags))
    # MLflow keeps a run's name in this tag; setting it is how its scripts rename one.
    name = labels.pop("mlflow.runName", None)
    with open_run(run_id) as run:
        if name is not None:
            run.set_field("name", str(name))
        run.set_tags(labels)


def delete_tag(key: str, run_id: str | None = None) -> None:
    """Remove a tag.

    Raises:
        InvalidValue: The run has no such tag.
    """
    with open_run(run_id) as run:
        run.delete_tag(key)


def flush_async_logging() -> None:
    """Make what was logged so far durable; MLflow's name for it. There is no queue to wait for."""
    with session.lock:
        runs = list(session.open_runs.values())
    for run in runs:
        run.store.tick()


def flush_artifact_async_logging() -> None:
    """Do as :func:`flush_async_logging`."""
    flush_async_logging()


def _mapping(what: str, given: Any) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    raise InvalidValue(what, given, "a mapping of names to values")


def _point(item: Any) -> tuple[str, Any, int, int | None]:
    if isinstance(item, tuple | list):
        key, value, *rest = item
        step, when = (*rest, None, None)[:2]
    else:
        key, value = item.key, item.value
        step, when = getattr(item, "step", None), getattr(item, "timestamp", None)
    return key, value, 0 if step is None else step, when


def _pairs(kind: str, given: Mapping[str, Any] | Iterable[Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    found: dict[str, Any] = {}
    for item in given:
        pair: Any = item
        key, value = pair if isinstance(pair, tuple | list) else (pair.key, pair.value)
        if kind == "param" and key in found and str(found[key]) != str(value):
            from ledgit.errors import ParamConflict

            raise ParamConflict(key, str(found[key]), str(value))
        found[key] = value
    return found
