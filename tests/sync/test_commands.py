"""``ledgit push`` and ``ledgit pull`` as they are typed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import selectors
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.sync.kit import Clone, lines_of
from tests.sync.test_refused import refuse

from ledgit.cli.progress import Progress, picture
from ledgit.errors import Conflict
from ledgit.store.sync.opening import WAITING, SyncLock

STILL = "still held back: {}; 'ledgit push --dry-run' says why"


def ledgit(clone: Clone, *words: str, code: int = 0, **env: str) -> str:
    """Run a command where nobody can be asked and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "ledgit", *words],
        cwd=clone.path,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert code == done.returncode, done.stderr
    return done.stdout + done.stderr


def test_both_say_in_a_line_what_happened(ada: Clone, ben: Clone) -> None:
    assert "origin has no runs yet\n" == ledgit(ada, "pull")
    run = ada.log("calm-owl")
    ada.log("brave-fox")

    assert "pushed 2 new runs to origin\n" == ledgit(ada, "push", "--all")
    assert "origin has all runs\n" == ledgit(ada, "push")
    assert "pulled 2 new runs from origin\n" == ledgit(ben, "pull")
    assert "nothing new on origin\n" == ledgit(ben, "pull")
    ledgit(ben, "tag", "calm-owl", "good=yes")
    ben.log()
    assert "pushed 1 new run, 1 edited to origin\n" == ledgit(ben, "push", "--all")
    ada.log()
    said = ledgit(ada, "push", "--all").splitlines()

    assert ["pushed 1 new run to origin", "received 1 new run, 1 edited"] == said
    assert {run} < ada.listed()


def test_git_has_them_as_commands_of_its_own(ada: Clone, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    run = ada.log()

    assert "pushed 1 new run to origin" == ada.git("ledgit", "push", "--all")
    assert {run} == lines_of(host)


def test_json_has_the_ids(ada: Clone, ben: Clone) -> None:
    run = ada.log()

    dry = json.loads(ledgit(ada, "push", "--dry-run", "--json"))
    pushed = json.loads(ledgit(ada, "push", "--all", "--json"))
    pulled = json.loads(ledgit(ben, "pull", "--json"))

    assert (True, [run]) == (dry["dry_run"], dry["new"])
    assert (False, [run], 1) == (pushed["dry_run"], pushed["new"], pushed["attempts"])
    assert [run] == pulled["new"]


def test_what_is_held_back_is_named_with_its_reason(ada: Clone, host: Path) -> None:
    """Exit code 4 only if nothing could go."""
    bad = ada.log("sad-cat")
    refuse(host, bad)

    alone = ledgit(ada, "push", "--all", code=4)
    ada.log()
    ledgit(ada, "tag", "sad-cat", "looked-at=yes")  # so that it is looked at again
    said = ledgit(ada, "push", "--all")

    assert f"held back 1 run:\n  sad-cat ({bad[:8]}): origin refused it" in alone
    assert "a key was found in your commits" in alone
    assert said.startswith("pushed 1 new run to origin\nheld back 1 run:\n")


def test_what_stayed_before_fails_no_later_push(ada: Clone, host: Path) -> None:
    """Or a nightly push would fail until somebody purges the run. Who asks for it by name is told."""
    bad = ada.log("sad-cat")
    refuse(host, bad)
    ledgit(ada, "push", "--all", code=4)

    again = ledgit(ada, "push", "--all")
    told = json.loads(ledgit(ada, "push", "--all", "--json"))["held"][bad]["before"]
    dry = ledgit(ada, "push", "--all", "--dry-run")
    ada.log()
    more = ledgit(ada, "push", "--all").splitlines()
    named = ledgit(ada, "push", "--all", "--runs", bad, code=4)
    retried = ledgit(ada, "push", "--all", "--retry", code=4)

    assert ["origin has all other runs", STILL.format("sad-cat")] == again.splitlines()
    assert told
    assert f"would hold back 1 run:\n  sad-cat ({bad[:8]}): origin refused it" in dry
    assert ["pushed 1 new run to origin", STILL.format("sad-cat")] == more
    for said in (named, retried):
        assert f"held back 1 run:\n  sad-cat ({bad[:8]}): origin refused it" in said


def test_a_deleted_run_that_stays_is_only_counted(ada: Clone) -> None:
    """Nobody waits for it; but it is held anew, as the deletion is a commit of its own."""
    for name in ("sad-cat", "bad-cat", "mad-cat", "wet-cat", "red-cat"):
        (ada.path / "train.py").write_text(f"key = {name!r}\n")  # not committed
        ledgit(ada, "record", "--name", name)
    said = ledgit(ada, "push", code=4)
    ledgit(ada, "rm", "bad-cat")

    again = ledgit(ada, "push")

    assert "held back 5 runs:" in said
    first, still = again.splitlines()
    assert "origin has all other runs" == first
    assert still.startswith("still held back: ")
    assert still.endswith("-cat, 1 more, 1 deleted; 'ledgit push --dry-run' says why")


def test_runs_can_be_chosen(ada: Clone, host: Path) -> None:
    one = ada.log("calm-owl")
    other = ada.log("brave-fox")

    ledgit(ada, "push", "--all", "--runs", "calm-owl")
    chosen = lines_of(host)
    ledgit(ada, "push", "--all")

    assert {one} == chosen
    assert {one, other} == lines_of(host)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("push", "nowhere"), 9, "there is no remote 'nowhere'"),
        (("pull", "/no/such/repository"), 9, "there is no such repository"),
        (("pull", "http://127.0.0.1:1/x.git"), 9, "can't be reached"),
        (("push", "--runs", "no-such-run"), 3, "no run matches"),
        (("push", "--publish", "some"), 2, "invalid choice"),
    ],
)
def test_errors_are_one_sentence_with_their_code(ada: Clone, words: tuple[str, ...], code: int, said: str) -> None:
    err = ledgit(ada, *words, code=code)

    assert said in err
    assert err.startswith("ledgit: ")
    assert 1 == err.count("\n")


