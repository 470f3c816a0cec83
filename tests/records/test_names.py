"""Names: MLflow's key rules, and files that survive Git, DVC and case-folding systems."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledgit.errors import InvalidName
from ledgit.records import (
    check_artifact_path,
    check_key,
    history_file,
    history_files,
    is_reserved,
    safe_file,
    stored_path,
    stored_paths,
)
from ledgit.records.names import inert_path

GOOD = ["loss", "val/loss", "a.b", "a b", "a:b", "température", "損失", "a-1_2", "x" * 250, "a..b", ".hidden",
        "a/.b", " lead", "trail ", "²"]  # fmt: skip
BAD = ["", "x" * 251, "a\tb", "a\n", "a//b", "/a", "a/", "./a", "a/./b", "../a", "a/../b", ".", "..", "...", "..a",
       "a\\b", "a*b", "a=b", "a,b", "\x00", "a\udcff", "\u202e", "a\u0301", "😀", "[x]", "a@b"]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_these_keys_are_allowed(name: str) -> None:
    check_key("metric", name)


@pytest.mark.parametrize("name", BAD)
def test_these_keys_are_refused(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_key("metric", name)

    assert str(caught.value).startswith("metric name ")


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidName, match="no text"):
        check_key("param", 3)  # type: ignore[arg-type]


def mlflow_allows(name: str) -> bool:
    """MLflow's rule in its own words (`_validate_metric_name` and `path_not_unique`)."""
    import posixpath
    import re

    normal = posixpath.normpath(name)
    unique = normal == name and normal != "." and not normal.startswith(("..", "/"))
    return bool(name) and len(name) <= 250 and re.fullmatch(r"[/\w.\- :]*", name) is not None and unique


@settings(max_examples=500)
@given(st.text(max_size=12) | st.text("ab/. :_-\\\n", max_size=10))
@example("a/..")
@example("//a")
def test_exactly_the_keys_that_mlflow_allows_are_allowed(name: str) -> None:
    try:
        check_key("metric", name)
    except InvalidName:
        allowed = False
    else:
        allowed = True
    assert allowed == mlflow_allows(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("loss", "loss.tsv"), ("val_loss-2", "val_loss-2.tsv"), ("con", "con~"), ("Loss", "loss~"),
        ("val/loss", "val-loss~"), ("損失", "x~"), (".git", "x-git~"), ("nul", "nul~"),
        ("com1", "com1~"), ("a.tsv", "a-tsv~"),
        ("x" * 64, "x" * 64 + ".tsv"), ("x" * 65, "x" * 48 + "~"), ("_a", "a~"),
    ],
)  # fmt: skip
def test_a_metric_has_this_history_file(name: str, file: str) -> None:
    assert history_file(name).startswith(file)
    assert history_file(name).endswith(".tsv")


def test_a_golden_history_file_name() -> None:
    """Files of runs that exist are found by this name for ever."""
    assert history_file("val/loss") == "val-loss~cd4153b9.tsv"


@settings(max_examples=200)
@given(st.sets(st.text(min_size=1, max_size=20), max_size=20))
def test_history_files_are_distinct_and_safe_on_every_system(names: set[str]) -> None:
    files = history_files(names)

    assert set(files) == names
    assert len({file.lower() for file in files.values()}) == len(names)
    for file in files.values():
        assert file.isascii()
        assert len(file) <= 120
        assert not is_reserved(file)


def test_metrics_whose_digests_collide_get_files_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from ledgit.records import names

    real = names._digest
    monkeypatch.setattr(names, "_digest", lambda name, digits: "0" * 8 if digits == 8 else real(name, digits))

    files = history_files(["A b", "a/b", "loss"])

    assert len(set(files.values())) == 3
    assert files["loss"] == "loss.tsv"


def test_experiments_have_safe_file_names() -> None:
    assert safe_file("churn") == "churn"
    assert safe_file("Churn") != safe_file("churn")
    assert safe_file("../../etc").startswith("etc~")


@pytest.mark.parametrize(
    "path",
    [".git", ".gitignore", "a/.gitattributes", ".GIT/config", "git~1", "dvc.yaml", "a/DVC.YAML", "dvc.lock",
     "data.csv.dvc", "x.DVC", ".dvc/config", ".dvcignore", "CON", "aux.txt", "lpt1.log", "a/nul", "com1.",
     "dvc.yaml ", "git~1."],
)  # fmt: skip
def test_reserved_paths_are_stored_under_another_name(path: str) -> None:
    assert is_reserved(path)
    assert stored_path(path) != path
    assert not is_reserved(stored_path(path))


@pytest.mark.parametrize(
    "path",
    ["a.", "a ", "a/b. ", "a\\b", "a:b", "a*", "a?", 'a"', "a<b", "a|b", "a\nb", "a\tb", "a\x7f", "caf\udce9", "a~b",
     "a\u200cb", "\ufeffa", "x" * 300, "/".join("d" * 30 for _ in range(10))],
)  # fmt: skip
def test_unsafe_paths_are_stored_under_another_name(path: str) -> None:
    stored = stored_path(path)

    assert stored != path
    assert len(stored.encode()) <= 200


