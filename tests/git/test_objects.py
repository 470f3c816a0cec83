"""Reading objects."""

from __future__ import annotations

import contextlib
import inspect
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgit.errors import GitFailed, LedgitError, NotFound, RecordError, RepositoryError, StorageError
from ledgit.git import BatchReader, Objects, ObjectSet, Repo, TreeEntry, parse_commit, parse_tree, read_loose
from ledgit.git.objects import map_error

Git = Callable[..., str]


@pytest.fixture
def deep(repo: Path, git: Git) -> str:
    """A commit with nested folders, a link, an executable and a name that is no UTF-8."""
    (repo / "src" / "pkg").mkdir(parents=True)
    (repo / "src" / "pkg" / "a.py").write_text("a")
    (repo / "src" / "run.sh").write_text("#!/bin/sh\n")
    (repo / "src" / "run.sh").chmod(0o755)
    (repo / "src" / "link").symlink_to("run.sh")
    Path(os.fsdecode(os.fsencode(repo) + b"/src/\xff.txt")).write_text("odd")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "Überschrift\n\nText")
    return git(repo, "rev-parse", "HEAD")


def test_an_objects_size_is_known_unread(opened: Repo, deep: str) -> None:
    with Objects(opened) as objects:
        assert len(objects.read(deep)[1]) == objects.size(deep)
        assert objects.size("1" * 40) is None


