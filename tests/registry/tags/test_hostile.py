"""Tags that somebody made by hand, by mistake or on purpose: read for what they are, named as problems."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.registry.tags.kit import T0, Shop

from ledgit.records.clocked import encode_clocked
from ledgit.store.registry import edit_model, read_registry

OURS = 'summary: "Register churn v1.0.0"\nledgit: 1\nmodel: "churn"\nversion: "v1.0.0"\nnumber: 1\n'


def raw(shop: Shop, ref: str, data: bytes) -> None:
    """A tag object as it stands, whatever Git thinks of it."""
    done = subprocess.run(
        ["git", "hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
        cwd=shop.path,
        input=data,
        capture_output=True,
        check=True,
    )
    shop.git("update-ref", f"refs/tags/{ref}", done.stdout.decode().strip())


def tag_bytes(
    shop: Shop, tag: str, message: str = OURS, *, when: str = "1795000000 +0000", kind: str = "commit"
) -> bytes:
    target = shop.git("rev-parse", "HEAD" if kind == "commit" else f"HEAD^{{{kind}}}")
    head = f"object {target}\ntype {kind}\ntag {tag}\ntagger Eve <eve@example.org> {when}\n\n{message}"
    return head.encode()


def test_a_lightweight_tag_is_ignored_and_named(shop: Shop) -> None:
    shop.git("tag", "churn@v1.0.0")
    shop.git("tag", "churn#prod#1")

    assert {} == shop.read().models
    assert all("it is a lightweight tag" in problem for problem in shop.problems())
    assert ["churn#prod#1", "churn@v1.0.0"] == [problem.name for problem in shop.read().problems]


@pytest.mark.parametrize(
    "tag",
    [
        "churn@1.0.0",
        "churn@v1.0",
        "v1.0.0",
        "churn@",
        "@v1.0.0",
        "-churn@v1.0.0",
        "churn#",
        "churn@v01.0.0",
        "ü@v1.0.0",
    ],
)
def test_names_that_only_look_like_ours_are_none_of_ours(shop: Shop, tag: str) -> None:
    shop.tag("x", "a release")
    shop.git("update-ref", f"refs/tags/{tag}", shop.git("rev-parse", "refs/tags/x"))

    assert ({}, []) == (shop.read().models, shop.problems())


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (OURS + "model: twice\n", "its message is not valid YAML|repeated|twice"),
        ("summary: [\nledgit: 1\n", "its message is not valid YAML"),
        ("a: &a [x, x]\nb: *a\nledgit: 1\n", "has a YAML alias"),
        ("ledgit: 1\nx: " + "[" * 60 + "]" * 60 + "\n", "nested deeper"),
        ("ledgit: 99\n", "has format 99, this Ledgit reads up to 1"),
        ("ledgit: one\n", "has the format 'one'"),
        ("ledgit: 1\nnumber: -3\n", "has -3 as number"),
        ("ledgit: 1\nnumber: 99999999999999999999\n", "as number"),
        ("ledgit: 1\nnumber: true\n", "has True as number"),
        ("ledgit: 1\nrun: ../../etc\n", "as run, expected the id of a run"),
        ("ledgit: 1\nmodel: [churn]\n", "as model, expected text"),
        ("ledgit: 1\nmodel: other\n", "its message is about another model, 'other'"),
        ("ledgit: 1\nmodel: churn\nversion: v2.0.0\n", "its message is about another version, 'v2.0.0'"),
        ("ledgit: 1\nsummary: " + "x" * 70_000 + "\n", "has a message of 70,0"),
    ],
)
def test_a_message_that_does_not_decode_leaves_the_version_and_is_named(shop: Shop, message: str, problem: str) -> None:
    """GTO reads the version all the same; what the message would have said is left out."""
    import re

    raw(shop, "churn@v1.0.0", tag_bytes(shop, "churn@v1.0.0", message))

    (version,) = shop.read().find("churn").active
    assert (None, None, None) == (version.number, version.run, version.digest)
    (said,) = shop.problems()
    assert re.search(problem, said), said
    assert len(version.event.text) <= 2_000


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (lambda shop: tag_bytes(shop, "churn@v9.9.9"), "its object was made as the tag 'churn@v9.9.9'"),
        (lambda shop: tag_bytes(shop, "churn@v1.0.0", kind="tree"), "it points to a tree, not to a commit"),
        (lambda shop: tag_bytes(shop, "churn@v1.0.0", when=""), "it says not when it was made"),
        (lambda shop: tag_bytes(shop, "churn@v1.0.0", when="9" * 40 + " +0000"), "it says not when it was made"),
        (lambda shop: tag_bytes(shop, "churn@v1.0.0", "x" * (2 << 20)), "which is more than any tag needs"),
    ],
)
def test_a_tag_object_that_is_none_is_ignored_and_named(shop: Shop, data: object, problem: str) -> None:
    """A signed tag that was copied under another name is one of these."""
    raw(shop, "churn@v1.0.0", data(shop))  # type: ignore[operator]

    assert {} == shop.read().models
    assert problem in shop.problems()[0]


def test_of_two_versions_with_one_number_the_earlier_has_it(shop: Shop) -> None:
    version = shop.register(shop.train(), version="1.0.0")
    raw(
        shop, "churn@v2.0.0", tag_bytes(shop, "churn@v2.0.0", OURS.replace("v1.0.0", "v2.0.0"), when="1999999999 +0000")
    )

    state = shop.read()

    assert version.version == state.version("churn", "1").version
    assert state.version("churn", "v2.0.0").number is None
    assert ["churn@v2.0.0: its number 1 is that of v1.0.0, which had it before"] == shop.problems()
    assert 2 == shop.register(shop.train()).number


def test_a_forged_earlier_date_takes_a_number_but_is_named(shop: Shop) -> None:
    shop.register(shop.train(), version="1.0.0")
    raw(shop, "churn@v0.9.0", tag_bytes(shop, "churn@v0.9.0", OURS.replace("v1.0.0", "v0.9.0"), when="1 +0000"))

    assert ["churn@v1.0.0: its number 1 is that of v0.9.0, which had it before"] == shop.problems()


def test_a_date_beyond_all_years_does_no_harm(shop: Shop) -> None:
    raw(shop, "churn@v1.0.0", tag_bytes(shop, "churn@v1.0.0", when="99999999999999 +0000"))

    assert 253402300799 == shop.read().version("churn", "1").event.time


def test_two_versions_at_one_commit_are_read_and_a_stage_says_which(shop: Shop) -> None:
    """GTO fails for such a repository; by hand it is made quickly."""
    shop.tag("churn@v1.0.0", "one", date=T0 // 1000)
    shop.tag("churn@v2.0.0", "two", date=T0 // 1000 + 1)
    shop.tag("churn#prod#1", 'ledgit: 1\nmodel: "churn"\nversion: "v1.0.0"\nstage: "prod"\n', date=T0 // 1000 + 2)
    assert "v1.0.0" == shop.read().version("churn", "@prod").version

    shop.tag("churn#prod#2", "by hand", date=T0 // 1000 + 3)
    assert "v2.0.0" == shop.read().version("churn", "@prod").version
    assert ["churn#prod#2: several versions are at its commit"] == shop.problems()


def test_a_stage_at_a_commit_without_a_version_stands_nowhere(shop: Shop) -> None:
    shop.tag("churn#prod#1", "by hand")
    shop.tag("churn@v1.0.0!", "never was")

    assert {} == shop.read().find("churn").stages
    assert [
        "churn: churn#prod#1 is at a commit without a version",
        "churn: churn@v1.0.0! deregisters a version that was never registered",
    ] == sorted(shop.problems())


def test_control_characters_in_a_message_stay_data(shop: Shop) -> None:
    """Whoever shows them cleans them."""
    raw(
        shop,
        "churn@v1.0.0",
        tag_bytes(shop, "churn@v1.0.0", "\x1b]0;pwned\x07 \x00 \xff".encode("latin-1").decode("latin-1")),
    )

    assert "\x1b]0;pwned" in shop.read().version("churn", "latest").event.reason


def test_refs_that_lead_out_of_their_folder_are_no_tags(shop: Shop) -> None:
    """A hostile host can't name them; a hostile folder could."""
    shop.register(shop.train())
    folder = Path(shop.repo.common_dir, "refs", "tags")
    (folder / "evil@v1.0.0").symlink_to("/etc/passwd")
    (folder / "torn@v1.0.0").write_bytes(b"")
    (folder / "deep@v1.0.0").mkdir()
    (folder / "deep@v1.0.0" / "x@v1.0.0").write_text("0" * 40 + "\n")

    assert ["churn"] == list(shop.read().models)


