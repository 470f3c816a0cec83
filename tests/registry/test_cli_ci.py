"""What CI and other tools make of the registry: checks, outputs, GTO, plain Git."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun

from ledgit.registry import Registry

WritePolicy = Callable[[str], None]


# ---------------------------------------------------------------------- CI


def test_check_finds_what_the_policy_does_not_allow(
    shared: str, cli: Cli, policy: WritePolicy, repo: Path, git: GitFunction
) -> None:
    """In all tags, in one, or since a day; by the policy of any commit."""
    cli("registry", "promote", "churn@1", "prod")
    cli("registry", "promote", "churn@1", "test")
    policy("- {stages: prod, who: '*@release.example.org'}")

    every = cli("registry", "check", code=4)
    one = cli("registry", "check", "churn#test#2")
    found = cli("registry", "check", "churn#*", "--json", code=4).json
    before = cli("registry", "check", "--policy", "HEAD~1")

    assert "churn#prod#1: promoting churn@v0.0.1 to prod is for *@release.example.org" in every.out
    assert "checked 3 tags by 1 rule of .ledgit/config.yaml: 1 must not stand" in every.out
    assert "checked 1 tag by 1 rule of .ledgit/config.yaml: nothing is wrong" in one.out
    assert ["churn#prod#1"] == [refused["tag"] for refused in found["refused"]]
    assert "by 0 rules of .ledgit/config.yaml of HEAD~1" in before.out
    assert "checked 0 tags" in cli("registry", "check", "--since", "2999-01-01").out
    assert 4 == cli("registry", "check", "--since", "1d", code=4).code


def test_check_has_nothing_against_a_stage_that_was_left_before_its_version_was_taken_out(
    shared: str, cli: Cli, repo: Path, git: GitFunction
) -> None:
    """What was promoted once may be deregistered later, and no tag ever goes; but no stage may stand there."""
    cli("registry", "promote", "churn@1", "prod")
    cli("registry", "unassign", "churn", "prod")
    cli("registry", "deregister", "churn@1")

    fine = cli("registry", "check")
    git(repo, "tag", "-d", "churn#prod!#2")
    standing = cli("registry", "check", code=4)

    assert "checked 4 tags" in fine.out
    assert "churn#prod#1: version v0.0.1 of churn was deregistered" in standing.out


def test_check_does_not_take_the_policy_of_what_was_tagged(shared: str, cli: Cli, repo: Path, git: GitFunction) -> None:
    """On a tag's push CI checks out what its maker chose, policy and all."""
    git(repo, "checkout", "-q", "churn@v0.0.1")

    refused = cli("registry", "check", code=2)

    assert "--policy FETCH_HEAD" in refused.err
    assert "nothing is wrong" in cli("registry", "check", "--policy", "main").out


def test_parse_says_what_a_tag_means_to_ci(
    shared: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For GitHub, for GitLab, for people, as JSON."""
    cli("registry", "promote", "churn@1", "prod")
    output, dotenv = tmp_path / "output", tmp_path / "deploy.env"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))

    shown = cli("registry", "parse", "refs/tags/churn#prod#1").out
    cli("registry", "parse", "churn#prod#1", "--github-output")
    cli("registry", "parse", "churn@v0.0.1", "--dotenv", str(dotenv))
    found = cli("registry", "parse", "churn@v0.0.1", "--json").json

    values = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert {"event": "assign", "name": "churn", "version": "v0.0.1", "stage": "prod"}.items() <= values.items()
    assert [shared, "model", "1"] == [values[key] for key in ("run", "path", "number")]
    assert "event=assign\n" in shown
    assert "REGISTRY_EVENT=register\n" in dotenv.read_text()
    assert ["register", None] == [found["event"], found["stage"]]


def test_a_name_with_a_line_break_sets_no_other_output(shared: str, cli: Cli, tmp_path: Path, repo: Path) -> None:
    """What CI reads is one line a key, whatever a tag says."""
    output = tmp_path / "output"

    cli("registry", "promote", "churn@1", "prod", "-m", "fine\nevent=deregister")
    cli("registry", "parse", "churn#prod#1", "--github-output", str(output))

    assert 1 == sum(line.startswith("event=") for line in output.read_text().splitlines())


def test_github_output_needs_a_file(shared: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of Actions nothing names one."""
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)

    assert "GITHUB_OUTPUT is not set" in cli("registry", "parse", "churn@v0.0.1", "--github-output", code=2).err


