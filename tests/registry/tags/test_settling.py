"""Tags are synced a moment after they were made; until then one synced file has what they are made of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.registry.tags.kit import Shop

from ledgit.errors import RefMoved
from ledgit.repository import open_repository
from ledgit.store.recovery import recover
from ledgit.store.registry import kept, settling

REGISTER = """
import os, sys
from ledgit.store.registry import settling
settling._settler.tick = lambda: None  # killed before the sync thread came by, say
from ledgit.repository import open_repository
repository = open_repository()
version = repository.register(repository.run(sys.argv[1]), "churn", "my_model")
repository.assign(version, "prod")
os._exit(0)
"""


def waiting(shop: Shop) -> int:
    path = Path(shop.folder.path, settling.STEPS)
    return path.stat().st_size if path.exists() else 0


def register_and_die(shop: Shop, run: str) -> dict[str, str]:
    """Register and promote in a process that never syncs; return its refs."""
    before = set(all_refs(shop))
    subprocess.run([sys.executable, "-c", REGISTER, run], cwd=shop.path, check=True)
    assert waiting(shop)
    return {name: oid for name, oid in all_refs(shop).items() if name not in before}


def all_refs(shop: Shop) -> dict[str, str]:
    text = shop.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/tags", "refs/ledgit/registry")
    text += "\n" + shop.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/ledgit/versions")
    return dict(line.split() for line in text.splitlines() if line)


def cut_power(shop: Shop, refs: dict[str, str], packs: set[Path], how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave of what was not synced what a power cut may leave, and start the machine anew."""
    for name in refs:
        path = shop.path / ".git" / name
        path.unlink() if how == "gone" else path.write_bytes(b"")
    for path in packs:
        path.chmod(0o600)
        path.unlink() if how == "gone" else path.write_bytes(b"\0" * (path.stat().st_size // 2))
    monkeypatch.setattr(settling, "boot_id", lambda: "another")
    kept._looked.clear()


def packs_of(shop: Shop) -> set[Path]:
    return set((shop.path / ".git" / "objects" / "pack").glob("pack-*"))


@pytest.mark.parametrize("how", ["gone", "torn"])
@pytest.mark.parametrize("who", ["a command that writes", "the next version", "a list"])
def test_what_a_power_cut_took_is_made_again(shop: Shop, who: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tags, the same objects, in the same order."""
    run = shop.train()
    before = packs_of(shop)
    refs = register_and_die(shop, run.id)
    assert {"refs/tags/churn@v0.0.1", "refs/tags/churn#prod#1", "refs/ledgit/versions/churn/1"} <= set(refs)
    cut_power(shop, refs, packs_of(shop) - before, how, monkeypatch)

    if who == "a list":
        assert ["prod"] == list(open_repository(shop.path).registered().find("churn").stages)
    elif who == "the next version":
        fresh = open_repository(shop.path)
        assert ("v0.0.2", 2) == ((made := fresh.register(fresh.run(run.id), "churn", "my_model")).version, made.number)
    else:
        recover(shop.repo, shop.folder)

    assert refs.items() <= all_refs(shop).items()
    assert who == "the next version" or waiting(shop) == 0
    shop.git("fsck", "--strict")


def test_what_was_made_is_synced_and_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pack, refs and their folders, by whoever writes next if its process was killed."""
    run = shop.train()
    before = packs_of(shop)
    refs = register_and_die(shop, run.id)
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))[1])

    recover(shop.repo, shop.folder)

    inside = {os.path.relpath(path, shop.path / ".git") for path in synced}
    assert {name for name in refs if "versions" not in name} <= inside  # a claim is in its tag's message too
    assert {"refs/tags", "refs/ledgit/registry", "objects/pack"} <= inside
    assert {f"objects/pack/{path.name}" for path in packs_of(shop) - before} <= inside
    assert 0 == waiting(shop)


def test_a_step_that_came_too_late_stays_undone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others have taken meanwhile is theirs, and nothing of the step is made."""
    run = shop.train()
    before = packs_of(shop)
    refs = register_and_die(shop, run.id)
    cut_power(shop, refs, packs_of(shop) - before, "gone", monkeypatch)
    shop.git("tag", "churn@v0.0.1", "HEAD")

    recover(shop.repo, shop.folder)

    assert shop.git("rev-parse", "HEAD") == shop.git("rev-parse", "churn@v0.0.1")
    assert "refs/ledgit/versions/churn/1" not in all_refs(shop)
    assert 0 == waiting(shop)


def test_a_step_that_was_refused_is_not_made_after_a_power_cut(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its refs had been taken at that moment."""
    run = shop.train()
    shop.register(run)
    settling._settler.tick()
    assert 0 == waiting(shop)

    def refuse(*_: object, **__: object) -> None:
        raise RefMoved("refs/heads/other")

    with monkeypatch.context() as patch:
        patch.setattr("ledgit.git.update_refs", refuse)
        with pytest.raises(RefMoved):
            shop.register(run)
    assert waiting(shop)
    expected = all_refs(shop)
    monkeypatch.setattr(settling, "boot_id", lambda: "another")

    recover(shop.repo, shop.folder)

    assert expected == all_refs(shop)
    assert 0 == waiting(shop)


def test_what_is_torn_in_the_file_counts_for_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut in the middle of writing it down: nobody was told that it was done."""
    run = shop.train()
    refs = register_and_die(shop, run.id)
    path = Path(shop.folder.path, settling.STEPS)
    lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.strip()]
    path.write_bytes(lines[0] + lines[1] + lines[2][:-20])
    for name in refs:
        (shop.path / ".git" / name).unlink()
    monkeypatch.setattr(settling, "boot_id", lambda: "another")

    recover(shop.repo, shop.folder)

    assert {"churn@v0.0.1"} == set(shop.git("tag", "-l").split())


def test_a_step_behind_a_torn_one_counts(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process was killed, or the disk was full, in the middle of a line; the next one begins a line of its own."""
    run = shop.train()
    Path(shop.folder.path, settling.STEPS).write_bytes(b"0123abcd {torn")
    before = packs_of(shop)
    refs = register_and_die(shop, run.id)
    path = Path(shop.folder.path, settling.STEPS)
    path.write_bytes(b"0123abcd {torn" + path.read_bytes())
    cut_power(shop, refs, packs_of(shop) - before, "gone", monkeypatch)

    recover(shop.repo, shop.folder)

    assert refs.items() <= all_refs(shop).items()


def test_what_another_machine_wrote_down_is_left_to_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be about to sync it, and only there it is known what was lost."""
    run = shop.train()
    register_and_die(shop, run.id)
    before = waiting(shop)
    monkeypatch.setattr(settling, "boot_id", lambda: "another")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "elsewhere", "", "", "")))

    recover(shop.repo, shop.folder)

    assert before == waiting(shop)


def test_where_nobody_can_tell_a_restart_all_is_synced_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems without a boot id; the same for what is too much to write twice."""
    run = shop.train()
    monkeypatch.setattr(settling, "boot_id", lambda: "")

    shop.register(run)

    assert 0 == waiting(shop)