def test_without_a_remote_it_says_how_to_add_one(ada: Clone) -> None:
    ada.git("remote", "remove", "origin")

    assert "git remote add origin URL" in ledgit(ada, "push", code=9)
    ada.git("remote", "add", "one", "https://example.org/1.git")
    ada.git("remote", "add", "two", "https://example.org/2.git")
    assert "git config ledgit.remote NAME" in ledgit(ada, "pull", code=9)
    ada.git("config", "ledgit.ledgerRef", "nonsense")
    assert "ledgit.ledgerRef is 'nonsense'" in ledgit(ada, "pull", "one", code=2)


def test_purges_are_asked_about_at_a_terminal(ada: Clone, ben: Clone) -> None:
    """No is the answer that changes nothing; yes lets them go."""
    run = ada.log()
    ada.push()
    ben.pull()
    ben.purge(run)
    ben.push()

    refused = at_terminal(ada, "pull", question="? [y/N] ", answer="n\n")
    kept = ada.listed()
    agreed = at_terminal(ada, "pull", question="? [y/N] ", answer="y\n")

    assert "takes away 1 run for good, 1 of them made in this clone" in refused
    assert {run} == kept
    assert "pulled 1 purged run from origin" in agreed
    assert set() == ada.listed()


def test_a_newcomer_is_not_told_of_runs_that_were_purged_before(ada: Clone, ben: Clone) -> None:
    """They are no news to somebody who never had them."""
    gone, _kept = ada.log(), ada.log("calm-owl")
    ada.push()
    ada.purge(gone)
    ada.push()

    assert "pulled 1 new run from origin\n" == ledgit(ben, "pull")
    assert "nothing new on origin\n" == ledgit(ben, "pull")


