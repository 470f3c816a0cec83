"""Versions and stages: what is made in the repository, and what is read from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.registry.tags.kit import T0, Shop

from ledgit.errors import (
    ArtifactNotFound,
    InvalidName,
    InvalidValue,
    ModelNotFound,
    RunStateError,
    VersionExists,
    VersionNotFound,
)
from ledgit.records.registry import parse_tag
from ledgit.store.registry import deregister


def test_a_version_of_a_finished_run_is_a_tag_on_a_commit_of_its_own(shop: Shop) -> None:
    """The registration commit is a child of the run's commit and has its tree."""
    run = shop.train()

    version = shop.register(run, version="1.2.0", reason="better recall")

    assert ("churn", "v1.2.0", 1, run.id, "my_model") == (
        version.model, version.version, version.number, version.run, version.path
    )  # fmt: skip
    assert run.commit == shop.git("rev-parse", "churn@v1.2.0^{commit}~1")
    assert shop.git("rev-parse", f"{run.commit}^{{tree}}") == shop.git("rev-parse", "churn@v1.2.0^{tree}")
    shown = shop.git("show", "churn@v1.2.0")
    assert "Register churn v1.2.0 (version 1) from run calm-owl" in shown
    assert 'reason: "better recall"' in shown
    assert f"Ledgit-Run: {run.id}" in shown
    assert "churn@v1.2.0" == shop.git("tag", "-l", "churn@*")
    shop.git("fsck", "--strict")


def test_the_tag_its_copy_and_the_claim_of_the_number_are_the_same_object(shop: Shop) -> None:
    """So a pruned tag can come back, and nobody else gets the number."""
    shop.register(shop.train(), version="v0.1.0")

    refs = shop.git("for-each-ref", "--format=%(refname)", "--points-at", "refs/tags/churn@v0.1.0").split()

    assert ["refs/ledgit/registry/churn@v0.1.0", "refs/ledgit/versions/churn/1", "refs/tags/churn@v0.1.0"] == refs


def test_what_was_made_is_what_is_read(shop: Shop) -> None:
    """A version reads back as register returned it."""
    made = shop.register(shop.train(), reason="why: 'because'\nof [this]")

    (read,) = shop.read().find("churn").active

    assert made.event == read.event
    assert "why: 'because'\nof [this]" == read.event.reason
    assert [] == shop.problems()


def test_one_run_has_several_versions_each_on_its_own_commit(shop: Shop) -> None:
    """GTO fails for a whole repository where one commit has two versions of a model."""
    run = shop.train()

    versions = [shop.register(run, bump=bump) for bump in ("patch", "minor", "major", "minor")]

    assert ["v0.0.1", "v0.1.0", "v1.0.0", "v1.1.0"] == [one.version for one in versions]
    assert [1, 2, 3, 4] == [one.number for one in versions]
    assert 4 == len({one.commit for one in versions})


def test_an_active_run_is_registered_from_a_checkpoint(shop: Shop) -> None:
    """What it has logged so far is the version's; the run goes on and ends as if nothing had been."""
    run = shop.start()
    run.log_metric("accuracy", 0.5, step=1)

    version = shop.register(shop.state(run.id))
    run.log_metric("accuracy", 0.9, step=2)
    run.finish()

    files = shop.git("ls-tree", "-r", "--name-only", "churn@v0.0.1").splitlines()
    assert "train.py" in files
    assert ".ledgit/run/artifacts/my_model/model.bin" in files
    assert "RUNNING" in shop.git("show", "churn@v0.0.1:.ledgit/run/run.yaml")
    assert "0.5" in shop.git("show", "churn@v0.0.1:.ledgit/run/metrics.yaml")
    assert f"Ledgit-Run: {run.id}" in shop.git("log", "-1", "--format=%B", "churn@v0.0.1~1")
    assert shop.git("rev-parse", "HEAD") == shop.git("rev-parse", "churn@v0.0.1~2")
    ended = shop.state(run.id)
    assert {"accuracy": 0.9} == ended.metrics
    assert "FINISHED" == ended.status
    again = shop.register(ended)
    assert version.digest == again.digest
    assert ended.commit == shop.git("rev-parse", "churn@v0.0.2~1")