def test_a_commit_is_read_with_all_its_parts(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    with Objects(opened) as objects:
        commit = objects.commit(deep)

    assert commit.oid == deep
    assert commit.tree == git(repo, "rev-parse", "HEAD^{tree}")
    assert commit.parents == (git(repo, "rev-parse", "HEAD^"),)
    assert commit.author[:2] == ("Ada Lovelace", "ada@example.org")
    assert commit.author[2] == int(git(repo, "log", "-1", "--format=%at"))
    assert commit.message == "Überschrift\n\nText\n"


def test_a_tree_is_listed_as_git_does(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    listed = git(repo, "ls-tree", "-z", f"{deep}:src")
    expected = [
        TreeEntry(line.split("\t")[1], line.split()[0].lstrip("0"), line.split()[2])
        for line in listed.split("\0")
        if line
    ]

    with Objects(opened) as objects:
        found = objects.tree(git(repo, "rev-parse", f"{deep}:src"))

    assert found == expected
    assert {entry.name: entry.mode for entry in found} == {
        "link": "120000",
        "pkg": "40000",
        "run.sh": "100755",
        "\udcff.txt": "100644",
    }


def test_a_path_is_found_or_not(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    with Objects(opened) as objects:
        found = objects.find(deep, "src/pkg/a.py")
        top = objects.find(deep, "")

        assert found is not None
        assert found.oid == git(repo, "rev-parse", f"{deep}:src/pkg/a.py")
        assert top is not None
        assert top.is_tree
        assert objects.find(deep, "src/nothing") is None
        assert objects.find(deep, "train.py/below") is None


def test_files_below_a_prefix_are_read_with_their_content(opened: Repo, deep: str) -> None:
    with Objects(opened) as objects:
        assert objects.files(deep, "src") == {
            "pkg/a.py": b"a",
            "run.sh": b"#!/bin/sh\n",
            "link": b"run.sh",
            "\udcff.txt": b"odd",
        }
        assert objects.files(deep, "src/pkg") == {"a.py": b"a"}
        assert objects.files(deep, "nothing") == {}
        assert objects.files(deep, "train.py") == {}


def test_annotated_tags_are_followed(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    git(repo, "tag", "-a", "v1", "-m", "x")
    git(repo, "tag", "-a", "v2", "v1", "-m", "tag of a tag")

    with Objects(opened) as objects:
        assert objects.commit(git(repo, "rev-parse", "v2")).oid == deep
        assert objects.files(git(repo, "rev-parse", "v1"), "src/pkg") == {"a.py": b"a"}


def test_a_missing_object_is_named(opened: Repo) -> None:
    with Objects(opened) as objects:
        assert not objects.exists("1" * 40)
        with pytest.raises(NotFound, match="1111"):
            objects.read("1" * 40)


def test_an_object_of_the_wrong_kind_is_named(repo: Path, opened: Repo, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    with Objects(opened) as objects, pytest.raises(RecordError, match="is a blob, not a commit"):
        objects.commit(blob)


def test_a_damaged_object_is_an_error_of_ours(repo: Path, opened: Repo, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    path = repo / ".git/objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")

    with Objects(opened) as objects, pytest.raises(RecordError, match=blob):
        objects.read(blob)


def test_objects_that_appear_later_are_seen(repo: Path, opened: Repo, git: Git) -> None:
    with Objects(opened) as objects:
        objects.read(git(repo, "rev-parse", "HEAD"))
        new = git(repo, "hash-object", "-w", "--stdin", stdin=b"new")
        git(repo, "repack", "-adq")

        assert objects.read(new) == ("blob", b"new")
        assert objects.commit(git(repo, "rev-parse", "HEAD")).parents == ()


def test_several_threads_read_at_once(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    failed: list[BaseException] = []

    def work(objects: Objects) -> None:
        try:
            for _ in range(200):
                assert len(objects.files(deep, "src")) == 4
        except BaseException as err:
            failed.append(err)

    with Objects(opened) as objects:
        threads = [threading.Thread(target=work, args=(objects,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failed == []


def test_alternates_are_followed(repo: Path, git: Git, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--shared", str(repo), "borrower")

    with Objects(Repo.discover(str(tmp_path / "borrower"))) as objects:
        assert objects.files(git(repo, "rev-parse", "HEAD"))["train.py"] == b"print('train')\n"


def test_a_linked_work_tree_reads_the_common_objects(repo: Path, git: Git, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "-q", str(tmp_path / "linked"))

    with Objects(Repo.discover(str(tmp_path / "linked"))) as objects:
        assert objects.exists(git(repo, "rev-parse", "HEAD"))


@pytest.mark.parametrize(
    "text",
    ["partialClone = origin", "worktreeConfig = true", "preciousObjects = true", "relativeWorktrees = true"],
)
def test_extensions_that_libgit2_may_not_know_do_not_keep_us_from_reading(repo: Path, git: Git, text: str) -> None:
    head = git(repo, "rev-parse", "HEAD")
    with (repo / ".git/config").open("a") as file:
        file.write(f"[core]\n\trepositoryformatversion = 1\n[extensions]\n\t{text}\n")

    with Objects(Repo.discover(str(repo))) as objects:
        assert objects.commit(head).message == "first\n"


@pytest.fixture
def partial(repo: Path, git: Git, tmp_path: Path) -> Path:
    """A clone without blobs, nothing checked out."""
    git(repo, "config", "uploadpack.allowFilter", "true")
    git(repo, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repo}", "partial")
    return tmp_path / "partial"


def test_reading_from_a_partial_clone_fetches_only_when_asked(repo: Path, partial: Path, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    opened = Repo.discover(str(partial))
    packs = sorted(os.listdir(partial / ".git/objects/pack"))

    with Objects(opened) as objects:
        assert opened.partial
        assert objects.commit(git(repo, "rev-parse", "HEAD")).message == "first\n"
        assert not objects.exists(blob)
        with pytest.raises(NotFound):
            objects.read(blob)
        assert sorted(os.listdir(partial / ".git/objects/pack")) == packs
        assert objects.read(blob, fetch=True) == ("blob", b"print('train')\n")


def test_a_partial_clone_whose_remote_is_gone_says_the_object_is_missing(repo: Path, partial: Path, git: Git) -> None:
    blob = git(repo, "rev-parse", "HEAD:train.py")
    (repo / ".git").rename(repo / "moved")

    with Objects(Repo.discover(str(partial))) as objects, pytest.raises(NotFound):
        objects.read(blob, fetch=True)


def test_the_batch_reader_does_not_fetch_either(repo: Path, partial: Path, git: Git) -> None:
    blob, head = git(repo, "rev-parse", "HEAD:train.py", "HEAD").split()
    packs = sorted(os.listdir(partial / ".git/objects/pack"))

    with BatchReader(Repo.discover(str(partial))) as reader:
        answers = list(reader.read_many([head, blob, blob, head]))

    assert [answer and answer[1] for answer in answers] == ["commit", None, None, "commit"]
    assert sorted(os.listdir(partial / ".git/objects/pack")) == packs


def test_the_batch_reader_reads_what_revisions_name(repo: Path, opened: Repo, git: Git, deep: str) -> None:
    with BatchReader(opened) as reader:
        assert reader.read("HEAD:src/pkg/a.py") == (git(repo, "rev-parse", "HEAD:src/pkg/a.py"), "blob", b"a")
        assert reader.read("HEAD:src/\udcff.txt") is not None
        for missing in ("nothing", "HEAD:no/such/file", "1" * 40, "", " ", "two\nlines", "x" * 5000, "abc missing"):
            assert reader.read(missing) is None
        found = reader.read("HEAD^{tree}")
        assert found is not None
        assert [entry.name for entry in parse_tree(found[2])] == ["data.csv", "src", "train.py"]


def test_the_batch_reader_does_not_need_pygit2(repo: Path) -> None:
    code = (
        "import sys; from ledgit.git import BatchReader, Repo\n"
        "with BatchReader(Repo.discover()) as reader: assert reader.read('HEAD')\n"
        "print('pygit2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


@pytest.mark.timeout(60)
def test_asking_ahead_for_large_objects_does_not_lock_up(repo: Path, opened: Repo, git: Git) -> None:
    """Both pipes would fill if all questions were written before the first answer is read."""
    large = git(repo, "hash-object", "-w", "--stdin", stdin=b"0123456789abcdef" * 20_000)
    names = [large, "nothing"] * 300 + [f"HEAD:{'long/' * 700}x"] * 20

    with BatchReader(opened) as reader:
        answers = list(reader.read_many(iter(names)))

    assert [answer is not None for answer in answers] == [True, False] * 300 + [False] * 20
    assert answers[0] is not None
    assert len(answers[0][2]) == 320_000


def test_a_git_that_dies_is_reported(repo: Path, opened: Repo) -> None:
    reader = BatchReader(opened)
    (repo / ".git/HEAD").unlink()

    with reader, pytest.raises(GitFailed, match="not a git repository"):
        reader.read("1" * 40)


def test_a_loose_object_is_read_without_git(
    repo: Path, opened: Repo, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = git(repo, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", "/nonexistent")

    found = read_loose(opened, head)

    assert found is not None
    assert found[0] == "commit"
    assert parse_commit(head, found[1]).message == "first\n"
    assert read_loose(opened, "1" * 40) is None


@pytest.mark.parametrize("data", [b"", b"tree abc\n\nx", b"tree abc\nauthor x <y> z +0000\ncommitter x <y> 1\n\n"])
def test_a_damaged_commit_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError, match="damaged commit"):
        parse_commit("1" * 40, data)


@pytest.mark.parametrize("data", [b"100644", b"100644 name", b"100644 name\0short", b"name\0" + b"1" * 20])
def test_a_damaged_tree_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError, match="damaged tree"):
        parse_tree(data)


def test_every_error_of_pygit2_becomes_one_of_ours() -> None:
    """Also those that a later version adds: nothing of pygit2 reaches a user."""
    import pygit2

    kinds = {
        kind
        for _, kind in inspect.getmembers(pygit2, inspect.isclass) + inspect.getmembers(pygit2.errors, inspect.isclass)
        if issubclass(kind, BaseException)
    }
    assert len(kinds) >= 3

    mapped = {}
    for kind in kinds:
        error = kind.__new__(kind, "what happened")
        assert isinstance(error, Exception)
        mapped[kind.__name__] = type(map_error(error, "object x"))

    assert all(issubclass(ours, LedgitError) for ours in mapped.values())
    assert mapped["GitError"] is RepositoryError
    assert mapped["InvalidSpecError"] is RecordError
    assert "what happened" in str(map_error(pygit2.GitError("what happened"), "object x"))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (KeyError("x"), NotFound),
        (ValueError("x"), RecordError),
        (OSError(28, "No space left on device"), StorageError),
        (MemoryError(), StorageError),
        (NotFound("x"), NotFound),
        (RuntimeError("x"), RepositoryError),
    ],
)
def test_pythons_own_errors_are_mapped_too(error: Exception, ours: type[LedgitError]) -> None:
    assert type(map_error(error, "object x")) is ours


def test_a_process_forked_while_a_thread_reads_can_read(repo: Path) -> None:
    """The reader that all share has a lock, and nobody in the child would ever let go of it."""
    script = """
import os, signal, sys
from ledgit.git import Objects, Repo
objects = Objects.of(Repo.discover())
objects._light._lock.acquire()  # as a thread does, in the middle of reading
child = os.fork()
if child == 0:
    signal.alarm(10)
    assert "pygit2" not in sys.modules
    os._exit(0 if objects.commit(sys.argv[1]).oid == sys.argv[1] else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repo, check=True, capture_output=True, text=True).stdout
    subprocess.run(["git", "repack", "-adq"], cwd=repo, check=True)
    assert 0 == subprocess.run([sys.executable, "-c", script, head.strip()], cwd=repo, check=False).returncode


def open_files() -> int:
    """How many regular files this process has open, packs among them."""
    found = 0
    for number in range(1024):
        with contextlib.suppress(OSError):
            found += stat.S_ISREG(os.fstat(number).st_mode)
    return found


def write_pack(repo: Repo, text: str) -> tuple[str, Path]:
    """A pack with one small file in it."""
    fresh = ObjectSet()
    oid = fresh.blob(text.encode())
    pack = fresh.write(repo, durable=False)
    pack.release()
    return oid, Path(pack.path)


def test_packs_that_are_gone_are_let_go(opened: Repo) -> None:
    """In a notebook's server each run and edit leaves a pack, and eight of them become one."""
    before = open_files()
    with Objects(opened) as objects:
        for number in range(400):
            oid, pack = write_pack(opened, f"{number}\n")
            assert objects.read(oid) == ("blob", f"{number}\n".encode())
            for path in pack.parent.glob(f"{pack.name}*"):
                path.unlink()
            with pytest.raises(NotFound):
                objects.read("1" * 40)
        assert open_files() - before < 150


def test_a_process_that_opens_many_repositories_keeps_few_open(tmp_path: Path, git: Git) -> None:
    """Those that somebody still has go on to be read."""
    before = open_files()
    first = None
    for number in range(40):
        folder = tmp_path / str(number)
        git(tmp_path, "init", "-q", str(number))
        repo = Repo.discover(str(folder))
        oid, _ = write_pack(repo, f"{number}\n")
        first = first or (oid, Objects.of(repo))
        assert Objects.of(repo).read(oid)[0] == "blob"
        assert Objects.of(repo) is Objects.of(repo)

    assert open_files() - before < 20
    assert first is not None
    assert first[1].read(first[0]) == ("blob", b"0\n")
