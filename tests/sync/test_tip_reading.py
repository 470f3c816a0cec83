"""What a clone with the ledger's tip alone shows offline, and what it fetches when asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.servers import git_daemon
from tests.sync.test_tip import Clone, make_clone
from tests.sync.tip_kit import check_clone, make_host, user_state

from ledgit.cli import main
from ledgit.errors import NotHere, Unreachable
from ledgit.git import Objects
from ledgit.git.helper import Helper
from ledgit.records import input_refs
from ledgit.store.outline import outline
from ledgit.store.sync.ondemand import missing_heads
from ledgit.store.sync.tip import is_intact


@pytest.fixture
def host(tmp_path: Path, repo: Path) -> Path:
    """A host with three runs: one on each of two commits of code, and one with uncommitted changes."""
    path = make_host(tmp_path)
    run_git(repo, "remote", "add", "origin", str(path))
    full = Clone(repo)
    full.log("first")
    (repo / "train.py").write_text("print('second')\n")
    run_git(repo, "commit", "-q", "-a", "-m", "change")
    full.log("second")
    (repo / "train.py").write_text("print('dirty')\n")
    (repo / "new.py").write_text("new\n")
    full.log("dirty")
    run_git(repo, "push", "-q", "origin", "main")
    full.push()
    return path


@pytest.fixture
def clone(tmp_path: Path, host: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A shallow clone that has pulled, and is the working directory."""
    found = make_clone(tmp_path, f"file://{host}", "shallow", "--depth=1")
    found.pull()
    monkeypatch.chdir(found.path)
    return found


class Said:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(*words: str) -> Said:
        capsys.readouterr()
        code = main(list(words))
        return Said(code, *capsys.readouterr())

    return call


@pytest.fixture
def offline(clone: Clone, host: Path) -> None:
    """The host is gone."""
    os.rename(host, host.with_name("away"))


def test_reading_more_than_the_line_says_where_to_get_it(clone: Clone) -> None:
    """The error names the run, and the command."""
    run = clone.repository.run("first")
    for read in (run.record, run.artifacts, run.log, lambda: run.history("loss"), lambda: run.read_artifact("x")):
        with pytest.raises(NotHere, match=f"not in this clone; 'ledgit pull --run {run.id[:8]}'"):
            read()


def test_an_api_that_may_fetch_reads_everything(clone: Clone) -> None:
    """One at a time as they are read."""
    repository = clone.repository
    repository.fetch_missing = True

    run = repository.run("first")

    assert 3 == len(run.history("loss"))
    assert b"first" == run.read_artifact("notes.txt")
    assert 1 == len(run.log())
    assert 1 == len(missing_heads(clone.repo, repository.run("second").heads))


