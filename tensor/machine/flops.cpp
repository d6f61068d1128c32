#include "tensor/machine/flops.h"

#include <atomic>

namespace vitrail {
namespace {

std::atomic<int64_t> count{0};

}  // namespace

void count_flops(int64_t flops) { count.fetch_add(flops, std::memory_order_relaxed); }

int64_t counted_flops() { return count.load(std::memory_order_relaxed); }

}  // namespace vitrail
