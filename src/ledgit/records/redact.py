"""Command lines without their secrets.

A guess can be wrong both ways. What it hides wrongly costs a word in a record; what it shows
wrongly is published, so it hides when in doubt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["REDACTED", "is_secret_name", "redact_command"]

REDACTED = "***"

_KEY_OWNERS = (
    "api|access|account|app|auth|aws|azure|client|comet|deploy|encryption|gcp|hf|host|license|master|neptune|openai"
    "|private|secret|server|service|shared|signing|ssh|storage|wandb|webhook"
)
# A value with such a name keeps to itself.
_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|(?:^|[_.-])(?:pass|pwd?|pat|sig|dsn|key)$|secret|token|credential|bearer|cookie|signature"
    rf"|auth(?:orization)?$|(?:{_KEY_OWNERS})[_.-]?key|connection[_.-]?string|conn[_.-]?str$|webhook[_.-]?url",
    re.IGNORECASE,
)
# "tokenizer", "max_tokens" and "sort_key" are none.
_HARMLESS_NAME = re.compile(
    r"tokeni[sz]|tokens$|secretary|(?:^|[_.-])(?:n|num|max|min|pad|eos|bos|unk|sep|cls|mask|special|vocab)[_.-].*token"
    r"|token[_.-]?(?:type|ids?$|len|count|limit|size|dropout|dim)"
    r"|(?:sort|group|order|text|label|image|target|feature|metric|data|dict|primary|foreign|partition|index)[_.-]key$",
    re.IGNORECASE,
)
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_OPTION = re.compile(rf"--?{_NAME}")
_NAME_VALUE = re.compile(rf"([+~]*-{{0,2}})({_NAME})([=:])(.+)", re.DOTALL)
# The same somewhere inside an argument: a shell's command, JSON, a header, a query string.
_INNER_NAME = re.compile(_NAME)
_INNER_VALUE = re.compile(r"""(["']?\s*[=:]\s*|\s+)("[^"]*"?|'[^']*'?|[^\s,;&|<>(){}\[\]"']+)""")
# Short options that take a password, by program.
_SHORT_SECRET = {"mysql": "p", "mysqldump": "p", "mariadb": "p", "sshpass": "p", "curl": "u", "ldapsearch": "w"}

_TOKENS = (
    r"(?<=://)[^\s/@]*:[^\s/]*(?=@)",  # https://user:secret@host
    r"(?<=://)[A-Za-z0-9_\-.~%+]{16,}(?=@)",  # https://token@host
    r"\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b",  # AWS
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",  # GitLab
    r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}",  # Slack
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bhf_[A-Za-z0-9]{16,}",
    r"\bpypi-[A-Za-z0-9_-]{16,}",
    r"\bAIza[A-Za-z0-9_-]{20,}",
    r"\bya29\.[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?",  # JWT
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
    r"(?i:\b(?:bearer|basic)\s+[A-Za-z0-9_\-.~+/=:]{6,})",
    r"(?i:\bauthorization[\"']?\s*[:=]\s*[^\"'\n]+)",
)
_TOKEN = re.compile("|".join(_TOKENS))
_LONG = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_WORDS = re.compile(r"[0-9]{0,8}(?:[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z]))*[0-9]{0,8}")
_NAME_LIKE = re.compile(r"[a-z0-9]{0,8}|[A-Z][a-z0-9]{0,7}")  # x7b2, V100
_ODD = 16


def redact_command(argv: Sequence[str]) -> list[str]:
    """Return *argv* with what looks like a secret replaced by ``***``.

    Secrets are the values of options and variables with telling names (``--password x``,
    ``--token=x``, ``API_KEY=x``), credentials in URLs, the tokens of well-known services, and
    strings of 32 and more characters that look random. Names stay, so the command still says
    what it was.
    """
    result: list[str] = []
    hide_next = False
    short = ""
    for argument in argv:
        if hide_next and not (argument.startswith("--") and _OPTION.fullmatch(argument)):
            # "--password --verbose" asks on the terminal; everything else is the value.
            result.append(REDACTED)
            hide_next = False
        elif short and argument.startswith(f"-{short}"):
            hide_next = len(argument) == 2
            result.append(argument if hide_next else f"-{short}{REDACTED}")
        else:
            short = _SHORT_SECRET.get(argument.replace("\\", "/").rpartition("/")[2], short)
            hide_next = _OPTION.fullmatch(argument) is not None and is_secret_name(argument.lstrip("-"))
            result.append(argument if hide_next else _redact_text(argument))
    return result


def is_secret_name(name: str) -> bool:
    """Say whether a value called *name* is likely a secret."""
    return _SECRET_NAME.search(name) is not None and _HARMLESS_NAME.search(name) is None


def _redact_text(text: str) -> str:
    whole = _NAME_VALUE.fullmatch(text)
    if whole and is_secret_name(whole.group(2)):
        return f"{whole.group(1)}{whole.group(2)}{whole.group(3)}{REDACTED}"
    text = _TOKEN.sub(REDACTED, text)
    return _LONG.sub(_redact_long, _redact_inner(text))


def _redact_inner(text: str) -> str:
    parts: list[str] = []
    done = 0
    for name in _INNER_NAME.finditer(text):
        if name.start() < done or not is_secret_name(name.group()):
            continue
        value = _INNER_VALUE.match(text, name.end())
        # After a blank only an option has a value: "the secret of" is prose.
        if value and (value.group(1).strip() or text[: name.start()].endswith("-")):
            parts += [text[done : value.start(2)], REDACTED]
            done = value.end()
    return "".join([*parts, text[done:]])


def _redact_long(match: re.Match[str]) -> str:
    return REDACTED if _looks_random(match.group()) else match.group()


def _looks_random(text: str) -> bool:
    """Say whether *text* has a part that is more like a key than like words, a date or a path."""
    from collections import Counter
    from math import log2

    body = text.strip("=-_/")
    if not body:
        return False
    counts = Counter(body)
    entropy = -sum(count / len(body) * log2(count / len(body)) for count in counts.values())
    if re.fullmatch(r"[0-9a-fA-F-]+", body):
        return len(body.replace("-", "")) >= 32 and entropy > 2.5
    odd = [
        piece for piece in re.split(r"[/_+-]+", body) if not _WORDS.fullmatch(piece) and not _NAME_LIKE.fullmatch(piece)
    ]
    return entropy > 3.0 and sum(map(len, odd)) >= _ODD
