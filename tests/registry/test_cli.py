"""``ledgit registry``: what it prints, what it refuses, and that GTO and Git see the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun

import ledgit
from ledgit.registry import Registry
from ledgit.registry.reading import came_before

WritePolicy = Callable[[str], None]


def test_from_a_run_to_production_and_back(make_run: MakeRun, cli: Cli, git: GitFunction, repo: Path) -> None:
    """Each command prints what it made, and says what to do next."""
    run = make_run()

    first = cli("registry", "register", run, "churn", "-m", "the first")
    second = cli("registry", "register", run, "churn", "--bump", "minor")
    third = cli("registry", "register", run, "churn", "--version", "2.0.0")
    promoted = cli("registry", "promote", "churn@v0.1.0", "prod", "-m", "passed the trial")
    again = cli("registry", "promote", "churn@3", "prod")
    back = cli("registry", "rollback", "churn", "prod", "-m", "too many alarms")
    emptied = cli("registry", "unassign", "churn", "prod")

    assert ["churn@v0.0.1\n", "churn@v0.1.0\n", "churn@v2.0.0\n"] == [first.out, second.out, third.out]
    assert "registered (version 1) from model of run" in first.err
    assert "churn#prod#1\n" == promoted.out
    assert "promoted churn@v2.0.0 to prod (before: v0.1.0); 'ledgit push' shares it" in again.err
    assert "promoted churn@v0.1.0 to prod (before: v2.0.0)" in back.err
    assert "took churn@" in emptied.err
    assert "the first" in git(repo, "tag", "-l", "--format=%(contents)", "churn@v0.0.1")


def test_a_version_that_stands_at_a_stage_stays_there(
    make_run: MakeRun, cli: Cli, repo: Path, git: GitFunction
) -> None:
    """No tag says again what one says; it is said who put it there."""
    cli("registry", "register", make_run(), "churn")
    first = cli("registry", "promote", "churn@1", "prod", "--json").json

    again = cli("registry", "promote", "churn@v0.0.1", "prod", "-m", "once more")

    assert "churn#prod#1\n" == again.out
    assert "churn@v0.0.1 is at prod already, by Ada Lovelace, " in again.err
    assert "nothing was done" in again.err
    assert first == cli("registry", "promote", "churn@1", "prod", "--json").json
    assert ["churn#prod#1", "churn@v0.0.1"] == git(repo, "tag", "-l").split()
    cli("registry", "unassign", "churn", "prod")
    assert "churn#prod#3\n" == cli("registry", "promote", "churn@1", "prod").out


def test_lists(make_run: MakeRun, cli: Cli) -> None:
    """Models without a name, versions with one, newest first."""
    run = make_run()
    cli("registry", "register", run, "churn", "-m", "the first")
    cli("registry", "register", run, "churn", "--description", "A better one", "--tag", "team=fraud")
    cli("registry", "register", run, "team/spam")
    cli("registry", "promote", "churn@1", "prod")
    cli("registry", "deregister", "churn@2")

    models = cli("registry", "ls").out.splitlines()
    versions = cli("registry", "ls", "churn").out
    everything = cli("registry", "ls", "churn", "--all").out.splitlines()
    found = cli("registry", "ls", "churn", "--all", "--json").json

    assert ["churn", "v0.0.1", "1", "prod", "v0.0.1"] == models[1].split()[:5]
    assert models[2].startswith("team/spam")
    assert "v0.0.2" not in versions
    assert "the first" in versions
    assert "deregistered" in everything[1]
    assert [("v0.0.2", False), ("v0.0.1", True)] == [(one["version"], one["active"]) for one in found]
    assert {"team": "fraud"} == found[0]["tags"]
    assert ["prod"] == found[1]["stages"]
    assert [run, "model", 1, "the first"] == [found[1][key] for key in ("run", "path", "number", "reason")]
    assert ["churn", "team/spam"] == [one["name"] for one in cli("registry", "ls", "--json").json]
    assert {"prod": "v0.0.1"} == cli("registry", "ls", "--json").json[0]["stages"]
    assert cli("registry", "ls", "--csv").out.startswith("name,latest,greatest,number")
    listed = cli("registry", "ls", "--filter", "name LIKE 'team/%'", "--json").json
    assert ["team/spam"] == [one["name"] for one in listed]
    assert 1 == len(cli("registry", "ls", "--filter", "version_number = 1 AND name = 'churn'", "--json").json)
    assert 1 == len(cli("registry", "ls", "churn", "--all", "--limit", "1", "--json").json)
    everything = cli("registry", "ls", "churn", "--all", "--json").json
    assert everything == cli("registry", "ls", "churn", "--all", "--limit", "0", "--json").json
    assert "--limit" in cli("registry", "ls", "--limit", "-1", code=2).err


def test_an_empty_registry_is_said(cli: Cli) -> None:
    """And an empty list is JSON."""
    assert "nothing is registered yet" in cli("registry", "ls").err
    assert [] == cli("registry", "ls", "--json").json
    assert "nothing was done yet" in cli("registry", "history").err


def test_a_list_says_that_a_tag_is_not_what_the_registry_makes(
    shared: str, cli: Cli, repo: Path, git: GitFunction
) -> None:
    """It is in no list, and so would be missed."""
    git(repo, "tag", "spam@v1.0.0")

    said = cli("registry", "ls")

    assert "1 tag or record is not what the registry makes; 'ledgit registry verify' says why" in said.err
    assert "spam" not in said.out


def test_show_and_describe(make_run: MakeRun, cli: Cli) -> None:
    """A model, a version, what people wrote about either."""
    run = make_run()
    cli("registry", "register", run, "churn", "-m", "the first")
    cli("registry", "promote", "churn@1", "prod")
    cli("registry", "describe", "churn", "-m", "Who leaves within a month")
    cli("registry", "describe", "churn@1", "-m", "Trained on May")
    cli("registry", "tag", "churn", "team=fraud")
    cli("registry", "tag", "churn#prod", "validated=yes", "note=x")
    cli("registry", "tag", "churn@v0.0.1", "note-")

    model, version = cli("registry", "show", "churn").out, cli("registry", "show", "churn@1").out
    found = cli("registry", "show", "churn#prod", "--json").json

    assert "Who leaves within a month" in model
    assert "team = fraud" in model
    assert "Trained on May" in version
    assert run in version
    assert "promoted churn@v0.0.1 to prod" in version
    assert {"validated": "yes"} == found["tags"] == cli("registry", "tag", "churn@1", "--json").json
    assert ["register", "assign"] == [event["event"] for event in found["history"]]
    assert "v0.0.1" in cli("registry", "show", "churn", "--json").json["stages"]["prod"]
    assert "Trained on May\n" == cli("registry", "describe", "churn@1").out
    assert {"description": "Who leaves within a month"} == cli("registry", "describe", "churn", "--json").json
    cli("registry", "describe", "churn", "-m", "")
    assert "" == cli("registry", "describe", "churn").out


def test_history_and_which(make_run: MakeRun, cli: Cli, repo: Path, git: GitFunction) -> None:
    """Who did what, why, and what stood there then."""
    run = make_run()
    cli("registry", "register", run, "churn")
    cli("registry", "register", run, "churn")
    cli("registry", "promote", "churn@1", "prod", "-m", "passed the trial")
    git(repo, "config", "user.name", "Bob")
    cli("registry", "promote", "churn@2", "prod")

    history = cli("registry", "history", "churn", "--json").json
    lines = cli("registry", "history").out
    now = cli("registry", "which", "churn", "prod")
    then = cli("registry", "which", "churn", "prod", "--at", history[1]["when"])
    never = cli("registry", "which", "churn", "prod", "--at", "2020-01-01", code=3)

    assert ["assign", "assign", "register", "register"] == [event["event"] for event in history]
    assert ["Bob", "Ada Lovelace"] == [event["author"] for event in history[:2]]
    assert ["v0.0.1", None] == [event["previous"] for event in history[:2]]
    assert "promoted churn@v0.0.2 to prod (before: v0.0.1)  Bob" in lines
    assert "passed the trial" in lines
    assert "churn@v0.0.2\n" == now.out
    assert "by Bob" in now.err
    assert "churn@v0.0.1\n" == then.out
    assert "passed the trial" in then.err
    assert "nothing of churn was at prod" in never.err
    assert 2 == len(cli("registry", "history", "--stage", "prod", "--json").json)
    assert "v0.0.2" == cli("registry", "which", "churn", "prod", "--json").json["version"]
    assert "has no version" not in cli("registry", "which", "churn", "test", code=3).err


def test_a_date_alone_is_the_end_of_that_day(make_run: MakeRun, cli: Cli) -> None:
    """What stood there on that day, in the end."""
    import time

    cli("registry", "register", make_run(), "churn")
    cli("registry", "promote", "churn@1", "prod")
    after_midnight = time.localtime(time.time() + 5)  # tags of a model are a second apart
    day = time.strftime("%Y-%m-%d", after_midnight)

    assert "churn@v0.0.1\n" == cli("registry", "which", "churn", "prod", "--at", day).out


def test_rolling_back_twice_goes_two_versions_back(make_run: MakeRun, registry: Registry) -> None:
    """Not to and fro; and a version that was deregistered is passed over."""
    run = make_run()
    for _ in range(4):
        registry.register(run, "churn")
    for number in (1, 2, 3, 4):
        registry.promote(f"churn@{number}", "prod")
    registry.deregister("churn@2")

    stood = [registry.rollback("churn", "prod").version for _ in range(2)]
    registry.unassign("churn", "prod")
    before = came_before(registry.model("churn"), "prod")

    assert ["v0.0.3", "v0.0.1"] == stood
    assert before is not None
    assert "v0.0.1" == before.version


def test_a_rollback_with_nothing_before_is_refused(make_run: MakeRun, cli: Cli) -> None:
    """It says what stands there, or that nothing does."""
    cli("registry", "register", make_run(), "churn")
    nothing = cli("registry", "rollback", "churn", "prod", code=3)
    cli("registry", "promote", "churn@1", "prod")
    alone = cli("registry", "rollback", "churn", "prod", code=3)

    assert "no version of 'churn' is at stage 'prod'" in nothing.err
    assert "nothing that is still registered stood at prod of 'churn' before v0.0.1" in alone.err


def test_deprecate(make_run: MakeRun, cli: Cli) -> None:
    """Once; the list says it."""
    cli("registry", "register", make_run(), "churn")

    assert "churn@deprecated\n" == cli("registry", "deprecate", "churn", "-m", "use churn2").out
    assert "deprecated" in cli("registry", "ls").out
    assert "deprecated:" not in cli("registry", "ls").out  # nothing describes it
    assert cli("registry", "ls", "--json").json[0]["deprecated"]
    assert "deprecated already" in cli("registry", "deprecate", "churn", code=4).err


def test_move(make_run: MakeRun, cli: Cli) -> None:
    """Where somebody else was first; stages come along."""
    cli("registry", "register", make_run(), "churn")
    cli("registry", "promote", "churn@1", "prod")

    assert "churn@v1.3.0\n" == cli("registry", "move", "churn@v0.0.1", "v1.3.0").out
    assert "churn@v1.3.0\n" == cli("registry", "which", "churn", "prod").out
    assert ["v1.3.0"] == [one["version"] for one in cli("registry", "ls", "churn", "--json").json]


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("register", "nobody", "churn"), 3, "no run matches 'nobody'"),
        (("register", "{run}", ""), 2, "model name '' is empty"),
        (("register", "{run}", "a\nb"), 2, "control characters"),
        (("register", "{run}", "churn", "--version", "one"), 2, "a semantic version such as v1.2.0"),
        (("register", "{run}", "churn", "--version", "v0.0.1"), 4, "the next free version is v0.0.2"),
        (("register", "{run}", "churn", "--version", "v1.0.0", "--bump", "minor"), 2, "not allowed with"),
        (("register", "{run}", "CHURN"), 2, "only in case"),
        (("register", "{run}", "churn", "--path", "nothing"), 3, "nothing"),
        (("register", "{run}", "churn", "--tag", "x"), 2, "key=value"),
        (("register", "s3://bucket/model", "churn"), 2, "log it first"),
        (("promote", "churn", "prod"), 2, "names no version"),
        (("promote", "churn@v9.9.9", "prod"), 3, "has no version 'v9.9.9'"),
        (("promote", "spam@1", "prod"), 3, "no model matches 'spam'"),
        (("promote", "churn@1", "latest"), 2, "reads as a version"),
        (("promote", "churn@1", "v2"), 2, "reads as a version"),
        (("promote", "churn@1", ""), 2, "stage name '' is empty"),
        (("promote", "churn#prod", "live"), 3, "no version of 'churn' is at stage 'prod'"),
        (("unassign", "churn", "prod"), 3, "no version of 'churn' is at stage 'prod'"),
        (("deregister", "churn@v9.9.9"), 3, "has no version"),
        (("which", "spam", "prod"), 3, "no model matches 'spam'"),
        (("which", "churn", "prod", "--at", "soon"), 2, "a date such as"),
        (("show", "churn@7"), 3, "has no version '7'"),
        (("tag", "churn", "word"), 2, "neither key=value nor 'key-'"),
        (("tag", "churn", "absent-"), 2, "has no tag 'absent'"),
        (("tag", "churn", "a=1", "a-"), 2, "set and deleted at once"),
        (("ls", "--filter", "name >"), 2, "takes"),
        (("parse", "v1.0.0"), 2, "no tag of the registry"),
        (("parse", "churn@v7.0.0"), 3, "git fetch --tags"),
        (("check", "nothing@v1.0.0"), 2, "no tag 'nothing@v1.0.0'"),
        (("check", "--policy", "nowhere"), 3, "nowhere"),
        (("check", "--pre-receive", "churn@1"), 2, "leave out"),
        (("nothing",), 2, "there is no action"),
    ],
)
def test_what_can_t_be_is_said_in_one_sentence(
    make_run: MakeRun, cli: Cli, shared: str, words: tuple[str, ...], code: int, said: str
) -> None:
    """With the exit code that scripts look at."""
    refused = cli("registry", *(word.format(run=shared) for word in words), code=code)

    assert said in refused.err
    assert refused.err.startswith("ledgit: ")


def test_several_models_of_a_run_are_told_apart(repo: Path, cli: Cli, tmp_path: Path, registry: Registry) -> None:
    """By their paths; one that is named like the registered model is meant."""
    with ledgit.start_run() as run:
        for name in ("nets/churn", "nets/spam"):
            ledgit.log_text("flavors: {}\n", f"{name}/MLmodel")
        ledgit.log_text("x", "notes.txt")

    refused = cli("registry", "register", run.id, "other", code=2)

    assert (
        f"logged 2 models: nets/churn, nets/spam; say which (--path), as in runs:/{run.name}/nets/churn" in refused.err
    )
    assert "nets/churn" == registry.register(run.id, "churn").path
    assert "nets/spam" == registry.register(f"runs:/{run.id}/nets/spam", "other").path
    assert "notes.txt" == registry.register(run.id, "notes", path="notes.txt").path
    assert "another" in cli("registry", "register", f"runs:/{run.id}/nets/spam", "x", "--path", "y", code=2).err


def test_a_run_without_a_model_says_what_it_has(repo: Path, cli: Cli) -> None:
    """Or that it has no files at all."""
    with ledgit.start_run() as bare:
        pass
    with ledgit.start_run() as other:
        ledgit.log_text("x", "notes.txt")

    assert "logged no files" in cli("registry", "register", bare.id, "churn", code=3).err
    assert "it has notes.txt" in cli("registry", "register", other.id, "churn", code=2).err


# ---------------------------------------------------------------------- policy


def test_the_policy_is_asked_before_anything_is_written(
    shared: str, cli: Cli, policy: WritePolicy, repo: Path, git: GitFunction
) -> None:
    """Nothing is left behind, and the sentence says which rule."""
    policy("- {stages: prod, require: metrics.accuracy >= 0.99}\n- {stages: prod, reviewed: true, signed: true}")

    refused = cli("registry", "promote", "churn@1", "prod", code=4)

    assert "needs metrics.accuracy >= 0.99, which does not hold for run" in refused.err
    assert "(rule 1 of registry.policy in .ledgit/config.yaml)" in refused.err
    assert "is for somebody else than who made the version" in refused.err
    assert "--sign does it" in refused.err
    assert "" == git(repo, "tag", "-l", "churn#*")
    cli("registry", "promote", "churn@1", "staging")


def test_a_gate_may_ask_for_what_people_said_of_the_run(shared: str, cli: Cli, policy: WritePolicy) -> None:
    """A tag that was set after the run had ended."""
    policy("- {stages: prod, require: tags.approved = 'yes'}")
    cli("registry", "promote", "churn@1", "prod", code=4)

    cli("tag", shared, "approved=yes")

    assert "churn#prod#1\n" == cli("registry", "promote", "churn@1", "prod").out


def test_registering_has_rules_too(make_run: MakeRun, cli: Cli, policy: WritePolicy) -> None:
    """Who may make versions of what, from which runs."""
    whose = "- {models: 'team/*', events: register, who: '*@team.example.org'}"
    policy(f"{whose}\n- {{events: register, require: metrics.accuracy > 0.5}}")
    good, bad = make_run(0.9), make_run(0.1)

    assert "registering team/churn is for" in cli("registry", "register", good, "team/churn", code=4).err
    assert "does not hold for run" in cli("registry", "register", bad, "churn", code=4).err
    cli("registry", "register", good, "churn")


def test_a_policy_with_a_slip_stops_everything(shared: str, cli: Cli, repo: Path) -> None:
    """It says where, and what was meant."""
    (repo / ".ledgit").mkdir(exist_ok=True)
    (repo / ".ledgit" / "config.yaml").write_text("registry:\n  policy:\n    - {stage: prod, signed: true}\n")

    assert "expected stages" in cli("registry", "promote", "churn@1", "prod", code=2).err
