"""What a policy allows, and that nothing misspelled lets anything through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import GitFunction

from ledgit.errors import ConfigError, NotFound, RecordError
from ledgit.git import Repo
from ledgit.registry.policy import Act, Person, Policy, Violation, parse_policy, policies, read_policy

ADA = Person("Ada Lovelace", "ada@example.org")
BOB = Person("Bob", "bob@example.org")


def policy(*rules: dict[str, Any]) -> Policy:
    return parse_policy({"registry": {"policy": list(rules)}}, "config.yaml")


def promotion(**changed: Any) -> Act:
    given: dict[str, Any] = {
        "event": "assign",
        "model": "churn",
        "version": "v1.2.0",
        "stage": "prod",
        "author": ADA,
        "makers": (BOB,),
        "run": "1f" * 16,
        "run_name": "calm-owl",
    }
    return Act(**(given | changed))


def judge(rules: Policy, act: Act, *, passed: bool | None = True) -> list[str]:
    return [broken.reason for broken in rules.judge(act, lambda _filter, _run: passed)]


def test_without_a_policy_everybody_may_do_everything() -> None:
    """Most repositories have none."""
    assert [] == judge(parse_policy({}, "config.yaml"), promotion())
    assert [] == judge(parse_policy({"registry": {}}, "config.yaml"), promotion())


def test_only_those_named_may_promote() -> None:
    """The address counts, whatever its case, and patterns take whole teams."""
    rules = policy({"stages": "prod", "who": ["*@release.example.org", "Ada@Example.org"]})

    assert [] == judge(rules, promotion())
    who = "*@release.example.org, Ada@Example.org, and Bob <bob@example.org> is not among them"
    assert [f"promoting churn@v1.2.0 to prod is for {who}"] == judge(rules, promotion(author=BOB))
    assert [] == judge(rules, promotion(author=BOB, stage="staging"))


def test_somebody_without_an_address_is_nobody_that_a_pattern_names() -> None:
    """Not even for a pattern that takes everything with an address."""
    assert judge(policy({"stages": "prod", "who": "?*@*"}), promotion(author=Person("Ada Lovelace", "")))


def test_a_rule_about_stages_is_about_promotions_alone() -> None:
    """Registering has no stage."""
    rules = policy({"stages": "*", "who": "nobody@example.org"})

    assert [] == judge(rules, promotion(event="register", stage=""))
    assert judge(rules, promotion(event="unassign"))


def test_models_are_matched_by_patterns_with_their_folders() -> None:
    """``team/*`` is everything of the team."""
    rules = policy({"models": "team/*", "who": "nobody@example.org"})

    assert judge(rules, promotion(model="team/churn"))
    assert [] == judge(rules, promotion(model="churn"))


@pytest.mark.parametrize(
    ("passed", "reason"),
    [
        (True, None),
        (False, "promoting churn@v1.2.0 to prod needs metrics.accuracy >= 0.9, which does not hold for run calm-owl"),
        (None, "promoting churn@v1.2.0 to prod needs metrics.accuracy >= 0.9, and run calm-owl is not known here"),
    ],
)
def test_a_run_must_have_passed_the_gate(passed: bool | None, reason: str | None) -> None:
    """A run that nobody knows has passed nothing."""
    rules = policy({"stages": "prod", "require": "metrics.accuracy >= 0.9"})

    assert judge(rules, promotion(), passed=passed) == ([] if reason is None else [reason])


def test_taking_a_bad_version_out_needs_no_gate() -> None:
    """It may be taken out because it fails it."""
    rules = policy({"stages": "prod", "require": "metrics.accuracy >= 0.9", "reviewed": True})

    assert [] == judge(rules, promotion(event="unassign", makers=(ADA,)), passed=False)


@pytest.mark.parametrize(
    ("makers", "allowed"),
    [
        ((BOB,), True),
        ((ADA, BOB), False),
        ((Person("Somebody", "ADA@example.org"),), False),
        ((Person("Ada Lovelace", ""),), False),
        ((Person("", ""), BOB), False),
        ((), False),
    ],
)
def test_who_made_a_version_does_not_review_it(makers: tuple[Person, ...], allowed: bool) -> None:
    """And where nothing says who made it, nobody can tell."""
    broken = judge(policy({"stages": "prod", "reviewed": True}), promotion(makers=makers))

    assert allowed is (broken == [])


@pytest.mark.parametrize(
    ("signer", "allowed"), [("ada@example.org", True), ("bob@example.org", False), ("", False), (None, False)]
)
def test_a_signature_must_be_the_author_s_own(signer: str | None, allowed: bool) -> None:
    """A good signature of somebody else is a forged author."""
    broken = judge(policy({"stages": "prod", "signed": True}), promotion(signer=signer))

    assert allowed is (broken == [])


def test_every_rule_must_hold() -> None:
    """A later rule takes nothing back, and each says where it stands."""
    rules = policy({"who": "ada@example.org"}, {"stages": "prod", "signed": True}, {"stages": "prod", "reviewed": True})

    broken = rules.judge(promotion(makers=(ADA,)), lambda _filter, _run: True)

    assert ["rule 2 of registry.policy in config.yaml", "rule 3 of registry.policy in config.yaml"] == [
        one.rule for one in broken
    ]
    assert str(broken[0]).endswith("(rule 2 of registry.policy in config.yaml)")
    assert isinstance(broken[0], Violation)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"registry": ["policy"]}, "registry in config.yaml"),
        ({"registry": {"polciy": []}}, "expected policy"),
        ({"registry": {"policy": {"who": "x"}}}, "a list of rules"),
        ({"registry": {"policy": ["who"]}}, "rule 1"),
        ({"registry": {"policy": [{"whom": "x"}]}}, "expected who"),
        ({"registry": {"policy": [{"stages": "prod"}]}}, "a demand"),
        ({"registry": {"policy": [{"stages": [], "signed": True}]}}, "stages of rule 1"),
        ({"registry": {"policy": [{"stages": None, "signed": True}]}}, "stages of rule 1"),
        ({"registry": {"policy": [{"who": [1]}]}}, "who of rule 1"),
        ({"registry": {"policy": [{"signed": "yes"}]}}, "true or false"),
        ({"registry": {"policy": [{"events": "promote", "signed": True}]}}, "register, assign"),
        ({"registry": {"policy": [{"stages": "prod", "events": "register", "signed": True}]}}, "about stages"),
        ({"registry": {"policy": [{"require": "metrics.accuracy >="}]}}, "a filter"),
        ({"registry": {"policy": [{"require": 0.9}]}}, "a filter"),
    ],
)
def test_a_policy_that_nobody_can_read_is_refused(document: dict[str, Any], words: str) -> None:
    """A rule with a slip would otherwise apply to nothing, and let everything through."""
    with pytest.raises(ConfigError) as error:
        parse_policy(document, "config.yaml")

    assert words in str(error.value)


people = st.builds(Person, st.sampled_from(["", "Ada", "ada", "Bob"]), st.sampled_from(["", "a@x", "A@x", "b@x"]))


@given(people, people)
def test_being_the_same_person_is_mutual(one: Person, other: Person) -> None:
    """Whoever reviews whom."""
    assert one.same(other) == other.same(one)


@given(st.lists(people, max_size=3), people)
def test_more_makers_never_allow_more(makers: list[Person], more: Person) -> None:
    """A review that some makers forbid, no further maker permits."""
    rules = policy({"reviewed": True})
    if makers and judge(rules, promotion(makers=tuple(makers))):
        assert judge(rules, promotion(makers=(*makers, more)))


# ---------------------------------------------------------------------- where it stands


RULE = "registry:\n  policy:\n    - {stages: prod, who: ada@example.org}\n"


def write(repo: Path, text: str) -> None:
    (repo / ".ledgit").mkdir(exist_ok=True)
    (repo / ".ledgit" / "config.yaml").write_text(text)


def test_the_policy_of_a_commit_is_read_from_the_commit(repo: Path, git: GitFunction) -> None:
    """What the work tree says has no part in it."""
    write(repo, RULE)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "agree")
    write(repo, "")
    found = Repo.discover(str(repo))

    assert len(read_policy(found, "HEAD").rules) == 1
    assert read_policy(found, "HEAD").source == ".ledgit/config.yaml of HEAD"
    assert read_policy(found, "HEAD~1").rules == ()
    assert read_policy(found).rules == ()
    with pytest.raises(NotFound):
        read_policy(found, "nowhere")


def test_a_policy_that_is_a_link_is_refused(repo: Path, git: GitFunction) -> None:
    """It would be a policy that its own commit does not hold."""
    write(repo, "")
    (repo / ".ledgit" / "config.yaml").unlink()
    (repo / ".ledgit" / "config.yaml").symlink_to("/dev/null")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "link")

    with pytest.raises(RecordError, match="no regular file"):
        read_policy(Repo.discover(str(repo)), "HEAD")


def test_an_older_branch_is_under_the_policy_of_the_remote_s_default_branch_too(
    repo: Path, tmp_path: Path, git: GitFunction
) -> None:
    """The remote would refuse what the work tree allows."""
    write(repo, RULE)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "agree")
    remote = tmp_path / "remote.git"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(remote))
    git(repo, "remote", "add", "origin", str(remote))
    git(repo, "fetch", "-q")

    same = policies(Repo.discover(str(repo)))
    write(repo, "")
    both = policies(Repo.discover(str(repo)))

    assert [".ledgit/config.yaml"] == [one.source for one in same]
    assert [".ledgit/config.yaml", ".ledgit/config.yaml of origin/main"] == [one.source for one in both]
    assert [0, 1] == [len(one.rules) for one in both]


def test_the_skeleton_s_rule_is_one(repo: Path) -> None:
    """``ledgit init --config`` writes it as a comment; without the marks it is a policy."""
    from ledgit.store.setup import write_config

    found = Repo.discover(str(repo))
    write_config(found)
    text = (repo / ".ledgit" / "config.yaml").read_text()
    assert () == read_policy(found).rules
    kept, uncommented, section = [], text.splitlines(), False
    for line in uncommented:
        section = line == "# registry:" or (section and line.startswith("#   "))
        kept.append(line.removeprefix("# ") if section else line)
    write(repo, "\n".join(kept))

    [rule] = read_policy(found).rules

    assert (("prod",), True) == (rule.stages, rule.reviewed)
