// Says in one line what is missing when the program starts on a processor without the instructions that it was built for,
// instead of dying of SIGILL. Compiled for the oldest processor (Makefile); runs before the constructors of everything else.
#include <unistd.h>

#include <cstring>

namespace {

[[maybe_unused]] void refuse(const char* feature) {
  const auto say = [](const char* text) { return write(STDERR_FILENO, text, std::strlen(text)); };
  if (say("vitrail was built for a processor with ") < 0 || say(feature) < 0 ||
      say(", which this one has not. Hint: build it here, or with make ARCH=x86-64-v2.\n") < 0) {
    _exit(3);
  }
  _exit(2);
}

// __builtin_cpu_supports takes a literal, hence the macro.
#define REQUIRE(feature) \
  if (!__builtin_cpu_supports(feature)) refuse(feature)

__attribute__((constructor(101))) void check_processor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
#ifdef VITRAIL_NEEDS_SSE4_2
  REQUIRE("sse4.2");
#endif
#ifdef VITRAIL_NEEDS_AVX2
  REQUIRE("avx2");
#endif
#ifdef VITRAIL_NEEDS_FMA
  REQUIRE("fma");
#endif
#ifdef VITRAIL_NEEDS_AVX512F
  REQUIRE("avx512f");
#endif
#ifdef VITRAIL_NEEDS_AVX512BW
  REQUIRE("avx512bw");
#endif
#ifdef VITRAIL_NEEDS_AVX512DQ
  REQUIRE("avx512dq");
#endif
#ifdef VITRAIL_NEEDS_AVX512VL
  REQUIRE("avx512vl");
#endif
#endif
}

}  // namespace
