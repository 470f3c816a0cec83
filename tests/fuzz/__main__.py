"""Feed the decoders for as long as one likes::

    python -m tests.fuzz --minutes 10          all of them in turn
    python -m tests.fuzz --only mlproject      one
    python -m tests.fuzz --replay              the kept inputs, once

What makes one fail is made shorter and written to ``tests/fuzz/corpus``, where the test suite finds it.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import time
import traceback
import warnings
from random import Random

from tests.fuzz.feeding import Hang, feed
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import CORPUS, TARGETS, seeds

ROOM = 1 << 30
"""Bytes that the process may take beyond what it has after each decoder had its kept inputs."""


def main() -> int:
    """Return how many decoders failed, at most 99."""
    options = arguments()
    warnings.simplefilter("error")
    names = options.only or list(TARGETS)
    kept = {name: seeds(name) for name in names}
    failed: dict[str, int] = {}
    for name in names:
        for data in kept[name]:
            if not survives(name, data):
                failed[name] = failed.get(name, 0) + 1
    if options.replay:
        print(f"{sum(map(len, kept.values()))} kept inputs of {len(names)} decoders; failed: {failed or 'none'}")
        return min(len(failed), 99)
    resource.setrlimit(resource.RLIMIT_AS, (taken() + ROOM, resource.RLIM_INFINITY))
    known = {name: {cause(name, data) for data in kept[name]} for name in names}
    random = Random(options.seed)
    count, end = 0, time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        name = random.choice(names)
        turn = time.monotonic() + 0.25  # a quarter of a second each: slow decoders take no more of the time
        while time.monotonic() < turn:
            data = mutate(random, kept[name])
            count += 1
            if (found := cause(name, data)) and found not in known[name]:
                known[name].add(found)
                data = shorter(name, data, found)
                survives(name, data)
                failed[name] = failed.get(name, 0) + 1
                keep(name, data)
    told = f"{count:,} inputs to {len(names)} decoders in {options.minutes:g} minutes, seed {options.seed}"
    print(f"{told}; failed: {failed or 'none'}")
    return min(len(failed), 99)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", action="append", choices=sorted(TARGETS), metavar="DECODER")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="to repeat what was printed at the end")
    parser.add_argument("--replay", action="store_true", help="the kept inputs alone")
    return parser.parse_args()


def taken() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def cause(name: str, data: bytes) -> str:
    """Return what goes wrong, and where; "" if nothing does."""
    try:
        feed(name, data)
    except (Exception, Hang) as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} {frame.filename}:{frame.lineno}"
    return ""


def survives(name: str, data: bytes) -> bool:
    """Whether *data* is taken; what goes wrong is printed."""
    try:
        feed(name, data)
    except (Exception, Hang):
        print(f"\n== {name}: {data[:300]!r}", file=sys.stderr)
        traceback.print_exc()
        return False
    return True


def shorter(name: str, data: bytes, found: str) -> bytes:
    """Take away what is not needed to fail in the same place."""
    size = len(data) // 2
    until = time.monotonic() + 10
    while size and time.monotonic() < until:
        at = 0
        while at < len(data) and time.monotonic() < until:
            less = data[:at] + data[at + size :]
            if cause(name, less) == found:
                data = less
            else:
                at += size
        size //= 2
    return data


def keep(name: str, data: bytes) -> None:
    """Write *data* into the corpus."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"crash-{hashlib.sha256(data).hexdigest()[:8]}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
