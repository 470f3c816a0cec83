"""Kept files changed in ways that decoders stumble over: bytes, lines, words, and values within JSON and YAML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

LARGEST = 64 << 10
"""Bytes of what is fed; what matters about more is said by tests of its own."""

WORDS: Sequence[bytes] = (
    b"", b"\0", b"\r\n", b"\t", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\x1b[2J",
    b"\x1b]0;x\x07", b"null", b"true", b"~", b"{}", b"[]", b'""', b"- ", b": ", b"? ", b"&a ", b"*a", b"<<: *a",
    b"!!python/object/apply:os.system ", b"!!binary ", b"!!float ", b"--- ", b"...", b"%YAML 9.9\n", b"| \n", b"'",
    b'"', b"\\", b"\\u0000", b"\\ud800", b"#", b"//", b"0", b"-1", b"-0", b"1e999", b"-1e-400", b"nan", b".nan",
    b"-.inf", b"0x10", b"0o7", b"1_0", b"01", b"9" * 19, b"9" * 5000, b"18446744073709551616",
    b"-9223372036854775809", b"1" + b"0" * 400, b"9999-12-31T23:59:59.999Z", b"0001-01-01T00:00:00Z",
    b"2026-02-30T00:00:00Z", b"2026-11-23T06:00:00.123+99:99", b"../", b"..", b"/etc/passwd", b".git/config",
    b"C:\\x", b"con", b"-x", b"--upload-pack=touch x", b"${HOME}", b"$(id)", b"`id`", b"{x}", b"{0}", b"{x!r:>{y}}",
    b"%s%n", b"a" * 300, b"[" * 200, b'{"a":' * 200, b"<script>", b"&amp;", b"](javascript:x)", b"@all", b"|",
    b"``````", b"(" * 300, b"NOT " * 300, b" AND ", b"LIKE '%'", b"IN ()", b"code IN main..HEAD", b"params.`a`",
    b"metrics.min(", b"'" * 99, b";", b"--", b"/*",
)  # fmt: skip

ODD: Sequence[Any] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, "", " ", "\0", "\n",
    "a\tb", "\ud800", "\u202e", "\x1b[2J", "x" * 5000, "../../x", "/x", ".git", "a/.git/x", "-x", "nan", "~", [], {},
    [[]], [None], {"": ""}, [1, "a", None], {"a": {"a": {"a": []}}}, {"~float": "nan"}, {"~float": 1}, {"~int": "x"},
    {"~int": "9" * 5000}, {"~float": "nan", "x": 1},
)  # fmt: skip


def mutate(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return a kept input with one to eight changes."""
    data = random.choice(seeds) if seeds else b""
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        data = random.choice(_CHANGES)(random, data, seeds)[:LARGEST]
    return data


def _flip(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    if not data:
        return random.randbytes(4)
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _set(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return (
        data[:at]
        + bytes([random.choice((0, 9, 10, 13, 27, 32, 127, 128, 255, random.randrange(256)))])
        + data[at + 1 :]
    )


def _span(random: Random, data: bytes) -> tuple[int, int]:
    at = random.randrange(len(data) + 1)
    return at, min(len(data), at + random.choice((1, 2, 8, 64, 1024)))


def _drop(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    at, end = _span(random, data)
    return data[:at] + data[end:]


def _cut(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _repeat(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    at, end = _span(random, data)
    return data[:at] + data[at:end] * random.choice((2, 3, 50)) + data[end:]


def _word(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    at, end = _span(random, data)
    return data[:at] + random.choice(WORDS) + data[random.choice((at, end)) :]


def _splice(random: Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = random.choice(seeds) if seeds else b""
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other) + 1) :]


def _lines(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    at, to = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 1:
        lines.insert(to, lines[at])
    elif kind == 2:
        del lines[at]
    else:  # what stands behind the key
        key, colon, _ = lines[at].partition(b":")
        lines[at] = key + colon + b" " + random.choice(WORDS)
    return b"\n".join(lines)


def _value(random: Random, data: bytes, _seeds: Sequence[bytes]) -> bytes:
    """Put something odd where JSON, a line of JSON, or YAML has a value."""
    lines = data.split(b"\n")
    for at in {random.randrange(len(lines)), 0}:
        try:
            found = json.loads(lines[at])
        except (ValueError, RecursionError):
            continue
        lines[at] = json.dumps(_replaced(random, found), separators=(",", ":")).encode()
        return b"\n".join(lines)
    try:
        import yaml

        found = yaml.load(data, Loader=yaml.CSafeLoader)
        if isinstance(found, dict | list) and len(data) < 8000:
            return yaml.dump(_replaced(random, found), Dumper=yaml.CSafeDumper, allow_unicode=True).encode()
    except Exception:  # whatever it is, it is fed as it was
        return data
    return data


def _replaced(random: Random, found: Any) -> Any:
    if isinstance(found, dict) and found:
        key = random.choice(list(found))
        kind = random.randrange(12)
        if kind == 0:
            return {other: value for other, value in found.items() if other != key}
        if kind == 1:
            return found | {random.choice(("", "\0", "x" * 300, "~", "a/b", "\n")): random.choice(ODD)}
        return found | {key: _replaced(random, found[key])}
    if isinstance(found, list) and found and random.randrange(8):
        at = random.randrange(len(found))
        return [*found[:at], _replaced(random, found[at]), *found[at + random.randrange(2) :]]
    return random.choice(ODD)


_CHANGES = (_flip, _set, _drop, _cut, _repeat, _word, _word, _splice, _lines, _lines, _value, _value, _value)