def test_a_promotion_that_ci_would_not_see_is_said(repo: Path, make_run: MakeRun, cli: Cli, git: GitFunction) -> None:
    """The tagged tree has no workflow file, because the run kept no code."""
    workflow = repo / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "deploy")
    with_code = make_run()
    git(repo, "config", "ledgit.snapshot", "none")
    without = make_run()
    cli("registry", "register", with_code, "churn")
    cli("registry", "register", without, "churn")

    heard, silent = cli("registry", "promote", "churn@1", "prod"), cli("registry", "promote", "churn@2", "prod")

    assert "silent" not in heard.err
    assert "CI will stay silent about this tag" in silent.err
    assert cli("registry", "promote", "churn@2", "test", "--json").json["ci_silent"]


# ---------------------------------------------------------------------- others see the same


def test_gto_and_git_describe_agree(repo: Path, make_run: MakeRun, cli: Cli, git: GitFunction) -> None:
    """GTO shows the same versions and stages, and what code is called has not changed."""
    git(repo, "tag", "-am", "release", "v1.0.0")
    before = git(repo, "describe", "--tags")
    run = make_run()
    cli("registry", "register", run, "churn")
    cli("registry", "register", run, "churn", "--bump", "minor")
    cli("registry", "register", run, "team/spam", "--version", "v3.1.4")
    cli("registry", "register", run, "team/spam", "--version", "v3.0.9")
    cli("registry", "promote", "churn@v0.0.1", "prod")
    cli("registry", "promote", "churn@v0.1.0", "staging")

    gto = json.loads(gto_says(repo, "show", "--json"))
    ours = {one["name"]: one for one in cli("registry", "ls", "--json").json}

    assert before == git(repo, "describe", "--tags")
    assert set(ours) == set(gto)
    for name, model in gto.items():
        standing = {stage: version for stage, version in model["stage"].items() if version}
        assert (ours[name]["greatest"], ours[name]["stages"]) == (model["version"], standing)


def gto_says(repo: Path, *words: str) -> str:
    """Run the real GTO."""
    command = [sys.executable, "-W", "ignore", "-c", "from gto.cli import app; app()", *words]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("models", "words"), [(1, ("ls", "model-0")), (50, ("ls",)), (1, ("history", "--limit", "5"))])
