"""A server of MLflow's, asked by its REST API: plain HTTP and JSON, without MLflow's client.

The client would take a second to import, 80 MB of memory and an extra, for some twelve calls that have been the same
since MLflow 2. Only GET and POST of searches are sent: nothing is written.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import math
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ledgit.errors import AccessDenied, LedgitError, RemoteError, Unreachable, UnsafePath
from ledgit.importing.found import (
    FoundExperiment,
    FoundInput,
    FoundLogged,
    FoundModel,
    FoundRun,
    FoundVersion,
    Source,
)
from ledgit.importing.places import shown

__all__ = ["RestSource"]

_PAGE = 1_000
_POINTS = 25_000
_LARGEST_ANSWER = 512 << 20
_DEEPEST = 32
_SECONDS = 60


class RestSource(Source):
    """A server.

    Args:
        address: ``https://host:port/prefix``.
        login: User and password; with an empty user the second is a token.

    Raises:
        Unreachable, AccessDenied, RemoteError: It does not answer, or not this caller, or is none of MLflow's.
    """

    def __init__(self, address: str, login: tuple[str, str] = ("", "")) -> None:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        if "@" in parts.netloc and not any(login):
            from urllib.parse import unquote

            user, _, password = parts.netloc.rpartition("@")[0].partition(":")
            login = unquote(user), unquote(password)
        self._base = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._headers = {"Accept": "application/json", "User-Agent": "ledgit"}
        if login[0]:
            pair = base64.b64encode(f"{login[0]}:{login[1]}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"
        elif login[1]:
            self._headers["Authorization"] = f"Bearer {login[1]}"
        self._opener = urllib.request.build_opener(_Stay())
        self._scratch = TemporaryDirectory(prefix="ledgit-")
        try:
            self._experiments = list(self._pages("POST", "experiments/search", {"view_type": "ALL"}, "experiments"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove what was downloaded."""
        self._scratch.cleanup()

    def experiments(self) -> list[FoundExperiment]:
        """Return all experiments."""
        return [
            FoundExperiment(
                str(one.get("experiment_id")),
                str(one.get("name")),
                _pairs(one.get("tags")),
                one.get("lifecycle_stage") == "deleted",
            )
            for one in self._experiments
        ]

    def count(self) -> int:
        """Return 0: a server does not count its runs."""
        return 0

    def left(self) -> list[str]:
        """Return what is not brought along."""
        return ["traces and assessments, if it has any"]

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs of one experiment after the other, without histories and files."""
        for experiment in self._experiments:
            asked = {
                "experiment_ids": [str(experiment.get("experiment_id"))],
                "run_view_type": "ALL",
                "order_by": ["attributes.start_time ASC"],
            }
            for run in self._pages("POST", "runs/search", asked, "runs"):
                yield self._run(run, str(experiment.get("name")))

    def _run(self, run: dict[str, Any], experiment: str) -> FoundRun:
        info, data = _mapping(run.get("info")), _mapping(run.get("data"))
        found = FoundRun(
            id=str(info.get("run_id") or info.get("run_uuid") or ""),
            experiment=experiment,
            name=str(info.get("run_name") or ""),
            status=str(info.get("status") or "FINISHED"),
            start=_integer(info.get("start_time")),
            end=_integer(info.get("end_time")),
            user=str(info.get("user_id") or ""),
            deleted=info.get("lifecycle_stage") == "deleted",
            params=_pairs(data.get("params")),
            tags=_pairs(data.get("tags")),
            artifact_uri=str(info.get("artifact_uri") or ""),
        )
        for metric in map(_mapping, data.get("metrics") or ()):
            found.points[str(metric.get("key"))] = [_point(metric)]
        for one in map(_mapping, _mapping(run.get("inputs")).get("dataset_inputs") or ()):
            about, tags = _mapping(one.get("dataset")), _pairs(one.get("tags"))
            context = tags.pop("mlflow.data.context", "")
            name, digest, kind, source, schema, profile = (
                str(about.get(key) or "") for key in ("name", "digest", "source_type", "source", "schema", "profile")
            )
            found.inputs.append(FoundInput(name, digest, kind, source, schema, profile, context, tags))
        return found

    def complete(self, run: FoundRun) -> None:
        """Get all points and files of a run."""
        for name in run.points:
            asked = {"run_id": run.id, "metric_key": name, "max_results": _POINTS}
            points = list(map(_point, self._pages("GET", "metrics/get-history", asked, "metrics")))
            run.points[name] = points or run.points[name]
        folder = os.path.join(self._scratch.name, "files")
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        try:
            got = self._files(folder, lambda path: self._listed(run.id, path), lambda path: self._file(run.id, path))
        except RemoteError:  # no access to the files' own place, which is said
            return
        if got:
            run.artifacts = folder
        run.artifact_uri = ""

    def _listed(self, run_id: str, path: str) -> list[dict[str, Any]]:
        asked = {"run_id": run_id, **({"path": path} if path else {})}
        return list(self._pages("GET", "artifacts/list", asked, "files"))

    def _file(self, run_id: str, path: str) -> str:
        return f"/get-artifact?{urlencode({'run_uuid': run_id, 'path': path})}"

    def logged(self) -> list[FoundLogged]:
        """Return the logged models, with their files."""
        names = {str(one.get("experiment_id")): str(one.get("name")) for one in self._experiments}
        asked = {"experiment_ids": list(names)}
        found = []
        try:
            models = list(self._pages("POST", "logged-models/search", asked, "models", most=50))
        except RemoteError:  # a server of MLflow 2 has none
            return []
        for model in models:
            info, data = _mapping(model.get("info")), _mapping(model.get("data"))
            one = FoundLogged(
                str(info.get("model_id")),
                str(info.get("name") or ""),
                str(info.get("source_run_id") or ""),
                names.get(str(info.get("experiment_id")), "Default"),
                uri=str(info.get("artifact_uri") or ""),
            )
            one.about = {
                "created": _integer(info.get("creation_timestamp_ms")),
                "updated": _integer(info.get("last_updated_timestamp_ms")),
                "status": info.get("status"),
                "model_type": info.get("model_type") or "",
                "params": _pairs(data.get("params")),
                "tags": _pairs(info.get("tags")),
                "metrics": data.get("metrics") or [],
            }
            self._files_of(one)
            found.append(one)
        return found

    def _files_of(self, one: FoundLogged) -> None:
        place = f"/ajax-api/2.0/mlflow/logged-models/{quote(one.id, safe='')}/artifacts"
        folder = os.path.join(self._scratch.name, "logged", one.id) if one.id.startswith("m-") else ""
        if not folder or not one.id.removeprefix("m-").isalnum():
            return

        def listed(path: str) -> list[dict[str, Any]]:
            asked = {"artifact_directory_path": path} if path else {}
            return list(self._pages("GET", f"{place}/directories", asked, "files"))

        with contextlib.suppress(RemoteError):
            if self._files(folder, listed, lambda path: f"{place}/files?{urlencode({'artifact_file_path': path})}"):
                one.folder = folder

    def models(self) -> list[FoundModel]:
        """Return the registered models with their versions; a server tells nothing of deleted ones."""
        found: dict[str, FoundModel] = {}
        for model in self._pages("GET", "registered-models/search", {}, "registered_models"):
            one = FoundModel(
                str(model.get("name")),
                str(model.get("description") or ""),
                _integer(model.get("creation_timestamp")),
                _pairs(model.get("tags")),
            )
            for alias in map(_mapping, model.get("aliases") or ()):
                one.aliases[str(alias.get("alias"))] = int(alias.get("version") or 0)
            found[one.name] = one
        for version in self._pages("GET", "model-versions/search", {}, "model_versions"):
            name = str(version.get("name"))
            if name not in found or not str(version.get("version")).isdecimal():
                continue
            found[name].versions.append(
                FoundVersion.of(
                    version,
                    _pairs(version.get("tags")),
                    _integer(version.get("creation_timestamp")),
                    _integer(version.get("last_updated_timestamp")),
                )
            )
        for one in found.values():
            one.versions.sort(key=lambda version: version.number)
        return list(found.values())

    # ------------------------------------------------------------------ asking

    def _files(self, folder: str, listed: Any, place: Any, path: str = "", depth: int = 0) -> int:
        """Download files below *path*; return how many. Their names are a stranger's: none leaves *folder*."""
        from ledgit.records import check_artifact_path

        count = 0
        for one in listed(path) if depth < _DEEPEST else ():
            name = str(one.get("path") or "")
            try:
                inside = check_artifact_path(name)
            except LedgitError as error:
                raise UnsafePath(self._base, f"names a file {name[:60]!r}: {error}") from None
            if one.get("is_dir"):
                if path and not name.startswith(f"{path}/"):
                    continue
                count += self._files(folder, listed, place, name, depth + 1)
                continue
            target = os.path.join(folder, *inside.split("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with self._open("GET", place(name)) as answer, open(target, "wb") as file:
                while data := answer.read(1 << 20):
                    file.write(data)
            count += 1
        return count

    def _pages(
        self, method: str, call: str, asked: dict[str, Any], key: str, most: int = _PAGE
    ) -> Iterator[dict[str, Any]]:
        token: str | None = None
        seen: set[str] = set()
        while True:
            now = {"max_results": most, **asked, **({"page_token": token} if token else {})}
            if key == "files":
                now.pop("max_results")
            path = call if call.startswith("/") else f"/api/2.0/mlflow/{call}"
            if method == "GET" and now:
                path += f"?{urlencode(now)}"
            with self._open(method, path, now if method == "POST" else None) as answer:
                data = answer.read(_LARGEST_ANSWER)
            try:
                found = json.loads(data)
            except (ValueError, RecursionError):
                raise RemoteError(
                    shown(self._base), f"its answer to {call} is no JSON: no server of MLflow's"
                ) from None
            if not isinstance(found, dict):
                raise RemoteError(shown(self._base), f"its answer to {call} is no object: no server of MLflow's")
            yield from map(_mapping, found.get(key) or ())
            token = found.get("next_page_token")
            if not token or token in seen:
                return
            seen.add(token)

    def _open(self, method: str, path: str, body: dict[str, Any] | None = None) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        headers = dict(self._headers)
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._base + path, data, headers, method=method)  # noqa: S310 - http, https
        where = shown(self._base)
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=_SECONDS)
        except urllib.error.HTTPError as error:
            said = _message(error)
            if error.code in (401, 403):
                raise AccessDenied(
                    where, said or "wants a login: MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN"
                ) from None
            raise RemoteError(where, f"answers {error.code} to {path.partition('?')[0]}: {said}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unreachable(where, str(reason)) from None
        return answer


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect to another host would hand it the login."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Follow within the host alone."""
        if urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            raise urllib.error.HTTPError(req.full_url, code, f"sends to {shown(newurl)}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _message(error: urllib.error.HTTPError) -> str:
    try:
        found = json.loads(error.read(65_536))
        return str(found.get("message", ""))[:300] if isinstance(found, dict) else ""
    except (ValueError, OSError, RecursionError):
        return str(error.reason)[:300]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _pairs(value: Any) -> dict[str, str]:
    return {str(one.get("key")): str(one.get("value") or "") for one in map(_mapping, value or ())}


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _point(metric: dict[str, Any]) -> tuple[int, int, float]:
    try:
        value = float(metric.get("value", math.nan))
    except (TypeError, ValueError):
        value = math.nan
    huge = abs(value) >= 1.7976931348623157e308
    number = math.copysign(math.inf, value) if huge else value
    return _integer(metric.get("step")) or 0, _integer(metric.get("timestamp")) or 0, number
