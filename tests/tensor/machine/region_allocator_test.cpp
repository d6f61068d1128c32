#include "tensor/machine/region_allocator.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "tensor/machine/probe.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

constexpr int64_t kMebibyte = 1 << 20, kHugePage = 2 * kMebibyte;

char* allocate(RegionAllocator& memory, int64_t bytes) { return static_cast<char*>(memory.allocate(bytes)); }

// What an allocator must do, kept by simpler means: every live block with its bytes and the value that fills it, and every huge
// page that the system has given for one of them.
class Model {
 public:
  explicit Model(RegionAllocator& memory) : memory_(memory) {}

  void allocate(int64_t bytes, unsigned char value) {
    char* const data = ::allocate(memory_, bytes);
    REQUIRE(data != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0);
    std::memset(data, value, bytes);
    const auto block = blocks_.emplace(data, Block{bytes, value}).first;
    if (const auto next = std::next(block); next != blocks_.end()) CHECK(end(block) <= next->first);
    if (block != blocks_.begin()) CHECK(end(std::prev(block)) <= data);
    live_ += RegionAllocator::block_bytes(bytes);
    add_pages(block);
  }

  void release(uint64_t which) {
    const auto block = std::next(blocks_.begin(), static_cast<int64_t>(which));
    const auto [bytes, value] = block->second;
    CHECK(std::vector<unsigned char>(bytes, value) == std::vector<unsigned char>(block->first, block->first + bytes));
    memory_.release(block->first);
    live_ -= RegionAllocator::block_bytes(bytes);
    blocks_.erase(block);
  }

  void give_back_idle() {
    memory_.give_back_idle();
    pages_.clear();
    for (auto block = blocks_.begin(); block != blocks_.end(); ++block) add_pages(block);
  }

  void check_sums() const {
    CHECK(memory_.live_bytes() == live_);
    CHECK(memory_.held_bytes() == kHugePage * static_cast<int64_t>(pages_.size()));
  }

  uint64_t size() const { return blocks_.size(); }

 private:
  struct Block {
    int64_t bytes;
    unsigned char value;
  };
  using Blocks = std::map<char*, Block>;

  static char* end(Blocks::iterator block) { return block->first + RegionAllocator::block_bytes(block->second.bytes); }
  void add_pages(Blocks::iterator block) {
    const auto first = reinterpret_cast<uintptr_t>(block->first), last = reinterpret_cast<uintptr_t>(end(block)) - 1;
    for (uintptr_t page = first / kHugePage; page <= last / kHugePage; ++page) pages_.insert(page);
  }

  RegionAllocator& memory_;
  Blocks blocks_;
  std::set<uintptr_t> pages_;
  int64_t live_ = 0;
};

}  // namespace

TEST_CASE("regions: random requests never overlap, keep what is written, are counted exactly, and all memory goes back") {
  RegionAllocator memory(8 * kMebibyte);
  Model model(memory);
  const Rng rng(7);
  for (uint64_t i = 0; i < 3500; ++i) {
    const auto random = [&](uint64_t stream, uint64_t n) { return rng.at(stream).below(i, n); };
    const uint64_t wanted = i / 500 % 2 == 0 ? 40 : 5;  // in turn it fills and empties
    if (model.size() == 0 || random(0, 2 * wanted) >= model.size()) {
      const uint64_t largest = random(1, 50) == 0 ? 20 * kMebibyte : random(1, 4) == 0 ? 3 * kMebibyte : 300'000;
      model.allocate(1 + static_cast<int64_t>(random(2, largest)), static_cast<unsigned char>(i));
    } else {
      model.release(random(3, model.size()));
    }
    if (random(4, 200) == 0) model.give_back_idle();
    model.check_sums();
  }
  CHECK(memory.regions() > 1);
  while (model.size() > 0) model.release(rng.below(model.size(), model.size()));
  model.check_sums();
  model.give_back_idle();
  model.check_sums();
  CHECK(memory.regions() == 0);  // only regions that have become one free block again go back
}

