// How much memory the program lets itself have. Without a limit of its own the system would promise more than there is and kill
// the program when it comes to using it: without a word, and without an exit code that says why.
#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <typeinfo>

#include "base/error.h"
#include "base/exit_code.h"
#include "base/file.h"
#include "cli/memory_limit.h"
#include "tensor/machine/container.h"
#include "tensor/storage.h"

namespace vitrail::cli {
namespace {

constexpr int64_t kMebibyte = int64_t{1} << 20;

int64_t memory_of_machine() {
  const int64_t physical = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  const int64_t allowed = container_limits().memory_bytes;
  return allowed > 0 ? std::min(physical, allowed) : physical;
}

int64_t limit = 0;

void set_limit(int64_t bytes) {
  limit = bytes;
  set_memory_limit(bytes);
}

// Memory may end where no exception can be caught: in a static initialiser, in a destructor, or while a message about it is put
// together. Nothing here allocates.
[[noreturn]] void end_without_memory() {
  // No exception at all: there was no memory for the exception itself, not even the C++ library's reserve.
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  if (thrown && *thrown != typeid(std::bad_alloc)) std::abort();
  constexpr std::string_view kMessage = "vitrail: out of memory. Hint: a smaller --batch-size or model.\n";
  if (write(STDERR_FILENO, kMessage.data(), kMessage.size()) < 0) _exit(exit_code(ErrorKind::kMemory));
  _exit(exit_code(ErrorKind::kMemory));
}

// libgomp ends the process with 1, which is none of our exit codes, when its own memory ends, also before main().
void after_exit(int code, void*) {
  if (code == 1) _exit(exit_code(ErrorKind::kMemory));
}

// Before the static initialisers of the program, and of libgomp.
__attribute__((constructor(102))) void set_handlers() {
  std::set_terminate(end_without_memory);
  on_exit(after_exit, nullptr);
}

}  // namespace

int64_t memory_limit() { return limit; }

void limit_memory(int processes) {
  const char* wish = std::getenv("VITRAIL_MEMORY_MB");
  if (!wish) {
    set_limit(memory_of_machine() / processes);
    return;
  }
  char* end = nullptr;
  const long megabytes = std::strtol(wish, &end, 10);
  check(end != wish && *end == '\0' && megabytes >= 0 && megabytes <= (1L << 30), ErrorKind::kValue, "vitrail",
        "VITRAIL_MEMORY_MB must be a whole number from 0 (no limit) to ", 1L << 30, ": it is ", escaped(wish), ".");
  set_limit(megabytes * kMebibyte);
}

}  // namespace vitrail::cli
