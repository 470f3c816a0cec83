"""One case a file; each has a ``CASE``. The order here is the order of the report."""

CASES = (
    "start_up",
    "log_metric",
    "whole_run",
    "run_start",
    "read_history",
    "compare_runs",
    "artifacts",
    "artifacts_memory",
    "registry",
    "serving",
    "projects",
    "repro",
    "sweep",
    "ui_live",
    "mlflow_plugin",
)
LARGE = (
    "large_list",
    "large_warm",
    "large_rebuild",
    "large_refresh",
    "large_compaction",
    "large_sync",
    "large_tip",
    "large_review",
    "large_ui",
    "large_git",
    "large_size",
    "large_logging",
    "large_memory",
)
"""With 100,000 runs: ``--large``."""
