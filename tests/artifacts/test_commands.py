"""``ledgit artifacts`` and its relatives: what they print, write and refuse."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.artifacts.people import Person, clone, make_file, make_folder, same, start_project

from ledgit.artifacts import Cache
from ledgit.git import Repo
from ledgit.store import ActiveRun, RunStart


@pytest.fixture
def ada(tmp_path: Path) -> Person:
    return clone(start_project(tmp_path), tmp_path / "ada")


@pytest.fixture
def run(ada: Person, tmp_path: Path) -> str:
    """A run with a small and a large file, and a large folder."""
    model, plots = make_file(tmp_path / "model.bin"), make_folder(tmp_path / "plots")
    return ada.log(model, plots, texts={"notes/report.txt": "good\n", "notes/deep/more.txt": "more\n"}, name="calm-owl")


# ---------------------------------------------------------------------- ls


def test_ls_says_where_each_file_is(ada: Person, run: str) -> None:
    listed = {item["path"]: item for item in ada.json("artifacts", "ls", "calm-owl")}

    assert ("git", 5) == (listed["notes/report.txt"]["where"], listed["notes/report.txt"]["size"])
    assert ("here", 300 * 1024) == (listed["model.bin"]["where"], listed["model.bin"]["size"])
    assert ("here", 50) == (listed["plots/0/0.bin"]["where"], listed["plots/0/0.bin"]["size"])
    assert 123 == len(listed)


def test_ls_shows_a_large_folder_as_one_line_until_it_is_asked_for(ada: Person, run: str) -> None:
    whole = ada.says("artifacts", "ls", run)
    inside = ada.says("artifacts", "ls", run, "plots/1")

    assert "plots/ (120 files)" in whole
    assert "plots/0/0.bin" not in whole
    assert "plots/1/1.bin" in inside
    assert "plots/0/" not in inside


def test_ls_says_how_much_of_a_folder_is_here(ada: Person, tmp_path: Path) -> None:
    """All, some or nothing of it; where its list is not here nobody knows, and nothing is."""
    run = ada.log(make_folder(tmp_path / "plots"), texts={"note.txt": "small"})
    (listed,) = (oid for oid in ada.objects() if oid.endswith(".dir"))
    cache = Cache(str(ada.cache))

    def where() -> str:
        lines = [line for line in ada.says("artifacts", "ls", run).splitlines() if line.startswith("plots/")]
        (line,) = lines
        assert "plots/ (120 files)" in line
        return line.split()[-1]

    assert "here" == where()
    files = sorted(ada.objects() - {listed})
    cache.remove(files[0])
    assert "partly" == where()
    for oid in files:
        cache.remove(oid)
    assert "missing" == where()
    cache.remove(listed)
    assert "missing" == where()
    assert "git" in ada.says("artifacts", "ls", run, "note.txt")
    assert "plots" in ada.says("artifacts", "ls", run, "plot", code=3)


def test_ls_tells_what_is_on_the_remote_from_what_is_lost(ada: Person, run: str, tmp_path: Path) -> None:
    """Without asking, what is not here is taken to be on the remote, if there is one."""
    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("pull")

    def where() -> set[str]:
        return {item["where"] for item in grace.json("artifacts", "ls", run, "model.bin")}

    assert {"missing"} == where()
    grace.run("artifacts", "remote", str(tmp_path / "storage"))
    assert {"remote"} == where()
    digest = grace.json("artifacts", "ls", run, "model.bin")[0]["digest"].removeprefix("md5:")
    (tmp_path / "storage" / "files" / "md5" / digest[:2] / digest[2:]).unlink()
    assert {"remote"} == where()
    assert {"missing"} == {item["where"] for item in grace.json("artifacts", "ls", run, "model.bin", "--check")}


def test_a_path_that_is_not_there_is_an_error_that_names_others(ada: Person, run: str) -> None:
    assert "notes/report.txt" in ada.says("artifacts", "ls", run, "report.txt", code=3)
    assert "plots/0" in ada.says("artifacts", "cat", run, "plots/0", code=3)


# ---------------------------------------------------------------------- get, cat


def test_get_writes_everything_with_its_folders(ada: Person, run: str, tmp_path: Path) -> None:
    written = ada.json("artifacts", "get", run, "-o", "out")["written"]

    assert same(tmp_path / "plots", ada.path / "out" / "plots")
    assert "more\n" == (ada.path / "out" / "notes" / "deep" / "more.txt").read_text()
    assert 123 == len(written)
    assert "out/model.bin" in written


def test_get_leaves_off_what_is_above_a_path(ada: Person, run: str) -> None:
    """As ``dvc get`` does: the file or folder itself comes to where one is."""
    ada.run("artifacts", "get", run, "notes/report.txt", "notes/deep/", "plots/2")

    assert "good\n" == (ada.path / "report.txt").read_text()
    assert "more\n" == (ada.path / "deep" / "more.txt").read_text()
    assert 40 == len(list((ada.path / "2").iterdir()))
    assert not (ada.path / "notes").exists()


def test_get_overwrites_nothing_without_force(ada: Person, run: str) -> None:
    """And then writes none of them; what is the same already is no obstacle."""
    (ada.path / "report.txt").write_text("mine\n")

    said = ada.says("artifacts", "get", run, "model.bin", "notes/report.txt", code=4)
    assert "report.txt" in said
    assert "--force" in said
    assert "mine\n" == (ada.path / "report.txt").read_text()
    assert not (ada.path / "model.bin").exists()

    ada.run("artifacts", "get", run, "model.bin", "notes/report.txt", "--force")
    assert "good\n" == (ada.path / "report.txt").read_text()
    ada.run("artifacts", "get", run, "model.bin", "notes/report.txt")


def test_two_paths_of_one_name_are_refused(ada: Person, tmp_path: Path) -> None:
    run = ada.log(texts={"a/x.txt": "a", "b/x.txt": "b"})

    assert "same name" in ada.says("artifacts", "get", run, "a/x.txt", "b/x.txt", code=4)
    assert not (ada.path / "x.txt").exists()


def test_what_is_got_is_ones_own(ada: Person, run: str, tmp_path: Path) -> None:
    """Writing to it changes nothing in the cache, and nobody's next copy."""
    ada.run("artifacts", "get", run, "model.bin")
    (ada.path / "model.bin").write_bytes(b"mine")
    ada.run("artifacts", "get", run, "model.bin", "-o", "again")

    assert (tmp_path / "model.bin").read_bytes() == (ada.path / "again" / "model.bin").read_bytes()
    assert os.access(ada.path / "again" / "model.bin", os.W_OK)


