"""Tags between clones: sent after their runs, created only, found by others, and never lost."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.registry.tags.kit import Shop
from tests.sync.kit import make_clone

from ledgit.errors import ModelNotFound, RunStateError, VersionExists, VersionNotFound
from ledgit.git import Objects
from ledgit.store.gc.plan import Selection, make_plan
from ledgit.store.gc.sweeping import sweep
from ledgit.store.registry import fetching, lost_tags, move_version, restore_tags

SECRET = b"aws_secret_access_key = 'wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzzKEY'"


def on_host(host: Path, prefix: str = "refs/tags") -> list[str]:
    return run_git(host, "for-each-ref", "--format=%(refname:lstrip=2)", prefix).split()


def test_a_version_and_its_stage_reach_the_others_with_the_runs(host: Path, ada: Shop, ben: Shop) -> None:
    ada.register(ada.train(), version="1.2.0")
    ada.assign("churn", "1", "prod")

    done = ada.push()
    got = ben.pull()

    assert done.tags is not None
    assert ["churn@v1.2.0", "churn#prod#2"] == done.tags.sent or ["churn@v1.2.0", "churn#prod#1"] == done.tags.sent
    assert {"churn@v1.2.0", "churn#prod#1"} == set(on_host(host))
    assert ["versions/churn/1"] == on_host(host, "refs/ledgit/versions")
    assert {"churn@v1.2.0", "churn#prod#1"} == set(got.tags)
    assert 1 == ben.read().version("churn", "@prod").number
    assert ada.refs() == ben.refs()
    assert {} == ada.refs("refs/ledgit/registry")
    assert [] == on_host(host, "refs/ledgit/registry")
    ben.git("fsck", "--strict")


def test_nothing_more_is_asked_for_where_no_tag_is_new(ada: Shop, ben: Shop, tmp_path: Path) -> None:
    """A pull or push of runs alone starts as many commands as before there was a registry."""
    ada.register(ada.train())
    ada.push()
    ben.pull()
    ada.train()

    assert 1 == commands(tmp_path, lambda: ben.pull(), "fetch ls-remote push")
    assert 0 == commands(tmp_path, lambda: ben.pull(), "ls-remote")
    assert 0 == commands(tmp_path, lambda: ada.push(), "ls-remote")
    assert 0 == commands(tmp_path, lambda: ben.pull(), "ls-remote")


def commands(folder: Path, do: object, kinds: str) -> int:
    """How many git commands of *kinds* were started."""
    trace = folder / f"trace-{os.urandom(4).hex()}"
    os.environ["GIT_TRACE2_EVENT"] = str(trace)
    try:
        do()  # type: ignore[operator]
    finally:
        del os.environ["GIT_TRACE2_EVENT"]
    lines = trace.read_text().splitlines() if trace.exists() else []
    return sum(any(f'"name":"{kind}"' in line for kind in kinds.split()) for line in lines if '"cmd_name"' in line)


def test_tags_go_three_at_a_time_so_that_hosts_make_events_of_them(host: Path, ada: Shop) -> None:
    """GitHub drops the events of a push with more than three."""
    log = host / "pushes"
    hook = host / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\ngrep -c refs/tags/ >> {log}\nexit 0\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    run = ada.train()
    for _ in range(7):
        ada.register(run)

    ada.push()

    assert [3, 3, 1] == [count for count in map(int, log.read_text().split()) if count]
    assert 7 == len(on_host(host))


def test_the_tags_of_a_run_that_is_held_back_stay_with_it(host: Path, ada: Shop) -> None:
    run = ada.start()
    run.add_artifact_bytes("my_model/config.txt", SECRET)
    run.finish()
    ada.register(ada.state(run.id))
    ada.assign("churn", "1", "prod")

    done = ada.push()

    assert done.tags is not None
    assert [] == on_host(host)
    assert {"churn@v0.0.1", "churn#prod#1"} == set(done.tags.held)
    assert "its run stays here" in done.tags.held["churn@v0.0.1"]
    assert 2 == len(ada.refs("refs/ledgit/registry"))


def test_the_tag_of_an_active_run_goes_when_the_run_has(host: Path, ada: Shop, ben: Shop) -> None:
    """Its checkpoint is no commit of the run on the remote, so it is looked at by itself."""
    run = ada.start()
    ada.register(ada.state(run.id))
    done = ada.push()
    assert done.tags is not None
    assert "is not on origin yet" in done.tags.held["churn@v0.0.1"]
    assert [] == on_host(host)

    run.finish()
    ada.push()

    ben.pull()
    version = ben.read().version("churn", "1")
    assert "weights" == ben.git("show", f"{version.commit}:.ledgit/run/artifacts/my_model/model.bin")


def test_the_checkpoint_of_an_active_run_is_no_code_that_would_have_to_be_pushed(host: Path, ada: Shop) -> None:
    """Nor is the registration on it, though it changes nothing of the run's."""
    run = ada.start()
    ada.register(ada.state(run.id))
    run.finish()

    done = ada.push(policy="pushed-code")

    assert done.tags is not None
    assert {} == done.tags.held
    assert ["churn@v0.0.1"] == on_host(host)


