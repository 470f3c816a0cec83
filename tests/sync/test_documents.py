"""What people write about experiments is looked at before it goes, as runs are."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, lines_of
from tests.sync.publish_kit import TOKEN

from ledgit.store.experiments import read_experiments, update_experiment


def say(clone: Clone, label: str, **values: object) -> None:
    update_experiment(clone.repo, clone.folder, label, values)


def told(host: Path) -> str:
    """All that the host's whole history says of experiments."""
    oids = [line.split() for line in run_git(host, "rev-list", "--objects", "--all").splitlines()]
    return "".join(run_git(host, "cat-file", "-p", oid) for oid, *path in oids if path and path[0].endswith(".yaml"))


def test_a_token_in_an_experiment_s_tag_stays_here(ada: Clone, ben: Clone, host: Path) -> None:
    """The remote keeps what it had of that experiment; the runs and the other experiments go."""
    say(ada, "vision", **{"tags.team": "blue"})
    first = ada.log("first")
    assert [] == ada.push().notes
    say(ada, "vision", **{"tags.key": TOKEN})
    say(ada, "speech", **{"tags.team": "red"})
    second = ada.log("second")

    pushed = ada.push()

    assert [second] == pushed.sent.new
    (note,) = pushed.notes
    assert "experiments/vision" in note
    assert "line " in note
    assert "a GitHub token (ghp_…)" in note
    assert TOKEN not in note
    assert {first, second} == lines_of(host, LEDGER)
    assert TOKEN not in told(host)
    ben.pull()
    assert {"team": "blue"} == read_experiments(ben.repo)["vision"].tags
    assert {"team": "red"} == read_experiments(ben.repo)["speech"].tags
    assert TOKEN == read_experiments(ada.repo)["vision"].tags["key"]

    say(ada, "vision", **{"tags.key": "none"})

    assert [] == ada.push().notes
    ben.pull()
    assert {"team": "blue", "key": "none"} == read_experiments(ben.repo)["vision"].tags
    assert TOKEN not in told(host)


def test_what_the_repository_allows_goes(ada: Clone, host: Path) -> None:
    (ada.path / ".ledgit").mkdir()
    (ada.path / ".ledgit/config.yaml").write_text("secrets:\n  allow: ['experiments/**']\n")
    ada.git("add", ".ledgit")
    ada.git("commit", "-q", "-m", "Allow")
    say(ada, "vision", **{"tags.key": TOKEN})

    assert [] == ada.push().notes
    assert TOKEN in told(host)


def test_without_the_scan_nothing_is_looked_at(ada: Clone, host: Path) -> None:
    ada.git("config", "ledgit.secretScan", "false")
    say(ada, "vision", **{"tags.key": TOKEN})

    assert [] == ada.push().notes
    assert TOKEN in told(host)
