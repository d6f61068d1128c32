#!/bin/sh
# Breaks each rule of tools/check_layers.sh in a copy of the sources and expects it to fail, naming the rule.
set -u
cd "$(dirname "$0")/.." || exit 1
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
fresh() {
  rm -rf "$copy/tree" && mkdir "$copy/tree"
  find base tensor data autograd nn models comm train cli examples bench tests labs \( -name '*.cpp' -o -name '*.h' \) 2>/dev/null |
    cpio -pdm --quiet "$copy/tree" 2>/dev/null || cp -r base tensor data autograd nn models train cli examples bench tests "$copy/tree/"
}
failed=0
expect() {  # telling part of the message, file, line to add to it (times: how often)
  fresh
  mkdir -p "$copy/tree/$(dirname "$2")"
  i=0
  while [ $i -lt "${4:-1}" ]; do
    printf '%s\n' "$3"
    i=$((i + 1))
  done >>"$copy/tree/$2"
  if said=$(tools/check_layers.sh "$copy/tree" 2>&1); then
    echo "not noticed: \"$3\" in $2"
    failed=1
  elif ! echo "$said" | grep -qF "$1"; then
    echo "noticed, but not as \"$1\": \"$3\" in $2"
    echo "$said" | head -3
    failed=1
  fi
}
fresh
tools/check_layers.sh "$copy/tree" || { echo "the copy fails unbroken"; exit 1; }
expect 'base/ may include only from' base/error.h '#include "tensor/tensor.h"'
expect 'tensor/ may include only from' tensor/tensor.h '#include "autograd/ops.h"'
expect 'data/ may include only from' data/loader.h '#include "autograd/ops.h"'
expect 'autograd/ may include only from' autograd/engine.cpp '#include "nn/nn.h"'
expect 'nn/ may include only from' nn/linear.h '#include "models/vit.h"'
expect 'models/ may include only from' models/vit.h '#include "train/trainer.h"'
expect 'train/ may include only from' train/trainer.h '#include "cli/commands.h"'
expect 'cli/ may include only from' cli/main.cpp '#include "tests/op_cases.h"'
expect 'labs/tool/ may include only from' labs/tool/grade.cpp '#include "tensor/tensor.h"'
expect 'nn/ may include only from' nn/linear.cpp '#include "labs/common/todo.h"'
expect 'examples/ may include only from' examples/01_tensors.cpp '#include "cli/commands.h"'
expect 'tensor/kernels/ is included by tensor/ops/ alone' autograd/engine.cpp '#include "tensor/kernels/norm_detail.h"'
expect 'tensor/reference/ is included by tensor/ops/ alone' nn/linear.cpp '#include "tensor/reference/matmul.h"'
expect 'tensor/machine/ knows nothing of' tensor/machine/parallel.cpp '#include "tensor/ops/linear.h"'
expect 'tensor/reference/ knows nothing of' tensor/reference/matmul.cpp '#include "tensor/kernels/norm_detail.h"'
expect 'nn/ never calls record()' nn/linear.cpp '  return record("linear", y, {x});'
expect 'belongs to tensor/machine/parallel\.cpp' tensor/ops/matmul.cpp '#include <omp.h>'
expect 'belongs to tensor/product/blis\.cpp' tensor/ops/matmul.cpp '#include <blis.h>'
expect 'belongs to comm/mpi\.cpp' train/trainer.cpp '#include <mpi.h>'
expect 'belongs to data/image/png\.cpp' data/loader.cpp '#include <png.h>'
expect 'belongs to data/image/jpeg\.cpp' data/loader.cpp '#include <jpeglib.h>'
expect 'belongs to data/image/webp\.cpp' data/loader.cpp '#include <webp/decode.h>'
expect 'belongs to base/(gzip|zip_stream|zip_writer)\.cpp' data/loader.cpp '#include <zlib.h>'
expect 'belongs to (cli/command\.cpp' cli/train.cpp '#include <CLI/CLI.hpp>'
expect 'belongs to (base/json\.' models/presets.cpp '#include <nlohmann/json.hpp>'
expect "OpenMP's threads belong to" tensor/ops/matmul.cpp '#pragma omp parallel for'
expect 'a file of autograd/ops/ has at least 60 lines' autograd/ops/crumb.cpp '// one op'
expect 'a file has at most 400 lines' nn/linear.cpp '//' 400
fresh
{ echo 'void endless() {'; i=0; while [ $i -lt 60 ]; do echo '  f();'; i=$((i + 1)); done; echo '}'; } >>"$copy/tree/nn/linear.cpp"
tools/check_layers.sh "$copy/tree" 2>&1 | grep -q 'a function has at most 60 lines' || { echo "a long function is not noticed"; failed=1; }
fresh
i=0
while [ $i -lt 15 ]; do yes '//' | head -70 >"$copy/tree/autograd/ops/more$i.cpp"; i=$((i + 1)); done
tools/check_layers.sh "$copy/tree" 2>&1 | grep -q 'at most 14 files' || { echo "many files of autograd/ops are not noticed"; failed=1; }
exit $failed
