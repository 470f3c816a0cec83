"""What a push would publish, and what it takes for it to go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sync.publish_kit import TOKEN, Asked, Clone

from ledgit.errors import ConfigError
from ledgit.store.edit import Edit, edit_run
from ledgit.store.sync.ask import Answer, forget, remembered
from ledgit.store.sync.held import UNPUSHED, hold, read_held
from ledgit.store.sync.publish import Candidate
from ledgit.store.sync.remote import find_remote
from ledgit.store.sync.tip import open_tip

Git = Callable[..., str]


def test_a_run_of_pushed_code_goes_without_a_question(clone: Clone) -> None:
    """Nothing of the user's becomes public by it."""
    run = clone.run("clean")
    ask = Asked(Answer.NO)

    found = clone.review(ask=ask)

    assert found.publish == [run]
    assert (found.held, found.commits, found.uncommitted, found.findings, found.notes) == ({}, [], [], [], [])
    assert ask.questions == []


def test_unpushed_commits_are_told_before_they_leave(clone: Clone) -> None:
    """With their subjects, newest first, and how many runs are concerned."""
    pushed = clone.run("pushed")
    clone.commit("First try", a__py="1")
    second = clone.commit("Second try", a__py="2")
    unpushed = clone.run("unpushed")
    ask = Asked(Answer.ONCE)

    found = clone.review(ask=ask)

    (question,) = ask.questions
    assert [commit.subject for commit in question.commits] == ["Second try", "First try"]
    assert question.commits[0].oid == second
    assert (question.runs, question.concerned, question.uncommitted) == (2, 1, 0)
    text = "\n".join(question.lines())
    assert "1 of 2 runs" in text
    assert "Second try" in text
    assert {answer for answer, _, _ in question.choices} == set(Answer)
    assert found.publish == [pushed, unpushed]
    assert found.commits == list(question.commits)


def test_uncommitted_changes_count_as_code_that_was_not_pushed(clone: Clone) -> None:
    """Changed, new and deleted files alike."""
    clone.write(train__py="print('changed')\n")
    changed = clone.run("changed")
    clone.git(clone.path, "checkout", "-q", ".")
    clone.write(new__py="x = 1\n")
    new = clone.run("new")
    (clone.path / "new.py").unlink()
    clean = clone.run("clean")
    ask = Asked(Answer.ONCE)

    found = clone.review(ask=ask)

    assert ask.questions[0].uncommitted == 2
    assert "uncommitted changes in 2 runs" in "\n".join(ask.questions[0].lines())
    assert found.publish == [changed, new, clean]
    assert found.uncommitted == [changed, new]
    assert found.commits == []


def test_where_nobody_can_be_asked_such_runs_are_held_and_the_others_go(clone: Clone) -> None:
    """With a reason that says what they would publish, and what to do."""
    pushed = clone.run("pushed")
    clone.write(train__py="print('changed')\n")
    dirty = clone.run("dirty")
    clone.commit("Not pushed")
    unpushed = clone.run("unpushed")

    found = clone.review(ask=None)

    assert found.publish == [pushed]
    assert {run: held.kind for run, held in found.held.items()} == {dirty: UNPUSHED, unpushed: UNPUSHED}
    assert "uncommitted changes" in found.held[dirty].reason
    assert "1 commit" in found.held[unpushed].reason
    assert all("nobody could be asked" in held.reason and "ledgit push" in held.reason for held in found.held.values())
    assert found.held[dirty].remote == "origin"
    assert found.held[dirty].is_about(next(run for run in clone.candidates() if run.id == dirty).heads)
    assert read_held(clone.folder) == {}  # the review writes nothing


def test_pushing_the_code_lets_the_run_go(clone: Clone) -> None:
    """Held runs are looked at again by each push."""
    clone.commit("Not pushed")
    run = clone.run("unpushed")
    hold(clone.folder, clone.review().held)

    clone.git(clone.path, "push", "-q", "origin", "main")

    assert clone.review().publish == [run]


@pytest.mark.parametrize("answer", [Answer.ALWAYS, Answer.ONLY_PUSHED])
def test_an_answer_for_good_is_remembered_outside_the_git_configuration(clone: Clone, answer: Answer) -> None:
    """For this address: another one is asked about again."""
    clone.commit("Not pushed")
    run = clone.run("unpushed")
    before = (clone.path / ".git" / "config").read_bytes()
    ask = Asked(answer)
    expected = [run] if answer is Answer.ALWAYS else []

    assert clone.review(ask=ask).publish == expected
    assert clone.review(ask=ask).publish == expected
    assert clone.review(ask=None).publish == expected

    assert len(ask.questions) == 1
    assert (clone.path / ".git" / "config").read_bytes() == before
    other = clone.path.parent / "other.git"
    clone.git(clone.path.parent, "init", "-q", "--bare", str(other))
    clone.git(clone.path, "remote", "set-url", "origin", str(other))
    clone.review(ask=ask)
    assert len(ask.questions) == 2


