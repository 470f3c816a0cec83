"""``python -m benchmarks.synthetic DIR --runs 100000``."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

from benchmarks.synthetic import Plan, make, one_ref_each
from benchmarks.synthetic.plan import SHAPES


def main() -> int:
    """Make a synthetic repository in an empty folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--shape", choices=SHAPES, default="narrow")
    parser.add_argument("--spread", choices=("months", "day"), default="months")
    parser.add_argument("--histories", type=int, default=0, metavar="N", help="the newest N runs have histories")
    parser.add_argument("--points", type=int, default=1_000, help="of each history")
    parser.add_argument("--loose", type=int, default=0, metavar="N", help="the newest N runs are not in the ledger")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, help="processes; default: one a processor")
    parser.add_argument("--one-ref-each", action="store_true", help="a ref a head instead of the ledger")
    options = parser.parse_args()
    started = time.perf_counter()
    plan = Plan(
        options.runs,
        options.shape,
        options.spread,
        histories=options.histories,
        points=options.points,
        loose=options.loose,
        seed=options.seed,
    )
    made = make(options.folder, plan, options.jobs)
    if options.one_ref_each:
        one_ref_each(made)
    taken = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{made.runs} runs in {made.ledger or 'no ledger'}, {len(made.heads)} heads: {taken:.1f} s, {most} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
