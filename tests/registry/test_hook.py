"""The policy on a server: real pushes to a real bare repository with the hook."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun, Server
from tests.registry.keys import allow, make_ssh_key, sign_with_ssh

import ledgit
from ledgit.errors import UsageError
from ledgit.registry import Registry
from ledgit.registry.receiving import parse_updates

MakeServer = Callable[[], Server]
WritePolicy = Callable[[str], None]
CLAIM = "refs/ledgit/versions/churn/1"


def share_runs(cli: Cli) -> None:
    """Push the runs alone: no policy is about them."""
    cli("push", "--no-artifacts")


def test_pushes_that_touch_no_tag_of_the_registry_need_no_ledgit(
    repo: Path, server: MakeServer, git: GitFunction
) -> None:
    """Branches and releases pass even where it is not installed."""
    there = server()
    git(repo, "tag", "v1.0.0")
    git(repo, "tag", "release@2026")

    done = there.push("HEAD:refs/heads/new", "refs/tags/v1.0.0", LEDGIT="/nowhere/ledgit")

    assert done.returncode == 0, done.stderr


def test_without_ledgit_on_the_server_nothing_of_the_registry_is_let_in(
    repo: Path, server: MakeServer, make_run: MakeRun, registry: Registry
) -> None:
    """It fails closed, and says whom to ask."""
    there = server()
    registry.register(make_run(), "churn")

    done = there.push("refs/tags/churn@v0.0.1", CLAIM, LEDGIT="/nowhere/ledgit")

    assert done.returncode != 0
    assert "there is no '/nowhere/ledgit' on this server" in done.stderr
    assert [] == there.refs()


def test_what_the_registry_makes_is_let_in(server: MakeServer, make_run: MakeRun, registry: Registry, cli: Cli) -> None:
    """Version and claim together, then the promotion, then what takes both back."""
    there = server()
    run = make_run()
    share_runs(cli)
    registry.register(run, "churn")
    registry.promote("churn@1", "prod")

    for refs in (("refs/tags/churn@v0.0.1", CLAIM), ("refs/tags/churn#prod#1",)):
        done = there.push("--atomic", *refs)
        assert done.returncode == 0 or "up to date" in done.stderr, done.stderr
    registry.unassign("churn", "prod")
    registry.deregister("churn@1")
    for ref in ("refs/tags/churn#prod!#2", "refs/tags/churn@v0.0.1!"):
        done = there.push(ref)
        assert done.returncode == 0, done.stderr

    assert 4 == len(there.refs())


def test_a_version_without_its_claim_is_refused(server: MakeServer, make_run: MakeRun, registry: Registry) -> None:
    """Else two clones could give out the same number."""
    there = server()
    registry.register(make_run(), "churn")
    done = there.push("refs/tags/churn@v0.0.1")
    assert "its number 1 is not its own: refs/ledgit/versions/churn/1 was not pushed with it" in done.stderr


def test_a_claim_without_its_version_is_refused(server: MakeServer, make_run: MakeRun, registry: Registry) -> None:
    """Nobody takes numbers for nothing."""
    there = server()
    registry.register(make_run(), "churn")

    done = there.push(CLAIM)
    other = there.push("refs/tags/churn@v0.0.1:refs/ledgit/versions/churn/7", "refs/tags/churn@v0.0.1")
    code = there.push("HEAD:refs/ledgit/versions/churn/7")

    assert "is not pushed with it" in done.stderr
    assert "which has another" in other.stderr
    assert "for what is no version" in code.stderr
    assert [] == there.refs("refs/ledgit/versions")


def pushed(there: Server, registry: Registry, run: str, cli: Cli) -> None:
    share_runs(cli)
    registry.register(run, "churn")
    there.push("--atomic", "refs/tags/churn@v0.0.1", CLAIM)
    assert ["refs/tags/churn@v0.0.1"] == there.refs()


def test_tags_and_claims_are_never_moved_nor_deleted(
    repo: Path, server: MakeServer, make_run: MakeRun, registry: Registry, cli: Cli, git: GitFunction
) -> None:
    """Not by force either."""
    there = server()
    pushed(there, registry, make_run(), cli)
    before = git(there.path, "rev-parse", "refs/tags/churn@v0.0.1")

    deleted = there.push(":refs/tags/churn@v0.0.1")
    unclaimed = there.push(f":{CLAIM}")
    moved = there.push("--force", "HEAD:refs/tags/churn@v0.0.1")
    reclaimed = there.push("--force", f"HEAD:{CLAIM}")

    assert "a tag of the registry is never deleted; 'ledgit registry deregister'" in deleted.stderr
    assert "a claim of a version's number is never deleted" in unclaimed.stderr
    assert "a tag of the registry is never moved" in moved.stderr
    assert "a claim of a version's number is never moved" in reclaimed.stderr
    assert before == git(there.path, "rev-parse", "refs/tags/churn@v0.0.1") == git(there.path, "rev-parse", CLAIM)


def test_forged_tags_are_refused(
    repo: Path, server: MakeServer, make_run: MakeRun, registry: Registry, cli: Cli, git: GitFunction
) -> None:
    """Each with what gives it away; the real one among them has to wait, because a push is one thing."""
    there = server()
    pushed(there, registry, make_run(), cli)
    registry.promote("churn@1", "prod")
    message = git(repo, "cat-file", "tag", "churn#prod#1").partition("\n\n")[2]
    registration = git(repo, "cat-file", "tag", "churn@v0.0.1").partition("\n\n")[2]
    commit, head = git(repo, "rev-parse", "churn@v0.0.1^{commit}"), git(repo, "rev-parse", "HEAD")

    def tag(name: str, text: str, target: str = commit) -> str:
        git(repo, "tag", "--cleanup=verbatim", "-am", text, name, target)
        return name

    git(repo, "tag", "churn#prod#11", commit)
    late = git(repo, "cat-file", "tag", "churn#prod#1").replace("churn#prod#1", "churn#prod#19")
    late = re.sub(r"> [0-9]+ ", "> 4102444800 ", late, count=1) + "\n"
    late_oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=late.encode())
    git(repo, "update-ref", "refs/tags/churn#prod#19", late_oid)
    git(repo, "update-ref", "refs/tags/churn#prod#12", git(repo, "rev-parse", "refs/tags/churn#prod#1"))
    forged = {
        "churn#prod#11": "it is a lightweight tag, so nothing says who made it and why",
        "churn#prod#19": "it says that it was made on 2100-01-01, which is yet to come",
        "churn#prod#12": "it is another tag's object: it calls itself 'churn#prod#1'",
        tag("churn#prod#13", "promote"): "its message is none of Ledgit's",
        tag("churn#prod#14", "ledgit: 1\nmodel: [\n"): "it looks like a tag of the registry, but",
        tag("churn#prod#15", message, head): "it does not point to where churn@v0.0.1 does",
        tag("churn#test#16", message): "its message is about the stage 'prod'",
        tag("churn#prod#1#17".replace("#1#", "#"), message.replace('"churn"', '"spam"')): "is about the model 'spam'",
        tag("spam#prod#1", message.replace('"churn"', '"spam"')): "version v0.0.1 of spam is not registered",
        tag("churn#test#1", message.replace('stage: "prod"', 'stage: "test"')): "its number 1 is taken by churn#prod#1",
        tag("churn@v0.0.2", registration.replace("v0.0.1", "v0.0.2"), head): "not the registration of churn@v0.0.2",
        tag("churn@v0.0.1#18", registration): "a version is registered once, and this would be again",
        tag("churn@v0.0.3", registration): "its message is about version 'v0.0.1'",
    }

    done = there.push(*(f"refs/tags/{name}" for name in (*forged, "churn#prod#1")))

    assert done.returncode != 0
    assert "Nothing of this push was let in." in done.stderr
    assert ["refs/tags/churn@v0.0.1"] == there.refs()
    lines = done.stderr.splitlines()
    for name, reason in forged.items():
        said = [line for line in lines if f"remote: {name}: " in line]
        assert any(reason in line for line in said), (name, said)


def test_a_deregistered_version_is_not_promoted(
    repo: Path, server: MakeServer, make_run: MakeRun, registry: Registry, cli: Cli
) -> None:
    """Somebody had not heard of it."""
    there = server()
    pushed(there, registry, make_run(), cli)
    registry.promote("churn@1", "prod")
    registry.unassign("churn", "prod")
    registry.deregister("churn@1")
    there.push("refs/tags/churn@v0.0.1!")

    done = there.push("refs/tags/churn#prod#1")

    assert "version v0.0.1 of churn was deregistered" in done.stderr


def test_what_was_promoted_taken_back_and_ended_comes_in_one_push(
    server: MakeServer, make_run: MakeRun, registry: Registry, cli: Cli
) -> None:
    """A clone that was offline for long brings all of it at once."""
    there = server()
    pushed(there, registry, make_run(), cli)
    registry.promote("churn@1", "prod")
    registry.unassign("churn", "prod")
    registry.deregister("churn@1")

    alone = there.push("refs/tags/churn#prod#1", "refs/tags/churn@v0.0.1!")
    done = there.push("refs/tags/churn#prod#1", "refs/tags/churn#prod!#2", "refs/tags/churn@v0.0.1!")

    assert "version v0.0.1 of churn was deregistered" in alone.stderr
    assert (0, 4) == (done.returncode, len(there.refs()))


# ---------------------------------------------------------------------- the policy

RELEASE = "- {stages: prod, who: '*@release.example.org'}"


def test_who_may_promote_is_what_the_default_branch_says_and_not_what_is_pushed(
    repo: Path,
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    git: GitFunction,
) -> None:
    """A push that brings its own policy along is judged by the one that is there."""
    policy(RELEASE)
    there = server()
    pushed(there, registry, make_run(), cli)
    policy("- {stages: prod, who: 'ada@example.org'}")
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")  # this clone knows of no other policy
    registry.promote("churn@1", "prod")

    done = there.push("HEAD:refs/heads/main", "refs/tags/churn#prod#1")
    branch = there.push("HEAD:refs/heads/main")
    again = there.push("refs/tags/churn#prod#1")

    assert "promoting churn@v0.0.1 to prod is for *@release.example.org" in done.stderr
    assert "rule 1 of registry.policy in .ledgit/config.yaml of HEAD" in done.stderr
    assert branch.returncode == 0
    assert again.returncode == 0, again.stderr


def test_a_run_that_fails_the_gate_is_not_promoted(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    git: GitFunction,
) -> None:
    """The server reads its own ledger."""
    policy("- {stages: prod, require: metrics.accuracy >= 0.9}")
    there = server()
    good, bad = make_run(0.95), make_run(0.5, weights="bad")
    share_runs(cli)
    registry.register(good, "churn")
    registry.register(bad, "churn")
    done = there.push("refs/tags/churn@v*", "refs/ledgit/versions/*:refs/ledgit/versions/*")
    assert done.returncode in (0, 1), done.stderr
    registry.promote("churn@1", "prod")
    (repo / ".ledgit" / "config.yaml").unlink()
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")
    registry.promote("churn@2", "prod")

    first, second = (there.push(f"refs/tags/churn#prod#{number}") for number in (1, 2))

    assert first.returncode == 0, first.stderr
    assert "needs metrics.accuracy >= 0.9, which does not hold for run" in second.stderr


def test_a_model_of_another_run_does_not_pass_under_a_good_one_s_name(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    git: GitFunction,
) -> None:
    """Tag, registration and the commit below it all name the good run; but it is not the good run's."""
    policy("- {events: register, require: metrics.accuracy >= 0.9}")
    there = server()
    good, bad = make_run(0.95), make_run(0.5, weights="bad")
    share_runs(cli)
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")
    (repo / ".ledgit" / "config.yaml").unlink()
    registry.register(bad, "churn")
    old = git(repo, "rev-parse", "churn@v0.0.1^{commit}")
    tree = git(repo, "rev-parse", f"{old}^{{tree}}")
    below = git(
        repo, "commit-tree", tree, stdin=git(repo, "log", "-1", "--format=%B", f"{old}^").replace(bad, good).encode()
    )
    above = git(repo, "log", "-1", "--format=%B", old).replace(bad, good).encode()
    new = git(repo, "commit-tree", tree, "-p", below, stdin=above)
    text = git(repo, "cat-file", "tag", "churn@v0.0.1").replace(bad, good).replace(old, new) + "\n"
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=text.encode())
    git(repo, "update-ref", "refs/tags/churn@v0.0.1", oid)
    git(repo, "update-ref", CLAIM, oid)

    done = there.push("--atomic", "refs/tags/churn@v0.0.1", CLAIM)

    assert done.returncode != 0
    assert f"the commit that was registered, {below[:8]}, is not one of run" in done.stderr
    assert "does not hold" not in done.stderr


