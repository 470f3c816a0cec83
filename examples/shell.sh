#!/bin/sh
# Log from a shell script: one run that stays open while a loop adds to it, and a tracked command.
set -e

run=$(ledgit record --start --name shell-example -p method=newton -p target=2)
x=1
for step in 1 2 3 4 5; do
    x=$(awk "BEGIN { print ($x + 2 / $x) / 2 }")
    ledgit record --run "$run" --step $step -m x="$x" > /dev/null
done
ledgit record --run "$run" --finish > /dev/null
ledgit show "$run"

ledgit run -t kind=example -- sh -c 'echo "this goes into output.log"'
ledgit ls
