"""A project as one file: it runs where nothing else can be reached, and a bad one leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import run_git
from tests.projects.sharekit import run_python, set_remotes

import ledgit
from ledgit.cli import main
from ledgit.errors import ArtifactsMissing, Conflict, LedgitError
from ledgit.git import Repo, bundle_heads, fetch_bundle, make_bundle
from ledgit.projects.unbundling import is_bundle, open_bundle

Contents = dict[str, bytes]


@pytest.fixture
def project(workspace: Path) -> Path:
    """A project with data, one of whose earlier commits had something in it that is nobody's business."""
    run_git(workspace, "init", "-q")
    (workspace / "diary.txt").write_text("what was deleted is deleted\n")
    run_git(workspace, "add", "diary.txt")
    run_git(workspace, "commit", "-q", "-m", "diary")
    run_git(workspace, "rm", "-q", "diary.txt")
    run_git(workspace, "commit", "-q", "-m", "no diary")
    (workspace / "images").mkdir()
    for number in range(2):
        (workspace / "images" / f"{number}.bin").write_bytes(b"\0" + os.urandom(100))
    ledgit.project.create("my_project")
    ledgit.project.add_files(["data.csv", "model.py", "train.py", "images"], project_name="my_project")
    return workspace


_made: list[bytes] = []


@pytest.fixture
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The project in a file, made once for all who only open it."""
    path = tmp_path / "my_project.ledgit"
    if not _made:
        request.getfixturevalue("project")
        ledgit.project.share("my_project", bundle=path)
        _made.append(path.read_bytes())
    path.write_bytes(_made[0])
    return path


def test_it_runs_on_an_empty_machine(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both remotes, the clone, home and caches are gone; the run is found where the command says."""
    bare, store = set_remotes(project)
    ledgit.project.share("my_project")
    shared = ledgit.project.share("my_project", bundle=tmp_path / "file.ledgit")
    for gone in (bare, store, project):
        shutil.rmtree(gone)
    empty = tmp_path / "machine"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("LEDGIT_CACHE", str(empty / "cache"))
    capfd.readouterr()

    for _ in range(2):
        assert 0 == main(["run", str(tmp_path / "file.ledgit"), "-e", "train", "--env-manager", "local"])
        assert "rows 40001 alpha 0.5" in capfd.readouterr().out

    (mirror,) = (empty / "cache" / "projects").iterdir()
    assert 0 == main(["-C", str(mirror), "ls", "--json"])
    runs = json.loads(capfd.readouterr().out)
    assert [shared.commit] * 2 == [run["tags"]["ledgit.project.commit"] for run in runs]


def test_it_brings_the_commit_and_all_data_but_no_history(project: Path, tmp_path: Path) -> None:
    """The commit's id is the true one; what was deleted earlier is not in the file."""
    ledgit.project.share("my_project", bundle=tmp_path / "b")
    opened = open_bundle(str(tmp_path / "b"), str(tmp_path / "mirror.git"))

    assert run_git(project, "rev-parse", "HEAD") == opened.commit
    assert ("my_project", "v1.0.0", "my_project@v1.0.0", "") == (opened.name, opened.version, opened.tag, opened.subdir)
    mirror = tmp_path / "mirror.git"
    assert opened.commit == run_git(mirror, "rev-list", "--all")
    diary = run_git(project, "rev-parse", "HEAD~3:diary.txt")
    assert diary not in run_git(mirror, "cat-file", "--batch-all-objects", "--batch-check")
    run_git(mirror, "fsck", "--strict")
    names = sorted(path.name for path in (Path(opened.cache) / "files").rglob("*") if path.is_file())
    assert 4 == len(names)
    assert 1 == sum(name.endswith(".dir") for name in names)


def test_with_history_it_has_all_commits(project: Path, tmp_path: Path) -> None:
    """Where somebody asks for it."""
    assert 0 == main(["project", "share", "--bundle", str(tmp_path / "all"), "--history"])

    open_bundle(str(tmp_path / "all"), str(tmp_path / "mirror.git"))

    assert run_git(project, "rev-list", "HEAD") == run_git(tmp_path / "mirror.git", "rev-list", "--all")


