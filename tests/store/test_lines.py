"""The committed configuration says what a run's line keeps when not everything fits."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import run_git

from ledgit.git import Objects, Repo
from ledgit.repository import open_repository
from ledgit.store import ActiveRun, RunStart
from ledgit.store.chain import read_commit

NAMES = [f"metric_{number:03}_with_a_rather_long_name" for number in range(200)]


def log_many(repo: Path) -> str:
    run = ActiveRun.create(Repo.discover(str(repo)), RunStart())
    run.log_batch(metrics=[(name, 0.5, 0, None) for name in NAMES], params={"zz_last": 7})
    run.finish()
    return run.id


def kept(repo: Path, head: str | None) -> tuple[set[str], set[str]]:
    """Names of the metrics and params in the line of the commit *head*."""
    assert head is not None
    entry = read_commit(Objects(Repo.discover(str(repo))), head).entry
    return set(entry.metrics), set(entry.params)


def test_the_columns_of_the_committed_configuration_come_first(repo: Path) -> None:
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text(f"columns: [metrics.{NAMES[-1]}, params.zz_last]\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-qm", "configure")
    run_id = log_many(repo)

    run = open_repository(repo).run(run_id)
    metrics, params = kept(repo, run.head)

    assert NAMES[-1] in metrics
    assert params == {"zz_last"}
    assert len(metrics) < len(NAMES)

    run.set_tags({"good": "yes"})
    metrics, params = kept(repo, run.head)

    assert NAMES[-1] in metrics
    assert params == {"zz_last"}


def test_without_a_configuration_names_decide(repo: Path) -> None:
    run = open_repository(repo).run(log_many(repo))
    metrics, _ = kept(repo, run.head)

    assert NAMES[0] in metrics
    assert NAMES[-1] not in metrics


def test_a_configuration_that_does_not_decode_stops_no_run(repo: Path) -> None:
    (repo / ".ledgit").mkdir()
    (repo / ".ledgit" / "config.yaml").write_text("columns: [metrics.a\n")

    assert open_repository(repo).run(log_many(repo)).status == "FINISHED"


def test_a_run_whose_journal_was_removed_keeps_what_its_process_knows(repo: Path) -> None:
    """Somebody cleaned up too much: params and tags stand in the new journal too."""
    import shutil

    run = ActiveRun.create(Repo.discover(str(repo)), RunStart(tags={"team": "a"}))
    run.log_params({"rate": "0.5"})
    shutil.rmtree(run.directory)

    run.tick()
    run.log_metric("loss", 1.0)
    run.finish()

    found = open_repository(repo).run(run.id)
    assert (found.params, found.tags, found.metrics) == ({"rate": "0.5"}, {"team": "a"}, {"loss": 1.0})
