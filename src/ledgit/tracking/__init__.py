"""Writing runs from Python: MLflow's fluent functions over Ledgit's store.

::

    session    what this process logs to: repository, experiment, each thread's runs
    runs       start_run, end_run, active_run;  active  the object they give
    values     log_metric, log_param, set_tag: the calls made a million times
    files      log_artifact, log_text, log_figure, log_image;  tables  log_table, load_table
    data       data sets with a digest, log_input
    search     search_runs, get_run;  experiments  set_experiment and its family
    autologging/   one module a library;  system_metrics;  notebook
    uris       runs:/<id>/<path>: reading artifacts back

Nothing is imported before it is used; see ``ledgit/__init__.py``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ledgit.tracking.autologging import autolog
    from ledgit.tracking.data import log_input, log_inputs
    from ledgit.tracking.experiments import (
        create_experiment,
        delete_experiment,
        delete_experiment_tag,
        get_experiment,
        get_experiment_by_name,
        rename_experiment,
        restore_experiment,
        search_experiments,
        set_experiment,
        set_experiment_tag,
        set_experiment_tags,
    )
    from ledgit.tracking.files import log_artifact, log_artifacts, log_dict, log_stream, log_text
    from ledgit.tracking.images import Image, log_figure, log_image
    from ledgit.tracking.notebook import load_ipython_extension, unload_ipython_extension
    from ledgit.tracking.runs import ActiveRun, active_run, end_run, last_active_run, start_run
    from ledgit.tracking.search import delete_run, get_parent_run, get_run, restore_run, search_runs
    from ledgit.tracking.session import get_tracking_uri, is_tracking_uri_set, set_tracking_uri
    from ledgit.tracking.system_metrics import (
        disable_system_metrics_logging,
        enable_system_metrics_logging,
        set_system_metrics_node_id,
        set_system_metrics_samples_before_logging,
        set_system_metrics_sampling_interval,
    )
    from ledgit.tracking.tables import load_table, log_table
    from ledgit.tracking.uris import (
        download_artifacts,
        get_artifact_uri,
        list_artifacts,
        load_dict,
        load_image,
        load_text,
    )
    from ledgit.tracking.values import (
        delete_tag,
        flush_artifact_async_logging,
        flush_async_logging,
        log_batch,
        log_metric,
        log_metrics,
        log_param,
        log_params,
        set_tag,
        set_tags,
    )

_MODULE_OF = {
    "ActiveRun": "runs",
    "Image": "images",
    "active_run": "runs",
    "autolog": "autologging",
    "create_experiment": "experiments",
    "delete_experiment": "experiments",
    "delete_experiment_tag": "experiments",
    "delete_run": "search",
    "delete_tag": "values",
    "disable_system_metrics_logging": "system_metrics",
    "download_artifacts": "uris",
    "enable_system_metrics_logging": "system_metrics",
    "end_run": "runs",
    "flush_artifact_async_logging": "values",
    "flush_async_logging": "values",
    "get_artifact_uri": "uris",
    "get_experiment": "experiments",
    "get_experiment_by_name": "experiments",
    "get_parent_run": "search",
    "get_run": "search",
    "get_tracking_uri": "session",
    "is_tracking_uri_set": "session",
    "last_active_run": "runs",
    "list_artifacts": "uris",
    "load_dict": "uris",
    "load_image": "uris",
    "load_ipython_extension": "notebook",
    "load_table": "tables",
    "load_text": "uris",
    "log_artifact": "files",
    "log_artifacts": "files",
    "log_batch": "values",
    "log_dict": "files",
    "log_figure": "images",
    "log_image": "images",
    "log_input": "data",
    "log_inputs": "data",
    "log_metric": "values",
    "log_metrics": "values",
    "log_param": "values",
    "log_params": "values",
    "log_stream": "files",
    "log_table": "tables",
    "log_text": "files",
    "rename_experiment": "experiments",
    "restore_experiment": "experiments",
    "restore_run": "search",
    "search_experiments": "experiments",
    "search_runs": "search",
    "set_experiment": "experiments",
    "set_experiment_tag": "experiments",
    "set_experiment_tags": "experiments",
    "set_system_metrics_node_id": "system_metrics",
    "set_system_metrics_samples_before_logging": "system_metrics",
    "set_system_metrics_sampling_interval": "system_metrics",
    "set_tag": "values",
    "set_tags": "values",
    "set_tracking_uri": "session",
    "start_run": "runs",
    "unload_ipython_extension": "notebook",
}

__all__ = [
    "ActiveRun",
    "Image",
    "active_run",
    "autolog",
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_run",
    "delete_tag",
    "disable_system_metrics_logging",
    "download_artifacts",
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
    "list_artifacts",
    "load_dict",
    "load_image",
    "load_ipython_extension",
    "load_table",
    "load_text",
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
    "rename_experiment",
    "restore_experiment",
    "restore_run",
    "search_experiments",
    "search_runs",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "start_run",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        hint = "; it is ledgit.MlflowClient" if name == "MlflowClient" else ""  # above this layer
        raise AttributeError(
            f"module 'ledgit.tracking' has no attribute {name!r}{hint}", name=name, obj=sys.modules[__name__]
        )
    value = getattr(__import__(f"ledgit.tracking.{module}", fromlist=[name]), name)  # see ledgit/__init__.py
    globals()[name] = value
    return value
