"""log_artifact(s), log_text, log_dict, log_stream: files that a run produced.

Paths inside a run use ``/``, are relative, and stay inside. A private copy is taken at once:
what happens to the file afterwards does not matter.
"""

from __future__ import annotations

import os
from typing import Any

from ledgit.errors import InvalidValue
from ledgit.records.names import check_artifact_path
from ledgit.tracking import session
from ledgit.tracking.runs import open_run

__all__ = ["log_artifact", "log_artifacts", "log_bytes", "log_dict", "log_stream", "log_text"]


def log_artifact(
    local_path: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
    threshold: int | str | None = None,
) -> None:
    """Log a file as an artifact under its own name, or a folder with all that is in it.

    Args:
        local_path: The file or folder; a link is followed.
        artifact_path: Folder inside the run to put it in; its root if None.
        run_id: Log to this run instead of the active one.
        threshold: Size above which a file is kept beside the run's commit, as an object that DVC
            can fetch: bytes, or text as ``1MiB``. The configured one (256 KiB) if None.

    Raises:
        InvalidValue: There is no such file or folder.
        InvalidName: *artifact_path* leaves the run's folder.
        ConfigError: *threshold* is no size.
    """
    path = os.fspath(local_path)
    name = os.path.basename(os.path.abspath(path))
    least = _size(threshold)
    full = check_artifact_path(_joined(artifact_path, name))
    if os.path.isdir(path):
        _log_folder(path, full, run_id, least)
        return
    _existing(path)
    with open_run(run_id) as run:
        try:
            run.add_artifact(path, full, least)
        except session.TROUBLE as error:
            session.report_in(run, error, f"artifact {full} was not logged")


def log_artifacts(
    local_dir: str | os.PathLike[str],
    artifact_path: str | None = None,
    run_id: str | None = None,
    threshold: int | str | None = None,
) -> None:
    """Log everything inside a folder, with the folders below it.

    Links to what is in the folder are followed, and those of a snapshot in a Hugging Face cache to its
    blobs. Others that lead out of it, pipes, sockets, and what can't be read are left out with a warning,
    and the rest is logged; with ``git config ledgit.followLinks true`` all links are followed.

    Args:
        local_dir: The folder.
        artifact_path: Folder inside the run to put it in; its root if None.
        run_id: Log to this run instead of the active one.
        threshold: As for :func:`log_artifact`.

    Raises:
        InvalidValue: It is not a folder.
        InvalidName: *artifact_path* leaves the run's folder.
        ConfigError: *threshold* is no size.
    """
    path = os.fspath(local_dir)
    if not os.path.isdir(path):
        raise InvalidValue("the folder of artifacts", path, "a folder that exists (log_artifact takes a single file)")
    inside = artifact_path.rstrip("/") if artifact_path else ""
    _log_folder(path, check_artifact_path(inside) if inside else "", run_id, _size(threshold))


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Log *text* as the artifact *artifact_file*, in UTF-8.

    Raises:
        InvalidName: The path leaves the run's folder.
        InvalidValue: *text* is no text.
    """
    if not isinstance(text, str):
        raise InvalidValue("the text of an artifact", text, "a str (log_stream takes bytes)")
    log_bytes(text.encode("utf-8", "surrogateescape"), artifact_file, run_id)


def log_dict(dictionary: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log a dictionary or list as YAML if *artifact_file* ends in ``.yml`` or ``.yaml``, else as JSON.

    NumPy and torch scalars become numbers, what else neither format knows becomes text.

    Raises:
        InvalidName: The path leaves the run's folder.
    """
    if artifact_file.lower().endswith((".yml", ".yaml")):
        import yaml

        text = yaml.safe_dump(
            plain(dictionary), indent=2, default_flow_style=False, sort_keys=False, allow_unicode=True
        )
    else:
        import json

        text = json.dumps(plain(dictionary), indent=2, ensure_ascii=False) + "\n"
    log_text(text, artifact_file, run_id)


def log_stream(stream: Any, artifact_file: str, run_id: str | None = None) -> None:
    """Log what a binary stream still holds as the artifact *artifact_file*.

    Raises:
        InvalidName: The path leaves the run's folder.
        InvalidValue: It is no binary stream.
    """
    data = stream.read() if hasattr(stream, "read") else None
    if not isinstance(data, bytes | bytearray):
        raise InvalidValue("the stream", stream, "a file opened for reading bytes")
    log_bytes(bytes(data), artifact_file, run_id)


def log_bytes(data: bytes, artifact_file: str, run_id: str | None = None) -> None:
    """Log *data* as the artifact *artifact_file*."""
    path = check_artifact_path(artifact_file)
    with open_run(run_id) as run:
        try:
            run.add_artifact_bytes(path, data)
        except session.TROUBLE as error:
            session.report_in(run, error, f"artifact {path} was not logged")


def plain(value: Any) -> Any:
    """Return *value* with dictionaries, lists and scalars that JSON and YAML can write."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy and torch, scalars and arrays
        return plain(value.tolist())
    return str(value)


def _log_folder(source: str, path: str, run_id: str | None, threshold: int | None) -> None:
    with open_run(run_id) as run:
        try:
            left_out = run.add_folder(source, path, threshold)
        except session.TROUBLE as error:
            session.report_in(run, error, f"artifacts of {source} were not logged")
            return
    for text in left_out:
        session.report(text, source, kind=text)  # at the run's end it is not said again


def _size(threshold: int | str | None) -> int | None:
    if threshold is None:
        return None
    from ledgit.store.artifacts.threshold import parse_size

    return parse_size(threshold, "threshold")


def _existing(path: str) -> str:
    if not os.path.exists(path):
        raise InvalidValue("the artifact", path, f"a file or folder that exists (looked in {os.getcwd()})")
    return path


def _joined(folder: str | None, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if folder and folder.rstrip("/") else name
