"""From a tag to the last byte: what is genuine, and what each forgery is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import GitFunction
from tests.registry.conftest import Cli, MakeRun
from tests.registry.keys import allow, gpg_home, make_ssh_key, sign_with_ssh

import ledgit
from ledgit.errors import Conflict
from ledgit.registry import Registry
from ledgit.registry.provenance import statement
from ledgit.registry.verify import Chain, VerifyChainOptions, verify_version


def verify(registry: Registry, reference: str, **options: Any) -> Chain:
    registry = Registry(ledgit.open(registry.repository.path))  # as another process would
    version = registry.version(reference, deregistered=True)
    return verify_version(registry.repository, version, VerifyChainOptions(**options))


def forge(repo: Path, git: GitFunction, tag: str, old: str, new: str) -> None:
    """Change a word of a tag's object and point the tag there."""
    text = git(repo, "cat-file", "tag", tag) + "\n"
    assert old in text
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=text.replace(old, new).encode())
    git(repo, "update-ref", f"refs/tags/{tag}", oid)


def forget(repo: Path, git: GitFunction) -> None:
    """Drop what this clone remembers of its own tags, as a fresh clone would not know it."""
    for ref in git(repo, "for-each-ref", "--format=%(refname)", "refs/ledgit/registry", "refs/ledgit/versions").split():
        git(repo, "update-ref", "-d", ref)


def test_a_version_is_followed_to_the_last_byte(make_run: MakeRun, registry: Registry, cli: Cli) -> None:
    """Each step says what it found."""
    run = make_run()
    registry.register(run, "churn", reason="the first")
    registry.promote("churn@1", "prod", reason="passed the trial")

    chain = verify(registry, "churn#prod", stage="prod")
    shown = cli("registry", "verify", "churn#prod")

    names = ["tag", "signature", "promotion", "promotion's signature", "registration", "run", "code", "model"]
    assert [*names, "contents", "data"] == [step.name for step in chain.steps]
    assert chain.genuine
    assert "Ada Lovelace <ada@example.org>" in chain.step("tag").text
    assert "the first" in chain.step("tag").text
    assert "passed the trial" in chain.step("promotion").text
    assert "2 files" in chain.step("model").text
    assert "churn@v0.0.1 (version 1) is what it says" in shown.out
    assert run[:8] in shown.out


def test_all_versions_are_verified_without_a_name(make_run: MakeRun, registry: Registry, cli: Cli) -> None:
    """And JSON has every step."""
    run = make_run()
    registry.register(run, "churn")
    registry.register(run, "spam")

    said = cli("registry", "verify", "--json").json

    assert [("churn", True), ("spam", True)] == [(one["model"], one["genuine"]) for one in said]
    assert [] == said[0]["findings"]
    assert "contents" in [step["step"] for step in said[0]["steps"]]
    assert cli("registry", "verify").out.endswith("2 versions; all are what they say\n")


