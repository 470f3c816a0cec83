"""The distance that the benchmarks put between two repositories."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from benchmarks.connections import distance, free_port

LATE = 60.0  # ms of a round trip


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    found, _ = server.accept()
                except OSError:
                    return
                with found:
                    while data := found.recv(1 << 16):
                        found.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_question_takes_a_round_trip_and_a_connection_one_more(echo: int) -> None:
    port = free_port()
    with distance(echo, port, LATE), socket.create_connection(("127.0.0.1", port)) as client:
        taken: list[float] = []
        while len(taken) < 2 or (taken[-1] >= 1.9 * LATE and len(taken) < 200):  # a busy machine adds to some
            began = time.monotonic()
            client.sendall(b"question")
            assert client.recv(100) == b"question"
            taken.append((time.monotonic() - began) * 1000)

    assert taken[0] >= 1.9 * LATE
    assert LATE <= taken[-1] < 1.9 * LATE


def test_much_arrives_whole_and_so_does_the_end(echo: int) -> None:
    data, port = bytes(range(256)) * 4_000, free_port()
    with distance(echo, port, 2.0), socket.create_connection(("127.0.0.1", port)) as client:
        threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR))).start()
        found = b""
        while piece := client.recv(1 << 16):
            found += piece

    assert found == data
