#!/bin/sh
# Runs a command while four other programs use the processors: a busy machine may fail nobody.
set -u
busy=
trap 'kill $busy 2>/dev/null' EXIT
for _ in 1 2 3 4; do
  sh -c 'while :; do :; done' &
  busy="$busy $!"
done
"$@"
