#include "tensor/kernels/linear_packed.h"

#include <atomic>
#include <bit>
#include <utility>
#include <vector>

#include "tensor/kernels/linear_detail.h"

namespace vitrail {
namespace {

#if defined(_GLIBCXX_ASSERTIONS)  // debug and sanitizer builds
std::atomic<bool> checks_on{true};
#else
std::atomic<bool> checks_on{false};
#endif

// One packed weight that a storage keeps.
struct Entry {
  int64_t offset, rows, cols;
  Precision precision;
  uint64_t version;   // of the storage, when it was packed
  uint64_t checksum;  // of the weight then; 0 if checks were off
  std::shared_ptr<const detail::PackedMatrix> matrix;

  bool is_for(const Tensor& weight, Precision wanted) const {
    return offset == weight.offset() && rows == weight.size(0) && cols == weight.size(1) && precision == wanted &&
           version == weight.version();
  }
};
using Entries = std::vector<Entry>;

uint64_t checksum_of(const Tensor& weight) {
  const float* x = weight.data<float>();
  uint64_t sum = 1469598103934665603u;
  for (int64_t i = 0; i < weight.numel(); ++i) sum = (sum ^ std::bit_cast<uint32_t>(x[i])) * 1099511628211u;
  return sum | 1;
}

void check_unchanged(const Entry& entry, const Tensor& weight) {
  if (!checks_on || entry.checksum == 0) return;
  check(checksum_of(weight) == entry.checksum, ErrorKind::kValue, "linear",
        "the weight was written through a pointer taken before its last use: weight is ", weight.shape(),
        ". Hint: ask mutable_data() again before each write.");
}

bool worth_keeping(const Tensor& x, const Tensor& weight) {
  constexpr int64_t kFewRows = 512;  // with more rows, packing takes less than 3 % of the product
  return detail::number_dtype(x) == Dtype::f32 && weight.is_contiguous() && x.numel() > 0 &&
         x.numel() / x.size(-1) <= kFewRows && weight.size(0) >= 8 && weight.numel() >= 4096 && detail::has_product_kernels();
}

}  // namespace

void set_packed_weight_checks(bool on) { checks_on = on; }

std::shared_ptr<const detail::PackedMatrix> detail::kept_packed_weight(const Tensor& x, const Tensor& weight,
                                                                       Precision precision) {
  if (!worth_keeping(x, weight)) return nullptr;
  Storage& storage = *weight.storage();
  const auto kept = std::static_pointer_cast<const Entries>(storage.derived());
  if (kept) {
    for (const Entry& entry : *kept) {
      if (!entry.is_for(weight, precision)) continue;
      check_unchanged(entry, weight);
      return entry.matrix;
    }
  }
  auto entries = std::make_shared<Entries>(kept ? *kept : Entries{});
  int64_t numbers = weight.numel();
  for (const Entry& entry : *entries) numbers += entry.rows * entry.cols;
  while (!entries->empty() &&
         (numbers > storage.bytes() / size_of(weight.dtype()) || entries->front().version != weight.version())) {
    numbers -= entries->front().rows * entries->front().cols;
    entries->erase(entries->begin());
  }
  entries->push_back({weight.offset(), weight.size(0), weight.size(1), precision, weight.version(),
                      checks_on ? checksum_of(weight) : 0,
                      std::make_shared<const PackedMatrix>(view_of<float>(weight).transposed(), precision)});
  const auto matrix = entries->back().matrix;
  storage.set_derived(std::move(entries));
  return matrix;
}

}  // namespace vitrail
