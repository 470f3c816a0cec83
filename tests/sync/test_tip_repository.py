"""``tip.git``: commits without their parents, beside a clone that never depends on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.servers import git_daemon, http_backend
from tests.sync.tip_kit import LEDGER, check_clone, log_run, make_host, publish, user_state

from ledgit.errors import ConfigError, NotFound, NotHere
from ledgit.git import Objects, Repo, list_refs, read_ref
from ledgit.git.batch import BatchReader
from ledgit.git.copying import copy_objects
from ledgit.git.helper import Helper, helper_objects, reading_environment
from ledgit.store import Folder
from ledgit.store.sync.ondemand import fetch_run, forget_runs, missing_heads, take_in
from ledgit.store.sync.remote import find_remote
from ledgit.store.sync.tip import FETCHED, discard_tip, fetch_tip, is_intact, open_tip, tidy_tip, wanted


class Clone:
    """A clone and what its parts are called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repo = Repo.discover(str(path))
        self.folder = Folder.of(self.repo)
        self.remote = find_remote(self.repo)

    def fetch_ledger(self) -> str:
        helper = open_tip(self.repo, self.folder)
        assert fetch_tip(helper, self.folder, self.remote, [f"{LEDGER}:{self.remote.tracking}"])
        tip = read_ref(helper, self.remote.tracking)
        assert tip is not None
        return tip

    @property
    def helper(self) -> Helper:
        return Helper(self.repo)


@pytest.fixture
def host(tmp_path: Path, repo: Path) -> Path:
    """The host of *repo*: three commits of code, two runs, the second one on the newest commit."""
    path = make_host(tmp_path)
    log_run(repo, "first", artifact="one")
    for number in range(2):
        (repo / "train.py").write_text(f"print({number})\n")
        run_git(repo, "commit", "-q", "-a", "-m", f"change {number}")
    log_run(repo, "second", artifact="two")
    publish(repo, path)
    run_git(repo, "push", "-q", str(path), "main")
    return path


