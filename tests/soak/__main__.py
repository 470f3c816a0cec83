"""``python -m tests.soak --minutes 10``: clones log, sync, are killed and clean up; then everything is counted."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.soaking import Soak, acknowledged_by


def main() -> int:
    """Return 0 if nothing is lost, damaged or different."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clones", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", metavar="DIR", help="work in DIR, which must not be there, and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledgit-soak-") as scratch:
        soak = Soak(Path(options.keep or scratch) / "soak", options.clones, options.seed)
        try:
            soak.run(options.minutes * 60)
            begun = time.monotonic()
            soak.settle()
            told = acknowledged_by(soak.acknowledged())
            ledgers = soak.ledgers()
            wrong = [*soak.failures, *soak.doctor(), *soak.missing()]
            if len(set(ledgers.values())) != 1:
                wrong.append(f"the ledgers differ: {ledgers}")
        finally:
            soak.close()
    settled = time.monotonic() - begun
    print(f"{options.minutes:g} minutes, {options.clones} clones, seed {options.seed}; settled in {settled:.0f} s")
    print("what was done:      " + ", ".join(f"{name} {count:,}" for name, count in sorted(soak.counts.items())))
    print("what was promised:  " + ", ".join(f"{name} {count:,}" for name, count in sorted(told.items())))
    print("".join(f"to look at:         {line}\n" for line in soak.odd), end="")
    print("\n".join(wrong) or "nothing is lost, damaged or different")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
