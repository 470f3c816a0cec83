"""A report as a comment of a pull request: one comment, made once and kept up to date, on GitHub or GitLab.

The comment is found again by its hidden marker. What the host refuses never decides about the gate: a fork's token
may not write, a host may be down. Then the report stays in the job's summary, and why is said.

API: GitHub's REST "issue comments" (version 2022-11-28), GitLab's "notes" of merge requests (v4).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ledgit.errors import UsageError

__all__ = ["Place", "Posted", "post"]

_TIMEOUT = 15.0
# Waits before another try where the host is busy; then it is left.
_WAITS = (1.0, 3.0)
_PAGES = 30
_PER_PAGE = 100
_LARGEST_ANSWER = 32 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where the comment goes.

    Attributes:
        host: ``github`` or ``gitlab``.
        api: The API's address, ``https://api.github.com`` or ``https://gitlab.com/api/v4``.
        project: ``owner/name``, or GitLab's number of the project.
        number: Of the pull request.
        token: What is sent as the credential; it is in no message.
        job_token: It is GitLab's ``CI_JOB_TOKEN``.
    """

    host: Literal["github", "gitlab"]
    api: str
    project: str
    number: int
    token: str
    job_token: bool = False

    def __repr__(self) -> str:
        return f"Place({self.host}, {self.project}, {self.number})"


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it.

    Attributes:
        done: ``created``, ``updated``, ``unchanged``, ``skipped`` or ``refused``.
        address: Of the comment, for people; "" where there is none.
        reason: Why it was refused or skipped.
    """

    done: Literal["created", "updated", "unchanged", "skipped", "refused"]
    address: str = ""
    reason: str = ""


class _RefusedError(Exception):
    """The host said no, or nothing."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason


def post(
    place: Place, body: str, marker: str, *, only_update: bool = False, timeout: float = _TIMEOUT, patience: float = 1.0
) -> Posted:
    """Create the comment, or update the one that has *marker*.

    Args:
        place: Where.
        body: Markdown with the marker in it.
        marker: The hidden line.
        only_update: Don't create one: nothing changed that is worth a message.
        timeout: Seconds to wait for an answer.
        patience: What waits between tries are multiplied by; 0 for none.

    Raises:
        UsageError: The address is no http address, or the body lacks its marker.
    """
    if marker not in body:
        raise UsageError("the report has no marker, so a later one could not find it")
    if not place.api.startswith(("https://", "http://")):
        raise UsageError(f"{place.api!r} is no address of an API; it begins with https://")
    session = _Session(place, timeout, patience)
    try:
        found = session.find(marker)
        if found is None and only_update:
            return Posted("skipped", reason="nothing changed, and there is no earlier report to bring up to date")
        if found is not None and _same(str(found.get("body", "")), body):
            return Posted("unchanged", session.address(found))
        return session.write(found, body, marker)
    except _RefusedError as error:
        return Posted("refused", reason=error.reason)


