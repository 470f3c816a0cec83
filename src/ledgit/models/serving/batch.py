"""Predictions for whole files, piece by piece: memory does not grow with the file."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ledgit.errors import InvalidModelInput, InvalidValue, LedgitError, MissingDependency, StorageError, UsageError
from ledgit.models import payload
from ledgit.models.kinds import is_frame

if TYPE_CHECKING:
    from ledgit.models.loading import PyFuncModel
    from ledgit.models.schema import Schema

    Progress = Callable[[str, int, int | None], None]

__all__ = ["KINDS", "Batch", "predict_file"]

#: What files may be, by the ends of their names.
KINDS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


@dataclass(frozen=True)
class Batch:
    """What was predicted.

    Attributes:
        rows: Rows that were read, and predicted on.
        target: The file they were written to; None for standard output.
    """

    rows: int
    target: str | None


def predict_file(
    model: PyFuncModel,
    source: str,
    target: str | None = None,
    *,
    input_kind: str | None = None,
    output_kind: str | None = None,
    params: dict[str, Any] | None = None,
    keep: bool = False,
    rows: int = 10_000,
    progress: Progress | None = None,
) -> Batch:
    """Predict on each row of a file, in the order they are in.

    Args:
        model: The model.
        source: A CSV file with a header, JSON lines (an object a row), or Parquet; ``-`` for standard input.
        target: File to write; it is there whole, or not at all. None for standard output.
        input_kind: ``csv``, ``jsonl`` or ``parquet``; by default what the name's end says.
        output_kind: The same for what is written; by default what *target* says, else what *source* is
            (JSON lines on standard output instead of Parquet).
        params: Params of prediction.
        keep: Write the columns that were read as well, before the predictions.
        rows: How many are read, predicted on and written at a time.
        progress: Is told (what, bytes read, bytes in all or None).

    Raises:
        InvalidValue: A kind that is not known.
        UsageError: The file is not what it should be; it says in which row. Or the model failed on some.
        InvalidModelInput: Rows that the model can't predict on; it says which, and nothing is written to *target*.
        StorageError: The target can't be written.
        MissingDependency: Parquet is asked for without pyarrow.
    """
    if rows < 1:
        raise InvalidValue("rows", rows, "1 or more")
    read = _kind(input_kind, source, None)
    write = _kind(output_kind, target or "-", "jsonl" if read == "parquet" else read)
    if target is None and write == "parquet":
        raise UsageError("Parquet can't be written to standard output; name a file with --output")
    done = 0
    with _Sink.open(write, target) as sink, warnings.catch_warnings():
        # What scikit-learn says of each piece where a model was fitted on arrays: a file's columns have names.
        warnings.filterwarnings("ignore", message="X has feature names, but", category=UserWarning)
        for frame, position, size in _READERS[read](source, model.input_schema, rows):
            try:
                predictions = model.predict(frame, params)
            except InvalidModelInput as error:
                where = f"in rows {done + 1:,} to {done + len(frame):,} of {source}: {error.reason}"
                raise InvalidModelInput(error.name, where) from None
            except LedgitError:
                raise
            except Exception as error:  # the model's own code, and most likely the data's fault
                said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                where = f"rows {done + 1:,} to {done + len(frame):,} of {source}"
                raise UsageError(f"the model could not predict on {where}: {said}") from error
            sink.write(_table(frame, predictions, keep=keep))
            done += len(frame)
            if progress is not None:
                progress(f"predicted on {done:,} rows", position, size)
        sink.commit()
    return Batch(done, target)


def _kind(given: str | None, path: str, default: str | None) -> str:
    known = sorted(set(KINDS.values()))
    if given is not None:
        if given not in known:
            raise InvalidValue("the kind of file", given, " or ".join(known))
        return given
    found = KINDS.get(os.path.splitext(path.lower())[1], default)
    if found is None:
        raise UsageError(f"{path} has no end that says what it is; say --input-format {' or '.join(known)}")
    return found


def _table(frame: Any, predictions: Any, *, keep: bool) -> Any:
    """Return *predictions* as a frame with a row for each of *frame*'s.

    Raises:
        UsageError: The model gives another number of rows.
    """
    import numpy as np
    import pandas as pd

    if is_frame(predictions):
        table = predictions.reset_index(drop=True)
    elif isinstance(predictions, dict):
        table = pd.DataFrame({name: list(values) for name, values in predictions.items()})
    else:
        values = predictions.tolist() if hasattr(predictions, "tolist") else list(predictions)
        shape = np.shape(predictions)
        if len(shape) == 2:
            table = pd.DataFrame(values, columns=[f"prediction_{column}" for column in range(shape[1])])
        else:
            table = pd.DataFrame({"prediction": values})
    table.columns = [str(name) for name in table.columns]
    if len(table) != len(frame):
        raise UsageError(f"the model gives {len(table):,} predictions for {len(frame):,} rows")
    if keep:
        before = frame.reset_index(drop=True)
        table = table.rename(columns={name: f"{name}_predicted" for name in table.columns if name in before.columns})
        table = pd.concat([before, table], axis=1)
    return table


# ---------------------------------------------------------------------- reading

_Pieces = Iterator[tuple[Any, int, int | None]]


def _open(path: str) -> tuple[IO[bytes], int | None]:
    if path == "-":
        return sys.stdin.buffer, None
    try:
        stream = open(path, "rb")  # noqa: SIM115 - whoever reads closes it
        return stream, os.fstat(stream.fileno()).st_size
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from None


def _read_csv(path: str, schema: Schema | None, rows: int) -> _Pieces:
    import pandas as pd

    stream, size = _open(path)
    done = 0
    with stream:
        try:
            for frame in pd.read_csv(stream, dtype=payload.text_columns(schema) or None, chunksize=rows):
                done += len(frame)
                yield payload.cast_frame(frame.reset_index(drop=True), schema), _position(stream), size
        except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
            if isinstance(error, InvalidModelInput):
                raise
            raise UsageError(f"{path} is no CSV after row {done:,}: {' '.join(str(error).split())}") from None


def _read_jsonl(path: str, schema: Schema | None, rows: int) -> _Pieces:
    import orjson

    stream, size = _open(path)
    with stream:
        found: list[Any] = []
        number = 0
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UsageError(f"line {number:,} of {path} is no JSON: {error}") from None
            if not isinstance(row, dict):
                raise UsageError(f"line {number:,} of {path} is no object, expected one with a value for each column")
            found.append(row)
            if len(found) == rows:
                yield payload.frame_from_json(found, "records", schema), _position(stream), size
                found = []
        if found:
            yield payload.frame_from_json(found, "records", schema), _position(stream), size


def _read_parquet(path: str, schema: Schema | None, rows: int) -> _Pieces:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingDependency("Parquet", "pyarrow") from error
    if path == "-":
        raise UsageError("Parquet can't be read from standard input; name a file")
    stream, size = _open(path)
    with stream:
        try:
            file = parquet.ParquetFile(stream)
            done, total = 0, file.metadata.num_rows
            for batch in file.iter_batches(rows):
                done += batch.num_rows
                frame = payload.cast_frame(batch.to_pandas(), schema)
                yield frame, (size or 0) * done // max(total, 1), size
        except (ArrowException, OSError) as error:
            raise UsageError(f"{path} is no Parquet file: {' '.join(str(error).split())}") from None


def _position(stream: IO[bytes]) -> int:
    try:
        return stream.tell()
    except (OSError, ValueError):
        return 0


_READERS = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}

# ---------------------------------------------------------------------- writing


class _Sink(ABC):
    """Where predictions go; a file is renamed into place when all are there."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._scratch: str | None = None
        self._rows = 0
        self.stream: IO[bytes]
        if target is None:
            self.stream = sys.stdout.buffer
            return
        folder = os.path.dirname(os.path.abspath(target))
        try:
            fd, self._scratch = tempfile.mkstemp(prefix=f".{os.path.basename(target)}.", dir=folder)
            self.stream = os.fdopen(fd, "wb")
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from None

    @staticmethod
    def open(kind: str, target: str | None) -> _Sink:
        """Return one that writes *kind*."""
        kinds: dict[str, Callable[[str | None], _Sink]] = {
            "csv": _CsvSink,
            "jsonl": _JsonSink,
            "parquet": _ParquetSink,
        }
        return kinds[kind](target)

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._target is not None:
            self.stream.close()
        if self._scratch is not None:
            os.unlink(self._scratch)

    def write(self, table: Any) -> None:
        """Write the rows of a frame."""
        try:
            self.put(table)
        except OSError as error:
            raise StorageError(self._target or "standard output", error.strerror or str(error)) from None
        self._rows += len(table)

    @abstractmethod
    def put(self, table: Any) -> None:
        """Write the rows of a frame, in this kind of file."""

    def end(self) -> None:  # noqa: B027 - most have nothing there
        """Write what comes after the last row."""

    def commit(self) -> None:
        """All are written: put the file where it belongs."""
        try:
            self.end()
            self.stream.flush()
            if self._scratch is not None and self._target is not None:
                os.fsync(self.stream.fileno())
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(self._scratch, 0o666 & ~mask)
                os.replace(self._scratch, self._target)
                self._scratch = None
        except OSError as error:
            raise StorageError(self._target or "standard output", error.strerror or str(error)) from None


class _CsvSink(_Sink):
    def put(self, table: Any) -> None:
        self.stream.write(table.to_csv(index=False, header=self._rows == 0, lineterminator="\n").encode())


class _JsonSink(_Sink):
    def put(self, table: Any) -> None:
        import orjson

        option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
        for row in payload.to_json(table):
            self.stream.write(orjson.dumps(row, option=option))


class _ParquetSink(_Sink):
    _writer: Any = None

    def put(self, table: Any) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise MissingDependency("Parquet", "pyarrow") from error
        schema = None if self._writer is None else self._writer.schema
        try:
            rows = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
        except (pa.ArrowException, TypeError) as error:
            raise UsageError(f"predictions from row {self._rows + 1:,} on are of another type: {error}") from None
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self.stream, rows.schema)
        self._writer.write_table(rows)

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
