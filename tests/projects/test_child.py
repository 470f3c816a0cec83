"""A tracked command behaves as it would without us."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import sys
from ledgit.projects.child import Child
log = open(sys.argv[1], "wb", buffering=0) if sys.argv[1] != "-" else None
import os
sys.exit(Child(sys.argv[2:], dict(os.environ), log).run())
"""


def drive(log: Path | str, *command: str, **kw: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", DRIVER, str(log), *command],
        capture_output=True,
        check=False,
        timeout=60,
        **{"stdin": subprocess.DEVNULL, **kw},  # type: ignore[call-overload]
    )


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_output_goes_through_and_into_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = drive(log, *python("import os; os.write(1, b'out\\xff\\n'); os.write(2, b'err\\n')"))

    assert (done.stdout, done.stderr, done.returncode) == (b"out\xff\n", b"err\n", 0)
    assert sorted(log.read_bytes().splitlines()) == [b"err", b"out\xff"]


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 15)", 143)]
)
@pytest.mark.parametrize("kept", [True, False])
def test_the_exit_code_is_the_childs(tmp_path: Path, code: str, expected: int, kept: bool) -> None:
    """128 and the signal's number where a signal ended it, as shells have it."""
    assert drive(tmp_path / "log" if kept else "-", *python(code)).returncode == expected


def test_a_large_output_arrives_whole(tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = drive(log, *python("import sys\nfor n in range(200_000): print(n, 'x' * 20)"))

    assert len(done.stdout) == log.stat().st_size == 200_000 * 21 + sum(len(str(n)) + 1 for n in range(200_000))


def test_input_reaches_the_child(tmp_path: Path) -> None:
    done = drive(tmp_path / "log", *python("print(input()[::-1])"), stdin=None, input=b"abc\n")

    assert done.stdout == b"cba\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP])
def test_signals_are_passed_on(tmp_path: Path, number: signal.Signals) -> None:
    """The child decides what to do with them."""
    code = f"""
import os, signal, sys, time
def got(number, frame):
    os.write(1, b"got %d\\n" % number)  # print() may be what it interrupts
    sys.exit(7)
signal.signal({int(number)}, got)
os.write(1, b"ready\\n")
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path / "log"), *python(code)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as out:
        assert out.readline() == b"ready\n"
        process.send_signal(number)
        assert out.readline() == b"got %d\n" % number
    assert process.wait(timeout=30) == 7


def test_a_reader_that_leaves_does_not_stop_the_child(tmp_path: Path) -> None:
    """`ledgit run -- train | head` keeps training, and the log is whole."""
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(log), *python("for n in range(50_000): print(n)")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(timeout=30) == 0
    assert log.read_bytes().splitlines()[-1] == b"49999"


def test_a_process_left_behind_does_not_keep_us(tmp_path: Path) -> None:
    """A daemon that holds the output open is not waited for."""
    done = drive(tmp_path / "log", "sh", "-c", "sleep 30 & echo done")

    assert done.stdout == b"done\n"


def test_on_a_terminal_the_child_has_a_terminal(tmp_path: Path) -> None:
    """Progress bars and colours stay, and line ends are not doubled."""
    ours, theirs = pty.openpty()
    log = tmp_path / "log"
    code = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); print('two')"
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(log), *python(code)], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(ours)

    assert process.wait(timeout=30) == 0
    assert shown == b"True True\r\ntwo\r\n"
    assert log.read_bytes() == b"True True\ntwo\n"


def test_the_two_streams_do_not_meet_within_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = """
import os
for n in range(200):
    for part in (b"x", b"x\\n"):
        os.write(1, part.replace(b"x", b"o"))
        os.write(2, part.replace(b"x", b"e"))
"""
    drive(log, *python(code))

    assert sorted(log.read_bytes().splitlines()) == [b"ee"] * 200 + [b"oo"] * 200


def test_a_last_line_without_an_end_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    drive(log, *python("import os; os.write(1, b'no end')"))

    assert log.read_bytes() == b"no end"


def test_output_beyond_the_limit_is_shown_but_not_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    limited = "import sys\nimport ledgit.projects.child as child\nchild.MOST_KEPT = 10\n"
    driver = DRIVER.replace("import sys\n", limited, 1)
    done = subprocess.run(
        [sys.executable, "-c", driver, str(log), *python("print('x' * 8); print('y' * 8); print('z' * 8)")],
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )

    assert done.stdout == b"x" * 8 + b"\n" + b"y" * 8 + b"\n" + b"z" * 8 + b"\n"
    assert log.read_bytes() == b"x" * 8 + b"\ny" + b"\n[ledgit: further output was not kept]\n"


def test_ctrl_c_on_a_terminal_reaches_the_child_once(tmp_path: Path) -> None:
    """The terminal sends it to the whole group; a second one would break the child's clean-up."""
    log, count = tmp_path / "log", tmp_path / "count"
    code = f"""
import signal, time
came = []
def got(*_):
    came.append(time.monotonic())
    with open({str(count)!r}, "a") as file:
        file.write("x")
signal.signal(signal.SIGINT, got)
print("ready", flush=True)
while not came or time.monotonic() < came[0] + 0.5:
    time.sleep(0.05)
"""
    pid, ours = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", DRIVER, str(log), *python(code)])
    shown = b""
    sent = False
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
        if b"ready" in shown and not sent:
            os.write(ours, b"\x03")
            sent = True
    _, status = os.waitpid(pid, 0)
    os.close(ours)

    assert os.waitstatus_to_exitcode(status) == 0
    assert count.read_text() == "x"


def test_a_full_disk_does_not_stop_the_child(tmp_path: Path) -> None:
    """It is shown whole, and what could be kept is kept."""
    driver = """
import os, sys
from ledgit.projects.child import Child
child = Child(sys.argv[1:], dict(os.environ), open("/dev/full", "wb", buffering=0))
code = child.run()
print(child.problem, file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", driver, *python("for n in range(10_000): print(n)\nraise SystemExit(5)")],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 5
    assert done.stdout.splitlines()[-1] == b"9999"
    assert done.stderr == b"the output was not kept any further: No space left on device\n"
