"""Fetch and push move what they were told to move, and nothing of the user's takes part."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import GitFunction, run_git
from tests.sync.servers import Cable, cable, git_daemon, http_backend

from ledgit.errors import AccessDenied, NoRemote, RemoteError, Unreachable
from ledgit.git import Address, PushUpdate, Repo, address, fetch, list_refs, list_remote, push
from ledgit.git.transport_errors import remote_failure

LEDGER = "refs/ledgit/ledger"
SPEC = f"+{LEDGER}:refs/ledgit/incoming/ledger"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A bare repository to push to, below a folder of its own."""
    path = tmp_path / "hosts" / "runs.git"
    path.mkdir(parents=True)
    run_git(path, "init", "-q", "--bare")
    return path


@pytest.fixture(params=["file", "daemon", "http"])
def url(request: pytest.FixtureRequest, host: Path) -> Iterator[str]:
    """The same host over each transport."""
    if request.param == "file":
        yield str(host)
    elif request.param == "daemon":
        with git_daemon(host.parent) as base:
            yield f"{base}/runs.git"
    else:
        run_git(host, "config", "http.receivepack", "true")
        with http_backend(host.parent) as base:
            yield f"{base}/runs.git"


@pytest.fixture
def opened(repo: Path) -> Repo:
    return Repo.discover(str(repo))


def user_files(repo: Path) -> dict[str, bytes]:
    """What a fetch or push of the user's would touch."""
    git = repo / ".git"
    names = ["config", "FETCH_HEAD", "shallow", "HEAD", "index", "packed-refs", "ORIG_HEAD"]
    found = {name: (git / name).read_bytes() for name in names if (git / name).exists()}
    for path in [*(git / "logs").rglob("*"), *(git / "refs").rglob("*")]:
        if path.is_file() and "ledgit" not in path.parts:
            found[str(path)] = path.read_bytes()
    return found


def commit_on(repo: Path, message: str, *parents: str) -> str:
    tree = run_git(repo, "rev-parse", "HEAD^{tree}")
    return run_git(repo, "commit-tree", tree, "-m", message, *(word for p in parents for word in ("-p", p)))


def test_a_push_arrives_and_is_fetched(opened: Repo, repo: Path, host: Path, url: str) -> None:
    """Over every transport."""
    tip = commit_on(repo, "ledger")

    (result,) = push(opened, url, [PushUpdate(LEDGER, tip)])
    assert fetch(opened, url, [SPEC])

    assert result.ok
    assert {LEDGER: tip} == list_remote(opened, url, [LEDGER])
    assert {"refs/ledgit/incoming/ledger": tip} == list_refs(opened)


def test_losing_a_race_is_told_from_a_refusal(opened: Repo, repo: Path, host: Path, url: str) -> None:
    """Both leave the remote as it was."""
    theirs, ours = commit_on(repo, "theirs"), commit_on(repo, "ours")
    run_git(repo, "push", "-q", str(host), f"{theirs}:{LEDGER}")
    (lost,) = push(opened, url, [PushUpdate(LEDGER, ours)])
    hook(host, "pre-receive", 'echo "no runs on Sundays" >&2; exit 1')
    (refused,) = push(opened, url, [PushUpdate(LEDGER, commit_on(repo, "next", theirs))])

    assert ("stale", "refused") == (lost.status, refused.status)
    assert ("no runs on Sundays",) == refused.said
    assert "pre-receive hook declined: no runs on Sundays" == refused.explain()
    assert {LEDGER: theirs} == list_remote(opened, url, [LEDGER])


def test_an_atomic_push_is_all_or_nothing(opened: Repo, repo: Path, host: Path, url: str) -> None:
    """The ledger does not move without the inbox it took in."""
    hook(host, "update", "case $1 in */inbox/*) exit 1;; esac")
    updates = [PushUpdate(LEDGER, commit_on(repo, "a")), PushUpdate("refs/ledgit/inbox/1", commit_on(repo, "b"))]

    together = push(opened, url, updates)
    seen = list_remote(opened, url, ["refs/ledgit/*"])
    apart = push(opened, url, updates, atomic=False)

    assert ["stale", "refused"] == [result.status for result in together]
    assert {} == seen
    assert ["ok", "refused"] == [result.status for result in apart]