@pytest.fixture(params=["file", "daemon", "http"])
def url(request: pytest.FixtureRequest, host: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{host}"
    elif request.param == "daemon":
        with git_daemon(host.parent) as base:
            yield f"{base}/{host.name}"
    else:
        run_git(host, "config", "http.receivepack", "true")
        with http_backend(host.parent) as base:
            yield f"{base}/{host.name}"


@pytest.fixture
def shallow(tmp_path: Path, url: str) -> Clone:
    """A clone with one commit of history."""
    run_git(tmp_path, "clone", "-q", "--depth=1", url, "shallow")
    return Clone(tmp_path / "shallow")


def heads_of(host: Path) -> list[str]:
    """The run commits that the host's ledger names, oldest run first."""
    heads = run_git(host, "rev-list", "-1", "--format=%P", "--no-commit-header", LEDGER).split()
    return sorted(heads, key=lambda head: run_git(host, "show", f"{head}:.ledgit/run/artifacts/notes.txt"))


def test_the_tip_comes_without_its_history(shallow: Clone, host: Path) -> None:
    """One commit and its table; the user's clone is as before."""
    before = user_state(shallow.path)

    tip = shallow.fetch_ledger()

    assert run_git(host, "rev-parse", LEDGER) == tip
    assert run_git(shallow.helper.common_dir, "rev-list", "--count", tip) == "1"  # type: ignore[arg-type]
    assert before == user_state(shallow.path)
    assert [] == [name for name in list_refs(shallow.repo, "refs/ledgit/") if "incoming" in name]
    check_clone(shallow.path)


def test_a_second_fetch_brings_what_is_new(shallow: Clone, host: Path, repo: Path) -> None:
    """A refresh follows the ledger."""
    shallow.fetch_ledger()
    log_run(repo, "third")
    tip = publish(repo, host)

    assert tip == shallow.fetch_ledger()
    assert is_intact(shallow.helper)
    check_clone(shallow.path)


def test_reading_sees_what_was_fetched_beside(shallow: Clone) -> None:
    """By pygit2, by cat-file and by a batch process; the clone's own store has none of it."""
    objects = Objects(shallow.repo)
    objects.exists("1" * 40)
    tip = shallow.fetch_ledger()

    with BatchReader(shallow.repo) as reader:
        found = reader.read(f"{tip}:README.md")

    assert found is not None
    assert tip == objects.commit(tip).oid
    assert not Objects(shallow.repo, own=True).exists(tip)
    with pytest.raises(NotFound):
        Objects(shallow.repo, own=True).commit(tip)


def test_an_open_reader_survives_that_it_is_thrown_away(shallow: Clone) -> None:
    """What is gone is not found, what the clone has is, and what comes again is found again."""
    objects = Objects(shallow.repo)
    tip = shallow.fetch_ledger()
    assert objects.exists(tip)
    discard_tip(shallow.repo, shallow.folder)
    code = run_git(shallow.path, "rev-parse", "HEAD")

    assert objects.exists(code)
    assert not Objects(shallow.repo).exists(tip)
    assert {} == reading_environment(shallow.repo)

    shallow.fetch_ledger()

    assert objects.exists(tip)


def test_a_path_with_a_colon_is_read(tmp_path: Path, host: Path) -> None:
    """Git parts the list of other stores by colons."""
    run_git(tmp_path, "clone", "-q", "--depth=1", f"file://{host}", 'a:"b')
    clone = Clone(tmp_path / 'a:"b')
    tip = clone.fetch_ledger()

    with BatchReader(clone.repo) as reader:
        assert reader.read(tip) is not None


@pytest.mark.parametrize("harm", ["HEAD", "config", "objects/info/alternates", "objects"])
def test_one_that_is_not_what_it_was_is_made_anew(shallow: Clone, harm: str) -> None:
    """Whatever happened to it, nothing in it is needed."""
    tip = shallow.fetch_ledger()
    path = Path(shallow.helper.git_dir, harm)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.write_text("nonsense")

    assert tip == shallow.fetch_ledger()
    assert is_intact(shallow.helper)


def test_one_that_lost_objects_is_fetched_again(shallow: Clone) -> None:
    """As after a disk error, or when the clone dropped what both had."""
    shallow.fetch_ledger()
    for path in Path(shallow.helper.objects_dir).rglob("*"):
        if path.is_file() and path.name != "alternates":
            path.unlink()

    tip = shallow.fetch_ledger()

    assert is_intact(shallow.helper)
    assert Objects(shallow.repo).exists(tip)


def test_the_lock_of_a_killed_git_is_in_nobodys_way(shallow: Clone) -> None:
    """Git itself would ask the user to remove it."""
    shallow.fetch_ledger()
    Path(shallow.helper.git_dir, "shallow.lock").write_text("")

    assert shallow.fetch_ledger()


def test_processes_that_make_it_at_once_share_one(shallow: Clone) -> None:
    """The first one's stays, and all have the tip."""
    code = (
        "import sys; sys.path.insert(0, '.');"
        "from pathlib import Path; from tests.sync.test_tip_repository import Clone;"
        "print(Clone(Path(sys.argv[1])).fetch_ledger())"
    )
    root = Path(__file__).parents[2]
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(shallow.path)], cwd=root, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = {child.communicate(timeout=60)[0].strip() for child in children}

    assert [0] * 4 == [child.returncode for child in children]
    assert said == {shallow.fetch_ledger()}
    assert ["tip.git", "tip.lock"] == sorted(name for name in os.listdir(shallow.folder.path) if name.startswith("tip"))


def test_a_run_is_fetched_whole_when_asked_for(shallow: Clone, host: Path) -> None:
    """Its code and its artifacts, and nothing of its code's history."""
    shallow.fetch_ledger()
    heads = heads_of(host)
    before = user_state(shallow.path)
    assert heads == missing_heads(shallow.repo, heads)

    fetched = fetch_run(shallow.repo, shallow.folder, heads, shallow.remote)

    assert heads == fetched
    assert [] == missing_heads(shallow.repo, heads)
    files = [Objects(shallow.repo).files(head) for head in heads]
    assert [b"one", b"two"] == [found[".ledgit/run/artifacts/notes.txt"] for found in files]
    assert [b"print('train')\n", b"print(1)\n"] == [found["train.py"] for found in files]
    assert [] == fetch_run(shallow.repo, shallow.folder, heads, shallow.remote)
    assert before == user_state(shallow.path)
    check_clone(shallow.path)


