"""Which runs would go, and what keeps the others alive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.gc.kit import Clone, gc, left, lines_of, tombstones
from tests.ledger_runs.kit import settle

from ledgit.errors import Conflict, InvalidValue, RunStateError, UsageError
from ledgit.repository import Repository, open_repository
from ledgit.store import ActiveRun, RunStart
from ledgit.store.gc import Plan, Selection, Tie, parse_rule, parse_span
from ledgit.store.gc.holds import is_registry, stand_on
from ledgit.store.ledger import note_owed, noted

DAY = 86_400_000


def log(
    repo: Path, name: str = "owl", experiment: str = "owls", tags: dict[str, str] | None = None, **metrics: float
) -> str:
    active = ActiveRun.create(open_repository(repo).repo, RunStart(name=name, experiment=experiment, tags=tags or {}))
    for key, value in metrics.items():
        active.log_metric(key, value, 0, timestamp=1000)
    active.finish()
    settle()
    return active.id


def plan(repo: Path, *rules: str, **words: Any) -> Plan:
    selection = Selection(keep=tuple(map(parse_rule, rules)), **words)
    return open_repository(repo).plan_purge(selection)


def going(found: Plan) -> set[str]:
    return {item.run.id for item in found.going}


def held(found: Plan) -> dict[str, list[tuple[str, str]]]:
    return {item.run.id: [(tie.kind, tie.name) for tie in item.ties] for item in found.held}


def commit(repo: Path, name: str) -> str:
    (repo / "train.py").write_text(f"print({name!r})\n")
    run_git(repo, "commit", "-q", "-am", name)
    return run_git(repo, "rev-parse", "HEAD")


@pytest.mark.parametrize("compacted", [False, True])
def test_branches_tags_checkouts_and_runs_hold_a_run(repo: Path, tmp_path: Path, compacted: bool) -> None:
    """A branch that goes on from the run's commit holds it, and so does a run started there."""
    run_id = log(repo)
    head = open_repository(repo).run(run_id).state.heads[0]
    run_git(repo, "checkout", "-q", "-b", "fix", head)
    child = log(repo, "child")
    commit(repo, "on top")
    run_git(repo, "tag", "-a", "-m", "x", "kept", "fix")
    run_git(repo, "checkout", "-q", "main")
    run_git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"), head)
    run_git(repo, "update-ref", "refs/remotes/origin/fix", head)
    if compacted:
        Clone(repo).compact()

    found = plan(repo, runs=(run_id,))
    both = plan(repo, runs=(run_id, child))

    expected = {("branch", "fix"), ("branch", "origin/fix"), ("tag", "kept"), ("checkout", str(tmp_path / "tree"))}
    assert {*expected, ("run", child)} == set(held(found)[run_id])
    assert expected == set(held(both)[run_id])
    assert set() == going(found)
    with pytest.raises(Conflict, match="branch fix"):
        open_repository(repo).purge(found)
    assert set() == Clone(repo).listed() - {run_id, child}


def test_a_checkout_that_went_on_holds_nothing(repo: Path) -> None:
    """A branch from the code commit is no branch from the run."""
    run_id = log(repo)
    commit(repo, "later")
    run_git(repo, "tag", "v1")

    assert {run_id} == going(plan(repo, runs=(run_id,)))


def test_a_run_that_is_purged_together_with_what_stands_on_it_goes(repo: Path) -> None:
    run_id = log(repo)
    run_git(repo, "checkout", "-q", open_repository(repo).run(run_id).state.heads[0])
    child = log(repo, "child")
    run_git(repo, "checkout", "-q", "main")
    own = Clone(repo).objects_of(run_id, child)

    open_repository(repo).purge(plan(repo, runs=(run_id, child)))
    run_git(repo, "reflog", "expire", "--expire=now", "--all")
    gc(repo)

    assert {run_id, child} == tombstones(repo)
    assert set() == left(repo, own) - reachable(repo)


def reachable(repo: Path) -> set[str]:
    return {line.split()[0] for line in run_git(repo, "rev-list", "--objects", "--all").splitlines()}


@pytest.mark.parametrize(
    ("tag", "is_one"),
    [
        *((tag, True) for tag in ("net@v1.2.0", "a/net@v1", "net#prod#3", "net#prod", "net@v1!")),
        *((tag, False) for tag in ("v1.2", "net@home", "@v1", "#prod", "net#")),
    ],
)
def test_registry_tags_are_told_by_their_form(tag: str, is_one: bool) -> None:
    assert is_one == is_registry(tag)