def test_a_checkpoint_with_uncommitted_changes_stays_unless_they_may_be_published(host: Path, ada: Shop) -> None:
    (ada.path / "train.py").write_text("print('not committed')\n")
    run = ada.start()
    ada.register(ada.state(run.id))
    run.finish()
    ada.git("update-ref", "refs/heads/main", ada.state(run.id).commit or "")
    ada.git("push", "-q", "origin", "main")  # what the run ended with is public, its checkpoint isn't

    done = ada.push(policy="pushed-code")

    assert done.tags is not None
    assert "(uncommitted changes)" in done.tags.held["churn@v0.0.1"]
    assert [] == on_host(host)


def test_a_checkpoint_with_a_secret_stays_though_its_run_goes(host: Path, ada: Shop) -> None:
    """The run logged it over before it ended."""
    run = ada.start()
    run.add_artifact_bytes("my_model/config.txt", SECRET)
    ada.register(ada.state(run.id))
    run.add_artifact_bytes("my_model/config.txt", b"clean")
    run.finish()

    done = ada.push()

    assert done.tags is not None
    assert [run.id] == done.sent.new
    assert "config.txt:1 has what looks like" in done.tags.held["churn@v0.0.1"]
    assert [] == on_host(host)


def test_a_secret_in_a_reason_stays_here(host: Path, ada: Shop) -> None:
    ada.register(ada.train(), reason=SECRET.decode())

    done = ada.push()

    assert done.tags is not None
    assert "of its message has what looks like" in done.tags.held["churn@v0.0.1"]
    assert [] == on_host(host)


def test_a_dry_run_lists_the_tags(host: Path, ada: Shop) -> None:
    ada.register(ada.train())

    done = ada.push(dry_run=True)

    assert done.tags is not None
    assert ["churn@v0.0.1"] == done.tags.sent
    assert [] == on_host(host)
    assert ["churn@v0.0.1"] == list(ada.refs("refs/ledgit/registry"))


def test_the_same_version_in_two_clones_is_refused_and_explained(host: Path, ada: Shop, ben: Shop) -> None:
    """Nothing is forced; the next free version and the command that moves ours there are named."""
    ada.register(ada.train(), version="1.2.0")
    ben.register(ben.train("other"), version="1.2.0")
    ben.assign("churn", "v1.2.0", "prod")
    ada.push()
    theirs = run_git(host, "rev-parse", "refs/tags/churn@v1.2.0")

    done = ben.push()

    assert done.tags is not None
    assert (
        "churn v1.2.0 is registered already on origin, by somebody else; the next free version is v1.2.1:"
        " 'ledgit registry move churn@v1.2.0 v1.2.1' moves yours there"
    ) == done.tags.held["churn@v1.2.0"]
    assert "its version stays here" == done.tags.held["churn#prod#1"]
    assert theirs == run_git(host, "rev-parse", "refs/tags/churn@v1.2.0")

    mine = ben.read().version("churn", "v1.2.0")
    moved = move_version(ben.repo, ben.folder, mine, "1.2.1")
    done = ben.push()

    assert done.tags is not None
    assert {} == done.tags.held
    assert ("v1.2.1", mine.run, mine.digest) == (moved.version, moved.run, moved.digest)
    ada.pull()
    ben.pull(tags=True)
    assert ada.refs() == ben.refs()
    state = ada.read()
    assert {"v1.2.0": 1, "v1.2.1": 2} == {one.version: one.number for one in state.find("churn").active}
    assert "v1.2.1" == state.version("churn", "@prod").version
    assert [] == ada.problems() == ben.problems()
    assert "Ledgit-Version: churn@v1.2.1" in ada.git("log", "-1", "--format=%B", "churn@v1.2.1")


