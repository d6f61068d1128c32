#!/bin/sh
# Installs into a scratch folder, builds a program outside the repository by pkg-config, by CMake (where it is installed), and
# as part of a shared library; uninstalls, and nothing is left. Usage: tools/test_install.sh BUILD
set -eu
cd "$(dirname "$0")/.."
make=${MAKE:-make}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix="$scratch/with space/prefix"
$make --no-print-directory -s install PREFIX="$prefix" BUILD="$1"

cat > "$scratch/outside.cpp" <<'CPP'
#include <cstdio>

#include "models/vit.h"
#include "train/optim/optim.h"
using namespace vitrail;

int main() {
  Rng rng(1);
  models::ViT model({.img_size = 8, .patch_size = 4, .num_classes = 3, .embed_dim = 8, .depth = 1, .num_heads = 2}, rng);
  const Variable loss = cross_entropy(model(zeros({2, 3, 8, 8})), zeros({2}, Dtype::i64));
  loss.backward();
  AdamW optimizer(make_param_groups(model, 0.05));
  optimizer.step(1e-3);
  std::printf("loss %.3f\n", loss.item());
}
CPP
cat > "$scratch/shared.cpp" <<'CPP'
#include "autograd/ops.h"
using namespace vitrail;
extern "C" double answer() {
  Variable x(ones({300, 300}), true);
  sum(matmul(x, x)).backward();
  return x.grad().at({0, 0});
}
CPP
cat > "$scratch/calls.cpp" <<'CPP'
#include <cstdio>
extern "C" double answer();
int main() { std::printf("answer %.0f\n", answer()); }
CPP

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
cxx=${CXX:-g++}
if command -v pkg-config >/dev/null 2>&1; then
  eval "$cxx \"$scratch/outside.cpp\" -o \"$scratch/by-pkg-config\" $(pkg-config --cflags --libs vitrail)"
  "$scratch/by-pkg-config" | grep -q 'loss 1.0986\|loss [01]\.'
  echo "pkg-config: built and ran"
  eval "$cxx -shared -fPIC \"$scratch/shared.cpp\" -o \"$scratch/libanswer.so\" $(pkg-config --cflags --libs vitrail)"
  "$cxx" "$scratch/calls.cpp" -o "$scratch/calls" -L"$scratch" -lanswer -Wl,-rpath,"$scratch"
  "$scratch/calls" | grep -q 'answer 600'
  echo "shared library: built and ran"
else
  echo "skipped: pkg-config is not installed"
fi
if command -v cmake >/dev/null 2>&1; then
  cat > "$scratch/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(outside CXX)
find_package(vitrail REQUIRED)
add_executable(by-cmake outside.cpp)
target_link_libraries(by-cmake vitrail::vitrail)
CMAKE
  cmake -S "$scratch" -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" >"$scratch/log" 2>&1 &&
    cmake --build "$scratch/cmake" >>"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  "$scratch/cmake/by-cmake" | grep -q 'loss [01]\.'
  echo "CMake: built and ran"
else
  echo "skipped: cmake is not installed"
fi
$make --no-print-directory -s uninstall PREFIX="$prefix"
left=$(find "$prefix" -type f)
[ -z "$left" ] || { echo "left behind by make uninstall: $left"; exit 1; }