@pytest.mark.parametrize(
    "path", ["model.pkl", "plots/loss curve.png", "données/été.csv", "a+b=c@d.txt", "-x", "😀.png"]
)
def test_ordinary_paths_are_stored_as_they_are(path: str) -> None:
    assert stored_path(path) == path
    assert stored_paths([path]) == {path: path}


parts = st.sampled_from(
    ["a", "A", "b", "B.txt", "b.txt", ".git", ".GIT", "dvc.yaml", "x.dvc", "con", "é", "e\u0301", "É", "a.", "a ", "ß",
     "ss", "caf\udce9", "git~1", "y" * 90, "a~0", "\u200b", "ﬁ", "fi"]
)  # fmt: skip
paths = st.lists(
    parts | st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=5), min_size=1, max_size=4
)


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@settings(max_examples=500)
@given(st.lists(paths.map("/".join), max_size=12))
@example(["a", "a/b", "A/b", "A"])
@example(["x/y", "X/Y", "x/Y", "X/y"])
def test_no_two_artifacts_share_a_place_even_where_case_is_folded(names: list[str]) -> None:
    stored = stored_paths(names)

    assert set(stored) == set(names)
    files = [folded(place) for place in stored.values()]
    assert len(set(files)) == len(files)
    folders = {"/".join(place.split("/")[:n]) for place in stored.values() for n in range(1, place.count("/") + 1)}
    assert len({folded(folder) for folder in folders}) == len(folders)
    assert not {folded(folder) for folder in folders} & set(files)
    for place in stored.values():
        assert not is_reserved(place)
        assert len(place.encode()) <= 200
        assert check_artifact_path(place) == place


@given(st.lists(paths.map("/".join), max_size=8), st.randoms(use_true_random=True))
def test_where_artifacts_stand_does_not_depend_on_their_order(names: list[str], random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert stored_paths(shuffled) == stored_paths(names)


@pytest.mark.parametrize(
    ("path", "normal"), [("a", "a"), ("./a//b/", "a/b"), ("a/./b", "a/b"), ("..a", "..a"), ("a\\b", "a\\b"), ("é", "é")]
)
def test_artifact_paths_are_normalised(path: str, normal: str) -> None:
    assert check_artifact_path(path) == normal


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "../a",
        "a/../../b",
        "a/..",
        "..",
        ".",
        "./",
        "a\0b",
        "\ud800",
        ".//\\",
        "..\\a",
        "a\\..\\b",
        "\\a",
        "C:\\a",
        "c:/a",
    ],
)
def test_artifact_paths_that_would_leave_their_folder_are_refused(path: str) -> None:
    with pytest.raises(InvalidName):
        check_artifact_path(path)


@given(st.text(max_size=20) | st.text("./\\a:\0", max_size=12))
def test_an_accepted_artifact_path_stays_in_its_folder(path: str) -> None:
    try:
        normal = check_artifact_path(path)
    except InvalidName:
        return
    assert os.path.normpath(os.path.join("/root", normal)) == "/root/" + normal
    assert check_artifact_path(normal) == normal


def test_git_takes_every_stored_name_with_all_its_protections_on(repo: Path) -> None:
    hostile = [".git", ".GIT/hooks/x", ".g\u200cit/config", "git~1", "GIT~1/x", ".git::$INDEX", ".git.", ".git ",
               "a\\.git",               ".gitmodules", "con", "a:b", "caf\udce9", "a\nb", "x" * 255]  # fmt: skip
    blob = subprocess.run(["git", "hash-object", "-w", "train.py"], capture_output=True, check=True).stdout.strip()
    lines = b"".join(b"100644 %b\t%b\0" % (blob, place.encode()) for place in stored_paths(hostile).values())
    env = {**os.environ, "GIT_INDEX_FILE": str(repo / "index")}
    command = ["git", "-c", "core.protectNTFS=true", "-c", "core.protectHFS=true", "update-index", "-z", "--index-info"]

    subprocess.run(command, input=lines, env=env, check=True)

    listed = subprocess.run(["git", "ls-files", "-z"], env=env, capture_output=True, check=True).stdout
    assert sorted(listed.decode().split("\0")[:-1]) == sorted(stored_paths(hostile).values())


@pytest.mark.parametrize(
    "path",
    [".git/config", "a/.git/hooks/x", "a/.GIT", "a/.git", ".git ./x", ".git::$INDEX_ALLOCATION/x", "GIT~1/x",
     ".g\u200cit/x", ".dvc/config.local", "a/.DVC/config", ".ledgit/config.yaml", "a/.git\\x", "n" * 256],
)  # fmt: skip
def test_what_git_or_dvc_would_act_upon_is_written_out_under_another_name(path: str) -> None:
    """Whoever made the run chose the names; a new .git/commondir has Git run what it likes."""
    inert = inert_path(path)

    assert path != inert
    assert not {".git", ".dvc", ".ledgit"} & set(inert.lower().split("/"))
    assert inert == inert_path(inert)
    assert max(map(len, inert.split("/"))) < 100


@pytest.mark.parametrize(
    "path", ["a/b.txt", ".gitignore", "a/.gitkeep", "x.dvc", ".dvc", "dvc.yaml", "CON", "ü/\udcff"]
)
def test_other_names_stay_when_they_are_written_out(path: str) -> None:
    assert path == inert_path(path)
