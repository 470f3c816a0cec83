"""Git's commit-graph beside purges: it names nothing that is gone."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git
from tests.gc.kit import Clone

from ledgit.store.gc.sweeping import sweep
from ledgit.store.ledger.graph import renew_graph, write_graph


def graph_files(path: Path) -> list[bytes]:
    info = path / ".git" / "objects" / "info"
    return [file.read_bytes() for file in (*info.glob("commit-graph"), *info.glob("commit-graphs/*.graph"))]


def names(path: Path, oid: str) -> bool:
    """Whether the commit-graph has the commit *oid*."""
    files = graph_files(path)
    assert files
    return any(bytes.fromhex(oid) in file for file in files)


def prune_and_check(path: Path) -> None:
    """What a user runs who wants to be rid of data; unlike ``git gc`` it leaves the commit-graph as it is."""
    run_git(path, "repack", "-adq")
    run_git(path, "prune", "--expire=now")
    run_git(path, "fsck", "--no-progress")
    run_git(path, "commit-graph", "verify", "--no-progress")


def test_a_purge_takes_its_commits_out_of_every_layer(repo: Path) -> None:
    """A layer was written after each of two compactions; the purged run is in the lower one."""
    ada = Clone(repo)
    secret = ada.log("secret")
    for name in ("a", "b", "c", "d"):
        ada.log(name)
    ada.compact()
    write_graph(ada.repo)
    other = ada.log("other")
    ada.compact()
    write_graph(ada.repo)
    [head], [kept] = ada.heads(secret), ada.heads(other)
    assert 2 == len(graph_files(repo))
    assert names(repo, head)

    ada.purge_here(secret)

    assert not names(repo, head)
    assert names(repo, kept)
    prune_and_check(repo)
    assert ada.heads(other) == [kept]


def test_one_file_as_git_gc_writes_it_is_made_anew_too(repo: Path) -> None:
    ada = Clone(repo)
    secret = ada.log("secret")
    ada.compact()
    run_git(repo, "commit-graph", "write", "--reachable", "--no-progress")
    [head] = ada.heads(secret)
    assert names(repo, head)

    ada.purge_here(secret)

    assert not names(repo, head)
    prune_and_check(repo)


def test_neither_who_purges_a_remote_nor_who_pulls_that_keeps_commits_in_the_graph(ada: Clone, ben: Clone) -> None:
    """As long as the remote's old ledger is what was seen last, it leads to the run; then no more."""
    secret, _ = ada.log("secret"), ada.log("kept")
    ada.push()
    ben.pull()
    [head] = ada.heads(secret)
    for clone in (ada, ben):
        write_graph(clone.repo)
        assert names(clone.path, head)

    ada.purge_here(secret)
    assert names(ada.path, head)
    sweep(ada.repo, ada.folder)
    ben.pull(accept_purges=True)

    for clone in (ada, ben):
        assert not names(clone.path, head)
        prune_and_check(clone.path)


def test_where_there_was_no_graph_a_purge_makes_none(repo: Path) -> None:
    ada = Clone(repo)
    secret = ada.log("secret")
    ada.compact()

    ada.purge_here(secret)

    assert [] == graph_files(repo)
    assert not renew_graph(ada.repo)
