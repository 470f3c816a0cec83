"""Settings and jobs that threaten the ledger."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.doctor.kit import Clinic


@pytest.fixture
def origin(clinic: Clinic) -> Clinic:
    """With a remote that is never asked."""
    clinic.git("remote", "add", "origin", "https://example.org/runs.git")
    return clinic


def mended(clinic: Clinic) -> list[tuple[str, str]]:
    """What is left after the commands that the findings name were typed."""
    for finding in clinic.findings():
        command = finding.mend.partition(";")[0]
        subprocess.run(command, shell=True, cwd=clinic.path, check=True)
    return clinic.found()


@pytest.mark.parametrize(
    ("name", "value", "level", "key"),
    [
        ("remote.origin.mirror", "true", "problem", "mirror"),
        ("remote.origin.mirror", "yes", "problem", "mirror"),
        ("remote.origin.push", "+refs/*:refs/*", "problem", "mirror"),
        ("remote.origin.push", "refs/ledgit/*", "problem", "mirror"),
        ("remote.origin.fetch", "+refs/*:refs/*", "problem", "refspec"),
        ("remote.origin.fetch", "+refs/ledgit/*:refs/ledgit/*", "problem", "refspec"),
        ("remote.origin.fetch", "refs/ledgit/ledger:refs/ledgit/ledger", "problem", "refspec"),
        ("remote.origin.fetch", "refs/ledgit/ledger:refs/ledgit/remotes/origin/ledger", "hint", "refspec"),
        ("ledgit.publish", "everything", "problem", "setting"),
        ("ledgit.identity", "nobody", "problem", "setting"),
        ("ledgit.snapshot", "some", "problem", "setting"),
        ("ledgit.fetch", "half", "problem", "setting"),
        ("ledgit.ledgerRef", "ledgit", "problem", "setting"),
    ],
)
def test_a_setting_that_threatens_the_ledger_is_found_and_its_command_mends_it(
    origin: Clinic, name: str, value: str, level: str, key: str
) -> None:
    origin.run()
    origin.git("config", "--add", name, value)

    assert {(level, key)} == set(origin.found())
    assert [] == mended(origin)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote.origin.mirror", "false"),
        ("remote.origin.push", "HEAD"),
        ("remote.origin.push", "refs/heads/*:refs/heads/*"),
        ("remote.origin.push", "refs/tags/*"),
        ("remote.origin.fetch", "+refs/pull/*/head:refs/remotes/origin/pr/*"),
        ("remote.origin.fetch", "^refs/ledgit/*"),
        ("fetch.prune", "true"),
        ("fetch.pruneTags", "true"),
        ("alias.pub", "push --follow-tags"),
        ("ledgit.publish", "Pushed-Code"),
    ],
)
def test_a_harmless_setting_is_no_finding(origin: Clinic, name: str, value: str) -> None:
    origin.run()
    origin.git("config", "--add", name, value)

    assert [] == origin.findings()


def test_a_fetch_that_prunes_the_runs_is_told_as_that(origin: Clinic) -> None:
    """A mirror clone deletes with the next ``git fetch --prune`` what is only here."""
    origin.git("config", "--add", "remote.origin.fetch", "+refs/*:refs/*")
    origin.git("config", "fetch.prune", "true")

    (finding,) = origin.findings()
    assert "deletes runs that are only here" in finding.what


@pytest.mark.parametrize("command", ["push --mirror backup", "!git push --force --mirror"])
def test_an_alias_for_a_mirror_is_a_hint(origin: Clinic, command: str) -> None:
    origin.git("config", "alias.backup", command)

    assert [("hint", "mirror")] == origin.found()


def test_a_mirror_clone_is_told_what_its_settings_do(clinic: Clinic, tmp_path: Path) -> None:
    clinic.run()
    clinic.git("clone", "-q", "--mirror", str(clinic.path), str(tmp_path / "mirror"))
    mirror = Clinic(tmp_path / "mirror")

    assert {("problem", "mirror"), ("problem", "refspec")} <= set(mirror.found())


def test_a_remote_that_is_named_and_not_there_is_a_problem(origin: Clinic) -> None:
    """``ledgit.remote`` may be an address; a name that looks like one is taken for a folder."""
    origin.git("remote", "rename", "origin", "one")
    origin.git("remote", "add", "two", "https://example.org/two.git")
    assert [] == origin.findings()


JOB = """\
on: {schedule: [{cron: "0 0 * * *"}]}
jobs:
  clean:
    steps:
      - uses: %s
"""


def write_job(clinic: Clinic, text: str) -> None:
    path = clinic.path / ".github" / "workflows"
    path.mkdir(parents=True, exist_ok=True)
    (path / "job.yml").write_text(text)


@pytest.mark.parametrize(
    "action",
    ["crs-k/stale-branches@v7", "phpdocker-io/github-actions-delete-abandoned-branches@v2", "x/delete-merged-branches"],
)
def test_a_job_that_deletes_old_branches_is_a_hint_where_the_ledger_is_one(origin: Clinic, action: str) -> None:
    write_job(origin, JOB % action)
    assert [] == origin.findings()
    origin.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")

    assert [("hint", "job")] == origin.found()
    write_job(origin, JOB % action + "        with: {exempt: ledgit}\n")
    assert [] == origin.findings()


def test_a_job_that_pushes_a_mirror_is_a_hint(origin: Clinic) -> None:
    write_job(origin, "jobs:\n  copy:\n    steps:\n      - run: git push --mirror https://example.org/copy.git\n")

    assert [("hint", "job")] == origin.found()


def test_a_host_that_takes_branches_only_needs_the_branch(origin: Clinic) -> None:
    origin.git("remote", "set-url", "origin", "git@codeup.aliyun.com:me/runs.git")

    (finding,) = origin.findings()
    assert ("problem", "host", "git config ledgit.ledgerRef refs/heads/ledgit") == (
        finding.level,
        finding.key,
        finding.mend,
    )
    assert [] == mended(origin)


def test_a_branch_where_none_is_needed_is_a_hint(origin: Clinic) -> None:
    origin.git("remote", "set-url", "origin", "git@github.com:me/runs.git")
    assert [] == origin.findings()
    origin.git("config", "ledgit.ledgerRef", "refs/heads/ledgit")

    assert [("hint", "host")] == origin.found()
    assert [] == mended(origin)
