"""What an evaluation found: metrics, and the files that were logged, with MLflow's attributes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ledgit.errors import InvalidValue, MissingDependency
from ledgit.models.evaluation.slicing import Slice

__all__ = ["EvaluationArtifact", "EvaluationResult", "csv_text", "table_text"]


class EvaluationArtifact:
    """A file that an evaluation made.

    Attributes:
        path: Where it stands in the run.
        data: Its bytes.
    """

    def __init__(self, path: str, data: bytes, run_id: str | None = None) -> None:
        self.path, self.data, self._run_id = path, data, run_id

    @property
    def uri(self) -> str:
        """Its URI, ``runs:/<run id>/<path>``; the path alone if nothing was logged."""
        return f"runs:/{self._run_id}/{self.path}" if self._run_id else self.path

    @property
    def content(self) -> Any:
        """A picture as a Pillow image, a table as a pandas DataFrame, JSON as Python objects, else the bytes.

        Raises:
            MissingDependency: The library for it is not installed.
        """
        ending = os.path.splitext(self.path)[1].lower()
        if ending == ".png":
            try:
                import PIL.Image
            except ImportError as error:
                raise MissingDependency("looking at pictures", "pillow") from error
            picture = PIL.Image.open(io.BytesIO(self.data))
            picture.load()
            return picture
        if ending == ".csv":
            return _pandas().read_csv(io.BytesIO(self.data))
        if ending == ".npy":
            import numpy as np

            return np.load(io.BytesIO(self.data), allow_pickle=False)
        if ending == ".json":
            return json.loads(self.data)
        return self.data.decode() if ending == ".txt" else self.data

    def __repr__(self) -> str:
        return f"{type(self).__name__}(uri={self.uri!r})"


class EvaluationResult:
    """The outcome of :func:`ledgit.models.evaluate`.

    Attributes:
        metrics: Name → value, slices' too, as they were logged.
        artifacts: Name → :class:`EvaluationArtifact`: plots and tables.
        slices: The parts of the data, each with the metrics it has.
        run_id: The run it was logged to.
    """

    def __init__(
        self,
        metrics: Mapping[str, float],
        artifacts: Mapping[str, EvaluationArtifact],
        run_id: str | None = None,
        slices: Sequence[Slice] = (),
        tables: Mapping[str, Mapping[str, list[Any]]] | None = None,
    ) -> None:
        self.metrics = dict(metrics)
        self.artifacts = dict(artifacts)
        self.run_id = run_id
        self.slices = tuple(slices)
        self._tables = dict(tables or {})

    @property
    def tables(self) -> dict[str, Any]:
        """Name → pandas DataFrame: those of ``slice_metrics``, ``permutation_importance`` and others there are.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return {name: _pandas().DataFrame(dict(columns)) for name, columns in self._tables.items()}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a folder, as MLflow does: ``metrics.json``, ``artifacts_metadata.json``, ``artifacts/``."""
        folder = os.fspath(path)
        inside = os.path.join(folder, "artifacts")
        os.makedirs(inside, exist_ok=True)
        listed = {}
        for name, artifact in self.artifacts.items():
            base = os.path.basename(artifact.path)
            listed[name] = {"uri": artifact.uri, "path": artifact.path}
            with open(os.path.join(inside, base), "wb") as stream:
                stream.write(artifact.data)
        for file, value in (
            ("metrics.json", self.metrics),
            ("artifacts_metadata.json", listed),
            ("tables.json", self._tables),
        ):
            with open(os.path.join(folder, file), "w", encoding="utf-8") as text:
                json.dump(value, text, default=str)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EvaluationResult:
        """Read what :meth:`save` wrote.

        Raises:
            InvalidValue: The folder has no evaluation.
        """
        folder = os.fspath(path)
        try:
            found = [_read(os.path.join(folder, file)) for file in ("metrics.json", "artifacts_metadata.json")]
        except (OSError, ValueError) as error:
            raise InvalidValue("the evaluation", folder, f"a folder that save() wrote ({error})") from error
        metrics, listed = found
        artifacts = {}
        for name, facts in listed.items():
            place = os.path.join(folder, "artifacts", os.path.basename(str(facts["path"])))
            with open(place, "rb") as stream:
                artifacts[name] = EvaluationArtifact(str(facts["path"]), stream.read())
        tables = os.path.join(folder, "tables.json")
        return cls(metrics, artifacts, tables=_read(tables) if os.path.exists(tables) else {})

    def __repr__(self) -> str:
        return f"EvaluationResult({len(self.metrics)} metrics, {len(self.artifacts)} artifacts)"


def table_text(columns: Mapping[str, list[Any]]) -> str:
    """Return a table as ``log_table`` writes it, so that ``load_table`` and MLflow read it."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"columns": list(columns), "data": rows}, default=_jsonable, ensure_ascii=False)


def csv_text(columns: Mapping[str, list[Any]]) -> str:
    """Return a table as CSV."""
    import csv

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def _jsonable(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependency("tables of an evaluation", "pandas") from error
    return pd
