"""What the registry keeps alive, what doctor says of it, and what comes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.registry.tags.kit import Shop

from ledgit.errors import Conflict
from ledgit.store.artifacts.needed import needed_objects
from ledgit.store.doctor import Finding, examine, mend
from ledgit.store.gc.plan import Selection, make_plan
from ledgit.store.gc.sweeping import sweep


def findings(shop: Shop) -> list[tuple[str, str, str]]:
    found = examine(shop.repo, shop.folder, shop.repository.index)
    return [(one.level, one.key, one.what) for one in found if one.group == "registry"]


def mended(shop: Shop) -> list[str]:
    index = shop.repository.index
    found: list[Finding] = [one for one in examine(shop.repo, shop.folder, index) if one.group == "registry"]
    return mend(shop.repo, shop.folder, index, found)


def purge(shop: Shop, run_id: str, *, with_tags: bool = False) -> None:
    selection = Selection(runs=(run_id,), with_tags=with_tags)
    plan = make_plan(shop.repo, shop.folder, shop.repository.index, selection)
    sweep(shop.repo, shop.folder, plan, remotes=())


def test_doctor_has_nothing_to_say_of_a_healthy_registry(shop: Shop) -> None:
    run = shop.train()
    shop.register(run)
    shop.assign("churn", "1", "prod")
    shop.register(shop.train(), model="Größe!")

    assert [] == findings(shop)


def test_doctor_brings_pruned_tags_back(shop: Shop) -> None:
    shop.register(shop.train())
    shop.assign("churn", "1", "prod")
    before = shop.refs()
    shop.git("tag", "-d", "churn@v0.0.1", "churn#prod#1")

    (found,) = findings(shop)
    assert ("problem", "tags") == found[:2]
    assert "2 registry tags deleted before the push" in found[2]
    assert {"restored churn@v0.0.1", "restored churn#prod#1"} == set(mended(shop))
    assert before == shop.refs()
    assert [] == findings(shop)


def test_doctor_brings_a_deleted_version_back_that_others_may_have(shop: Shop) -> None:
    shop.register(shop.train())
    before = shop.refs()
    shop.git("update-ref", "-d", "refs/ledgit/registry/churn@v0.0.1")
    shop.git("tag", "-d", "churn@v0.0.1")

    (found,) = findings(shop)
    assert ("hint", "tags") == found[:2]
    mended(shop)
    assert before == shop.refs()


@pytest.mark.parametrize("there", [False, True])
def test_a_tag_that_was_deleted_on_the_remote_is_pushed_again(host: Path, ada: Shop, there: bool) -> None:
    """By who restores it; one that the remote still has is no trouble."""
    ada.register(ada.train())
    ada.push()
    oid = run_git(host, "rev-parse", "refs/tags/churn@v0.0.1")
    ada.git("tag", "-d", "churn@v0.0.1")  # as fetch.pruneTags does
    if not there:
        run_git(host, "tag", "-d", "churn@v0.0.1")
    assert ["restored churn@v0.0.1"] == mended(ada)

    pushed = ada.push()

    assert oid == run_git(host, "rev-parse", "refs/tags/churn@v0.0.1")
    assert not (pushed.tags.held if pushed.tags is not None else {})
    assert "refs/ledgit/registry/churn@v0.0.1" not in ada.git("for-each-ref", "--format=%(refname)")
    assert [] == findings(ada)


def test_a_moved_tag_is_named(shop: Shop) -> None:
    """Its claim knows better."""
    shop.register(shop.train())
    shop.tag("churn@v0.0.1x", "other")
    shop.git("tag", "-f", "-a", "-m", "mine now", "churn@v0.0.1", "HEAD")

    found = [what for _, key, what in findings(shop) if key == "moved"]

    assert ["the tag churn@v0.0.1 is not what was registered: somebody moved it"] == found
    shop.git("tag", "-d", "churn@v0.0.1")
    mended(shop)
    assert 1 == shop.read().version("churn", "v0.0.1").number


def test_versions_of_runs_that_are_not_here_are_named(shop: Shop) -> None:
    version = shop.register(shop.train())
    shop.git("update-ref", "-d", f"refs/ledgit/runs/{version.run}")

    assert [f"1 version of runs that are not here: churn@v0.0.1 (run {(version.run or '')[:8]})"] == [
        what for _, key, what in findings(shop) if key == "runs"
    ]


@pytest.mark.parametrize("active", [False, True])
def test_a_registered_run_is_not_purged(shop: Shop, active: bool) -> None:
    """Also one that was registered while it was written: its own commits are below no tag."""
    run = shop.start()
    if active:
        shop.register(shop.state(run.id))
    run.finish()
    if not active:
        shop.register(shop.state(run.id))

    with pytest.raises(Conflict, match=r"registry tag churn@v0\.0\.1.*|'--with-tags' deletes these tags"):
        purge(shop, run.id)

    assert shop.repository.index.get(run.id) is not None


def test_a_purge_with_tags_takes_all_of_it_and_the_number_stays_taken(shop: Shop) -> None:
    """Nothing of the run is left, neither of the checkpoint; the next version has the next number."""
    run = shop.start(content=b"a secret thing")
    shop.register(shop.state(run.id))
    run.finish()
    shop.assign("churn", "1", "prod")
    other = shop.train("other")

    purge(shop, run.id, with_tags=True)
    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "-q", "--prune=now")

    assert {} == shop.refs()
    assert {} == shop.refs("refs/ledgit/registry") == shop.refs("refs/ledgit/versions")
    objects = shop.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    contents = [shop.git("cat-file", "-p", oid) for oid in objects]
    assert not any("a secret thing" == content for content in contents)
    assert 2 == shop.register(other).number


def test_objects_of_a_checkpoint_are_needed_as_long_as_its_tag_is_there(shop: Shop) -> None:
    """The run logged the model over before it ended, so no line of the ledger names it."""
    run = shop.start(content=os.urandom(300_000))
    version = shop.register(shop.state(run.id))
    run.add_artifact_bytes("my_model/model.bin", os.urandom(300_000))
    run.finish()
    pointer = shop.git("show", f"{version.commit}:.ledgit/run/artifacts/my_model/model.bin.dvc")
    md5 = pointer.partition("md5: ")[2].partition("\n")[0].strip('"')

    assert md5 in needed_objects(shop.repo, shop.folder, None)
    for ref in ("tags/churn@v0.0.1", "ledgit/registry/churn@v0.0.1", "ledgit/versions/churn/1"):
        shop.git("update-ref", "-d", f"refs/{ref}")
    assert md5 not in needed_objects(shop.repo, shop.folder, None)


def test_the_objects_of_a_checkpoint_outlive_git_gc(shop: Shop) -> None:
    run = shop.start()
    version = shop.register(shop.state(run.id))
    run.finish()

    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "-q", "--prune=now")

    assert "weights" == shop.git("show", f"{version.commit}:.ledgit/run/artifacts/my_model/model.bin")
    shop.git("fsck", "--strict")


def test_a_claim_that_a_power_cut_took_is_made_all_the_same(host: Path, ada: Shop) -> None:
    """It is not synced: the number stands in the tag."""
    ada.register(ada.train())
    claim = Path(ada.repo.common_dir, "refs/ledgit/versions/churn/1")
    claim.write_bytes(b"")  # torn, as such a cut leaves files

    assert 2 == ada.register(ada.train("other")).number
    claim.unlink()
    ada.push()

    there = run_git(host, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/ledgit/versions").split()
    assert {"churn/1", "churn/2"} == set(there)
