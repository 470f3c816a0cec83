"""A host that refuses: what it does not like stays here with the host's words, the rest arrives."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import run_git
from tests.sync.kit import LEDGER, Clone, lines_of

from ledgit.errors import PushRefused
from ledgit.store.sync.held import REFUSED, read_held


def refuse(host: Path, *runs: str) -> Path:
    """A hook that looks into what comes, as hosts' secret scanners and size checks do."""
    hook = host / "hooks" / "pre-receive"
    tests = " ".join(f"-e {run}" for run in runs)
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do\n"
        f"  if git log --format=%B $new --not --all | grep -q {tests}; then\n"
        '    echo "a key was found in your commits" >&2; exit 1\n  fi\ndone\n'
    )
    hook.chmod(0o755)
    return hook


def test_a_refused_run_stays_and_the_others_arrive(ada: Clone, ben: Clone, host: Path) -> None:
    good = {ada.log() for _ in range(9)}
    bad = {ada.log(f"bad-{n}") for n in range(2)}
    refuse(host, *bad)

    done = ada.push()

    assert good == set(done.sent.new) == lines_of(host) == ada.listed()
    assert bad == set(done.held) == ada.loose()
    assert all("a key was found in your commits" in held.reason for held in done.held.values())
    assert {REFUSED} == {held.kind for held in read_held(ada.folder).values()}
    assert done.attempts <= 2 + 2 * 2 * 5
    assert good == set(ben.pull().changes.new)


def test_a_refused_run_says_how_to_go_on(ada: Clone, host: Path) -> None:
    bad = ada.log()
    ada.log()
    refuse(host, bad)

    (held,) = ada.push().held.values()

    assert f"'ledgit push --retry' when that was mended, or 'ledgit gc --purge {bad[:8]}'" in held.reason


def test_a_host_without_room_is_not_taken_for_one_that_wants_branches(ada: Clone, host: Path) -> None:
    ada.log()
    run_git(host, "config", "receive.maxInputSize", "100")

    with pytest.raises(PushRefused, match="unpacker error") as caught:
        ada.push()

    assert "ledgerRef" not in str(caught.value)


def test_a_refused_run_is_tried_again_when_asked(ada: Clone, host: Path) -> None:
    """Not by every push: the host said no."""
    bad, good = ada.log(), ada.log()
    hook = refuse(host, bad)
    ada.push()

    again = ada.push()
    hook.unlink()
    still = ada.push()
    retried = ada.push(retry=True)

    assert (0, 0) == (again.attempts, still.attempts)
    assert [bad] == list(again.held) == list(still.held)
    assert [bad] == retried.sent.new
    assert {bad, good} == lines_of(host)
    assert {} == read_held(ada.folder)


def test_a_refused_run_in_the_clones_ledger_becomes_loose_again(ada: Clone, host: Path) -> None:
    """Automatic compaction may have been quicker than the push."""
    bad, good = ada.log(), ada.log()
    ada.compact()
    refuse(host, bad)

    ada.push()

    assert {bad} == ada.loose()
    assert {good} == ada.listed() == lines_of(host)
    assert ada.ledger == run_git(host, "rev-parse", LEDGER)


def test_one_refused_run_alone_is_told_from_a_host_that_refuses_all(ada: Clone, host: Path) -> None:
    ada.log()
    ada.push()
    bad = ada.log()
    refuse(host, bad)

    done = ada.push()
    later = ada.log()

    assert [bad] == list(done.held)
    assert [later] == ada.push().sent.new


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('echo "nobody may push here" >&2; exit 1', "nobody may push here"),
        ('grep -qv " refs/heads/" || exit 0; echo "branches only" >&2; exit 1', "branches only"),
    ],
)
def test_a_host_that_refuses_every_push_is_one_error(ada: Clone, host: Path, script: str, said: str) -> None:
    """And nothing is held: it is not about the runs."""
    runs = {ada.log() for _ in range(5)}
    hook = host / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)

    with pytest.raises(PushRefused, match=rf"{said}.*ledgit\.ledgerRef refs/heads/ledgit"):
        ada.push()

    assert runs == ada.loose()
    assert {} == read_held(ada.folder)
    assert "refs/heads/main" == run_git(host, "for-each-ref", "--format=%(refname)")


def test_hidden_refs_are_named_at_the_first_push(ada: Clone, host: Path) -> None:
    ada.log()
    run_git(host, "config", "receive.hideRefs", "refs/ledgit")

    with pytest.raises(PushRefused, match="hidden ref"):
        ada.push()
