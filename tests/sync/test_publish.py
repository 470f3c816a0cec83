"""What a push would publish, and what it takes for it to go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sync.publish_kit import Clone

from ledgit.errors import ConfigError, MissingDependency
from ledgit.store.edit import Edit, edit_run
from ledgit.store.sync.ask import forget, remembered
from ledgit.store.sync.held import REFUSED, SECRET, SIZE, UNPUSHED, Held, hold, read_held
from ledgit.store.sync.publish import Answer, Candidate, Question
from ledgit.store.sync.remote import find_remote

Git = Callable[..., str]
TOKEN = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iLx5y6"


@pytest.fixture
def clone(repo: Path, git: Git, tmp_path: Path) -> Clone:
    """A clone whose branch is on its remote."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(repo, "remote", "add", "origin", str(remote))
    git(repo, "push", "-q", "-u", "origin", "main")
    return Clone(repo, git)


class Asked:
    """Answers the question, and remembers what it was."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.questions: list[Question] = []

    def __call__(self, question: Question) -> Answer:
        self.questions.append(question)
        return self.answer


# --- code


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


# --- secrets


def test_a_secret_holds_its_run_and_no_other(clone: Clone) -> None:
    """The reason names file, line, kind and first characters; never the secret."""
    first = clone.run("first")
    bad = clone.run("bad", params={"lr": 0.1, "password": "hunter2"})
    last = clone.run("last")

    found = clone.review()

    assert found.publish == [first, last]
    (finding,) = found.findings
    assert (finding.runs, finding.path, finding.line) == ((bad,), ".ledgit/run/params.yaml", 2)
    held = found.held[bad]
    assert held.kind == SECRET
    assert "params.yaml:2" in held.reason
    assert "--allow-secret" in held.reason
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"tags": {"url": "https://ada:hunter2@example.org/x"}}, ".ledgit/run/tags.yaml"),
        ({"params": {"hf": "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0iLmN"}}, ".ledgit/run/params.yaml"),
        ({"files": {"logs/out.txt": f"using {TOKEN}\n"}}, ".ledgit/run/artifacts/logs/out.txt"),
    ],
)
def test_values_and_files_of_a_run_are_scanned(clone: Clone, options: dict[str, object], path: str) -> None:
    """Whatever a run logs becomes public with it."""
    run = clone.run("bad", **options)  # type: ignore[arg-type]

    found = clone.review()

    assert list(found.held) == [run]
    assert [finding.path for finding in found.findings] == [path]


def test_uncommitted_changes_are_scanned(clone: Clone) -> None:
    """A token typed into train.py for an afternoon."""
    clone.write(train__py=f"import x\nx.login('{TOKEN}')\n")
    bad = clone.run("bad")

    found = clone.review(policy="all")

    assert (found.findings[0].runs, found.findings[0].path, found.findings[0].line) == ((bad,), "train.py", 2)
    assert found.findings[0].kind == "a GitHub token"


def test_what_a_later_commit_removed_is_found(clone: Clone) -> None:
    """In code as well as in the tags of a run: history is pushed too."""
    clone.commit("Oops", leak__py=f"token = '{TOKEN}'\n")
    clone.git(clone.path, "rm", "-q", "leak.py")
    clone.git(clone.path, "commit", "-q", "-m", "Remove it")
    code = clone.run("code")
    clone.git(clone.path, "push", "-q", "origin", "main~2:refs/heads/old")
    tagged = clone.run("tagged", tags={"password": "hunter2"})
    edit_run(clone.repo, clone.folder, tagged, Edit(delete_tags=("password",)))

    found = clone.review(policy="all")

    assert set(found.held) == {code, tagged}
    by_path = {finding.path: finding.runs for finding in found.findings}
    assert by_path["leak.py"] == (code, tagged)
    assert by_path[".ledgit/run/tags.yaml"] == (tagged,)


def test_commit_messages_are_scanned(clone: Clone) -> None:
    """They are pushed with the code."""
    clone.commit(f"Log in with {TOKEN}")
    run = clone.run("told")

    found = clone.review(policy="all")

    assert list(found.held) == [run]
    assert found.findings[0].path == "commit message"


def test_what_is_public_already_is_not_held_against_a_run(clone: Clone) -> None:
    """A public file that is moved, or was there before."""
    clone.commit("Test data", sample__py=f"token = '{TOKEN}'\n")
    clone.git(clone.path, "push", "-q", "origin", "main")
    same = clone.run("same")
    (clone.path / "sample.py").rename(clone.path / "moved.py")
    moved = clone.run("moved")

    found = clone.review(policy="all")

    assert found.publish == [same, moved]
    assert found.findings == []


def test_a_finding_can_be_let_through(clone: Clone) -> None:
    """For a run by the call, for a line by a remark, for paths and texts by the committed configuration."""
    clone.write(train__py=f"token = '{TOKEN}'\n")
    run = clone.run("bad")
    assert clone.review(policy="all").publish == []

    allowed = clone.review(policy="all", allow_secrets=[run])
    assert allowed.publish == [run]
    assert allowed.findings[0].allowed

    assert clone.review(policy="all", scan=False).publish == [run]
    for pattern in ("train.py", "re:ghp_.*"):
        (clone.path / ".ledgit").mkdir(exist_ok=True)
        (clone.path / ".ledgit" / "config.yaml").write_text(f"secrets:\n  allow: ['{pattern}']\n")
        assert clone.review(policy="all").publish == [run]
    (clone.path / ".ledgit" / "config.yaml").write_text("secrets: yes\n")
    with pytest.raises(ConfigError, match="secrets"):
        clone.review(policy="all")

    clone.git(clone.path, "config", "ledgit.secretScan", "false")
    assert clone.review(policy="all").publish == [run]


def test_the_scan_says_how_far_it_is(clone: Clone) -> None:
    """For a bar, where there is much to scan."""
    clone.run("one")
    told: list[tuple[str, int, int | None]] = []

    clone.review(progress=lambda *step: told.append(step))

    assert told
    assert all(done <= (total or 0) for _, done, total in told)


def test_a_large_text_is_named_not_scanned(clone: Clone) -> None:
    """And the run goes."""
    clone.commit("Data", big__csv="1,2\n" * 1_400_000)
    clone.git(clone.path, "config", "ledgit.publish", "all")
    run = clone.run("big")

    found = clone.review()

    assert found.publish == [run]
    assert any("big.csv" in note and "not scanned" in note for note in found.notes)


# --- sizes


def test_a_file_larger_than_the_host_takes_holds_its_run(clone: Clone) -> None:
    """The reason names the file and its size; other runs go."""
    fine = clone.run("fine")
    clone.git(clone.path, "config", "ledgit.maxObjectSize", "1m")
    clone.commit("Weights", weights__bin="x" * (2 << 20))
    large = clone.run("large")

    found = clone.review(policy="all")

    assert found.publish == [fine]
    assert found.held[large].kind == SIZE
    assert "weights.bin is 2 MB" in found.held[large].reason

    clone.git(clone.path, "config", "ledgit.maxObjectSize", "0")
    assert clone.review(policy="all").publish == [fine, large]


def test_a_large_file_on_a_known_host_is_remarked_upon(clone: Clone) -> None:
    """GitHub refuses 100 MB and advises against 50."""
    clone.git(clone.path, "remote", "set-url", "origin", "https://github.com/owner/repo.git")
    size = 52 << 20
    with (clone.path / "w.bin").open("wb") as file:
        file.truncate(size)
    clone.git(clone.path, "config", "ledgit.snapshotMaxFile", "60m")
    run = clone.run("large")

    found = clone.review(policy="all")

    assert found.publish == [run]
    assert [note for note in found.notes if "w.bin is 52 MB" in note and "GitHub" in note]


# --- runs that depend on others


def test_a_run_started_from_a_held_run_stays_with_it(clone: Clone) -> None:
    """Its commit would bring the other one's along."""
    bad = clone.run("bad", params={"password": "hunter2"})
    head = next(run for run in clone.candidates() if run.id == bad).heads[0]
    clone.git(clone.path, "checkout", "-q", "--detach", head)
    child = clone.run("child")
    clone.git(clone.path, "checkout", "-q", "main")
    fine = clone.run("fine")

    found = clone.review()

    assert found.publish == [fine]
    assert found.held[child].kind == SECRET
    assert found.carried == {child: {bad}}


