#!/bin/sh
# Prints -D flags naming the processor features that the given compiler command may use: built_for.sh g++ -march=native
"$@" -dM -E -x c++ /dev/null | awk '
  $2 ~ /^__(SSE4_2|AVX|AVX2|FMA|BMI2|AVX512F|AVX512BW|AVX512DQ|AVX512VL|AVX512VNNI|AVX512BF16)__$/ {
    gsub(/^__|__$/, "", $2); printf "-DVITRAIL_NEEDS_%s ", $2 }'
