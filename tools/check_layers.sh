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
  found=$(grep -rnE '^#include "(tensor|autograd|nn|models|data|train|cli|examples|labs|tests|bench)/' "$folder" --include='*.h' --include='*.cpp' 2>/dev/null |
    grep -vE "#include \"($allowed)/" | grep -v '^cli/opcheck.cpp:.*"tests/op_cases.h"')
  if [ -n "$found" ]; then
    echo "[layers] $folder/ may include only from: $(echo "$allowed" | tr '|' ' '). Found:" >&2
    echo "$found" >&2
    status=1
  fi
}
allow tensor
allow autograd tensor
allow nn tensor autograd
allow models tensor autograd nn
allow data tensor
allow train tensor autograd nn models data
allow cli tensor autograd nn models data train
allow examples tensor autograd nn models data train
allow bench tensor autograd nn models data train
if grep -rnE '^#include [<"](omp|blis|cblas)\.h' tensor autograd nn models data train cli examples bench | grep -vE '^tensor/(parallel|blas)\.cpp:'; then
  echo "[layers] OpenMP belongs to tensor/parallel.cpp, BLIS to tensor/blas.cpp" >&2
  status=1
fi
exit $status
