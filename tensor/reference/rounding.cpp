#include "tensor/reference/rounding.h"

#include <bit>

#include "tensor/reference/elements.h"

namespace vitrail::reference {

// A bf16 is the upper half of a float. Adding just under half of the last kept bit, and one more where that bit is set, carries
// into the upper half exactly if the number must be rounded up (ties go to even).
Bf16 round_to_bf16(float x) {
  // LAB 2.6 BEGIN  the nearest bf16, of two equally near ones the even one; NaN stays NaN, too large a number becomes infinity
  const auto bits = std::bit_cast<uint32_t>(x);
  if (x != x) return Bf16{0x7fc0};
  const uint32_t last_kept = bits >> 16 & 1;
  return Bf16{static_cast<uint16_t>((bits + 0x7fff + last_kept) >> 16)};
  // LAB 2.6 END
}

float widen_bf16(Bf16 x) {
  // LAB 2.6 BEGIN  the float whose upper half x is
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
  // LAB 2.6 END
}

void round_to_bf16(const Tensor& x, Tensor y) {
  const auto from = read<float>(x);
  const auto to = write<Bf16>(y);
  for (int64_t i = 0; i < y.numel(); ++i) to[i] = round_to_bf16(from[i]);
}

void widen_bf16(const Tensor& x, Tensor y) {
  const auto from = read<Bf16>(x);
  const auto to = write<float>(y);
  for (int64_t i = 0; i < y.numel(); ++i) to[i] = widen_bf16(from[i]);
}

Tensor numbers_of(const Tensor& x) {
  if (x.dtype() != Dtype::bf16) return x;
  Tensor y = empty(x.shape(), Dtype::f32, "widen_bf16");
  widen_bf16(x, y);
  return y;
}

}  // namespace vitrail::reference