def test_a_run_that_the_server_does_not_know_passes_no_gate(
    server: MakeServer, make_run: MakeRun, registry: Registry, policy: WritePolicy
) -> None:
    """Runs go first."""
    policy("- {events: register, require: metrics.accuracy >= 0.9}")
    there = server()
    registry.register(make_run(), "churn")

    done = there.push("--atomic", "refs/tags/churn@v0.0.1", CLAIM)

    assert "needs metrics.accuracy >= 0.9, and run" in done.stderr
    assert "is not known here" in done.stderr


def test_nobody_reviews_the_own_version(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    git: GitFunction,
) -> None:
    """Ada made it, so Bob may promote it, and Ada may not."""
    policy("- {stages: prod, reviewed: true}")
    there = server()
    pushed(there, registry, make_run(), cli)
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")
    (repo / ".ledgit" / "config.yaml").unlink()
    registry.promote("churn@1", "prod")
    own = there.push("refs/tags/churn#prod#1")
    git(repo, "config", "user.name", "Bob")
    git(repo, "config", "user.email", "bob@example.org")
    Registry(ledgit.open(repo)).promote("churn@1", "prod")

    other = there.push("refs/tags/churn#prod#2")

    assert "is for somebody else than who made the version, and Ada Lovelace <ada@example.org> did" in own.stderr
    assert other.returncode == 0, other.stderr


