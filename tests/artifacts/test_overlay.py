"""Later wins: folders that are objects against a plain mapping of paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledgit.store.artifacts.overlay import Content, Placed, members, overlay

# Folders are called a and b, files x and y, so no path is both: what happens then is tested below.
parts = st.lists(st.sampled_from("ab"), max_size=3)
files = st.tuples(parts, st.sampled_from("xy")).map(lambda both: "/".join([*both[0], both[1]]))
folders = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join)
digests = st.integers(0, 5).map(lambda number: f"{number:032x}")
lists = st.dictionaries(files, digests, min_size=1, max_size=4)
events = st.lists(st.tuples(files, digests) | st.tuples(folders, lists), max_size=12)


def contents(given: list[tuple[str, str | dict[str, str]]], kept: int) -> tuple[list[Content], dict[str, list]]:
    known: dict[str, list[tuple[str, str]]] = {}
    found = []
    for number, (path, what) in enumerate(given):
        if isinstance(what, str):
            found.append(Content(path, 1, what, kept=number < kept))
        else:
            oid = f"{abs(hash(tuple(sorted(what.items())))):032x}.dir"
            known[oid] = sorted(what.items())
            found.append(Content(path, 1, oid, len(what), kept=number < kept))
    return found, known


def flat(placed: list[Placed], known: dict[str, list[tuple[str, str]]]) -> dict[str, str]:
    """Every file, as who reads the run sees it: an artifact of its own wins over a folder's."""
    found: dict[str, str] = {}
    own: dict[str, str] = {}
    for one in placed:
        if one.single is not None and not one.single.is_folder:
            own[one.path] = one.single.oid
            continue
        inside, gone = members(one.layers, known)
        assert [] == gone
        found |= {f"{one.path}/{path}": content.oid for path, content in inside.items()}
    return found | own


def naive(given: list[tuple[str, str | dict[str, str]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, what in given:
        if isinstance(what, str):
            found[path] = what
        else:
            found |= {f"{path}/{name}": md5 for name, md5 in what.items()}
    return found


@given(events)
def test_a_run_has_what_was_logged_last_at_each_path(given: list) -> None:
    """Whatever the order of files, folders, folders in folders and folders over files."""
    logged, known = contents(given, 0)

    assert naive(given) == flat(overlay(logged), known)


@given(events, events)
def test_a_resumed_run_goes_on_from_what_it_had(first: list, second: list) -> None:
    """What an earlier commit lists, with the session's on top."""
    logged, known = contents(first, 0)
    before = []
    for one in overlay(logged):
        if one.single is not None:
            content = one.single
            before.append(Content(one.path, 1, content.oid, content.nfiles, kept=True))
        else:
            inside, _ = members(one.layers, known)
            oid = f"{len(known):032x}.dir"
            known[oid] = [(path, content.oid) for path, content in inside.items()]
            before.append(Content(one.path, 1, oid, len(inside), kept=True))
    more, other = contents(second, 0)

    assert naive([*first, *second]) == flat(overlay(more, before), known | other)


@given(events)
def test_no_artifact_is_in_a_folder_that_is_another_one(given: list) -> None:
    """DVC refuses outputs that overlap."""
    placed = overlay(contents(given, 0)[0])

    inside = [one.path for one in placed if len(one.layers) > 1 or one.layers[0].content.is_folder]
    assert [] == [one.path for one in placed for folder in inside if one.path.startswith(folder + "/")]


def test_what_an_earlier_commit_has_stays_as_it_is() -> None:
    """A file beside its folder's pointer too, as long as nothing is logged into the folder."""
    kept = [Content("a", 5, "1.dir", 2, kept=True), Content("a/x", 1, "2", kept=True)]

    assert kept == [one.single for one in overlay([], kept)]
    assert kept == [one.single for one in overlay([Content("b", 1, "3")], kept)][:2]
    (joined,) = overlay([Content("a/y", 1, "3")], kept)
    assert ["", "x", "y"] == [layer.path for layer in joined.layers]


def test_a_file_where_a_folder_was_and_the_other_way_round() -> None:
    """The later one counts, and which gave way is said."""
    folder, file = Content("a", 5, "1.dir", 2), Content("a", 1, "2")

    assert [(file, ("a/",))] == [(one.single, one.gone) for one in overlay([folder, file])]
    assert [(folder, ("a",))] == [(one.single, one.gone) for one in overlay([file, folder])]


def test_in_a_folder_a_file_gives_way_to_a_folder_and_the_other_way_round() -> None:
    """A list can't hold both."""
    folder = Content("a", 5, "1.dir", 2)
    (placed,) = overlay([folder, Content("a/x/y", 1, "3")])
    found, gone = members(placed.layers, {"1.dir": [("x", "1"), ("z", "2")]})
    assert ({"x/y", "z"}, ["x"]) == (set(found), gone)

    (placed,) = overlay([folder, Content("a/x", 1, "3")])
    found, gone = members(placed.layers, {"1.dir": [("x/y", "1"), ("x/z", "2")]})
    assert ({"x"}, ["x/y", "x/z"]) == (set(found), gone)