def test_registry_tags_go_only_when_asked(ada: Clone, host: Path) -> None:
    """With the refs that belong to them, here and on the remote."""
    run_id = log(ada.path)
    ada.push()
    head = ada.heads(run_id)[0]
    registered = ada.git("commit-tree", f"{head}^{{tree}}", "-p", head, "-m", "register")
    ada.git("tag", "-a", "-m", "x", "net@v1.0.0", registered)
    ada.git("update-ref", "refs/ledgit/versions/net/1", registered)
    ada.git("push", "-q", "origin", "refs/tags/net@v1.0.0", "refs/ledgit/versions/net/1")
    own = ada.own_objects(run_id) | {registered}

    with pytest.raises(Conflict, match="--with-tags"):
        open_repository(ada.path).purge(plan(ada.path, runs=(run_id,)))
    found = plan(ada.path, runs=(run_id,), with_tags=True)
    done = open_repository(ada.path).purge(found)

    assert {run_id} == going(found)
    assert {"refs/tags/net@v1.0.0", "refs/ledgit/versions/net/1"} == set(done.there[0].tags) == set(done.tags)
    for path in (host, ada.path):
        gc(path)
        assert set() == left(path, own)
    assert () == noted(ada.folder).tags


def test_tags_that_could_not_be_deleted_there_go_later(ada: Clone, host: Path) -> None:
    run_id = log(ada.path)
    ada.push()
    ada.git("tag", "-a", "-m", "x", "net@v1.0.0", ada.heads(run_id)[0])
    ada.git("push", "-q", "origin", "refs/tags/net@v1.0.0")
    own = ada.own_objects(run_id)

    open_repository(ada.path).purge(plan(ada.path, runs=(run_id,), with_tags=True), local=True)
    waiting = noted(ada.folder).tags
    done = open_repository(ada.path).purge()

    assert ("refs/tags/net@v1.0.0",) == waiting == done.there[0].tags
    gc(host)
    assert set() == left(host, own)


def test_orphans_are_runs_whose_code_was_thrown_away(repo: Path) -> None:
    """Not those whose code was amended or squashed into a branch."""
    kept = log(repo, "on main")
    run_git(repo, "checkout", "-q", "-b", "work")
    commit(repo, "one")
    amended = log(repo, "amended")
    run_git(repo, "commit", "-q", "--amend", "-m", "other words")
    run_git(repo, "branch", "lives")
    commit(repo, "two")
    orphan = log(repo, "orphan")
    run_git(repo, "checkout", "-q", "main")
    run_git(repo, "branch", "-D", "-q", "work")

    found = plan(repo, orphaned=True)

    assert {orphan} == going(found)
    assert {kept, amended} == {run.id for run in open_repository(repo).runs} - going(found)


def test_deleted_runs_go_when_nobody_touched_them(repo: Path) -> None:
    kept, gone = log(repo, "kept"), log(repo, "gone")
    repository = open_repository(repo)
    repository.delete_runs([repository.run(gone)])

    assert {gone} == going(plan(repo, deleted=True))
    assert set() == going(plan(repo, deleted=True, older_than=DAY))
    assert kept not in going(plan(repo, deleted=True))


def test_every_run_that_has_a_commit_is_found(repo: Path) -> None:
    """By what it stands on, also after its branch is gone, and by name where it has no history."""
    before = log(repo, "before")
    bad = commit(repo, "secret")
    on = log(repo, "on it")
    commit(repo, "later")
    after = log(repo, "after")
    Clone(repo).compact()
    edited = open_repository(repo)
    edited.tag_runs([edited.run(on)], {"x": "y"})
    run_git(repo, "checkout", "-q", "-b", "side", "HEAD~2")
    beside = log(repo, "beside")
    run_git(repo, "checkout", "-q", "main")
    run_git(repo, "config", "ledgit.snapshot", "none")
    bare = log(repo, "bare")

    found = plan(repo, commit=bad[:10])

    assert {on, after, bare} == going(found)
    assert {before, beside}.isdisjoint(going(found))
    assert ["the commit itself stays: it is on main"] == found.notes
    with pytest.raises(UsageError, match="no commit"):
        plan(repo, commit="nonsense")


