#include "tensor/storage.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

#include "tensor/tensor.h"
#include "tests/tensor/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

TEST_CASE("storage: a freed block is handed out again without asking the system") {
  empty_memory_cache();
  const void* place = nullptr;
  {
    const Tensor x = empty({12345});
    place = x.storage()->data();
  }
  const MemoryStats before = memory_stats();
  CHECK(before.cached_bytes >= 12345 * 4);
  const Tensor y = empty({12345});
  CHECK(y.storage()->data() == place);
  CHECK(memory_stats().system_allocations == before.system_allocations);
  CHECK(memory_stats().allocations == before.allocations + 1);
}

TEST_CASE("storage: live bytes rise and fall, the peak stays until it is reset") {
  const int64_t live = memory_stats().live_bytes;
  reset_peak_memory();
  { const Tensor x = empty({1 << 20}); }
  CHECK(memory_stats().live_bytes == live);
  CHECK(memory_stats().peak_bytes >= live + (4 << 20));
  reset_peak_memory();
  CHECK(memory_stats().peak_bytes == live);
  empty_memory_cache();
  CHECK(memory_stats().cached_bytes == 0);
}

TEST_CASE("storage: blocks are aligned to 64 bytes, large ones to 2 MiB") {
  for (int64_t bytes : {0, 1, 100, 5000, 1 << 22}) {
    const Storage storage(bytes);
    CHECK(reinterpret_cast<uintptr_t>(storage.data()) % (bytes >= (1 << 21) ? 1 << 21 : 64) == 0);
  }
}

TEST_CASE("storage: passing the memory limit is an error that names the numbers, and the program goes on") {
  set_memory_limit(memory_stats().live_bytes + 1000);
  CHECK(refuses([] { empty({1000}); }, ErrorKind::kMemory, "over the memory limit: 4000 bytes wanted"));
  CHECK_NOTHROW(empty({10}));
  set_memory_limit(0);
  CHECK_NOTHROW(empty({1000}));
}

TEST_CASE("storage: idle blocks are given back before the limit would be passed") {
  empty_memory_cache();
  { const Tensor idle = empty({1 << 20}); }
  CHECK(memory_stats().cached_bytes >= 4 << 20);
  set_memory_limit(memory_stats().live_bytes + (5 << 20));
  const Tensor other = empty({(1 << 20) + (1 << 17)});
  set_memory_limit(0);
  CHECK(memory_stats().cached_bytes == 0);
}

TEST_CASE("storage: more memory than there can be is refused, up to the largest legal size") {
  for (int64_t extent : {int64_t{1} << 50, (int64_t{1} << 60) - 1}) {
    CHECK(refuses([&] { empty({extent}, Dtype::f64); }, ErrorKind::kMemory, "bytes left"));
  }
}
