#!/bin/sh
# A folder includes from itself and from the folders above it in this list, never from below. data/ stands beside autograd/.
# One exception: cli/opcheck.cpp runs the table of tests/op_cases.h, so that a user can check the gradients.
set -u
cd "$(dirname "$0")/.." || exit 1
status=0
allow() {  # folder, then the folders it may include from
  folder=$1
  shift
  allowed=$(echo "$folder $*" | tr ' ' '|')
  found=$(grep -rnE '^#include "(base|tensor|autograd|nn|models|data|train|cli|examples|labs|tests|bench)/' "$folder" --include='*.h' --include='*.cpp' 2>/dev/null |
    grep -vE "#include \"($allowed)/" | grep -vE '^cli/opcheck.cpp:.*"tests/op_cases.h"')
  if [ -n "$found" ]; then
    echo "[layers] $folder/ may include only from: $(echo "$allowed" | tr '|' ' '). Found:" >&2
    echo "$found" >&2
    status=1
  fi
}
allow base
allow tensor base
allow autograd base tensor
allow nn base tensor autograd
allow models base tensor autograd nn data
allow data base tensor
allow train base tensor autograd nn models data
allow cli base tensor autograd nn models data train
allow examples base tensor autograd nn models data train
allow bench base tensor autograd nn models data train
if grep -rnE '^#include [<"](omp|blis|cblas)\.h' base tensor autograd nn models data train cli examples bench | grep -vE '^tensor/(machine/parallel|product/blis)\.cpp:'; then
  echo "[layers] OpenMP belongs to tensor/machine/parallel.cpp, BLIS to tensor/product/blis.cpp" >&2
  status=1
fi
if grep -rnE '^#include "tensor/kernels/' base tensor autograd nn models data train cli examples --include='*.h' --include='*.cpp' |
  grep -vE '^tensor/(ops|kernels)/'; then
  echo "[layers] tensor/kernels/ is included from tensor/ops/ only" >&2
  status=1
fi
exit $status
