"""One case a file; each has a ``CASE``. The order here is the order of the report."""

CASES = ("start_up", "log_metric", "whole_run", "run_start", "read_history", "compare_runs")
