"""GTO, Git and setuptools-scm read the same registry as we do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.registry.tags.kit import T0, Shop

from ledgit.records.registry import RegisteredModel


def ours(shop: Shop) -> dict[str, Any]:
    """What `gto show --json` says, from our own reading."""
    return {
        name: {
            "version": None if model.greatest is None else model.greatest.version,
            "stage": {stage: version.version for stage, version in model.stages.items()},
            "active": model.deprecated is None,
        }
        for name, model in shop.read().models.items()
    }


def theirs(shop: Shop) -> dict[str, Any]:
    return {
        name: {
            "version": said["version"],
            "stage": {stage: where for stage, where in said["stage"].items() if where},
            "active": said["active"],
        }
        for name, said in shop.gto("show", "--json", "--deprecated").items()
    }


def our_history(model: RegisteredModel) -> list[tuple[str, str, str | None, str | None, str]]:
    return [
        (f"{event.action}", event.tag, event.version or None, event.stage or None, event.commit)
        for event in model.events
    ]


_WORDS = {
    "registration": "register",
    "deregistration": "deregister",
    "assignment": "assign",
    "unassignment": "unassign",
    "deprecation": "deprecate",
}


def their_history(shop: Shop, name: str) -> list[tuple[str, str, str | None, str | None, str]]:
    events = shop.gto("history", name, "--json", "--ascending")
    return [
        (_WORDS[event["event"]], event["ref"], event.get("version"), event.get("stage"), event["commit"])
        for event in events
    ]


def test_gto_shows_what_we_show_after_every_step(shop: Shop) -> None:
    """Several versions of one run, stages that move, versions and models that end, names of a monorepo."""
    run, other = shop.train(), shop.train("bold-elk")
    for version in ("0.1.0", "1.0.0", "0.2.0"):
        shop.register(run, version=version)
    shop.register(other, model="team/churn", version="2.0.0-rc.1")
    shop.assign("churn", "v0.1.0", "prod")
    shop.assign("churn", "v1.0.0", "prod")
    shop.assign("churn", "v0.1.0", "prod")
    shop.assign("churn", "v0.2.0", "canary")
    shop.assign("team/churn", "v2.0.0-rc.1", "prod")
    assert theirs(shop) == ours(shop)
    assert {"prod": "v0.1.0", "canary": "v0.2.0"} == ours(shop)["churn"]["stage"]

    shop.unassign("churn", "prod")
    shop.unassign("churn", "canary")
    shop.deregister("churn", "v1.0.0")
    shop.deprecate("team/churn")
    assert theirs(shop) == ours(shop)
    assert {} == ours(shop)["churn"]["stage"]

    for name, model in shop.read().models.items():
        assert their_history(shop, name) == our_history(model)


def test_a_deregistered_version_lets_a_stage_fall_back_for_both(shop: Shop) -> None:
    """GTO deregisters also what is at a stage. The tag is as GTO makes it, but that its clock is not behind."""
    run = shop.train()
    for version in ("0.1.0", "0.2.0"):
        shop.assign("churn", shop.register(run, version=version).version, "prod")

    shop.tag("churn@v0.2.0!", "Deregistering artifact churn version v0.2.0", "churn@v0.2.0^{commit}", T0 // 1000)

    assert {"prod": "v0.1.0"} == ours(shop)["churn"]["stage"]
    assert theirs(shop) == ours(shop)


def test_what_gto_makes_is_read_with_what_is_unknown_left_out(shop: Shop) -> None:
    """Its versions have no number, run or digest; its commands go on from ours."""
    shop.register(shop.train(), version="0.1.0")
    shop.gto("register", "churn", "HEAD", "--version", "v0.3.0", "-m", "by hand: [not yaml")
    shop.gto("assign", "churn", "--version", "v0.3.0", "--stage", "prod")
    shop.gto("assign", "churn", "--version", "v0.1.0", "--stage", "dev")
    shop.gto("register", "other", "HEAD")
    shop.gto("deprecate", "other")

    state = shop.read()

    version = state.version("churn", "@prod")
    assert ("v0.3.0", None, None, None, None) == (
        version.version, version.number, version.run, version.path, version.digest
    )  # fmt: skip
    assert "by hand: [not yaml" == version.event.reason
    assert ("Ada Lovelace", "ada@example.org") == (version.event.author, version.event.email)
    assert "v0.1.0" == state.version("churn", "@dev").version
    assert state.find("other").deprecated is not None
    assert theirs(shop) == ours(shop)
    assert [] == shop.problems()
    assert their_history(shop, "churn") == our_history(state.find("churn"))
    following = shop.register(shop.train())
    assert ("v0.3.1", 2) == (following.version, following.number)


def test_what_gto_registers_once_more_is_active_again(shop: Shop) -> None:
    """With a counter at the tag's end."""
    shop.gto("register", "churn", "HEAD", "--version", "v0.1.0")
    shop.gto("deprecate", "churn", "v0.1.0")
    shop.gto("register", "churn", "HEAD", "--version", "v0.1.0", "--simple", "false", "--force")

    (version,) = shop.read().find("churn").active

    assert "v0.1.0" == version.version
    assert theirs(shop) == ours(shop)


def test_git_describe_and_setuptools_scm_say_the_same_before_and_after(shop: Shop, tmp_path: Path) -> None:
    """Also with a model whose versions are greater than the code's."""
    shop.git("tag", "-a", "-m", "release", "v1.2.0")
    (shop.path / "train.py").write_text("print('more')\n")
    shop.git("commit", "-q", "-am", "more")
    before = versions(shop)

    run = shop.train()
    shop.register(run, version="9.0.0")
    shop.assign("churn", "latest", "prod")
    active = shop.start()
    shop.register(shop.state(active.id), version="9.1.0")
    active.finish()

    assert before == versions(shop)
    assert "v1.2.0-1-g" in before[0]


def versions(shop: Shop) -> list[str]:
    code = "import setuptools_scm; print(setuptools_scm.get_version('.'))"
    scm = subprocess.run([sys.executable, "-c", code], cwd=shop.path, capture_output=True, text=True, check=False)
    if scm.returncode:  # the library is not among the tests' own; its question to Git is
        scm_says = shop.git("describe", "--dirty", "--tags", "--long", "--match", "*[0-9]*")
    else:
        scm_says = scm.stdout
    return [shop.git("describe"), shop.git("describe", "--tags", "--long"), scm_says]


@pytest.mark.parametrize("name", ["churn", "team/churn", "a-b_c/d"])
def test_git_lists_and_shows_a_version(shop: Shop, name: str) -> None:
    shop.register(shop.train(), model=name, version="1.2.0")

    assert f"{name}@v1.2.0" == shop.git("tag", "-l", f"{name}@*")
    shown = shop.git("show", f"{name}@v1.2.0")
    assert f'model: "{name}"' in shown
    assert "Tagger: Ada Lovelace <ada@example.org>" in shown
