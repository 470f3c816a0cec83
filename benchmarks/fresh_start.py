"""What the first start of a run costs a training: ``python fresh_start.py [CALL]``, in a repository.

A script of its own, in a process that has imported nothing else, because that is what counts:
imports are most of a first start.
"""

import time

clock = time.perf_counter
WATCHED = 0.2  # seconds: the snapshot is taken within the first 0.1


def longest_pause() -> float:
    """Run a busy loop, as training is one, and return the longest time in which it did nothing."""
    last = clock()
    end = last + WATCHED
    longest = 0.0
    while last < end:
        now = clock()
        longest = max(longest, now - last)
        last = now
    return longest


def main() -> None:
    """Print seconds: the import, the first start, the longest pause after it, and of a loop alone."""
    import sys

    started = clock()
    import ledgit

    imported = clock()
    if sys.argv[1] == "start_run":
        ledgit.start_run()
    else:
        ledgit.log_param("learning_rate", 0.1)
    begun = clock()
    pause = longest_pause()
    ledgit.end_run()
    print(imported - started, begun - imported, pause, longest_pause())


if __name__ == "__main__":
    main()
