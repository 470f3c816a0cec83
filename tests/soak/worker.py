"""A training program that tells what was acknowledged: ``python worker.py REPOSITORY ACKS SEED``.

A line is written when the call that it names has returned, and not before: whatever happens to this process then,
what the line says must be found in the end.
"""

from __future__ import annotations

import json
import os
import sys
from random import Random

import ledgit


def main(repository: str, acks: str, seed: int) -> None:
    """Log runs until killed, or until there are enough."""
    random = Random(seed)
    os.chdir(repository)
    told = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(*words: object) -> None:
        os.write(told, json.dumps(words).encode() + b"\n")

    for _ in range(random.randrange(1, 12)):
        with ledgit.start_run() as run:
            tell("start", run.info.run_id)
            for number in range(random.randrange(3)):
                ledgit.log_param(f"p{number}", seed)
                tell("param", run.info.run_id, f"p{number}", seed)
            ledgit.set_tag("seed", str(seed))
            tell("tag", run.info.run_id, "seed", str(seed))
            for step in range(random.choice((1, 20, 300))):
                value = random.random()
                ledgit.log_metric("loss", value, step=step)
                tell("metric", run.info.run_id, "loss", step, value)
            if random.randrange(3) == 0:
                text = str(random.random()) * random.choice((1, 20_000))  # the long ones become objects
                ledgit.log_text(text, "out/note.txt")
                tell("artifact", run.info.run_id, "out/note.txt", len(text))
        tell("end", run.info.run_id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
