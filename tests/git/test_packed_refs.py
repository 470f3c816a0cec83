"""Packed refs are found by bisection, and names that came since the last look without looking at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgit.git import NameWatch, Repo, read_ref, ref_names
from ledgit.git.packedrefs import PackedRefs, packed_refs

ID = "3" * 40
PARTS = st.text(st.sampled_from("ab@#.0é~-"), min_size=1, max_size=9)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "refs/" + "/".join(parts))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    folder = tmp_path_factory.mktemp("packed")
    subprocess.run(["git", "init", "-q", folder], check=True)
    return Repo.discover(str(folder))


@settings(max_examples=120)
@given(
    names=st.sets(NAMES, max_size=40),
    asked=NAMES,
    peeled=st.booleans(),
    ordered=st.booleans(),
    small=st.sampled_from([0, 60, 8192]),
    line=st.sampled_from([1, 50, 256]),
    block=st.sampled_from([0, 1, 99, 2048]),
)
def test_what_is_packed_is_found_as_if_all_of_it_was_read(
    empty: Repo, names: set[str], asked: str, peeled: bool, ordered: bool, small: int, line: int, block: int
) -> None:
    """Whatever the order, the length of names, and whether the commits that tags name stand between them."""
    rows = sorted(names, key=str.encode)
    text = f"# pack-refs with: peeled fully-peeled{' sorted' if ordered else ''} \n"
    text += "".join(
        f"{number:040x} {name}\n" + (f"^{ID}\n" if peeled else "")
        for number, name in enumerate(rows if ordered else reversed(rows), 1)
    )
    Path(empty.common_dir, "packed-refs").write_text(text)
    expected = {name: f"{len(rows) - at if not ordered else at + 1:040x}" for at, name in enumerate(rows)}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledgit.git.packedrefs._SMALL", max(small, 50))
        patch.setattr("ledgit.git.packedrefs._LINE", line)
        patch.setattr("ledgit.git.packedrefs._BLOCK", block)
        with PackedRefs(empty) as packed:
            for name in (*rows, asked):
                assert expected.get(name) == packed.get(name)
            for prefix in ("refs/", asked, asked[:-1], f"{asked}/"):
                assert {name: oid for name, oid in expected.items() if name.startswith(prefix)} == packed.below(prefix)


def test_refs_that_git_packed_are_found_among_many(empty: Repo) -> None:
    folder = str(empty.work_tree)
    Path(empty.common_dir, "packed-refs").unlink(missing_ok=True)  # of the last example: no commits
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=b"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    lines = "".join(f"create refs/tags/model-{number}@v1.{number}.0 {commit}\n" for number in range(400))
    subprocess.run([*git, "update-ref", "--stdin"], input=lines.encode(), check=True)
    subprocess.run([*git, "tag", "-a", "-m", "one", "model-7@v0.0.1"], check=True)
    subprocess.run([*git, "pack-refs", "--all"], check=True)

    assert commit == read_ref(empty, "refs/tags/model-33@v1.33.0")
    assert read_ref(empty, "refs/tags/model-33@v1.33") is None
    assert {"refs/tags/model-7@v0.0.1", "refs/tags/model-7@v1.7.0"} == packed_refs(empty, "refs/tags/").keys() & {
        "refs/tags/model-7@v0.0.1",
        "refs/tags/model-7@v1.7.0",
        "refs/tags/model-7@v1.8.0",
    }
    assert 402 <= len(packed_refs(empty, "refs/"))  # and the branch


@settings(max_examples=60)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["loose", "packed", "gone", "pack"]), st.sampled_from(["m@1", "m@2", "m#a", "m@3/x", "n@1"])
        ),
        max_size=12,
    )
)
def test_a_second_look_sees_what_the_first_would(empty: Repo, steps: list[tuple[str, str]]) -> None:
    """Whatever came, went, was packed, or became a folder of refs in between."""
    root = Path(empty.common_dir)
    packed: set[str] = set()
    loose: set[str] = set()

    def write() -> None:
        new = root / "packed-refs.new"
        new.write_text("# pack-refs with: sorted \n" + "".join(f"{ID} {name}\n" for name in sorted(packed)))
        new.rename(root / "packed-refs")

    subprocess.run(["rm", "-rf", root / "refs/tags"], check=True)
    write()
    watch = NameWatch(empty, "refs/tags/m@", "refs/tags/m#")
    known, _ = watch.look()
    assert not known
    for what, short in steps:
        name = f"refs/tags/{short}"
        if what == "loose":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"{ID}\n")
            loose.add(name)
        elif what == "packed":
            packed.add(name)
        elif what == "pack":
            packed |= loose
        else:
            packed.discard(name)
        if what != "loose":
            write()
            for one in loose if what == "pack" else loose & {name}:
                (root / one).unlink()
            loose -= loose if what == "pack" else {name}
        before = set(watch.names)
        came, gone = watch.look()
        expected = {one for one in loose | packed if "/m" in one}

        assert expected == watch.names == ref_names(empty, "refs/tags/m@", "refs/tags/m#")
        assert expected - before == came
        assert gone is not before.issubset(expected)
