"""Sweeps: one entry point, many parameters; a parent run and a run a trial."""
