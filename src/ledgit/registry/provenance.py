"""What was found out about a version, as an in-toto statement with SLSA's provenance predicate.

Both are formats that admission controllers and policy engines read: in-toto Statement v1
(https://in-toto.io/Statement/v1) and SLSA provenance v1 (https://slsa.dev/provenance/v1). The *subjects* are the
model's files. Git's ids are digests as in-toto names them (``gitCommit``, ``gitTree``, ``gitTag``).
"""

from __future__ import annotations

from ledgit.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from ledgit.artifacts import Cache
    from ledgit.registry.verify import Chain
    from ledgit.repository import Repository
    from ledgit.store.artifacts.listing import ArtifactFile

__all__ = ["BUILD_TYPE", "statement"]

BUILD_TYPE = "urn:ledgit:run:v1"
_PIECE = 1 << 20


def statement(repository: Repository, chain: Chain, remote: str = "") -> dict[str, Any]:
    """Return the statement about a version that was verified.

    Args:
        repository: Where it is.
        chain: What was found.
        remote: Address of the repository, without credentials; "" if there is none.

    Raises:
        Conflict: The version is not genuine: nothing is stated about it.
        ArtifactsMissing, ArtifactDamaged: A model's file can't be read.
    """
    version = chain.version
    if not chain.genuine or chain.run is None or chain.commit is None:
        unknown = "it is a project, which no run made" if version.kind == "project" else "its run is not known"
        what = chain.findings[0] if chain.findings else unknown
        raise Conflict(f"nothing can be stated about {version.model}@{version.version}: {what}")
    run, event = chain.run, version.event
    record = run.record()
    tag = chain.step("tag")
    from ledgit.records.run import iso

    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": _subjects(repository, chain),
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "entryPoint": record.info.entry_point or None,
                    "command": list(record.info.command),
                    "params": {key: str(value) for key, value in run.params.items()},
                    "model": version.model,
                    "version": version.version,
                    "path": version.path or "",
                },
                "internalParameters": {
                    "number": version.number,
                    "digest": version.digest,
                    "experiment": run.experiment,
                    "metrics": {key: _number(value) for key, value in run.metrics.items()},
                },
                "resolvedDependencies": [*_code(chain, remote), *_data(chain), *_packages(record)],
            },
            "runDetails": {
                "builder": {"id": f"urn:ledgit:host:{_quoted(record.info.host)}", "version": {"ledgit": _ledgit()}},
                "metadata": {
                    "invocationId": run.id,
                    "startedOn": iso(run.start),
                    **({} if run.end is None else {"finishedOn": iso(run.end)}),
                },
                "byproducts": [
                    {
                        "name": version.tag,
                        "digest": {"gitTag": tag.facts.get("oid", event.oid)},
                        "annotations": {
                            "registeredBy": f"{event.author} <{event.email}>",
                            "registeredOn": iso(version.created),
                            "reason": event.reason,
                            "signature": {
                                key: value for key, value in chain.step("signature").facts.items() if value is not None
                            },
                        },
                    },
                    {"name": "registration", "digest": {"gitCommit": chain.commit.oid, "gitTree": chain.commit.tree}},
                ],
            },
        },
    }


def _subjects(repository: Repository, chain: Chain) -> list[dict[str, Any]]:
    """Return the model's files with their SHA-256, as the registration has them; each is read once more for it."""
    from hashlib import sha256

    from ledgit.artifacts import Cache
    from ledgit.store.artifacts.listing import files_of

    cache = Cache(repository.folder.cache)
    path = chain.version.path or ""
    subjects = []
    for file in files_of(cache, chain.files, path):
        digest = sha256()
        with _opened(repository, chain, cache, file) as content:
            while piece := content.read(_PIECE):
                digest.update(piece)
        name = file.path[len(path) :].lstrip("/") if path and file.path != path else file.path
        digests = {"sha256": digest.hexdigest()}
        if file.digest.startswith("md5:"):
            digests["md5"] = file.digest[4:]
        subjects.append({"name": name, "digest": digests})
    return subjects


def _opened(repository: Repository, chain: Chain, cache: Cache, file: ArtifactFile) -> BinaryIO:
    from io import BytesIO

    from ledgit.errors import ArtifactsMissing
    from ledgit.records.names import RUN_FOLDER

    assert chain.commit is not None
    if file.oid is None:
        entry = repository.objects.find(chain.commit.oid, f"{RUN_FOLDER}/artifacts/{file.record.tree_path}")
        assert entry is not None  # it was hashed a moment ago
        return BytesIO(repository.objects.read(entry.oid)[1])
    if not file.here:
        run = chain.version.run or ""
        raise ArtifactsMissing(
            [file.path], [run], "its SHA-256 is to be stated", f"'ledgit artifacts fetch {run[:8]}' gets it"
        )
    return open(cache.location(file.oid), "rb")


def _code(chain: Chain, remote: str) -> list[dict[str, Any]]:
    facts = chain.step("code").facts
    if not facts.get("commit"):
        return []
    assert chain.commit is not None
    found: dict[str, Any] = {"name": "code", "digest": {"gitCommit": facts["commit"]}}
    if remote:
        found["uri"] = remote if "://" in remote and remote.startswith("git+") else f"git+{remote}"
    if facts.get("tree"):
        found["digest"]["gitTree"] = facts["tree"]
    found["annotations"] = {"branch": facts.get("branch"), "uncommittedChanges": bool(facts.get("dirty"))}
    return [found]


def _data(chain: Chain) -> list[dict[str, Any]]:
    found = []
    for record, step in zip(chain.inputs, (step for step in chain.steps if step.name == "data"), strict=False):
        kind = step.facts.get("kind") or "digest"
        one: dict[str, Any] = {"name": record.name}
        if record.digest:
            one["digest"] = {("dirHash" if record.digest.endswith(".dir") else kind): record.digest}
        one["annotations"] = {"context": record.context, "state": step.facts.get("state")}
        found.append(one)
    return found


def _packages(record: Any) -> list[dict[str, Any]]:
    packages = record.environment.packages if record.environment is not None else {}
    return [{"uri": f"pkg:pypi/{name.lower().replace('_', '-')}@{version}"} for name, version in packages.items()]


def _quoted(host: str) -> str:
    from urllib.parse import quote

    return quote(host or "unknown", safe="")


def _number(value: float) -> float | str:
    """JSON has no NaN and no infinity."""
    return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124


def _ledgit() -> str:
    from ledgit._version import __version__

    return __version__
