"""Projects: what can be run, where it runs, whether it can be repeated, and sweeps over its parameters."""