def test_the_same_number_in_two_clones_moves_to_the_next_by_itself(ada: Shop, ben: Shop) -> None:
    """Only the number clashes, and the tag was not shared yet: so it is made anew, and said."""
    ada.register(ada.train(), version="1.0.0")
    ben.register(ben.train("other"), version="2.0.0")
    ben.assign("churn", "2.0.0", "prod")
    ada.push()

    done = ben.push()

    assert done.tags is not None
    assert {} == done.tags.held
    assert ["churn@v2.0.0 is version 2 now: somebody else registered a version 1 meanwhile"] == done.tags.notes
    ada.pull()
    state = ada.read()
    assert {"v1.0.0": 1, "v2.0.0": 2} == {one.version: one.number for one in state.find("churn").active}
    assert "(version 2)" in ada.git("tag", "-n1", "-l", "churn@v2.0.0")
    assert "v2.0.0" == state.version("churn", "@prod").version
    assert {"churn/1", "churn/2"} == set(ben.refs("refs/ledgit/versions")) or [] == ben.problems()
    assert [] == ada.problems() == ben.problems()


def test_a_stage_that_two_moved_stands_where_it_was_assigned_last(ada: Shop, ben: Shop) -> None:
    """Both events are kept; only the counter in a name is another."""
    run = ada.train()
    for _ in range(2):
        ada.register(run)
    ada.push()
    ben.pull()
    ada.assign("churn", "1", "prod", when=1_900_000_000_000)
    ben.assign("churn", "2", "prod", when=1_900_000_600_000)
    ada.push()

    done = ben.push()

    assert done.tags is not None
    assert {"churn#prod#1": "churn#prod#2"} == done.tags.moved
    ada.pull()
    ben.pull()
    assert ada.refs() == ben.refs()
    assert 2 == ada.read().version("churn", "@prod").number


def test_what_two_ended_at_the_same_time_has_ended_once(ada: Shop, ben: Shop) -> None:
    ada.register(ada.train())
    ada.push()
    ben.pull()
    ada.deregister("churn", "1", reason="ada's")
    ben.deregister("churn", "1", reason="ben's")
    ada.push()

    ben.push()

    gone = ben.read().version("churn", "1", deregistered=True)
    assert gone.deregistered is not None
    assert "ada's" == gone.deregistered.reason
    assert ada.refs() == ben.refs()


def test_a_version_that_others_have_is_not_moved(ada: Shop) -> None:
    version = ada.register(ada.train())
    ada.push()

    with pytest.raises(RunStateError, match="was pushed, or made elsewhere, so others may rely on it"):
        move_version(ada.repo, ada.folder, version, "2.0.0")


def test_a_version_is_not_moved_onto_another(ada: Shop) -> None:
    run = ada.train()
    first, _ = ada.register(run), ada.register(run)

    with pytest.raises(VersionExists, match=r"the next free version is v0\.0\.3"):
        move_version(ada.repo, ada.folder, first, "v0.0.2")


def test_what_a_plain_git_push_sent_is_known_as_sent(host: Path, ada: Shop) -> None:
    """`git push --tags` has no claims; the next push adds them."""
    ada.register(ada.train())
    ada.git("push", "-q", "origin", "refs/tags/churn@v0.0.1")

    done = ada.push()

    assert done.tags is not None
    assert ["churn@v0.0.1"] == done.tags.sent
    assert ["versions/churn/1"] == on_host(host, "refs/ledgit/versions")
    assert {} == ada.refs("refs/ledgit/registry")


def test_tags_that_others_made_with_gto_come_with_a_pull_that_asks_for_them(host: Path, ada: Shop, ben: Shop) -> None:
    """The ledger says nothing of them."""
    ada.tag("churn@v1.0.0", "by hand")
    ada.tag("v3.0", "a release")
    ada.git("push", "-q", "origin", "churn@v1.0.0", "v3.0")
    ada.train()
    ada.push()

    assert () == ben.pull().tags
    assert ("churn@v1.0.0",) == ben.pull(tags=True).tags
    assert "v3.0" not in ben.refs()


def test_a_tag_that_is_another_one_here_is_left_and_told(host: Path, ada: Shop, ben: Shop) -> None:
    for shop in (ada, ben):
        shop.tag("churn@v1.0.0", f"by {shop.path.name}")
    ada.git("push", "-q", "origin", "churn@v1.0.0")
    ada.register(ada.train(), version="2.0.0")
    ada.push()
    before = ben.refs()["churn@v1.0.0"]

    done = ben.pull()

    assert before == ben.refs()["churn@v1.0.0"]
    assert any("the tag churn@v1.0.0 is another one here" in note for note in done.notes)