@pytest.mark.parametrize("answer", [Answer.ONCE, Answer.NO])
def test_an_answer_for_once_is_asked_for_again(clone: Clone, answer: Answer) -> None:
    """Saying no sends nothing and holds nothing back."""
    clone.run("pushed")
    clone.commit("Not pushed")
    clone.run("unpushed")
    ask = Asked(answer)

    found = clone.review(ask=ask)
    clone.review(ask=ask)

    assert len(ask.questions) == 2
    assert found.declined is (answer is Answer.NO)
    assert len(found.publish) == (0 if answer is Answer.NO else 2)
    assert found.held == {}


def test_a_remembered_answer_can_be_forgotten(clone: Clone) -> None:
    """Then the next push asks again; a damaged file is as good as none."""
    clone.commit("Not pushed")
    clone.run("unpushed")
    remote = find_remote(clone.repo)
    clone.review(ask=Asked(Answer.ALWAYS))
    assert remembered(clone.folder, remote) is Answer.ALWAYS

    forget(clone.folder, remote)
    assert remembered(clone.folder, remote) is None

    (Path(clone.folder.path) / "publish.json").write_text('{"remotes": [')
    assert remembered(clone.folder, remote) is None
    ask = Asked(Answer.ONCE)
    clone.review(ask=ask)
    assert len(ask.questions) == 1


def test_the_policy_of_the_configuration_spares_the_question(clone: Clone) -> None:
    """`all`, `pushed-code`; what the call says goes first; anything else is an error."""
    pushed = clone.run("pushed")
    clone.commit("Not pushed")
    unpushed = clone.run("unpushed")
    ask = Asked(Answer.NO)

    clone.git(clone.path, "config", "ledgit.publish", "all")
    assert clone.review(ask=ask).publish == [pushed, unpushed]
    assert clone.review(ask=ask, policy="pushed-code").publish == [pushed]
    clone.git(clone.path, "config", "ledgit.publish", "pushed-code")
    assert clone.review(ask=ask).publish == [pushed]
    assert ask.questions == []
    assert clone.review(ask=ask, policy="ask").declined
    clone.git(clone.path, "config", "ledgit.publish", "sometimes")
    with pytest.raises(ConfigError, match=r"ledgit\.publish"):
        clone.review()


def test_a_run_without_a_snapshot_publishes_no_code(clone: Clone) -> None:
    """With `ledgit.snapshot none` it names its code by id alone."""
    clone.git(clone.path, "config", "ledgit.snapshot", "none")
    clone.commit("Not pushed")
    clone.write(train__py="print('changed')\n")
    run = clone.run("nameless")

    assert clone.review(ask=None).publish == [run]


