// random_ops [--seed S] [--calls N] [--from K] [--save FILE]: random calls of all operators in this process, one after another.
// Ends with exit code 1 at the first finding: an exception that is no vitrail::Error, a call of more than five seconds of
// processor time, or (with the sanitizers) undefined behaviour; it names the call. --save writes call K for the program runop.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tensor/storage.h"
#include "tests/fuzz/support/random_calls.h"
#include "tests/fuzz/support/watch.h"

namespace vitrail::fuzz {
namespace {

constexpr int kSecondsPerCall = 5;
char current_call[1024];  // fixed, since the report may not allocate

void name_current_call() {
  if (write(STDERR_FILENO, current_call, std::strlen(current_call)) < 0) _exit(1);
}

struct Options {
  uint64_t seed = 1, calls = 1000, from = 0;
  const char* save = nullptr;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--seed") options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--calls") options.calls = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--from") options.from = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--save") options.save = argv[i + 1];
  }
  return options;
}

int run_all(const Options& options) {
  uint64_t accepted = 0;
  for (uint64_t i = options.from; i < options.from + options.calls; ++i) {
    RandomCall call = random_call(options.seed, i);
    std::snprintf(current_call, sizeof current_call, "seed %llu call %llu: %s\n", static_cast<unsigned long long>(options.seed),
                  static_cast<unsigned long long>(i), call.text().c_str());
    if (options.save) {
      save_safetensors(options.save, call.file);
      name_current_call();
    }
    allow_seconds(kSecondsPerCall);
    try {
      const std::string refusal = run(call, i % 2 == 0);
      accepted += refusal.empty() ? 1 : 0;
      if (options.save) std::printf("%s\n", refusal.empty() ? "accepted" : refusal.c_str());
    } catch (const std::exception& e) {
      std::fprintf(stderr, "finding: %s: ", e.what());
      name_current_call();
      return 1;
    }
  }
  allow_seconds(0);
  std::printf("%llu random calls, %llu of them accepted\n", static_cast<unsigned long long>(options.calls),
              static_cast<unsigned long long>(accepted));
  return 0;
}

}  // namespace
}  // namespace vitrail::fuzz

int main(int argc, char** argv) {
  vitrail::set_memory_limit(int64_t{256} << 20);
  vitrail::fuzz::on_death(vitrail::fuzz::name_current_call);
  return vitrail::fuzz::run_all(vitrail::fuzz::parse(argc, argv));
}
