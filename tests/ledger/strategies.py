"""Histories of a few runs: what lines there can be, honest and odd."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1

from hypothesis import strategies as st
from orjson import dumps

from ledgit.records.table import Line, parse_line

DAY = 86_400_000
#: Ids that share first digits, so that small tables split deeply; and one that MLflow would allow.
IDS = [f"{first}{second}{'0' * 29}{last}" for first in "0a" for second in "0f" for last in "12"] + ["My-Run_7"]

OPS = ("new", "edit", "edit", "edit", "fork", "fork", "fork", "fork", "version", "purge", "odd", "nothing")

steps = st.lists(
    # One run more than the others, so that it gets several heads.
    st.tuples(st.sampled_from(OPS), st.sampled_from([0] * 8 + [*range(len(IDS))]), st.integers(0, 1 << 16)),
    min_size=6,
    max_size=40,
)


@dataclass
class History:
    """Every line that was ever written.

    Attributes:
        lines: All of them, in the order in which they were made.
        pasts: Head → whole past, for what the oracle knows.
        runs: Head → run.
    """

    lines: list[Line] = field(default_factory=list)
    pasts: dict[str, list[str]] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)


def written(run: str, start: int, past: list[str], mark: object) -> tuple[str, bytes]:
    """The line of a commit, in the form Ledgit writes."""
    head = sha1(repr((run, past, mark)).encode()).hexdigest()
    shown = past if len(past) <= 16 else [past[0], *(oid[:16] for oid in past[1:])]
    data: dict[str, object] = {"id": run, "head": head, "v": 1, "start": start, "name": f"n{mark}"}
    if shown:
        data["past"] = shown
    return head, dumps(data)


def start_of(run: str) -> int:
    """Two days, so that months and days differ."""
    return 1_795_392_000_000 + IDS.index(run) % 3 * 4 * DAY


def play(steps: list[tuple[str, int, int]], long: bool = False) -> History:
    """Make a history of *steps*; with *long* each edit is twenty."""
    history = History()
    for number, (op, which, pick) in enumerate(steps):
        run = IDS[which]
        start = start_of(run)
        known = [head for head, owner in history.runs.items() if owner == run]
        if op == "new" or (op in ("edit", "fork", "version") and not known):
            _write(history, run, [], "first")
        elif op == "edit":  # on all that count
            covered = {oid for head in known for oid in history.pasts[head]}
            for again in range(20 if long else 1):
                heads = [head for head in known if head not in covered]
                head = _write(history, run, heads, (number, again))
                known, covered = [*known, head], covered.union(heads)
        elif op == "fork":  # on one of all that ever were
            _write(history, run, [known[pick % len(known)]], number)
        elif op == "version":  # somebody wrote a commit's line in another way
            old = next(line for line in history.lines if line.head == known[pick % len(known)])
            if not old.opaque:
                raw = old.raw.replace(b'"v":1', b'"v":%d' % (pick % 3), 1).replace(b'"name":', b'"other":', pick % 2)
                history.lines.append(parse_line(raw))
        elif op == "purge":
            more = {"why": pick % 3} if pick % 2 else {}
            history.lines.append(parse_line(dumps({"id": run, "start": start, "purged": True, **more})))
        elif op == "odd":
            history.lines.append(parse_line(odd_line(run, start, pick)))
    return history


def _write(history: History, run: str, parents: list[str], mark: object) -> str:
    past = list(dict.fromkeys(oid for head in parents for oid in [*history.pasts[head], head]))
    head, raw = written(run, start_of(run), past, mark)
    history.pasts[head] = past
    history.runs[head] = run
    history.lines.append(parse_line(raw))
    return head


def odd_line(run: str, start: int, pick: int) -> bytes:
    """A line that can't be united with others."""
    head = sha1(b"%d" % pick).hexdigest()
    odd: list[bytes] = [
        dumps({"id": run, "head": head, "v": "one", "start": start}),
        dumps({"id": run, "head": head, "past": "none", "start": start}),
        dumps({"id": run, "head": "HEAD", "start": start}),
        dumps({"id": run, "start": start, "purged": "yes"}),
        dumps({"id": run, "head": head, "v": 1, "start": start})[:-1],
        b'{"id":"%s","head":"%s","id":"else","v":1}' % (run.encode(), head.encode()),
        b"\xff\xfe %d" % pick,
        dumps({"head": head, "start": start, "id": 7}),
        b"%d" % pick,
    ]
    return odd[pick % len(odd)]
