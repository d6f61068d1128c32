// ONNX losses.
#include "base/file.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

CrossEntropyOptions options_of(const Call& c) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  CrossEntropyOptions options;
  const std::string reduction = c.attributes.text("reduction", "mean");
  options.reduction = reduction == "sum" ? Reduction::kSum : reduction == "none" ? Reduction::kNone : Reduction::kMean;
  if (options.reduction == Reduction::kMean && reduction != "mean") throw Unsupported("reduction=" + escaped(reduction, 60));
  options.ignore_index = c.attributes.integer("ignore_index", kLow, kHigh, options.ignore_index);
  if (c.has(2)) options.class_weights = c.tensor(2);
  return options;
}

}  // namespace

void add_losses(Table& t) {
  const std::vector<std::string> attributes = {"ignore_index", "reduction"};
  t["NegativeLogLikelihoodLoss"] = {
      2, 3, attributes,
      [](const Call& c) -> Outputs { return {nll_loss(c.of_rank(0, 2, kMaxDims), c.tensor(1), options_of(c))}; }, 12};
  t["SoftmaxCrossEntropyLoss"] = {2, 3, attributes,
                                  [](const Call& c) -> Outputs {
                                    const Variable& logits = c.of_rank(0, 2, kMaxDims);
                                    return {cross_entropy(logits, c.tensor(1), options_of(c)), log_softmax(logits, 1)};
                                  },
                                  12};
}

}  // namespace vitrail::onnx
