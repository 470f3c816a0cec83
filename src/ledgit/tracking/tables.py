"""log_table and load_table: rows as a JSON artifact, appended to with every call."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ledgit.errors import ArtifactNotFound, InvalidValue, MissingDependency
from ledgit.records.names import check_artifact_path
from ledgit.tracking import session, uris
from ledgit.tracking.files import plain
from ledgit.tracking.runs import open_run

__all__ = ["load_table", "log_table"]

LOGGED_ARTIFACTS = "mlflow.loggedArtifacts"


def log_table(data: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log rows as a table; to a table that is there already they are appended.

    The file is ``{"columns": [...], "data": [[...], ...]}``, as MLflow writes it. Columns that
    only one side has are filled with null. Pictures in a column are stored beside the table.

    Args:
        data: Column → list of values, column → one value (one row), or a pandas DataFrame.
        artifact_file: Path inside the run, ending in ``.json``.
        run_id: Log to this run instead of the active one.

    Raises:
        InvalidValue: *data* is no table, its columns differ in length, or the file is no ``.json``.
    """
    path = check_artifact_path(artifact_file)
    if not path.endswith(".json"):
        raise InvalidValue("the table's file", artifact_file, "a path ending in .json")
    columns, rows = _rows(data)
    with open_run(run_id) as run:
        rows = [[_cell(value, path, run) for value in row] for row in rows]
        old = uris.read_staged(run, path)
        if old is not None:
            columns, rows = _appended(json.loads(old), columns, rows)
        text = json.dumps({"columns": columns, "data": rows}, ensure_ascii=False)
        try:
            run.add_artifact_bytes(path, text.encode("utf-8", "backslashreplace"))
        except session.TROUBLE as error:
            session.report_in(run, error, f"table {path} was not logged")
            return
        listed = json.loads(run.tags.get(LOGGED_ARTIFACTS, "[]"))
        if (item := {"path": path, "type": "table"}) not in listed:
            run.set_tags({LOGGED_ARTIFACTS: json.dumps([*listed, item])})


def load_table(
    artifact_file: str, run_ids: Sequence[str] | None = None, extra_columns: Sequence[str] | None = None
) -> Any:
    """Return a logged table as a pandas DataFrame, of several runs one below the other.

    Args:
        artifact_file: Path of the table inside the runs.
        run_ids: The runs; every run of the current experiment that has the table if None.
        extra_columns: Columns of :func:`ledgit.search_runs` to add, such as ``run_id`` or
            ``params.lr``; one that the table has gets an underscore behind its name.

    Raises:
        ArtifactNotFound: None of the runs has it.
        MissingDependency: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("load_table", "pandas") from error
    from ledgit.tracking import search

    path = check_artifact_path(artifact_file)
    if run_ids:
        runs = [session.repository().run(run_id) for run_id in run_ids]
    else:
        runs = search.search_runs(output_format="list")
    tables = []
    for run in runs:
        data = uris.read_bytes(run.id, path)
        if data is None:
            continue
        table = json.loads(data)
        frame = pd.DataFrame(table["data"], columns=table["columns"])
        for column in extra_columns or ():
            values = search.frame([run]).iloc[0]
            frame[f"{column}_" if column in frame else column] = values.get(column)
        tables.append(frame)
    if not tables:
        raise ArtifactNotFound(path)
    return pd.concat(tables, ignore_index=True)


def _rows(data: Any) -> tuple[list[str], list[list[Any]]]:
    if isinstance(data, Mapping):
        columns = [str(key) for key in data]
        values = list(data.values())
        if all(_is_column(value) for value in values):
            lengths = {len(value) for value in values}
            if len(lengths) > 1:
                raise InvalidValue("the table's columns", sorted(lengths), "columns of one length")
            return columns, [list(row) for row in zip(*values, strict=True)]
        return columns, [values]
    if hasattr(data, "columns") and hasattr(data, "itertuples"):
        return [str(key) for key in data.columns], [list(row) for row in data.itertuples(index=False, name=None)]
    raise InvalidValue("the table", data, "a dictionary of columns, or a pandas DataFrame")


def _is_column(value: Any) -> bool:
    return not isinstance(value, str | bytes | Mapping) and hasattr(value, "__len__") and not hasattr(value, "save")


def _appended(old: Mapping[str, Any], columns: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    merged = [*old["columns"], *(column for column in columns if column not in old["columns"])]
    missing = len(merged) - len(old["columns"])
    before = [[*row, *[None] * missing] for row in old["data"]]
    after = [[dict(zip(columns, row, strict=True)).get(column) for column in merged] for row in rows]
    return merged, before + after


def _cell(value: Any, table: str, run: Any) -> Any:
    """Return *value* as JSON can hold it; a picture is stored and becomes a reference, as in MLflow."""
    if hasattr(value, "save") and (hasattr(value, "resize") or hasattr(value, "to_pil")):
        import uuid

        from ledgit.tracking.images import to_png

        path = f"table_images/{table.removesuffix('.json')}/{uuid.uuid4()}.png"
        run.add_artifact_bytes(path, to_png(value))
        return {"type": "image", "filepath": path, "compressed_filepath": path}
    if isinstance(value, float) and math.isnan(value):
        return None  # JSON has no NaN; pandas reads null back as NaN
    return plain(value)
