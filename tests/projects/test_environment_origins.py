"""Packages that no index gave: where they came from is recorded, and what of it is used again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from ledgit.projects.environments import from_recorded
from ledgit.records import Environment
from ledgit.store.origins import origins


def test_where_packages_came_from_is_recorded_without_what_is_nobodys_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords and tokens are left out; paths are the repository's, the home folder's, or absolute."""
    monkeypatch.setenv("HOME", "/home/ada")
    commit = "0" * 40
    git = {"vcs": "git", "commit_id": commit, "requested_revision": "main"}
    said: dict[str, object] = {
        "here-1": {"url": "file:///home/ada/work/lib", "dir_info": {"editable": True}},
        "homely-1": {"url": "file:///home/ada/my%20lib", "dir_info": {}},
        "else_where-1": {"url": "file:///srv/x-1.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
        "git-1": {"url": "https://u:p@h/x.git?t=1", "vcs_info": git, "subdirectory": "py"},
        "ssh-1": {"url": "ssh://git@h/x", "vcs_info": git},
        "net-1": {"url": "https://h/x.whl?token=s", "archive_info": {"hash": "sha256=cd"}},
        "odd-1": [1],
        "odder-1": {"url": "a b", "dir_info": {}},
    }
    for name, content in said.items():
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "direct_url.json").write_text(json.dumps(content))
    (tmp_path / "indexed-5.dist-info").mkdir()

    assert {
        "else-where": "file:/srv/x-1.whl#sha256=ab",
        "git": f"git+https://h/x.git@{commit}#subdirectory=py",
        "here": "-e file:./lib",
        "homely": "file:~/my lib",
        "net": "https://h/x.whl#sha256=cd",
        "ssh": f"git+ssh://git@h/x@{commit}",
    } == origins((str(tmp_path), str(tmp_path / "none")), "/home/ada/work")


def test_what_a_record_says_of_origins_is_handed_on_only_as_far_as_it_is_safe(tmp_path: Path) -> None:
    """Commits and archives with a hash; folders of the code, and of this machine if they are here."""
    (tmp_path / "lib").mkdir()
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(b"x")
    right, commit, digest = sha256(b"x").hexdigest(), "a" * 40, "b" * 64
    said = {
        "commit": f"git+https://h/x.git@{commit}#subdirectory=py",
        "archive": f"https://h/x.whl#sha256={digest}",
        "inner": "-e file:./lib",
        "wheel": f"file:{wheel}#sha256={right}",
        "bad-branch": "git+https://h/x.git@main",
        "bad-transport": f"git+ext::sh@{commit}",
        "bad-hash": "https://h/x.whl",
        "bad-leaving": "file:./../secret",
        "bad-gone": f"file:{tmp_path}/gone",
        "bad-other": f"file:{wheel}#sha256={digest}",
        "bad-option": f"git+https://h/x --{'index'}-url=y@{commit}",
    }
    recorded = Environment(packages=dict.fromkeys(said, "1"), origins=said)
    wanted = from_recorded(recorded, {}, folder=str(tmp_path))

    assert (
        f"archive @ {said['archive']}",
        f"commit @ {said['commit']}",
        f"inner @ {tmp_path}/lib",
        f"wheel @ {wheel}",
    ) == wanted.requirements
    assert sorted(name for name in said if name.startswith("bad")) == [one.package for one in wanted.lacking]
    assert () == from_recorded(recorded, {}, folder=str(tmp_path), fetch=False).requirements
