"""Where Ledgit's artifact remote is, and what a run's tree says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledgit.artifacts import Place, dvc_config, find_place, without_credentials
from ledgit.artifacts.place import parse_dvc_config
from ledgit.errors import ConfigError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "work" / ".dvc").mkdir(parents=True)
    return tmp_path / "work"


def write(top: Path, shared: str = "", local: str = "") -> None:
    (top / ".dvc" / "config").write_text(shared)
    (top / ".dvc" / "config.local").write_text(local)


def found(top: Path | None, config: dict[str, str] | None = None, committed: dict[str, Any] | None = None) -> Place:
    place = find_place(config or {}, committed or {}, top)
    assert place is not None
    return place


DEFAULT = "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://bucket/data\n"
OWN = "['remote \"ledgit\"']\n    url = gs://own/place\n"


# ------------------------------------------------------------------ the order


def test_the_first_that_says_so_counts(top: Path) -> None:
    """Git's configuration, the committed file, DVC's remote named ledgit, a folder below DVC's default remote, none."""
    write(top, DEFAULT + OWN)
    committed = {"artifacts": {"remote": "s3://team/x"}}
    config = {"ledgit.artifactRemote": "ssh://me@host/x"}

    assert "ledgit.artifactRemote" == found(top, config, committed).source
    assert ("s3://team/x", True) == (found(top, {}, committed).shown, found(top, {}, committed).public)
    assert "gs://own/place" == found(top).shown
    write(top, DEFAULT)
    assert ("remote://store/ledgit", "s3://bucket/data/ledgit") == (found(top).url, found(top).shown)
    write(top)
    assert find_place({}, {}, top) is None
    assert find_place({}, {"artifacts": {"threshold": "1MiB"}}, top) is None
    assert find_place({}, {}, top.parent) is None
    assert find_place({}, {}, None) is None


def test_a_persons_own_dvc_file_goes_before_the_projects(top: Path) -> None:
    """As in DVC: .dvc/config.local, then .dvc/config."""
    write(top, DEFAULT + OWN, "['remote \"ledgit\"']\n    url = gs://mine/place\n")
    assert ("gs://mine/place", False) == (found(top).shown, found(top).public)
    write(top, DEFAULT + "['remote \"other\"']\n    url = s3://other\n", "[core]\n    remote = other\n")
    assert "s3://other/ledgit" == found(top).shown
    write(top, DEFAULT, "['remote \"store\"']\n    url = s3://elsewhere\n")
    assert "s3://elsewhere/ledgit" == found(top).shown


def test_the_default_remote_may_be_the_persons(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a project that has DVC, only the person's configuration may name it."""
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "person"))
    (tmp_path / "person").mkdir()
    (tmp_path / "person" / "config").write_text(DEFAULT)

    assert "s3://bucket/data/ledgit" == found(top).shown


def test_names_stand_for_other_names(top: Path) -> None:
    """DVC follows remote:// as far as it goes, and takes the endpoint from there."""
    write(
        top,
        "['remote \"host\"']\n    url = s3://bucket\n    endpointurl = https://s3.example.org\n"
        "['remote \"store\"']\n    url = remote://host/data\n[core]\n    remote = STORE\n",
    )
    assert "s3://bucket/data/ledgit" == found(top).shown
    assert "s3://bucket/data/ledgit https://s3.example.org" == found(top).key


def test_two_endpoints_are_two_places(top: Path) -> None:
    """The same bucket's name on two servers."""
    one = found(top, {}, {"artifacts": {"remote": {"url": "s3://b/x", "endpointurl": "https://one"}}})
    two = found(top, {}, {"artifacts": {"remote": {"url": "s3://b/x", "endpointurl": "https://two"}}})

    assert one.key != two.key
    assert one.shown == two.shown


@pytest.mark.parametrize(
    ("config", "committed", "shared", "expected"),
    [
        ({"ledgit.artifactRemote": "../store"}, {}, "", "store"),
        ({"ledgit.artifactRemote": "store"}, {}, "", "work/store"),
        ({}, {"artifacts": {"remote": "../store"}}, "", "store"),
        ({}, {}, "['remote \"ledgit\"']\n    url = ../../store\n", "store"),
        ({}, {}, "[core]\n  remote = s\n['remote \"s\"']\n  url = ../../store\n", "store/ledgit"),
    ],
)
def test_relative_paths(
    top: Path, tmp_path: Path, config: dict[str, str], committed: dict[str, Any], shared: str, expected: str
) -> None:
    """From the top of the work tree; in DVC's files from the folder .dvc, as DVC has it."""
    write(top, shared)

    assert str(tmp_path / expected) == found(top, config, committed).shown