def test_a_large_model_of_an_active_run_is_in_the_cache_and_in_the_run_that_ends_later(shop: Shop) -> None:
    """A checkpoint takes nothing away from the run."""
    content = os.urandom(400_000)
    run = shop.start(content=content)

    shop.register(shop.state(run.id))
    run.finish()

    assert "my_model/model.bin.dvc" in shop.git("ls-tree", "-r", "--name-only", "churn@v0.0.1")
    record = shop.repository.read_record(shop.state(run.id))
    assert ["my_model/MLmodel", "my_model/model.bin"] == [one.path for one in record.artifacts]
    assert not any(
        "lost" in line for line in shop.git("log", "-1", "--format=%B", run_commit(shop, run.id)).split("\n")
    )


def run_commit(shop: Shop, run_id: str) -> str:
    commit = shop.state(run_id).commit
    assert commit is not None
    return commit


def test_a_model_that_was_logged_into_a_finished_run_later_is_registered_from_its_head(shop: Shop) -> None:
    """The commit that finalizing made does not have it."""
    from ledgit.store.active import ActiveRun

    run = shop.train(model="")
    later = ActiveRun.resume(shop.repo, run.id, heads=run.heads)
    later.add_artifact_bytes("my_model/model.bin", b"late")
    later.finish()

    shop.register(shop.state(run.id))

    assert "late" == shop.git("show", "churn@v0.0.1:.ledgit/run/artifacts/my_model/model.bin")


def test_numbers_never_come_back(shop: Shop) -> None:
    """Also not that of the highest version, after it was deregistered."""
    run = shop.train()
    for _ in range(2):
        shop.register(run)

    shop.deregister("churn", "2")
    version = shop.register(run)

    assert (3, "v0.0.3") == (version.number, version.version)
    with pytest.raises(VersionExists, match=r"v0\.0\.2 is registered already; the next free version is v0\.0\.4"):
        shop.register(run, version="v0.0.2")


def test_a_lost_tag_gives_its_number_to_nobody(shop: Shop) -> None:
    """The claim outlives it."""
    run = shop.train()
    shop.register(run)
    shop.git("tag", "-d", "churn@v0.0.1")

    version = shop.register(run, version="0.0.7")

    assert 2 == version.number