def test_a_forged_author_is_refused_where_signatures_are_required(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    tmp_path: Path,
    git: GitFunction,
) -> None:
    """Not signed, signed by a stranger, signed by Bob as Ada: none gets in, and Ada's own does."""
    policy("- {stages: prod, signed: true}")
    there = server()
    pushed(there, registry, make_run(), cli)
    ada, bob, eve = (make_ssh_key(tmp_path / "keys", name) for name in ("ada", "bob", "eve"))
    allow(there.path, tmp_path / "signers", ada=ada, bob=bob)
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")
    (repo / ".ledgit" / "config.yaml").unlink()
    registry.promote("churn@1", "prod")
    said = [there.push("refs/tags/churn#prod#1").stderr]
    for number, key in enumerate((eve, bob, ada), 2):
        sign_with_ssh(repo, key, all_tags=False)
        registry.promote("churn@1", "prod", sign=True)
        said.append(there.push(f"refs/tags/churn#prod#{number}").stderr)

    assert "needs a signed tag, and it is not signed" in said[0]
    assert "needs a signed tag, and it is signed by a key that nobody here vouches for" in said[1]
    assert "is signed by bob@example.org, and says that Ada Lovelace <ada@example.org> did it" in said[2]
    assert ["refs/tags/churn#prod#4", "refs/tags/churn@v0.0.1"] == there.refs()


