"""Ledgit beside raw baselines and beside MLflow's SQLite store, measured in one go.

``make bench`` runs everything; ``python -m benchmarks --help`` tells the rest. Every measurement
is a process of its own, and the processes of the subjects compared take turns, so that whatever
else the machine does falls on all of them alike: read the ratios, not the times.
"""