def test_rules_keep_what_they_say(repo: Path) -> None:
    runs = [log(repo, f"r{n}", "a" if n < 3 else "b", accuracy=n / 10, loss=n / 10) for n in range(5)]
    tagged = log(repo, "tagged", tags={"team": "vision"})

    def kept(*rules: str) -> set[str]:
        return {*runs, tagged} - going(plan(repo, *rules))

    assert {runs[2], runs[4]} == kept("best 1 by metrics.accuracy")
    assert {runs[0], runs[3]} == kept("best 1 by metrics.loss")
    assert {runs[2], runs[4]} == kept("best 1 by metrics.loss desc")
    assert {tagged} == kept("tagged")
    assert {*runs, tagged} == kept("younger 30d")
    assert {runs[1]} == kept("filter attributes.run_name = 'r1'")
    assert {runs[1], tagged} == kept("filter attributes.run_name = 'r1'", "tagged")
    assert {"tagged": 1} == plan(repo, "tagged").kept


def test_a_rule_keeps_registered_runs_and_what_they_stand_on(repo: Path) -> None:
    base = log(repo, "base")
    run_git(repo, "checkout", "-q", open_repository(repo).run(base).state.heads[0])
    child, other = log(repo, "child"), log(repo, "other")
    run_git(repo, "checkout", "-q", "main")
    run_git(repo, "tag", "-a", "-m", "x", "net#prod", open_repository(repo).run(child).state.heads[0])

    found = plan(repo, "registered", with_tags=True)

    assert {other} == going(found)
    assert {"registered": 2} == found.kept
    assert {} == found.tags


@pytest.mark.parametrize(
    "text", ["", "best", "best 0 by metrics.x", "younger", "younger soon", "filter", "registered x"]
)
def test_a_rule_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_rule(text)


def test_a_metric_without_a_direction_is_asked_for(repo: Path) -> None:
    log(repo, width=1.0)

    with pytest.raises(UsageError, match="desc"):
        plan(repo, "best 1 by metrics.width")


def test_spans() -> None:
    assert [3_600_000, 30 * DAY, 14 * DAY] == [parse_span(text) for text in ("1h", "30d", "2 w")]


def test_a_run_that_is_being_written_is_left_alone(repo: Path) -> None:
    old = log(repo)
    active = ActiveRun.create(open_repository(repo).repo, RunStart(name="busy"))
    again = ActiveRun.resume(open_repository(repo).repo, old, open_repository(repo).run(old).state.heads)

    found = plan(repo, "filter attributes.run_name = 'nobody'")

    assert (set(), [old]) == (going(found), found.active)
    with pytest.raises((Conflict, RunStateError), match="being written"):
        open_repository(repo).purge(plan(repo, runs=(old,)))
    active.finish()
    again.finish()


def test_a_rewritten_history_begins_anew(ada: Clone, host: Path) -> None:
    """What `doctor --rewritten` notes: no tombstone asks for it, and the remote must know the new commits first."""
    run_id = log(ada.path)
    ada.push()
    old = ada.git("rev-parse", "refs/ledgit/ledger")
    note_owed(ada.folder, "history was rewritten")

    done = open_repository(ada.path).purge()

    assert {} == done.failed
    assert (
        done.there[0].commit
        == ada.git("rev-parse", "refs/ledgit/ledger")
        == run_git(host, "rev-parse", "refs/ledgit/ledger")
    )
    assert "" == noted(ada.folder).why
    assert {run_id} == lines_of(host)
    gc(host)
    assert set() == left(host, {old})


def test_walking_finds_all_that_stands_on_a_commit(repo: Path) -> None:
    """Also between two commits that are asked about."""
    one = run_git(repo, "rev-parse", "HEAD")
    two = commit(repo, "two")
    three = commit(repo, "three")
    run_git(repo, "checkout", "-q", "--orphan", "other")
    run_git(repo, "commit", "-q", "-m", "apart")
    apart = run_git(repo, "rev-parse", "HEAD")

    found = stand_on(Repository(open_repository(repo).repo).repo, {one: "a", three: "b"}, [one, two, three, apart])

    assert {one: {"a"}, two: {"a"}, three: {"a", "b"}} == {tip: set(labels) for tip, labels in found.items()}
    assert Tie("branch", "x") == Tie("branch", "x", "")
