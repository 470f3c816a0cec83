"""A review looks at some files at a time: where one batch ends and the next begins plays no part."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sync.publish_kit import TOKEN, Clone

from ledgit.git import BatchReader
from ledgit.store.edit import Edit, edit_run
from ledgit.store.sync import outgoing, publish, scanning, secrets
from ledgit.store.sync.held import SECRET, SIZE
from ledgit.store.sync.publish import Candidate, Review

LIMIT = 30_000  # bytes that the host takes
TEXT = 20_000  # bytes of a file that is scanned


@pytest.fixture
def crowd(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Runs with whatever a review can find, and what they share: name → id."""
    monkeypatch.setattr(secrets, "MAX_BYTES", TEXT)
    monkeypatch.setattr(publish, "now_ms", lambda: 1)
    clone.git(clone.path, "config", "ledgit.maxObjectSize", str(LIMIT))
    clone.git(clone.path, "config", "ledgit.publish", "all")
    made: dict[str, str] = {}
    leak = f"token = '{TOKEN}'\n"
    clone.commit("Public", old__py=leak)
    clone.git(clone.path, "push", "-q", "origin", "HEAD:main")
    made["plain"] = clone.run("plain", params={"lr": 0.1})
    clone.write(moved__py=leak)
    made["moved"] = clone.run("moved")  # under another name, but public
    (clone.path / "moved.py").unlink()
    clone.commit("Code with a password", login__py="password = 'hunter2-hunter2'\n")
    made["on code"] = clone.run("on code")
    clone.commit("Without it again", login__py="password = None\n")
    made["above it"] = clone.run("above it", files={"same.txt": "the same in all\n"})
    # One content by three names, of which only one says that bare words are values.
    bare = "api_password: hunter2hunter2\n"
    made["as code"] = clone.run("as code", files={"bare.py": bare, "same.txt": "the same in all\n"})
    made["as settings"] = clone.run("as settings", files={"bare.env": bare, "other.txt": "the same in all\n"})
    made["large"] = clone.run("large", files={"large.bin": "x" * (LIMIT + 1)})
    made["long"] = clone.run("long", files={"long.txt": "word " * (TEXT // 5 + 1)})
    made["long again"] = clone.run("long again", files={"longer.txt": "word " * (TEXT // 5 + 1)})
    head = next(run for run in clone.candidates() if run.id == made["large"]).heads[0]
    clone.git(clone.path, "checkout", "-q", "--detach", head)
    made["child"] = clone.run("child")
    clone.git(clone.path, "checkout", "-q", "main")
    made["edited"] = clone.run("edited")
    edit_run(clone.repo, clone.folder, made["edited"], Edit(set_tags={"url": "https://ada:hunter2x@example.org/x"}))
    return made


def reviewed(clone: Clone, runs: Sequence[Candidate], files: int, texts: int) -> Review:
    """Review *runs*, a few *files* and *texts* at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "AT_ONCE", files)
        patch.setattr(scanning, "_SOME", files // 2)  # by either reader
        patch.setattr(outgoing, "_TEXTS", texts)
        return clone.review(runs)


def test_any_size_of_a_batch_finds_the_same(clone: Clone, crowd: dict[str, str]) -> None:
    """Who is held, for what, what else was found, and in which order."""
    candidates = clone.candidates()

    @settings(max_examples=25)
    @given(
        files=st.integers(1, 60),
        texts=st.integers(1, 20),
        runs=st.lists(st.sampled_from(candidates), unique_by=lambda run: run.id, min_size=1).map(tuple)
        | st.just(tuple(candidates)),
    )
    def check(files: int, texts: int, runs: tuple[Candidate, ...]) -> None:
        assert reviewed(clone, runs, 10**6, 10**6) == reviewed(clone, runs, files, texts)

    check()
    whole = reviewed(clone, candidates, 3, 2)
    kinds = {name: whole.held[run].kind for name, run in crowd.items() if run in whole.held}
    assert kinds["on code"] == kinds["edited"] == SECRET
    assert kinds["large"] == kinds["child"] == SIZE
    assert {"plain", "moved"}.isdisjoint(kinds)
    assert any("artifacts/long" in note for note in whole.notes)  # under the name that its newest commit gives it


def test_a_file_that_many_runs_have_is_read_once(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of packages, say: it is the same in every run of a day."""
    for number in range(4):
        clone.run(f"run {number}", files={"same.txt": "the same in all\n"})
    asked: list[str] = []
    read_many = BatchReader.read_many

    def watched(reader: BatchReader, specs: Sequence[str], *, most: int | None = None) -> object:
        specs = list(specs)
        asked.extend(specs)
        return read_many(reader, specs, most=most)

    monkeypatch.setattr(BatchReader, "read_many", watched)
    monkeypatch.setattr(scanning, "_SOME", 0)

    clone.review()

    assert asked
    assert len(asked) == len(set(asked))
