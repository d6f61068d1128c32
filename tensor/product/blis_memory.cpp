// These functions replace the object file with the same symbols in libblis.a (bli_malloc.o, the same set of names in BLIS 0.9
// and 1.1): the linker takes the first definition that it finds, and this file comes before the library. They have no effect
// with a shared BLIS.
#include "tensor/product/blis_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/divide.h"
#include "base/error.h"

namespace vitrail::detail {
namespace {

constexpr size_t kAlignment = 64;
// The largest blocks of one product: a packed block of each operand.
constexpr int64_t kBytesPerThread = int64_t{24} << 20, kMostBytes = int64_t{1} << 30;

char* reserve = nullptr;
int64_t reserve_bytes = 0;
std::atomic<int64_t> reserve_used{0};
thread_local bool ran_out = false;

// Takes memory from the reserve. It is never given back: BLIS keeps its blocks in pools, and the process is about to end.
void* take_from_reserve(int64_t bytes, int64_t alignment) {
  ran_out = true;
  const int64_t begin = round_up(reserve_used.fetch_add(round_up(bytes + alignment, alignment)), alignment);
  if (begin + bytes <= reserve_bytes) return reserve + begin;
  constexpr char kText[] = "vitrail: [memory] the system has no memory left for matrix products\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(5);  // the exit code of kMemory; BLIS would abort, and no exception can pass through it
}

void* take(size_t bytes, size_t alignment, int* status) {
  constexpr int kSuccess = -1;  // BLIS_SUCCESS
  if (status) *status = kSuccess;
  void* data = nullptr;
  if (posix_memalign(&data, alignment, bytes) == 0) return data;
  return take_from_reserve(static_cast<int64_t>(bytes), static_cast<int64_t>(alignment));
}

void give_back(void* data) {
  const auto place = reinterpret_cast<uintptr_t>(data), begin = reinterpret_cast<uintptr_t>(reserve);
  if (place - begin >= static_cast<uintptr_t>(reserve_bytes)) std::free(data);
}

}  // namespace

void reserve_blis_memory(int threads) {
  if (reserve) return;
  const int64_t bytes = std::min(kBytesPerThread * std::max(threads, 1), kMostBytes);
  void* const mapped = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check(mapped != MAP_FAILED, ErrorKind::kMemory, "memory", "the system has no ", bytes, " bytes left for matrix products");
  reserve = static_cast<char*>(mapped);
  reserve_bytes = bytes;
}

void check_blis_memory() {
  check(!std::exchange(ran_out, false), ErrorKind::kMemory, "memory",
        "the system has no memory left for matrix products. Hint: a smaller batch needs less.");
}

}  // namespace vitrail::detail

// The declarations of BLIS, without including its headers: err_t is an enum, malloc_ft and free_ft are pointers to malloc and
// free.
extern "C" {

using vitrail::detail::give_back, vitrail::detail::kAlignment, vitrail::detail::take;

void* bli_malloc_intl(size_t size, int* status) { return take(size, kAlignment, status); }
void* bli_calloc_intl(size_t size, int* status) { return std::memset(take(size, kAlignment, status), 0, size); }
void bli_free_intl(void* p) { give_back(p); }
void* bli_malloc_user(size_t size, int* status) { return take(size, kAlignment, status); }
void bli_free_user(void* p) { give_back(p); }
void* bli_fmalloc_align(void*, size_t size, size_t alignment, int* status) { return take(size, alignment, status); }
void bli_ffree_align(void*, void* p) { give_back(p); }
void* bli_fmalloc_noalign(void*, size_t size, int* status) { return take(size, kAlignment, status); }
void bli_ffree_noalign(void*, void* p) { give_back(p); }
void bli_fmalloc_align_check(void*, size_t, size_t) {}
void bli_fmalloc_post_check(void*) {}

}  // extern "C"
