"""A remote's file system: DVC's, with DVC's configuration and credentials, and an end to every wait."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from ledgit.artifacts.place import NAME, without_credentials
from ledgit.errors import ConfigError, MissingDependency

if TYPE_CHECKING:
    from ledgit.artifacts.place import Place

__all__ = ["Connection"]

# A person's own DVC files may name these; a repository's may not: they decide what runs on this
# machine (an AWS configuration can name a program that gives the credentials).
_RUNS_PROGRAMS = ("bearer_token_command", "configpath", "credentialpath")
_CONNECT = 15  # seconds until a host must have answered
_ANSWER = 60  # seconds without a byte until a request is given up
_GOODBYE = 5  # seconds that closing connections may take
_KEEPALIVE = 15  # seconds between two signs of life over SSH; three that stay out end the connection
_EXTRAS = {"s3": "ledgit[s3]", "ssh": "ledgit[ssh]"}


class Connection:
    """The file system that *place* is on.

    Attributes:
        kind: DVC's name of the file system: ``local``, ``ssh``, ``s3`` …
        path: The remote's folder on it.
        shared: Whether DVC is told that the group may write there (``shared = group``).

    Raises:
        ConfigError: DVC can't make sense of its configuration.
        MissingDependency: The package for this kind of remote is not installed.
    """

    def __init__(self, place: Place) -> None:
        self._class, self._options, self.path = _configured(place)
        self._guard = threading.Lock()
        self._current: Any = None
        self._broken: list[Any] = []  # what `renew` put aside
        self._turn = 0
        self.kind: str = self._class.protocol
        self.shared: bool = self._options.get("shared") == "group"

    def get(self) -> tuple[Any, int]:
        """Return DVC's file system, connected when it is first used, and which connection it is.

        Raises:
            Exception: Whatever its library raises; for :func:`remote_failure`.
        """
        with self._guard:
            if self._current is None:
                self._current = self._open()
            return self._current, self._turn

    def renew(self, turn: int) -> None:
        """Connect anew the next time: the connection *turn* broke. Others may have said so before."""
        with self._guard:
            if turn == self._turn:
                # Others may be using it at this moment: it is closed with the last one.
                self._broken.append(self._current)
                self._current = None
                self._turn += 1

    def close(self) -> None:
        """End the connection; using it again opens another."""
        with self._guard:
            ended, self._broken, self._current = [*self._broken, self._current], [], None
            for opened in ended:
                self._close(opened)

    def _close(self, opened: Any) -> None:
        inner = getattr(opened, "__dict__", {}).get("fs")
        if inner is None:
            return
        if self.kind == "ssh":
            inner._finalize(inner.loop, inner._pool, inner._stack)
            return
        session = getattr(inner, "_s3" if self.kind == "s3" else "_session", None)
        if session is None or not hasattr(inner, "close_session"):
            return
        from fsspec.asyn import sync

        try:
            if self.kind == "s3":
                sync(inner.loop, session.__aexit__, None, None, None, timeout=_GOODBYE)
            else:
                sync(inner.loop, session.close, timeout=_GOODBYE)
        except Exception:  # the library's own way; on a busy machine it leaves sessions open, as it waits for 0.1 s
            inner.close_session(inner.loop, session)

    def _open(self) -> Any:
        options = dict(self._options)
        asks = sys.stdin is not None and sys.stdin.isatty()
        if not asks:  # nothing asks a question when standard input is no terminal
            options.update({key: False for key in ("ask_password", "ask_passphrase") if key in options})
        opened = self._class(**options)
        arguments = opened.fs_args
        if self.kind == "ssh":
            _careful_ssh(arguments, options, asks=asks)
        elif self.kind == "s3":
            config = arguments.setdefault("config_kwargs", {})
            config.setdefault("connect_timeout", _CONNECT)
            config.setdefault("read_timeout", _ANSWER)
            # s3fs repeats what failed itself, five times, each by botocore's five: half an hour of silence.
            config.setdefault("retries", {"total_max_attempts": 2, "mode": "standard"})
            config.setdefault("connector_args", _impatient())
            opened.fs.retries = 2
        opened.fs  # noqa: B018 - connects
        return opened


def _impatient() -> dict[str, Any]:
    """Return what has the kernel end a connection whose other side takes nothing any more.

    The libraries' timeouts are for answers: a request that can't be sent waits for ever. Where the
    kernel or the library has no such setting, it is the kernel's own patience, a quarter of an hour.
    """
    import socket

    from aiobotocore.config import AioConfig

    def make(address: Any) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _ANSWER * 1000)
        return made

    arguments: dict[str, Any] = {"socket_factory": make}
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return {}
    try:
        AioConfig(connector_args=arguments)
    except Exception:  # an older one has no such argument
        return {}
    return arguments


def _careful_ssh(arguments: dict[str, Any], options: dict[str, Any], *, asks: bool) -> None:
    """Set what DVC leaves open: whom we talk to, what we lend, and how long we wait."""
    import asyncssh

    arguments["known_hosts"] = ()  # as 'ssh' does, ~/.ssh/known_hosts; DVC believes any host
    arguments["agent_forwarding"] = False
    arguments["connect_timeout"] = _CONNECT
    arguments["keepalive_interval"] = _KEEPALIVE
    if "timeout" not in options:
        arguments["timeout"] = 10 * _ANSWER if asks else _ANSWER
    if not asks:
        arguments["client_factory"] = asyncssh.SSHClient


def _configured(place: Place) -> tuple[Any, dict[str, Any], str]:
    """Let DVC put together what it knows of the remote: class, options, path."""
    from dvc.config import Config
    from dvc.config import ConfigError as DvcConfigError
    from dvc.fs import get_cloud_fs

    folder = os.path.join(place.work_tree, ".dvc") if place.work_tree is not None else ""
    try:
        config = Config(folder if os.path.isdir(folder) else None, validate=False)
        remotes = config["remote"]
        if not place.source.startswith(".dvc"):
            own = _fitting(remotes.get(NAME, {}), place.url)
            remotes[NAME] = {**own, **place.options, "url": place.url}
        _check_origin(config, place)
        kind, options, path = get_cloud_fs(config, name=NAME)
    except DvcConfigError as error:
        text = str(error).splitlines()[0]
        raise ConfigError(place.source, place.shown, f"a remote that DVC can use ({text})") from error
    except ImportError as error:  # DVC's own words name the package
        scheme = place.shown.partition("://")[0]
        package = _EXTRAS.get(scheme, f"dvc-{scheme.removesuffix('s') if scheme != 'gs' else scheme}")
        raise MissingDependency(f"an artifact remote at {scheme}://", package) from error
    return kind, dict(options), str(path)


def _fitting(options: dict[str, Any], url: str) -> dict[str, Any]:
    """Return those options that DVC takes for an address of this kind: they may have been set for another."""
    from dvc.config_schema import REMOTE_SCHEMAS

    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme == "remote":
        return dict(options)
    known = {str(getattr(key, "schema", key)) for key in REMOTE_SCHEMAS[scheme]}
    return {key: value for key, value in options.items() if key in known}


def _check_origin(config: Any, place: Place) -> None:
    """Refuse options of the repository's own file that have a program run here.

    Raises:
        ConfigError: There is one.
    """
    if place.work_tree is None or not config.dvc_dir:
        return
    committed = config.load_one("repo")["remote"]
    name, depth = NAME, 0
    while name and depth < 9:
        used = config["remote"].get(name, {})
        for key in _RUNS_PROGRAMS:
            value = committed.get(name, {}).get(key)
            if value is None or value != used.get(key):
                continue
            if key == "bearer_token_command" or _inside(str(value), place.work_tree):
                raise ConfigError(
                    f"{key} of the remote {name!r} in .dvc/config",
                    without_credentials(str(value)),
                    "to be in .dvc/config.local: a repository does not decide what is run on this machine",
                )
        url = str(used.get("url", ""))
        name = url.removeprefix("remote://").partition("/")[0].lower() if url.startswith("remote://") else ""
        depth += 1


def _inside(path: str, folder: str) -> bool:
    real, top = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([real, top]) == top
