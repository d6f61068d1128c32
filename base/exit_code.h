// Exit codes of all programs, by the kind of the error that ends them (docs/architecture.md, "Exit codes").
#pragma once

#include "base/error.h"

namespace vitrail {

constexpr int kExitUsage = 2;      // wrong arguments or configuration
constexpr int kExitInternal = 70;  // any other exception: a bug in the program

inline int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kShape:
    case ErrorKind::kValue: return kExitUsage;
    case ErrorKind::kData: return 3;
    case ErrorKind::kIo: return 4;
    case ErrorKind::kMemory: return 5;
    case ErrorKind::kNumeric: return 6;
  }
  return kExitInternal;
}

}  // namespace vitrail
