"""Runs as files: out and in again, with their ids."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgit.cli import main

Cli = Callable[..., Any]
Record = Callable[..., str]


def run_git(path: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=path, check=True, capture_output=True, text=True).stdout.rstrip("\n")


BIG = os.urandom(300 * 1024)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another repository, with other code."""
    path = tmp_path / "other"
    path.mkdir()
    run_git(path, "init", "-q")
    (path / "README").write_text("other\n")
    run_git(path, "add", ".")
    run_git(path, "commit", "-q", "-m", "other")
    return path


@pytest.fixture
def exported(repo: Path, record: Record, cli: Cli, tmp_path: Path) -> Path:
    """A run with a history, a tag, a note, a small and a large artifact, written as files."""
    (repo / "big.bin").write_bytes(BIG)
    (repo / ".gitignore").write_text("big.bin\n")
    run_id = record("--start", "--name", "owl", "-p", "lr=0.1", "-p", "layers=3", "-t", "k=v", "data.csv", "big.bin")
    for step in range(3):
        record("--run", run_id, "-m", f"loss={3 - step}", "--step", str(step))
    record("--run", run_id, "--finish")
    cli("note", "owl", "-m", "good")
    target = tmp_path / "out"
    assert cli("export", "owl", str(target)).out == f"exported 1 run to {target}\n"
    return target


def fields(run: dict[str, Any]) -> dict[str, Any]:
    return {key: run[key] for key in run if key not in ("commit", "head", "heads", "link")}


def test_an_export_is_plain_files(exported: Path) -> None:
    (folder,) = exported.iterdir()

    assert (folder / "params.yaml").read_text() == "layers: 3\nlr: 0.1\n"
    assert (folder / "artifacts" / "big.bin").read_bytes() == BIG
    assert (folder / "artifacts" / "data.csv").read_text() == "x,y\n1,2\n"
    assert len((folder / "history" / "loss.tsv").read_text().splitlines()) == 4