def test_code_is_asked_about_at_a_terminal_and_a_dry_run_shows_it_instead(ada: Clone, host: Path) -> None:
    """The dry run says what would become public, asks nothing, and remembers nothing."""
    (ada.path / "train.py").write_text("print('not committed')\n")
    ledgit(ada, "record", "--name", "calm-owl")

    dry = at_terminal(ada, "push", "--dry-run")
    kept = at_terminal(ada, "push", question="[y/a/p/n] ", answer="n\n")
    nothing = lines_of(host)
    gone = at_terminal(ada, "push", question="[y/a/p/n] ", answer="y\n")

    assert dry.startswith("would push 1 new run to origin\r\nand publish code that is not there yet")
    assert "[y/a/p/n]" not in dry
    assert "this one has code that is not on origin" in kept
    assert "only runs whose code is there already (none yet), and always so" in kept
    assert kept.endswith("nothing was pushed\r\n")
    assert set() == nothing
    assert gone.endswith("pushed 1 new run to origin\r\n")


def at_terminal(clone: Clone, *words: str, question: str = "", answer: str | Callable[[], None] = "") -> str:
    """Run a command at a terminal, answer its *question* if it has one, and return all that was on the screen.

    An answer may also be something to do.
    """
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ledgit", *words], cwd=clone.path, stdin=there, stdout=there, stderr=there
    )
    os.close(there)
    screen = b""
    answered = False
    selector = selectors.DefaultSelector()
    selector.register(here, selectors.EVENT_READ)
    while True:
        assert selector.select(60), screen
        try:
            data = os.read(here, 4096)
        except OSError:  # Linux' way of saying that the other end is closed
            break
        if not data:
            break
        screen += data
        if question and question.encode() in screen and not answered:
            if isinstance(answer, str):
                os.write(here, answer.encode())
            else:
                answer()
            answered = True
    process.wait()
    selector.close()
    os.close(here)
    return screen.decode()


def test_who_waits_for_another_push_is_told_so(ada: Clone) -> None:
    """It may stand at its question in another terminal, for as long as somebody is at lunch."""
    with contextlib.ExitStack() as other:
        other.enter_context(SyncLock(ada.folder))
        shown = at_terminal(ada, "pull", question=WAITING, answer=other.close)

    assert shown.endswith("\r\x1b[Korigin has no runs yet\r\n")


def test_waiting_for_another_push_has_an_end(ada: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledgit.store.sync.opening._PATIENCE", 0.1)
    told: list[tuple[str, int, int | None]] = []
    waiting = SyncLock(ada.folder, lambda *args: told.append(args), wait=0.3)
    with SyncLock(ada.folder), ThreadPoolExecutor(1) as pool, pytest.raises(Conflict) as failed:
        pool.submit(waiting.__enter__).result()

    assert (WAITING, 0, None) == told[0]
    assert "another 'ledgit push' or 'ledgit pull' works in this repository" in str(failed.value)


def test_progress_is_a_line_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert "Receiving objects      [############............]  50%  1,500/3,000" == picture(
        "Receiving objects", 1500, 3000
    )
    assert "Checking runs 12,000" == picture("Checking runs", 12000, None)
    monkeypatch.setenv("COLUMNS", "30")
    assert len(picture("Receiving objects", 1500, 3000)) < 30


def test_progress_shows_nothing_for_a_second_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("ledgit.cli.progress.time.monotonic", lambda: now[0])
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress() as progress:
        progress("Writing objects", 1, 4)
        early = capsys.readouterr().err
        now[0] += 1.5
        progress("Writing objects", 2, 4)
        shown = capsys.readouterr().err
        progress("Writing objects", 3, 4)
        too_soon = capsys.readouterr().err

    assert ("", "") == (early, too_soon)
    assert "2/4" in shown
    assert "\r\x1b[K" == capsys.readouterr().err
