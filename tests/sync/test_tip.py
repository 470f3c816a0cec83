"""Clones that have the ledger's tip alone list, query, compact and push as full ones do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.servers import git_daemon
from tests.sync.tip_kit import LEDGER, check_clone, log_run, make_host, user_state

from ledgit.errors import NotHere
from ledgit.git import Objects, Repo, read_ref
from ledgit.git.helper import Helper
from ledgit.repository import Repository
from ledgit.store import Edit, Folder
from ledgit.store.ledger import compact, local_ledger
from ledgit.store.settle import settle_all
from ledgit.store.sync.ondemand import missing_heads, take_in
from ledgit.store.sync.pull import Pulled, pull
from ledgit.store.sync.push import Pushed, PushOptions, push
from ledgit.store.sync.remote import find_remote
from ledgit.store.sync.tip import discard_tip, is_intact, tip_exists


class Clone:
    """A clone as a user has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repo = Repo.discover(str(path))
        self.folder = Folder.of(self.repo)

    def pull(self) -> Pulled:
        settle_all()
        return pull(self.repo, self.folder, find_remote(self.repo))

    def push(self) -> Pushed:
        settle_all()
        done = push(self.repo, self.folder, find_remote(self.repo), PushOptions(policy="all"))
        assert {} == done.held
        return done

    def log(self, name: str) -> str:
        return log_run(self.path, name, artifact=name)

    @property
    def repository(self) -> Repository:
        return Repository(self.repo)

    def names(self) -> list[str]:
        return sorted(run.name for run in self.repository.runs)

    def tree(self) -> str:
        tip = local_ledger(self.repo)
        assert tip is not None
        return Objects(self.repo, own=True).commit(tip).tree

    def check(self) -> None:
        """Everything that the clone's ledger needs is in the clone itself."""
        check_clone(self.path)
        run_git(self.path, "rev-list", "--objects", "--quiet", LEDGER)


@pytest.fixture
def host(tmp_path: Path, repo: Path) -> Path:
    path = make_host(tmp_path)
    run_git(repo, "remote", "add", "origin", str(path))
    for number in range(2):
        (repo / "train.py").write_text(f"print({number})\n")
        run_git(repo, "commit", "-q", "-a", "-m", f"change {number}")
    run_git(repo, "push", "-q", "origin", "main")
    return path


@pytest.fixture
def full(repo: Path, host: Path) -> Clone:
    """A full clone that has pushed two runs."""
    clone = Clone(repo)
    clone.log("first")
    clone.log("second")
    clone.push()
    return clone


@pytest.fixture
def url(host: Path) -> Iterator[str]:
    with git_daemon(host.parent) as base:
        yield f"{base}/{host.name}"


def make_clone(folder: Path, url: str, name: str, *options: str) -> Clone:
    run_git(folder, "clone", "-q", *options, url, name)
    return Clone(folder / name)


@pytest.fixture
def shallow(tmp_path: Path, full: Clone, url: str) -> Clone:
    return make_clone(tmp_path, url, "shallow", "--depth=1")


def test_a_shallow_clone_lists_and_queries_what_was_pushed(shallow: Clone, full: Clone) -> None:
    """After one pull, without the runs' commits, and offline."""
    before = user_state(shallow.path)

    pulled = shallow.pull()

    assert 2 == len(pulled.changes.new)
    assert ["first", "second"] == shallow.names()
    assert ["first"] == [run.name for run in shallow.repository.runs.filter("attributes.run_name = 'first'")]
    heads = [head for run in shallow.repository.runs for head in run.heads]
    assert heads == missing_heads(shallow.repo, heads)
    assert full.tree() == shallow.tree()
    assert before == user_state(shallow.path)
    shallow.check()


def test_answers_are_the_same_without_the_helper_repository(shallow: Clone) -> None:
    """It can be deleted at any time; the next pull makes it again and changes nothing."""
    shallow.pull()
    ledger = local_ledger(shallow.repo)
    discard_tip(shallow.repo, shallow.folder)

    assert ["first", "second"] == shallow.names()
    assert not shallow.pull().changes
    assert ledger == local_ledger(shallow.repo)
    assert tip_exists(shallow.repo)


def test_git_cleans_up_around_it(shallow: Clone) -> None:
    """What the clone's ledger names is the clone's own."""
    shallow.pull()
    run_git(shallow.path, "gc", "-q", "--prune=now")
    run_git(shallow.path, "repack", "-a", "-d", "-q")
    discard_tip(shallow.repo, shallow.folder)

    assert ["first", "second"] == shallow.names()
    shallow.check()