def test_a_bundle_pushes_nothing_and_is_made_again_the_same(project: Path, tmp_path: Path) -> None:
    """Same code, same bytes, same version; another file is not overwritten, and no scratch file stays."""
    bare, _ = set_remotes(project)
    first = ledgit.project.share("my_project", bundle=tmp_path / "b")
    data = (tmp_path / "b").read_bytes()

    again = ledgit.project.share("my_project", bundle=tmp_path / "b")

    assert (True, False, "v1.0.0") == (first.new, again.new, again.version)
    assert data == (tmp_path / "b").read_bytes()
    assert "" == run_git(bare, "for-each-ref")
    (tmp_path / "mine.txt").write_text("mine\n")
    with pytest.raises(Conflict, match="is no bundle of a project"):
        ledgit.project.share("my_project", bundle=tmp_path / "mine.txt")
    assert [] == [name for name in os.listdir(tmp_path) if ".tmp" in name]


def test_data_that_are_not_here_are_named(project: Path, tmp_path: Path) -> None:
    """The error says how to get them, and no file is left."""
    shutil.rmtree(project / ".dvc" / "cache")
    (project / "data.csv").unlink()

    with pytest.raises(ArtifactsMissing, match=r"data\.csv, images .* 'dvc pull' gets it"):
        ledgit.project.share("my_project", bundle=tmp_path / "b")
    assert not (tmp_path / "b").exists()


# ---------------------------------------------------------------------- bundles of strangers


def unpack(path: Path) -> Contents:
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def pack(path: Path, contents: Contents, modes: dict[str, int] | None = None, twice: str = "") -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (modes or {}).get(name, 0o100644) << 16
            packed.writestr(info, data)
            if name == twice:
                packed.writestr("objects/zz", data)


def edit_list(contents: Contents, **values: Any) -> Contents:
    listed = json.loads(contents["ledgit-project.json"]) | values
    return contents | {"ledgit-project.json": json.dumps(listed).encode()}


def with_code(contents: Contents, code: bytes) -> Contents:
    """The same with other code, whose digest is right."""
    listed = {"sha256": hashlib.sha256(code).hexdigest(), "size": len(code)}
    return edit_list(contents | {"code.bundle": code}, code=listed)


def first_object(contents: Contents) -> str:
    return next(name for name in contents if name.startswith("objects/") and not name.endswith(".dir"))


