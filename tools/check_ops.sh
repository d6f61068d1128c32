#!/bin/sh
# Fails, naming it, if an operation declared in autograd/ops/*.h has no row in the table of gradient checks
# (tests/op_cases_*.cpp): an op without a check must not build.
set -u
cd "$(dirname "$0")/.." || exit 1
declared=$(grep -ohE '^(Variable|TopkResult|std::vector<Variable>) [a-z_0-9]+\(' autograd/ops/*.h | sed 's/.* //; s/($//; s/(//' | sort -u)
[ -n "$declared" ] || { echo "[check-ops] no operation found in autograd/ops/*.h: has its form changed?" >&2; exit 1; }
status=0
for op in $declared; do
  # The first argument of a row; the name elsewhere (in a call's error context, say) does not count.
  if ! grep -qE "(^ *|[({])\"$op\"," tests/op_cases_*.cpp; then
    echo "[check-ops] $op is declared in autograd/ops/, but has no row in tests/op_cases_*.cpp" >&2
    status=1
  fi
done
exit $status
