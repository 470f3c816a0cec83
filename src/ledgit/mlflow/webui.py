"""MLflow's own web UI on a repository: the server of the MLflow that is installed, started and ended with us.

MLflow itself is not imported here, which takes a second: what is installed is told by its files.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from urllib.parse import quote

from ledgit.errors import InvalidValue, MissingDependency, UsageError
from ledgit.tui.serving import PORT
from ledgit.tui.serving.guard import is_loopback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check_installed", "serve_mlflow"]

_LOOK = 0.1  # s between two looks whether it answers
_EVERYWHERE = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # said, not listened at
_ENDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def check_installed() -> None:
    """See whether the MLflow that this Python has can show its UI.

    Raises:
        MissingDependency: There is none, or one without the UI's files, as mlflow-skinny is.
    """
    from importlib.util import find_spec

    spec = find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("MLflow's web UI, which mlflow-skinny alone lacks,", "'ledgit[mlflow]' mlflow")
    places = [os.path.join(place, "server", "js", "build") for place in spec.submodule_search_locations]
    if not any(os.path.isfile(os.path.join(place, "index.html")) for place in places):
        raise MissingDependency("MLflow's web UI, which the mlflow-skinny that is installed lacks,", "mlflow")


def serve_mlflow(
    repository: str,
    say: Callable[[str], None],
    *,
    environment: Mapping[str, str],
    host: str = "127.0.0.1",
    port: int | None = None,
    insecure: bool = False,
    ready: Callable[[str], object] | None = None,
) -> int:
    """Serve MLflow's UI on a repository until Ctrl-C, SIGTERM or SIGHUP; nothing it started is left then.

    Args:
        repository: Path of the repository.
        say: Is given each line for the user, the address among them, when the server answers.
        environment: That of the server's processes.
        host: The address to listen at.
        port: The TCP port; 0: any that is free; None: `ledgit.tui.serving.PORT`, or any if that is taken.
        insecure: Let *host* be an address that other machines reach; everything is plain HTTP, and there is no login.
        ready: Is given the address when the server answers.

    Returns:
        The exit code: 0 after a signal, else 1 as the server ended by itself.

    Raises:
        UsageError: An address that other machines reach without *insecure*; a port that can't be, or is taken.
    """
    from tempfile import TemporaryDirectory

    from ledgit.projects.child import Child

    if port is not None and not 0 <= port <= 65535:
        raise InvalidValue("--port", port, "a number from 0 (any that is free) to 65535")
    if not insecure and not is_loopback(host):
        raise UsageError(
            f"--host {host} would let other machines in over plain HTTP and without a login, where anybody can change"
            f" and delete runs; from another machine use 'ssh -L {port or PORT}:127.0.0.1:{port or PORT} THIS_MACHINE',"
            " or say --insecure if the network is yours alone"
        )
    number = _free_port(host, port)
    shown = f"[{host}]" if ":" in host else host
    if host in _EVERYWHERE:
        shown = _EVERYWHERE[host]
    address = f"http://{shown}:{number}/"
    # The server ends with us also when we are killed; a folder or file called mlflow where one stands is none of its.
    held, tied = os.pipe()[::-1]
    command = [sys.executable, "-P", "-m", "ledgit.tui.serving.tied", str(tied), "mlflow", "ui"]
    command += ["--backend-store-uri", f"ledgit://{quote(repository)}", "--host", host, "--port", str(number)]
    environ = {"MLFLOW_DISABLE_TELEMETRY": "true", **environment, "PYTHONSAFEPATH": "1"}
    # uvicorn, which MLflow starts, imports from where it stands all the same: so it stands in an empty folder.
    folder = TemporaryDirectory(prefix="ledgit-mlflow-")
    child = Child(command, environ, None, cwd=folder.name, group=True, stdin=subprocess.DEVNULL, keep_open=(tied,))
    done, asked, codes = threading.Event(), [], []

    def run() -> None:
        try:
            codes.append(child.run())
        finally:
            done.set()

    def end(number: int, _frame: object) -> None:
        asked.append(number)
        # Also for Ctrl-C: of SIGINT each of the server's processes would print a traceback.
        child.ask(signal.SIGTERM) if len(asked) == 1 else child.kill()

    before = {number: signal.signal(number, end) for number in _ENDED}
    try:
        server = threading.Thread(target=run, name="ledgit-mlflow-ui")  # so that the signals are ours
        server.start()
        while not done.wait(_LOOK):
            if _answers(address):
                say(f"Open {address}")
                say(f"It is MLflow's UI of {repository}; who reaches it can change runs. Ctrl-C ends it all.")
                if ready is not None:
                    ready(address)
                break
        server.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(held)
        os.close(tied)
        folder.cleanup()
    if asked:
        return 0
    say(f"MLflow's server ended by itself, with the exit code {codes[0] if codes else 1}; it says why above")
    return 1


def _free_port(host: str, port: int | None) -> int:
    """Return a port nobody listens at: MLflow's server takes no socket, and no 0 that could be asked for afterwards."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = [PORT, 0] if port is None else [port]
    for number in wanted:
        try:
            with socket.create_server((host, number), family=family) as listening:
                return int(listening.getsockname()[1])
        except OSError as error:
            if number == wanted[-1]:
                what = f"port {port} of {host}" if port else host
                hint = "; take another --port, or 0 for any that is free" if port else ""
                raise UsageError(f"can't serve at {what}: {error.strerror or error}{hint}") from None
    raise AssertionError("unreachable")


def _answers(address: str) -> bool:
    from http.client import HTTPException
    from urllib.request import ProxyHandler, build_opener

    try:
        with build_opener(ProxyHandler({})).open(f"{address}health", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False