def test_no_link_in_the_folder_leads_out_of_it(ada: Person, run: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (ada.path / "out").mkdir()
    (ada.path / "out" / "notes").symlink_to(outside)

    said = ada.says("artifacts", "get", run, "-o", "out", code=6)

    assert "leads out" in said
    assert [] == list(outside.iterdir())


def test_cat_prints_bytes_as_they_are(ada: Person, run: str, tmp_path: Path) -> None:
    assert b"good\n" == ada.process("artifacts", "cat", run, "notes/report.txt").out
    assert (tmp_path / "model.bin").read_bytes() == ada.process("artifacts", "cat", run, "model.bin").out
    assert (tmp_path / "plots" / "0" / "0.bin").read_bytes() == ada.run("artifacts", "cat", run, "plots/0/0.bin").out


def test_apply_brings_artifacts_by_their_own_paths(ada: Person, run: str, tmp_path: Path) -> None:
    ada.run("apply", run, "--artifacts", "notes", "plots")

    assert "good\n" == (ada.path / "notes" / "report.txt").read_text()
    assert same(tmp_path / "plots", ada.path / "plots")
    assert not (ada.path / "model.bin").exists()
    (ada.path / "notes" / "report.txt").write_text("mine\n")
    ada.run("apply", run, "--artifacts", "notes", code=4)


# ---------------------------------------------------------------------- fetch, pull


def test_pull_brings_what_the_new_runs_need(ada: Person, run: str, tmp_path: Path) -> None:
    """So that all is here on the plane."""
    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("artifacts", "remote", str(tmp_path / "storage"))

    pulled = grace.json("pull", "--artifacts")

    assert 122 == pulled["artifacts"]["objects"]
    assert ada.objects() == grace.objects()
    (tmp_path / "storage").rename(tmp_path / "gone")
    assert "all of it is here already" in grace.says("artifacts", "fetch", run)
    grace.run("artifacts", "get", run)
    assert same(tmp_path / "plots", grace.path / "plots")


def test_fetch_names_what_is_missing_and_who_may_have_it(ada: Person, run: str, tmp_path: Path) -> None:
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("pull")
    (tmp_path / "storage").mkdir()
    grace.run("artifacts", "remote", str(tmp_path / "storage"))

    said = grace.says("artifacts", "fetch", run, code=3)

    assert run[:8] in said
    assert "is not on" in said
    assert "Ada Lovelace" in said


# ---------------------------------------------------------------------- remote, status


def test_remote_shows_where_it_is_and_what_says_so(ada: Person, tmp_path: Path) -> None:
    assert ada.json("artifacts", "remote")["remote"] is None

    ada.run("artifacts", "remote", "../storage")

    assert {"url": str(tmp_path / "storage"), "source": "ledgit.artifactRemote"} == ada.json("artifacts", "remote")[
        "remote"
    ]
    assert str(tmp_path / "storage") == ada.git("config", "ledgit.artifactRemote").replace("/ada/..", "")
    ada.run("artifacts", "remote", "--unset")
    assert ada.json("artifacts", "remote")["remote"] is None
    ada.run("artifacts", "remote", "--unset")


def test_remote_is_tried_out_and_left_as_it_was(ada: Person, tmp_path: Path) -> None:
    assert "written, read and deleted" in ada.says("artifacts", "remote", str(tmp_path / "storage"), "--check")
    assert [] == [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]

    (tmp_path / "file").touch()
    ada.run("artifacts", "remote", str(tmp_path / "file" / "x"), "--check", code=9)


@pytest.mark.parametrize("url", ["gopher://host/x", "user@host:/path", " "])
def test_an_address_that_means_nothing_is_refused(ada: Person, url: str) -> None:
    ada.run("artifacts", "remote", url, code=2)

    assert ada.json("artifacts", "remote")["remote"] is None


def test_remote_is_written_for_everybody_when_asked(ada: Person, tmp_path: Path) -> None:
    """Without credentials, and DVC reads it; the work tree is left alone otherwise."""
    ada.run("artifacts", "remote", "https://ada:sesame@example.org/runs")
    assert "" == ada.git("status", "--short")

    said = ada.says("artifacts", "remote", "--commit")

    config = (ada.path / ".dvc" / "config").read_text()
    assert "https://example.org/runs" in config
    assert "sesame" not in config + said
    assert "git add -f .dvc/config .dvc/.gitignore" in said
    assert "already" in ada.says("artifacts", "remote", "--commit")
    ada.dvc("remote", "list")


def test_status_counts_what_is_only_here(ada: Person, run: str, tmp_path: Path) -> None:
    before = ada.json("artifacts", "status")
    assert 122 == before["objects"]
    assert {run} == {item["run"] for item in before["only_here"]}

    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    ada.run("push", "--all")

    assert 0 == ada.json("artifacts", "status")["objects"]
    assert 0 == ada.json("artifacts", "status", "--check")["objects"]


def test_status_says_that_a_run_goes_on_whose_files_it_does_not_count(ada: Person, tmp_path: Path) -> None:
    model = make_file(tmp_path / "model.bin")
    run = ActiveRun.create(Repo.discover(str(ada.path)), RunStart())
    run.add_artifact(str(model), "model.bin")

    assert "not counted: what 1 run logged" in ada.says("artifacts", "status")
    run.finish()
    assert "not counted" not in ada.says("artifacts", "status")


def test_get_names_a_folder_of_many_files_once(ada: Person, run: str, tmp_path: Path) -> None:
    said = ada.says("artifacts", "get", "calm-owl", "-o", str(tmp_path / "out"))

    assert "model.bin\n" in said
    assert len(said.splitlines()) < 30


def test_get_and_apply_put_nothing_where_git_or_dvc_would_act_upon_it(ada: Person, tmp_path: Path) -> None:
    """A run from somebody else, whose files would turn folders into repositories that run programs."""
    texts = {"sub/.git/commondir": "../evil\n", ".dvc/config.local": "[x]\n", ".git/commondir": "evil\n", "good": "1"}
    ada.log(texts=texts, name="calm-owl")

    names = ada.json("artifacts", "get", "calm-owl", "-o", str(tmp_path / "out"))["written"]
    ada.run("apply", "calm-owl", "--artifacts")
    ada.repository.run("calm-owl").save_artifacts(tmp_path / "down")

    assert sorted(texts.values()) == sorted(Path(name).read_text() for name in names)
    for top in (tmp_path / "out", tmp_path / "down", ada.path):
        assert (top / "good").is_file()
        assert not any((top / name).exists() for name in texts if name != "good")
    assert "evil\n" == ada.says("artifacts", "cat", "calm-owl", ".git/commondir")


def test_folders_inside_each_other_without_end_are_one_sentence(ada: Person, tmp_path: Path) -> None:
    """As somebody else's run may name them."""
    ada.log(texts={"d/" * 1500 + "x": "1"}, name="calm-owl")

    assert "too many folders" in ada.says("artifacts", "get", "calm-owl", "-o", str(tmp_path / "out"), code=7)


def test_get_writes_names_of_any_length(ada: Person, tmp_path: Path) -> None:
    """As long as a file's name can be, and longer."""
    long, longer = "n" * 255, "m" * 300
    ada.log(texts={long: "1", longer: "2"}, name="calm-owl")

    ada.run("artifacts", "get", "calm-owl", "-o", str(tmp_path / "out"))

    assert "1" == (tmp_path / "out" / long).read_text()
    assert {"1", "2"} == {path.read_text() for path in (tmp_path / "out").iterdir()}


def test_pull_says_so_when_what_came_has_no_artifacts_to_fetch(ada: Person) -> None:
    ada.run("push", "--all")

    assert "ledgit artifacts fetch RUN" in ada.says("pull", "--artifacts")


def test_status_does_not_count_what_came_from_the_remote(ada: Person, run: str, tmp_path: Path) -> None:
    ada.run("artifacts", "remote", str(tmp_path / "storage"))
    ada.run("push", "--all")
    grace = clone(tmp_path / "host.git", tmp_path / "grace")
    grace.run("artifacts", "remote", str(tmp_path / "storage"))
    grace.run("pull", "--artifacts")

    assert 0 == grace.json("artifacts", "status")["objects"]


# ---------------------------------------------------------------------- init, arguments


def test_init_says_where_artifacts_go_and_writes_nothing(ada: Person, tmp_path: Path) -> None:
    assert "stay in this clone until" in ada.says("init")
    (ada.path / ".dvc").mkdir()
    (ada.path / ".dvc" / "config").write_text("[core]\n    remote = x\n['remote \"x\"']\n    url = /srv/data\n")

    said = ada.says("init")

    assert "/srv/data/ledgit" in said
    assert "ledgit artifacts remote --commit" in said
    assert {"url": "/srv/data/ledgit", "source": "DVC's default remote"} == ada.json("init")["artifact_remote"]
    assert "ledgit" not in (ada.path / ".dvc" / "config").read_text()


def test_init_offers_to_write_it_where_somebody_can_be_asked(ada: Person) -> None:
    (ada.path / ".dvc").mkdir()
    (ada.path / ".dvc" / "config").write_text("[core]\n    remote = x\n['remote \"x\"']\n    url = /srv/data\n")
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")

    subprocess.run(
        [sys.executable, "-m", "ledgit", "init"], cwd=ada.path, stdin=theirs, stderr=theirs, check=True, timeout=60
    )

    assert "remote://x/ledgit" in (ada.path / ".dvc" / "config").read_text()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("words", [(), ("list",), ("get",), ("ls", "--nope", "x"), ("remote", "x", "--unset")])
def test_words_that_make_no_sense_are_wrong_usage(ada: Person, words: tuple[str, ...]) -> None:
    assert "artifacts" in ada.says("artifacts", *words, code=2) or words == ("remote", "x", "--unset")


def test_options_may_stand_anywhere(ada: Person, run: str) -> None:
    ada.run("artifacts", "get", "--force", run, "-o", "out", "notes/report.txt", "--json")

    assert (ada.path / "out" / "report.txt").exists()


@pytest.mark.parametrize("words", [("--help",), ("get", "--help"), ("remote", "-h")])
def test_help_has_examples(ada: Person, words: tuple[str, ...]) -> None:
    shown = ada.process("artifacts", *words).out.decode()

    assert "examples:" in shown
    assert "ledgit artifacts" in shown
    assert json.dumps(shown)
