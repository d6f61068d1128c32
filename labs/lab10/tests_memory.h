// Lab 10, exercise 10.7: blocks of a region.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "labs/common/lab.h"
#include "labs/lab10/best_fit.h"

namespace {

using namespace vitrail;

std::string state_of(const lab::BestFit& memory) {
  return cat(memory.live_bytes(), "/", memory.free_blocks(), "/", memory.largest_free(), " ");
}

// Five blocks side by side, then some of them free.
lab::BestFit with_holes(const std::vector<int64_t>& sizes, const std::vector<size_t>& freed,
                        std::vector<int64_t>* offsets = nullptr) {
  int64_t all = 64;
  for (const int64_t size : sizes) all += size;
  lab::BestFit memory(all);
  std::vector<int64_t> at;
  for (const int64_t size : sizes) at.push_back(memory.allocate(size));
  for (const size_t i : freed) memory.release(at[i]);
  if (offsets) *offsets = at;
  return memory;
}

}  // namespace

LAB_PROBE("10.7") {
  lab::BestFit memory(1024);
  std::string text;
  for (const int64_t bytes : {1, 64, 65, 500, 600}) text += cat(memory.allocate(bytes), " ");
  return text + state_of(memory);
}
LAB_PROBE("10.7") {
  lab::BestFit memory = with_holes({256, 64, 128, 64, 192, 64}, {0, 2, 4});
  std::string text = cat(memory.allocate(128), " ", memory.allocate(100), " ");
  return text + state_of(memory);
}
LAB_PROBE("10.7") {
  std::string text;
  for (const auto& order : {std::vector<size_t>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}})
    text += state_of(with_holes({64, 128, 192, 64}, order));
  return text;
}
LAB_PROBE("10.7") {
  lab::BestFit memory = with_holes({128, 64, 128, 64}, {2, 0});
  const int64_t first = memory.allocate(64), second = memory.allocate(64);
  return cat(first, " ", second, " ", state_of(memory));
}
LAB_PROBE("10.7") {
  std::vector<int64_t> at;
  lab::BestFit memory = with_holes({64, 64, 64}, {0, 1, 2}, &at);
  return cat(memory.allocate(256), " ", memory.allocate(1), " ", state_of(memory));
}

TEST_SUITE("10.7") {
  TEST_CASE("requests are rounded up to 64 and lie side by side; what does not fit gets -1 and changes nothing") {
    lab::BestFit memory(512);
    CHECK(memory.allocate(1) == 0);
    CHECK(memory.allocate(65) == 64);
    CHECK(memory.allocate(128) == 192);
    CHECK(memory.live_bytes() == 320);
    CHECK(memory.allocate(193) == -1);
    CHECK(state_of(memory) == "320/1/192 ");
    CHECK(memory.allocate(192) == 320);
    CHECK(memory.allocate(1) == -1);
    CHECK(memory.free_blocks() == 0);
  }
  TEST_CASE("the smallest hole that is large enough is taken, and its rest stays free") {
    lab::BestFit memory = with_holes({320, 64, 128, 64, 192, 64}, {0, 2, 4});
    CHECK(memory.allocate(192) == 576);  // fits exactly
    CHECK(memory.allocate(64) == 832);   // the tail of the region: the smallest of all
    CHECK(memory.allocate(100) == 384);
    CHECK(memory.allocate(64) == 0);
    CHECK(state_of(memory) == "640/1/256 ");
    CHECK(memory.allocate(256) == 64);
  }
  TEST_CASE("among equal holes the lowest is taken") {
    lab::BestFit memory = with_holes({128, 64, 128, 64, 128, 64}, {4, 0, 2});
    CHECK(memory.allocate(128) == 0);
    CHECK(memory.allocate(128) == 192);
    CHECK(memory.allocate(128) == 384);
  }
  TEST_CASE("a block that becomes free is joined with its free neighbours, on either side, in any order") {
    for (const auto& order : {std::vector<size_t>{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}}) {
      lab::BestFit memory = with_holes({64, 128, 192}, order);  // and 64 bytes at the end
      CHECK(state_of(memory) == "0/1/448 ");
      CHECK(memory.allocate(448) == 0);
    }
  }
  TEST_CASE("blocks in use are not joined") {
    lab::BestFit memory = with_holes({64, 64, 64, 64}, {0, 2});
    CHECK(state_of(memory) == "128/3/64 ");
    CHECK(memory.allocate(128) == -1);
  }
  TEST_CASE("what is not an allocated block cannot be released") {
    lab::BestFit memory(256);
    const int64_t at = memory.allocate(64);
    CHECK_THROWS_AS(memory.release(at + 64), Error);
    CHECK_THROWS_AS(memory.release(at + 1), Error);
    memory.release(at);
    CHECK_THROWS_AS(memory.release(at), Error);
    CHECK(state_of(memory) == "0/1/256 ");
  }
  TEST_CASE("a thousand random requests: blocks never overlap, and in the end all is one again") {
    lab::Dice dice(1091);
    lab::BestFit memory(1 << 16);
    std::map<int64_t, int64_t> live;  // offset and size
    int64_t bytes = 0, refused = 0, overlaps = 0;
    for (int round = 0; round < 1000; ++round) {
      if (!live.empty() && dice.roll(0, 9) < 4) {
        auto block = live.begin();
        std::advance(block, dice.roll(0, static_cast<int64_t>(live.size()) - 1));
        memory.release(block->first);
        bytes -= block->second;
        live.erase(block);
      } else {
        const int64_t size = dice.roll(1, 60) * 64, at = memory.allocate(size - dice.roll(0, 63));
        if (at < 0) {
          ++refused;
          overlaps += memory.largest_free() >= size;
          continue;
        }
        const auto after = live.lower_bound(at);
        overlaps += after != live.end() && after->first < at + size;
        overlaps += after != live.begin() && std::prev(after)->first + std::prev(after)->second > at;
        overlaps += at % 64 != 0 || at + size > (1 << 16);
        live[at] = size, bytes += size;
      }
      if (memory.live_bytes() != bytes) ++overlaps;
    }
    CHECK(overlaps == 0);
    CHECK(refused > 0);
    for (const auto& [at, size] : live) memory.release(at);
    CHECK(state_of(memory) == "0/1/65536 ");
  }
}
