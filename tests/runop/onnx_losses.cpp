// ONNX losses.
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

CrossEntropyOptions options_of(const Call& c) {
  CrossEntropyOptions options;
  const std::string reduction = c.attributes.text("reduction", "mean");
  options.reduction = reduction == "sum" ? Reduction::kSum : reduction == "none" ? Reduction::kNone : Reduction::kMean;
  if (options.reduction == Reduction::kMean && reduction != "mean") throw Unsupported("reduction=" + reduction);
  options.ignore_index = c.attributes.integer("ignore_index", options.ignore_index);
  if (c.has(2)) options.class_weights = c.tensor(2);
  return options;
}

}  // namespace

void add_losses(Table& t) {
  t["NegativeLogLikelihoodLoss"] = [](const Call& c) -> Outputs { return {nll_loss(c.in(0), c.tensor(1), options_of(c))}; };
  t["SoftmaxCrossEntropyLoss"] = [](const Call& c) -> Outputs {
    return {cross_entropy(c.in(0), c.tensor(1), options_of(c)), log_softmax(c.in(0), 1)};
  };
}

}  // namespace vitrail::onnx