def test_an_altered_signed_promotion_is_refused(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    tmp_path: Path,
    git: GitFunction,
) -> None:
    """The signature is of another promotion."""
    policy("- {stages: prod, signed: true}")
    there = server()
    pushed(there, registry, make_run(), cli)
    ada = make_ssh_key(tmp_path / "keys", "ada")
    allow(there.path, tmp_path / "signers", ada=ada)
    sign_with_ssh(repo, ada)
    registry.promote("churn@1", "test", sign=True)
    text = git(repo, "cat-file", "tag", "churn#test#1") + "\n"
    forged = text.replace("churn#test#1", "churn#prod#2").replace('stage: "test"', 'stage: "prod"')
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=forged.encode())
    git(repo, "update-ref", "refs/tags/churn#prod#2", oid)

    done = there.push("refs/tags/churn#prod#2")

    assert "has a signature that is not good" in done.stderr


def test_who_pushes_must_be_who_tagged_where_the_server_knows(
    server: MakeServer, make_run: MakeRun, registry: Registry
) -> None:
    """Gitea's variable, or one that the administrator sets."""
    there = server()
    registry.register(make_run(), "churn")
    refs = ("--atomic", "refs/tags/churn@v0.0.1", CLAIM)

    forged = there.push(*refs, GITEA_PUSHER_EMAIL="bob@example.org")
    own = there.push(*refs, LEDGIT_PUSHER="Ada@example.org")

    assert "it says that Ada Lovelace <ada@example.org> made it, and bob@example.org pushes it" in forged.stderr
    assert own.returncode == 0, own.stderr


