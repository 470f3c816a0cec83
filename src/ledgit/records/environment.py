"""environment.yaml and requirements.txt: what a run ran on. Never environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgit.records.documents import dump_document, load_document
from ledgit.records.fields import Fields

__all__ = ["Environment", "decode_environment", "encode_environment", "requirements_txt"]


@dataclass(frozen=True, slots=True)
class Environment:
    """Interpreter, machine and packages.

    Attributes:
        python: version, ``3.11.9``.
        implementation: ``CPython``.
        platform: as ``platform.platform()`` says.
        machine: ``x86_64``.
        cpus: logical processors that the run might use.
        memory: bytes.
        lock_file: path of the lock file in the repository, and its SHA-256 in *lock_hash*.
        gpus: names of the graphics cards.
        driver: version of their driver.
        cuda: version of CUDA.
        packages: installed distributions and their versions.
        cpu: model of the processor, as the kernel gives it.
        origins: where packages came from that no index gave: ``git+URL@COMMIT``, the URL of an archive, or
            ``file:PATH``, with ``-e `` before it of what is editable.
    """

    python: str = ""
    implementation: str = ""
    platform: str = ""
    machine: str = ""
    cpus: int | None = None
    memory: int | None = None
    lock_file: str | None = None
    lock_hash: str | None = None
    gpus: tuple[str, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    cpu: str = ""
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages for people: ``1.0``, or ``1.0 from git+URL@COMMIT``."""
        said = self.origins
        return {
            name: f"{version} from {said[name]}" if name in said else version for name, version in self.packages.items()
        }


_TEXTS = ("python", "implementation", "platform", "machine", "cpu")


def encode_environment(environment: Environment) -> bytes:
    """Return environment.yaml; what is not known is left out."""
    document: dict[str, object] = {}
    for key in (*_TEXTS, "cpus", "memory", "lock_file", "lock_hash", "gpus", "driver", "cuda"):
        value = getattr(environment, key)
        if value not in (None, "", ()):
            document[key] = value
    if environment.origins:
        document["origins"] = {name: environment.origins[name] for name in sorted(environment.origins)}
    document["packages"] = {name: environment.packages[name] for name in sorted(environment.packages)}
    return dump_document(document)


def decode_environment(data: bytes, where: str = "environment.yaml") -> Environment:
    """Return the environment. Raises RecordError if it does not decode."""
    top = Fields(load_document(data, where), where)
    return Environment(
        python=top.text("python", ""),
        implementation=top.text("implementation", ""),
        platform=top.text("platform", ""),
        machine=top.text("machine", ""),
        cpu=top.text("cpu", ""),
        cpus=top.optional_integer("cpus"),
        memory=top.optional_integer("memory"),
        lock_file=top.optional_text("lock_file"),
        lock_hash=top.optional_text("lock_hash"),
        gpus=top.texts("gpus"),
        driver=top.optional_text("driver"),
        cuda=top.optional_text("cuda"),
        packages=top.text_map("packages"),
        origins=top.text_map("origins"),
    )


def requirements_txt(environment: Environment) -> bytes:
    """Return the packages as sorted lines that pip reads: ``name==version``, or ``name @ git+URL@COMMIT``."""
    packages, origins = environment.packages, environment.origins
    ordered = sorted(packages, key=lambda name: (name.lower(), name))
    fetched = {name: said for name, said in origins.items() if said.partition(" ")[0].startswith(("git+", "http"))}
    return "".join(
        [f"{name} @ {fetched[name]}\n" if name in fetched else f"{name}=={packages[name]}\n" for name in ordered]
    ).encode()
