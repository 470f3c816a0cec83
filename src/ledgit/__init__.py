"""Ledgit: experiment tracking whose database is the Git repository you already have.

The functions here have MLflow's names and meanings, so a training script only changes its
import::

    import ledgit as mlflow

    mlflow.set_experiment("my_experiment")
    mlflow.log_param("learning_rate", 0.1)
    mlflow.log_metric("accuracy", 0.95)
    mlflow.log_artifact("data.csv")

Below them is the object model: :func:`ledgit.open` gives a :class:`~ledgit.repository.Repository`,
its ``runs`` a set of :class:`~ledgit.repository.Run`.

``import ledgit`` takes some 8 ms: it brings what a start of a run needs, so that the start itself
does not keep a training waiting. Everything else is imported when it is used, and a name is looked
up once; from then on it is a plain module attribute.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing.TYPE_CHECKING without importing typing (3 ms)
if TYPE_CHECKING:
    from typing import Any

    from ledgit._version import __version__
    from ledgit.client import MlflowClient, search_model_versions, search_registered_models, set_model_version_tag
    from ledgit.errors import LedgitError, LedgitWarning
    from ledgit.experiment import Experiment
    from ledgit.models.autologging import autolog
    from ledgit.registry import Registry
    from ledgit.registry.fluent import register_model
    from ledgit.repository import Repository, Run, RunSet
    from ledgit.repository import open_repository as open  # noqa: A004, F401 - a name that star imports leave out
    from ledgit.tracking import (
        ActiveRun,
        Image,
        create_experiment,
        delete_experiment,
        delete_experiment_tag,
        delete_run,
        delete_tag,
        disable_system_metrics_logging,
        enable_system_metrics_logging,
        flush_artifact_async_logging,
        flush_async_logging,
        get_artifact_uri,
        get_experiment,
        get_experiment_by_name,
        get_parent_run,
        get_run,
        get_tracking_uri,
        is_tracking_uri_set,
        load_ipython_extension,
        load_table,
        log_artifact,
        log_artifacts,
        log_batch,
        log_dict,
        log_figure,
        log_image,
        log_input,
        log_inputs,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        log_stream,
        log_table,
        log_text,
        rename_experiment,
        restore_experiment,
        restore_run,
        search_experiments,
        search_runs,
        set_experiment,
        set_experiment_tag,
        set_experiment_tags,
        set_system_metrics_node_id,
        set_system_metrics_samples_before_logging,
        set_system_metrics_sampling_interval,
        set_tag,
        set_tags,
        set_tracking_uri,
        unload_ipython_extension,
    )
    from ledgit.views import ViewType

__all__ = [
    "ActiveRun",
    "Experiment",
    "Image",
    "LedgitError",
    "LedgitWarning",
    "MlflowClient",
    "Registry",
    "Repository",
    "Run",
    "RunSet",
    "ViewType",
    "__version__",
    "active_run",
    "autolog",
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_run",
    "delete_tag",
    "disable_system_metrics_logging",
    "enable_system_metrics_logging",
    "end_run",
    "flush_artifact_async_logging",
    "flush_async_logging",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_parent_run",
    "get_run",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "last_active_run",
    "load_ipython_extension",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_batch",
    "log_dict",
    "log_figure",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "log_stream",
    "log_table",
    "log_text",
    "register_model",
    "rename_experiment",
    "restore_experiment",
    "restore_run",
    "search_experiments",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_model_version_tag",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "start_run",
    "unload_ipython_extension",
]

_ELSEWHERE = {
    "Experiment": "ledgit.experiment",
    "LedgitError": "ledgit.errors",
    "LedgitWarning": "ledgit.errors",
    "MlflowClient": "ledgit.client",
    "Registry": "ledgit.registry",
    "Repository": "ledgit.repository",
    "Run": "ledgit.repository",
    "RunSet": "ledgit.repository",
    "ViewType": "ledgit.views",
    "register_model": "ledgit.registry.fluent",
    "search_model_versions": "ledgit.client",
    "search_registered_models": "ledgit.client",
    "set_model_version_tag": "ledgit.client",
    "__version__": "ledgit._version",
    "autolog": "ledgit.models.autologging",
    "open": "ledgit.repository",
}
# mlflow.data, mlflow.sklearn, ... are modules there; here they are found the same way.
_MODULES = frozenset(
    {
        "artifacts",
        "client",
        "data",
        "errors",
        "keras",
        "lightgbm",
        "lightning",
        "models",
        "onnx",
        "project",
        "projects",
        "pyfunc",
        "pytorch",
        "register",
        "registry",
        "sklearn",
        "transformers",
        "xgboost",
    }
)
# What scripts written for MLflow ask for, and what to say instead of "no attribute".
_NOT_HERE = {
    **dict.fromkeys(
        ("entities", "exceptions"), "ledgit.ViewType, ledgit.Run and ledgit.LedgitError are the names here"
    ),
    "log_model": "ledgit.models.log(model, name) does it",
    "evaluate": "ledgit.models.evaluate does it",
    **dict.fromkeys(("genai", "trace"), "Ledgit tracks experiments, not LLM traces"),
}
# ledgit.open, like tarfile.open, is no name for a star import.
_NAMES = frozenset([*__all__, "open"])


def __getattr__(name: str) -> Any:
    # As importlib.import_module does it; importing importlib takes a tenth of the time that a start may take.
    value: Any
    if name in _MODULES:
        value = __import__(f"ledgit.{name}", fromlist=["__name__"])
    elif name in _NAMES:
        home = __import__(_ELSEWHERE.get(name, "ledgit.tracking"), fromlist=[name])
        value = getattr(home, "open_repository" if name == "open" else name)
    else:
        hint = f": {_NOT_HERE[name]}" if name in _NOT_HERE else ""
        raise AttributeError(f"module 'ledgit' has no attribute {name!r}{hint}", name=name, obj=sys.modules[__name__])
    globals()[name] = value  # the next look-up is a plain attribute, as fast as any
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES, *_MODULES})


# Not by the first start_run, which comes in the middle of somebody's training: see the docstring. The
# command line trains nothing, and what it uses of this it imports.
if "".join(getattr(sys, "argv", [])[:1]).rpartition("/")[2] not in ("ledgit", "git-ledgit"):
    from ledgit.tracking.runs import active_run, end_run, last_active_run, start_run