def test_dates_of_a_model_rise_by_a_second_at_least(shop: Shop) -> None:
    """GTO orders by them; also where the clock was set back."""
    run = shop.train()

    events = [shop.register(run, when=T0 - n * 60_000).event for n in range(3)]
    events.append(shop.assign("churn", "latest", "prod", when=T0))

    times = [event.time for event in events]
    assert [T0 // 1000 + n for n in range(4)] == times


def test_a_stage_stands_at_one_version_and_moves(shop: Shop) -> None:
    """A version may have several; the one that is left has it no more."""
    run = shop.train()
    shop.register(run)
    shop.register(run)
    shop.assign("churn", "v0.0.1", "prod")
    shop.assign("churn", "v0.0.1", "shadow")

    shop.assign("churn", "v0.0.2", "prod", reason="faster", previous="v0.0.1")

    state = shop.read()
    assert "v0.0.2" == state.version("churn", "@prod").version
    assert ("shadow",) == state.version("churn", "1").stages
    assert ["churn#prod#1", "churn#prod#3", "churn#shadow#2"] == shop.git("tag", "-l", "churn#*").split()
    moved = state.find("churn").events[-1]
    assert ("faster", "v0.0.1", "v0.0.2") == (moved.reason, moved.previous, moved.version)


def test_unassigning_leaves_the_stage_nowhere_also_where_it_has_moved_before(shop: Shop) -> None:
    """By GTO's law alone it would fall back to the version before."""
    run = shop.train()
    for _ in range(3):
        shop.assign("churn", shop.register(run).version, "prod")

    events = shop.unassign("churn", "prod")

    assert ["churn#prod!#4", "churn#prod!#5", "churn#prod!#6"] == [event.tag for event in events]
    assert {} == shop.read().find("churn").stages
    with pytest.raises(VersionNotFound, match="no version of 'churn' is at stage 'prod'"):
        shop.unassign("churn", "prod")


def test_a_version_at_a_stage_is_not_deregistered(shop: Shop) -> None:
    shop.assign("churn", shop.register(shop.train()).version, "prod")

    with pytest.raises(RunStateError, match="is at stage prod; move or unassign that first"):
        shop.deregister("churn", "v0.0.1")


def test_a_deregistered_version_is_found_by_name_only_if_it_is_asked_for(shop: Shop) -> None:
    shop.register(shop.train())
    shop.deregister("churn", "v0.0.1", reason="leaks")

    state = shop.read()

    with pytest.raises(VersionNotFound):
        state.version("churn", "v0.0.1")
    gone = state.version("churn", "v0.0.1", deregistered=True)
    assert gone.deregistered is not None
    assert "leaks" == gone.deregistered.reason
    with pytest.raises(RunStateError, match="deregistered already"):
        deregister(shop.repo, shop.folder, gone)


def test_a_deprecated_model_is_one_until_something_is_done_to_it(shop: Shop) -> None:
    run = shop.train()
    shop.register(run)

    shop.deprecate("churn", reason="replaced")
    assert shop.read().find("churn").deprecated is not None
    with pytest.raises(RunStateError, match="deprecated already"):
        shop.deprecate("churn")

    shop.register(run)
    assert shop.read().find("churn").deprecated is None
    assert "churn@deprecated#1" == shop.deprecate("churn").tag


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("v0.2.0", 3), ("0.2.0", 3), ("2", 2), ("latest", 3), ("greatest", 2), ("@prod", 1)],
)
def test_a_version_is_found_by(shop: Shop, selector: str, expected: int) -> None:
    run = shop.train()
    for version in ("0.1.0", "1.0.0", "0.2.0"):
        shop.register(run, version=version)
    shop.assign("churn", "v0.1.0", "prod")

    assert expected == shop.read().version("churn", selector).number


def test_what_is_not_there_is_said_with_what_is(shop: Shop) -> None:
    shop.register(shop.train())

    with pytest.raises(ModelNotFound, match=r"'chrun' .*did you mean churn"):
        shop.read().find("chrun")
    with pytest.raises(VersionNotFound, match=r"'churn' has no version 'v9.9.9'; it has v0\.0\.1"):
        shop.read().version("churn", "v9.9.9")


def test_names_that_gto_would_refuse_are_kept_in_the_message(shop: Shop) -> None:
    """The tag has a slug."""
    run = shop.train()

    version = shop.register(run, model="Größe & Ärger!", version="1.0.0")
    shop.assign("Größe & Ärger!", "1", "canary (eu)")

    assert "Größe & Ärger!" == version.model
    name = parse_tag(version.tag)
    assert name is not None
    assert {"Größe & Ärger!"} == set(shop.read().models)
    assert ("canary (eu)",) == shop.read().version("Größe & Ärger!", "@canary (eu)").stages
    assert [] == shop.problems()


def test_monorepo_names_stand_in_tags_as_they_are(shop: Shop) -> None:
    run = shop.train()
    shop.register(run, model="team/churn", version="1.0.0")
    shop.register(run, model="team/churn/eu", version="1.0.0")
    shop.register(run, model="services/app:churn", version="1.0.0")

    assert ["services/app=churn@v1.0.0", "team/churn/eu@v1.0.0", "team/churn@v1.0.0"] == sorted(
        shop.git("tag", "-l").split()
    )
    assert ["services/app:churn", "team/churn", "team/churn/eu"] == list(shop.read().models)


@pytest.mark.parametrize("name", ["", "  ", " churn", "a\nb", "a\x1b[31m", "x" * 251, "\udcff"])
def test_names_that_nothing_can_be_called_are_refused(shop: Shop, name: str) -> None:
    with pytest.raises(InvalidName):
        shop.register(shop.train(), model=name)


