"""Find and compare runs from Python."""

from __future__ import annotations

import ledgit

for rate in (0.1, 0.3):
    with ledgit.start_run():
        ledgit.log_param("rate", rate)
        for step in range(10):
            ledgit.log_metric("loss", (1 - rate) ** step, step=step)

repository = ledgit.open()
runs = repository.runs.filter("params.rate > 0").sort("metrics.loss")
for run in runs:
    print(run.id[:8], run.name, run.params["rate"], run.metrics["loss"])

best = runs.first()
assert best is not None
points = best.history("loss")
print(f"{best.name}: {len(points)} points, from {points.values[0]} to {points.values[-1]}")

for row in runs.compare().params:
    print(row.key, row.cells)