def test_a_fetched_run_comes_back_after_the_clone_dropped_what_both_had(tmp_path: Path, host: Path) -> None:
    """Files that a branch of the clone had were not sent; the branch went, and git cleaned up."""
    run_git(tmp_path, "clone", "-q", "--single-branch", f"file://{host}", "clone")
    clone = Clone(tmp_path / "clone")
    head = heads_of(host)[1]
    fetch_run(clone.repo, clone.folder, [head], clone.remote)
    run_git(clone.path, "checkout", "-q", "--orphan", "other")
    run_git(clone.path, "rm", "-q", "-r", "-f", ".")
    run_git(clone.path, "commit", "-q", "--allow-empty", "-m", "anew")
    for ref in ("refs/heads/main", "refs/remotes/origin/main", "refs/remotes/origin/HEAD"):
        run_git(clone.path, "update-ref", "--no-deref", "-d", ref)
    run_git(clone.path, "reflog", "expire", "--expire=now", "--all")
    run_git(clone.path, "gc", "-q", "--prune=now")
    assert not is_intact(clone.helper)

    fetch_run(clone.repo, clone.folder, [head], clone.remote)

    assert is_intact(clone.helper)
    assert b"print(1)\n" == Objects(clone.repo).files(head)["train.py"]


@pytest.mark.parametrize("version", ["0", "2"])
def test_a_host_that_hands_out_no_single_commits_gives_the_whole_ledger(
    shallow: Clone, host: Path, version: str
) -> None:
    """Git's older protocols refuse a commit that no ref names; progress says what is done about it."""
    run_git(shallow.path, "config", "protocol.version", version)
    clone = Clone(shallow.path)
    clone.fetch_ledger()
    told: list[str] = []
    heads = heads_of(host)

    fetch_run(clone.repo, clone.folder, heads[:1], clone.remote, lambda what, done, total: told.append(what))

    assert b"one" == Objects(clone.repo).files(heads[0])[".ledgit/run/artifacts/notes.txt"]
    assert (version == "0") == any("hands out no single runs" in what for what in told)
    assert (version == "0") == Objects(clone.repo).exists(heads[1])
    tip = clone.fetch_ledger()
    assert Objects(clone.repo).exists(tip)
    assert is_intact(clone.helper)
    check_clone(clone.path)


def test_a_run_that_the_host_lost_is_told_by_name(shallow: Clone) -> None:
    """Not as a failure of git."""
    shallow.fetch_ledger()

    with pytest.raises(NotHere, match=r"commit 111111111111 is not in this clone: origin doesn't have it any more"):
        fetch_run(shallow.repo, shallow.folder, ["1" * 40], shallow.remote)


def test_what_was_purged_is_forgotten(shallow: Clone, host: Path) -> None:
    """No object of the run's own stays behind."""
    shallow.fetch_ledger()
    heads = heads_of(host)
    fetch_run(shallow.repo, shallow.folder, heads, shallow.remote)
    objects = Objects(shallow.repo)
    message = objects.commit(heads[0]).message.splitlines()
    run_id = next(line.removeprefix("Ledgit-Run: ") for line in message if line.startswith("Ledgit-Run: "))

    forget_runs(shallow.repo, shallow.folder, [run_id])

    left = Objects(shallow.repo)
    assert [heads[0]] == missing_heads(shallow.repo, heads)
    assert [FETCHED + heads[1]] == list(list_refs(shallow.helper, FETCHED))
    assert left.exists(heads[1])
    assert is_intact(shallow.helper)


def test_a_run_can_be_taken_into_the_clone_itself(shallow: Clone, host: Path) -> None:
    """With the history of its code, so that a commit can be put on top of it; it outlives git's cleaning."""
    before = user_state(shallow.path)
    heads = heads_of(host)
    fetch_run(shallow.repo, shallow.folder, heads[:1], shallow.remote)

    take_in(shallow.repo, shallow.folder, heads, shallow.remote)

    run_git(shallow.path, "gc", "-q", "--prune=now")
    discard_tip(shallow.repo, shallow.folder)
    own = Objects(shallow.repo, own=True)
    assert all(own.exists(head) for head in heads)
    assert b"print('train')\n" == own.files(heads[0])["train.py"]
    assert before == user_state(shallow.path)
    assert {LEDGER} == set(list_refs(shallow.repo, "refs/ledgit/"))
    check_clone(shallow.path)