TEST_CASE("regions: the smallest free block that fits is cut, of equal ones the first") {
  RegionAllocator memory(32 * kMebibyte);
  std::vector<char*> blocks;
  for (int64_t size : {4, 1, 3, 1, 4, 1}) blocks.push_back(allocate(memory, size * kMebibyte));
  for (int i : {4, 2, 0}) memory.release(blocks[i]);
  CHECK(allocate(memory, 3 * kMebibyte) == blocks[2]);
  CHECK(allocate(memory, 3 * kMebibyte) == blocks[0]);
  CHECK(allocate(memory, kMebibyte / 2) == blocks[0] + RegionAllocator::block_bytes(3 * kMebibyte));
  CHECK(allocate(memory, 4 * kMebibyte) == blocks[4]);
  CHECK(memory.regions() == 1);
}

TEST_CASE("regions: a block that is freed between two free ones joins both") {
  RegionAllocator memory(16 * kMebibyte);
  std::vector<char*> blocks;
  for (int i = 0; i < 5; ++i) blocks.push_back(allocate(memory, 3 * kMebibyte));
  const int64_t held = memory.held_bytes();
  for (int i : {1, 3, 2}) memory.release(blocks[i]);
  CHECK(allocate(memory, 9 * kMebibyte) == blocks[1]);
  CHECK(memory.regions() == 1);
  CHECK(memory.held_bytes() == held);
}

TEST_CASE("regions: a request larger than a region gets its own, and blocks of two regions never become one") {
  RegionAllocator memory(4 * kMebibyte);
  const int64_t whole = 4 * kMebibyte - RegionAllocator::block_bytes(64) + 64;
  std::vector<char*> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(allocate(memory, whole));
  CHECK(memory.regions() == 4);
  for (char* block : blocks) memory.release(block);
  char* const large = allocate(memory, 7 * kMebibyte);
  CHECK(memory.regions() == 5);
  CHECK(memory.held_bytes() == 24 * kMebibyte);
  memory.release(large);
  CHECK(memory.held_bytes() == 24 * kMebibyte);
  memory.give_back_idle();
  CHECK(memory.regions() == 0);
  CHECK(memory.held_bytes() == 0);
}

TEST_CASE("regions: address space that no block has used takes no memory, and idle memory really goes back") {
  RegionAllocator memory;
  const int64_t before = resident_bytes();
  char* const idle = allocate(memory, 64 * kMebibyte);
  char* const kept = allocate(memory, kMebibyte);
  std::memset(idle, 1, 64 * kMebibyte);
  std::memset(kept, 2, kMebibyte);
  const int64_t used = resident_bytes();
  CHECK(used - before > 60 * kMebibyte);
  CHECK(used - before < 300 * kMebibyte);
  memory.release(idle);
  CHECK(memory.held_bytes() == 66 * kMebibyte);
  memory.give_back_idle();
  CHECK(memory.held_bytes() <= 4 * kMebibyte);
  CHECK(used - resident_bytes() > 60 * kMebibyte);
  CHECK(std::vector<char>(kept, kept + kMebibyte) == std::vector<char>(kMebibyte, 2));
  memory.release(kept);
}

TEST_CASE("regions: what the system refuses is a null pointer, and nothing has changed") {
  RegionAllocator memory(4 * kMebibyte);
  char* const kept = allocate(memory, kMebibyte);
  CHECK(memory.allocate(int64_t{1} << 53) == nullptr);
  CHECK(memory.live_bytes() == RegionAllocator::block_bytes(kMebibyte));
  CHECK(memory.held_bytes() == kHugePage);
  CHECK(allocate(memory, kMebibyte) == kept + RegionAllocator::block_bytes(kMebibyte));
  CHECK(memory.regions() == 1);
}