def test_other_spellings_of_paths(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """~ is the home folder, file:// a path."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert str(tmp_path / "home" / "store") == found(top, {"ledgit.artifactRemote": "~/store"}).url
    assert "/mnt/store" == found(None, {"ledgit.artifactRemote": "file:///mnt/store"}).url


# ------------------------------------------------------------------ what can't be meant


@pytest.mark.parametrize(
    "url", ["me@host:folder", "ftp://host/x", "git+ssh://host/x", "remote://nowhere/x", "S5://bucket"]
)
def test_an_address_that_dvc_would_take_for_a_path_is_refused(top: Path, url: str) -> None:
    """DVC makes a folder named "ftp:" of it, silently."""
    with pytest.raises(ConfigError):
        find_place({"ledgit.artifactRemote": url}, {}, top)


def test_a_refusal_has_no_password_in_it(top: Path) -> None:
    """Nor has anything else that is said of a place."""
    with pytest.raises(ConfigError) as caught:
        find_place({"ledgit.artifactRemote": "ftp://me:sesame@host/x?token=sesame"}, {}, top)
    assert "sesame" not in str(caught.value)
    place = found(top, {"ledgit.artifactRemote": "https://me:sesame@host/x?token=sesame"})
    assert "sesame" not in f"{place!r} {place.shown} {place.key}"


def test_a_relative_path_needs_a_work_tree() -> None:
    """A bare repository has none."""
    with pytest.raises(ConfigError, match="begins with /"):
        find_place({"ledgit.artifactRemote": "store"}, {}, None)


@pytest.mark.parametrize("listed", [5, [], {"url": 3}, {"url": "s3://b", "secret_access_key": "x"}, ""])
def test_a_committed_setting_that_is_no_address_is_refused(top: Path, listed: object) -> None:
    """Or that holds a secret."""
    with pytest.raises(ConfigError):
        find_place({}, {"artifacts": {"remote": listed}}, top)


def test_a_file_that_is_no_configuration_is_said(top: Path) -> None:
    """With its name."""
    write(top, "[remote\nurl = x")
    with pytest.raises(ConfigError, match=r"\.dvc/config"):
        find_place({}, {}, top)


# ------------------------------------------------------------------ without credentials


@pytest.mark.parametrize(
    ("url", "nobody", "with_user"),
    [
        ("s3://bucket/a@b", "s3://bucket/a@b", "s3://bucket/a@b"),
        ("/path/me:x@y", "/path/me:x@y", "/path/me:x@y"),
        ("ssh://me:sesame@host:22/x", "ssh://host:22/x", "ssh://me@host:22/x"),
        ("ssh://me@host/x", "ssh://host/x", "ssh://me@host/x"),
        ("https://host/x?sig=sesame#sesame", "https://host/x", "https://host/x"),
        ("https://me:ses/ame@host/x", "https://host/x", "https://me@host/x"),
        ("https://me:ses@me@host/x", "https://host/x", "https://me@host/x"),
        ("https://sesame:@host", "https://host", "https://sesame@host"),
        ("ssh://[::1]:22/x", "ssh://[::1]:22/x", "ssh://[::1]:22/x"),
    ],
)
def test_addresses_without_credentials(url: str, nobody: str, with_user: str) -> None:
    """Password and query go, wherever people put them; the user's name stays where others know it."""
    assert nobody == without_credentials(url)
    assert with_user == without_credentials(url, keep_user=True)
    assert nobody == without_credentials(nobody)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#"), min_size=1))
def test_no_password_survives(password: str) -> None:
    """Whatever it is made of, but for a slash, a question mark and a hash, which end it in an address."""
    shown = without_credentials(f"https://me:~{password}~@host.example.org/folder")

    assert "https://host.example.org/folder" == shown


# ------------------------------------------------------------------ .dvc/config of a run


def test_a_run_in_a_repository_without_dvc(top: Path) -> None:
    """The remote, nothing else."""
    place = found(top, {"ledgit.artifactRemote": "s3://key:secret@bucket/x"})

    assert b"['remote \"ledgit\"']\n    url = s3://bucket/x\n" == dvc_config(place, None)


def test_options_that_are_no_secret_are_written(top: Path) -> None:
    """An endpoint for instance, without which nobody finds the bucket."""
    committed = {"artifacts": {"remote": {"url": "s3://b/x", "endpointurl": "https://s3", "use_ssl": False}}}

    expected = "['remote \"ledgit\"']\n    url = s3://b/x\n    endpointurl = https://s3\n    use_ssl = false\n"
    assert expected.encode() == dvc_config(found(top, {}, committed), None)


def test_the_rest_stays_byte_for_byte(top: Path) -> None:
    """Comments, odd spacing, line ends, and a last line without one."""
    place = found(top, {"ledgit.artifactRemote": "s3://b/x"})
    before = b"# ours\r\n[core]\r\n\tremote=store   # why\r\n[ 'remote \"store\"' ]\r\nurl  =  s3://b"

    after = dvc_config(place, before)

    assert before + b"\r\n['remote \"ledgit\"']\r\n    url = s3://b/x\r\n" == after
    assert after == dvc_config(place, after)


def test_another_address_takes_the_place_of_the_old(top: Path) -> None:
    """Where it stands, whole; what a person wrote before the next section stays."""
    place = found(top, {"ledgit.artifactRemote": "s3://b/new"})
    old = b"['remote \"ledgit\"']\n    url = s3://b/old\n\n    region = x\n"
    rest = b"# next\n['remote \"a\"']\n    url = y\n"

    new = b"['remote \"ledgit\"']\n    url = s3://b/new\n"

    assert b"[core]\n" + new + rest == dvc_config(place, b"[core]\n" + old + rest)


def test_what_the_project_says_stays(top: Path) -> None:
    """Its own remote ledgit, whatever a person's file says of it."""
    write(top, OWN, "['remote \"ledgit\"']\n    url = gs://mine\n")

    assert OWN.encode() == dvc_config(found(top), OWN.encode())


def test_a_remote_below_another_needs_that_in_the_file(top: Path) -> None:
    """By its name where the run's own file knows it; by its address where only this person does."""
    write(top, DEFAULT)
    assert b"url = remote://store/ledgit\n" in dvc_config(found(top), DEFAULT.encode())
    write(top, "", DEFAULT.replace("s3://", "ssh://me:sesame@host/"))
    assert b"['remote \"ledgit\"']\n    url = ssh://me@host/bucket/data/ledgit\n" == dvc_config(found(top), b"")


@pytest.mark.parametrize("path", ["/a, b/c", "/a#b", "/it's", '/say "x"', "/a b"])
def test_odd_paths_are_read_as_they_were_written(top: Path, path: str) -> None:
    """By DVC as by us."""
    written = dvc_config(found(top, {"ledgit.artifactRemote": path}), None)

    assert {"ledgit": {"url": path}} == parse_dvc_config(written)[0]
    (top / ".dvc" / "config").write_bytes(written)
    from dvc.config import Config

    assert path == Config.load_file(str(top / ".dvc" / "config"))["remote"]["ledgit"]["url"]


names = st.text("abcdef-_", min_size=1, max_size=8)
# DVC itself can't read back what it wrote with a line separator in it (U+0085 …).
values = st.text(
    st.characters(max_codepoint=0x24F, exclude_categories=("Cc", "Cs"), exclude_characters="'\"%"), max_size=20
)


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=3), max_size=4), names)
def test_our_reading_is_dvcs(remotes: dict[str, dict[str, str]], default: str) -> None:
    """Of whatever DVC writes."""
    from configobj import ConfigObj
    from dvc.config import Config, _pack_named

    config = {"core": {"remote": default}, "remote": remotes, "machine": {}, "db": {}}
    lines = ConfigObj(_pack_named(config)).write()
    data = "\n".join(lines).encode() + b"\n"

    class Files:
        def open(self, path: str) -> Any:
            import io

            return io.BytesIO(data)

    theirs = Config.load_file("x", fs=Files())
    assert (theirs["remote"], theirs["core"]["remote"]) == parse_dvc_config(data)
    place = Place("s3://b/x", {}, "ledgit", "ledgit.artifactRemote", "s3://b/x", "s3://b/x", False, None)
    after = dvc_config(place, data)
    assert parse_dvc_config(after)[0] == {**theirs["remote"], "ledgit": {"url": "s3://b/x"}}
    assert after == dvc_config(place, after)


def test_finding_it_loads_no_dvc(top: Path) -> None:
    """Every push asks; DVC takes a tenth of a second and more to load."""
    write(top, DEFAULT)
    script = (
        "import sys\nfrom ledgit.artifacts import find_place, dvc_config\n"
        f"place = find_place({{}}, {{}}, {str(top)!r})\n"
        "dvc_config(place, None)\n"
        "heavy = sorted({name.split('.')[0] for name in sys.modules} & {'dvc', 'dvc_data', 'fsspec', 'asyncio'})\n"
        "print(place.shown, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "s3://bucket/data/ledgit []" == done.stdout.strip()
