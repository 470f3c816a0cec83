"""Models become folders, and folders artifacts of a run.

A folder that is logged is written beside the journal first and handed over from there: no file
of it is written twice where it can be renamed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ledgit.errors import Conflict, InvalidValue, StorageError, UsageError
from ledgit.models.enforce import enforce_schema
from ledgit.models.example import Example
from ledgit.models.flavors import Flavor, Saved, Stored
from ledgit.models.kinds import is_array
from ledgit.models.made import note_made
from ledgit.models.mlmodel import FILE, PYFUNC, Model, ModelInfo
from ledgit.models.names import MODEL_TAG, check_model_path
from ledgit.models.requirements import environment_files, given_requirements, infer_requirements
from ledgit.models.signature import ModelSignature, infer_signature
from ledgit.store.folder import Folder
from ledgit.tracking import runs, session

if TYPE_CHECKING:
    from ledgit.store import ActiveRun as Store

__all__ = ["SaveOptions", "log_model", "save_model"]

_MOST_FILES = 100
"""Files of a model that are artifacts of their own: its MLmodel is read from the run's tree, without DVC."""


@dataclass(frozen=True)
class SaveOptions:
    """What ``save_model`` and ``log_model`` of every flavor take.

    Attributes:
        signature: The model's signature; None to tell it from *input_example*, False for none.
        input_example: Data that the model can predict on, or (data, params).
        pip_requirements: All that is needed, instead of what is found out: lines, or a file's path.
        extra_pip_requirements: Lines besides what is found out.
        conda_env: MLflow's other way to say it: a mapping, or a YAML file's path; its ``pip`` lines count.
        code_paths: Files and folders of Python code that loading needs; they go along as ``code/``.
        extra_files: Other files that go along as ``extra_files/``.
        metadata: What to write along; YAML's types.
    """

    signature: ModelSignature | bool | None = None
    input_example: Any = None
    pip_requirements: str | Sequence[str] | None = None
    extra_pip_requirements: str | Sequence[str] | None = None
    conda_env: str | Mapping[str, Any] | None = None
    code_paths: Sequence[str] | None = None
    extra_files: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None

    @classmethod
    def names(cls) -> frozenset[str]:
        """Return the names of the arguments."""
        return frozenset(field.name for field in fields(cls))


def save_model(
    flavor: Flavor,
    model: Any,
    path: str | os.PathLike[str],
    options: SaveOptions,
    own: Mapping[str, Any],
    mlmodel: Model | None = None,
) -> Model:
    """Write *model* into the folder *path*, all of it or nothing.

    Args:
        flavor: Its flavor.
        model: The model.
        path: A folder that does not exist yet, or is empty.
        options: What every flavor takes.
        own: What this one takes: a value for each of its ``save_options``.
        mlmodel: What to begin the MLmodel with.

    Returns:
        What the MLmodel says.

    Raises:
        Conflict: There is something at *path*.
        UsageError: The model, or an option, is not what the flavor can save.
        MissingDependency: A library is not installed.
        StorageError: The disk refused.
    """
    target = os.path.abspath(path)
    if os.path.lexists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise Conflict(f"{os.fspath(path)} is there already and not empty; save the model to another folder")
    if options.signature is not None and not isinstance(options.signature, ModelSignature | bool):
        raise InvalidValue("the signature", options.signature, "a ModelSignature, or False for none")
    made = not os.path.isdir(target)
    try:
        os.makedirs(target, exist_ok=True)
        return _write(flavor, model, target, options, own, mlmodel or Model())
    except BaseException as error:
        _clear(target, made=made)
        if isinstance(error, OSError):
            raise StorageError(target, error.strerror or str(error)) from error
        raise


def _write(
    flavor: Flavor, model: Any, folder: str, options: SaveOptions, own: Mapping[str, Any], mlmodel: Model
) -> Model:
    code = _copy_all(options.code_paths, os.path.join(folder, "code"), "code_paths")
    _copy_all(options.extra_files, os.path.join(folder, "extra_files"), "extra_files")
    example = None if options.input_example is None else Example(options.input_example)
    saved = flavor.save(model, folder, own)
    stored = Stored(folder, saved.flavor, saved.pyfunc or {})
    if isinstance(options.signature, ModelSignature):
        mlmodel.signature = options.signature
    elif options.signature is not False and mlmodel.signature is None and example is not None:
        mlmodel.signature = _signature_of(flavor, model, stored, saved, example)
    if options.metadata is not None:
        mlmodel.metadata = dict(options.metadata)
    if example is not None:
        mlmodel.saved_input_example_info = example.save(folder)
    env = environment_files(folder, _requirements(flavor, model, saved, options, code))
    with_code = {"code": "code"} if code else {}
    if saved.pyfunc is not None:
        python = ".".join(map(str, sys.version_info[:3]))
        loader = saved.pyfunc.get("loader_module", flavor.loader_module)
        entry = {"env": env, "loader_module": loader, "python_version": python, **with_code}
        mlmodel.add_flavor(PYFUNC, **entry, **{key: value for key, value in saved.pyfunc.items() if key not in entry})
    if flavor.name != "pyfunc":
        kept = {key: value for key, value in saved.flavor.items() if value is not None}
        mlmodel.add_flavor(flavor.name, **with_code, **kept)
    mlmodel.model_size_bytes = _size(folder)
    mlmodel.save(os.path.join(folder, FILE))
    return mlmodel