def test_a_policy_that_nobody_can_read_lets_nothing_in(
    server: MakeServer, make_run: MakeRun, registry: Registry, repo: Path, git: GitFunction
) -> None:
    """A slip in a file must not open the door."""
    run = make_run()
    registry.register(run, "churn")
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text("registry:\n  polcy: []\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "a slip")
    there = server()

    done = there.push("refs/tags/churn@v0.0.1", CLAIM)

    assert "can't be read, so nothing is let in" in done.stderr
    assert "expected policy" in done.stderr


def test_a_server_whose_head_is_nowhere_lets_nothing_in(
    server: MakeServer, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """Else a repository that was made with another default branch would have no policy."""
    there = server()
    git(there.path, "symbolic-ref", "HEAD", "refs/heads/master")
    registry.register(make_run(), "churn")

    done = there.push("refs/tags/churn@v0.0.1", CLAIM)

    assert "git symbolic-ref HEAD refs/heads/main" in done.stderr


def test_an_unexpected_error_lets_nothing_in(server: MakeServer, make_run: MakeRun, registry: Registry) -> None:
    """Whatever it is: here the server's program ends as if it were killed."""
    there = server()
    registry.register(make_run(), "churn")
    there.program.write_text("#!/bin/sh\nkill -9 $$\n")

    assert there.push("refs/tags/churn@v0.0.1", CLAIM).returncode != 0
    assert [] == there.refs()


def test_a_ledgit_push_keeps_what_the_hook_refuses_and_says_why(
    server: MakeServer,
    make_run: MakeRun,
    registry: Registry,
    cli: Cli,
    policy: WritePolicy,
    repo: Path,
    git: GitFunction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version goes, the promotion stays here."""
    policy(RELEASE)
    there = server()
    monkeypatch.setenv("LEDGIT", str(there.program))
    git(repo, "update-ref", "-d", "refs/remotes/origin/main")
    (repo / ".ledgit" / "config.yaml").unlink()
    registry.register(make_run(), "churn")
    registry.promote("churn@1", "prod")

    done = cli("push", "--no-artifacts")

    assert "is for *@release.example.org" in done.out + done.err
    assert ["refs/tags/churn@v0.0.1"] == there.refs()
    assert git(repo, "rev-parse", "refs/tags/churn#prod#1")


def test_lines_of_something_else_are_refused(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not taken for a push of nothing."""
    with pytest.raises(UsageError):
        parse_updates(["refs/tags/churn@v1.0.0\n"])
    zeros, ones = "0" * 40, "1" * 40
    assert [(zeros, ones, "refs/tags/a b")] == parse_updates([f"{zeros} {ones} refs/tags/a b\n"])


def test_the_hook_is_a_plain_posix_script() -> None:
    """Every server can run it."""
    from tests.registry.conftest import HOOK

    assert HOOK.read_text().startswith("#!/bin/sh\n")
    assert os.access(HOOK, os.X_OK)
