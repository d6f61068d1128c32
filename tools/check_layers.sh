#!/bin/sh
# The rules of the house that a program can check (docs/architecture.md, "The house"). With a folder as argument, that tree.
#   1. A folder includes from itself and from the folders above it, never from below.
#   2. tensor/kernels/ and tensor/reference/ are included by tensor/ops/ only (and by tests and benchmarks); a copy between
#      strides stands at the top, in tensor/copy.cpp, and has a plain form too.
#   3. nn/ never calls record(): a layer is made of ops.
#   4. Each foreign library has one room.
#   5. autograd/ops/ has at most 14 files of at least 60 lines; no file has more than 400 lines, no function more than 60.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 1
status=0
complain() {  # rule, what was found
  [ -z "$2" ] && return
  echo "[layers] $1. Found:" >&2
  echo "$2" >&2
  status=1
}
sources() { grep -rnE "$1" --include='*.h' --include='*.cpp' $2 2>/dev/null; }

# 1. One exception: cli/opcheck.cpp runs the table of tests/op_cases.h, so that a user can check the gradients.
rooms='base|tensor|data|autograd|nn|models|comm|train|cli|examples|labs|tests|bench'
allow() {  # folder, then the folders it may include from
  folder=$1
  [ -d "$folder" ] || return
  allowed=$(echo "$*" | tr ' ' '|')
  complain "$folder/ may include only from: $*" "$(sources "^#include \"($rooms)/" "$folder" |
    grep -vE "#include \"($allowed)/" | grep -v '^cli/opcheck.cpp:.*"tests/op_cases.h"')"
}
allow base
allow tensor base
allow data base tensor
allow autograd base tensor
allow nn base tensor autograd
allow models base tensor data autograd nn
allow comm base tensor
allow train base tensor data autograd nn models comm
allow cli base tensor data autograd nn models comm train
allow examples base tensor data autograd nn models train
allow bench base tensor data autograd nn models train
# The labs' tool must build where the framework is still to be written.
allow labs/tool base

# 2.
all='base tensor data autograd nn models comm train cli examples'
complain "tensor/kernels/ is included by tensor/ops/ alone" "$(sources '^#include "tensor/kernels/' "$all" | grep -vE '^tensor/(ops|kernels)/')"
complain "tensor/reference/ is included by tensor/ops/ alone" "$(sources '^#include "tensor/reference/' "$all" | grep -vE '^tensor/(ops/|reference/|copy\.cpp)')"
for room in machine product; do
  complain "tensor/$room/ knows nothing of tensor/ops/ and tensor/kernels/" "$(sources '^#include "tensor/(ops|kernels)/' "tensor/$room")"
done
complain "tensor/reference/ knows nothing of tensor/kernels/" "$(sources '^#include "tensor/kernels/' tensor/reference)"

# 3.
complain "nn/ never calls record()" "$(sources '(^|[^_[:alnum:]])record\(' nn)"

# 4. The room of each foreign header, and of OpenMP's directives (omp simd is for one loop alone, it may stand anywhere).
room() {  # header, file
  complain "$1 belongs to $2 alone" "$(sources "^#[[:space:]]*include[[:space:]]*[<\"]$1" "$all bench" | grep -vE "^$2:")"
}
room 'omp\.h' 'tensor/machine/parallel\.cpp'
room '(blis|cblas)\.h' 'tensor/product/blis\.cpp'
room 'mpi\.h' 'comm/mpi\.cpp'
room 'jpeglib\.h' 'data/image/jpeg\.cpp'
room 'png\.h' 'data/image/png\.cpp'
room 'webp/' 'data/image/webp\.cpp'
room 'zlib\.h' 'base/(gzip|zip_stream|zip_writer)\.cpp'
room 'CLI/' '(cli/command\.cpp|bench/conv2d\.cpp)'
# JSON of files goes through base/json.h; the header of a safetensors file is read without building a tree.
room 'nlohmann/' '(base/json\.(h|cpp)|tensor/safetensors_header\.cpp|bench/conv2d\.cpp)'
complain "OpenMP's threads belong to tensor/machine/parallel.cpp" \
  "$(sources '#[[:space:]]*pragma[[:space:]]+omp[[:space:]]+(parallel|for|sections|task|critical|atomic)' "$all" | grep -v '^tensor/machine/parallel\.cpp:')"

# 5.
files=$(find autograd/ops -name '*.cpp' | wc -l)
[ "$files" -le 14 ] || complain "autograd/ops/ has at most 14 files" "$files"
complain "a file of autograd/ops/ has at least 60 lines" "$(find autograd/ops -name '*.cpp' -exec wc -l {} + | awk '$2 != "total" && $1 < 60')"
long=$(find $all tests bench labs -name '*.cpp' -o -name '*.h' 2>/dev/null | xargs wc -l | awk '$2 != "total" && $1 > 400')
complain "a file has at most 400 lines" "$long"
# A function begins with a line that ends in ") {" (const, override and initialisers aside) and ends with "}" at its indentation.
complain "a function has at most 60 lines" "$(find $all bench -name '*.cpp' -o -name '*.h' 2>/dev/null | xargs awk '
  FNR == 1 { start = 0 }
  !start && /^(  )?[A-Za-z_].*\{$/ && !/^ *(namespace|struct|class|enum|union|if|for|while|switch|do|else|extern|return|case)/ && !/= *\{$/ {
    match($0, /^ */); indent = RLENGTH; start = FNR; next }
  start { match($0, /^ */)
    if (RLENGTH == indent && substr($0, indent + 1, 1) == "}") {
      if (FNR - start + 1 > 60) print FILENAME ":" start ": " FNR - start + 1 " lines"
      start = 0 } }')"
exit $status
