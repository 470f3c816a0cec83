"""The ``MLmodel`` file: what a model is, in MLflow's words."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ledgit._version import __version__
from ledgit.errors import ModelNotFound, RecordError, StorageError, UsageError
from ledgit.models.schema import ParamSchema, Schema
from ledgit.models.signature import ModelSignature

__all__ = ["FILE", "FORMAT", "PYFUNC", "Model", "ModelInfo"]

FILE = "MLmodel"
#: The MLflow whose format this is; it warns where a model says a version that is newer than its own.
FORMAT = "3.17.2"
PYFUNC = "python_function"
_KNOWN = (
    "artifact_path",
    "flavors",
    "ledgit_version",
    "metadata",
    "mlflow_version",
    "model_id",
    "model_size_bytes",
    "model_uuid",
    "run_id",
    "saved_input_example_info",
    "signature",
    "utc_time_created",
)
_MOST = 16 << 20  # an MLmodel with a signature of 100,000 columns has 8 MB


class ModelInfo:
    """A model that was logged or saved, in a few words.

    Attributes:
        model_uri: Where it is: ``runs:/<run>/<name>``, or its path.
        name: The name it was logged by; None if it was only saved.
        artifact_path: Its folder among the run's artifacts; None if it was only saved.
        run_id: The run it was logged to, or None.
        model_uuid: Random, one for each time a model is saved.
        model_id: MLflow's id of a logged model, where MLflow made it.
        flavors: What the MLmodel has, by flavor.
        signature: Its :class:`~ledgit.models.signature.ModelSignature`, or None.
        saved_input_example_info: What is saved of an input example, or None.
        utc_time_created: When, in UTC, as text.
        mlflow_version: The MLflow whose format it has.
        metadata: What the user wrote along.
        registered_model_version: MLflow's number of the version it was registered as, or None.
    """

    def __init__(self, model: Model, model_uri: str) -> None:
        self.model_uri = model_uri
        self.artifact_path = model.artifact_path
        self.name = model.artifact_path
        self.run_id = model.run_id
        self.model_uuid = model.model_uuid
        self.model_id = model.model_id
        self.flavors = model.flavors
        self.signature = model.signature
        self.saved_input_example_info = model.saved_input_example_info
        self.utc_time_created = model.utc_time_created
        self.mlflow_version = model.mlflow_version
        self.metadata = model.metadata
        self.registered_model_version: int | None = None

    def __repr__(self) -> str:
        return f"<ModelInfo {self.model_uri} ({', '.join(self.flavors)})>"

    @property
    def signature_dict(self) -> dict[str, Any] | None:
        """The signature as the MLmodel has it."""
        return None if self.signature is None else self.signature.to_dict()


class Model:
    """What an MLmodel says.

    Keys that Ledgit does not know are kept in :attr:`others` and written back.
    """

    def __init__(
        self,
        artifact_path: str | None = None,
        run_id: str | None = None,
        utc_time_created: str | None = None,
        flavors: Mapping[str, Mapping[str, Any]] | None = None,
        signature: ModelSignature | None = None,
        saved_input_example_info: Mapping[str, Any] | None = None,
        model_uuid: str | None = None,
        mlflow_version: str | None = FORMAT,
        metadata: Mapping[str, Any] | None = None,
        model_size_bytes: int | None = None,
        model_id: str | None = None,
        ledgit_version: str | None = __version__,
        **others: Any,
    ) -> None:
        self.artifact_path, self.run_id = artifact_path, run_id
        self.utc_time_created = str(utc_time_created or datetime.now(UTC).replace(tzinfo=None))
        self.flavors: dict[str, dict[str, Any]] = {key: dict(value) for key, value in (flavors or {}).items()}
        self.signature = signature
        self.saved_input_example_info = None if saved_input_example_info is None else dict(saved_input_example_info)
        self.model_uuid = model_uuid or os.urandom(16).hex()
        self.mlflow_version, self.ledgit_version = mlflow_version, ledgit_version
        self.metadata = None if metadata is None else dict(metadata)
        self.model_size_bytes, self.model_id = model_size_bytes, model_id
        self.others = others

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(self.model_uuid)

    def __repr__(self) -> str:
        return f"<Model {self.model_uuid[:8]} ({', '.join(self.flavors)})>"

    def __str__(self) -> str:
        return self.to_yaml()

    def add_flavor(self, name: str, **params: Any) -> Model:
        """Add a flavor's entry; returns the model, so that calls can be chained."""
        self.flavors[name] = params
        return self

    def get_input_schema(self) -> Schema | None:
        """Return the signature's inputs, or None."""
        return self.signature.inputs if self.signature is not None else None

    def get_output_schema(self) -> Schema | None:
        """Return the signature's outputs, or None."""
        return self.signature.outputs if self.signature is not None else None

    def get_params_schema(self) -> ParamSchema | None:
        """Return the signature's params, or None."""
        return self.signature.params if self.signature is not None else None

    def get_model_info(self, model_uri: str = "") -> ModelInfo:
        """Return the model in a few words; *model_uri* says where it is, by default in its run."""
        if not model_uri and self.run_id and self.artifact_path:
            model_uri = f"runs:/{self.run_id}/{self.artifact_path}"
        return ModelInfo(self, model_uri)

    def load_input_example(self, path: str) -> Any:
        """Return the input example saved in the model's folder *path*, as the model takes it; None without one."""
        from ledgit.models.example import read_example

        return read_example(self, path)

    def load_input_example_params(self, path: str) -> dict[str, Any] | None:
        """Return the params of the input example in *path*, or None."""
        from ledgit.models.example import read_example_params

        return read_example_params(self, path)

    def get_serving_input(self, path: str) -> str | None:
        """Return the body of a request to a server that the example in *path* makes, or None."""
        from ledgit.models.example import read_serving_input

        return read_serving_input(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Return what the file says, as YAML's types."""
        found = {key: getattr(self, key) for key in _KNOWN} | self.others
        if self.signature is not None:
            found["signature"] = self.signature.to_dict()
        return {key: value for key, value in sorted(found.items()) if value is not None}

    def to_yaml(self, stream: Any = None) -> str:
        """Return the file's text, or write it to *stream*."""
        text = _dump(self.to_dict())
        if stream is not None:
            stream.write(text)
        return text

    def to_json(self) -> str:
        """Return what the file says as JSON."""
        return json.dumps(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file *path*, or ``MLmodel`` in the folder *path*.

        Raises:
            StorageError: The disk refused.
        """
        target = os.path.join(path, FILE) if os.path.isdir(path) else os.fspath(path)
        try:
            with open(target, "w", encoding="utf-8") as stream:
                stream.write(self.to_yaml())
        except OSError as error:
            raise StorageError(target, error.strerror or str(error)) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read the file *path*, or ``MLmodel`` in the folder *path*.

        Raises:
            ModelNotFound: There is none.
            RecordError: It does not decode.
        """
        source = os.fspath(path)
        if os.path.basename(source) != FILE:
            source = os.path.join(source, FILE)
        try:
            with open(source, "rb") as stream:
                data = stream.read(_MOST + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelNotFound(os.fspath(path), "there is no MLmodel file") from None
        except OSError as error:
            raise RecordError(source, error.strerror or str(error)) from error
        return cls.decode(data, source)

    @classmethod
    def decode(cls, data: bytes, where: str = FILE) -> Model:
        """Return the model that the bytes of an MLmodel tell.

        Raises:
            RecordError: They do not decode.
        """
        from ledgit.records.documents import load_document

        if len(data) > _MOST:
            raise RecordError(where, f"it is larger than {_MOST >> 20} MiB, which no MLmodel is")
        found = load_document(data, where)
        if not isinstance(found, dict):
            raise RecordError(where, "it is no mapping")
        try:
            return cls.from_dict(found)
        except UsageError as error:
            raise RecordError(where, str(error)) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Model:
        """Return the model that *data*, as a file has it, tells.

        Raises:
            UsageError: It does not decode.
        """
        known = dict(data)
        if not all(isinstance(key, str) for key in known):
            raise UsageError("it has keys that are no text")
        flavors = known.get("flavors")
        if not isinstance(flavors, Mapping) or not all(
            isinstance(key, str) and isinstance(value, Mapping) for key, value in flavors.items()
        ):
            raise UsageError("it has no flavors")
        signature = known.get("signature")
        if signature is not None:
            if not isinstance(signature, Mapping):
                raise UsageError("its signature is no mapping")
            known["signature"] = ModelSignature.from_dict(signature) if any(signature.values()) else None
        for key, kind in (("saved_input_example_info", Mapping), ("metadata", Mapping)):
            if known.get(key) is not None and not isinstance(known[key], kind):
                raise UsageError(f"its {key} is no mapping")
        for key in ("run_id", "artifact_path", "model_uuid", "model_id", "mlflow_version"):
            if known.get(key) is not None and not isinstance(known[key], str):
                raise UsageError(f"its {key} is no text")
        known.setdefault("mlflow_version", None)
        known.setdefault("ledgit_version", None)
        return cls(**known)


def _dump(data: Any) -> str:
    import yaml

    class Plain(yaml.SafeDumper):
        """Writes no aliases: what stands twice is written twice."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
            return True

    try:
        return str(yaml.dump(data, Dumper=Plain, default_flow_style=False))
    except yaml.YAMLError as error:
        raise UsageError(f"the model's metadata can't be written as YAML: {error}") from None