def evil_tree(contents: Contents, folder: Path) -> Contents:
    """Code whose tree has a ``.git/hooks``: Git itself would refuse to make it, so it is made by hand."""
    run_git(folder, "init", "-q", "evil")
    evil = folder / "evil"
    blob = run_git(evil, "hash-object", "-w", "--stdin", stdin=b"#!/bin/sh\n")
    inner = run_git(evil, "mktree", stdin=f"100755 blob {blob}\tpost-checkout\n".encode())
    raw = b"40000 .git\0" + bytes.fromhex(inner)
    tree = run_git(evil, "hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)
    commit = run_git(evil, "commit-tree", "-m", "evil", tree)
    make_bundle(Repo.discover(str(evil)), str(folder / "evil.code"), {"refs/ledgit/code": commit}, history=False)
    return edit_list(with_code(contents, (folder / "evil.code").read_bytes()), commit=commit, shallow=[commit])


def lacking_blob(contents: Contents, folder: Path) -> Contents:
    """A pack that names a file and does not have it."""
    run_git(folder, "init", "-q", "thin")
    thin = folder / "thin"
    tree = run_git(thin, "mktree", "--missing", stdin=f"100644 blob {'1' * 40}\ttrain.py\n".encode())
    commit = run_git(thin, "commit-tree", "-m", "thin", tree)
    data = run_git(thin, "rev-parse", "--git-dir")
    assert data
    import subprocess

    made = subprocess.run(
        ["git", "pack-objects", "--stdout", "-q"],
        cwd=thin,
        input=f"{commit}\n{tree}\n".encode(),
        capture_output=True,
        check=True,
    )
    code = b"# v2 git bundle\n" + f"{commit} refs/ledgit/code\n\n".encode() + made.stdout
    return edit_list(with_code(contents, code), commit=commit, shallow=[])


CASES: dict[str, tuple[Callable[[Contents, Path], Contents], str]] = {
    "a path that leaves": (lambda c, _: c | {"../../evil": b"x"}, r"has the file '\.\./\.\./evil'"),
    "an absolute path": (lambda c, _: c | {"/etc/evil": b"x"}, "has the file '/etc/evil'"),
    "a hook": (lambda c, _: c | {"objects/../hooks/post-checkout": b"x"}, "does not belong"),
    "other data": (lambda c, _: c | {first_object(c): b"x" * len(c[first_object(c)])}, "other data than it says"),
    "more data than listed": (lambda c, _: c | {first_object(c): c[first_object(c)] + b"x"}, "it has"),
    "less than listed": (lambda c, _: {n: d for n, d in c.items() if n != first_object(c)}, "lacks 'objects/"),
    "no code": (lambda c, _: {n: d for n, d in c.items() if n != "code.bundle"}, "lacks 'code.bundle'"),
    "other code": (lambda c, _: c | {"code.bundle": c["code.bundle"][:-1] + b"x"}, "other code than it says"),
    "code that is none": (lambda c, _: with_code(c, b"not a bundle"), "is no Git bundle"),
    "code cut off": (lambda c, _: with_code(c, c["code.bundle"][:-40]), "a pack that Git refuses"),
    "code with .git in a tree": (evil_tree, "a pack that Git refuses"),
    "code that lacks a file": (lacking_blob, "is not whole"),
    "another commit": (lambda c, _: edit_list(c, commit="1" * 40, shallow=[]), "another commit"),
    "another folder": (lambda c, _: edit_list(c, subdir="no/such"), "has no tree no/such"),
    "a folder outside": (lambda c, _: edit_list(c, subdir="../.."), "something impossible"),
    "an object that is a path": (lambda c, _: edit_list(c, objects={"../../x": 1}), "among the data"),
    "an endless object": (lambda c, _: edit_list(c, objects={"1" * 32: 1 << 60}), "among the data"),
    "a name for a terminal": (lambda c, _: edit_list(c, name="a\x1b[2Jb"), "as name"),
    "no list": (lambda c, _: c | {"ledgit-project.json": b"[1, 2"}, "can't be read"),
    "a list of another kind": (lambda c, _: c | {"ledgit-project.json": b"[]"}, "is no mapping"),
    "a newer format": (lambda c, _: edit_list(c, ledgit_project=99), "upgrade Ledgit"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("there", [False, True], ids=["new", "beside another"])
def test_a_bad_bundle_is_refused_in_a_sentence_and_leaves_nothing(
    bundle: Path, tmp_path: Path, case: str, there: bool
) -> None:
    """Neither a mirror, where there was none, nor an object or ref in one that was there."""
    make, words = CASES[case]
    bad, mirror = tmp_path / "bad", tmp_path / "mirrors" / "mirror.git"
    mirror.parent.mkdir()
    if there:
        run_git(tmp_path, "init", "-q", "--bare", str(mirror))
    before = sorted(os.listdir(tmp_path))
    pack(bad, make(unpack(bundle), tmp_path))

    with pytest.raises(LedgitError, match=words) as caught:
        open_bundle(str(bad), str(mirror))

    assert "\n" not in str(caught.value)
    assert there == mirror.exists()
    if there:
        assert "" == run_git(mirror, "for-each-ref")
        assert ["info", "pack"] == sorted(os.listdir(mirror / "objects"))
        assert [] == os.listdir(mirror / "objects" / "pack")
        assert not (mirror / "shallow").exists()
    assert {"bad"} >= set(os.listdir(tmp_path)) - {*before, "evil", "evil.code", "thin"}
    assert ["mirror.git"] * there == os.listdir(mirror.parent)


@pytest.mark.parametrize(
    ("modes", "words"), [(0o120777, "something else than a plain file"), (0o010644, "something else than a plain file")]
)
def test_links_and_pipes_are_refused(bundle: Path, tmp_path: Path, modes: int, words: str) -> None:
    """As ``unzip`` would make them."""
    contents = unpack(bundle)
    pack(tmp_path / "bad", contents, modes={first_object(contents): modes})

    with pytest.raises(LedgitError, match=words):
        open_bundle(str(tmp_path / "bad"), str(tmp_path / "mirror.git"))


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(
    bundle: Path, tmp_path: Path, part: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever: the command says one sentence."""
    data = bundle.read_bytes()
    (tmp_path / "cut").write_bytes(data[: int(len(data) * part)])

    with pytest.raises(LedgitError, match=r"no bundle of a project|cut off or damaged"):
        open_bundle(str(tmp_path / "cut"), str(tmp_path / "mirror.git"))
    capsys.readouterr()
    assert 0 != main(["run", str(tmp_path / "cut"), "--env-manager", "local"])
    assert 1 == capsys.readouterr().err.count("\n")


def test_a_flipped_bit_anywhere_is_refused_or_does_no_harm(bundle: Path, tmp_path: Path) -> None:
    """Every so many bytes: what opens has the same commit and the same data, or a sentence is said."""
    data = bytearray(bundle.read_bytes())
    good = open_bundle(str(bundle), str(tmp_path / "good.git"))
    wanted = sorted(
        (path.name, path.read_bytes()) for path in (Path(good.cache) / "files").rglob("*") if path.is_file()
    )
    places = sorted(
        {*range(0, 600, 41), *range(600, len(data), len(data) // 12), *range(len(data) - 300, len(data), 37)}
    )

    for number, place in enumerate(places):
        data[place] ^= 0x10
        (tmp_path / "bit").write_bytes(data)
        data[place] ^= 0x10
        mirror = tmp_path / f"m{number}.git"
        try:
            opened = open_bundle(str(tmp_path / "bit"), str(mirror))
        except LedgitError:
            assert not mirror.exists()
            continue
        found = sorted(
            (path.name, path.read_bytes()) for path in (Path(opened.cache) / "files").rglob("*") if path.is_file()
        )
        assert (good.commit, wanted) == (opened.commit, found)


def test_opening_killed_half_way_can_be_repeated(bundle: Path, tmp_path: Path) -> None:
    """The ref is the last to appear; what came before it counts for the next time."""
    mirror = tmp_path / "mirror.git"
    code = (
        "import os\nfrom ledgit.projects import unbundling\nreal = unbundling._take_code\n"
        "def dies(*args):\n    os.kill(os.getpid(), 9)\n"
        f"unbundling._take_code = dies\nunbundling.open_bundle({str(bundle)!r}, {str(mirror)!r})\n"
    )
    assert -9 == run_python(tmp_path, code).returncode
    assert "" == run_git(mirror, "for-each-ref")

    opened = open_bundle(str(bundle), str(mirror))

    assert opened.commit == run_git(mirror, "rev-list", "--all")


def test_a_plain_git_bundle_with_a_basis_needs_it(repo: Path, tmp_path: Path) -> None:
    """What both sides have is left out; a repository without it refuses, and stays as it was."""
    first = run_git(repo, "rev-parse", "HEAD")
    (repo / "train.py").write_text("print(2)\n")
    run_git(repo, "commit", "-q", "-am", "second")
    second = run_git(repo, "rev-parse", "HEAD")
    here = Repo.discover(str(repo))
    make_bundle(here, str(tmp_path / "whole"), {"refs/heads/main": first})
    make_bundle(here, str(tmp_path / "more"), {"refs/heads/main": second}, basis=[first])
    run_git(tmp_path, "init", "-q", "--bare", "there.git")
    there = Repo.discover(str(tmp_path / "there.git"))

    with pytest.raises(LedgitError, match="needs the commit"):
        fetch_bundle(there, str(tmp_path / "more"), "refs/heads/main:refs/heads/taken")
    assert {"refs/heads/main": second} == bundle_heads(str(tmp_path / "more"))
    fetch_bundle(there, str(tmp_path / "whole"), "refs/heads/main:refs/heads/taken")
    assert second == fetch_bundle(there, str(tmp_path / "more"), "refs/heads/main:refs/heads/taken")

    assert f"{second}\n{first}" == run_git(tmp_path / "there.git", "rev-list", "taken")
    run_git(repo, "bundle", "verify", "-q", str(tmp_path / "more"))
    assert not is_bundle(str(tmp_path / "more"))


def test_files_of_lfs_and_submodules_are_named_since_they_do_not_go_along(project: Path, tmp_path: Path) -> None:
    """The receiver has a pointer and an empty folder, and would find out when the project fails there."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n"
    (project / "weights.bin").write_text(pointer)
    (project / ".gitattributes").write_text("weights.bin filter=lfs\n")
    run_git(project, "config", "filter.lfs.clean", "cat")
    run_git(project, "config", "filter.lfs.smudge", "cat")
    run_git(project, "add", "weights.bin", ".gitattributes")
    head = run_git(project, "rev-parse", "HEAD")
    run_git(project, "update-index", "--add", "--cacheinfo", f"160000,{head},vendor/lib")
    run_git(project, "commit", "-q", "-m", "more")
    (project / "vendor/lib").mkdir(parents=True)

    done = ledgit.project.share("my_project", bundle=tmp_path / "more.ledgit")

    assert any("LFS" in note and "weights.bin" in note for note in done.notes)
    assert any("submodules" in note and "vendor/lib" in note for note in done.notes)