def test_a_host_that_cannot_push_atomically_gets_one_after_the_other(opened: Repo, repo: Path, host: Path) -> None:
    """In the order given, until one fails."""
    run_git(host, "config", "receive.advertiseAtomic", "false")
    tip = commit_on(repo, "a")
    hook(host, "update", "case $1 in */2) exit 1;; esac")
    updates = [PushUpdate(f"refs/ledgit/inbox/{n}", tip) for n in (1, 2, 3)]

    results = push(opened, str(host), updates)

    assert ["ok", "refused", "stale"] == [result.status for result in results]
    assert ["refs/ledgit/inbox/1"] == list(list_remote(opened, str(host)))


def test_a_lease_lets_a_root_in_only_over_the_tip_that_was_seen(opened: Repo, repo: Path, host: Path) -> None:
    first, second, root = (commit_on(repo, name) for name in ("first", "second", "root"))
    run_git(repo, "push", "-q", str(host), f"{second}:{LEDGER}")

    (lost,) = push(opened, str(host), [PushUpdate(LEDGER, root, force=first)])
    (created,) = push(opened, str(host), [PushUpdate(LEDGER, root, force="")])
    (moved,) = push(opened, str(host), [PushUpdate(LEDGER, root, force=second)])

    assert ["stale", "stale", "ok"] == [lost.status, created.status, moved.status]


def test_a_ref_that_is_not_there_is_no_error(opened: Repo, host: Path) -> None:
    assert not fetch(opened, str(host), [SPEC, "+refs/ledgit/inbox/*:refs/ledgit/incoming/inbox/*"], prune=True)
    assert fetch(opened, str(host), ["+refs/ledgit/inbox/*:refs/ledgit/incoming/inbox/*"], prune=True)


def test_nothing_of_the_users_changes_or_has_a_say(
    opened: Repo, repo: Path, host: Path, url: str, git: GitFunction, tmp_path: Path
) -> None:
    """Hooks that fail, settings that would push, prune, sign or fetch more."""
    git(repo, "tag", "-a", "-m", "v1", "v1")
    git(repo, "remote", "add", "origin", url)
    git(repo, "fetch", "-q", "origin")
    tip = commit_on(repo, "ledger", git(repo, "rev-parse", "HEAD"))
    git(repo, "push", "-q", str(host), f"{tip}:refs/tags/theirs")
    ran = tmp_path / "ran"
    for name in ("pre-push", "reference-transaction", "post-update", "pre-auto-gc", "post-index-change"):
        hook(repo / ".git", name, f"echo {name} >> {ran}; exit 1")
    for setting in (
        *("push.followTags true", "push.default matching", "push.gpgSign if-asked", "push.pushOption ci.skip"),
        *("remote.origin.mirror true", "remote.origin.push refs/heads/*:refs/heads/*", "remote.origin.tagOpt --tags"),
        *("fetch.prune true", "fetch.pruneTags true", "submodule.recurse true", "fetch.writeCommitGraph true"),
        *("core.logAllRefUpdates always", "gc.auto 1", "remote.origin.promisor true", "push.autoSetupRemote true"),
        *("remote.origin.partialclonefilter blob:none", "push.useForceIfIncludes true", "remote.pushDefault nowhere"),
        "push.recurseSubmodules on-demand",
    ):
        git(repo, "config", *setting.split(" "))
    opened = Repo.discover(str(repo))
    (repo / ".git" / "FETCH_HEAD").write_text("as it was\n")
    (repo / ".git" / "shallow").write_text("")
    before = user_files(repo)

    (result,) = push(opened, url, [PushUpdate(LEDGER, tip)])
    assert fetch(opened, url, [SPEC], prune=True)

    assert result.ok
    assert before == user_files(repo)
    assert {LEDGER, "refs/tags/theirs"} == set(list_remote(opened, url))
    assert not ran.exists()
    assert not (repo / ".git" / "logs" / "refs" / "ledgit").exists()


