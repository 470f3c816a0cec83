"""What a command printed, line by line, while it grows and when it is large."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from hypothesis import given
from hypothesis import strategies as st

import ledgit
from ledgit.tui.data.output import OutputLog, open_output, shown_part
from ledgit.tui.widgets.ansi import ansi_text


def whole(file: BinaryIO, step: int = 1 << 22) -> OutputLog:
    log = OutputLog(file)
    while log.read_on(step):
        pass
    return log


@given(st.lists(st.text("ab\r \t\x1b[é", max_size=400), max_size=300), st.integers(1, 5000), st.booleans())
def test_lines_are_those_that_were_printed_however_they_came(lines: list[str], step: int, ended: bool) -> None:
    data = "\n".join(lines).encode() + b"\n" * ended
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()

    log = whole(BytesIO(data), step)

    assert [log.line(position) for position in range(len(log))] == [shown_part(line).decode() for line in expected]
    assert (log.line(len(log)), log.line(10**6)) == ("", "")


def test_a_log_grows_under_its_reader_and_may_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as writer, path.open("rb") as reader:
        log = OutputLog(reader)
        assert not log.read_on()
        writer.write(b"one\ntw")
        assert log.read_on()
        assert [log.line(0), log.line(1)] == ["one", "tw"]
        writer.write(b"o\n")
        assert log.read_on()
        assert (len(log), log.line(1)) == (2, "two")
        writer.seek(0)
        writer.truncate()
        writer.write(b"x")
        assert log.read_on()
        assert (len(log), log.line(0)) == (1, "x")


def test_a_line_of_megabytes_is_cut_and_a_progress_bar_shows_its_last_state() -> None:
    log = whole(
        BytesIO(b"first\n" + b"z" * 5_000_000 + b"\nbar " + b"\r%5d steps" * 1 % 1 * 300_000 + b"\rdone\nend\n")
    )

    assert [log.line(0), log.line(2), log.line(3)] == ["first", "done", "end"]
    assert log.line(1).startswith("zzz")
    assert len(log.line(1)) < 30_000


def test_of_a_large_log_little_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        for number in range(0, 400_000, 1000):
            file.write(b"".join(b"line %d\n" % one for one in range(number, number + 1000)))
    import tracemalloc

    with path.open("rb", buffering=0) as file:
        tracemalloc.start()
        log = whole(file)
        for position in range(0, 400_000, 10_021):
            assert log.line(position) == f"line {position}"
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert len(log) == 400_000
    assert used < os.path.getsize(path) / 10


def test_the_output_of_an_active_and_of_a_finished_run_is_found(repo: Path) -> None:
    repository = ledgit.open(repo)
    with ledgit.start_run() as active:
        run_id = active.info.run_id
        run = repository.run(run_id)
        assert open_output(run) is None
        ledgit.log_text("epoch 1\nepoch 2\n", "output.log")
        log = open_output(run)
        assert log is not None
        assert log.read_on()
        assert (len(log), log.ended) == (2, False)
        log.close()
    log = open_output(repository.run(run_id))
    assert log is not None
    log.read_on()
    assert (log.line(1), log.ended) == ("epoch 2", True)


def test_colours_of_programs_are_shown_and_everything_else_they_say_to_a_terminal_is_not() -> None:
    text = ansi_text(
        "\x1b[1;31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b[2J\x1b[5;8mhidden\x1b[m x"
    )

    assert text.plain == "red link hidden x"
    assert [str(span.style) for span in text.spans if text.plain[span.start : span.end] == "red"] == ["bold color(1)"]
    for span in text.spans:
        assert not isinstance(span.style, str)
        assert (span.style.link, span.style.blink, span.style.conceal) == (None, None, None)
