"""Two machines, an S3 server between them, and a host for the code: what one logs, the other gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, same, start_project
from tests.artifacts.servers import BUCKET, S3, S3_USER, Wire
from tests.conftest import run_git

from ledgit import artifacts as fluent
from ledgit.tracking import session

DVC = """\
[core]
    analytics = false
    remote = storage
['remote "storage"']
    url = s3://{bucket}/project
    endpointurl = {endpoint}
"""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with S3(tmp_path_factory.mktemp("s3")).run() as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a person has them in their environment; no repository has any."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_USER["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_USER["secret_access_key"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def folder(tmp_path: Path, s3: S3) -> Iterator[Path]:
    """A place for the test, and an empty bucket."""
    yield tmp_path
    session.set_tracking_uri("")
    client = s3.client()
    for key in list(s3.keys()):
        client.delete_object(Bucket=BUCKET, Key=key)


def dvc_project(folder: Path, endpoint: str) -> Path:
    """A project that uses DVC: its default remote is on S3."""
    config = DVC.format(bucket=BUCKET, endpoint=endpoint)
    return start_project(folder, {".dvc/config": config, ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"})


def test_what_one_machine_logs_the_other_gets(folder: Path, s3: S3) -> None:
    """Nothing is set up on either: the project's default DVC remote is enough."""
    host = dvc_project(folder, s3.endpoint)
    ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
    model, plots = make_file(folder / "out" / "model.bin"), make_folder(folder / "out" / "plots")
    run = ada.log(model, plots, texts={"notes/report.txt": "good\n"}, name="calm-owl")
    ada.run("push", "--all")
    assert all(key.startswith("project/ledgit/files/md5/") for key in list(s3.keys()))

    grace.run("pull")
    listed = {item["path"]: item["where"] for item in grace.json("artifacts", "ls", run)}
    assert {"model.bin": "remote", "notes/report.txt": "git", "plots": "remote"} == listed

    # Into the current folder, as files of one's own.
    grace.run("artifacts", "get", run, "model.bin")
    copy = grace.path / "model.bin"
    assert model.read_bytes() == copy.read_bytes()
    assert 1 == copy.stat().st_nlink
    grace.run("apply", "calm-owl", "--artifacts", "plots")
    assert same(plots, grace.path / "plots")

    # From Python.
    session.set_tracking_uri(grace.path)
    where = fluent.download_artifacts(f"runs:/{run}/plots", dst_path=folder / "python")
    assert same(plots, Path(where))
    assert "good\n" == fluent.load_text(f"runs:/{run}/notes/report.txt")


def test_dvc_alone_gets_a_runs_files(folder: Path, s3: S3) -> None:
    """``dvc get --rev RUN`` anywhere, ``dvc pull`` in a checked-out run: no Ledgit, and no cache of its own."""
    host = dvc_project(folder, s3.endpoint)
    ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
    model, plots = make_file(folder / "out" / "model.bin"), make_folder(folder / "out" / "plots")
    run = ada.log(model, plots)
    ada.run("push", "--all")
    grace.run("pull")
    commit = grace.says("rev", run).strip()

    target = folder / "got"
    target.mkdir()
    grace.dvc("get", str(grace.path), ".ledgit/run/artifacts/model.bin", "--rev", commit, cwd=target)
    assert model.read_bytes() == (target / "model.bin").read_bytes()

    grace.git("checkout", "-q", commit)
    grace.dvc("pull")
    assert same(plots, grace.path / ".ledgit" / "run" / "artifacts" / "plots")
    assert model.read_bytes() == (grace.path / ".ledgit" / "run" / "artifacts" / "model.bin").read_bytes()
    assert "" == grace.git("status", "--short", "--untracked-files=no")


def test_a_repository_that_never_heard_of_dvc(folder: Path, s3: S3) -> None:
    """The run's tree carries the remote; the work tree is left alone."""
    host = start_project(
        folder,
        {
            ".ledgit/config.yaml": (
                f"artifacts:\n  remote:\n    url: s3://{BUCKET}/runs\n    endpointurl: {s3.endpoint}\n"
            )
        },
    )
    ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
    model = make_file(folder / "out" / "model.bin")
    run = ada.log(model)
    ada.run("push", "--all")
    assert "" == ada.git("status", "--short")
    assert not (ada.path / ".dvc").exists()

    grace.run("pull")
    commit = grace.says("rev", run).strip()
    target = folder / "got"
    target.mkdir()
    grace.dvc("get", str(grace.path), ".ledgit/run/artifacts/model.bin", "--rev", commit, cwd=target)

    assert model.read_bytes() == (target / "model.bin").read_bytes()
    assert s3.endpoint in grace.git("show", f"{commit}:.dvc/config")
    assert S3_USER["secret_access_key"] not in grace.git("show", f"{commit}:.dvc/config")