def test_a_set_of_runs_is_fetched_over_one_connection(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are."""
    calls: list[int] = []
    from ledgit.store.sync import ondemand

    real = ondemand.fetch_tip

    def counted(helper, folder, remote, specs, **options):  # type: ignore[no-untyped-def]
        calls.append(len(specs))
        return real(helper, folder, remote, specs, **options)

    monkeypatch.setattr(ondemand, "fetch_tip", counted)
    repository = clone.repository
    repository.fetch_missing = True

    histories = repository.runs.history("loss")

    assert [3] == calls
    assert [3, 3, 3] == [len(points) for points in histories.values()]


@pytest.mark.usefixtures("offline")
def test_show_and_diff_need_no_network(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """They show what the ledger says, and how to get the rest."""
    shown = cli("show", "first")
    compared = cli("diff", "first", "second")
    listed = cli("ls")

    assert 0 == shown.code == listed.code == compared.code
    assert "loss  0.333333    0.33333 to 1" in shown.out
    assert "--fetch" in shown.err
    assert "--fetch" in compared.err
    assert "notes.txt" not in compared.out
    assert "first" in listed.out


def test_what_is_asked_for_is_fetched_once(clone: Clone, cli, host: Path) -> None:  # type: ignore[no-untyped-def]
    """Afterwards it is there without a network."""
    assert "notes.txt" in cli("show", "first", "--fetch").out
    compared = cli("diff", "first", "second", "--fetch", "-p")
    assert "+print('second')" in compared.out
    assert "" == compared.err
    os.rename(host, host.with_name("away"))

    again = cli("show", "first")

    assert "notes.txt" in again.out
    assert "" == again.err
    assert "+print('second')" in cli("diff", "first", "second", "-p").out


def test_the_log_of_a_run_is_fetched(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """It is nowhere else."""
    said = cli("log", "first")

    assert 0 == said.code
    assert "first" in said.out


def test_the_code_of_a_run_is_applied(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """Its files, uncommitted ones too, come from beside the clone."""
    before = user_state(clone.path)
    said = cli("apply", "dirty")

    assert 0 == said.code, said.err
    assert "print('dirty')\n" == (clone.path / "train.py").read_text()
    assert "new\n" == (clone.path / "new.py").read_text()
    assert before == user_state(clone.path)
    assert 0 == cli("apply", "first", "--force", "train.py").code
    assert "print('train')\n" == (clone.path / "train.py").read_text()
    check_clone(clone.path)


def test_a_branch_of_a_run_is_whole(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """Its files are copied into the clone, which does not depend on what is beside it."""
    said = cli("branch", "dirty", "again")

    assert 0 == said.code, said.err
    run_git(clone.path, "gc", "-q", "--prune=now")
    check_clone(clone.path)
    assert "new" == run_git(clone.path, "show", "again:new.py")
    assert run_git(clone.path, "rev-parse", "main") == run_git(clone.path, "rev-parse", "again^")


def test_a_branch_whose_base_is_not_here_says_what_helps(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """One sentence, and no branch; afterwards it works."""
    said = cli("branch", "first", "old")

    assert NotHere.exit_code == said.code
    assert "'git fetch --unshallow' gets it" in said.err
    assert "old" not in run_git(clone.path, "branch")
    run_git(clone.path, "fetch", "-q", "--unshallow")
    assert 0 == cli("branch", "first", "old").code
    assert "print('train')" == run_git(clone.path, "show", "old:train.py")
    check_clone(clone.path)


def test_an_edit_fetches_what_it_stands_on(clone: Clone, cli, repo: Path) -> None:  # type: ignore[no-untyped-def]
    """And goes out like any other; history that had to come with it does no harm."""
    before = user_state(clone.path)

    assert 0 == cli("tag", "first", "reviewed=yes").code
    assert 0 == cli("note", "first", "-m", "good").code

    assert before == user_state(clone.path)
    check_clone(clone.path)
    clone.push()
    full = Clone(repo)
    full.pull()
    assert "yes" == full.repository.run("first").tags["reviewed"]
    assert full.tree() == clone.tree()


@pytest.mark.usefixtures("offline")
def test_an_edit_offline_changes_nothing(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """It says why, in one sentence."""
    ledger = run_git(clone.path, "for-each-ref")

    said = cli("tag", "first", "reviewed=yes")

    assert said.code != 0
    assert 1 == len(said.err.strip().splitlines())
    assert ledger == run_git(clone.path, "for-each-ref")


def test_runs_are_exported(clone: Clone, cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """With all their files, fetched at once."""
    said = cli("export", "first", "second", str(tmp_path / "out"))

    assert 0 == said.code, said.err
    assert ["first", "second"] == sorted(path.read_text() for path in (tmp_path / "out").rglob("notes.txt"))


def test_links_to_a_branch_need_no_commit_of_the_run(clone: Clone, cli) -> None:  # type: ignore[no-untyped-def]
    """The lines know trees and patch-ids."""
    said = cli("ls", "--branch", "main")

    assert 0 == said.code, said.err
    assert "second" in said.out


def test_a_line_shows_what_a_commit_does(clone: Clone) -> None:
    """As far as it goes, the outline is the record."""
    repository = clone.repository
    state = repository.run("second").state
    shown = outline(state)
    repository.fetch_missing = True

    record = repository.read_record(state)

    assert record.params == shown.params
    assert input_refs(record.inputs) == input_refs(shown.inputs) == (("rows", "1a2b", "train"),)
    assert record.metrics == shown.metrics
    assert (record.info.name, record.info.start, record.info.code.tree) == (
        shown.info.name,
        shown.info.start,
        shown.info.code.tree,
    )


def test_a_host_that_is_cut_off_in_the_middle_leaves_nothing_broken(
    tmp_path: Path, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pull and fetch are repeated from where they were."""
    from tests.sync.servers import cable

    with git_daemon(host.parent) as base, cable(f"{base}/{host.name}") as (url, line):
        found = make_clone(tmp_path, url, "cut", "--depth=1")
        line.cut_after(None)
        found.pull()
        needed = line.carried
        whole = found.tree()
        other = make_clone(tmp_path, url, "other", "--depth=1")
        for share in range(1, 8):
            line.cut_after(needed * share // 8)
            try:
                other.pull()
            except Unreachable:
                pass
            check_clone(other.path)
        line.cut_after(None)
        other.pull()
        heads = [head for run in other.repository.runs for head in run.heads]
        for limit in (300, 1500, 3000):
            line.cut_after(limit)
            with pytest.raises(Unreachable):
                other.repository.fetch_runs(list(other.repository.runs))
        line.cut_after(None)
        other.repository.fetch_runs(list(other.repository.runs))

        assert whole == other.tree()
        assert [] == missing_heads(other.repo, heads)
        assert is_intact(Helper(other.repo))
        assert Objects(other.repo).files(heads[0])
        check_clone(other.path)


def test_runs_are_pulled_by_name(clone: Clone, cli, host: Path) -> None:  # type: ignore[no-untyped-def]
    """To be read without a network later; a second time there is nothing to do."""
    said = cli("pull", "--run", "first", "second")

    assert 0 == said.code, said.err
    assert "fetched 2 runs" in said.out
    assert "here already" in cli("pull", "--run", "first").out
    os.rename(host, host.with_name("away"))
    assert "notes.txt" in cli("show", "second").out