def _same(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


class _Session:
    def __init__(self, place: Place, timeout: float, patience: float) -> None:
        from urllib.parse import quote

        # A secret that was pasted often ends in a line break, which no header may have.
        place = replace(place, token=place.token.strip())
        self.place, self.timeout, self.patience = place, timeout, patience
        self._user: int | None = None
        base = place.api.rstrip("/")
        if place.host == "github":
            self.repository = f"{base}/repos/{quote(place.project)}"
            self.comments = f"{self.repository}/issues/{place.number}/comments"
        else:
            self.repository = f"{base}/projects/{quote(place.project, safe='')}"
            self.comments = f"{self.repository}/merge_requests/{place.number}/notes"

    def find(self, marker: str) -> Mapping[str, Any] | None:
        """Return our oldest comment that begins with *marker*: neither an answer that quotes it nor another's."""
        for page in range(1, _PAGES + 1):
            rows = self.ask("GET", f"{self.comments}?per_page={_PER_PAGE}&page={page}&sort=asc&order_by=created_at")
            if not isinstance(rows, list):
                raise _RefusedError(0, f"{self._host} answered with no list of comments")
            for row in rows:
                if isinstance(row, dict) and str(row.get("body", "")).lstrip().startswith(marker) and self._ours(row):
                    return row
            if len(rows) < _PER_PAGE:
                return None
        return None

    def _ours(self, row: Mapping[str, Any]) -> bool:
        """Whether this token's user wrote the comment: anybody may write one that begins like a report.

        A job's own token (GitHub's GITHUB_TOKEN, GitLab's CI_JOB_TOKEN) may not ask who it is. On GitHub its comments
        are a bot's, which no person's is; where nothing tells, the marker has to do.
        """
        author = row.get("user" if self.place.host == "github" else "author")
        if not isinstance(author, dict) or author.get("id") is None:
            return True
        if self._user is None:
            self._user = self._who()
        if self._user:
            return bool(author["id"] == self._user)
        return self.place.host != "github" or author.get("type", "Bot") == "Bot"

    def _who(self) -> int:
        """Return the id of the token's user; 0 where the host does not say."""
        try:
            found = self.ask("GET", f"{self.place.api.rstrip('/')}/user")
        except _RefusedError:
            return 0
        number = found.get("id") if isinstance(found, dict) else None
        return number if isinstance(number, int) else 0

    def create(self, body: str, marker: str) -> Any:
        """Make the comment. Where no answer came it may have been made all the same: that is looked up."""
        for wait in (*_WAITS, None):
            try:
                return self._once("POST", self.comments, {"body": body})
            except _RefusedError as error:
                if wait is None or not (error.status >= 500 or error.status in (0, 429)):
                    raise
            time.sleep(wait * self.patience)
            made = self.find(marker)
            if made is not None and _same(str(made.get("body", "")), body):
                return made
        raise AssertionError

    def write(self, found: Mapping[str, Any] | None, body: str, marker: str) -> Posted:
        if found is None:
            return Posted("created", self.address(self.create(body, marker)))
        method = "PATCH" if self.place.host == "github" else "PUT"
        address = (
            f"{self.repository}/issues/comments/{int(found['id'])}"
            if self.place.host == "github"
            else f"{self.comments}/{int(found['id'])}"
        )
        try:
            return Posted("updated", self.address(self.ask(method, address, {"body": body})))
        except _RefusedError as error:
            if error.status != 403:
                raise
        # Somebody else's comment (of another token): ours stands below it.
        return Posted("created", self.address(self.create(body, marker)))

    def address(self, row: Any) -> str:
        found = row.get("html_url") if isinstance(row, dict) else None
        return found if isinstance(found, str) else ""

    @property
    def _host(self) -> str:
        from urllib.parse import urlsplit

        return urlsplit(self.place.api).hostname or self.place.api

    def ask(self, method: str, address: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what the host answers; where it is busy, after another try."""
        for wait in (*_WAITS, None):
            try:
                return self._once(method, address, body)
            except _RefusedError as error:
                if wait is None or not (error.status >= 500 or error.status in (0, 429)):
                    raise
            time.sleep(wait * self.patience)
        raise AssertionError

    def _once(self, method: str, address: str, body: Mapping[str, Any] | None) -> Any:
        import json
        import urllib.error
        import urllib.request
        from http.client import HTTPException

        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data=data, method=method, headers=dict(self._headers()))  # noqa: S310 - checked
        try:
            with _opener().open(request, timeout=self.timeout) as answer:
                return json.loads(answer.read(_LARGEST_ANSWER) or b"null")
        except urllib.error.HTTPError as error:
            try:
                answer = error.read(4096)
            except (OSError, HTTPException):
                answer = b""
            raise _RefusedError(error.code, self._why(error.code, answer)) from None
        except (OSError, ValueError, HTTPException) as error:
            said = str(getattr(error, "reason", None) or error) or type(error).__name__
            raise _RefusedError(0, f"{self._host} could not be asked: {self._told(said)}") from None

    def _headers(self) -> Iterable[tuple[str, str]]:
        yield "Content-Type", "application/json"
        yield "User-Agent", "ledgit"
        if self.place.host == "github":
            yield "Accept", "application/vnd.github+json"
            yield "X-GitHub-Api-Version", "2022-11-28"
            yield "Authorization", f"Bearer {self.place.token}"
        else:
            yield ("JOB-TOKEN" if self.place.job_token else "PRIVATE-TOKEN"), self.place.token

    def _why(self, status: int, answer: bytes) -> str:
        import json

        try:
            said = json.loads(answer)
            message = str(said.get("message") or said.get("error") or "") if isinstance(said, dict) else ""
        except ValueError:
            message = ""
        words = {
            401: "does not accept the token",
            403: "does not let this token comment (a fork's may only read)",
            404: "has no such pull request, or the token may not see it",
            422: "did not take the report",
            429: "wants fewer requests",
        }
        what = words.get(status, f"answered {status}")
        told = self._told(message)
        return f"{self._host} {what}{': ' + told if told else ''}"

    def _told(self, message: str) -> str:
        """Return what a host or a library said, harmless and without the token: a log may be public."""
        from ledgit.records.harmless import clean, fit

        for spelled in {self.place.token, repr(self.place.token)[1:-1]} - {""}:  # as it is, and as Python quotes it
            message = message.replace(spelled, "***")
        return fit(clean(message), 200)


def _opener() -> Any:
    """Return what asks and follows no redirect: a token goes to the host it was given for, and nowhere else."""
    import urllib.request

    class Staying(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    return urllib.request.build_opener(Staying())