def test_a_remote_that_cannot_be_reached_and_then_can(folder: Path, s3: S3) -> None:
    """The run stays with its reason, one without large files goes; the next push sends what stayed."""
    with Wire(s3.port).run() as wire:
        host = dvc_project(folder, f"http://127.0.0.1:{wire.port}")
        ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
        plain, run = ada.log(name="plain"), ada.log(make_file(folder / "model.bin"), name="heavy")
        wire.cut_after(0)
        wire.reset()

        pushed = ada.json("push", "--all")
        assert [plain] == pushed["new"]
        assert "artifacts" == pushed["held"][run]["kind"]
        grace.run("pull")
        assert [plain] == [found["id"] for found in grace.json("ls")]

        wire.mend()
        pushed = ada.json("push", "--all")
        assert [run] == pushed["new"]
        assert {} == pushed["held"]
        grace.run("pull")
        grace.run("artifacts", "get", run, "-o", str(folder / "got"))
        assert (folder / "model.bin").read_bytes() == (folder / "got" / "model.bin").read_bytes()


def test_a_push_of_nothing_new_asks_no_artifact_remote(folder: Path, s3: S3) -> None:
    """Not even whether it is there."""
    with Wire(s3.port).run() as wire:
        host = dvc_project(folder, f"http://127.0.0.1:{wire.port}")
        ada = clone(host, folder / "ada")
        ada.log(make_file(folder / "model.bin"))
        ada.process("push", "--all")
        before = wire.connections

        ada.process("push", "--all")

        assert before == wire.connections


def test_a_run_older_than_the_remote_can_be_fetched_after_the_next_push(folder: Path, s3: S3) -> None:
    """It had gone out without its files; whoever made it sets the remote up, and pushes."""
    host = start_project(folder)
    ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
    model = make_file(folder / "model.bin")
    run = ada.log(model)
    assert "only in this clone: artifacts of 1 run" in ada.says("push", "--all")
    grace.run("pull")
    said = grace.says("artifacts", "get", run, code=3)
    assert "Ada Lovelace" in said  # where a good copy is
    assert "ledgit artifacts remote URL" in said

    for person in (ada, grace):
        dvc = person.path / ".dvc" / "config"
        dvc.parent.mkdir()
        dvc.write_text(DVC.format(bucket=BUCKET, endpoint=s3.endpoint))
    assert "1 object" in ada.says("push")

    grace.run("artifacts", "get", run)
    assert model.read_bytes() == (grace.path / "model.bin").read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_push_that_is_cut_in_the_middle_and_repeated(folder: Path, s3: S3, share: float) -> None:
    """Nothing is there twice, nothing half, and nothing is missing."""
    files = [make_file(folder / f"model-{number}.bin", 1 << 20) for number in range(4)]
    with Wire(s3.port).run() as wire:
        host = dvc_project(folder, f"http://127.0.0.1:{wire.port}")
        ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
        run = ada.log(*files)
        wire.cut_after(int(share * 4 * (1 << 20)))

        assert "artifacts" == ada.json("push", "--all", code=4)["held"][run]["kind"]
        wire.mend()
        ada.run("push", "--all")

        assert [1 << 20] * 4 == sorted(s3.keys().values())
        grace.run("pull")
        grace.run("artifacts", "get", run)
        assert all(file.read_bytes() == (grace.path / file.name).read_bytes() for file in files)


def test_a_run_commits_dvc_config_is_no_change_of_the_users(folder: Path, s3: S3) -> None:
    """Neither compared, applied nor put on a branch; and the project's own file is in it unchanged."""
    host = dvc_project(folder, s3.endpoint)
    ada = clone(host, folder / "ada")
    own = (ada.path / ".dvc" / "config").read_text()
    run = ada.log(make_file(folder / "model.bin"), name="with")
    other = ada.log(name="without")
    commit = ada.says("rev", run).strip()

    assert own in ada.git("show", f"{commit}:.dvc/config")
    assert not ada.json("show", run)["code"]["dirty"]
    assert ".dvc" not in ada.says("diff", other, run, "--patch")
    ada.run("apply", run)
    assert "" == ada.git("status", "--short")
    ada.run("branch", run, "again")
    assert own == ada.git("show", "again:.dvc/config") + "\n"
    run_git(ada.path, "diff", "--exit-code", "HEAD", "again")


def test_what_the_server_changed_is_refused(folder: Path, s3: S3) -> None:
    """A fetched object is hashed: what the server has instead of it is refused, and the sentence says so."""
    host = dvc_project(folder, s3.endpoint)
    ada, grace = clone(host, folder / "ada"), clone(host, folder / "grace")
    run = ada.log(make_file(folder / "model.bin"))
    ada.run("push", "--all")
    (key,) = s3.keys()
    s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"something else")
    grace.run("pull")

    said = grace.says("artifacts", "get", run, code=3)

    assert "model.bin" in said
    assert not (grace.path / "model.bin").exists()
    assert set() == Person(grace.path).objects()
