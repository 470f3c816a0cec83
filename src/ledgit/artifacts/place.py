"""Where Ledgit's own DVC remote is: read cheaply, without DVC, because every push asks.

DVC's configuration files are read with the library DVC reads them with; what DVC itself makes
of them (validation, the person's own files, credentials) happens where a remote is opened.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledgit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DVC_CONFIG",
    "DVC_GITIGNORE",
    "KINDS",
    "NAME",
    "Place",
    "data_place",
    "dvc_config",
    "find_place",
    "without_credentials",
]

NAME = "ledgit"  # of the remote in DVC's configuration, and of the folder below the project's own
DVC_CONFIG = ".dvc/config"
# Beside the configuration in the tree of a run: whoever checks it out and gives DVC a password must
# not find it in the snapshot of the next run. The same lines that 'dvc init' writes.
DVC_GITIGNORE = b"/config.local\n/tmp\n/cache\n"
# What DVC knows (dvc/config_schema.py); it takes an address with any other scheme for a local path.
KINDS = frozenset(
    ("azure", "gdrive", "gs", "hdfs", "http", "https", "oss", "remote", "s3", "ssh", "webdav", "webdavs", "webhdfs")
)

# Options that are no secret, so that they may be committed; all others stay where they are.
_PUBLIC = frozenset(
    (
        "account_name",
        "acl",
        "allow_anonymous_login",
        "auth",
        "cache_regions",
        "endpointurl",
        "gss_auth",
        "kerberos",
        "kerberos_principal",
        "listobjects",
        "method",
        "oss_endpoint",
        "port",
        "profile",
        "projectname",
        "region",
        "replication",
        "shared",
        "sse",
        "ssl_verify",
        "type",
        "use_https",
        "use_ssl",
        "user",
        "verify",
    )
)
_SECTION = re.compile(r'^\s*remote\s*"(.*)"\s*$')
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP_LIKE = re.compile(r"^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:")
_MOST = 1 << 20  # bytes of a configuration file

Remotes = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where Ledgit's remote is.

    Attributes:
        url: The address as DVC reads it: a URL, an absolute path, or ``remote://<name>/…``. A person's own
            address may hold credentials: it is never shown, and never written to a file that others see.
        options: What stands beside it in files that others see (``endpointurl``, ``region`` …).
        name: Its name in DVC's configuration.
        source: The setting it was found in, for messages.
        shown: The address with ``remote://`` followed, without credentials: for people.
        key: What tells one remote from another: *shown*, and the S3 endpoint where one is named.
        public: Whether the setting is one that others see: then a user's name in it may stay.
        work_tree: Whose ``.dvc`` has the rest of DVC's configuration; None: a bare repository.
    """

    url: str = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    name: str
    source: str
    shown: str
    key: str
    public: bool
    work_tree: str | None


def find_place(
    config: Mapping[str, str], committed: Mapping[str, Any], work_tree: str | os.PathLike[str] | None
) -> Place | None:
    """Return where Ledgit's remote is; None: nothing says so.

    In this order: ``ledgit.artifactRemote`` of Git's configuration, ``artifacts: {remote: …}`` of
    ``.ledgit/config.yaml`` (an address, or a mapping with ``url`` and DVC's options), the remote ``ledgit`` of the
    project's DVC, ``/ledgit`` below its default remote. A relative path in the first two counts from the top of
    the work tree, in DVC's files as DVC has it. Takes no network and does not load DVC, unless the
    project has one whose default remote must be looked up in the person's own DVC configuration.

    Args:
        config: Git's configuration: anything whose ``get("ledgit.artifactRemote")`` returns text or None.
        committed: What ``.ledgit/config.yaml`` says, or its part with ``artifacts``.
        work_tree: The top of the work tree; None: a bare repository.

    Raises:
        ConfigError: An address or a file that can't be understood.
    """
    top = None if work_tree is None else os.path.abspath(os.fspath(work_tree))
    personal = config.get("ledgit.artifactRemote")
    if personal:
        return _place(personal, {}, "ledgit.artifactRemote", top, public=False)
    part = committed.get("artifacts")
    listed = part.get("remote") if isinstance(part, dict) else None
    if listed is not None:
        url, options = _committed(listed)
        return _place(url, options, "artifacts.remote in .ledgit/config.yaml", top, public=True)
    if top is None or not os.path.isdir(os.path.join(top, ".dvc")):
        return None
    shared, default = read_dvc_config(os.path.join(top, DVC_CONFIG))
    local, default_here = read_dvc_config(os.path.join(top, DVC_CONFIG + ".local"))
    remotes = _merged(shared, local)
    if "url" in remotes.get(NAME, {}):
        public = "url" not in local.get(NAME, {})
        options = shared.get(NAME, {})
        source = DVC_CONFIG if public else DVC_CONFIG + ".local"
        return _place(remotes[NAME]["url"], options, source, top, public=public, remotes=remotes)
    default = default_here or default or _default_of_person()
    if not default:
        return None
    return _place(f"remote://{default.lower()}/{NAME}", {}, "DVC's default remote", top, public=True, remotes=remotes)


