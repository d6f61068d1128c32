// How much memory the program lets itself have. Without a limit of its own the system would promise more than there is and kill
// the program when it comes to using it: without a word, and without an exit code that says why.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "cli/commands.h"
#include "tensor/storage.h"

namespace vitrail::cli {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

// The number in a file of the control group that this process is in; "max", or no such file, is no limit.
int64_t group_limit(const char* path) {
  std::ifstream file(path);
  int64_t bytes = 0;
  return file >> bytes && bytes > 0 ? bytes : int64_t{1} << 60;
}

int64_t memory_of_machine() {
  const int64_t physical = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  return std::min(
      {physical, group_limit("/sys/fs/cgroup/memory.max"), group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
}

}  // namespace

void limit_memory() {
  const char* wish = std::getenv("VITRAIL_MEMORY_MB");
  if (!wish) {
    set_memory_limit(memory_of_machine());
    return;
  }
  char* end = nullptr;
  const long megabytes = std::strtol(wish, &end, 10);
  check(end != wish && *end == '\0' && megabytes >= 0 && megabytes <= (1L << 30), ErrorKind::kValue, "vitrail",
        "VITRAIL_MEMORY_MB must be a whole number from 0 (no limit) to ", 1L << 30, ": it is ", escaped(wish), ".");
  set_memory_limit(megabytes * kMebibyte);
}

}  // namespace vitrail::cli