def test_progress_is_told_and_kept_out_of_messages(opened: Repo, repo: Path, host: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    (repo / "big").write_bytes(os.urandom(100_000))
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "big")
    hook(host, "pre-receive", 'echo "Receiving: 3 of 4 (not progress)" >&2; exit 1')

    (refused,) = push(
        opened,
        str(host),
        [PushUpdate(LEDGER, run_git(repo, "rev-parse", "HEAD"))],
        progress=lambda *what: told.append(what),
    )

    assert any(what == "Writing objects" and done == total for what, done, total in told)
    assert ("Receiving: 3 of 4 (not progress)",) == refused.said


@pytest.mark.parametrize(
    ("where", "kind", "text"),
    [
        ("http://127.0.0.1:1/runs.git", Unreachable, "can't be reached"),
        ("git://127.0.0.1:1/runs.git", Unreachable, "can't be reached"),
        ("ssh://127.0.0.1:1/runs.git", Unreachable, "can't be reached"),
        ("/nowhere/at/all.git", RemoteError, "no such repository"),
    ],
)
def test_what_is_wrong_with_an_address_is_one_sentence(
    opened: Repo, where: str, kind: type[RemoteError], text: str
) -> None:
    for call in (
        lambda: fetch(opened, where, [SPEC]),
        lambda: push(opened, where, [PushUpdate(LEDGER, run_git(Path(opened.git_dir), "rev-parse", "HEAD"))]),
        lambda: list_remote(opened, where),
    ):
        with pytest.raises(kind, match=text) as caught:
            call()
        assert kind is type(caught.value)
        assert "\n" not in str(caught.value)


def test_a_repository_that_a_host_does_not_have_is_named(opened: Repo, host: Path) -> None:
    run_git(host, "config", "http.receivepack", "true")
    with git_daemon(host.parent) as daemon, http_backend(host.parent) as http:
        for base in (daemon, http):
            with pytest.raises(RemoteError, match=r"there is no such repository.*git remote -v"):
                fetch(opened, f"{base}/other.git", [SPEC])


def test_a_missing_password_is_told_without_asking(opened: Repo, host: Path) -> None:
    """Nothing waits for a terminal, and a password in the address is never shown."""
    with http_backend(host.parent, base64.b64encode(b"ada:secret").decode()) as base:
        with pytest.raises(AccessDenied, match="check that 'git fetch' works"):
            fetch(opened, f"{base}/runs.git", [SPEC])
        with pytest.raises(AccessDenied) as caught:
            fetch(opened, f"{base.replace('://', '://ada:wrong@')}/runs.git", [SPEC])
        assert "wrong" not in str(caught.value)
        assert not fetch(opened, f"{base.replace('://', '://ada:secret@')}/runs.git", [SPEC])


def test_credential_helpers_are_asked(opened: Repo, repo: Path, host: Path) -> None:
    run_git(repo, "config", "credential.helper", "!f() { echo username=ada; echo password=secret; }; f")
    with http_backend(host.parent, base64.b64encode(b"ada:secret").decode()) as base:
        assert not fetch(opened, f"{base}/runs.git", [SPEC])


@pytest.fixture
def wire(host: Path) -> Iterator[tuple[str, Cable]]:
    with git_daemon(host.parent) as base, cable(f"{base}/runs.git") as found:
        yield found


def test_a_line_cut_in_the_middle_leaves_all_as_it_was(
    opened: Repo, repo: Path, host: Path, wire: tuple[str, Cable]
) -> None:
    """Wherever it is cut; the same call a moment later does it."""
    url, line = wire
    (repo / "big").write_bytes(os.urandom(50_000))
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "big")
    tip = run_git(repo, "rev-parse", "HEAD")
    for limit in (10, 300, 5_000, 45_000):
        line.cut_after(limit)
        with pytest.raises(Unreachable, match="nothing is lost"):
            push(opened, url, [PushUpdate(LEDGER, tip)])
        assert "" == run_git(host, "for-each-ref")
    line.cut_after(None)
    (done,) = push(opened, url, [PushUpdate(LEDGER, tip)])
    other = Repo.discover(str(clone_without_runs(repo)))
    for limit in (10, 300, 5_000, 45_000):
        line.cut_after(limit)
        with pytest.raises(Unreachable, match="nothing is lost"):
            fetch(other, url, [SPEC])
        assert {} == list_refs(other)
    line.cut_after(None)

    assert done.ok
    assert fetch(other, url, [SPEC])
    assert {"refs/ledgit/incoming/ledger": tip} == list_refs(other)


