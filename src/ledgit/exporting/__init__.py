"""Runs for other tools: an MLflow store, JSON lines, Parquet."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ledgit.exporting.lines import write_lines as write_lines
    from ledgit.exporting.mlflow_client import send_to_mlflow as send_to_mlflow
    from ledgit.exporting.mlflow_files import Sent as Sent
    from ledgit.exporting.mlflow_files import write_mlruns as write_mlruns
    from ledgit.exporting.parquet import write_parquet as write_parquet

_WHERE = {
    "Sent": "mlflow_files",
    "send_to_mlflow": "mlflow_client",
    "write_lines": "lines",
    "write_mlruns": "mlflow_files",
    "write_parquet": "parquet",
}

__all__ = ["Sent", "send_to_mlflow", "write_lines", "write_mlruns", "write_parquet"]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'ledgit.exporting' has no attribute {name!r}")
    from importlib import import_module

    globals()[name] = getattr(import_module(f"ledgit.exporting.{_WHERE[name]}"), name)
    return globals()[name]
