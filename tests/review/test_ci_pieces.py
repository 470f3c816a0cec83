"""``action.yml`` and the GitLab template: parsed, and exactly their steps run, on checkouts as hosts make them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import run_git
from tests.review.conftest import commit
from tests.review.hosts import Host

ROOT = Path(__file__).parent.parent.parent
TRAIN = "import ledgit\nwith ledgit.start_run():\n    ledgit.log_metric('accuracy', {value})\n"
GATES = "gates:\n  - {metric: accuracy, threshold: 0.01}\n"


def environment(**more: str) -> dict[str, str]:
    """The environment of a job: this test's Ledgit and Python first on the path, and no CI of ours."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "CI", "GITLAB_"))}
    folder = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{folder}{os.pathsep}{kept['PATH']}", "CI": "true", **more}


def ledgit(path: Path, *words: str) -> str:
    done = subprocess.run(["ledgit", *words], cwd=path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Forge:
    """A host with a repository, a pull request in it, and a checkout of the merge commit, as CI gets it."""

    def __init__(self, folder: Path, dev: Path, *, value: float, fork: bool) -> None:
        self.folder, self.dev = folder, dev
        self.bare = folder / "team.git"
        run_git(folder, "init", "-q", "--bare", str(self.bare))
        run_git(self.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        run_git(dev, "remote", "add", "origin", str(self.bare))
        (dev / ".ledgit").mkdir()
        (dev / ".ledgit/config.yaml").write_text(GATES)
        run_git(dev, "add", ".ledgit")
        commit(dev, "train.py", TRAIN.format(value=0.9), "train")
        subprocess.run([sys.executable, "train.py"], cwd=dev, check=True)
        run_git(dev, "push", "-q", "-u", "origin", "main")
        ledgit(dev, "push", "--publish", "all")
        run_git(dev, "switch", "-q", "-c", "feature")
        self.head = commit(dev, "train.py", TRAIN.format(value=value), "better, they say")
        self.theirs = self.bare
        if fork:
            self.theirs = folder / "fork.git"
            run_git(folder, "init", "-q", "--bare", str(self.theirs))
            run_git(dev, "remote", "add", "fork", str(self.theirs))
        run_git(dev, "push", "-q", str(self.theirs), "feature")
        # main moves on, and the host merges the two for CI
        run_git(dev, "switch", "-q", "main")
        self.base = commit(dev, "README.md", "news\n", "news")
        run_git(dev, "push", "-q", "origin", "main")
        run_git(dev, "checkout", "-q", "--detach")
        run_git(dev, "merge", "-q", "--no-ff", "-m", f"Merge {self.head} into {self.base}", "feature")
        self.merge = run_git(dev, "rev-parse", "HEAD")
        run_git(dev, "push", "-q", "origin", "HEAD:refs/pull/7/merge")
        run_git(dev, "switch", "-q", "feature")
        self.event = folder / "event.json"
        self.event.write_text(
            json.dumps(
                {
                    "pull_request": {
                        "number": 7,
                        "html_url": "https://host.example/team/churn/pull/7",
                        "head": {
                            "sha": self.head,
                            "ref": "feature",
                            "repo": {"full_name": "fork/churn" if fork else "team/churn"},
                        },
                        "base": {"sha": self.base, "ref": "main", "repo": {"full_name": "team/churn"}},
                    }
                }
            )
        )

    def checkout(self) -> Path:
        """What actions/checkout does: depth 1, the merge commit, detached."""
        path = self.folder / "job"
        path.mkdir()
        run_git(path, "init", "-q")
        run_git(path, "remote", "add", "origin", f"file://{self.bare}")
        run_git(path, "fetch", "-q", "--no-tags", "--depth=1", "origin", f"+{self.merge}:refs/remotes/pull/7/merge")
        run_git(path, "checkout", "-q", "--force", "refs/remotes/pull/7/merge")
        return path


class Job:
    """Runs the steps of a composite action: inputs, ``if``, ``env``, outputs."""

    def __init__(self, path: Path, forge: Forge, api: str, **inputs: str) -> None:
        self.action = yaml.safe_load((ROOT / "action.yml").read_text())
        self.path, self.forge = path, forge
        self.inputs = {name: one.get("default", "") for name, one in self.action["inputs"].items()}
        self.inputs |= {"token": "t0ken", "install": ""} | inputs
        assert set(self.inputs) == set(self.action["inputs"])
        self.outputs: dict[str, dict[str, str]] = {}
        self.summary = forge.folder / "summary.md"
        self.log = ""
        self.base = environment(
            GITHUB_ACTIONS="true",
            GITHUB_EVENT_NAME="pull_request",
            GITHUB_EVENT_PATH=str(forge.event),
            GITHUB_REPOSITORY="team/churn",
            GITHUB_API_URL=api,
            GITHUB_STEP_SUMMARY=str(self.summary),
            RUNNER_TEMP=str(forge.folder),
        )

    def run(self) -> list[str]:
        """Run all steps, and return the names of those that failed: after one only ``always()`` goes on."""
        failed: list[str] = []
        for step in self.action["runs"]["steps"]:
            condition = step.get("if", "")
            if failed and "always()" not in condition:
                continue
            if condition and not self.value(condition):
                continue
            file = self.forge.folder / f"out-{len(self.outputs)}-{step['name']}"
            file.touch()
            env = {key: self.text(str(value)) for key, value in step.get("env", {}).items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.path / self.text(step.get("working-directory", ".")),
                env={**self.base, **env, "GITHUB_OUTPUT": str(file)},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            self.log += f"== {step['name']}\n{done.stdout}{done.stderr}\n"
            self.outputs[step.get("id", step["name"])] = dict(
                line.split("=", 1) for line in file.read_text().splitlines()
            )
            if done.returncode:
                failed.append(step["name"])
        return failed

    def text(self, text: str) -> str:
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self._shown(self.value(found.group(1))), text)

    @staticmethod
    def _shown(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    def value(self, expression: str) -> Any:
        """What an expression of GitHub's says, of those that the action uses."""
        event = json.loads(self.forge.event.read_text())
        known: Mapping[str, Any] = {
            "inputs": self.inputs,
            "steps": {name: {"outputs": found} for name, found in self.outputs.items()},
            "github": {"event": event, "event_name": "pull_request", "repository": "team/churn", "token": "t0ken"},
        }

        def look(found: re.Match[str]) -> str:
            value: Any = known
            for name in found.group().split("."):
                value = value[name]
            return repr(value)

        words = re.sub(r"\b(?:inputs|steps|github)(?:\.[A-Za-z_-]+)+", look, expression)
        words = words.replace("&&", " and ").replace("||", " or ").replace("always()", "True")
        return eval(words, {"__builtins__": {}})


def test_a_pull_request_is_run_recorded_reported_and_judged(
    repo: Path,
    tmp_path: Path,
    host: Host,
) -> None:
    """On a shallow checkout of the merge commit: the comment and the job say FAIL, the run is shared."""
    forge = Forge(tmp_path, repo, value=0.7, fork=False)
    job = Job(forge.checkout(), forge, host.address, run="python train.py")

    failed = job.run()

    assert failed == ["Check"], job.log
    assert job.outputs["report"]["verdict"] == "fail"
    (comment,) = host.comments
    assert "### PASS 0 · WARN 0 · FAIL 1" in comment["body"]
    assert forge.head[:12] in comment["body"].replace("\u200b", "")
    assert job.summary.read_text().strip() == comment["body"].strip()
    folder = Path(job.outputs["report"]["folder"])
    assert {path.name for path in folder.iterdir()} == {
        "report.json", "report.html", "report.md", "gates.xml", "gates.sarif",
    }  # fmt: skip
    # Tomorrow the merge commit is gone; a colleague finds the run by the branch.
    ledgit(repo, "pull")
    shown = json.loads(ledgit(repo, "report", "main...feature", "--json"))
    (run,) = shown["head"]["runs"]
    assert json.loads(ledgit(repo, "show", run["id"], "--json"))["tags"]["ledgit.ci.head"] == forge.head
    assert shown["gates"][0]["value"] == 0.7

    # The same job again: the comment is the same one.
    again = Job(job.path, forge, host.address)
    assert again.run() == ["Check"]
    assert len(host.comments) == 1


def test_a_forks_pull_request_still_gets_its_verdict(repo: Path, tmp_path: Path, host: Host) -> None:
    """Its token may read alone: no comment, no push, no red job by that; summary, files and gate are there."""
    forge = Forge(tmp_path, repo, value=0.95, fork=True)
    host.refuse = [("POST", 403)]
    before = run_git(forge.bare, "for-each-ref")
    job = Job(forge.checkout(), forge, host.address, run="python train.py")

    failed = job.run()

    assert failed == [], job.log
    assert job.outputs["report"]["verdict"] == "pass"
    assert "PASS 1" in job.summary.read_text()
    assert host.comments == []
    assert "does not let this token comment" in job.log
    assert run_git(forge.bare, "for-each-ref") == before


def test_a_command_that_fails_is_reported_and_red(repo: Path, tmp_path: Path, host: Host) -> None:
    """No green check because nothing was measured."""
    forge = Forge(tmp_path, repo, value=0.95, fork=False)
    job = Job(forge.checkout(), forge, host.address, run="python train.py --nonsense; exit 3")

    failed = job.run()

    assert failed[0] == "Run"
    assert "NO RUN" in job.summary.read_text() or "FAIL" in job.summary.read_text()


def test_the_gitlab_template_runs(repo: Path, tmp_path: Path, host: Host) -> None:
    """Its script, line by line, on a shallow checkout of a merge request's branch."""
    forge = Forge(tmp_path, repo, value=0.95, fork=False)
    template = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text())
    path = tmp_path / "job"
    run_git(tmp_path, "clone", "-q", "--depth=1", "--branch=feature", f"file://{forge.bare}", str(path))
    run_git(path, "checkout", "-q", "--detach")
    variables = {key: str(value) for key, value in template["variables"].items()}
    env = environment(
        **{
            **variables,
            "LEDGIT_INSTALL": "",
            "LEDGIT_RUN": "python train.py",
            "LEDGIT_PUSH_URL": f"file://{forge.bare}",
        },
        GITLAB_CI="true",
        CI_API_V4_URL=f"{host.address}/api/v4",
        CI_PROJECT_ID="42",
        CI_MERGE_REQUEST_PROJECT_ID="42",
        CI_MERGE_REQUEST_SOURCE_PROJECT_ID="42",
        CI_MERGE_REQUEST_IID="7",
        CI_COMMIT_SHA=forge.head,
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME="feature",
        GITLAB_TOKEN="t0ken",
    )
    script = "\n".join(["set -eo pipefail", *template["ledgit"]["script"]])

    done = subprocess.run(["bash", "-c", script], cwd=path, env=env, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    (comment,) = host.comments
    assert "PASS 1" in comment["body"]
    assert any(seen[1].startswith("/api/v4/projects/42/merge_requests/7/notes") for seen in host.seen)
    assert 'accuracy{metric="accuracy"} 0.95' in (path / "ledgit-report/metrics.txt").read_text()
    for kind in ("junit", "metrics"):
        assert (path / template["ledgit"]["artifacts"]["reports"][kind]).is_file()


@pytest.mark.parametrize("name", ["action.yml", "docs/ci/gitlab.yml"])
def test_no_input_is_part_of_a_script(name: str) -> None:
    """What a pull request's author chooses reaches a shell as an environment variable, never as its text."""
    for line in (ROOT / name).read_text().splitlines():
        if "${{" in line:
            assert re.match(r"\s*(\w+|value|default|working-directory): \$\{\{.*\}\}$", line), line