def test_a_good_signature_names_the_signer(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """By SSH; ``git verify-tag`` says the same."""
    key = make_ssh_key(tmp_path / "keys", "ada")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", ada=key)
    registry.register(make_run(), "churn")

    chain = verify(registry, "churn@1", require_signature=True)

    assert chain.genuine
    assert "good signature of ada@example.org" in chain.step("signature").text
    assert "" == git(repo, "verify-tag", "churn@v0.0.1")


def test_a_gpg_signature_is_verified(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``--sign``, where the configuration does not ask for it."""
    run = make_run()
    with gpg_home("ada@example.org", "Ada Lovelace") as (home, key):
        monkeypatch.setenv("GNUPGHOME", str(home))
        git(repo, "config", "user.signingKey", key)
        registry.register(run, "churn", sign=True)
        chain = verify(registry, "churn@1", require_signature=True)

    assert chain.genuine
    assert key == chain.step("signature").facts["key"]


def test_without_a_signature_there_is_no_finding_unless_one_is_required(
    make_run: MakeRun, registry: Registry, cli: Cli
) -> None:
    """Most teams sign nothing."""
    registry.register(make_run(), "churn")

    assert cli("registry", "verify", "churn@1").code == 0
    refused = cli("registry", "verify", "churn@1", "--require-signature", code=6)

    assert "the tag churn@v0.0.1 is not signed" in refused.out


def test_a_signed_tag_that_was_altered_is_found(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli
) -> None:
    """The signature is of another text."""
    key = make_ssh_key(tmp_path / "keys", "ada")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", ada=key)
    registry.register(make_run(), "churn", reason="honest")
    forge(repo, git, "churn@v0.0.1", "honest", "forged")
    forget(repo, git)

    refused = cli("registry", "verify", "churn@v0.0.1", code=6)

    assert "NOT what it says" in refused.out
    assert "has a signature that is not good" in refused.out


def test_a_tag_signed_by_somebody_else_than_its_author_is_found(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """Bob's key is good, and says that Ada did it."""
    key = make_ssh_key(tmp_path / "keys", "bob")
    sign_with_ssh(repo, key)
    allow(repo, tmp_path / "signers", bob=key)
    registry.register(make_run(), "churn")

    [finding] = verify(registry, "churn@1").findings

    assert "says that Ada Lovelace <ada@example.org> made it, and is signed by bob@example.org" in finding


def test_a_key_that_nobody_vouches_for_is_no_finding_unless_required(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry
) -> None:
    """It can't be told here; whoever must know says so."""
    sign_with_ssh(repo, make_ssh_key(tmp_path / "keys", "ada"))
    registry.register(make_run(), "churn")

    assert "unsure" == verify(registry, "churn@1").step("signature").state
    assert not verify(registry, "churn@1", require_signature=True).genuine


def test_a_moved_tag_is_found(repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli) -> None:
    """The clone that made it remembers, and so does the claim of its number."""
    registry.register(make_run(), "churn", reason="honest")
    forge(repo, git, "churn@v0.0.1", "honest", "forged")

    refused = cli("registry", "verify", "churn@v0.0.1", code=6)

    assert "the tag was moved" in refused.out
    assert "its number 1 is not its own" in refused.out


def test_a_tag_that_points_to_other_files_is_found(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """A registration of an altered model: the run's commit below has other files."""
    registry.register(make_run(), "churn")
    old = git(repo, "rev-parse", "churn@v0.0.1^{commit}")
    blob = git(repo, "hash-object", "-w", "--stdin", stdin=b"evil")
    tree = edited_tree(repo, git, old, ".ledgit/run/artifacts/model/weights.bin", blob)
    message = git(repo, "log", "-1", "--format=%B", old)
    parent = git(repo, "rev-parse", f"{old}^")
    new = git(repo, "commit-tree", tree, "-p", parent, stdin=message.encode())
    forge(repo, git, "churn@v0.0.1", old, new)
    forget(repo, git)

    findings = verify(registry, "churn@v0.0.1").findings

    assert "its registration has other files than the run's commit below it" in findings
    assert any("model/weights.bin is damaged in Git" in finding for finding in findings)


def edited_tree(repo: Path, git: GitFunction, commit: str, path: str, blob: str) -> str:
    """Return the tree of *commit* with another file at *path*."""
    names = path.split("/")
    new, mode, kind = blob, "100644", "blob"
    for place in range(len(names) - 1, -1, -1):
        folder = "/".join(names[:place])
        listed = git(repo, "ls-tree", f"{commit}:{folder}" if folder else commit).splitlines()
        lines = [line for line in listed if line.split("\t")[1] != names[place]]
        lines.append(f"{mode} {kind} {new}\t{names[place]}")
        new, mode, kind = git(repo, "mktree", stdin=("\n".join(lines) + "\n").encode()), "040000", "tree"
    return new


def test_a_digest_that_is_not_the_model_s_is_found(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """The message was forged, the files were not."""
    registry.register(make_run(), "churn")
    digest = registry.version("churn@1").digest or ""
    forge(repo, git, "churn@v0.0.1", digest, "sha256:" + "0" * 64)
    forget(repo, git)

    [finding] = verify(registry, "churn@v0.0.1").findings

    assert "they were altered" in finding


def test_large_files_altered_in_the_cache_are_found(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli
) -> None:
    """What is beside Git is hashed as well."""
    git(repo, "config", "ledgit.artifactThreshold", "10")
    registry.register(make_run(weights="w" * 1000), "churn")
    objects = [path for path in (repo / ".git" / "ledgit").rglob("*") if path.is_file() and path.stat().st_size == 1000]
    assert objects
    for path in objects:
        path.chmod(0o644)
        path.write_text("e" * 1000)

    refused = cli("registry", "verify", "churn@1", code=6)

    assert "weights.bin is damaged in this clone's cache" in refused.out


def test_a_run_that_is_not_here_is_found(repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction) -> None:
    """A tag came without its run."""
    run = make_run()
    registry.register(run, "churn")
    git(repo, "update-ref", "-d", f"refs/ledgit/runs/{run}")

    [finding] = verify(registry, "churn@1").findings

    assert f"run {run[:8]} is not known here; 'ledgit pull'" in finding


def test_a_version_from_another_run_s_commit_is_found(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction
) -> None:
    """The tag says that it came from a good run, and its commit is of a bad one."""
    good, bad = make_run(), make_run(accuracy=0.1, weights="bad")
    registry.register(bad, "churn")
    old = git(repo, "rev-parse", "churn@v0.0.1^{commit}")
    message = git(repo, "log", "-1", "--format=%B", old).replace(bad, good)
    tree, parent = git(repo, "rev-parse", f"{old}^{{tree}}"), git(repo, "rev-parse", f"{old}^")
    new = git(repo, "commit-tree", tree, "-p", parent, stdin=message.encode())
    text = git(repo, "cat-file", "tag", "churn@v0.0.1") + "\n"
    forged = text.replace(bad, good).replace(old, new)
    oid = git(repo, "hash-object", "-t", "tag", "-w", "--stdin", stdin=forged.encode())
    git(repo, "update-ref", "refs/tags/churn@v0.0.1", oid)
    forget(repo, git)

    findings = verify(registry, "churn@v0.0.1").findings

    assert any("is not one of run" in finding for finding in findings)


def test_a_version_of_a_run_that_goes_on_is_genuine(repo: Path, registry: Registry, tmp_path: Path) -> None:
    """It is from a checkpoint, and stays genuine when the run has ended."""
    model = tmp_path / "net"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\n")
    with ledgit.start_run() as run:
        ledgit.log_artifacts(str(model), "net")
        registry.register(run.info.run_id, "churn")
        during = verify(registry, "churn@1")
        ledgit.log_metric("late", 1)

    after = verify(registry, "churn@1")

    assert [[], []] == [during.findings, after.findings]


def test_what_is_no_tag_of_ours_is_a_problem_of_the_whole(
    repo: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli
) -> None:
    """Lightweight, or of another's making."""
    registry.register(make_run(), "churn")
    git(repo, "tag", "churn@v9.0.0")

    refused = cli("registry", "verify", code=6)

    assert "churn@v9.0.0: it is a lightweight tag" in refused.out
    assert "the tag churn@v9.0.0: it is a lightweight tag" in cli("registry", "verify", "churn@v9.0.0", code=6).err
    assert "has no version 'v9.0.1'" in cli("registry", "verify", "churn@v9.0.1", code=3).err


def test_a_tag_made_by_hand_is_not_said_to_be_a_run_s(repo: Path, git: GitFunction, cli: Cli) -> None:
    """It points to code, and registers nothing."""
    git(repo, "tag", "-a", "-m", "mine", "churn@v1.0.0")

    shown = cli("registry", "verify", "churn@v1.0.0", code=6).out

    assert "child of the run's commit" not in shown
    assert f"{git(repo, 'rev-parse', '--short=8', 'HEAD')}, a commit that registers nothing" in shown
    assert "is NOT what it says" in shown


@pytest.mark.parametrize("where", ["committed", "changed", "gone"])
def test_data_sets_are_hashed_where_they_are(repo: Path, registry: Registry, tmp_path: Path, where: str) -> None:
    """In the run's own tree, or at their place; and what is not there is not called wrong."""
    data = repo / "data.csv" if where == "committed" else tmp_path / "large.csv"
    data.write_text("x,y\n3,4\n")
    model = tmp_path / "model.bin"
    model.write_text("weights")
    with ledgit.start_run() as run:
        ledgit.log_input(ledgit.data.from_file(str(data)), context="training")
        ledgit.log_artifact(str(model))
    registry.register(run.info.run_id, "churn", path="model.bin")
    if where == "changed":
        data.write_text("x,y\n5,6\n")
    elif where == "gone":
        data.unlink()

    chain = verify(registry, "churn@1")

    assert chain.genuine
    assert {"committed": "same", "changed": "changed", "gone": "elsewhere"}[where] == chain.step("data").facts["state"]


# ---------------------------------------------------------------------- provenance


def test_the_statement_has_the_model_s_files_and_what_they_came_from(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli
) -> None:
    """In-toto's statement, version 1, with SLSA's predicate."""
    import hashlib

    run = make_run(weights="the weights")
    registry.register(run, "churn", reason="the first")
    target = tmp_path / "churn.intoto.json"

    cli("registry", "verify", "churn@1", "--provenance", str(target))

    said = json.loads(target.read_text())
    predicate = said["predicate"]
    subjects = {one["name"]: one["digest"] for one in said["subject"]}
    assert "https://in-toto.io/Statement/v1" == said["_type"]
    assert "https://slsa.dev/provenance/v1" == said["predicateType"]
    assert {"MLmodel", "weights.bin"} == set(subjects)
    assert hashlib.sha256(b"the weights").hexdigest() == subjects["weights.bin"]["sha256"]
    code = predicate["buildDefinition"]["resolvedDependencies"][0]
    assert git(repo, "rev-parse", "HEAD") == code["digest"]["gitCommit"]
    assert run == predicate["runDetails"]["metadata"]["invocationId"]
    tags = predicate["runDetails"]["byproducts"]
    assert git(repo, "rev-parse", "refs/tags/churn@v0.0.1") == tags[0]["digest"]["gitTag"]
    assert "the first" == tags[0]["annotations"]["reason"]


def test_nothing_is_stated_about_what_is_not_genuine(
    repo: Path, tmp_path: Path, make_run: MakeRun, registry: Registry, git: GitFunction, cli: Cli
) -> None:
    """No file is written."""
    registry.register(make_run(), "churn", reason="honest")
    forge(repo, git, "churn@v0.0.1", "honest", "forged")

    refused = cli("registry", "verify", "churn@1", "--provenance", str(tmp_path / "said.json"), code=6)

    assert "was not written" in refused.err
    assert not (tmp_path / "said.json").exists()
    with pytest.raises(Conflict, match="nothing can be stated"):
        statement(registry.repository, verify(registry, "churn@1"))


def test_a_statement_is_about_one_version(make_run: MakeRun, registry: Registry, cli: Cli) -> None:
    """Several would need several."""
    run = make_run()
    registry.register(run, "churn")
    registry.register(run, "churn")

    assert "one version" in cli("registry", "verify", "--provenance", "-", code=2).err
