// Which operations run their plain form: the loops of tensor/reference/ instead of the kernels of tensor/kernels/.
//
// Each operation that has a fast form also has a plain one, which is its definition. tensor/ops/ chooses: the plain form while
// a PlainGuard that names the operation lives on this thread, or if the environment variable VITRAIL_PLAIN names it, as in
// VITRAIL_PLAIN=attention,softmax. The plain form runs for every dtype and on one thread; its results differ from the fast
// form's by rounding, since sums are added in another order. Tests compare whole training steps of both forms.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vitrail {

enum class PlainOp : int {
  kMatmul,
  kLinear,   // linear, linear_add, linear_gelu and their gradients
  kSoftmax,  // the operation softmax; attention has its own
  kLogSoftmax,
  kLayerNorm,
  kRmsNorm,
  kGelu,          // also inside linear_gelu
  kCrossEntropy,  // also nll_loss
  kAttention,
  kConv2d,
  kPool,         // max_pool2d, avg_pool2d, adaptive_avg_pool2d
  kElementwise,  // all of tensor/ops/elementwise.h but gelu
  kReduce,       // sum, mean, prod, var, max, min, argmax, argmin, logsumexp
  kCopy,         // copies between strides and dtypes, add_
  kRounding,     // to bf16 and back
};
constexpr int kPlainOps = static_cast<int>(PlainOp::kRounding) + 1;

// "matmul", "linear", "softmax", ...: the enumerators in lower case, rounding as "round_to_bf16".
const char* plain_name(PlainOp op);
// "attention,softmax" as a set of bits, 1 << op each; "all" names every operation, an empty list none. Spaces are ignored.
// Error(kValue) that lists the known names for an unknown one.
uint32_t plain_ops_from_names(std::string_view names);

// True if `op` must run its plain form now. Each call that returns true counts as one run. Error(kValue) if VITRAIL_PLAIN has
// an unknown name. The variable is read once, at the first call in the program.
bool runs_plain(PlainOp op);

// The operations that the guards of this thread name now, as a set of bits. A checkpoint restores them for its recomputation.
uint32_t guarded_plain_ops();

// While it lives, the named operations run their plain form on the thread that made it, in addition to those of enclosing
// guards. This holds for work that the thread distributes by parallel_for too, since an operation chooses its form before it
// distributes.
class PlainGuard {
 public:
  explicit PlainGuard(std::string_view names);  // "softmax,matmul" or "all"
  explicit PlainGuard(uint32_t set);            // of guarded_plain_ops()
  ~PlainGuard();
  PlainGuard(const PlainGuard&) = delete;
  PlainGuard& operator=(const PlainGuard&) = delete;

  // How often `op` ran its plain form on this thread since the guard was made: zero means that nothing called it.
  int64_t runs(PlainOp op) const;

 private:
  uint32_t before_;
  std::array<int64_t, kPlainOps> runs_before_;
};

}  // namespace vitrail
