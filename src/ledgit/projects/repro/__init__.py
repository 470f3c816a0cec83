"""Repeating a run, and saying what differs if it comes out otherwise."""