def _signature_of(flavor: Flavor, model: Any, stored: Stored, saved: Saved, example: Example) -> ModelSignature | None:
    """Tell the signature from the example and what the model predicts on it; say so if it can't."""
    inputs = infer_signature(example.data, None, example.params)
    if saved.pyfunc is None:
        return inputs
    assert inputs.inputs is not None
    try:
        # As a prediction does it, and on a copy: the model may write into what it gets.
        data = enforce_schema(deepcopy(example.data), inputs.inputs)
        output = flavor.predictor(model, stored)(data, example.params)
    except Exception as error:
        # Whatever the model raises: it can be saved without.
        session.report(error, "the model did not predict on the input example, so its output has no signature")
        return inputs
    if not inputs.inputs.is_tensor_spec() and is_array(output) and output.ndim == 1:
        import pandas as pd

        output = pd.Series(output)  # a row for each row, so a column
    return ModelSignature(inputs.inputs, infer_signature(None, output).outputs, inputs.params)


def _requirements(flavor: Flavor, model: Any, saved: Saved, options: SaveOptions, code: Sequence[str]) -> list[str]:
    given = [options.pip_requirements, options.conda_env]
    if sum(value is not None for value in given) > 1 or (options.conda_env and options.extra_pip_requirements):
        raise UsageError("give requirements once: pip_requirements, extra_pip_requirements or conda_env")
    if options.pip_requirements is not None:
        lines = given_requirements(options.pip_requirements)
    elif options.conda_env is not None:
        lines = _of_conda(options.conda_env)
    else:
        objects = (model, *saved.objects, options.input_example)
        lines = infer_requirements(flavor, objects, saved.packages, code)
    if options.extra_pip_requirements is not None:
        extra = given_requirements(options.extra_pip_requirements)
        lines = sorted({*lines, *extra})
    return lines


def _of_conda(given: str | Mapping[str, Any]) -> list[str]:
    if isinstance(given, str):
        from ledgit.records.documents import load_document

        try:
            with open(given, "rb") as stream:
                given = load_document(stream.read(), given)
        except OSError as error:
            raise UsageError(f"conda_env {given!r} can't be read: {error.strerror}") from None
    lines = [
        line
        for one in (given.get("dependencies", []) if isinstance(given, Mapping) else [])
        if isinstance(one, Mapping)
        for line in one.get("pip", [])
    ]
    return given_requirements(lines)


def _copy_all(paths: Sequence[str] | None, target: str, what: str) -> list[str]:
    if paths is None:
        return []
    if isinstance(paths, str):
        raise InvalidValue(what, paths, "a list of paths")
    copied = []
    for path in map(os.fspath, paths):
        name = os.path.basename(os.path.abspath(path))
        to = os.path.join(target, name)
        if not os.path.exists(path):
            raise InvalidValue(what, path, "a file or folder that exists")
        os.makedirs(target, exist_ok=True)
        if os.path.lexists(to):
            raise UsageError(f"two of {what} are called {name!r}")
        if os.path.isdir(path):
            shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".git"))
        else:
            shutil.copyfile(path, to)
        copied.append(to)
    return copied


def _size(folder: str) -> int:
    return sum(os.lstat(os.path.join(where, name)).st_size for where, _, names in os.walk(folder) for name in names)


def _clear(folder: str, *, made: bool) -> None:
    """Take away what a save that failed has left in *folder*."""
    if made:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def log_model(
    flavor: Flavor,
    model: Any,
    name: str,
    options: SaveOptions,
    own: Mapping[str, Any],
    run_id: str | None = None,
    others: Mapping[str, Any] | None = None,
) -> ModelInfo:
    """Save *model* as the artifacts below *name* of a run, by default the active one.

    If there is none one is started, once the model is known to be one that can be saved.

    The run gets the tag ``ledgit.model.<name>`` with the flavor's name. What the disk or Git refuse is said, not
    raised, as with every ``log_`` function.

    Args:
        flavor: Its flavor.
        model: The model.
        name: Its folder among the run's artifacts.
        options: What every flavor takes.
        own: What this one takes.
        run_id: Log to this run instead of the active one.
        others: Further keys of the MLmodel.

    Raises:
        InvalidName: *name* can't be a folder of artifacts.
        UsageError: The model, or an option, is not what the flavor can save.
        MissingDependency: A library is not installed.
    """
    path = check_model_path(name)
    mlmodel = Model(artifact_path=path, **(others or {}))
    with ExitStack() as stack:
        ready = ""
        if run_id is None and runs.active_run() is None:
            # What can't be saved shall not begin a run: nothing would be in it.
            with suppress(*session.TROUBLE):  # the disk's refusal is for the run to tell, below
                ready = stack.enter_context(staging(session.repository().folder))
                save_model(flavor, model, ready, options, own, mlmodel)
        run = stack.enter_context(runs.open_run(run_id))
        mlmodel.run_id = run.id
        try:
            if ready and os.path.exists(os.path.join(ready, FILE)):
                folder = ready
                mlmodel.save(os.path.join(folder, FILE))
            else:
                folder = stack.enter_context(staging(run.folder))
                save_model(flavor, model, folder, options, own, mlmodel)
            note_made(run.folder, folder)
            _hand_over(run, folder, path)
            run.set_tags({MODEL_TAG + path: flavor.name})
        except session.TROUBLE as error:
            session.report_in(run, error, f"model {path} was not logged")
    return mlmodel.get_model_info()


def _hand_over(run: Store, folder: str, path: str) -> None:
    """Make the files in *folder* artifacts below *path*; they are moved there."""
    files = [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]
    if len(files) > _MOST_FILES:
        run.add_folder(folder, path)  # as one object
        return
    for file in sorted(files):
        run.take_artifact(file, f"{path}/{os.path.relpath(file, folder)}")


@contextmanager
def staging(folder: Folder) -> Iterator[str]:
    """Give an empty folder on the disk that artifacts are kept on; it is gone afterwards."""
    path = os.path.join(folder.make(folder.scratch), f"model-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        os.mkdir(path)
        yield path
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error
    finally:
        shutil.rmtree(path, ignore_errors=True)