def data_place(root: str, name: str = "") -> Place | None:
    """Return where the DVC project *root* keeps its own data: the remote *name*, or its default one; None: none is set.

    Raises:
        ConfigError: The files can't be understood, or the remote keeps data in another way than by their digest.
    """
    shared, default = read_dvc_config(os.path.join(root, DVC_CONFIG))
    local, default_here = read_dvc_config(os.path.join(root, DVC_CONFIG + ".local"))
    remotes = _merged(shared, local)
    name = (name or default_here or default or _default_of_person()).lower()
    if not name:
        return None
    options = remotes.get(name, {})
    for key in ("version_aware", "worktree"):
        if options.get(key, "false").lower() not in ("false", "no", "0", "off"):
            expected = "to be off: 'dvc push' alone can send data to such a remote, then repeat the command"
            raise ConfigError(f"{key} of DVC's remote {name!r}", options[key], expected)
    return _place(f"remote://{name}", {}, "DVC's default remote", os.path.abspath(root), public=True, remotes=remotes)


def _committed(listed: object) -> tuple[str, dict[str, str]]:
    """Take apart what ``.ledgit/config.yaml`` says: an address, or a mapping."""
    setting = "artifacts.remote in .ledgit/config.yaml"
    if isinstance(listed, dict):
        options = {str(key).lower(): _option(value) for key, value in listed.items()}
        secret = sorted(set(options) - _PUBLIC - {"url"})
        if secret:
            raise ConfigError(
                f"{setting}: {secret[0]}", "***", "no secret in a committed file; put it into .dvc/config.local"
            )
        options.pop("url", None)
        listed = listed.get("url")
    else:
        options = {}
    if not isinstance(listed, str) or not listed:
        raise ConfigError(setting, str(listed), "an address, such as s3://bucket/folder")
    return listed, options


