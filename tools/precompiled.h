// What nearly every file reads: compiled once, see "precompiled" in the Makefile. Every file still includes what it uses;
// builds with clang do without this one and would tell.
#ifndef VITRAIL_TOOLS_PRECOMPILED_H_
#define VITRAIL_TOOLS_PRECOMPILED_H_

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tensor/machine/parallel.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

#ifdef VITRAIL_PRECOMPILED_FOR_TESTS
#include <doctest/doctest.h>
#endif

#endif
