"""Comments on a small server that speaks both hosts' APIs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.review.hosts import GARBAGE, LOST, Host

from ledgit.errors import UsageError
from ledgit.review.comments import Place, Posted, post

MARKER = "<!-- ledgit-report: churn -->"


@pytest.fixture(params=["github", "gitlab"])
def place(request: pytest.FixtureRequest, host: Host) -> Place:
    return Place(request.param, host.address, "team/churn", 7, "t0ken-secret")


def send(place: Place, text: str = "better", **given: Any) -> Posted:
    return post(place, f"{MARKER}\n{text}", MARKER, patience=0, timeout=5, **given)


def test_one_comment_is_made_and_kept_up_to_date(host: Host, place: Place) -> None:
    """Among those of others, on whatever page; the same report again asks for no notification."""
    host.comments = [{"id": n + 1, "body": f"> {MARKER} quoted"} for n in range(150)]

    first, again, third = send(place), send(place), send(place, "worse")

    assert [one.done for one in (first, again, third)] == ["created", "unchanged", "updated"]
    assert first.address == third.address
    assert len(host.comments) == 151
    assert host.comments[-1]["body"] == f"{MARKER}\nworse"


def test_two_projects_have_a_comment_each(host: Host, place: Place) -> None:
    """The jobs of a monorepo don't overwrite each other."""
    send(place)
    other = "<!-- ledgit-report: fraud -->"

    assert post(place, f"{other}\nx", other).done == "created"
    assert len(host.comments) == 2


def test_nothing_new_makes_no_noise(host: Host, place: Place) -> None:
    """A report that says nothing is only written over an earlier one."""
    assert send(place, only_update=True).done == "skipped"
    send(place)
    assert send(place, "the same", only_update=True).done == "updated"


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_host_that_refuses_is_quoted_and_never_asked_twice(host: Host, place: Place, status: int) -> None:
    """One sentence, without the token."""
    host.refuse = [("POST", status)]

    found = send(place)

    assert found.done == "refused"
    assert found.reason.startswith("127.0.0.1")
    assert "t0ken-secret" not in found.reason
    assert sum(method == "POST" for method, _, _ in host.seen) == 1


@pytest.mark.parametrize("status", [500, 503, 429, 0, GARBAGE])
def test_a_busy_host_is_asked_again(host: Host, place: Place, status: int) -> None:
    """Twice; a connection that is cut off counts as busy. Then it is left."""
    host.refuse = [("GET", status)] * 2
    assert send(place).done == "created"

    host.refuse = [("GET", status)] * 3
    assert send(place).done == "refused"


def test_a_host_that_never_answers_is_left(place: Place) -> None:
    """A port that nobody listens on, and one that accepts and says nothing."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        nowhere = Place(place.host, f"http://127.0.0.1:{silent.getsockname()[1]}", "team/churn", 7, "t")
        found = post(nowhere, MARKER, MARKER, timeout=0.2, patience=0)

    assert found.done == "refused"
    assert "could not be asked" in found.reason


def test_anothers_comment_is_left_and_ours_made(host: Host) -> None:
    """A report that another token wrote can't be edited by this one."""
    place = Place("github", host.address, "team/churn", 7, "t")
    host.comments = [{"id": 1, "body": MARKER}]
    host.refuse = [("PATCH", 403)]

    assert send(place).done == "created"
    assert len(host.comments) == 2


def test_a_token_goes_nowhere_else(host: Host, place: Place) -> None:
    """A redirect is an answer like another, and not followed."""
    host.refuse = [("GET", 302)]

    assert send(place).done == "refused"
    assert not any("stolen" in path for _, path, _ in host.seen)


def test_what_can_not_be_posted_is_refused(place: Place) -> None:
    """Without a marker, or to what is no address."""
    with pytest.raises(UsageError, match="marker"):
        post(place, "x", MARKER)
    with pytest.raises(UsageError, match="https"):
        post(Place("github", "file:///etc", "a/b", 1, "t"), MARKER, MARKER)


def test_a_comment_whose_answer_was_lost_is_not_made_twice(host: Host, place: Place) -> None:
    """A host may do what it was asked and be cut off before it says so."""
    host.refuse = [("POST", LOST)]

    assert send(place).done == "created"
    assert len(host.comments) == 1


def test_a_token_with_a_line_break_is_used_without_and_a_broken_one_is_in_no_message(host: Host) -> None:
    """Secrets are pasted; what can't be sent is not shown instead."""
    assert send(Place("github", host.address, "team/churn", 7, "t0ken-secret\n")).done == "created"
    assert host.seen[-1][2]["Authorization"] == "Bearer t0ken-secret"

    found = send(Place("github", host.address, "team/churn", 7, "t0ken\nsecret"))

    assert found.done == "refused"
    assert "secret" not in found.reason


@pytest.mark.parametrize("asks", [True, False], ids=["a person's token", "a job's own token"])
def test_a_comment_that_somebody_else_begins_with_our_marker_is_left_alone(
    host: Host, place: Place, asks: bool
) -> None:
    """The marker is in every report's source for anybody to copy; what says who wrote it is the host."""
    if not asks:
        place = Place("github", host.address, place.project, place.number, place.token)  # GitLab's may write no notes
    host.user = host.user if asks else None
    theirs = {"id": 99, "login": "mallory", "type": "User"}
    host.comments = [{"id": 1, "body": f"{MARKER}\nall is well", "user": theirs, "author": theirs}]

    assert [send(place).done, send(place, "worse").done] == ["created", "updated"]

    assert host.comments[0]["body"] == f"{MARKER}\nall is well"
    assert host.comments[1]["body"] == f"{MARKER}\nworse"
