"""Command lines without their secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["REDACTED", "redact_command"]

REDACTED = "***"

# A name that has one of these words keeps its value to itself.
_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passwd|passphrase|pwd$|secret|token|credential|auth(?:orization)?$|bearer|cookie|signature"
    r"|(?:api|access|private|account|secret|encryption|signing|ssh|master|license|app|client)[_.-]?key|^key$|[_.-]pat$|^pat$"
    r"|connection[_.-]?string|conn[_.-]?str$|^dsn$|[_.-]dsn$|webhook",
    re.IGNORECASE,
)
# Names like "tokenizer" or "max_tokens" are no secrets.
_HARMLESS_NAME = re.compile(
    r"tokeni[sz]|tokens$|(?:^|[_.-])(?:n|num|max|min|pad|eos|bos|unk|sep|cls|mask|special|vocab)[_.-].*token"
    r"|token[_.-]?(?:type|ids?|len|length|count|limit|size|dropout|dim)|secretary|(?:sort|group|order)[_.-]?key$",
    re.IGNORECASE,
)
_NAME_VALUE = re.compile(r"(-{0,2}[A-Za-z_][A-Za-z0-9_.-]*)([=:])(.+)", re.DOTALL)
_OPTION = re.compile(r"--?[A-Za-z][A-Za-z0-9_.-]*")
# Short options that take a password in programs people run: mysql -p, curl -u, sshpass -p.
_SHORT_SECRET = {"mysql": "p", "mysqldump": "p", "mariadb": "p", "sshpass": "p", "curl": "u", "ldapsearch": "w"}

_PATTERNS = (
    re.compile(r"(?<=://)[^\s/@]*:[^\s/]*(?=@)"),  # https://user:secret@host
    re.compile(r"(?<=://)[A-Za-z0-9_\-.~%+]{16,}(?=@)"),  # https://token@host
    re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b"),  # AWS key ids
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    re.compile(r"\bglpat-[A-Za-z0-9_-]{16,}"),
    re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"),
    re.compile(r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    re.compile(r"\bhf_[A-Za-z0-9]{16,}"),
    re.compile(r"\bpypi-[A-Za-z0-9_-]{16,}"),
    re.compile(r"\bAIza[A-Za-z0-9_-]{20,}"),
    re.compile(r"\bya29\.[A-Za-z0-9_-]{16,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),  # JWT
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.DOTALL),
    re.compile(r"(?i)\b(?:bearer|basic|token)\s+[A-Za-z0-9_\-.~+/=:]{6,}"),
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
_QUERY = re.compile(r"([?&;]|\b)([A-Za-z_][A-Za-z0-9_.-]*)=([^&\s;\"']+)")


def redact_command(argv: Sequence[str]) -> list[str]:
    """Return *argv* with what looks like a secret replaced by ``***``.

    Secrets are: values of options and variables with telling names (``--password x``,
    ``--token=x``, ``API_KEY=x``), credentials in URLs, the tokens of well-known services, and
    long strings without a pattern. A name alone stays, so the command still says what it was.
    """
    result: list[str] = []
    hide_next = False
    short = ""
    for argument in argv:
        program = argument.replace("\\", "/").rpartition("/")[2]
        if hide_next and not _is_flag_again(argument):
            result.append(REDACTED)
            hide_next = False
            continue
        hide_next = False
        if short and argument.startswith("-" + short) and not argument.startswith("--"):
            # "-p" and its value, or both in one.
            if argument == "-" + short:
                hide_next = True
                result.append(argument)
            else:
                result.append("-" + short + REDACTED)
            continue
        short = _SHORT_SECRET.get(program, short)
        if _OPTION.fullmatch(argument) and is_secret_name(argument.lstrip("-")):
            hide_next = True
            result.append(argument)
            continue
        result.append(_redact_text(argument))
    return result


def _is_flag_again(argument: str) -> bool:
    """``--password --verbose``: the password was asked for on the terminal."""
    return _OPTION.fullmatch(argument) is not None and argument.startswith("--")


def is_secret_name(name: str) -> bool:
    """Say whether a value called *name* is likely a secret."""
    return _SECRET_NAME.search(name) is not None and _HARMLESS_NAME.search(name) is None


def _redact_text(text: str) -> str:
    match = _NAME_VALUE.fullmatch(text)
    if match and is_secret_name(match.group(1).lstrip("-")):
        return f"{match.group(1)}{match.group(2)}{REDACTED}"
    for pattern in _PATTERNS:
        text = pattern.sub(REDACTED, text)
    text = _QUERY.sub(_redact_query, text)
    return _LONG.sub(_redact_long, text)


def _redact_query(match: re.Match[str]) -> str:
    before, name, _ = match.groups()
    return f"{before}{name}={REDACTED}" if is_secret_name(name) else match.group()


def _redact_long(match: re.Match[str]) -> str:
    text = match.group()
    return REDACTED if _looks_random(text) else text


def _looks_random(text: str) -> bool:
    """Say whether *text* has the entropy of a key rather than that of words or a path."""
    from collections import Counter
    from math import log2

    # Words joined by separators: look at the longest piece only.
    pieces = re.split(r"[/_=-]+", text) if not re.fullmatch(r"[0-9a-fA-F]+", text) else [text]
    longest = max(pieces, key=len)
    body = longest if len(longest) >= 20 else "".join(pieces) if len(pieces) <= 4 else longest
    if len(body) < 20:
        return False
    counts = Counter(body)
    entropy = -sum(count / len(body) * log2(count / len(body)) for count in counts.values())
    if re.fullmatch(r"[0-9a-fA-F]+", body):
        return entropy > 2.8
    classes = sum(bool(re.search(group, body)) for group in ("[a-z]", "[A-Z]", "[0-9]"))
    return entropy > 3.6 and classes >= 2 and bool(re.search("[0-9]", body))