def clone_without_runs(repo: Path) -> Path:
    other = repo.parent / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    return other


def test_ctrl_c_ends_git_too(opened: Repo, repo: Path, host: Path, tmp_path: Path) -> None:
    """No git process stays behind, and the exception is the interrupt itself."""
    hook(host, "pre-receive", f"echo $PPID > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 100")
    script = (
        "import sys; from ledgit.git import *\n"
        "repo = Repo.discover(sys.argv[1])\n"
        "try:\n    push(repo, sys.argv[2], [PushUpdate('refs/ledgit/ledger', sys.argv[3])])\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    tip = run_git(repo, "rev-parse", "HEAD")
    child = subprocess.Popen([sys.executable, "-c", script, str(repo), str(host), tip], stdout=subprocess.PIPE)
    while not (tmp_path / "pid").exists() and child.poll() is None:
        pass
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)

    assert b"interrupted\n" == out
    assert "" == run_git(host, "for-each-ref")


def test_a_remote_is_reached_as_git_would(opened: Repo, repo: Path, host: Path, git: GitFunction) -> None:
    """insteadOf, pushurl, proxy and helper programs are heeded."""
    git(repo, "remote", "add", "team/runs", "team:runs.git")
    git(repo, "config", f"url.{host.parent}/.insteadOf", "team:")
    git(repo, "config", "remote.team/runs.pushurl", "git@example.org:runs.git")
    git(repo, "config", "remote.team/runs.proxy", "http://127.0.0.1:3128")
    git(repo, "config", "remote.team/runs.receivepack", "/opt/git-receive-pack")

    found = address(Repo.discover(str(repo)), "team/runs")

    assert (str(host), "git@example.org:runs.git") == (found.url, found.push_url)
    assert ("-c", "http.proxy=http://127.0.0.1:3128") == found.settings()
    assert ("", "/opt/git-receive-pack") == found.programs
    assert not fetch(opened, found, [SPEC])


def test_an_address_is_taken_as_it_is_and_a_wrong_name_refused(opened: Repo, host: Path) -> None:
    assert "https://example.org/a.git" == address(opened, "https://ada:pw@example.org/a.git").shown
    assert "git@example.org:a.git" == Address("git@example.org:a.git").shown
    for wrong in ("upstrem", "--upload-pack=touch x", ""):
        with pytest.raises(NoRemote):
            address(opened, wrong)


def test_a_relative_path_begins_at_the_top_of_the_work_tree(repo: Path, host: Path) -> None:
    (repo / "deep").mkdir()
    below = Repo.discover(str(repo / "deep"))

    assert not fetch(below, address(below, os.path.relpath(host, repo)), [SPEC])


def hook(git_dir: Path, name: str, script: str) -> None:
    path = git_dir / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "said",
    [
        "ERROR: Permission to team/runs.git denied to ada.\nfatal: Could not read from remote repository.",
        "ERROR: The key you are authenticating with has been marked as read only.",
        "remote: You are not allowed to push code to this project.\nfatal: Could not read from remote repository.",
        "fatal: remote error: access denied or repository not exported: /runs.git",
    ],
)
def test_not_being_allowed_to_push_is_neither_a_broken_connection_nor_a_missing_repository(said: str) -> None:
    error = remote_failure("host:team/runs.git", "push", said)

    assert AccessDenied is type(error)
    assert "check that 'git push' works there" in str(error)


def test_a_host_that_talks_for_ever_fills_no_memory() -> None:
    """Neither with lines nor with one line; what git itself says last is kept."""
    from ledgit.git.progress import Lines

    lines = Lines(None)
    for _ in range(1000):
        lines.feed(b"remote: " + b"x" * 5000 + b"\n")
        lines.feed(b"y" * 5000)
    lines.feed(b"\nfatal: the end\n")

    text = lines.text()

    assert len(text) < 200_000
    assert text.endswith("fatal: the end")