def test_new_runs_follow_with_each_pull(shallow: Clone, full: Clone) -> None:
    """Only what is new is copied, and the table stays the remote's."""
    shallow.pull()
    for name in ("third", "fourth"):
        full.log(name)
        full.push()

        assert 1 == len(shallow.pull().changes.new)
        assert full.tree() == shallow.tree()
    assert ["first", "fourth", "second", "third"] == shallow.names()
    shallow.check()


def test_runs_are_pushed_from_a_shallow_clone(shallow: Clone, full: Clone, host: Path) -> None:
    """Whole, with everything a full clone needs; the loose copy goes, the commit stays."""
    shallow.pull()
    run_id = shallow.log("from CI")
    before = user_state(shallow.path)

    pushed = shallow.push()

    assert [run_id] == pushed.sent.new
    assert None is read_ref(shallow.repo, f"refs/ledgit/runs/{run_id}")
    assert before == user_state(shallow.path)
    run_git(shallow.path, "gc", "-q", "--prune=now")
    shallow.check()
    run = shallow.repository.run("from CI")
    assert b"from CI" == run.read_artifact("notes.txt")
    run_git(host, "fsck", "--strict")
    full.pull()
    assert b"from CI" == full.repository.run("from CI").read_artifact("notes.txt")
    assert full.tree() == shallow.tree()


def test_a_push_without_a_pull_before_works(shallow: Clone, full: Clone) -> None:
    """It fetches by itself."""
    shallow.log("from CI")

    shallow.push()

    full.pull()
    assert ["first", "from CI", "second"] == full.names() == shallow.names()
    assert full.tree() == shallow.tree()


def test_the_first_runs_of_a_repository_come_from_a_shallow_clone(tmp_path: Path, host: Path, url: str) -> None:
    """There is no ledger to stand on yet."""
    clone = make_clone(tmp_path, url, "shallow", "--depth=1")
    assert clone.pull().empty
    clone.log("only")

    clone.push()

    other = make_clone(tmp_path, url, "other")
    other.pull()
    assert ["only"] == other.names()
    clone.check()


def test_compaction_goes_on_as_usual(shallow: Clone, full: Clone) -> None:
    """The clone's own ledger has the table, and grows by what is logged."""
    shallow.pull()
    shallow.log("third")
    settle_all()

    assert 1 == len(compact(shallow.repo, shallow.folder).runs)

    discard_tip(shallow.repo, shallow.folder)
    assert ["first", "second", "third"] == shallow.names()
    shallow.check()
    shallow.push()
    full.pull()
    assert full.tree() == shallow.tree()


def test_a_run_of_others_is_edited_after_its_commit_was_taken_in(shallow: Clone, full: Clone) -> None:
    """The edit stands on the run, and that on its code, all in the clone."""
    shallow.pull()
    run = shallow.repository.run("first")

    take_in(shallow.repo, shallow.folder, run.heads)
    shallow.repository.edit(run.state, Edit(set_tags={"reviewed": "yes"}))

    shallow.check()
    shallow.push()
    full.pull()
    assert {"reviewed": "yes"} == full.repository.run("first").tags
    assert full.tree() == shallow.tree()
    shallow.check()


def test_an_edit_elsewhere_of_an_own_run_keeps_it(shallow: Clone, full: Clone) -> None:
    """The newer head is not here; the commit that was made here stays all the same."""
    shallow.pull()
    run_id = shallow.log("mine")
    shallow.push()
    head = shallow.repository.run("mine").head
    full.pull()
    full.repository.edit(full.repository.run("mine").state, Edit(name="theirs"))
    full.push()

    shallow.pull()

    run_git(shallow.path, "gc", "-q", "--prune=now")
    assert "theirs" == shallow.repository.run(run_id).name
    assert head is not None
    assert Objects(shallow.repo, own=True).exists(head)
    shallow.check()


_PUSH = """
import sys; sys.path.insert(0, '.')
from pathlib import Path
from tests.sync.test_tip import Clone
clone = Clone(Path(sys.argv[1]))
clone.log(sys.argv[2])
clone.push()
"""


