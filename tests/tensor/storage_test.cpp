#include "tensor/storage.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "tensor/machine/region_allocator.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"
#include "tests/support/scratch_folder.h"

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

TEST_CASE("storage: blocks are aligned to 64 bytes") {
  for (int64_t bytes : {0, 1, 100, 5000, 1 << 18, (1 << 18) + 1, 1 << 22}) {
    const Storage odd(64), storage(bytes);
    CHECK(reinterpret_cast<uintptr_t>(storage.data()) % 64 == 0);
  }
}

TEST_CASE("storage: freed large blocks serve other sizes without asking the system") {
  empty_memory_cache();
  {
    std::vector<Tensor> parts;
    for (int i = 0; i < 12; ++i) parts.push_back(empty({1 << 20}));
  }
  const MemoryStats before = memory_stats();
  CHECK(before.cached_bytes >= 48 << 20);
  std::vector<Tensor> others;
  for (int64_t elements : {3 << 20, 1 << 17, 5 << 20, 2'000'000, 70'001}) others.push_back(empty({elements}));
  CHECK(memory_stats().allocations == before.allocations + 5);
  CHECK(memory_stats().system_allocations == before.system_allocations);
  CHECK(memory_stats().live_bytes + memory_stats().cached_bytes == before.live_bytes + before.cached_bytes);
}

TEST_CASE("storage: live bytes count what small and large blocks take, to the byte") {
  const int64_t live = memory_stats().live_bytes, guard = RegionAllocator::block_bytes(64) - 64;
  const Storage tiny(1), small(5000), large(1 << 20), odd((1 << 20) + 1);
  CHECK(memory_stats().live_bytes - live == 64 + 5120 + (1 << 20) + guard + (1 << 20) + 64 + guard);
}

TEST_CASE("storage: passing the memory limit is an error that names the numbers, and the program goes on") {
  set_memory_limit(memory_stats().live_bytes + 1000);
  CHECK(refuses([] { empty({1000}); }, ErrorKind::kMemory, "over the memory limit: 4000 bytes wanted"));
  CHECK_NOTHROW(empty({10}));
  set_memory_limit(0);
  CHECK_NOTHROW(empty({1000}));
}

TEST_CASE("storage: idle memory is given back before the limit would be passed") {
  empty_memory_cache();
  const int64_t cached = memory_stats().cached_bytes;
  std::optional<Tensor> idle = empty({2 << 20});
  const Tensor neighbour = empty({1 << 19});
  idle.reset();
  CHECK(memory_stats().cached_bytes >= cached + (7 << 20));
  set_memory_limit(memory_stats().live_bytes + (15 << 20));
  const Tensor other = empty({5 << 19});  // does not fit into the idle block
  set_memory_limit(0);
  CHECK(memory_stats().cached_bytes < cached + (4 << 20));
}

TEST_CASE("storage: memory that is there already is used below the limit again and again") {
  empty_memory_cache();
  set_memory_limit(memory_stats().live_bytes + memory_stats().cached_bytes + (14 << 20));
  { const Tensor first = empty({5 << 19}); }
  const int64_t before = memory_stats().system_allocations;
  for (int i = 0; i < 3; ++i) empty({5 << 19});
  CHECK(memory_stats().system_allocations == before);
  set_memory_limit(0);
}

TEST_CASE("storage: threads that allocate and free at once get blocks of their own") {
  const int64_t live = memory_stats().live_bytes;
  std::atomic<int64_t> spoilt{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t, &spoilt] {
      const Rng rng(5, t);
      std::vector<std::unique_ptr<Storage>> blocks(8);
      const auto intact = [&](const Storage& block, size_t slot) {
        const auto* bytes = static_cast<const unsigned char*>(block.data());
        return std::all_of(bytes, bytes + block.bytes(), [&](unsigned char c) { return c == 16 * t + slot; });
      };
      for (uint64_t i = 0; i < 400; ++i) {
        const size_t slot = rng.below(i, blocks.size());
        if (blocks[slot] && !intact(*blocks[slot], slot)) spoilt += 1;
        blocks[slot].reset();
        const int64_t bytes = static_cast<int64_t>(rng.below(1000 + i, i % 4 == 0 ? 2 << 20 : 4096));
        blocks[slot] = std::make_unique<Storage>(bytes);
        std::memset(blocks[slot]->data(), static_cast<int>(16 * t + slot), bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(spoilt == 0);
  CHECK(memory_stats().live_bytes == live);
}

TEST_CASE("storage: more memory than there can be is refused, up to the largest legal size") {
  for (int64_t extent : {int64_t{1} << 50, (int64_t{1} << 60) - 1}) {
    CHECK(refuses([&] { empty({extent}, Dtype::f64); }, ErrorKind::kMemory, "bytes left"));
  }
}