def test_a_hostile_record_of_a_model_is_named_and_left(shop: Shop) -> None:
    """One bad document locks nobody out of the others."""
    shop.register(shop.train())
    shop.describe("churn", description="good")
    documents = {
        "bad.yaml": b"- [",
        "other.yaml": encode_clocked("churn", {"description": "stolen"}, {"description": (9, "f" * 16)}),
        "odd.yaml": encode_clocked(
            "odd",
            {"created": "x", "tags.a": 3, "deleted": "no"},
            dict.fromkeys(("created", "tags.a", "deleted"), (1, "f" * 16)),
        ),
    }
    put(shop, documents)

    state = shop.read()

    assert "good" == state.find("churn").description
    assert ["models/bad.yaml", "models/other.yaml"] == [problem.name for problem in state.problems]
    edit_model(shop.repo, shop.folder, "churn", {"description": "better"})
    assert "better" == shop.read().find("churn").description


def test_hostile_records_in_a_remotes_ledger_do_no_harm(ada: Shop, ben: Shop) -> None:
    """They are joined like any others, and keep nothing else from coming."""
    ada.register(ada.train())
    ada.describe("churn", description="ada's")
    bomb = b"label: churn\nkeys: &a {x: {clock: [1, a], value: [" + b"*a, " * 50 + b"]}}\n"
    put(ada, {"bomb.yaml": bomb, "deep.yaml": b"label: x\nkeys: " + b"{a: " * 500, "empty.yaml": b"", "x": b"\xff\xfe"})
    ada.push()
    ben.describe("churn", **{"tags.team": "ben's"})

    ben.pull()
    ben.push()
    ada.pull()

    for shop in (ada, ben):
        model = shop.read().find("churn")
        assert ("ada's", {"team": "ben's"}) == (model.description, model.tags)
        assert ["models/bomb.yaml", "models/deep.yaml", "models/empty.yaml"] == [
            one.name for one in shop.read().problems
        ]


