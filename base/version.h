// What the program is called, and which one it is.
#pragma once

namespace vitrail {

constexpr const char* kVersion = "vitrail 0.1.0";

}  // namespace vitrail
