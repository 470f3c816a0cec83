"""Review: what an experiment changed, against which baseline, and whether that is good enough."""