def test_the_first_run_of_an_empty_repository_carries_its_files(
    tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no commit yet: all there is was never committed."""
    path, remote = tmp_path / "new", tmp_path / "new.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(tmp_path, "init", "-q", str(path))
    git(path, "remote", "add", "origin", str(remote))
    monkeypatch.chdir(path)
    (path / "train.py").write_text("x = 1\n")
    clone = Clone(path, git)
    run = clone.run("first")

    assert clone.review(ask=None).held[run].kind == UNPUSHED
    assert clone.review(policy="all").uncommitted == [run]


def test_a_detached_head_is_as_good_as_a_branch(clone: Clone) -> None:
    """What counts is whether the remote has the commit."""
    clone.git(clone.path, "checkout", "-q", "--detach")
    pushed = clone.run("pushed")
    clone.commit("On no branch", a__py="1")
    unpushed = clone.run("unpushed")

    found = clone.review()

    assert found.publish == [pushed]
    assert list(found.held) == [unpushed]


def test_a_shallow_clone_knows_that_its_first_commit_came_from_somewhere(
    clone: Clone, git: Git, tmp_path: Path
) -> None:
    """Also where no branch of the remote was fetched, as CI services do it."""
    clone.commit("Second", a__py="1")
    clone.git(clone.path, "push", "-q", "origin", "main")
    url = f"file://{tmp_path / 'remote.git'}"
    path = tmp_path / "shallow"
    git(tmp_path, "init", "-q", str(path))
    git(path, "remote", "add", "origin", url)
    git(path, "fetch", "-q", "--depth", "1", "--no-tags", "origin", "main")
    git(path, "checkout", "-q", "--detach", "FETCH_HEAD")
    git(path, "for-each-ref")
    shallow = Clone(path, git)
    pushed = shallow.run("pushed")
    shallow.commit("Made here", b__py="1")
    unpushed = shallow.run("unpushed")

    found = shallow.review()

    assert found.publish == [pushed]
    assert list(found.held) == [unpushed]


def test_a_clone_with_the_tip_alone_is_reviewed_by_what_is_beside_it(clone: Clone, git: Git, tmp_path: Path) -> None:
    """Where the remote's ledger is in `tip.git`, cut off as the clone is."""
    clone.commit("Second", a__py="1")
    clone.git(clone.path, "push", "-q", "origin", "main")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{tmp_path / 'remote.git'}", "tip")
    tip = Clone(tmp_path / "tip", git)
    pushed = tip.run("pushed")
    tip.commit("Made here", b__py="1")
    unpushed = tip.run("unpushed")
    helper = open_tip(tip.repo, tip.folder)
    helper.copy_shallow()

    found = tip.review(where=helper)

    assert found.publish == [pushed]
    assert list(found.held) == [unpushed]


def test_a_pull_request_that_was_fetched_is_on_the_remote(clone: Clone) -> None:
    """`actions/checkout` puts its merge commit below refs/remotes/pull."""
    merge = clone.commit("Merge 1 into main", a__py="1")
    clone.git(clone.path, "update-ref", "refs/remotes/pull/1/merge", merge)
    run = clone.run("in CI")

    assert clone.review().publish == [run]
    clone.git(clone.path, "remote", "add", "fork", "https://example.org/fork.git")
    assert clone.review().publish == []  # of which of the two, nobody knows


def test_code_on_another_remote_is_not_public_on_this_one(clone: Clone, tmp_path: Path) -> None:
    """Runs of private code may go to a public repository, and the other way round."""
    clone.git(tmp_path, "init", "-q", "--bare", "runs.git")
    clone.git(clone.path, "remote", "add", "runs", str(tmp_path / "runs.git"))
    clone.git(clone.path, "config", "ledgit.remote", "runs")
    run = clone.run("elsewhere")

    found = clone.review()

    assert list(found.held) == [run]
    assert "runs" in found.held[run].reason


def test_what_the_ledger_carried_before_is_public(clone: Clone) -> None:
    """Code that no branch has any more, of a run that was pushed: its next run publishes nothing new."""
    clone.commit("Not pushed", a__py="1")
    clone.run("first")
    assert clone.review().publish == []
    clone.publish()
    second = clone.run("second")

    found = clone.review(candidates=[run for run in clone.candidates() if run.id == second])

    assert found.publish == [second]
    assert found.commits == []


def test_an_edit_of_a_published_run_publishes_the_edit_alone(clone: Clone) -> None:
    """Its first commit, with unpushed code below it, is there already."""
    clone.commit("Not pushed", a__py="1")
    clone.write(train__py="print('changed')\n")
    run = clone.run("edited")
    clone.publish()
    edit_run(clone.repo, clone.folder, run, Edit(set_tags={"stage": "candidate"}))

    found = clone.review()

    assert found.publish == [run]
    assert (found.commits, found.uncommitted) == ([], [])


def test_a_merge_brings_only_what_its_sides_had_not(clone: Clone) -> None:
    """Files of a branch that is public are not looked at again."""
    clone.git(clone.path, "checkout", "-q", "-b", "side")
    clone.commit("Public test data", leak__py=f"token = '{TOKEN}'\n")
    clone.git(clone.path, "push", "-q", "origin", "side")
    clone.git(clone.path, "checkout", "-q", "main")
    clone.commit("Here", b__py="1")
    clone.git(clone.path, "merge", "-q", "--no-edit", "side")
    run = clone.run("merged")

    found = clone.review(policy="all")

    assert found.publish == [run]
    assert [commit.subject for commit in found.commits] == ["Merge branch 'side'", "Here"]
    assert found.findings == []


def test_no_candidates_make_no_review(clone: Clone) -> None:
    """A push with nothing new asks nothing and starts nothing."""
    assert clone.review(candidates=[]).publish == []


def test_a_review_of_a_head_that_is_public_lets_it_go(clone: Clone) -> None:
    """Nothing of it is new."""
    run = clone.run("public")
    clone.publish()

    assert clone.review().publish == [run]


def test_candidates_are_values() -> None:
    """Two that say the same are the same."""
    assert Candidate("1" * 32, "calm-owl", ("a" * 40,)) == Candidate("1" * 32, "calm-owl", ("a" * 40,), 0)
