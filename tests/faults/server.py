"""A preloaded interpreter that forks a child for each task: a thousand processes in seconds.

Run as a script with the path of a Unix socket. Each connection is one child: it reads one JSON
line (task, arguments, folder, environment), runs the task, and reports JSON lines on the same
connection. It dies with the connection's end unsaid when it is killed, which is how a test
sees that.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from typing import Any

PRELOADED = (
    "encodings.ascii",
    "encodings.idna",
    "pwd",
    "sqlite3",
    "ledgit.query.compile",
    "ledgit.repository",
    "ledgit.store.index",
    "ledgit.store.index_database",
    "ledgit.store.index_live",
    "ledgit.store.index_search",
    "ledgit.store.index_source",
    "ledgit.store.index_table",
    "pygit2",
    "ledgit.artifacts",
    "ledgit.git",
    "ledgit.git.batch",
    "ledgit.git.changes",
    "ledgit.git.links",
    "ledgit.git.packmerge",
    "ledgit.git.snapshot",
    "ledgit.store.active",
    "ledgit.store.collect",
    "ledgit.store.edit",
    "ledgit.store.experiments",
    "ledgit.store.finalizing",
    "ledgit.store.recovery",
    "ledgit.store.settle",
    "subprocess",
    "tests.faults.tasks",
    "tests.faults.tasks_disk",
    "tests.faults.tasks_forks",
)


def serve(path: str) -> None:
    """Accept connections until standard input ends, forking for each."""
    for name in PRELOADED:
        importlib.import_module(name)
    import faulthandler

    faulthandler.register(signal.SIGUSR1)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work(connection)
        connection.close()


def work(connection: socket.socket) -> None:
    """Be the child: never returns."""
    code = 1

    def say(value: Any) -> None:
        connection.sendall(json.dumps({"said": value}).encode() + b"\n")

    try:
        with connection.makefile("rb") as stream:
            order = json.loads(stream.readline())
        connection.sendall(json.dumps({"pid": os.getpid()}).encode() + b"\n")
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        module, _, name = order["task"].partition(":")
        result = getattr(importlib.import_module(module), name)(say, *order["args"])
        atexit._run_exitfuncs()  # as at a proper end
        connection.sendall(json.dumps({"result": result}).encode() + b"\n")
        code = 0
    except BaseException:
        connection.sendall(json.dumps({"error": traceback.format_exc()}).encode() + b"\n")
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