def test_two_models_whose_names_differ_only_in_case_are_refused(shop: Shop) -> None:
    run = shop.train()
    shop.register(run, model="Churn")

    with pytest.raises(InvalidName, match="differs from 'Churn' only in case"):
        shop.register(run, model="churn")


@pytest.mark.parametrize("stage", ["latest", "Latest", "v1", "3", "1.2.0", "", "a\nb"])
def test_stages_that_read_as_versions_are_refused(shop: Shop, stage: str) -> None:
    version = shop.register(shop.train())

    with pytest.raises(InvalidName):
        shop.assign("churn", version.version, stage)


@pytest.mark.parametrize("version", ["1", "v1.2", "01.0.0", "1.0.0-", "latest", "1.0.0\n", "../v1.0.0"])
def test_versions_that_are_none_are_refused(shop: Shop, version: str) -> None:
    with pytest.raises(InvalidValue, match="expected a semantic version"):
        shop.register(shop.train(), version=version)


def test_a_path_that_the_run_has_not_is_refused_and_leaves_nothing(shop: Shop) -> None:
    run = shop.train()
    before = shop.git("for-each-ref")

    with pytest.raises(ArtifactNotFound, match=r"'model'.*my_model"):
        shop.register(run, path="model")
    with pytest.raises(InvalidName):
        shop.register(run, path="../my_model")

    assert before == shop.git("for-each-ref")


def test_the_digest_is_of_the_models_files_alone(shop: Shop) -> None:
    """Two runs with the same model have the same, wherever it stands; another content has another."""
    digests = [
        shop.register(shop.train(model=model, content=content), path=model).digest
        for model, content in (("a", b"1"), ("b/c", b"1"), ("a", b"2"))
    ]

    assert digests[0] == digests[1] != digests[2]


def test_reading_shows_what_another_process_has_just_made(shop: Shop) -> None:
    """Nothing that is kept in memory or beside the index is older than the tags."""
    run = shop.train()
    for number in range(1, 6):
        shop.register(run)
        assert number == len(shop.read().find("churn").versions)
    code = (
        "from ledgit.repository import open_repository as o; from ledgit.store.registry import *\n"
        f"r = o(); r.index.refresh(); register(r.repo, r.folder, Registration('churn', r.index.get('{run.id}')))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=shop.path, check=True)

    assert 6 == len(shop.read().find("churn").versions)
    shop.git("pack-refs", "--all")
    assert 6 == len(shop.read().find("churn").versions)
    shop.git("tag", "-d", "churn@v0.0.6")
    assert 5 == len(shop.read().find("churn").versions)


def test_what_is_kept_beside_the_index_can_go_or_be_torn(shop: Shop) -> None:
    shop.register(shop.train())
    expected = shop.read().find("churn").events
    path = Path(shop.folder.path, "registry.json")

    for spoil in (path.unlink, lambda: path.write_bytes(path.read_bytes()[:-5] if path.exists() else b"x")):
        fresh(shop)
        if path.exists():
            spoil()
        fresh(shop)
        assert expected == shop.read().find("churn").events


def fresh(shop: Shop) -> None:
    """As a new process would: nothing in memory."""
    from ledgit.store.registry import modeltags, reading

    reading._known.clear()
    modeltags.forget_tags()
    shop.read()


def test_head_index_branches_and_work_tree_are_as_they_were(shop: Shop) -> None:
    """No registry tag is below a branch, so `git describe` says the same before and after."""
    shop.git("tag", "-a", "-m", "release", "v1.0.0")
    run = shop.train()
    before = [shop.git(*args) for args in STATE]

    shop.register(run)
    shop.assign("churn", "latest", "prod")

    assert before == [shop.git(*args) for args in STATE]


STATE = [
    ("describe", "--tags"),
    ("describe", "--always", "--dirty"),
    ("status", "--porcelain"),
    ("for-each-ref", "refs/heads"),
    ("rev-parse", "HEAD"),
    ("stash", "list"),
    ("config", "-l", "--local"),
]