def test_a_run_that_the_host_refused_stays_until_it_changes(clone: Clone) -> None:
    """The host would refuse it again; what was started from it stays as well."""
    refused = clone.run("refused")
    head = next(run for run in clone.candidates() if run.id == refused).heads
    clone.git(clone.path, "checkout", "-q", "--detach", head[0])
    child = clone.run("child")
    clone.git(clone.path, "checkout", "-q", "main")
    note = Held(head, "the host said no", REFUSED, 1, "origin")
    hold(clone.folder, {refused: note})

    found = clone.review()
    assert found.publish == []
    assert found.held[refused] == note
    assert "started from the code of run refused" in found.held[child].reason

    edit_run(clone.repo, clone.folder, refused, Edit(set_tags={"a": "b"}))
    assert set(clone.review().publish) == {refused, child}


def test_no_candidates_make_no_review(clone: Clone) -> None:
    """A push with nothing new asks nothing and starts nothing."""
    assert clone.review(candidates=[]).publish == []


def test_only_the_new_run_is_scanned(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """With other runs on the remote, a push of one reads that run's files alone."""
    import ledgit.store.sync.secrets as secrets

    for number in range(5):
        clone.run(f"old {number}", params={"number": number})
    clone.publish()
    run = clone.run("new", params={"number": 99})
    scanned: list[str] = []
    scan = secrets.scan_blob

    def watched(path: str, data: bytes) -> list[secrets.Hit]:
        scanned.append(path)
        return scan(path, data)

    monkeypatch.setattr(secrets, "scan_blob", watched)

    found = clone.review(candidates=[new for new in clone.candidates() if new.id == run])

    assert found.publish == [run]
    assert len(scanned) == len(set(scanned))
    assert sum(path.endswith("params.yaml") for path in scanned) == 1


def test_a_review_of_a_head_that_is_public_lets_it_go(clone: Clone) -> None:
    """Nothing of it is new."""
    run = clone.run("public")
    clone.publish()

    assert clone.review().publish == [run]


def test_candidates_are_values() -> None:
    """Two that say the same are the same."""
    assert Candidate("1" * 32, "calm-owl", ("a" * 40,)) == Candidate("1" * 32, "calm-owl", ("a" * 40,), 0)


def test_a_thorough_scan_knows_more_kinds(clone: Clone) -> None:
    """By a library's rules, on top of ours, and with the same excuses."""
    token = "rubygems_" + "0123456789abcdef" * 3
    clone.write(train__py=f"key = '{token}'\n")
    run = clone.run("odd")
    assert clone.review(policy="all").publish == [run]

    clone.git(clone.path, "config", "ledgit.secretScan", "thorough")
    found = clone.review(policy="all")

    assert list(found.held) == [run]
    assert found.findings[0].line == 1
    assert "Kingfisher" in found.held[run].reason
    assert token not in repr(found)


def test_a_thorough_scan_without_its_library_says_what_to_install(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than scan less than was asked for."""
    clone.run("any")
    clone.git(clone.path, "config", "ledgit.secretScan", "thorough")
    monkeypatch.setitem(sys.modules, "kingfisher_sdk", None)

    with pytest.raises(MissingDependency, match=r"ledgit\[secrets\]"):
        clone.review()


def test_an_impossible_setting_of_the_scan_is_said(clone: Clone) -> None:
    """A typing error must not switch the scan off."""
    clone.run("any")
    clone.git(clone.path, "config", "ledgit.secretScan", "thorogh")

    with pytest.raises(ConfigError, match=r"(?i)ledgit\.secretScan"):
        clone.review()