def put(shop: Shop, documents: dict[str, bytes]) -> None:
    """Write files into models/ of the clone's ledger."""
    from ledgit.git import FILE, Objects, ObjectSet, edit_tree, read_ref
    from ledgit.store.ledger import LEDGER_REF, commit_ledger, move_ledger

    objects, fresh = Objects(shop.repo), ObjectSet()
    tip = read_ref(shop.repo, LEDGER_REF)
    assert tip is not None
    files = {f"models/{name}": (FILE, fresh.blob(data)) for name, data in documents.items()}
    tree = edit_tree(objects, fresh, objects.commit(tip).tree, files)
    new = commit_ledger(objects, fresh, tree, tip, (), who=("Eve", "eve@example.org"), when=T0 // 1000)
    move_ledger(shop.repo, shop.folder, fresh, new, tip)


def test_hostile_tags_of_a_remote_do_no_harm(host: Path, ada: Shop, ben: Shop) -> None:
    """They come, are named, and keep nothing else from coming."""
    ada.register(ada.train())
    ada.push()
    ada.git("tag", "light@v1.0.0")
    raw(ada, "liar@v1.0.0", tag_bytes(ada, "other@v1.0.0"))
    ada.git("push", "-q", "origin", "refs/tags/light@v1.0.0", "refs/tags/liar@v1.0.0")
    ada.git("push", "-q", "origin", "HEAD:refs/ledgit/versions/a/b/1", "HEAD:refs/ledgit/versions/churn/x")
    ada.git("push", "-q", "origin", "HEAD:refs/ledgit/versions/churn/77")

    ben.pull(tags=True)

    state = ben.read()
    assert ["churn"] == list(state.models)
    assert {"liar@v1.0.0", "light@v1.0.0"} == {problem.name for problem in state.problems}
    assert {"churn/1", "churn/77"} == set(ben.refs("refs/ledgit/versions"))
    assert 78 == ben.register(ben.train()).number


def test_reading_works_where_nothing_can_be_written(shop: Shop) -> None:
    shop.register(shop.train())
    path = Path(shop.folder.path, "registry.json")
    path.unlink(missing_ok=True)
    path.mkdir()

    from ledgit.store.registry import reading

    reading._known.clear()
    assert 1 == read_registry(shop.repo, shop.folder).version("churn", "latest").number


def test_tags_are_read_also_where_the_ledger_is_not_whole(shop: Shop) -> None:
    shop.register(shop.train())
    shop.describe("churn", description="d")
    shop.read()
    gone = shop.git("rev-parse", "refs/ledgit/ledger")
    Path(shop.repo.common_dir, "refs/ledgit/ledger").write_text(f"{gone[::-1]}\n")

    state = shop.read()

    assert 1 == state.version("churn", "latest").number
    assert ["models"] == [problem.name for problem in state.problems]