def test_ci_jobs_push_at_once(tmp_path: Path, full: Clone, url: str) -> None:
    """Every run arrives, whoever comes first."""
    clones = [make_clone(tmp_path, url, f"job{number}", "--depth=1") for number in range(3)]
    root = Path(__file__).parents[2]
    jobs = [
        subprocess.Popen([sys.executable, "-c", _PUSH, str(clone.path), f"job {number}"], cwd=root)
        for number, clone in enumerate(clones)
    ]
    assert [0, 0, 0] == [job.wait(timeout=120) for job in jobs]

    full.push()

    assert ["first", "job 0", "job 1", "job 2", "second"] == full.names()
    for clone in clones:
        clone.pull()
        clone.check()
        assert full.tree() == clone.tree()


def test_a_clone_that_was_deepened_gets_the_whole_ledger(tmp_path: Path, full: Clone, url: str) -> None:
    """The helper repository goes, and what was only listed is here."""
    shallow = make_clone(tmp_path, url, "shallow", "--depth=1", "--no-single-branch")
    shallow.pull()
    assert tip_exists(shallow.repo)
    run_git(shallow.path, "fetch", "-q", "--unshallow")
    clone = Clone(shallow.path)

    clone.pull()

    assert not tip_exists(clone.repo)
    assert b"first" == clone.repository.run("first").read_artifact("notes.txt")
    assert local_ledger(full.repo) == local_ledger(clone.repo)
    clone.check()


def test_a_full_clone_may_turn_to_the_tip_alone(full: Clone, url: str, tmp_path: Path) -> None:
    """What it has it keeps; what comes from then on is listed only."""
    other = make_clone(tmp_path, url, "other")
    run_git(full.path, "config", "ledgit.fetch", "tip")
    clone = Clone(full.path)
    other.log("third")
    other.push()

    clone.pull()

    assert ["first", "second", "third"] == clone.names()
    assert b"first" == clone.repository.run("first").read_artifact("notes.txt")
    assert not Objects(clone.repo).exists(clone.repository.run("third").heads[0])
    clone.check()
    run_git(full.path, "config", "ledgit.fetch", "full")
    clone = Clone(full.path)
    clone.pull()
    assert b"third" == clone.repository.run("third").read_artifact("notes.txt")
    clone.check()


@pytest.mark.parametrize("options", [["--single-branch"], ["--filter=blob:none"], ["--filter=tree:0", "--depth=1"]])
def test_other_clones_that_lack_something_work_alike(
    tmp_path: Path, full: Clone, host: Path, url: str, options: list[str]
) -> None:
    """And stay what they are: no filter, refspec or promise is written for them."""
    run_git(host, "config", "uploadpack.allowFilter", "true")
    clone = make_clone(tmp_path, url, "clone", *options)
    before = user_state(clone.path)
    clone.pull()
    clone.log("third")
    clone.push()

    assert ["first", "second", "third"] == clone.names()
    assert before == user_state(clone.path)
    run_git(clone.path, "fsck", "--strict", "--no-dangling")
    full.pull()
    assert b"third" == full.repository.run("third").read_artifact("notes.txt")


def test_a_ledger_that_the_remote_lost_is_not_half_restored(shallow: Clone, full: Clone, host: Path) -> None:
    """What is only listed can't be pushed; the clone's own run is, and a full clone brings back the rest."""
    shallow.pull()
    run_git(host, "update-ref", "-d", LEDGER)
    shallow.log("mine")

    shallow.push()

    run_git(host, "fsck", "--strict")
    assert ["first", "mine", "second"] == shallow.names()
    full.push()
    shallow.pull()
    assert ["first", "mine", "second"] == full.names() == shallow.names()
    assert full.tree() == shallow.tree()
    shallow.check()


def test_reading_what_is_not_here_says_so(shallow: Clone) -> None:
    """An error about the run's commit, not about Git."""
    shallow.pull()

    with pytest.raises(NotHere):
        shallow.repository.run("first").record()


def test_the_helper_repository_is_whole(shallow: Clone, full: Clone) -> None:
    """After pushes and pulls its refs reach nothing that is missing."""
    shallow.pull()
    for name in ("a", "b"):
        shallow.log(name)
        shallow.push()
        full.log(name)
        full.push()
        shallow.pull()
    assert is_intact(Helper(shallow.repo))


def test_a_damaged_helper_repository_is_no_end(shallow: Clone, full: Clone) -> None:
    """It is thrown away, and the pull goes on with a new one."""
    shallow.pull()
    objects = Path(Helper(shallow.repo).objects_dir)
    for number in range(4):
        full.log(f"run {number}")
        full.push()
        files = sorted(path for path in objects.rglob("*") if path.is_file() and "info" not in path.parts)
        for path in files[number % 3 :: 3]:
            path.unlink()

        shallow.pull()

        assert full.tree() == shallow.tree()
        shallow.check()
