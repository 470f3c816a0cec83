"""Synthetic repositories: thousands of real run commits and the ledger that lists them.

``python -m benchmarks.synthetic DIR --runs 100000`` makes one; the same arguments make the same
objects, byte for byte.
"""

from benchmarks.synthetic.make import Made, add_loose, make, one_ref_each
from benchmarks.synthetic.plan import Plan

__all__ = ["Made", "Plan", "add_loose", "make", "one_ref_each"]