def _option(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _place(
    url: str, options: Mapping[str, str], source: str, top: str | None, *, public: bool, remotes: Remotes | None = None
) -> Place:
    url = url.strip()
    scheme = _SCHEME.match(url)
    if _SCP_LIKE.match(url):
        expected = "an address as DVC writes it: ssh://user@host/folder"
        raise ConfigError(source, without_credentials(url), expected)
    if scheme is not None and scheme[1].lower() == "file":
        url, scheme = url[scheme.end() :], None
    if scheme is None:
        url = _local(url, top, source, in_dvc=source.startswith(".dvc"))
    elif scheme[1].lower() not in KINDS:
        expected = f"a path, or an address that begins with one of {', '.join(sorted(KINDS))}"
        raise ConfigError(source, without_credentials(url), expected)
    elif scheme[1].lower() == "remote" and remotes is None:
        remotes = {} if top is None else _remotes_of(top)
    resolved, endpoint = _follow(url, remotes or {}, top, source)
    shown = without_credentials(resolved, keep_user=public)
    endpoint = without_credentials(
        (remotes or {}).get(NAME, {}).get("endpointurl") or options.get("endpointurl") or endpoint
    )
    kept = {key: value for key, value in options.items() if key in _PUBLIC}
    return Place(url, kept, NAME, source, shown, f"{shown} {endpoint}".strip(), public, top)


def _local(path: str, top: str | None, source: str, *, in_dvc: bool) -> str:
    """Return *path* from the root on; DVC counts from the folder of the file it stands in."""
    expanded = os.path.expanduser(path)
    if os.path.isabs(expanded):
        return os.path.normpath(expanded)
    if top is None:
        raise ConfigError(source, path, "a path that begins with /: this repository has no work tree to count from")
    return os.path.normpath(os.path.join(top, ".dvc" if in_dvc else "", expanded))


def _follow(url: str, remotes: Remotes, top: str | None, source: str, depth: int = 0) -> tuple[str, str]:
    """Return the address that ``remote://<name>/<path>`` stands for, as DVC puts it together, and its endpoint."""
    name, _, path = url.removeprefix("remote://").partition("/")
    if not url.startswith("remote://"):
        return url, ""
    base = remotes.get(name.lower()) or _remotes_of_person().get(name.lower()) or {}
    if "url" not in base or depth > 8:
        raise ConfigError(source, name, "the name of a remote of this project; 'dvc remote list' lists them")
    under = base["url"] if _SCHEME.match(base["url"]) else _local(base["url"], top, source, in_dvc=True)
    below, endpoint = _follow(under, remotes, top, source, depth + 1)
    return below.rstrip("/") + "/" + path.lstrip("/"), base.get("endpointurl", endpoint)


# ----------------------------------------------------------------- DVC's files


def read_dvc_config(path: str) -> tuple[Remotes, str]:
    """Return the remotes of one of DVC's files by name, and the name of the default one; nothing if it isn't there.

    Raises:
        ConfigError: It is no configuration of DVC's.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST)
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except OSError as error:
        raise ConfigError(path, error.strerror or "unreadable", "a file that can be read") from error
    return parse_dvc_config(data, path)


def parse_dvc_config(data: bytes, where: str = DVC_CONFIG) -> tuple[Remotes, str]:
    """As :func:`read_dvc_config`, for the content of the file."""
    if b"remote" not in data.lower():
        return {}, ""
    from configobj import ConfigObj, ConfigObjError  # what DVC reads and writes them with; 7 ms

    try:
        parsed = ConfigObj(data.decode().splitlines())
        sections = {str(key).lower(): value for key, value in parsed.dict().items()}
    except (ConfigObjError, UnicodeDecodeError) as error:
        raise ConfigError(where, str(error).splitlines()[0], "DVC's configuration; 'dvc config -l' checks it") from None
    core = sections.get("core", {})
    default = core.get("remote", "") if isinstance(core, dict) else ""
    remotes = {
        found[1]: {str(key).lower(): str(text) for key, text in value.items()}
        for section, value in sections.items()
        if (found := _SECTION.match(section)) and isinstance(value, dict)
    }
    return remotes, str(default).lower()


def _remotes_of(top: str) -> Remotes:
    shared, _ = read_dvc_config(os.path.join(top, DVC_CONFIG))
    local, _ = read_dvc_config(os.path.join(top, DVC_CONFIG + ".local"))
    return _merged(shared, local)


def _merged(below: Remotes, above: Remotes) -> Remotes:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in (*below, *above)}


def _of_person() -> list[tuple[Remotes, str]]:
    """Read the person's and the system's own files; where they are only DVC knows (loads 50 ms of it)."""
    from dvc.dirs import global_config_dir, system_config_dir

    return [read_dvc_config(os.path.join(folder, "config")) for folder in (system_config_dir(), global_config_dir())]


def _default_of_person() -> str:
    return next((default for _, default in reversed(_of_person()) if default), "")


def _remotes_of_person() -> Remotes:
    (system, _), (person, _) = _of_person()
    return _merged(system, person)


# ------------------------------------------------------------- what others see


def without_credentials(url: str, *, keep_user: bool = False) -> str:
    """Return *url* without password, user and query (where tokens and signatures stand); a path stays as it is.

    Args:
        url: An address or a path.
        keep_user: Keep the name of the user, without the password: for addresses that others know anyway.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return url
    rest = re.split(r"[?#]", url[scheme.end() :], maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    port = host.rpartition("@")[2].partition(":")[2]
    if "@" not in host and "@" in path and port and not port.isdigit():
        # A password with a slash in it, as people paste them: what is up to the last @ is no path.
        host, slash, path = rest[: rest.rindex("@")].replace("/", "") + "@", "", rest[rest.rindex("@") + 1 :]
        place, slash, path = path.partition("/")
        host += place
    login, at, place = host.rpartition("@")
    user = login.partition(":")[0]
    shown = f"{user}{at}{place}" if keep_user and user else place
    return f"{scheme[0]}{shown}{slash}{path}"


def dvc_config(place: Place, existing: bytes | None) -> bytes:
    """Return ``.dvc/config`` for a run's tree: what the snapshot has, and Ledgit's remote.

    Every other line stays as it is, byte for byte. What the project's own file says about the remote
    stays too; else the address is written without credentials, a path from the root on (DVC counts
    relative ones from where the run happens to be checked out), ``remote://`` only where the file has
    what it stands on. DVC needs no more than this file to take the tree for a repository of its own;
    :data:`DVC_GITIGNORE` belongs beside it where there is none.

    Raises:
        ConfigError: *existing* is no configuration of DVC's.
    """
    data = existing or b""
    remotes, _ = parse_dvc_config(data)
    there = remotes.get(NAME)
    if there is not None and place.source.startswith(".dvc") and "url" in there:
        return data
    options = {key: value for key, value in place.options.items() if place.public or key != "user"}
    url = without_credentials(place.url, keep_user=place.public)
    if url.startswith("remote://") and url.removeprefix("remote://").partition("/")[0].lower() not in remotes:
        url = place.shown
    wanted = {"url": url, **dict(sorted(options.items()))}
    if there == wanted:
        return data
    return _with_section(data, wanted)


def _with_section(data: bytes, values: Mapping[str, str]) -> bytes:
    """Put the remote's section where it stands, or at the end."""
    ending = b"\r\n" if b"\r\n" in data else b"\n"
    lines = [f"['remote \"{NAME}\"']", *(f"    {key} = {_quoted(value)}" for key, value in values.items())]
    section = b"".join(line.encode() + ending for line in lines)
    before: list[bytes] = []
    inside: list[bytes] | None = None
    after: list[bytes] = []
    for line in data.splitlines(keepends=True):
        text = line.strip()
        if text.startswith(b"[") and inside is None:
            title = text[1:].partition(b"]")[0].strip().strip(b"'").decode("utf-8", "replace").lower()
            match = _SECTION.match(title)
            if match is not None and match[1] == NAME:
                inside = []
                continue
        if inside is None:
            before.append(line)
        elif after or text.startswith(b"["):
            after.append(line)
        else:
            inside.append(line)
    while inside and (not inside[-1].strip() or inside[-1].strip().startswith(b"#")):
        after.insert(0, inside.pop())  # what a person wrote before the next section stays
    if inside is None and before and not before[-1].endswith((b"\n", b"\r")):
        before.append(ending)
    return b"".join([*before, section, *after])


def _quoted(value: str) -> str:
    """Return *value* as ConfigObj writes and reads it."""
    plain = value and value == value.strip() and not set(value) & set(",#'\"\n\r") and "%(" not in value
    if plain:
        return value
    if "\n" in value or "\r" in value or ('"' in value and "'" in value):
        raise ConfigError(f"the remote {NAME}", value, "no line break, and not both kinds of quotes")
    return f"'{value}'" if '"' in value else f'"{value}"'