@pytest.mark.parametrize("count", [10, 300])
def test_copied_objects_need_the_other_store_no_more(tmp_path: Path, repo: Path, count: int) -> None:
    """Few of them become a pack of ours, many go from git to git; both are kept until released."""
    other = tmp_path / "other"
    run_git(tmp_path, "init", "-q", "other")
    for number in range(count):
        (other / f"{number}").write_text(f"{number}\n" * 50)
    run_git(other, "add", ".")
    tree = run_git(other, "write-tree")
    source = Objects(Repo.discover(str(other)))
    target = Repo.discover(str(repo))

    pack = copy_objects(source, target, [tree, *(entry.oid for entry in source.tree(tree))])

    assert Path(pack.path + ".keep").read_bytes().startswith(b"ledgit:")
    run_git(repo, "gc", "-q", "--prune=now")
    assert count == len(Objects(target, own=True).files(tree))
    pack.release()
    assert not Path(pack.path + ".keep").exists()


def test_many_refreshes_leave_few_files(shallow: Clone, repo: Path, host: Path) -> None:
    """What the tip no longer reaches goes when it has piled up."""
    old = shallow.fetch_ledger()
    log_run(repo, "third")
    publish(repo, host)
    tip = shallow.fetch_ledger()

    tidy_tip(shallow.helper, shallow.folder, now=True)

    assert is_intact(shallow.helper)
    assert Objects(shallow.repo).exists(tip)
    assert not Objects(shallow.repo).exists(old)


def test_settings_of_the_clone_count_and_are_not_copied(shallow: Clone) -> None:
    """As the access token that a CI service leaves in the clone."""
    run_git(shallow.path, "config", "http.https://example.org/.extraHeader", "X-Token: it's 1")
    run_git(shallow.path, "config", "remote.origin.promisor", "false")
    clone = Clone(shallow.path)
    helper = open_tip(clone.repo, clone.folder)
    from ledgit.git import run_git as run

    value = run(helper, "config", "http.https://example.org/.extraheader").decode().strip()

    assert "X-Token: it's 1" == value
    assert "X-Token" not in Path(helper.git_dir, "config").read_text()
    assert b"" == run(helper, "config", "--get-regexp", "^remote", check=False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], False),
        (["--depth=1"], True),
        (["--depth=1", "--no-single-branch"], True),
        (["--single-branch"], True),
        (["--filter=blob:none"], True),
        (["--mirror"], False),
    ],
)
def test_clones_that_lack_something_get_the_tip_alone(
    tmp_path: Path, host: Path, options: list[str], expected: bool
) -> None:
    """Unless `ledgit.fetch` says what they get."""
    run_git(host, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", *options, f"file://{host}", "other")
    path = tmp_path / "other"

    assert expected == wanted(Repo.discover(str(path)))
    for mode in ("full", "tip"):
        run_git(path, "config", "ledgit.fetch", mode)
        assert (mode == "tip") == wanted(Repo.discover(str(path)))
    run_git(path, "config", "ledgit.fetch", "some")
    with pytest.raises(ConfigError, match="expected auto, full or tip"):
        wanted(Repo.discover(str(path)))


def test_a_partial_clone_stays_as_it_was(tmp_path: Path, host: Path) -> None:
    """No filter is written for the user's own fetches, and files it lacks are fetched with the run."""
    run_git(host, "config", "uploadpack.allowFilter", "true")
    run_git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{host}", "partial")
    clone = Clone(tmp_path / "partial")
    before = user_state(clone.path)
    clone.fetch_ledger()
    heads = heads_of(host)

    fetch_run(clone.repo, clone.folder, heads, clone.remote)

    assert is_intact(clone.helper)
    assert b"print(1)\n" == Objects(clone.repo).files(heads[1])["train.py"]
    assert before == user_state(clone.path)
    assert helper_objects(clone.repo) is not None
    run_git(clone.path, "fsck", "--strict", "--no-dangling")


def test_a_deepened_clone_is_told_of_no_more(shallow: Clone) -> None:
    """The lines that said where its history ended go with the next fetch."""
    shallow.fetch_ledger()
    cut = (shallow.path / ".git" / "shallow").read_text().strip()
    assert cut in Path(shallow.helper.git_dir, "shallow").read_text()

    run_git(shallow.path, "fetch", "-q", "--unshallow")
    shallow.fetch_ledger()

    assert cut not in Path(shallow.helper.git_dir, "shallow").read_text()
    assert is_intact(shallow.helper)
    check_clone(shallow.path)