def test_lists_load_neither_libgit2_nor_sqlite_nor_dvc(
    repo: Path, make_run: MakeRun, registry: Registry, models: int, words: tuple[str, ...]
) -> None:
    """10,000 versions in 0.2 s leave no room for them."""
    run = make_run()
    for number in range(min(models, 3)):
        registry.register(run, f"model-{number}")
    code = (
        "import sys\nimport ledgit.cli\nledgit.cli.main(['registry', *sys.argv[1:]])\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, *words], cwd=repo, capture_output=True, text=True, check=True)

    loaded = set(done.stderr.split())
    assert "v0.0.1" in done.stdout
    assert "ledgit.registry.reading" in loaded
    assert set() == loaded & {"pygit2", "sqlite3", "dvc", "lark", "yaml", "numpy", "pandas", "asyncio"}


def test_gto_s_history_has_every_event(repo: Path, make_run: MakeRun, cli: Cli) -> None:
    """Registering, promoting, and what takes both back."""
    run = make_run()
    cli("registry", "register", run, "churn")
    cli("registry", "register", run, "churn")
    cli("registry", "promote", "churn@1", "prod")
    cli("registry", "promote", "churn@2", "prod")
    cli("registry", "unassign", "churn", "prod")
    cli("registry", "deregister", "churn@1")
    cli("registry", "deprecate", "churn")

    theirs = json.loads(gto_says(repo, "history", "--json"))
    ours = cli("registry", "history", "--json").json

    said = [event["event"] for event in theirs if event["event"] != "commit"]
    names = {"registration": "register", "assignment": "assign", "unassignment": "unassign"}
    names |= {"deregistration": "deregister", "deprecation": "deprecate"}
    assert sorted(event["event"] for event in ours) == sorted(names[event] for event in said)


def test_code_keeps_its_name_whatever_the_registry_does(
    repo: Path, make_run: MakeRun, cli: Cli, git: GitFunction, tmp_path: Path
) -> None:
    """Also where a run's code was merged: no registry tag is below a branch. Setuptools-scm asks Git this way."""
    ask = ("describe", "--dirty", "--tags", "--long", "--match", "*[0-9]*")
    git(repo, "tag", "-am", "release", "v1.0.0")
    git(repo, "init", "-q", "--bare", str(tmp_path / "host.git"))
    git(repo, "remote", "add", "origin", str(tmp_path / "host.git"))
    git(repo, "config", "ledgit.publish", "all")
    before = git(repo, *ask)
    (repo / "train.py").write_text("print('better')\n")
    run = make_run()
    git(repo, "checkout", "-q", "train.py")

    cli("registry", "register", run, "churn", "--version", "v7.0.0")
    cli("registry", "promote", "churn@1", "prod")
    cli("push")
    same = git(repo, *ask)
    cli("branch", run, "better")
    git(repo, "merge", "-q", "--no-edit", "better")
    merged = git(repo, *ask)

    assert before == same
    assert "print('better')" in (repo / "train.py").read_text()
    assert merged.startswith("v1.0.0-1-g")


def test_a_job_does_what_the_deploying_guide_says(
    repo: Path,
    make_run: MakeRun,
    cli: Cli,
    git: GitFunction,
    policy: WritePolicy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a checkout as GitHub's action makes one: the tag, detached, with all branches and tags."""
    policy("- {stages: prod, require: metrics.accuracy >= 0.9}")
    host, storage = tmp_path / "host.git", tmp_path / "storage"
    git(tmp_path, "clone", "-q", "--bare", str(repo), str(host))
    git(repo, "remote", "add", "origin", str(host))
    git(repo, "config", "ledgit.publish", "all")
    git(repo, "config", "ledgit.artifactThreshold", "100")
    git(repo, "config", "ledgit.artifactRemote", str(storage))
    run = make_run(weights="w" * 1000)
    cli("registry", "register", run, "churn")
    cli("registry", "promote", "churn@1", "prod", "-m", "passed the trial")
    cli("push")
    job, output = tmp_path / "job", tmp_path / "output"
    job.mkdir()
    git(job, "init", "-q")
    git(job, "remote", "add", "origin", str(host))
    both = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    git(job, "fetch", "-q", "--prune", "--no-recurse-submodules", "origin", *both)
    git(job, "checkout", "-q", "--force", "refs/tags/churn#prod#1")
    git(job, "config", "ledgit.artifactRemote", str(storage))
    monkeypatch.chdir(job)

    cli("pull")
    cli("registry", "parse", "churn#prod#1", "--github-output", str(output))
    values = dict(line.split("=", 1) for line in output.read_text().splitlines())
    checked = cli("registry", "check", "churn#prod#1", "--policy", "origin/main")
    verified = cli("registry", "verify", f"{values['name']}@{values['version']}", "--remote")
    cli("artifacts", "get", values["run"], values["path"], "--output", "deployed")

    assert ("assign", "prod", run) == (values["event"], values["stage"], values["run"])
    assert "checked 1 tag by 1 rule of .ledgit/config.yaml of origin/main: nothing is wrong" in checked.out
    assert "is what it says" in verified.out
    assert "w" * 1000 == (job / "deployed" / "model" / "weights.bin").read_text()