def test_a_pull_that_broke_off_before_the_tags_is_made_up_for(
    ada: Shop, ben: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada.register(ada.train())
    ada.push()
    with monkeypatch.context() as patch:
        patch.setattr(fetching, "pull_tags", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ben.pull()
    assert {} == ben.refs()

    ben.pull()

    assert 1 == ben.read().version("churn", "latest").number


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_descriptions_of_two_clones_are_joined_like_edits_of_runs(ada: Shop, ben: Shop) -> None:
    ada.register(ada.train())
    ada.describe("churn", description="who leaves", **{"tags.team": "growth", "version.v0.0.1.tags.size": "small"})
    ada.push()
    ben.pull()

    ada.describe("churn", **{"tags.team": None, "version.v0.0.1.description": "the first"})
    ben.describe("churn", **{"tags.owner": "ben", "description": "who leaves, and when"})
    ada.push()
    ben.push()
    ada.pull()

    for shop in (ada, ben):
        model = shop.read().find("churn")
        assert ("who leaves, and when", {"owner": "ben"}) == (model.description, model.tags)
        assert ("the first", {"size": "small"}) == (model.versions["v0.0.1"].description, model.versions["v0.0.1"].tags)


def test_a_model_without_versions_is_shared_too(ada: Shop, ben: Shop) -> None:
    ada.describe("future", description="to come")
    ada.train()
    ada.push()
    ben.pull()

    assert "to come" == ben.read().find("future").description
    ada.describe("future", deleted=True)
    with pytest.raises(ModelNotFound):
        ada.read().find("future")


def test_pruned_tags_that_nobody_else_has_are_restored(ada: Shop) -> None:
    """`fetch.pruneTags` deletes what the remote lacks."""
    ada.register(ada.train())
    ada.assign("churn", "1", "prod")
    before = ada.refs()
    ada.git("-c", "fetch.prune=true", "-c", "fetch.pruneTags=true", "fetch", "-q", "origin")
    assert {} == ada.refs()
    with pytest.raises(VersionExists):
        ada.register(ada.train(), version="0.0.1")

    lost = lost_tags(ada.repo)
    assert {"churn@v0.0.1", "churn#prod#1"} == set(lost)
    assert set(lost) == set(restore_tags(ada.repo, lost))
    assert before == ada.refs()


def test_a_tag_that_was_pushed_and_deleted_comes_back_by_its_claim(ada: Shop) -> None:
    ada.register(ada.train())
    ada.push()
    ada.git("tag", "-d", "churn@v0.0.1")

    assert {"churn@v0.0.1"} == set(lost_tags(ada.repo, Objects(ada.repo)))
    with pytest.raises(VersionNotFound):
        ada.read().version("churn", "9")


def test_a_fresh_clone_has_the_registry_by_git_alone(host: Path, ada: Shop, tmp_path: Path) -> None:
    ada.register(ada.train(), reason="good")
    ada.push()

    eve = Shop(make_clone(str(host), tmp_path / "eve").path)

    assert "good" == eve.read().version("churn", "latest").event.reason


def test_a_purge_takes_the_tags_of_other_clones_too(host: Path, ada: Shop, ben: Shop) -> None:
    """After it no clone holds the run; only what was never shared stays, and is named."""
    run = ada.train(content=b"a secret thing")
    ada.register(run)
    ada.assign("churn", "1", "prod")
    ada.register(ada.train("other"), model="other")
    ada.push()
    ben.pull()
    ben.register(ben.state(run.id), model="bens")
    selection = Selection(runs=(run.id,), with_tags=True)
    sweep(ada.repo, ada.folder, make_plan(ada.repo, ada.folder, ada.repository.index, selection))

    ben.pull(accept_purges=True)

    assert ["other@v0.0.1"] == on_host(host)
    assert {"other@v0.0.1", "bens@v0.0.1"} == set(ben.refs())
    assert {"other/1", "bens/1"} == set(ben.refs("refs/ledgit/versions"))
    done = ben.push()
    assert done.tags is not None
    assert "was purged; 'git tag -d'" in done.tags.held["bens@v0.0.1"]
    assert 2 == ben.register(ben.train("third")).number