def test_an_import_brings_the_same_run_into_another_repository(
    exported: Path, other: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cli("show", "owl", "--json").json
    artifacts = before["artifacts"]
    monkeypatch.chdir(other)

    assert cli("import", str(exported)).out == "imported 1 run\n"
    after = cli("show", "owl", "--json").json
    assert fields(after) == fields(before)
    assert after["artifacts"] == artifacts
    import ledgit

    run = ledgit.open().run("owl")
    assert run.read_artifact("big.bin") == BIG
    assert list(run.history("loss").values) == [3.0, 2.0, 1.0]
    assert run_git(other, "show", "-s", "--format=%an %at %ct", after["commit"]).split()[-1] == str(run.start // 1000)


def test_importing_again_changes_nothing(
    exported: Path, other: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other)
    cli("import", str(exported))
    refs = run_git(other, "for-each-ref")
    ran = cli("import", str(exported))

    assert (ran.out, ran.err) == ("imported 0 runs\n", "1 were here already and stay as they are\n")
    assert run_git(other, "for-each-ref") == refs


def test_where_the_code_is_known_the_run_hangs_on_it(
    exported: Path, repo: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_git(tmp_path, "clone", "-q", str(repo), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    cli("import", str(exported))

    commit = cli("rev", "owl").out.strip()
    assert run_git(tmp_path / "clone", "rev-parse", f"{commit}^") == run_git(repo, "rev-parse", "main")


def test_the_imported_cache_is_no_link_to_the_users_file(
    exported: Path, other: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing into the export later must not change the run."""
    monkeypatch.chdir(other)
    cli("import", str(exported))
    (folder,) = exported.iterdir()
    with (folder / "artifacts" / "big.bin").open("r+b") as file:
        file.write(b"changed")

    import ledgit

    assert ledgit.open().run("owl").read_artifact("big.bin") == BIG


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_tar_file_does_as_well(
    exported: Path, other: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
    cli("export", "--filter", "tags.k = 'v'", str(one))
    cli("export", "owl", str(two))
    assert "there already" in cli("export", "owl", str(one), code=2).err
    monkeypatch.chdir(other)
    cli("import", str(one))

    assert cli("show", "owl", "--json").json["params"] == {"lr": 0.1, "layers": 3}
    with tarfile.open(two) as tar:
        assert {(member.uid, member.uname, member.mtime) for member in tar} == {(0, "", 0)}


def test_a_missing_content_travels_as_its_pointer(
    exported: Path, repo: Path, other: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(repo / ".git" / "ledgit" / "cache")
    ran = cli("export", "owl", str(tmp_path / "thin"), code=1)
    assert "no artifact remote is set up here" in ran.err
    assert cli("export", "owl", "--here", str(tmp_path / "same"), code=0).err in ran.err
    monkeypatch.chdir(other)
    cli("import", str(tmp_path / "thin"))

    assert "its pointer was exported: big.bin of owl" in ran.err
    assert [item["path"] for item in cli("show", "owl", "--json").json["artifacts"]] == ["big.bin", "data.csv"]


def refused(
    folder: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    monkeypatch.chdir(other)
    code = main(["import", str(folder)])
    assert run_git(other, "for-each-ref", "refs/ledgit") == ""
    return code, capsys.readouterr().err


def test_a_changed_artifact_is_refused(
    exported: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = exported.iterdir()
    (folder / "artifacts" / "data.csv").write_text("forged\n")
    code, said = refused(exported, other, monkeypatch, capsys)

    assert code == 6
    assert "has the digest" in said


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", ".git/config"])
def test_a_path_that_leaves_its_folder_is_refused(
    exported: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (folder,) = exported.iterdir()
    path = folder / "artifacts.yaml"
    path.write_text(path.read_text().replace("data.csv", name))
    code, _ = refused(exported, other, monkeypatch, capsys)

    assert code == 6


def test_a_digest_that_is_a_path_is_refused(
    exported: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = exported.iterdir()
    (folder / "artifacts" / "big.bin").unlink()
    path = folder / "artifacts.yaml"
    lines = [
        line if "md5:" not in line else line.split("md5:")[0] + 'md5:../../../etc/passwd"'
        for line in path.read_text().splitlines()
    ]
    path.write_text("\n".join(lines) + "\n")
    code, said = refused(exported, other, monkeypatch, capsys)

    assert code == 6, said


def test_a_link_in_an_export_is_refused(
    exported: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = exported.iterdir()
    (folder / "artifacts" / "data.csv").unlink()
    (folder / "artifacts" / "data.csv").symlink_to("/etc/passwd")
    code, said = refused(exported, other, monkeypatch, capsys)

    assert code == 6
    assert "link" in said


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, "../escape", "/absolute"])
def test_a_hostile_tar_file_is_refused(
    other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: bytes | str
) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("run/run.yaml" if isinstance(kind, bytes) else kind)
        if isinstance(kind, bytes):
            member.type = kind
            member.linkname = "/etc/passwd"
            tar.addfile(member)
        else:
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    code, _ = refused(path, other, monkeypatch, capsys)

    assert code == 6
    assert not (tmp_path / "escape").exists()


def test_what_is_no_export_is_said(cli: Cli, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"nothing")

    assert "holds no exported run" in cli("import", str(repo), code=2).err
    assert "no folder and no .tar" in cli("import", "missing", code=2).err
    assert "there is no file" in cli("import", "missing.tar", code=2).err
    assert "can't be unpacked" in cli("import", str(tmp_path / "no.tar"), code=6).err
    assert "no run to export" in cli("export", str(tmp_path / "x"), code=2).err


def test_a_newer_format_asks_for_an_upgrade(
    exported: Path, other: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = exported.iterdir()
    about = folder / "export.json"
    about.write_text(about.read_text().replace('"format": 1', '"format": 2'))
    code, said = refused(exported, other, monkeypatch, capsys)

    assert code == 6
    assert "upgrade Ledgit" in said


def test_an_active_run_is_not_exported(cli: Cli, record: Record, tmp_path: Path) -> None:
    run_id = record("--start")

    assert "when it has ended" in cli("export", run_id, str(tmp_path / "out"), code=4).err
